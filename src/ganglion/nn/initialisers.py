"""Initial weights by name: how wide they are spread decides whether signals and gradients keep their size."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from ganglion.settings import unknown_name

InitialiserName = Literal["uniform", "xavier-normal", "xavier-uniform", "he-normal", "he-uniform", "zeros"]


def uniform(weight: Tensor) -> Tensor:
    """Draw a weight, (outputs, inputs, ...), from U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), in place."""
    bound = weight[0].numel() ** -0.5
    return nn.init.uniform_(weight, -bound, bound)


INITIALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    "uniform": uniform,
    "xavier-normal": nn.init.xavier_normal_,  # variance 2 / (fan_in + fan_out)
    "xavier-uniform": nn.init.xavier_uniform_,  # the same variance
    "he-normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),  # variance 2 / fan_in
    "he-uniform": lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu"),  # the same variance
    "zeros": nn.init.zeros_,
}


def initialise(layer: nn.Linear | nn.Conv2d, name: InitialiserName) -> None:
    """Draw the weights of a dense or convolutional layer anew, and set its biases to zero.

    Sources: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010), for
    Xavier; He et al., Delving deep into rectifiers (2015).

    >>> layer = nn.Linear(100, 3)
    >>> initialise(layer, "uniform")
    >>> (layer.weight.abs() <= 0.1).all().item(), layer.bias.sum().item()
    (True, 0.0)
    """
    if name not in INITIALISERS:
        raise unknown_name("initialiser", name, list(INITIALISERS))
    INITIALISERS[name](layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
