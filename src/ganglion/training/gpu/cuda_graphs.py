"""Work noted as a CUDA graph: the one place that needs a GPU to be tried."""

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, final

import torch


class Recorder(Protocol):
    """What can note work for a device instead of doing it."""

    def rehearse(self, work: Callable[[], None]) -> str:
        """Do the work where `record` would note it; return at what the host had to wait for the device, if it had."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Run the work without its effect on tensors; return what has that effect, on the same memory every time."""


@final
class CudaGraphs:
    """Notes work as a CUDA graph.

    Source: https://docs.pytorch.org/docs/stable/notes/cuda.html, whole-network capture.
    """

    def __init__(self, device: torch.device) -> None:
        # One stream for both: libraries set themselves up for each stream, which must not happen while recording.
        self.stream = torch.cuda.Stream(device)

    def rehearse(self, work: Callable[[], None]) -> str:
        now = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(now)
        try:
            with torch.cuda.stream(self.stream), noted_waits() as waits:
                work()
        finally:
            now.wait_stream(self.stream)
        return waits[0] if waits else ""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        # The outer of both contexts puts the stream back when recording fails, which torch's own does not.
        with no_collection(), torch.cuda.stream(self.stream), torch.cuda.graph(graph, stream=self.stream):
            work()
        return graph.replay


@contextmanager
def noted_waits() -> Iterator[list[str]]:
    """Collect what torch says where the host waits for the device; other warnings pass."""
    waits: list[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", message=".*ynchroniz")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(before)
    for warning in caught:
        text = str(warning.message)
        if "called a synchronizing" in text:
            waits.append(text.partition("\n")[0])
        elif "debug mode is a prototype" not in text:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python from collecting garbage: what that frees on the device would spoil a recording."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
