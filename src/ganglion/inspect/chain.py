"""Which layers a computation must pass: the calls of a network in order, and the dominators of a weight's gradient."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.utils._pytree import tree_leaves

from ganglion.errors import UsageError
from ganglion.inspect.untouched import first_tensor, layers_of
from ganglion.settings import unknown_name

WEIGHTED_SUMS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
"""Layers that are linear in their weight and their bias."""

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

UNITWISE = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.Upsample,
)  # fmt: skip
"""Layers that mix places of a channel, but not channels."""


class Call:
    """One call of a layer: what went in, what came out, and what was handed on."""

    module: Any

    def __init__(
        self,
        name: str,
        number: int,
        module: nn.Module,
        input: Tensor | None,
        output: Tensor,
        passed: Tensor,
        beside: Sequence[Tensor] = (),
    ) -> None:
        self.beside = beside
        """Further tensors that came out, of any shape: states."""
        self.name, self.module, self.input, self.output, self.passed = name, module, input, output, passed
        self.kind = type(module).__name__
        self.is_weighted_sum = isinstance(module, WEIGHTED_SUMS)
        # What was handed on may have been changed in place on the way to this layer.
        self._input_version = input._version if input is not None else 0
        again = f":{number}" if number > 1 else ""
        place = f"{name}{again}" if re.fullmatch(r"\d*", name) else f"[{name}{again}]"
        self.letter, self.input_letter = f"{'net' if self.is_weighted_sum else 'out'}{place}", f"in{place}"

    @cached_property
    def slope(self) -> Tensor | None:
        """The derivative, of the output's shape, where every output depends on the input in its place only; else None.

        J is diagonal if J^T v = v * J^T 1 for a random v; for any other J that has probability zero.
        """
        if self.input is None or self.input.shape != self.output.shape or self.is_weighted_sum:
            return None
        slope = vector_jacobian(self.output, self.input, torch.ones_like(self.output))
        generator = torch.Generator().manual_seed(0)
        probe = torch.rand(slope.shape, generator=generator, dtype=slope.dtype).to(slope.device)
        diagonal = torch.allclose(vector_jacobian(self.output, self.input, probe), probe * slope, rtol=1e-9, atol=0)
        return slope if diagonal else None

    @property
    def keeps_units(self) -> bool:
        """Whether unit or channel i of the output depends on unit or channel i of the input only."""
        return self.output.dim() > 1 and (isinstance(self.module, UNITWISE) or self.slope is not None)

    def follows(self, lower: "Call") -> bool:
        """Whether the input is the output of `lower`, with nothing between the two layers."""
        return self.input is lower.passed and self._input_version == 0

    def unit_of(self, index: tuple[int, ...]) -> int | None:
        """Return the unit or channel of the output that the weight or bias at `index` belongs to."""
        if isinstance(self.module, nn.Linear):
            # Units are counted along the last axis; only for a plain batch is that the second one.
            return index[0] if self.output.dim() == 2 else None
        if self.output.dim() != len(self.module.kernel_size) + 2:
            return None  # a single unbatched image
        if isinstance(self.module, TRANSPOSED) and len(index) > 1:
            return index[1] if self.module.groups == 1 else None
        return index[0]


class Listener:
    """Records every call of a network's layers while the context lasts; `order` holds their names.

    What a layer hands on is replaced by a copy, so that layers which work in place do not overwrite what is recorded.
    Of a layer that puts out several tensors the first is recorded, and the others `beside` it.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.calls: list[Call] = []
        self.order: list[str] = []

    def __enter__(self) -> "Listener":
        self._names = layers_of(self.network)
        self._hooks = [module.register_forward_hook(self._note) for module in self._names]
        return self

    def _note(self, module: nn.Module, inputs: tuple[Any, ...], outputs: Any) -> Any:
        name, output = self._names[module], first_tensor(outputs)
        number = self.order.count(name) + 1
        self.order.append(name)
        if output is None or output.grad_fn is None:
            return outputs
        alone = isinstance(outputs, Tensor)
        passed = output.clone() if alone else output
        every = [] if alone else [one for one in tree_leaves(outputs) if isinstance(one, Tensor) and one.requires_grad]
        beside = [one for one in every if one is not output]
        self.calls.append(Call(name, number, module, first_tensor(inputs), output, passed, beside))
        return passed if alone else outputs

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()


def dominates(node: Node | None, top: Node | None, weight: Tensor) -> bool:
    """Return whether every path of derivatives from `top` down to `weight`, of any shape, passes `node`."""
    return node is not None and top is not None and _reaches(node, weight, None) and not _reaches(top, weight, node)


def _reaches(top: Node, weight: Tensor, without: Node | None) -> bool:
    open_nodes, seen = [top], {top}
    while open_nodes:
        node = open_nodes.pop()
        if node is without:
            continue
        if getattr(node, "variable", None) is weight:
            return True
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                open_nodes.append(below)
    return False


def operations(upper: Tensor, lower: Tensor | None) -> str:
    """Return the names of the operations between two tensors, where they follow each other in one line.

    >>> net = torch.zeros(2, 3, requires_grad=True) * 2
    >>> operations(net.relu().sum(), net)
    'relu, sum'
    """
    names: list[str] = []
    node, end = upper.grad_fn, lower.grad_fn if lower is not None else None
    while node is not None and node is not end:
        name = re.sub(r"(Backward\d*|AccumulateGrad)$", "", type(node).__name__)
        names += [name.lower()] if name not in ("Clone", "") else []
        following = [below for below, _ in node.next_functions if below is not None]
        if len(following) != 1:
            return "several paths"
        node = following[0]
    return ", ".join(reversed(names))


def locate(network: nn.Module, parameter: str | tuple[str, tuple[int, ...]]) -> tuple[str, tuple[int, ...]]:
    """Return name and index of one weight, written `"0.weight[1, 0]"` or `("0.weight", (1, 0))`.

    >>> locate(nn.Linear(3, 2), "weight[1, -1]")
    ('weight', (1, 2))
    """
    if isinstance(parameter, str):
        match = re.fullmatch(r"\s*([\w.]+)\s*\[([-\d,\s]*)\]\s*", parameter)
        if not match:
            raise UsageError("cannot read the weight", expected="NAME[ROW, COLUMN]", found=repr(parameter))
        name, numbers = match.group(1), [int(number) for number in re.findall(r"-?\d+", match.group(2))]
    else:
        name, numbers = parameter[0], list(parameter[1])
    parameters = dict(network.named_parameters())
    if name not in parameters:
        raise unknown_name("parameter", name, list(parameters), where=type(network).__name__)
    shape = parameters[name].shape
    if len(numbers) != len(shape) or any(
        not -size <= number < size for number, size in zip(numbers, shape, strict=True)
    ):
        raise UsageError(
            "there is no such weight",
            where=name,
            expected=f"{len(shape)} numbers below {tuple(shape)}",
            found=str(numbers),
        )
    return name, tuple(number % size for number, size in zip(numbers, shape, strict=True))


def vector_jacobian(upper: Tensor, lower: Tensor, delta: Tensor) -> Tensor:
    """Return delta^T dupper/dlower, of the shape of `lower`, by torch; delta has the shape of `upper`."""
    (below,) = torch.autograd.grad(upper, lower, delta, retain_graph=True)
    return below
