"""Running a network without leaving a trace in it."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganglion.nn.modes import evaluation_mode


@contextmanager
def untouched(network: nn.Module, *, evaluating: bool) -> Iterator[Any]:
    """Yield a function that calls `network`, in evaluation mode or in the mode it has.

    Modes, buffers (the statistics of batch normalisation) and the random state are afterwards as they were.
    """
    device = device_of(network)
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    mode = evaluation_mode(network) if evaluating else nullcontext()
    with mode, torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield lambda *arguments: functional_call(network, buffers, to_device(arguments, device))


def device_of(network: nn.Module) -> torch.device:
    tensors = chain(network.parameters(), network.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def to_device(arguments: tuple[Any, ...], device: torch.device) -> tuple[Any, ...]:
    return tuple(value.to(device) if isinstance(value, Tensor) else value for value in arguments)


def layers_of(network: nn.Module) -> dict[nn.Module, str]:
    """Return the layers, modules without children or with parameters of their own, and their dotted names."""
    return {
        module: name
        for name, module in network.named_modules()
        if module._parameters or not any(True for _ in module.children())
    }


def first_tensor(values: Any) -> Tensor | None:
    """Return the first tensor, of whatever shape, in nested tuples, lists and dictionaries."""
    if isinstance(values, Tensor):
        return values
    if isinstance(values, dict):
        values = values.values()
    elif not isinstance(values, list | tuple):
        return None
    return next((found for value in values if (found := first_tensor(value)) is not None), None)
