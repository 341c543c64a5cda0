"""Scans: all steps of a recurrent layer in one call, compiled where that is possible."""

from ganglion.nn.fast.dispatch import suits as suits
from ganglion.nn.fast.elman import elman_scan as elman_scan
from ganglion.nn.fast.gru import gru_scan as gru_scan
from ganglion.nn.fast.lstm import lstm_scan as lstm_scan
