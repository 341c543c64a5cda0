"""Scans: all steps of a recurrent layer in one call, compiled where that is possible."""

from ganglion.nn.fast.dispatch import suits as suits
from ganglion.nn.fast.lstm import lstm_scan as lstm_scan
