"""Recurrent layers by the name of their cell, for configurations."""

from typing import Literal, Unpack

from ganglion.nn.recurrent import GRU, LSTM, ElmanRNN, Recurrent
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
    **options: Unpack[Options],
) -> Recurrent:
    """Return recurrent layers of a kind of cell; `Recurrent` says what the options mean.

    Raises `ConfigurationError` for a name that no cell has.

    >>> type(recurrent_layers("gru", 3, 8)).__name__
    'GRU'
    """
    sizes = (in_features, hidden_features, num_layers)
    match cell:
        case "elman":
            return ElmanRNN(*sizes, bidirectional=bidirectional, **options)
        case "lstm" | "peephole-lstm":
            return LSTM(*sizes, peepholes=cell != "lstm", bidirectional=bidirectional, **options)
        case "gru":
            return GRU(*sizes, bidirectional=bidirectional, **options)
    raise unknown_name("cell", cell, ["elman", "lstm", "peephole-lstm", "gru"])
