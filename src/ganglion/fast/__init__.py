"""Scans, all steps of a recurrent layer in one compiled call, and other things done faster than torch does them."""

from ganglion.fast.dispatch import suits as suits
from ganglion.fast.dropout import dropout as dropout
from ganglion.fast.forced import forced_reference as forced_reference
from ganglion.fast.forced import forced_scores as forced_scores
from ganglion.fast.scans.elman import elman_scan as elman_scan
from ganglion.fast.scans.gru import gru_scan as gru_scan
from ganglion.fast.scans.lstm import lstm_layer as lstm_layer
from ganglion.fast.scans.lstm import lstm_scan as lstm_scan
