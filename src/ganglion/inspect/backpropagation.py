"""Back-propagation made visible: the chain rule of one weight, written out from the loss down to that weight."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.errors import UsageError
from ganglion.inspect.chain import Call, Listener, dominates, locate, operations, vector_jacobian
from ganglion.inspect.local_derivatives import NO_LOCAL, VECTOR_JACOBIAN, by_parameter, chosen, through
from ganglion.tables import Table, Tabled

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """One factor of the chain rule.

    `local` are the local derivatives along all paths that lead to the weight, none where a layer's Jacobian is only
    multiplied with and never written out. `running` is the derivative of the
    error with respect to what stands below the line of `derivative`: the product so far, summed over the paths.
    """

    layer: str
    kind: str
    derivative: str
    formula: str
    local: tuple[float, ...]
    running: tuple[float, ...]


@dataclass(frozen=True)
class Trace(Tabled):
    """The chain rule of one weight; `gradient` is the product, `autograd` what torch finds in one go."""

    parameter: str
    value: float
    error: float
    steps: tuple[Step, ...]
    forward: dict[str, tuple[float, ...]]
    """Values of every layer on the way, by the letter used in the steps."""
    gradient: float
    autograd: float
    rate: float | None = None

    @property
    def updated(self) -> float | None:
        """The weight after one step of gradient descent at `rate`."""
        return None if self.rate is None else self.value - self.rate * self.gradient

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; of long lists the first values and how many there are."""
        steps = [{**vars(step), "local": _some(step.local), "running": _some(step.running)} for step in self.steps]
        forward = {name: _some(values) for name, values in self.forward.items()}
        return {**vars(self), "steps": steps, "forward": forward, "updated": self.updated}

    def tables(self) -> tuple[Table, Table]:
        """Return the values of the forward pass, and the chain rule."""
        return self._forward_table(), self._chain_table()

    def _forward_table(self) -> Table:
        rows = [(name, _numbers(values)) for name, values in self.forward.items()]
        return Table(("forward", "value"), [*rows, ("E", f"{self.error:.9g}")], words=("forward", "value"))

    def _chain_table(self) -> Table:
        rows = [
            (
                step.derivative,
                f"{step.kind} {step.layer}".strip(),
                step.formula,
                _numbers(step.local),
                _numbers(step.running),
            )
            for step in self.steps
        ]
        footer = f"product = {self.gradient:.9g}, autograd = {self.autograd:.9g}"
        if self.updated is not None:
            footer += f"\nw after one step at rate {self.rate:g}: {self.value:.9g} -> {self.updated:.9g}"
        return Table(
            ("derivative", "layer", "formula", "local", "product so far"),
            rows,
            title=f"Chain rule of w = {self.parameter}, which is {self.value:.9g}",
            footer=footer,
            words=("derivative", "layer", "formula"),
        )


def trace(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss: Loss,
    parameter: str | tuple[str, tuple[int, ...]],
    *,
    rate: float | None = None,
) -> Trace:
    """Write out dE/dw = dE/dout * dout/dnet * ... * dnet/dw for one weight w of a network.

    Where several paths lead from the weight to the error, a step holds the derivatives along all of them, and the
    product so far is summed over them. Layers that are always passed on the way down become steps of their own;
    branches that meet again, such as a residual block, become one. Dense and elementwise layers are worked out by
    their textbook formulas, the weight's own layer by its linearity, everything else as a vector-Jacobian product.
    The network is left as it was; all is computed on a copy in double precision.

    Args:
        network: dense, convolutional, elementwise, pooling and other layers.
        inputs: a batch as the network takes it; the error is whatever `loss` makes of the batch.
        targets: what `loss` compares with.
        loss: maps outputs and targets to a scalar.
        parameter: `"0.weight[1, 0]"` or `("0.weight", (1, 0))`.
        rate: also show the weight after one step of gradient descent at this rate.

    Raises `UsageError` for a parameter or an index that does not exist, or one that the error does not depend on.

    >>> network = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid())
    >>> found = trace(network, torch.ones(1, 1), torch.zeros(1, 1), nn.MSELoss(), "0.weight[0, 0]")
    >>> [step.derivative for step in found.steps]
    ['∂E/∂out1', '∂out1/∂net0', '∂net0/∂w']
    >>> abs(found.gradient - found.autograd) < 1e-12
    True
    """
    network = _double_copy(network)
    name, index = locate(network, parameter)
    inputs, targets = _double(inputs), _double(targets)
    weight = network.get_parameter(name).requires_grad_()
    devices = [weight.device] if weight.is_cuda else []
    with torch.random.fork_rng(devices), torch.enable_grad(), Listener(network) as listener:
        outputs = network(inputs)
        error = loss(outputs, targets)
    whole = _derivative(error, weight, name, type(network).__name__)
    descent = _Descent(error, loss, listener.calls, weight, name, index)
    gradient = descent.run()
    return Trace(
        parameter=f"{name}[{', '.join(map(str, index))}]",
        value=weight[index].item(),
        error=error.item(),
        steps=tuple(descent.steps),
        forward={call.letter: _flat(call.output) for call in listener.calls},
        gradient=gradient,
        autograd=whole[index].item(),
        rate=rate,
    )


def _derivative(error: Tensor, weight: Tensor, name: str, network: str) -> Tensor:
    """Return the derivative of the error with respect to a weight as autograd has it, in the weight's shape."""
    if error.dim():
        raise UsageError("the loss must be a single number", found=f"shape {tuple(error.shape)}")
    if not isinstance(error.grad_fn, torch.autograd.graph.Node):
        raise UsageError(
            "the error does not depend on any parameter",
            where=network,
            remedy="compute the error from what the network answers",
        )
    (whole,) = torch.autograd.grad(error, weight, retain_graph=True, allow_unused=True)
    if whole is None:
        raise UsageError(
            f"the error does not depend on {name}",
            where=network,
            remedy="choose a parameter that the answer depends on",
        )
    return whole


class _Descent:
    """The way down from the error: carries delta, the derivative of the error with respect to the current tensor.

    The stations on the way are the outputs and inputs of layers that every path from the error to the weight passes.
    """

    def __init__(
        self, error: Tensor, loss: Loss, calls: list[Call], weight: Tensor, name: str, index: tuple[int, ...]
    ) -> None:
        self.error, self.loss, self.weight, self.index = error, loss, weight, index
        self.owner, _, self.attribute = name.rpartition(".")
        self.steps: list[Step] = []
        self.calls = [call for call in calls if self._is_station(call.output)]

    def _is_station(self, tensor: Tensor | None) -> bool:
        return tensor is not None and dominates(tensor.grad_fn, self.error.grad_fn, self.weight)

    def run(self) -> float:
        """Note every step and return the gradient."""
        here, letter = (self.calls[-1].output, self.calls[-1].letter) if self.calls else (self.weight, "w")
        focuses = _focuses(self.calls, self.owner, self.attribute, self.index)
        (delta,) = torch.autograd.grad(self.error, here, retain_graph=True)
        by_loss = chosen(delta, focuses[-1]) if self.calls else delta[self.index]
        self._note("", "loss", f"∂E/∂{letter}", _loss_words(self.loss), by_loss, by_loss)
        for number in range(len(self.calls) - 1, -1, -1):
            call, focus = self.calls[number], focuses[number]
            lower = self.calls[number - 1] if number else None
            lower_focus = focuses[number - 1] if number else None
            if number == 0 and call.name == self.owner and call.is_weighted_sum and call.input is not None:
                local, gradient, words = by_parameter(call, self.attribute, self.index, delta, focus)
                self._note(call.name, call.kind, f"∂{call.letter}/∂w", words, local, gradient)
                return gradient.item()
            here, letter = call.output, call.letter
            if self._is_station(call.input):
                assert call.input is not None
                direct = lower is not None and call.follows(lower)
                below = lower.letter if lower is not None and direct else call.input_letter
                local, delta, words = through(call, delta, focus, lower_focus if direct else None)
                product = chosen(delta, lower_focus if direct else None)
                self._note(call.name, call.kind, f"∂{letter}/∂{below}", words, local, product)
                here, letter = call.input, below
                if direct:
                    continue
            if lower is not None:
                delta = self._between(here, letter, lower, delta, lower_focus)
        return self._to_weight(here, letter, delta) if self.calls else by_loss.item()

    def _between(self, here: Tensor, letter: str, lower: Call, delta: Tensor, focus: int | None) -> Tensor:
        """Pass what happens between two stations outside any layer, or along several branches."""
        delta = vector_jacobian(here, lower.output, delta)
        kind = operations(here, lower.output)
        self._note("", kind, f"∂{letter}/∂{lower.letter}", VECTOR_JACOBIAN, NO_LOCAL, chosen(delta, focus))
        return delta

    def _to_weight(self, here: Tensor, letter: str, delta: Tensor) -> float:
        gradient = vector_jacobian(here, self.weight, delta)[self.index]
        words = f"{VECTOR_JACOBIAN}, Σ over all uses of w"
        self._note(self.owner, self.attribute, f"∂{letter}/∂w", words, NO_LOCAL, gradient)
        return gradient.item()

    def _note(self, layer: str, kind: str, derivative: str, formula: str, local: Tensor, running: Tensor) -> None:
        self.steps.append(Step(layer, kind, derivative, formula, _flat(local), _flat(running)))


def _loss_words(loss: Loss) -> str:
    """Return the derivative of a loss by what the network puts out, where it has a short form."""
    if loss is half_squared_error:
        return "out - target"
    if isinstance(loss, nn.MSELoss) and loss.reduction == "mean":
        return "2 (out - target) / n"
    return "derivative of the loss"


def _focuses(calls: Sequence[Call], owner: str, attribute: str, index: tuple[int, ...]) -> list[int | None]:
    """Return, for every call, the only unit or channel that the weight can reach, None where it reaches all.

    A dense or convolutional weight reaches one unit of its own layer, elementwise and pooling layers keep to it, and
    the next layer that mixes units spreads it.
    """
    focus: list[int | None] = []
    for number, call in enumerate(calls):
        if number == 0:
            own = call.name == owner and call.is_weighted_sum and attribute in ("weight", "bias")
            focus.append(call.unit_of(index) if own else None)
        else:
            focus.append(focus[-1] if call.keeps_units and call.follows(calls[number - 1]) else None)
    return focus


def _flat(values: Tensor) -> tuple[float, ...]:
    return tuple(values.detach().reshape(-1).tolist())


def _some(values: Sequence[float], most: int = 16) -> dict[str, Any]:
    return {"count": len(values), "values": list(values[:most])}


def _double_copy(network: nn.Module) -> nn.Module:
    """Return a copy in double precision in which no layer works in place: that would overwrite what others need."""
    network = copy.deepcopy(network).double()
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return network


def _double(values: Any) -> Any:
    return values.double() if isinstance(values, Tensor) and values.is_floating_point() else values


def _numbers(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if len(values) <= 2:
        return ", ".join(f"{value:.9f}" if 1e-4 < abs(value) < 1e4 else f"{value:.6g}" for value in values)
    shown = ", ".join(f"{value:.4g}" for value in values[:2])
    return f"{shown}, ... ({len(values):,})"


def example() -> Trace:
    """Trace w5 of the 2-2-2 sigmoid network that is worked through in many textbooks, squared error, rate 0.5.

    >>> found = example()
    >>> f"{found.error:.9f} {found.gradient:.9f} {found.updated:.8f}"
    '0.298371109 0.082167041 0.35891648'
    """
    network = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2), nn.Sigmoid()).double()
    values = ([[0.15, 0.20], [0.25, 0.30]], [0.35, 0.35], [[0.40, 0.45], [0.50, 0.55]], [0.60, 0.60])
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value, dtype=torch.float64))
    inputs = torch.tensor([[0.05, 0.10]], dtype=torch.float64)
    targets = torch.tensor([[0.01, 0.99]], dtype=torch.float64)
    return trace(network, inputs, targets, half_squared_error, "2.weight[0, 0]", rate=0.5)


def half_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the error of the textbooks, E = 1/2 sum (target - out)^2, of two tensors of one shape."""
    return 0.5 * (targets - outputs).square().sum()
