"""Where gradients die: their size, the size of the activations and the dead units of every layer, in words."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.inspect.chain import Listener
from ganglion.inspect.untouched import device_of, to_device, untouched
from ganglion.tables import Table, Tabled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VANISHING = 1e-3
"""A first layer whose gradient is below this share of the last layer's hardly learns beside it."""
EXPLODING = 1e3
"""A first layer whose gradient is above this multiple of the last layer's forces a tiny learning rate on the rest."""
DEAD = 0.5
"""Share of dead units above which a layer is called dead."""


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
        """One word, or two: non-finite, dead, vanishing, exploding or healthy."""
        return self.explanation.partition(":")[0]

    @property
    def explanation(self) -> str:
        """The verdict with the numbers that decide it and their thresholds."""
        broken = [layer.name for layer in self.layers if not math.isfinite(layer.gradient)]
        if broken or not math.isfinite(self.loss):
            return f"non-finite: loss {self.loss:g}, gradients that are no numbers in {', '.join(broken) or 'no layer'}"
        if not any(layer.gradient for layer in self.layers):
            return "dead: every gradient is zero, so nothing can be learnt from this batch"
        dead = [layer for layer in self.layers if layer.dead > DEAD]
        if dead:
            shares = ", ".join(f"{layer.name} {layer.dead:.0%}" for layer in dead)
            return f"dead: units without any gradient in {shares} (more than {DEAD:.0%})"
        first, last = self.layers[0], self.layers[-1]
        sizes = f"gradient {first.gradient:.2g} in {first.name} and {last.gradient:.2g} in {last.name}"
        if self.ratio < VANISHING:
            return f"vanishing: {sizes}, a ratio of {self.ratio:.2g} (below {VANISHING:g})"
        if self.ratio > EXPLODING:
            return f"exploding: {sizes}, a ratio of {self.ratio:.2g} (above {EXPLODING:g})"
        return f"healthy: {sizes}, a ratio of {self.ratio:.2g} (between {VANISHING:g} and {EXPLODING:g})"

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
        return {"loss": self.loss, "verdict": self.verdict, "explanation": self.explanation, "layers": layers}

    def tables(self) -> tuple[Table]:
        rows = [
            (layer.name, layer.kind, f"{layer.gradient:.3g}", f"{layer.activation:.3g}", f"{layer.dead:.0%}")
            for layer in self.layers
        ]
        table = Table(
            ("layer", "type", "gradient", "activation", "dead units"),
            [tuple("unknown" if cell in ("nan", "nan%") else cell for cell in row) for row in rows],
            title=f"Gradient flow at loss {self.loss:.4g} (root mean squares)",
            footer=self.explanation,
            words=("layer", "type"),
        )
        return (table,)


def gradient_flow(
    network: nn.Module, inputs: Tensor, targets: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> GradientFlow:
    """Measure gradients, activations and dead units of every layer on one batch, in the mode the network is in.

    Neither the network nor its `grad` fields are changed.

    >>> network = nn.Sequential(*(layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Sigmoid())))
    >>> gradient_flow(network, torch.randn(32, 8), torch.rand(32, 8), nn.MSELoss()).verdict
    'vanishing'
    """
    (targets,) = to_device((targets,), device_of(network))
    with untouched(network, evaluating=False) as call, torch.enable_grad(), Listener(network) as listener:
        value = loss(call(inputs), targets)
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
    outputs = {call.name: call.output for call in listener.calls if call.name in owners}
    called = [name for name in dict.fromkeys(listener.order) if name in owners]
    ordered = [*called, *(name for name in owners if name not in called)]
    modules = dict(network.named_modules())
    layers = []
    for name in ordered:
        gradients = torch.autograd.grad(value, owners[name], retain_graph=True, allow_unused=True)
        activation, dead = _outgoing(value, outputs.get(name))
        kind = type(modules[name]).__name__
        layers.append(LayerFlow(name or "(network)", kind, _root_mean_square(gradients), activation, dead))
    return GradientFlow(float(value.detach()), tuple(layers))


def _outgoing(value: Tensor, output: Tensor | None) -> tuple[float, float]:
    """Return the size of a layer's output and the share of its units that no gradient comes back to."""
    if output is None:
        return math.nan, math.nan
    (delta,) = torch.autograd.grad(value, output, retain_graph=True, allow_unused=True)
    size = _root_mean_square((output.detach(),))
    if delta is None:
        return size, 1.0
    # Convolutions count channels, which are axis 1; dense layers the last axis.
    units = delta.transpose(1, -1) if delta.dim() == 4 else delta
    silent = (units.reshape(-1, units.shape[-1]) == 0).all(dim=0)
    return size, float(silent.float().mean())


def _root_mean_square(tensors: tuple[Tensor | None, ...]) -> float:
    known = [tensor.detach().double().flatten() for tensor in tensors if tensor is not None]
    return float(torch.cat(known).square().mean().sqrt()) if known else 0.0
