"""Deep belief networks: layers of binary units whose two uppermost remember together, and which dream downwards."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ganglion.nn.energy.restricted import sample_bernoulli
from ganglion.nn.linear import Linear


class DownwardLayers(nn.Module):
    """What layers of units expect of those below: s(G_k h_k + a_k). The uppermost pair has W of the way up, and only a.

    Args:
        widths: of the data and of every layer of units, from below.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros(low, high) for low, high in pairwise(widths[:-1]))
        self.biases = nn.ParameterList(torch.zeros(low) for low in widths[:-1])


class DeepBeliefNetwork(nn.Module):
    """Logits (batch, classes) of inputs (batch, ...) from 0 to 1, by layers that can also dream.

    Upwards h_k = s(W_k h_(k-1) + b_k). The uppermost layer h_n, the one below it and the class y are a restricted
    Boltzmann machine of energy -a.h - b.h_n - c.y - h_n.W h - y.V h_n. Layers below that are gone down through by
    weights of their own. `output` is V and c.

    As a classifier (`generative` false) logits are V h_n + c; as a model of data and classes they are the log
    probability of each class, up to a constant: c_y + sum_j log(1 + exp(b_j + W_j h + V_yj)).

    Args:
        hidden_features: units of every layer, from below.
        generative: which of the two.
        deviation: standard deviation of the initial weights, small for layers that learn alone at first; 0 for that of
            Glorot and Bengio.

    The way down is no part of the classifier, and its parameters are only trainable while a rule trains them.

    Source: Hinton, Osindero and Teh, A fast learning algorithm for deep belief nets (2006).

    >>> network = DeepBeliefNetwork(784, (500, 500, 2000), 10)
    >>> sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    1665010
    >>> network(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: Sequence[int],
        classes: int,
        *,
        generative: bool = False,
        deviation: float = 0.01,
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden_features]
        self.generative = generative
        self.layers = nn.ModuleList(Linear(low, high) for low, high in pairwise(widths))
        self.output = Linear(widths[-1], classes)
        self.down = DownwardLayers(widths).requires_grad_(False)
        self.top = widths[-2]
        for layer in (*self.layers, self.output):
            nn.init.normal_(layer.weight, std=deviation) if deviation else nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        below = self.up_to(inputs, len(self.layers) - 1)
        if not self.generative:
            return self.output(torch.sigmoid(self.layers[-1](below)))
        joint = self.layers[-1](below).unsqueeze(1) + self.output.weight  # (batch, classes, units)
        return self.output.bias + F.softplus(joint).sum(-1)

    def up_to(self, inputs: Tensor, count: int) -> Tensor:
        """Return the means of layer `count`, (batch, units), for inputs (batch, ...); 0 is the inputs."""
        hidden = inputs.flatten(1)
        for layer in list(self.layers)[:count]:
            hidden = torch.sigmoid(layer(hidden))
        return hidden

    def free_energy(self, number: int, below: Tensor, classes: Tensor | None = None) -> Tensor:
        """Return F = -a.v - c.y - sum_j log(1 + exp(b_j + W_j v + V_j y)), (batch,), of a layer and the one below.

        Args:
            number: of the layer, from 0.
            below: v, (batch, units).
            classes: y, (batch, classes); for the uppermost pair alone.
        """
        upward = self.layers[number](below)
        energy = -(below @ self.down.biases[number])
        if classes is not None:
            upward, energy = upward + classes @ self.output.weight, energy - classes @ self.output.bias
        return energy - F.softplus(upward).sum(-1)

    @torch.no_grad()
    def gibbs_step(
        self, number: int, below: Tensor, classes: Tensor | None = None, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Draw layer `number` from the one below, (batch, units), and the class; return the means of both again."""
        upward = self.layers[number](below)
        if classes is not None:
            upward = upward + classes @ self.output.weight
        hidden = sample_bernoulli(torch.sigmoid(upward), generator)
        then = torch.sigmoid(F.linear(hidden, self._weight(number).T, self.down.biases[number]))
        return then, None if classes is None else self.output(hidden).softmax(-1)

    def _weight(self, number: int) -> Tensor:
        layer = self.layers[number]
        assert isinstance(layer, nn.Linear)
        return layer.weight

    def tie(self, number: int) -> None:
        """Give the way down through layer `number` the weights of the way up; of the uppermost they always are."""
        if number < len(self.down.weights):
            self.down.weights[number].data.copy_(self._weight(number).data.T)

    def down_from(self, hidden: Tensor) -> Tensor:
        """Return the means of the inputs, (batch, in_features), below the last layer but one, (batch, units)."""
        for weight, bias in zip(reversed(list(self.down.weights)), reversed(list(self.down.biases)[:-1]), strict=True):
            hidden = torch.sigmoid(F.linear(hidden, weight, bias))
        return hidden

    @torch.no_grad()
    def dream(self, classes: Tensor, steps: int = 200, generator: Generator | None = None) -> Tensor:
        """Return inputs (batch, in_features) that the network dreams of classes, numbers (batch,).

        The uppermost layers are drawn in turn, the class held fast, and the last states are gone down from.
        """
        held = F.one_hot(classes, self.output.out_features).to(self.output.weight)
        below = sample_bernoulli(held.new_full((len(held), self.top), 0.5), generator)
        for _ in range(steps):
            mean, _ = self.gibbs_step(len(self.layers) - 1, below, held, generator)
            below = sample_bernoulli(mean, generator)
        return self.down_from(mean)
