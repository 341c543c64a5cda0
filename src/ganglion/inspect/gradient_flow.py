"""Where gradients die: their size, the size of the activations and the dead units of every layer, in words."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.findings import Finding
from ganglion.inspect.chain import Listener
from ganglion.inspect.untouched import device_of, to_device, untouched
from ganglion.nn.recurrent import Cell
from ganglion.tables import Table, Tabled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VANISHING = 1e-3
"""A first layer whose gradient is below this share of the last layer's hardly learns beside it."""
EXPLODING = 1e3
"""A first layer whose gradient is above this multiple of the last layer's forces a tiny learning rate on the rest."""
DEAD = 0.5
"""Share of dead units above which a layer is called dead."""
REVIVE = "a smaller learning rate, leaky rectified units, or inputs of mean 0 and deviation 1"
FIRST_BY_LAST = "gradient of the first layer / gradient of the last"


@dataclass(frozen=True)
class LayerFlow:
    """What one layer does on a batch; NaN where it cannot be known."""

    name: str
    kind: str
    gradient: float
    """Root mean square of dE/dw over the layer's own trainable parameters."""
    activation: float
    """Root mean square of the output."""
    dead: float
    """Share of units or channels whose output no sample of the batch sends a gradient through."""


@dataclass(frozen=True)
class GradientFlow(Tabled):
    """The layers from input to output, and what is wrong with them, if anything."""

    loss: float
    layers: tuple[LayerFlow, ...]

    @property
    def ratio(self) -> float:
        """Gradient of the first layer as a share of the last one's."""
        first, last = self.layers[0].gradient, self.layers[-1].gradient
        return first / last if last else math.inf if first else math.nan

    @property
    def verdict(self) -> str:
        """Name of the worst finding: non-finite, dead, vanishing, exploding or healthy."""
        return self.findings[0].name

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, with the numbers that decide it, the worst first; one of level `info` where nothing is."""
        broken = tuple(layer.name for layer in self.layers if not math.isfinite(layer.gradient))
        if broken or not math.isfinite(self.loss):
            return (_non_finite(self.loss, broken),)
        if not any(layer.gradient for layer in self.layers):
            message = "every gradient is zero, so nothing can be learnt from this batch"
            return (Finding(name="dead", level="stop", message=message, remedy=REVIVE),)
        return (*self._dead(), *self._out_of_proportion()) or (self._healthy(),)

    def _dead(self) -> Iterator[Finding]:
        dead = [layer for layer in self.layers if layer.dead > DEAD]
        if dead:
            yield Finding(
                name="dead",
                level="warn",
                message=f"units are dead: no sample sends a gradient through more than {DEAD:.0%} of a layer",
                measure="largest share of dead units",
                value=max(layer.dead for layer in dead),
                threshold=DEAD,
                remedy=REVIVE,
                where=tuple(f"{layer.name} {layer.dead:.0%}" for layer in dead),
            )

    def _out_of_proportion(self) -> Iterator[Finding]:
        if self.ratio < VANISHING:
            yield Finding(
                name="vanishing",
                level="warn",
                message=f"the gradient vanishes: {self._sizes} (below {VANISHING:g})",
                measure=FIRST_BY_LAST,
                value=self.ratio,
                threshold=VANISHING,
                remedy="rectified units, batch normalisation, connections past layers, or fewer layers",
            )
        if self.ratio > EXPLODING:
            yield Finding(
                name="exploding",
                level="warn",
                message=f"the gradient explodes: {self._sizes} (above {EXPLODING:g})",
                measure=FIRST_BY_LAST,
                value=self.ratio,
                threshold=EXPLODING,
                remedy="scale the inputs, start from smaller weights, or clip the gradient",
            )

    def _healthy(self) -> Finding:
        message = f"gradients are healthy: {self._sizes} (between {VANISHING:g} and {EXPLODING:g})"
        return Finding(name="healthy", level="info", message=message, measure=FIRST_BY_LAST, value=self.ratio)

    @property
    def _sizes(self) -> str:
        first, last = self.layers[0], self.layers[-1]
        sizes = f"{first.gradient:.2g} in {first.name} and {last.gradient:.2g} in {last.name}"
        return f"{sizes}, a ratio of {self.ratio:.2g}"

    @property
    def figure(self) -> "Figure":
        names = [layer.name for layer in self.layers]
        gradients, activations, dead = zip(
            *((layer.gradient, layer.activation, layer.dead) for layer in self.layers), strict=True
        )
        return figures.gradient_flow(names, gradients, activations, dead)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        layers = [
            {key: None if value != value else value for key, value in asdict(layer).items()} for layer in self.layers
        ]
        found = [finding.to_dict() for finding in self.findings]
        return {"loss": self.loss, "verdict": self.verdict, "findings": found, "layers": layers}

    def tables(self) -> tuple[Table]:
        rows = [
            (layer.name, layer.kind, f"{layer.gradient:.3g}", f"{layer.activation:.3g}", f"{layer.dead:.0%}")
            for layer in self.layers
        ]
        table = Table(
            ("layer", "type", "gradient", "activation", "dead units"),
            [tuple("unknown" if cell in ("nan", "nan%") else cell for cell in row) for row in rows],
            title=f"Gradient flow at loss {self.loss:.4g} (root mean squares)",
            footer="\n".join(map(str, self.findings)),
            words=("layer", "type"),
        )
        return (table,)


def gradient_flow(
    network: nn.Module,
    inputs: Tensor | tuple[Tensor, ...],
    targets: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> GradientFlow:
    """Measure gradients, activations and dead units of every layer on one batch, in the mode the network is in.

    Inputs are (batch, ...), several where the network takes several. Neither it nor its `grad` fields are changed.

    >>> network = nn.Sequential(*(layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())))
    >>> gradient_flow(network, torch.randn(32, 8), torch.rand(32, 8), nn.MSELoss()).verdict
    'vanishing'
    """
    (targets,) = to_device((targets,), device_of(network))
    with untouched(network, evaluating=False) as call, torch.enable_grad(), Listener(network) as listener:
        value = loss(call(*(inputs if isinstance(inputs, tuple) else (inputs,))), targets)
    owners = {
        name: [parameter for parameter in module.parameters(recurse=False) if parameter.requires_grad]
        for name, module in network.named_modules()
    }
    owners = {name: own for name, own in owners.items() if own}
    if not owners or value.grad_fn is None:
        raise UsageError(
            "nothing to learn: the loss depends on no trainable parameter",
            where=type(network).__name__,
            remedy="look for parameters that are frozen, or an answer that is detached",
        )
    outputs = {call.name: (call.output, *call.beside) for call in listener.calls if call.name in owners}
    called = [name for name in dict.fromkeys(listener.order) if name in owners]
    ordered = [*called, *(name for name in owners if name not in called)]
    modules = dict(network.named_modules())
    layers = []
    for name in ordered:
        gradients = torch.autograd.grad(value, owners[name], retain_graph=True, allow_unused=True)
        activation, dead = _outgoing(value, outputs.get(name, ()), modules[name])
        kind = type(modules[name]).__name__
        layers.append(LayerFlow(name or "(network)", kind, _root_mean_square(gradients), activation, dead))
    return GradientFlow(float(value.detach()), tuple(layers))


def _outgoing(value: Tensor, outputs: Sequence[Tensor], layer: nn.Module) -> tuple[float, float]:
    """Return the size of what a layer puts out, of any shapes, and the share of its units without a gradient.

    Of a recurrent layer a unit lives whose state is read, though its outputs may not be.
    """
    if not outputs:
        return math.nan, math.nan
    found = torch.autograd.grad(value, list(outputs), retain_graph=True, allow_unused=True)
    size = _root_mean_square((outputs[0].detach(),))
    silent = [_silent(delta, layer) for delta in found if delta is not None]
    units = len(silent[0]) if silent else 0
    together = [one for one in silent if len(one) == units]
    return size, float(torch.stack(together).all(dim=0).float().mean()) if together else 1.0


def _silent(delta: Tensor, layer: nn.Module) -> Tensor:
    """Return which units or channels get nothing of dE/dout, of any shape `(units,)`."""
    axis = -1 if delta.dim() < 4 else 1
    if isinstance(layer, Cell):  # maps have their channels before height and width
        axis = -3 if layer.input_rank == 5 else -1
    return (delta.transpose(axis, -1).reshape(-1, delta.shape[axis]) == 0).all(dim=0)


def _non_finite(loss: float, layers: tuple[str, ...]) -> Finding:
    return Finding(
        name="non-finite",
        level="stop",
        message=f"the loss is {loss:g}, and gradients are no numbers" if layers else f"the loss is {loss:g}",
        measure="loss",
        value=loss,
        remedy="a smaller learning rate, clipped gradients, and a look at the inputs with `ganglion data check`",
        where=layers,
    )


def _root_mean_square(tensors: tuple[Tensor | None, ...]) -> float:
    known = [tensor.detach().double().flatten() for tensor in tensors if tensor is not None]
    return float(torch.cat(known).square().mean().sqrt()) if known else 0.0
