"""The equations of a cell as a list of operations: a step, and its derivative with the products by weights set apart.

A step is followed once, on shapes without numbers. What depends on the weights alone is computed before the first
step; what is left are operations on rows, one for each sample of the batch. Of a product y = x W only dL/dy is followed
back: dL/dW is the sum of x^T dL/dy over all steps, which is one product over all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._decomp import get_decompositions
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

aten = torch.ops.aten

Cell = Any
"""A module with `step`, which is traced, and `step_by_step`, its reference, as `ganglion.nn.recurrent.Cell`."""

SIMPLER: Any = get_decompositions(
    [
        aten.sigmoid_backward, aten.tanh_backward, aten.threshold_backward, aten.silu, aten.silu_backward, aten.elu,
        aten.elu_backward, aten.softplus, aten.softplus_backward, aten.leaky_relu, aten.leaky_relu_backward,
        aten.hardtanh, aten.hardtanh_backward, aten._softmax, aten._softmax_backward_data, aten.addcmul, aten.lerp,
        aten.rsub, aten.square, aten.split, aten.chunk, aten.hardsigmoid, aten.hardsigmoid_backward, aten.mean,
        aten.gelu, aten.gelu_backward,
    ]
)  # fmt: skip


def _layer_norm(
    inputs: Tensor, shape: list[int], weight: Tensor | None, bias: Tensor | None, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Write a layer's normalisation as sums over units."""
    mean = inputs.sum(1, keepdim=True) / shape[0]
    centred = inputs - mean
    scale = ((centred * centred).sum(1, keepdim=True) / shape[0] + epsilon).rsqrt()
    outputs = centred * scale if weight is None else centred * scale * weight
    return outputs if bias is None else outputs + bias, mean, scale


@dataclass
class Step:
    """What a step of a cell and its derivative consist of. Names are those of nodes of `graph`."""

    constants: fx.GraphModule
    """From the parameters and buffers to what a step reads of them: weights of products, then rows."""
    graph: fx.Graph
    """Both lists of operations, one after the other."""
    inputs: fx.Node
    states: list[fx.Node]
    mask: fx.Node | None
    weights: list[fx.Node]
    rows: list[fx.Node]
    slopes: list[fx.Node]
    """dL/d(state) after the step."""
    results: list[fx.Node]
    """The state after the step."""
    lefts: list[fx.Node]
    """x of every product y = x W."""
    taps: list[int]
    """Number of the weight of every product."""
    derivatives: dict[str, list[fx.Node | None]] = field(default_factory=dict)
    """dL/d of `inputs`, `states`, `rows` and of the y of `products`; None is zero."""


class _Stepping(nn.Module):
    """A cell whose call is its step."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, projected: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.cell.step(projected, state))


def trace(cell: Cell, projected: Tensor, state: Sequence[Tensor], masked: bool) -> Step:
    """Follow a step of a cell and its derivative, from inputs of all steps, (time, batch, width).

    Raises `NotImplementedError` where it does what cannot be compiled; it then runs as it is written.
    """
    if projected.dim() != 3 or any(part.dim() != 2 for part in state):
        raise NotImplementedError("not a batch of vectors")
    tensors = {f"cell.{name}": tensor.detach() for name, tensor in _tensors(cell).items()}
    sizes = {size for tensor in (projected, *state, *tensors.values()) for size in tensor.shape}
    # A batch that no other size equals, so that what belongs to it is told by its size.
    batch = next(
        size for size in (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, *range(50, 10**6)) if size not in sizes
    )
    widths = [projected.shape[2], *(part.shape[1] for part in state)]
    examples = [torch.zeros(batch, width) for width in widths]

    def step(rows: list[Tensor], weights: list[Tensor]) -> tuple[Tensor, ...]:
        values = dict(zip(tensors, weights, strict=True))
        return tuple(functional_call(_Stepping(cell), values, tuple(rows), tie_weights=False))

    forward = make_fx(step, {aten.native_layer_norm.default: _layer_norm}, tracing_mode="fake")(
        examples, [t.float() for t in tensors.values()]
    )
    return _Differentiated(forward.graph, len(examples), batch, masked, len(state)).step()


def _tensors(cell: Cell) -> dict[str, Tensor]:
    return {**dict(cell.named_parameters()), **dict(cell.named_buffers())}


class _Differentiated:
    """Takes a traced step apart and puts its derivative behind it."""

    def __init__(self, graph: fx.Graph, row_inputs: int, batch: int, masked: bool, states: int) -> None:
        if any(getattr(getattr(node.target, "_schema", None), "is_mutable", False) for node in graph.nodes):
            raise NotImplementedError("a step that changes a tensor in place")
        graph.eliminate_dead_code()
        self.graph, self.batch, self.masked, self.num_states = graph, batch, masked, states
        placeholders = [node for node in graph.nodes if node.op == "placeholder"]
        self.row_inputs, self.tensors = placeholders[:row_inputs], placeholders[row_inputs:]
        self.by_row = set(self.row_inputs)
        for node in graph.nodes:
            if any(argument in self.by_row for argument in node.all_input_nodes):
                self.by_row.add(node)
        self.weights, self.rows = self._constants()

    def _constants(self) -> tuple[list[fx.Node], list[fx.Node]]:
        """Return what steps read of the parameters: second factors of products, and what is the same for every row."""
        weights: dict[fx.Node, None] = {}
        rows: dict[fx.Node, None] = {}
        for node in self.graph.nodes:
            if node not in self.by_row or node.op == "output":
                continue
            for place, argument in enumerate(node.args):
                if not isinstance(argument, fx.Node) or argument in self.by_row:
                    continue
                is_weight = (node.target is aten.mm.default and place == 1) or (
                    node.target is aten.addmm.default and place == 2
                )
                (weights if is_weight else rows)[argument] = None
        for node in rows:
            shape = tuple(node.meta["val"].shape)
            if len(shape) > 2 or (len(shape) == 2 and shape[0] != 1):
                raise NotImplementedError(f"a constant of shape {shape}")
        return list(weights), list(rows)

    def step(self) -> Step:
        state_slopes = [torch.zeros(self.batch, node.meta["val"].shape[1]) for node in self.row_inputs[1:]]
        arguments = [
            [torch.zeros(node.meta["val"].shape) for node in self.row_inputs],
            [torch.ones_like(state_slopes[0])] if self.masked else [],
            [torch.zeros(node.meta["val"].shape) for node in self.weights],
            [torch.zeros(self.batch, _width(node)) for node in self.rows],
            state_slopes,
        ]
        self.tap_weights: list[int] = []
        joint = make_fx(lambda *parts: self._joint(*parts), SIMPLER, tracing_mode="fake")(*arguments).graph
        _tidy(joint)
        return self._sorted_out(joint, [len(part) for part in arguments])

    def _joint(
        self, inputs: list[Tensor], mask: list[Tensor], weights: list[Tensor], rows: list[Tensor], slopes: list[Tensor]
    ) -> tuple[Any, ...]:
        """Run the step and its derivative."""
        inputs = [tensor.detach().requires_grad_() for tensor in inputs]
        rows = [tensor.detach().requires_grad_() for tensor in rows]
        values: dict[fx.Node, Any] = dict(zip(self.row_inputs, inputs, strict=True))
        if mask:
            values[self.row_inputs[1]] = inputs[1] * mask[0]
        values |= dict(zip(self.weights, weights, strict=True))
        lefts, taps = [], []
        self.tap_weights.clear()
        row_values = dict(zip(self.rows, rows, strict=True))
        for node in self.graph.nodes:
            if node.op == "output":
                results: list[Any] = [values.get(one, row_values.get(one)) for one in node.args[0]]
            if node not in self.by_row or node.op != "call_function":
                continue
            arguments = fx.map_arg(node.args, lambda one: row_values[one] if one in row_values else values[one])
            if node.target in (aten.mm.default, aten.addmm.default):
                if node.args[-1] not in self.weights or (node.target is aten.addmm.default and node.kwargs):
                    raise NotImplementedError("a product of two values that change from step to step")
                taps.append(torch.zeros(self.batch, arguments[-1].shape[1]).requires_grad_())
                lefts.append(arguments[-2])
                self.tap_weights.append(self.weights.index(node.args[-1]))
                values[node] = torch.mm(*arguments[-2:]) + taps[-1]
                if node.target is aten.addmm.default:
                    values[node] = values[node] + arguments[0]
            else:
                values[node] = node.target(*arguments, **node.kwargs)
        if any(not isinstance(result, Tensor) or not result.requires_grad for result in results):
            raise NotImplementedError("a state that does not depend on the one before")
        wanted = [*inputs, *rows, *taps]
        derivatives = torch.autograd.grad(results, wanted, slopes, allow_unused=True)
        return *results, *lefts, *derivatives

    def _sorted_out(self, joint: fx.Graph, counts: list[int]) -> Step:
        placeholders = iter([node for node in joint.nodes if node.op == "placeholder"])
        inputs, mask, weights, rows, slopes = ([next(placeholders) for _ in range(count)] for count in counts)
        (output,) = [node for node in joint.nodes if node.op == "output"]
        parts = iter(output.args[0])
        results = [next(parts) for _ in range(self.num_states)]
        lefts = [next(parts) for _ in self.tap_weights]
        found = {
            name: [next(parts) for _ in range(count)]
            for name, count in (
                ("inputs", 1), ("states", self.num_states), ("rows", len(rows)), ("products", len(lefts))
            )
        }  # fmt: skip
        return Step(
            constants=self._reading_constants(),
            graph=joint,
            inputs=inputs[0],
            states=inputs[1:],
            mask=mask[0] if mask else None,
            weights=weights,
            rows=rows,
            slopes=slopes,
            results=results,
            lefts=lefts,
            taps=list(self.tap_weights),
            derivatives=found,
        )

    def _reading_constants(self) -> fx.GraphModule:
        graph = fx.Graph()
        copies: dict[fx.Node, fx.Node] = {}
        for node in self.graph.nodes:
            if node in self.tensors or (node not in self.by_row and node.op in ("call_function", "get_attr")):
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output([copies[node] for node in (*self.weights, *self.rows)])
        graph.eliminate_dead_code()
        return fx.GraphModule(nn.Module(), graph)


def _tidy(graph: fx.Graph) -> None:
    """Leave out what computes nothing: copies, and sums with the zeros that products were marked by."""
    for node in list(graph.nodes):
        is_copy = node.target in (aten.detach.default, aten.alias.default, aten.clone.default)
        is_marked = node.target is aten.add.Tensor and getattr(node.args[1], "target", None) is aten.zeros.default
        if is_copy or is_marked:
            node.replace_all_uses_with(node.args[0])
    graph.eliminate_dead_code()


def _width(node: fx.Node) -> int:
    shape = node.meta["val"].shape
    return int(shape[-1]) if len(shape) else 1
