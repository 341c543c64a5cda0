"""Dense layers as the compiled passes of a small network take them.

A step of a small network is some hundred operations of a few microseconds each; the arithmetic is a third of it.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.fast.applies import is_float32_array

Activation = Literal["linear", "relu", "tanh", "sigmoid"]
ACTIVATIONS: tuple[Activation, ...] = ("linear", "relu", "tanh", "sigmoid")
"""What can follow a layer, by the numbers that the kernels know them by."""
MODULES: dict[type[nn.Module], Activation] = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}
"""Modules of torch that are one of these."""


class DenseLayer(NamedTuple):
    """A layer f(W x + b): W (units, features), b (units) or None, and the name of f."""

    weight: Tensor
    bias: Tensor | None
    activation: Activation


class Streams:
    """The two linear streams of a dueling head as the one layer that they are together.

    V + A - mean A is linear in what both see: W = w_V + W_A - mean over actions of W_A, and b likewise.

    Args:
        value, advantage: W and b of each stream, (1, features) and (1), (actions, features) and (actions).
    """

    def __init__(self, value: tuple[Tensor, Tensor], advantage: tuple[Tensor, Tensor]) -> None:
        self.parameters = [*value, *advantage]
        self.weight, self.bias = (torch.empty_like(tensor, requires_grad=False) for tensor in advantage)

    @property
    def are_plain(self) -> bool:
        """Return whether the streams are what the kernels can take."""
        (rows, depth), alike = self.parameters[0].shape, self.parameters[2].shape == self.weight.shape
        fitting = rows == 1 and depth == self.weight.shape[1] and alike and self.parameters[3].shape == self.bias.shape
        return fitting and all(map(is_float32_array, self.parameters))

    def look(self) -> None:
        """Note where the numbers of plain streams lie."""
        self._parts = [tensor.detach().numpy() for tensor in self.parameters]
        self._joined = self.weight.numpy(), self.bias.numpy()
        self._slopes = [torch.empty_like(tensor, requires_grad=False) for tensor in self.parameters]
        self._rooms = [slope.numpy() for slope in self._slopes]

    def join(self) -> None:
        """Write W and b as the streams are now."""
        for whole, value, advantage in zip(self._joined, self._parts[:2], self._parts[2:], strict=True):
            np.subtract(advantage, advantage.mean(0), out=whole)
            whole += value

    def split(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient of w_V, b_V, W_A and b_A from those of W and b."""
        for slope, value, advantage in zip(gradients, self._rooms[:2], self._rooms[2:], strict=True):
            whole = slope.numpy()
            value[...] = whole.sum(0)
            np.subtract(whole, whole.mean(0), out=advantage)
        return self._slopes


def table_of(layers: Sequence[DenseLayer], gradients: Iterable[Tensor] = ()) -> np.ndarray:
    """Return layers as the kernels take them, (layers, 7): addresses, sizes and activation, one row a layer.

    Args:
        gradients: room for the gradient of W and b of one layer after the other, each of the shape of its parameter.
    """
    rooms = iter(gradients)
    rows: list[tuple[int, ...]] = []
    for weight, bias, activation in layers:
        slope = _address(next(rooms, None))
        bias_slope = 0 if bias is None else _address(next(rooms, None))
        units, features = weight.shape
        number = ACTIVATIONS.index(activation)
        rows.append((weight.data_ptr(), _address(bias), features, units, number, slope, bias_slope))
    return np.array(rows, np.int64)


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def parameters_of(layers: Sequence[DenseLayer]) -> list[Tensor]:
    """Return W, (units, features), and b, (units), of one layer after the other."""
    return [tensor for layer in layers for tensor in layer[:2] if tensor is not None]


def multiplications_of(layers: Sequence[DenseLayer]) -> int:
    """Return the multiplications that a sample takes, 0 where the layers are not plain or do not fit together.

    >>> import torch
    >>> first = DenseLayer(torch.zeros(3, 2), torch.zeros(3), "relu")
    >>> multiplications_of([first, DenseLayer(torch.zeros(1, 3), None, "linear")])
    9
    """
    operations, features = 0, layers[0].weight.shape[-1] if layers else 0
    for weight, bias, _ in layers:
        shape = weight.shape
        if not is_float32_array(weight) or len(shape) != 2 or shape[1] != features:
            return 0
        if bias is not None and not (is_float32_array(bias) and bias.shape == shape[:1]):
            return 0
        features = shape[0]
        operations += features * shape[1]
    return operations
