"""Where a run computes, and in which numbers."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, runtime_checkable

import torch

from ganglion.core import Batch, LearningRule, Loader
from ganglion.errors import UsageError
from ganglion.training.gpu import is_asked_for
from ganglion.training.settings import Precision

RESIDENT_SHARE = 1 / 4
"""Part of a GPU's free memory that a set may take in order to live there."""


@runtime_checkable
class Movable(Protocol):
    """A loader whose whole set can be moved to where its batches are used."""

    @property
    def nbytes(self) -> int:
        """Memory that the set takes."""

    def to(self, device: torch.device) -> None:
        """Move the set; batches are gathered there from now on."""


def choose_device(name: str) -> torch.device:
    """Return the named device; `auto` is the first CUDA device, or else the CPU.

    Raises `UsageError` when the device does not exist here.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if name == "cpu":
            return torch.device(name)
    if name == "cuda" and int(os.environ.get("LOCAL_WORLD_SIZE", 1)) > 1:
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"  # one for each process of this host
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"the device {name!r} is not available",
            found=str(error).splitlines()[0],
            remedy="use --device auto or --device cpu; `ganglion doctor` lists what is here",
        ) from error
    return device


def settle_precision(name: Precision, device: torch.device, is_safe: bool) -> Precision:
    """Return what `auto` means: bf16 where the device has units for it and the system keeps its score with it.

    >>> settle_precision("auto", torch.device("cpu"), is_safe=False)
    'fp32'
    """
    if name != "auto":
        return name
    return "bf16" if is_safe and has_bf16_units(device) else "fp32"


def has_bf16_units(device: torch.device) -> bool:
    """Say whether products of sixteen-bit numbers are faster here than those of 32-bit ones."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return device.type == "cpu" and any(known.get(unit, False) for unit in ("avx512_bf16", "amx_bf16"))


def computing(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the surroundings in which products are made in this precision."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def has_tf32_units(device: torch.device) -> bool:
    """Say whether products of 32-bit numbers with a fraction of ten bits are faster here than those of the whole."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


@contextmanager
def tf32(device: torch.device) -> Iterator[None]:
    """Make products of 32-bit numbers in TF32 on a CUDA device that can, if what is new on a GPU is asked for.

    Factors are rounded to ten bits of fraction, their products summed in 32 bits. `GANGLION_TF32=0` asks for no such
    product at all, as on a CPU; otherwise torch decides, which uses TF32 for convolutions alone.
    """
    refused = os.environ.get("GANGLION_TF32") == "0"
    if device.type != "cuda" or not (refused or is_asked_for()):
        yield
        return
    wanted = "ieee" if refused else "tf32"  # which older devices take for ieee
    backends: Any = torch.backends  # whose stubs do not know all of it
    places = backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = wanted
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


def place(rule: LearningRule, loader: Loader, device: torch.device) -> None:
    """Move a rule to where it computes, convolutions into the layout in which they are fast; a small set goes with it.

    `GANGLION_LAYOUT=contiguous` leaves convolutions in torch's own layout.
    """
    kept = os.environ.get("GANGLION_LAYOUT") == "contiguous"
    layout = torch.contiguous_format if kept else torch.channels_last
    for network in rule.networks.values():
        # torch accepts both at once, its types do not say so.
        network.to(device, memory_format=layout)  # type: ignore[call-overload]
    rule.tensors.update({name: tensor.to(device) for name, tensor in rule.tensors.items()})
    if any(optimizer.state for optimizer in rule.optimizers.values()):
        rule.load_state_dict(rule.state_dict())  # moves and lays out what an optimizer made of the weights before
    if device.type == "cuda" and isinstance(loader, Movable) and may_live_on(device, loader.nbytes):
        loader.to(device)


def may_live_on(device: torch.device, size: int) -> bool:
    """Say whether a set of so many bytes may live on a CUDA device, if asked for; `GANGLION_RESIDENT=0` says no."""
    if not is_asked_for() or os.environ.get("GANGLION_RESIDENT") == "0":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return size <= RESIDENT_SHARE * free


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on the device, without waiting for the copy.

    The device can only fetch by itself what is in pinned memory; torch keeps that until the copy is made.
    """
    if device.type == "cpu":
        return batch
    if device.type != "cuda":
        return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
    pinned = {name: tensor.pin_memory() if tensor.device.type == "cpu" else tensor for name, tensor in batch.items()}
    return {name: tensor.to(device, non_blocking=True) for name, tensor in pinned.items()}
