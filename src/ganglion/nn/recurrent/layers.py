"""The recurrent networks of the literature, and their conversion from and to those of torch."""

from typing import Any, Literal, Self, TypeVar, Unpack

import torch
from torch import Tensor, nn

from ganglion.errors import UsageError
from ganglion.nn.recurrent.cell import Cell
from ganglion.nn.recurrent.elman import ElmanCell
from ganglion.nn.recurrent.gates import Slope
from ganglion.nn.recurrent.gru import GRUCell
from ganglion.nn.recurrent.lstm import LSTMCell
from ganglion.nn.recurrent.network import Options, Recurrent, stack_cells

Network = TypeVar("Network", bound=Recurrent)
Module = TypeVar("Module", bound=nn.RNNBase)


class ElmanRNN(Recurrent):
    """Simple recurrent network: h_t = f(W x_t + U h_{t-1} + b).

    Args:
        in_features: width of the input at each step.
        hidden_features: width of every layer.
        num_layers: layers on top of each other.
        nonlinearity: f.
        bidirectional: read each sequence from its end as well.
        options: `Recurrent` says what they mean.

    Source: Elman, Finding structure in time (1990).

    >>> outputs, ((hidden,),) = ElmanRNN(3, 8)(torch.zeros(5, 60, 3))
    >>> outputs.shape, hidden.shape
    (torch.Size([5, 60, 8]), torch.Size([5, 8]))
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bidirectional: bool = False,
        **options: Unpack[Options],
    ) -> None:
        def make(width: int) -> Cell:
            return ElmanCell(width, hidden_features, nonlinearity)

        cells = stack_cells(make, in_features, num_layers, bidirectional, options.get("merge"))
        super().__init__(*cells, **options)

    @classmethod
    def from_torch(cls, module: nn.RNN) -> Self:
        """Return the network that computes what a `torch.nn.RNN` computes; its two biases become their sum."""
        nonlinearity: Literal["tanh", "relu"] = "relu" if module.nonlinearity == "relu" else "tanh"
        network = cls(*_sizes(module), nonlinearity=nonlinearity, **_options(module))
        return _filled(network, module)

    def to_torch(self) -> nn.RNN:
        """Return the `torch.nn.RNN` that computes the same; its second bias is zero."""
        cell = self.layers[0]
        assert isinstance(cell, ElmanCell)
        return _read_out(self, nn.RNN(**_torch_options(self), nonlinearity=cell.nonlinearity))


class LSTM(Recurrent):
    """Layers of long short-term memory; the equations stand at `LSTMCell`.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of every layer.
        num_layers: layers on top of each other.
        peepholes: let the gates see the cell.
        forget_bias: initial bias of the forget gates.
        gate_slope: slope of the sigmoid in the gates.
        learned_slope: learn that of each gate of each layer.
        bidirectional: read each sequence from its end as well.
        options: `Recurrent` says what they mean.

    >>> lstm = LSTM(3, 8, num_layers=2)
    >>> outputs, state = lstm(torch.zeros(5, 60, 3))
    >>> outputs.shape, state[-1].hidden.shape
    (torch.Size([5, 60, 8]), torch.Size([5, 8]))
    >>> sum(parameter.numel() for parameter in lstm.parameters()) == 4 * 8 * ((3 + 8 + 1) + (8 + 8 + 1))
    True
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        peepholes: bool = False,
        forget_bias: float = 1.0,
        gate_slope: float = 1.0,
        learned_slope: bool = False,
        bidirectional: bool = False,
        **options: Unpack[Options],
    ) -> None:
        def make(width: int) -> Cell:
            steep = Slope(gate_slope=gate_slope, learned_slope=learned_slope)
            return LSTMCell(width, hidden_features, peepholes=peepholes, forget_bias=forget_bias, **steep)

        cells = stack_cells(make, in_features, num_layers, bidirectional, options.get("merge"))
        super().__init__(*cells, **options)

    @classmethod
    def from_torch(cls, module: nn.LSTM) -> Self:
        """Return the network that computes what a `torch.nn.LSTM` computes; its two biases become their sum."""
        return _filled(cls(*_sizes(module), **_options(module)), module)

    def to_torch(self) -> nn.LSTM:
        """Return the `torch.nn.LSTM` that computes the same; its second bias is zero."""
        if any(isinstance(cell, LSTMCell) and cell.peepholes is not None for cell in self.cells):
            raise _cannot_convert("a network without peepholes")
        return _read_out(self, nn.LSTM(**_torch_options(self)))


class GRU(Recurrent):
    """Layers of gated recurrent units; the equations stand at `GRUCell`.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of every layer.
        num_layers: layers on top of each other.
        reset_after: apply the reset gate after the recurrent product, as `torch.nn.GRU`, or before it.
        gate_slope: slope of the sigmoid in the gates.
        learned_slope: learn that of each gate of each layer.
        bidirectional: read each sequence from its end as well.
        options: `Recurrent` says what they mean.

    >>> outputs, state = GRU(3, 8, bidirectional=True)(torch.zeros(5, 60, 3))
    >>> outputs.shape, len(state)
    (torch.Size([5, 60, 16]), 2)
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        reset_after: bool = True,
        gate_slope: float = 1.0,
        learned_slope: bool = False,
        bidirectional: bool = False,
        **options: Unpack[Options],
    ) -> None:
        def make(width: int) -> Cell:
            steep = Slope(gate_slope=gate_slope, learned_slope=learned_slope)
            return GRUCell(width, hidden_features, reset_after=reset_after, **steep)

        cells = stack_cells(make, in_features, num_layers, bidirectional, options.get("merge"))
        super().__init__(*cells, **options)

    @classmethod
    def from_torch(cls, module: nn.GRU) -> Self:
        """Return the network that computes what a `torch.nn.GRU` computes; biases that only act as a sum become it."""
        return _filled(cls(*_sizes(module), **_options(module)), module)

    def to_torch(self) -> nn.GRU:
        """Return the `torch.nn.GRU` that computes the same; of its second bias only the candidate's is not zero."""
        if any(isinstance(cell, GRUCell) and not cell.reset_after for cell in self.cells):
            raise _cannot_convert("a network with the reset after the product")
        return _read_out(self, nn.GRU(**_torch_options(self)))


def _cannot_convert(expected: str) -> UsageError:
    return UsageError("torch has no network that computes the same", expected=expected)


def _sizes(module: nn.RNNBase) -> tuple[int, int, int]:
    return module.input_size, module.hidden_size, module.num_layers


def _options(module: nn.RNNBase) -> dict[str, Any]:
    if module.proj_size:
        raise UsageError("cannot convert this torch.nn.LSTM", expected="no projection", found=str(module))
    return {"bidirectional": module.bidirectional, "batch_first": module.batch_first, "dropout": module.dropout}


def _torch_options(network: Recurrent) -> dict[str, Any]:
    if network.merges or network.initial_states or network.recurrent_dropout or network.returns == "last":
        raise _cannot_convert("directions concatenated, all outputs, no learnt state, no dropout within layers")
    first = network.layers[0]
    return {
        "input_size": first.in_features,
        "hidden_size": first.state_features[0],
        "num_layers": len(network.layers),
        "bidirectional": bool(network.backward_layers),
        "batch_first": network.batch_first,
        # torch warns about dropout in a single layer, where there is nothing between layers to drop.
        "dropout": network.dropout if len(network.layers) > 1 else 0.0,
    }


@torch.no_grad()
def _filled(network: Network, module: nn.RNNBase) -> Network:
    """Give a network the weights, type, device and mode of torch's."""
    network.to(module.all_weights[0][0]).train(module.training)
    for cell, (input_weight, recurrent_weight, *biases) in zip(network.cells, module.all_weights, strict=True):
        for ours, theirs in zip(cell.parameters(), (input_weight, recurrent_weight), strict=False):
            ours.copy_(theirs)
        _fill_biases(cell, *(biases or (torch.zeros(()), torch.zeros(()))))
    return network


def _fill_biases(cell: Any, first: Tensor, second: Tensor) -> None:
    first, second = first.expand_as(cell.bias), second.expand_as(cell.bias)
    cell.bias.copy_(first + second)
    if isinstance(cell, GRUCell) and cell.recurrent_bias is not None:
        width = len(cell.recurrent_bias)
        cell.bias[-width:] = first[-width:]
        cell.recurrent_bias.copy_(second[-width:])


@torch.no_grad()
def _read_out(network: Recurrent, module: Module) -> Module:
    """Give torch's network the weights, type, device and mode of ours."""
    module.to(next(network.parameters())).train(network.training)
    for cell, theirs in zip(network.cells, module.all_weights, strict=True):
        second = torch.zeros_like(theirs[3])
        if isinstance(cell, GRUCell) and cell.recurrent_bias is not None:
            second[-len(cell.recurrent_bias) :] = cell.recurrent_bias
        acting = cell.weights if isinstance(cell, LSTMCell | GRUCell) else list(cell.parameters())
        for weight, ours in zip(theirs, (*acting[:3], second), strict=True):
            weight.copy_(ours)
    return module
