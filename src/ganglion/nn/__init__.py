"""Layers, activations and initial weights: plain torch modules and functions, without a loss or an optimizer."""

from ganglion.fast.dropout import dropout as dropout
from ganglion.nn.activations import Maxout as Maxout
from ganglion.nn.activations import activation as activation
from ganglion.nn.activations import probabilities as probabilities
from ganglion.nn.convolution import check_images as check_images
from ganglion.nn.convolution import output_size as output_size
from ganglion.nn.convolution import same_padding as same_padding
from ganglion.nn.dense import dense_layers as dense_layers
from ganglion.nn.initialisers import initialise as initialise
from ganglion.nn.inputs import FlatInputs as FlatInputs
from ganglion.nn.inputs import RunningStandardisation as RunningStandardisation
from ganglion.nn.lenet import PartialConvolution as PartialConvolution
from ganglion.nn.lenet import RadialBasisOutput as RadialBasisOutput
from ganglion.nn.lenet import ScaledTanh as ScaledTanh
from ganglion.nn.lenet import Subsampling as Subsampling
from ganglion.nn.lenet import character_codes as character_codes
from ganglion.nn.linear import Linear as Linear
from ganglion.nn.recurrent import GRU as GRU
from ganglion.nn.recurrent import LSTM as LSTM
from ganglion.nn.recurrent import Cell as Cell
from ganglion.nn.recurrent import ConvLSTM as ConvLSTM
from ganglion.nn.recurrent import ElmanRNN as ElmanRNN
from ganglion.nn.recurrent import JordanRNN as JordanRNN
from ganglion.nn.recurrent import Recurrent as Recurrent
from ganglion.nn.sequential import Sequential as Sequential
from ganglion.nn.spectral import spectrally_normalised as spectrally_normalised
