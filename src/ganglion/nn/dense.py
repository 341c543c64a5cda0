"""Stacks of dense layers."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from ganglion.errors import ConfigurationError
from ganglion.nn.activations import ActivationName, activation, pieces_of
from ganglion.nn.initialisers import InitialiserName, initialise
from ganglion.nn.linear import Linear


class BatchNormalisation(nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d` of rows (batch, features), a single row by the running statistics: it has no spread.

    >>> import torch
    >>> BatchNormalisation(2)(torch.ones(1, 2)).shape
    torch.Size([1, 2])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        if self.training and len(inputs) == 1:
            return functional.batch_norm(
                inputs, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        return super().forward(inputs)


def dense_layers(
    widths: Sequence[int],
    *,
    activation_name: ActivationName | Sequence[ActivationName] = "relu",
    initialiser_name: InitialiserName = "he-normal",
    dropout: float | Sequence[float] = 0.0,
    pieces: int = 2,
    batch_norm: bool = False,
    bias: bool = True,
) -> list[nn.Module]:
    """Return the layers h_l = f(W_l h_(l-1) + b_l), the last without f.

    Args:
        widths: features of the input, of every hidden layer, and of the output.
        activation_name: f, one for all hidden layers or one for each.
        initialiser_name: how the W start; the b start at zero.
        dropout: share of hidden features that is dropped while training, one for all hidden layers or one for each.
        pieces: linear functions that each feature of a maxout layer is the largest of.
        batch_norm: standardise the features of hidden layers over the batch, before f.
        bias: whether there are b.

    Raises:
        ConfigurationError: not as many functions or shares as hidden layers.

    >>> nn.Sequential(*dense_layers([4, 3, 2], dropout=0.5))
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ReLU()
      (2): Dropout(p=0.5, inplace=False)
      (3): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    hidden = len(widths) - 2
    functions = [activation_name] * hidden if isinstance(activation_name, str) else list(activation_name)
    shares = [dropout] * hidden if isinstance(dropout, int | float) else list(dropout)
    for name, given in (("functions", functions), ("shares of dropout", shares)):
        if len(given) != hidden:
            raise ConfigurationError(
                f"{name} and hidden layers differ in number",
                expected=f"{hidden}, one for each hidden layer",
                found=f"{len(given)}: {' '.join(map(str, given))}",
                remedy="name one for each, or leave them out",
            )
    layers: list[nn.Module] = []
    for (before, after), function, share in zip(pairwise(widths[:-1]), functions, shares, strict=True):
        width = after * pieces_of(function, pieces)
        layers += [Linear(before, width, bias=bias), *([BatchNormalisation(width)] if batch_norm else [])]
        layers += [activation(function, pieces), *([nn.Dropout(share)] if share else [])]
    layers.append(Linear(widths[-2], widths[-1], bias=bias))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            initialise(layer, initialiser_name)
    return layers
