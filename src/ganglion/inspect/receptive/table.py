"""The table of receptive fields, layer by layer, and the pass through a network without numbers that fills it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganglion.errors import UsageError
from ganglion.inspect.receptive.field import Field, union
from ganglion.inspect.receptive.reach import Reach, window
from ganglion.inspect.receptive.rules import Operation, passed_on
from ganglion.inspect.summary import Layer, summarise
from ganglion.inspect.untouched import first_tensor
from ganglion.nn import TiledConvolution2d
from ganglion.nn.modes import evaluation_mode
from ganglion.tables import Table, Tabled


@dataclass(frozen=True)
class LayerField:
    """One row: a layer and what one of its outputs sees of the input, in each direction of the input."""

    name: str
    kind: str
    window: tuple[int, ...]
    """Sides of the windows; empty where a layer has none."""
    stride: tuple[int, ...]
    padding: tuple[int | str, ...]
    dilation: tuple[int, ...]
    output: str
    receptive_field: tuple[int, ...]
    """Inputs from the first to the last that one output sees, borders beyond the input included."""
    step: tuple[float, ...]
    """How far apart in the input neighbouring outputs see; 0 where all see the same."""
    first: tuple[float, ...]
    """The first input that the first output sees; below 0 it lies in a border."""
    multiply_adds: int


@dataclass(frozen=True)
class ReceptiveFields(Tabled):
    """What the layers of a network see of an input of `sides`."""

    network: str
    sides: tuple[int, ...]
    layers: list[LayerField]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"network": self.network, "input": list(self.sides), "layers": [asdict(one) for one in self.layers]}

    def tables(self) -> tuple[Table]:
        rows = [
            (
                one.name,
                one.kind,
                *(_sides(value) for value in (one.window, one.stride, one.padding, one.dilation)),
                one.output,
                _sides(one.receptive_field),
                _sides(tuple(map(_fraction, one.step))),
                f"{one.multiply_adds:,}",
            )
            for one in self.layers
        ]
        sees = "receptive field and step are in pixels of the input, borders beyond it included"
        header = (
            "layer", "type", "window", "stride", "padding", "dilation", "output", "receptive field", "step",
            "multiply-adds",
        )  # fmt: skip
        title = f"{self.network}, on {'x'.join(map(str, self.sides))}"
        return (Table(header, rows, title=title, footer=f"{sees}; step 0: all see the same", words=header[:2]),)


def receptive_fields(network: nn.Module, example_inputs: Tensor | tuple[Any, ...]) -> ReceptiveFields:
    """Find what each layer's outputs see of the input, whatever the network's branches, short cuts and resizing.

    A network is called once on torch's meta device, and every operation passes on which inputs it sees along each axis.
    For a chain of windows that is r = r + (f - 1) d j and j = j s, with the side f, the dilation d and the stride s of
    each; where branches meet it is what they see together. Counted as in published tables: windows that hang over a
    border count in full, and statistics of normalisation do not.

    Args:
        network: any module. Its cost is found by calling it; on the meta device it needs no memory, whatever its size.
        example_inputs: one batch of inputs, or all positional arguments; the first tensor is followed.

    Raises:
        UsageError: no window slides over the input.

    Source: Araujo, Norris, Sim, Computing receptive fields of convolutional neural networks (2019).

    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3))
    >>> [(one.receptive_field, one.step) for one in receptive_fields(network, torch.zeros(1, 1, 20, 20)).layers]
    [((3, 3), (1, 1)), ((4, 4), (2, 2)), ((8, 8), (2, 2))]
    """
    arguments = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    following = follow(network, arguments)
    given = first_tensor(arguments)
    if given is None or not following.slid:
        raise UsageError(
            "no window slides over what this network reads",
            where=type(network).__name__,
            expected="a convolution or a pooling over pictures or series",
            remedy="`ganglion inspect summary` lists the layers of any network",
        )
    start = 2 if given.dim() > 3 else 1
    sides = tuple(given.shape[start + axis] for axis in sorted(following.slid))
    rows = []
    for one in summarise(network, example_inputs).layers:
        name = "" if one.name == "(network)" else one.name
        if name in following.layers:
            found = following.layers[name]
            seen = [found.along(axis) or (None, 0) for axis in sorted(following.slid)]
            rows.append(_row(network.get_submodule(name), one, seen))
    return ReceptiveFields(type(network).__name__, sides, rows)


def _row(layer: nn.Module, description: Layer, seen: Sequence[tuple[Reach | None, int]]) -> LayerField:
    """Return the row of a layer; `seen` has what its outputs see in each direction, and how many there are."""
    sides = _each(layer, "kernel_size", len(seen))
    return LayerField(
        name=description.name,
        kind=description.kind,
        window=sides,
        stride=_each(layer, "stride", len(seen)) or sides,
        padding=_each(layer, "padding", len(seen)),
        dilation=_each(layer, "dilation", len(seen)) or (1,) * len(sides),
        output=description.shape_text,
        receptive_field=tuple(0 if along is None else along.widest(size) for along, size in seen),
        step=tuple(0 if along is None else _number(along.step) for along, _ in seen),
        first=tuple(0 if along is None else along.at(0)[0] for along, _ in seen),
        multiply_adds=description.multiply_adds,
    )


class Following(TorchDispatchMode):
    """Passes on what tensors see with every operation, and notes it of every layer's output."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: dict[str, Field] = {}
        self.slid: set[int] = set()
        self._fields: dict[int, tuple[Tensor, Field]] = {}
        """By identity, with the tensor, so that no other gets its number; without numbers they need no memory."""

    def field_of(self, value: Any) -> Field | None:
        found = self._fields.get(id(value)) if isinstance(value, Tensor) else None
        return found[1] if found else None

    def note(self, tensor: Tensor, found: Field) -> None:
        self._fields[id(tensor)] = tensor, found

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves(output) if isinstance(one, Tensor)]
        if not tensors:
            return output
        operation = Operation(function, _named(function, args, kwargs or {}), self.field_of, output, self.slid)
        found = passed_on(operation)
        if found is None:
            return output
        for place, tensor in enumerate(tensors):
            self.note(tensor, found[place] if isinstance(found, list) else found)
        if function._schema.is_mutable:
            self._mutated(args[0])
        return output

    def _mutated(self, tensor: Any) -> None:
        """A part of a tensor was written: the whole is taken to see what the part does."""
        base = getattr(tensor, "_base", None)
        found = self.field_of(tensor)
        if base is not None and found is not None:
            before = self.field_of(base)
            parts = [found.everywhere(base.shape), *([before] if before else [])]
            self.note(base, union(parts, base.shape))

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[None]:
        """Note the field of every layer's output meanwhile."""

        def leave(name: str) -> Any:
            def hook(layer: nn.Module, arguments: Any, outputs: Any) -> None:
                output = first_tensor(outputs)
                if isinstance(layer, TiledConvolution2d):
                    self._tiled(layer, first_tensor(arguments), output)
                found = self.field_of(output)
                if found is not None:
                    self.layers[name] = found

            return hook

        hooks = [layer.register_forward_hook(leave(name)) for name, layer in network.named_modules()]
        try:
            with self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _tiled(self, layer: TiledConvolution2d, inputs: Tensor | None, output: Tensor | None) -> None:
        """Tiles are put together by moving numbers about, which would be followed as if every one saw all of them."""
        found = self.field_of(inputs)
        if found is None or inputs is None or output is None:
            return
        around = layer.borders(inputs)
        for axis, (before, _) in enumerate(around):
            steps = window(layer.kernel_size[axis], layer.stride[axis], before)
            found = found.moved(2 + axis, steps, output.shape[2 + axis])
        self.note(output, found.blurred(1))


def follow(network: nn.Module, arguments: tuple[Any, ...]) -> Following:
    """Send inputs without numbers through a network without numbers."""
    following = Following()
    state = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in chain(network.named_parameters(), network.named_buffers())
    }
    blank = tuple(torch.empty_like(one, device="meta") if isinstance(one, Tensor) else one for one in arguments)
    given = first_tensor(blank)
    if given is None or given.dim() < 2:
        return following
    following.note(given, Field.input(given.shape, range(2 if given.dim() > 3 else 1, given.dim())))
    with (
        torch.no_grad(),
        evaluation_mode(network),
        torch.random.fork_rng(devices=[]),
        torch.device("meta"),  # for constants that a network makes when it is called
        following.watching(network),
    ):
        functional_call(network, state, blank)
    return following


def _named(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of an operation by name, with its defaults."""
    found = {}
    for place, argument in enumerate(function._schema.arguments):
        if place < len(args):
            found[argument.name] = args[place]
        else:
            found[argument.name] = kwargs.get(argument.name, argument.default_value)
    return found


def _each(layer: nn.Module, name: str, count: int) -> tuple[Any, ...]:
    """Return a layer's window, step or border in every direction; nothing where it has none."""
    value = getattr(layer, name, None)
    if not hasattr(layer, "kernel_size") or value is None or isinstance(value, nn.Module):
        return ()
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    return values * count if len(values) == 1 else values


def _number(step: Fraction) -> float:
    return int(step) if step.denominator == 1 else float(step)


def _fraction(step: float) -> str:
    return str(Fraction(step).limit_denominator(1000))


def _sides(values: tuple[Any, ...]) -> str:
    """Return sides as books write them: one where all are alike."""
    if not values:
        return ""
    return str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))
