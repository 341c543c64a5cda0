"""The gradient of deep Q-learning for small dense networks in one compiled call, without autograd.

The same in operations of torch takes three times as long, most of it in some hundred operations on a few numbers each.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.fast.perceptron import (
    Dense,
    all_trained,
    is_free,
    is_plain,
    is_small,
    operations_of,
    parameters_of,
    table_of,
)
from ganglion.fast.remembered import traits_of

Batch = dict[str, Tensor]


class Standardised:
    """Dense layers behind a running standardisation.

    What kernels are told of the tensors is made when it is first asked for, and again when a tensor is not what it was.

    Args:
        mean, variance: of each feature so far, (features).
        inputs_seen: how many inputs, ().
        limit: deviations beyond which an input is cut off.
    """

    def __init__(
        self, layers: Sequence[Dense], mean: Tensor, variance: Tensor, inputs_seen: Tensor, limit: float
    ) -> None:
        self.layers, self.mean, self.variance, self.inputs_seen, self.limit = layers, mean, variance, inputs_seen, limit
        self._tensors = [*parameters_of(layers), mean, variance, inputs_seen]
        self._traits: list[Any] = []
        self._operations = 0

    def suits(self, inputs: Tensor) -> bool:
        """Return whether kernels can take these layers and inputs, (batch, features), where they may be used at all."""
        traits = traits_of(self._tensors)
        if traits != self._traits:
            self._look()
            self._traits = traits
        return is_small(inputs, self.mean.shape, self._operations)

    def _look(self) -> None:
        """Tell all that kernels have to know of the tensors as they are now."""
        whole = self.inputs_seen.dtype is torch.int64 and self.inputs_seen.is_cpu and self.inputs_seen.dim() == 0
        fitting = is_plain(self.mean) and is_plain(self.variance) and self.mean.shape == self.variance.shape
        alike = bool(self.layers) and self.mean.shape == self.layers[0].weight.shape[1:]
        self._operations = operations_of(self.layers) if whole and fitting and alike else 0
        if not self._operations:
            return
        self.trained = all_trained(self.layers)
        self.gradients = [torch.empty_like(tensor, requires_grad=False) for tensor in parameters_of(self.layers)]
        """Room for the gradient of W and b of one layer after the other, which every update writes anew."""
        self.table = table_of(self.layers, self.gradients)
        self.statistics = self.mean.numpy(), self.variance.numpy()
        self.count = self.inputs_seen.numpy().reshape(1)

    def values(self, inputs: Tensor) -> Tensor:
        """Return what the last layer makes of inputs that suit, (batch, units)."""
        from ganglion.fast import q_kernels

        outputs = torch.empty(len(inputs), len(self.layers[-1].weight))
        q_kernels.values(self.table, inputs.numpy(), *self.statistics, self.limit, outputs.numpy())
        return outputs


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
    suiting = is_free() and network.suits(inputs) and target.suits(following) and _usual(batch, discounts)
    if not suiting or not network.trained or network.limit != target.limit:
        return None
    from ganglion.fast import q_kernels

    powers = discounts.numpy() if isinstance(discounts, Tensor) else _repeated(discounts, len(inputs))
    loss, value = torch.empty(()), torch.empty(())
    q_kernels.gradient(
        network.table, target.table, inputs.numpy(), following.numpy(), *network.statistics,
        network.count if observing else _NOT_COUNTED, *target.statistics, network.limit, batch["actions"].numpy(),
        batch["rewards"].numpy(), batch["terminated"].numpy(), powers, threshold, double, loss.numpy(),
        value.numpy(),
    )  # fmt: skip
    return loss, value, network.gradients


_NOT_COUNTED = np.empty(0, np.int64)


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
