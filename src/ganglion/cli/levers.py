"""What makes training faster than a plain loop here, and how each of these is switched off."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ganglion.nn import acceleration
from ganglion.training.gpu import is_asked_for
from ganglion.training.machine.allocator import keep_big_blocks
from ganglion.training.machine.denormals import denormals_flushed
from ganglion.training.machine.device import has_tf32_units


@dataclass(frozen=True)
class Lever:
    """One of them; it is on wherever it works and its variable does not say otherwise, but for what is unproven."""

    name: str
    does: str
    variable: str
    off: str
    """Value of the variable that switches it off."""
    works: Callable[[], bool]
    """Whether it does anything on this machine."""
    shown_by: str
    """System whose speed shows it."""
    device: str = "cpu"
    """Where it shows."""
    unproven: bool = False
    """Whether it has never run where it works, and is off unless asked for."""

    @property
    def standing(self) -> str:
        """Say whether it is on, and if not, why.

        >>> LEVERS[1].standing
        'on: convolutions in channels-last layout'
        """
        if os.environ.get(self.variable) == self.off:
            return f"switched off by {self.variable}={self.off}"
        if not self.works():
            return f"not on this machine: {self.does}"
        if self.unproven and not is_asked_for():
            return f"off, since it has never run on a GPU; GANGLION_CAPTURE=1 switches it on: {self.does}"
        return f"on: {self.does}"


def _flushes() -> bool:
    with denormals_flushed() as flushes:
        return flushes


LEVERS = (
    Lever(
        "allocator",
        "big blocks of memory stay in the process",
        "GANGLION_ALLOCATOR",
        "system",
        keep_big_blocks,
        "convnet",
    ),
    Lever("layout", "convolutions in channels-last layout", "GANGLION_LAYOUT", "contiguous", lambda: True, "convnet"),
    Lever("denormals", "numbers too small for their format are zero", "GANGLION_DENORMALS", "kept", _flushes, "mlp"),
    Lever(
        "products",
        "matrix products by oneDNN, where MKL holds back",
        "GANGLION_PRODUCTS",
        "mkl",
        lambda: acceleration.product_library() == "onednn",
        "mlp",
    ),
    Lever(
        "kernels",
        "compiled kernels of recurrent layers, first convolutions and small networks (needs numba)",
        "GANGLION_FAST",
        "0",
        acceleration.enabled,
        "lstm-forecaster",
    ),
    Lever(
        "capture",
        "steps that are always the same are played as one CUDA graph",
        "GANGLION_CAPTURE",
        "0",
        torch.cuda.is_available,
        "mlp",
        "cuda",
        unproven=True,
    ),
    Lever(
        "tf32",
        "products of 32-bit numbers on tensor cores, ten bits of fraction in, 32-bit sums out",
        "GANGLION_TF32",
        "0",
        lambda: torch.cuda.is_available() and has_tf32_units(torch.device("cuda")),
        "convnet",
        "cuda",
        unproven=True,
    ),
    Lever(
        "resident",
        "small sets in memory live on the GPU; batches of others are copied there from pinned memory",
        "GANGLION_RESIDENT",
        "0",
        torch.cuda.is_available,
        "mlp",
        "cuda",
        unproven=True,
    ),
)
