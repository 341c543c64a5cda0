"""Dense layers as the compiled passes of a small network take them.

A step of a small network is some hundred operations of a few microseconds each; the arithmetic is a third of it.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
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
