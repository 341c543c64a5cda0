"""Where a run computes, and in which numbers."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from ganglion.core import Batch, LearningRule
from ganglion.errors import UsageError
from ganglion.training.settings import Precision


def choose_device(name: str) -> torch.device:
    """Return the named device; `auto` is the first CUDA device, or else the CPU.

    Raises `UsageError` when the device does not exist here.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
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


def place(rule: LearningRule, device: torch.device) -> None:
    """Move a rule to where it computes, convolutions into the layout in which they are fast.

    `GANGLION_LAYOUT=contiguous` leaves them in torch's own.
    """
    kept = os.environ.get("GANGLION_LAYOUT") == "contiguous"
    layout = torch.contiguous_format if kept else torch.channels_last
    for network in rule.networks.values():
        # torch accepts both at once, its types do not say so.
        network.to(device, memory_format=layout)  # type: ignore[call-overload]
    rule.tensors.update({name: tensor.to(device) for name, tensor in rule.tensors.items()})


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on the device, without waiting for the copy."""
    if device.type == "cpu":
        return batch
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
