"""Recurrent layers by the name of their cell, for configurations."""

from typing import Literal, Unpack

from ganglion.errors import ConfigurationError
from ganglion.nn.recurrent import GRU, LSTM, ElmanRNN, Recurrent
from ganglion.nn.recurrent.gates import Slope
from ganglion.nn.recurrent.network import Options
from ganglion.settings import unknown_name

CellName = Literal["elman", "lstm", "peephole-lstm", "gru"]


def recurrent_layers(
    cell: CellName,
    in_features: int,
    hidden_features: int,
    num_layers: int = 1,
    *,
    bidirectional: bool = False,
    gate_slope: float = 1.0,
    learned_slope: bool = False,
    **options: Unpack[Options],
) -> Recurrent:
    """Return recurrent layers of a kind of cell; `Recurrent` says what the options mean, and `LSTMCell` the slopes.

    Raises `ConfigurationError` for a name that no cell has, or for slopes of a cell that has no gates.

    >>> type(recurrent_layers("gru", 3, 8)).__name__
    'GRU'
    """
    sizes = (in_features, hidden_features, num_layers)
    steep = Slope(gate_slope=gate_slope, learned_slope=learned_slope)
    match cell:
        case "elman":
            if gate_slope != 1 or learned_slope:
                raise ConfigurationError(
                    "cells without gates have no slope of theirs",
                    where="gate_slope",
                    expected="lstm, peephole-lstm or gru as cell",
                    found="elman",
                )
            return ElmanRNN(*sizes, bidirectional=bidirectional, **options)
        case "lstm" | "peephole-lstm":
            return LSTM(*sizes, peepholes=cell != "lstm", **steep, bidirectional=bidirectional, **options)
        case "gru":
            return GRU(*sizes, **steep, bidirectional=bidirectional, **options)
    raise unknown_name("cell", cell, ["elman", "lstm", "peephole-lstm", "gru"])
