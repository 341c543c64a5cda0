"""When the fast paths apply."""

import os
import platform
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from ganglion.errors import ShapeError


def installed() -> bool:
    """Return whether kernels can be compiled here, and whether that is wanted: `GANGLION_FAST=0` says no."""
    return os.environ.get("GANGLION_FAST") != "0" and _has_compiler()


@cache
def _has_compiler() -> bool:
    """Return whether Numba is there; processors of PC kind that cannot multiply and add in one go would emulate it."""
    capability = torch.backends.cpu.get_cpu_capability()
    emulated = platform.machine() in ("x86_64", "AMD64") and capability in ("DEFAULT", "NO AVX")
    return find_spec("numba") is not None and not emulated


def suits(*tensors: Tensor | None) -> bool:
    """Return whether the compiled path can take these: numbers of 32 or 16 bits in main memory, differentiated once."""
    return installed() and not is_watched() and all(is_plain(tensor) for tensor in tensors if tensor is not None)


def check_shapes(scan: str, gates: int, projected: Tensor, hidden: Tensor, **others: tuple[Tensor | None, str]) -> None:
    """Raise `ShapeError` unless the arguments of a scan fit together: kernels look at no bounds.

    Args:
        scan: whose arguments they are, for the message.
        gates: how many times the width of the state `projected` is wide.
        others: each further argument with its axes, such as "batch hidden" or "gates hidden".
    """
    if projected.dim() != 3 or hidden.dim() != 2 or not len(projected):
        raise ShapeError(
            f"a scan of {scan} needs steps (time, batch, width) and a state (batch, hidden)",
            found=f"{tuple(projected.shape)} and {tuple(hidden.shape)}",
        )
    batch, width = hidden.shape
    sizes = {"time": len(projected), "batch": batch, "hidden": width, "gates": gates * width, "three": 3}
    for name, (tensor, axes) in {"projected": (projected, "time batch gates"), **others}.items():
        expected = tuple(sizes[axis] for axis in axes.split())
        if tensor is not None and tuple(tensor.shape) != expected:
            raise ShapeError(
                f"the arguments of a scan of {scan} do not fit together", where=name, expected=str(expected),
                found=str(tuple(tensor.shape)),
            )  # fmt: skip


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor is nothing but numbers of 32 or 16 bits in main memory."""
    known = type(tensor) is Tensor or type(tensor) is nn.Parameter
    return known and tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.bfloat16)


def is_watched() -> bool:
    """Return whether something follows the operations of torch one by one.

    Transforms of functions (`torch.func`), forward-mode derivatives, tracing, compilation and counters of operations do,
    and have to be given operations that they know.
    """
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()
    )
