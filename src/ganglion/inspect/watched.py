"""Listening to layers while a network is called."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ganglion.errors import ConfigurationError, UsageError
from ganglion.inspect.untouched import first_tensor, layers_of, untouched
from ganglion.settings import unknown_name


@contextmanager
def watched(network: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """Yield a list to which the layer of that dotted name adds what it puts out, each time that it is called.

    What a later layer does to the output in place happens to a copy. Gradients reach what was noted.

    Raises:
        ConfigurationError: there is no such layer.
        UsageError: the layer was not called.
    """
    modules = dict(network.named_modules())
    if layer not in modules or not layer:
        raise unknown_name("layer", layer, [name for name in modules if name], where=type(network).__name__)
    found: list[Tensor] = []

    def note(module: nn.Module, arguments: object, outputs: Any) -> Tensor | None:
        output = first_tensor(outputs)
        if output is None:
            return None
        found.append(output)
        return output.clone() if output is outputs else None

    hook = modules[layer].register_forward_hook(note)
    try:
        yield found
    finally:
        hook.remove()
    if not found:
        raise UsageError(
            f"the layer {layer} was not called",
            where=type(network).__name__,
            remedy="choose a layer that these inputs pass through",
        )


def units_of(output: Tensor) -> Tensor:
    """Return what a layer puts out as units `(batch, units)` or maps `(batch, units, height, width)`.

    Of a layer that is shown several places of an image, `(batch, places, units)`, each unit answers with its largest.

    >>> units_of(torch.tensor([[[1.0, 5.0], [3.0, 2.0]]]))
    tensor([[3., 5.]])
    """
    return output.amax(dim=1) if output.dim() == 3 else output


def chosen_units(units: Sequence[int], count: int, layer: str) -> list[int]:
    """Return the units of a layer that has `count` of them that are asked for; all when none are named.

    Raises:
        ConfigurationError: the layer has no such unit.
    """
    for unit in units:
        if not 0 <= unit < count:
            raise ConfigurationError(
                f"the layer {layer} has no unit {unit}",
                expected=f"0 to {count - 1}",
                found=str(unit),
                remedy="choose one of these",
            )
    return list(dict.fromkeys(units)) or list(range(count))


def refuse_no_images(count: int) -> None:
    """Raise `UsageError` where there is nothing to look at."""
    if not count:
        raise UsageError("there are no images to look at", expected="at least one", found="none")


def refuse_without_maps(output: Tensor, layer: str) -> None:
    """Raise `UsageError` where what a layer puts out is no maps `(batch, channels, height, width)`."""
    if output.dim() != 4:
        raise UsageError(
            f"the layer {layer} makes no maps",
            expected="an output (batch, channels, height, width)",
            found=str(tuple(output.shape)),
            remedy="choose a convolutional or pooling layer",
        )


def layers_called(network: nn.Module, inputs: Tensor) -> dict[str, tuple[int, int] | None]:
    """Return the layers that inputs `(batch, ...)` pass through, in order, and the size of the maps of some.

    Sizes are given of layers that look around in images: they put out maps `(batch, channels, height, width)` and
    have kernels, as convolutions have, or change the size of the maps, as poolings do.

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2))
    >>> layers_called(network, torch.zeros(1, 1, 8, 8))
    {'0': (6, 6), '1': None, '2': (3, 3), '3': None, '4': None}
    """
    found: dict[str, tuple[int, int] | None] = {}

    def listen(name: str, layer: nn.Module) -> RemovableHandle:
        has_kernels = any(parameter.dim() > 2 for parameter in layer.parameters(recurse=False))

        def note(module: nn.Module, arguments: object, outputs: object) -> None:
            before, after = first_tensor(arguments), first_tensor(outputs)
            size = found.pop(name, None)
            if before is not None and after is not None and after.dim() == 4 and after[0, 0].numel() > 1:
                looks_around = has_kernels or before.shape[2:] != after.shape[2:]
                size = (after.shape[2], after.shape[3]) if looks_around else size
            found[name] = size

        return layer.register_forward_hook(note)

    hooks = [listen(name, layer) for layer, name in layers_of(network).items() if name]
    try:
        with untouched(network, evaluating=True) as call, torch.no_grad():
            call(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def layers_of_maps(network: nn.Module, inputs: Tensor) -> dict[str, tuple[int, int]]:
    """Return the layers that look around in images `(batch, channels, height, width)`, in order, and their maps' size.

    Raises:
        UsageError: the network has no such layer.
    """
    found = {name: size for name, size in layers_called(network, inputs).items() if size}
    if not found:
        raise UsageError(
            "no layer of this network makes maps of images",
            where=type(network).__name__,
            expected="a convolution or a pooling",
            remedy="choose a run of a convolutional system",
        )
    return found
