"""Stacks of dense layers."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from ganglion.nn.activations import ActivationName, activation
from ganglion.nn.initialisers import InitialiserName, initialise
from ganglion.nn.linear import Linear


def dense_layers(
    widths: Sequence[int],
    *,
    activation_name: ActivationName = "relu",
    initialiser_name: InitialiserName = "he-normal",
    dropout: float = 0.0,
    pieces: int = 2,
) -> list[nn.Module]:
    """Return the layers h_l = f(W_l h_(l-1) + b_l), the last without f.

    Args:
        widths: features of the input, of every hidden layer, and of the output.
        activation_name: f.
        initialiser_name: how the W start; the b start at zero.
        dropout: share of hidden features that is dropped while training.
        pieces: linear functions that each feature of a maxout layer is the largest of.

    >>> nn.Sequential(*dense_layers([4, 3, 2], dropout=0.5))
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ReLU()
      (2): Dropout(p=0.5, inplace=False)
      (3): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    layers: list[nn.Module] = []
    group = pieces if activation_name == "maxout" else 1
    for before, after in pairwise(widths[:-1]):
        layers += [Linear(before, after * group), activation(activation_name, pieces)]
        layers += [nn.Dropout(dropout)] if dropout else []
    layers.append(Linear(widths[-2], widths[-1]))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            initialise(layer, initialiser_name)
    return layers
