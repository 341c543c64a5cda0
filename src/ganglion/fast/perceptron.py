"""Small dense layers one after the other in one compiled call, and their gradient in another, without autograd.

A step of a small network is some hundred operations of a few microseconds each; the arithmetic is a third of it.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.fast.dispatch import installed, is_watched
from ganglion.fast.matrix_library import linear

Function = Literal["linear", "relu", "tanh", "sigmoid"]
FUNCTIONS: tuple[Function, ...] = ("linear", "relu", "tanh", "sigmoid")
"""What can follow a layer, by the numbers that the kernels know them by."""
MOST_OPERATIONS = 2**24
"""Multiplications of a pass beyond which products are most of the time, and those of torch use all threads."""
_KNOWN, _SINGLE = (nn.Parameter, Tensor), torch.float32


class Dense(NamedTuple):
    """A layer f(W x + b): W (units, features), b (units) or None, and the name of f."""

    weight: Tensor
    bias: Tensor | None
    function: Function


def table_of(layers: Sequence[Dense], gradients: Iterable[Tensor] = ()) -> np.ndarray:
    """Return layers as the kernels take them, with the room for the gradient of W and b of one after the other."""
    rooms = iter(gradients)
    rows: list[tuple[int, ...]] = []
    for weight, bias, function in layers:
        slope = _address(next(rooms, None))
        bias_slope = 0 if bias is None else _address(next(rooms, None))
        units, features = weight.shape
        number = FUNCTIONS.index(function)
        rows.append((weight.data_ptr(), _address(bias), features, units, number, slope, bias_slope))
    return np.array(rows, np.int64)


def perceptron_reference(inputs: Tensor, layers: Sequence[Dense]) -> Tensor:
    """Compute the same outputs layer by layer, in operations of torch."""
    for layer in layers:
        inputs = linear(inputs, layer.weight, layer.bias)
        if layer.function != "linear":
            inputs = getattr(inputs, layer.function)()
    return inputs


def parameters_of(layers: Sequence[Dense]) -> list[Tensor]:
    """Return W and b of one layer after the other."""
    return [tensor for layer in layers for tensor in layer[:2] if tensor is not None]


def all_trained(layers: Sequence[Dense]) -> bool:
    """Return whether every W and b asks for a gradient."""
    return all(weight.requires_grad and (bias is None or bias.requires_grad) for weight, bias, _ in layers)


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def suits(inputs: Tensor, layers: Sequence[Dense]) -> bool:
    """Return whether these are plain numbers of a small batch and small layers that fit together."""
    return is_free() and is_small(inputs, layers[0].weight.shape[1:] if layers else (), operations_of(layers))


def is_free() -> bool:
    """Return whether kernels are there, and nothing wants to see the operations of torch instead."""
    return not is_recorded() and installed()


def operations_of(layers: Sequence[Dense]) -> int:
    """Return the multiplications that a sample takes, 0 where the layers are not plain or do not fit together."""
    operations, features = 0, layers[0].weight.shape[-1] if layers else 0
    for weight, bias, _ in layers:
        shape = weight.shape
        if not is_plain(weight) or len(shape) != 2 or shape[1] != features:
            return 0
        if bias is not None and not (is_plain(bias) and bias.shape == shape[:1]):
            return 0
        features = shape[0]
        operations += features * shape[1]
    return operations


def is_small(inputs: Tensor, shape: Sequence[int], operations: int) -> bool:
    """Return whether inputs are plain samples of this shape, and few for a pass of so many multiplications a sample."""
    plain = is_plain_matrix(inputs) and inputs.shape[1:] == shape
    return plain and 0 < operations * len(inputs) <= MOST_OPERATIONS


def is_plain_matrix(tensor: Tensor) -> bool:
    """Return whether this is nothing but a matrix of single precision in main memory, one row after the other."""
    return is_plain(tensor) and tensor.dim() == 2


def is_plain(tensor: Tensor) -> bool:
    """Return whether this is nothing but numbers of single precision in main memory, one after the other."""
    return are_singles(tensor) and tensor.is_contiguous()


def are_singles(tensor: Tensor) -> bool:
    """Return whether this is nothing but numbers of single precision in main memory."""
    return type(tensor) in _KNOWN and tensor.dtype is _SINGLE and tensor.is_cpu


def is_recorded() -> bool:
    """Return whether something wants to see the operations of torch, or to change them."""
    return (
        is_watched()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._len_torch_function_stack() > 0
        or torch.is_autocast_enabled("cpu")
    )
