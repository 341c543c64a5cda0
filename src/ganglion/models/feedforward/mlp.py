"""The multi-layer perceptron: dense layers of any depth and width, for classes or values.

Idea:
    Hidden layers re-describe the input until the last layer, which is linear, can read the answer off. The error is
    sent back through the layers by the chain rule; each weight is told how it contributed.

Equations:
    hidden    a_l = W_l h_(l-1) + b_l,  h_l = f(a_l), with h_0 = x
    output    z = W_L h_(L-1) + b_L
    backward  d_l = (W_(l+1)^T d_(l+1)) f'(a_l),  dE/dW_l = d_l h_(l-1)^T

Networks:
    `MLP`: dense layers with an activation and dropout between them, and batch normalisation where asked for. It returns
    logits z, or values; probabilities are `ganglion.nn.probabilities(z)`, the softmax, or the logistic function where
    there is a single logit.

Learning rule:
    Supervised: cross-entropy for several classes, binary cross-entropy of a single logit for two, squared error for
    values, all on z; labels by binary cross-entropy, each a logit of its own.

Data it expects:
    Rows of numbers with classes, values, or labels of which any number may hold; images are flattened. Columns are
    standardised on the training part.

What to expect:
    scikit-learn's digits: about 97 % of the test part after the default run, in seconds on a CPU. MNIST: the published
    form, 784-300-100-10, makes about 2.5 % of mistakes (3.05 % in LeCun et al.). XOR is solved by a handful of hidden
    units.

Departures from the paper:
    1. Today's defaults (rectifier, He's initial weights, Adam); the network of 1986 has `activation=sigmoid`,
       `initialiser=uniform` and `optimizer=sgd` with momentum.
    2. Dropout rescales while training, so that nothing changes when it is switched off.
    3. Layers of 300 and 100 units are those of LeCun et al.; the networks of 1986 had a handful of units.

References:
    Rumelhart, Hinton, Williams: Learning representations by back-propagating errors. Nature 323 (1986).
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition. Proceedings of the IEEE
    86 (1998), for the published form.
    Srivastava et al.: Dropout: a simple way to prevent neural networks from overfitting. JMLR 15 (2014).
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.activations import ActivationName, SearchedActivation
from ganglion.nn.dense import dense_layers
from ganglion.nn.initialisers import InitialiserName
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, Dropout, Share, Widths, at_least, settings


@settings
class Config(OutputSettings):
    """The multi-layer perceptron."""

    in_features: Count = 784
    """Numbers that describe a sample."""
    num_classes: Annotated[int, at_least(2)] | None = 10
    """Classes to tell apart; two share a single logit; none where labels or values are predicted."""
    hidden_features: Widths = (300, 100)
    """Width of every hidden layer; none makes the network linear."""
    activation: SearchedActivation = "relu"
    """Function of the hidden layers."""
    activations: tuple[ActivationName, ...] = ()
    """Function of each hidden layer, where they differ; as many as there are hidden layers."""
    batch_norm: bool = False
    """Standardise the features of hidden layers over the batch, before their function."""
    bias: bool = True
    """Add a number of its own to every unit's sum."""
    initialiser: InitialiserName = "he-normal"
    """How the weights start; biases start at zero."""
    pieces: Count = 2
    """Linear functions that each feature of a maxout layer is the largest of."""
    dropout: Dropout = 0.0
    """Share of hidden features that is dropped while training."""
    dropouts: tuple[Share, ...] = ()
    """Share of the features of each hidden layer, where they differ; as many as there are hidden layers."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How the gradient becomes an update."""

    def __post_init__(self) -> None:
        if self.loss == "cross-entropy" and (self.num_classes or 0) < 3:
            raise ConfigurationError(
                "the cross-entropy of a softmax needs three classes or more",
                remedy="leave loss at auto: two classes have one logit and the binary cross-entropy",
            )

    @property
    def outputs(self) -> int:
        return 1 if self.num_classes == 2 else super().outputs


class MLP(nn.Module):
    """Outputs `(batch, logits or values)` for inputs `(batch, ...)`, which are flattened.

    >>> import torch
    >>> MLP(Config(in_features=4, hidden_features=(8, 8), num_classes=3))(torch.zeros(2, 2, 2)).shape
    torch.Size([2, 3])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers = dense_layers(
            [config.in_features, *config.hidden_features, config.outputs],
            activation_name=config.activations or config.activation,
            initialiser_name=config.initialiser,
            dropout=config.dropouts or config.dropout,
            pieces=config.pieces,
            batch_norm=config.batch_norm,
            bias=config.bias,
        )
        self.layers = nn.Sequential(nn.Flatten(), *layers)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


SMALL = Config(hidden_features=(128, 64))
TINY = Config(in_features=2, num_classes=2, hidden_features=(16,), descent=Descent(learning_rate=2e-2))


def build(config: Config) -> LearningRule:
    return supervised(MLP(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_features),)}
