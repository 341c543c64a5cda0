"""Scans, all steps of a recurrent layer in one compiled call, and other things done faster than torch does them."""

from ganglion.nn.fast.dispatch import suits as suits
from ganglion.nn.fast.dropout import dropout as dropout
from ganglion.nn.fast.elman import elman_scan as elman_scan
from ganglion.nn.fast.forced import forced_reference as forced_reference
from ganglion.nn.fast.forced import forced_scores as forced_scores
from ganglion.nn.fast.gru import gru_scan as gru_scan
from ganglion.nn.fast.lstm import lstm_layer as lstm_layer
from ganglion.nn.fast.lstm import lstm_scan as lstm_scan
