"""The gradient of deep Q-learning for small dense networks in one compiled call, without autograd.

The same in operations of torch takes three times as long, most of it in some hundred operations on a few numbers each.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganglion.nn.fast.perceptron import Dense, Pass, all_trained, is_plain, parameters_of, suits, table_of

Batch = dict[str, Tensor]


class Standardised(NamedTuple):
    """Dense layers behind a running standardisation."""

    layers: Sequence[Dense]
    mean: Tensor
    """Of each feature so far, (features)."""
    variance: Tensor
    inputs_seen: Tensor
    """How many inputs, ()."""
    limit: float
    """Deviations beyond which an input is cut off."""

    def suits(self, inputs: Tensor) -> bool:
        """Return whether kernels can take these layers and inputs, (batch, features)."""
        whole = self.inputs_seen.dtype is torch.int64 and self.inputs_seen.is_cpu
        return whole and is_plain(self.mean) and is_plain(self.variance) and suits(inputs, self.layers)

    def values(self, inputs: Tensor) -> Tensor:
        """Return what the last layer makes of inputs that suit, (batch, units)."""
        from ganglion.nn.fast import q_kernels

        scaled = torch.empty_like(inputs)
        statistics = self.mean.numpy(), self.variance.numpy()
        q_kernels.standardise(inputs.numpy(), *statistics, self.limit, scaled.numpy())
        return Pass(scaled, self.layers).outputs


def q_gradient(
    network: Standardised, target: Standardised, batch: Batch, discounts: Tensor | float, threshold: float, *,
    double: bool, observing: bool,
) -> tuple[Tensor, Tensor, list[Tensor]] | None:  # fmt: skip
    """Return Huber_δ(Q(s, a) - y), Q(s, a), both as means, and the gradient of the former, W and b by turns.

    None, with nothing done, where the tensors are not plain ones of usual types, or not all of Q learns.

    Args:
        network, target: Q and Q', of the same form.
        batch: as `ganglion.rules.q_learning.QLearning` takes it.
        discounts: γ, of each transition (batch) or of all.
        threshold: δ.
        double: choose the next action by Q instead of by Q'.
        observing: let the statistics of `network` learn from the observations first.
    """
    inputs, following = batch["observations"], batch["next_observations"]
    suiting = network.suits(inputs) and target.suits(following) and _usual(batch, discounts)
    if not suiting or not all_trained(network.layers):
        return None
    from ganglion.nn.fast import q_kernels

    powers = discounts.numpy() if isinstance(discounts, Tensor) else _repeated(discounts, len(inputs))
    found, measured = [torch.empty_like(tensor) for tensor in parameters_of(network.layers)], torch.empty(2)
    q_kernels.gradient(
        table_of(network.layers, found), table_of(target.layers), inputs.numpy(), following.numpy(),
        network.mean.numpy(), network.variance.numpy(), network.inputs_seen.numpy().reshape(1)[: int(observing)],
        target.mean.numpy(), target.variance.numpy(), network.limit, batch["actions"].numpy(),
        batch["rewards"].numpy(), batch["terminated"].numpy(), powers, threshold, double, measured.numpy(),
    )  # fmt: skip
    return measured[0], measured[1], found


@cache
def _repeated(discount: float, count: int) -> np.ndarray:
    return np.full(count, discount, np.float32)


def _usual(batch: Batch, discounts: Tensor | float) -> bool:
    """Return whether the parts of transitions, of which kernels look at no bounds, are of usual types and lengths."""
    actions, terminated = batch["actions"], batch["terminated"]
    singles = [batch["rewards"], *([discounts] if isinstance(discounts, Tensor) else [])]
    kinds = actions.dtype is torch.int64 and terminated.dtype is torch.bool
    places = all(tensor.is_cpu and tensor.is_contiguous() for tensor in (actions, terminated))
    shape = (len(batch["observations"]),)
    lengths = all(tensor.shape == shape for tensor in (actions, terminated, *singles))
    alike = batch["next_observations"].shape == batch["observations"].shape
    return kinds and places and lengths and alike and all(map(is_plain, singles))
