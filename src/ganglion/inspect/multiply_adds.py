"""What layers cost, from their shapes: one rule for each kind of layer, the same on every machine and device.

A multiply-add is a multiplication whose product is added to a sum, in a product of matrices or a convolution as its
equation says it: positions beyond a border count, whichever way a library computes them. What goes element by element
(activations, gates, peepholes, normalisation, pooling) is not counted.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.modules import (
    activation,
    batchnorm,
    dropout,
    flatten,
    instancenorm,
    normalization,
    padding,
    pixelshuffle,
    pooling,
    sparse,
    upsampling,
)
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ganglion.inspect.untouched import first_tensor
from ganglion.nn import (
    FilterBank,
    JordanRNN,
    L2Pooling1d,
    L2Pooling2d,
    LocallyConnected1d,
    LocallyConnected2d,
    LocalResponseNormalisation,
    PartialConvolution,
    RadialBasisOutput,
    TiledConvolution2d,
)
from ganglion.nn.energy.restricted import RestrictedBoltzmannMachine
from ganglion.nn.recurrent import ElmanCell, GRUCell, LSTMCell
from ganglion.nn.recurrent.convolutional import ConvLSTMCell
from ganglion.nn.recurrent.jordan import JordanCell


class Call(NamedTuple):
    """One call of a layer: its arguments by place and by name, and the first tensor that came out."""

    layer: Any
    inputs: tuple[Any, ...]
    named: dict[str, Any]
    output: Tensor

    @property
    def first_input(self) -> Tensor:
        found = first_tensor((*self.inputs, *self.named.values()))
        assert found is not None
        return found


Rule = Callable[[Call], int]
"""From a call of a layer to its multiply-adds, for all samples together."""


def rule_of(layer: nn.Module) -> Rule | None:
    """Return the rule for a layer's kind, or for the nearest kind that it is derived from; None where there is none.

    >>> import torch
    >>> layer = nn.Conv1d(2, 4, 3)
    >>> inputs = torch.zeros(1, 2, 9)
    >>> rule_of(layer)(Call(layer, (inputs,), {}, layer(inputs)))
    168
    """
    for kind in type(layer).__mro__:
        if kind in RULES:
            return RULES[kind]
        if kind.__module__ in ELEMENTWISE:
            return _nothing
    return None


def _nothing(call: Call) -> int:
    return 0


def _linear(call: Call) -> int:
    """Every output is a sum over all inputs."""
    return call.output.numel() * call.layer.in_features


def _bilinear(call: Call) -> int:
    """x A y for every output: A y, and its product with x."""
    return call.output.numel() * call.layer.in1_features * (call.layer.in2_features + 1)


def _convolution(call: Call) -> int:
    """Every output is a sum over the kernel and the channels of its group."""
    return call.output.numel() * call.layer.weight[0].numel()


def _local(call: Call) -> int:
    """Every output is a sum over a kernel of its own place or tile, which come first among the axes of the weight."""
    places = call.output.dim() - 2
    weight = call.layer.weight[(0,) * (places + 1)]  # (in_channels, kernel ...)
    return call.output.numel() * int(weight.numel())


def _transposed_convolution(call: Call) -> int:
    """Every input is spread by the kernel over the channels of its group."""
    return call.first_input.numel() * call.layer.weight[0].numel()


def _partial_convolution(call: Call) -> int:
    """At every position, those kernels that there are."""
    return call.output[:, 0].numel() * call.layer.weight.numel()


def _radial_basis(call: Call) -> int:
    """Every output is a sum of squared differences over all inputs."""
    return call.output.numel() * call.layer.codes.shape[1]


def _boltzmann(call: Call) -> int:
    """Every hidden unit's input is a sum over all visible ones."""
    return call.output.numel() * call.layer.num_visible


def _recurrent(call: Call) -> int:
    """At every step of every sequence, all matrices of all layers and directions."""
    return call.output.numel() // call.output.shape[-1] * _in_matrices(call.layer)


def _cell(call: Call) -> int:
    """At every step of every sequence, and at every place of a map, input and recurrent weight."""
    features = call.output.shape[2]  # (batch, time, features, ...)
    weights: int = call.layer.input_weight.numel() + call.layer.recurrent_weight.numel()
    return call.output.numel() // features * weights


def _torch_cell(call: Call) -> int:
    """One step of every sequence."""
    return call.output.numel() // call.layer.hidden_size * _in_matrices(call.layer)


def _jordan(call: Call) -> int:
    """At every step of every sequence, the weights of inputs, of outputs fed back, and of outputs."""
    return call.output.numel() // call.output.shape[-1] * _in_matrices(call.layer)


def _attention(call: Call) -> int:
    """Projections of queries, keys, values and results; a score and a share for every query and every key."""
    query, key, value = (
        call.named[name] if name in call.named else call.inputs[place]
        for place, name in enumerate(("query", "key", "value"))
    )
    width = call.layer.embed_dim
    projected = 2 * query.numel() * width + key.numel() * width + value.numel() * width
    keys = key.shape[-2] if call.layer.batch_first or key.dim() == 2 else key.shape[0]
    return int(projected + 2 * query.numel() * keys)


def _in_matrices(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters() if parameter.dim() == 2)


RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: _linear,
    nn.Bilinear: _bilinear,
    _ConvTransposeNd: _transposed_convolution,
    _ConvNd: _convolution,
    nn.RNNBase: _recurrent,
    nn.RNNCellBase: _torch_cell,
    nn.MultiheadAttention: _attention,
    ElmanCell: _cell,
    LSTMCell: _cell,
    GRUCell: _cell,
    ConvLSTMCell: _cell,
    JordanCell: _jordan,
    JordanRNN: _jordan,
    FilterBank: _convolution,
    TiledConvolution2d: _local,
    LocallyConnected1d: _local,
    LocallyConnected2d: _local,
    L2Pooling1d: _nothing,
    L2Pooling2d: _nothing,
    LocalResponseNormalisation: _nothing,
    PartialConvolution: _partial_convolution,
    RadialBasisOutput: _radial_basis,
    RestrictedBoltzmannMachine: _boltzmann,
}
ELEMENTWISE = frozenset(
    module.__name__
    for module in (
        activation, batchnorm, dropout, flatten, instancenorm, normalization, padding, pixelshuffle, pooling, sparse,
        upsampling,
    )
)  # fmt: skip
"""Modules of torch whose layers multiply no matrices; attention, which stands among activations, has its rule."""
