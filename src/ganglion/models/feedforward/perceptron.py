"""The perceptron: one unit that draws a line, by the rule of 1958 or as a logistic unit.

Idea:
    A weighted sum of the inputs is compared with a threshold. Learning only ever adds or subtracts inputs that were
    judged wrongly; if a line separates the two classes, this finds one in a finite number of corrections. It cannot
    learn XOR, for which there is no line: that takes a hidden layer (`mlp`).

Equations:
    decision  d = 1 if w x + b > 0, else 0
    1958      w <- w + r (t - d) x,  b <- b + r (t - d)
    logistic  w <- w + r (t - s(w x + b)) x, the gradient of the cross-entropy; s(z) = 1 / (1 + exp(-z))

Networks:
    `Perceptron`: one dense unit; its output is the sum before the threshold, of which only the logistic unit's is a
    logit.

Learning rule:
    Supervised. The rule of 1958 is gradient descent on (d - t) (w x + b), with d taken as a constant.

Data it expects:
    Rows of numbers, or images, which are flattened; two classes. Columns are standardised on the training part.

What to expect:
    Exam marks: pass and fail told apart without a mistake. Where no line separates the classes the rule of 1958 never
    rests, and the weights that were best on the validation part are kept.

Departures from the paper:
    1. The first layer of fixed random connections (the association units) is left out, as is usual.
    2. With more than one sample in a batch the corrections are averaged; the paper's rule is a batch size of one.

References:
    Rosenblatt: The perceptron: a probabilistic model for information storage and organization in the brain.
    Psychological Review 65 (1958).
    Minsky and Papert: Perceptrons (1969).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, settings


@settings
class Config:
    """The perceptron."""

    in_features: Count = 3
    """Numbers that describe a sample."""
    num_classes: int = 2
    """Classes to tell apart; a single unit can tell two."""
    rule: Literal["1958", "logistic"] = "1958"
    """Rosenblatt's corrections, or gradient descent on the cross-entropy of a logistic unit."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.1)
    """How the gradient becomes an update."""


class Perceptron(nn.Module):
    """The sum w x + b `(batch, 1)` for inputs `(batch, ...)`, starting from zero weights.

    >>> import torch
    >>> Perceptron(3)(torch.ones(2, 3))
    tensor([[0.],
            [0.]], grad_fn=<AddmmBackward0>)
    """

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.unit = Linear(in_features, 1)
        # Nothing has to be told apart from a twin here, so there is no symmetry that random weights would break.
        nn.init.zeros_(self.unit.weight)
        nn.init.zeros_(self.unit.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.unit(self.flatten(inputs))


SMALL = Config()
TINY = Config(in_features=2)


def build(config: Config) -> LearningRule:
    if config.num_classes != 2:
        raise ConfigurationError(
            "a perceptron tells two classes apart",
            expected="num_classes 2",
            found=str(config.num_classes),
            remedy="`mlp` takes any number of classes",
        )
    loss = "perceptron" if config.rule == "1958" else "binary-cross-entropy"
    return Supervised(Perceptron(config.in_features), config.descent, loss=loss, measures={"accuracy": accuracy})


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_features),)}
