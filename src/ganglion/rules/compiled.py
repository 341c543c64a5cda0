"""Objectives whose value and gradient one compiled call computes, attached to the equations from outside.

A rule writes its objective in operations of torch, and `descend` differentiates it. What is attached here stands for
both where it applies, and nothing else of the rule knows of it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from ganglion.core import Batch
from ganglion.fast import applies
from ganglion.fast.dense.q_learning import q_learning_gradient
from ganglion.nn.sequential import standardised_layers

Measured = dict[str, Tensor]
Slopes = list[tuple[Tensor, Tensor]]
"""Parameters, each with dL/d(parameter) of its shape."""
CompiledObjective = Callable[[Any, Batch], tuple[Measured, Slopes] | None]
"""From a rule and a batch to what the objective returns and its gradient; None, with nothing done, elsewhere."""
Objective = Callable[[Any, Batch], Measured]


def compiled_by(compiled: CompiledObjective) -> Callable[[Objective], Objective]:
    """Attach what computes the same as an objective, and its gradient, in one call."""

    def attach(objective: Objective) -> Objective:
        objective.compiled = compiled  # type: ignore[attr-defined]
        return objective

    return attach


def differentiate(
    objective: Callable[[Batch], Measured], batch: Batch, parameters: Sequence[nn.Parameter]
) -> Measured | None:
    """Leave the gradient of an objective in `parameters`, and return its measurements, where one call does both.

    None, with nothing done, where nothing is attached to the objective, or where that does not apply.
    """
    compiled = getattr(objective, "compiled", None)
    found = None if compiled is None else compiled(objective.__self__, batch)  # type: ignore[attr-defined]
    if found is None:
        return None
    measured, slopes = found
    slope_of = {id(parameter): slope for parameter, slope in slopes}
    for parameter in parameters:
        parameter.grad = slope_of.get(id(parameter))
    return measured


class ValueLearner(Protocol):
    """What deep Q-learning is, as far as its objective goes; see `rules/reinforcement/q_learning.py`."""

    networks: dict[str, nn.Module]
    discount: float
    double: bool
    threshold: float


def q_learning(rule: ValueLearner, batch: Batch) -> tuple[Measured, Slopes] | None:
    """Return loss and mean value of the actions taken, and the gradient, for two small dense networks of one form.

    Transitions that count differently are left to autograd, which also keeps their errors.
    """
    if "weights" in batch:
        return None
    network, target = (standardised_layers(rule.networks[role]) for role in ("network", "target"))
    if network is None or target is None:
        return None
    discounts = batch.get("discounts", rule.discount)
    if not applies.to_q_learning(network, target, batch, *([discounts] if isinstance(discounts, Tensor) else [])):
        return None
    observing = rule.networks["network"].training
    loss, value, gradients = q_learning_gradient(
        network, target, batch, discounts, rule.threshold, double=rule.double, observing=observing
    )
    return {"loss": loss, "action_value": value}, list(zip(network.parameters, gradients, strict=True))
