"""Local derivatives of one layer: by formula where the textbooks have one, as a vector-Jacobian product elsewhere."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganglion.inspect.chain import Call, vector_jacobian

VECTOR_JACOBIAN = "product · Jacobian of the layer"
NO_LOCAL = torch.empty(0)
"""Stands for a Jacobian that is never written out, only multiplied with."""

Derivative = Callable[[Tensor, Tensor], Tensor]

FORMULAS: dict[type[nn.Module], tuple[str, Derivative]] = {
    nn.Sigmoid: ("out (1 - out)", lambda net, out: out * (1 - out)),
    nn.Tanh: ("1 - out²", lambda net, out: 1 - out**2),
    nn.ReLU: ("1 where net > 0, else 0", lambda net, out: (net > 0).to(net)),
    nn.Identity: ("1", lambda net, out: torch.ones_like(net)),
    nn.SiLU: ("out + sigmoid(net) (1 - out)", lambda net, out: out + net.sigmoid() * (1 - out)),
    nn.Softplus: ("sigmoid(net)", lambda net, out: net.sigmoid()),
}
"""Elementwise layers at their default settings: the derivative in words and as a function of net and out."""


def through(call: Call, delta: Tensor, upper_focus: int | None, lower_focus: int | None) -> tuple[Tensor, Tensor, str]:
    """Go from the output of a layer to its input.

    Returns the local derivatives, delta at the input, of its shape, and the formula. A focus is the only unit that the
    weight reaches.
    """
    assert call.input is not None
    net, out = call.input.detach(), call.output.detach()
    if call.slope is not None:
        words, derivative = _elementwise(call, net, out, call.slope)
        return chosen(derivative, lower_focus), delta * derivative, words
    if isinstance(call.module, nn.Linear):
        weight = call.module.weight.detach()  # (units, inputs)
        local = weight if upper_focus is None else weight[upper_focus]
        local = local if lower_focus is None else local[..., lower_focus]
        return local, delta @ weight, "Σ over units of product · weight"
    below = vector_jacobian(call.output, call.input, delta)
    if call.is_weighted_sum:
        return call.module.weight.detach(), below, "Σ over places of product · kernel"
    if isinstance(call.module, nn.Flatten | nn.Unflatten):
        return torch.ones_like(chosen(below, lower_focus)), below, "1, in another shape"
    return NO_LOCAL, below, VECTOR_JACOBIAN


def _elementwise(call: Call, net: Tensor, out: Tensor, slope: Tensor) -> tuple[str, Tensor]:
    if type(call.module) in FORMULAS:
        words, derivative = FORMULAS[type(call.module)]
        return words, derivative(net, out)
    if isinstance(call.module, nn.LeakyReLU):
        leak = call.module.negative_slope
        return f"1 where net > 0, else {leak:g}", leak + (1 - leak) * (net > 0).to(net)
    return "slope at net", slope


def by_parameter(
    call: Call, attribute: str, index: tuple[int, ...], delta: Tensor, focus: int | None
) -> tuple[Tensor, Tensor, str]:
    """Take the last step, from the output of a weighted sum to its weight or bias at `index`.

    A weighted sum is linear in its weights, so its derivative by one of them is the layer itself with that weight 1
    and all others 0. Returns the local derivatives, the gradient, a single number, and the formula. Delta has the shape
    of the layer's output.
    """
    assert call.input is not None
    unit = {name: torch.zeros_like(parameter) for name, parameter in call.module.named_parameters(recurse=False)}
    unit[attribute][index] = 1.0
    with torch.no_grad():
        local = functional_call(call.module, unit, (call.input.detach(),))
    words = "1" if attribute == "bias" else "the input that it weighs"
    if (count := local.select(1, focus).numel() if focus is not None else local.numel()) > 1:
        words += f", Σ over {count:,} places"
    return chosen(local, focus), (delta * local).sum(), words


def chosen(values: Tensor, focus: int | None) -> Tensor:
    """Return what belongs to one unit or channel of (batch, units, ...), or everything where there is no focus."""
    return values if focus is None else values.select(1, focus)
