"""Small dense networks behind a running standardisation: their values, and the gradient of deep Q-learning on them.

Each is one compiled call without autograd. The same in operations of torch takes three times as long, most of it in
some hundred operations on a few numbers each.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.fast import applies
from ganglion.fast.dense.layers import DenseLayer, Streams, multiplications_of, parameters_of, table_of

Batch = dict[str, Tensor]


class StandardisedLayers:
    """Dense layers behind a running standardisation, as `ganglion.fast.applies` and the kernels take them.

    What kernels are told of the tensors is made when it is first asked for, and again when a tensor is not what it was.

    Args:
        mean, variance: of each feature so far, (features).
        inputs_seen: how many inputs, ().
        limit: deviations beyond which a standardised input is cut off.
        streams: what the last layer is made of, if it is a dueling head.
    """

    def __init__(
        self,
        layers: Sequence[DenseLayer],
        mean: Tensor,
        variance: Tensor,
        inputs_seen: Tensor,
        limit: float,
        streams: Streams | None = None,
    ) -> None:
        self.layers, self.mean, self.variance, self.inputs_seen, self.limit = layers, mean, variance, inputs_seen, limit
        self.streams = streams
        own = [*parameters_of(layers[:-1]), *streams.parameters] if streams else parameters_of(layers)
        self.parameters = own
        """What is learnt, W and b by turns."""
        self.features = self.operations = 0
        self.trained = False
        self._tensors = [*self.parameters, mean, variance, inputs_seen]
        self._layout: list[Any] = []

    def refreshed(self) -> "StandardisedLayers":
        """Return these layers after a look at whether the tensors still lie where they lay."""
        layout = applies.layout_of(self._tensors)
        if layout != self._layout:
            self._look()
            self._layout = layout
        if self.streams and self.operations:
            self.streams.join()
        return self

    def _look(self) -> None:
        """Note all that kernels have to know of the tensors as they are now."""
        counted = self.inputs_seen.dtype is torch.int64 and self.inputs_seen.is_cpu and self.inputs_seen.dim() == 0
        usual = all(map(applies.is_float32_array, (self.mean, self.variance))) and self.mean.dim() == 1
        usual = usual and (self.streams is None or self.streams.are_plain)
        alike = bool(self.layers) and self.mean.shape == self.variance.shape == self.layers[0].weight.shape[1:]
        self.operations = multiplications_of(self.layers) if counted and usual and alike else 0
        if not self.operations:
            return
        self.features = len(self.mean)
        self.trained = all(tensor.requires_grad for tensor in self.parameters)
        if self.streams:
            self.streams.look()
        self.gradients = [torch.empty_like(tensor, requires_grad=False) for tensor in parameters_of(self.layers)]
        """Room for the gradient of W and b of one layer after the other, which every update writes anew."""
        self.table = table_of(self.layers, self.gradients)
        self.statistics = self.mean.numpy(), self.variance.numpy()
        self.count = self.inputs_seen.numpy().reshape(1)

    def values(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the last layer, (batch, units), where `applies.to_dense_layers` to inputs says yes."""
        from ganglion.fast.dense import q_learning_kernels as kernels

        outputs = torch.empty(len(inputs), len(self.layers[-1].weight))
        kernels.values(self.table, inputs.numpy(), *self.statistics, self.limit, outputs.numpy())
        return outputs


def q_learning_gradient(
    network: StandardisedLayers, target: StandardisedLayers, batch: Batch, discounts: Tensor | float,
    threshold: float, *, double: bool, observing: bool,
) -> tuple[Tensor, Tensor, list[Tensor]]:  # fmt: skip
    """Return Huber_δ(Q(s, a) - y), Q(s, a), both as means, and the gradient of the former, W and b by turns.

    For what `applies.to_q_learning` says yes to. The gradient lies where that of the next call will lie.

    Args:
        network, target: Q and Q', of the same form.
        batch: as `ganglion.rules.reinforcement.q_learning.QLearning` takes it.
        discounts: γ, of each transition (batch) or of all.
        threshold: δ.
        double: choose the next action by Q instead of by Q'.
        observing: let the statistics of `network` learn from the observations first.
    """
    from ganglion.fast.dense import q_learning_kernels as kernels

    inputs, following = batch["observations"].numpy(), batch["next_observations"].numpy()
    powers = discounts.numpy() if isinstance(discounts, Tensor) else _repeated(discounts, len(inputs))
    loss, value = torch.empty(()), torch.empty(())
    kernels.gradient(
        network.table, target.table, inputs, following, *network.statistics,
        network.count if observing else _NOT_COUNTED, *target.statistics, network.limit, batch["actions"].numpy(),
        batch["rewards"].numpy(), batch["terminated"].numpy(), powers, threshold, double, loss.numpy(),
        value.numpy(),
    )  # fmt: skip
    found = network.gradients
    return loss, value, [*found[:-2], *network.streams.split(found[-2:])] if network.streams else found


_NOT_COUNTED = np.empty(0, np.int64)


@cache
def _repeated(discount: float, count: int) -> np.ndarray:
    return np.full(count, discount, np.float32)
