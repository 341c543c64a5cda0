"""Recurrent networks: cells are the equations of one step, `Recurrent` runs them over time.

Every network returns the outputs of all steps and the state of every cell after the last, which can be handed to the
next call; `detached` cuts the gradient there.
"""

from ganglion.nn.recurrent.cell import Cell as Cell
from ganglion.nn.recurrent.cell import State as State
from ganglion.nn.recurrent.convolutional import ConvLSTM as ConvLSTM
from ganglion.nn.recurrent.convolutional import ConvLSTMCell as ConvLSTMCell
from ganglion.nn.recurrent.elman import ElmanCell as ElmanCell
from ganglion.nn.recurrent.gru import GRUCell as GRUCell
from ganglion.nn.recurrent.jordan import JordanCell as JordanCell
from ganglion.nn.recurrent.jordan import JordanRNN as JordanRNN
from ganglion.nn.recurrent.layers import GRU as GRU
from ganglion.nn.recurrent.layers import LSTM as LSTM
from ganglion.nn.recurrent.layers import ElmanRNN as ElmanRNN
from ganglion.nn.recurrent.lstm import LSTMCell as LSTMCell
from ganglion.nn.recurrent.lstm import LSTMState as LSTMState
from ganglion.nn.recurrent.network import Recurrent as Recurrent
from ganglion.nn.recurrent.network import States as States
from ganglion.nn.recurrent.network import detached as detached
