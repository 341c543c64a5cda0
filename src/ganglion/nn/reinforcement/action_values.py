"""Networks from an observation to what every action is worth, which several agents share."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from ganglion.nn.inputs import FlatInputs, RunningStandardisation
from ganglion.nn.linear import Linear
from ganglion.nn.reinforcement.dueling import DuelingHead
from ganglion.nn.reinforcement.noisy import NoisyLinear
from ganglion.nn.sequential import Sequential


class DenseQNetwork(Sequential):
    """Dense network from an observation of any shape, (batch, ...), to the value of every action, (batch, actions).

    >>> import torch
    >>> DenseQNetwork(4, 2)(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        in_features: int,
        num_actions: int,
        hidden_features: tuple[int, ...] = (128, 128),
        dueling: bool = False,
        noisy: bool = False,
    ) -> None:
        widths, dense = (in_features, *hidden_features), NoisyLinear if noisy else Linear
        hidden = nn.Sequential(*(layer for a, b in pairwise(widths) for layer in (dense(a, b), nn.ReLU())))

        def stream(outputs: int) -> nn.Module:
            return dense(widths[-1], outputs)

        layers = {
            "flatten": FlatInputs(in_features),
            "standardise": RunningStandardisation(in_features),
            "hidden": hidden,
            "head": DuelingHead(stream(1), stream(num_actions)) if dueling else stream(num_actions),
        }
        super().__init__(OrderedDict(layers))
