"""The network of a well-known course that tells from a small picture which way a face looks.

Idea:
    Three hidden units are enough to tell four poses apart, and few enough that one can look at what each has learnt:
    its weights, one for each pixel, are a picture. They start at zero, so whatever the picture shows was learnt.

Equations:
    hidden  h = s(W1 x + b1), with s(z) = 1 / (1 + exp(-z)) and W1 = 0, b1 = 0 at the start
    output  o = s(W2 h + b2)
    error   E = 1/2 sum_k (t_k - o_k)^2, with t_k = 0.9 for the class of the picture and 0.1 for the others
    update  D w(n) = -eta dE/dw + alpha D w(n - 1), with eta = alpha = 0.3

Networks:
    `FacePose`: 960 inputs, one for each pixel of a picture of 30 x 32, 3 hidden units, 4 outputs. It returns
    W2 h + b2, before the last s, which is the same order of classes.

Learning rule:
    Supervised, one picture after the other. Targets of 0.1 and 0.9 can be reached; 0 and 1 would let weights grow
    for ever. Values, such as the angle of a face, are o = W2 h + b2 without the last s, learnt by the same error;
    labels are learnt by binary cross-entropy.

Data it expects:
    Grey images with classes; they become 30 x 32 pixels from 0 to 1, each the mean of those that it covers. `faces`
    are drawn faces of those sizes.

What to expect:
    Drawn faces: about 95 % of the test part in seconds. The book reports 90 % for 260 photographs of 20 people; the
    photographs of the lists `all_train` and `all_test1` bring 95 % of `all_test2`. With `hidden_features` 20 and the
    names of the people as classes, the same network learns who it is.

Departures from the paper:
    1. Weights of the outputs start between -0.5 and 0.5; the book says only that they were small.

References:
    Mitchell: Machine Learning (1997), section 4.7.
"""

from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.losses import Loss, half_squared_error
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, Share, Units, settings

HEIGHT, WIDTH = 30, 32
OUTPUT_RANGE = 0.5
"""Weights of the outputs start between this and its negative."""


@settings
class Config(OutputSettings):
    """The network that tells the pose of a face."""

    image_size: ClassVar[tuple[int, int]] = (HEIGHT, WIDTH)
    in_channels: ClassVar[int] = 1

    num_classes: Count | None = 4
    """Classes to tell apart, one output each; none where labels or values are predicted."""
    hidden_features: Units = 3
    """Hidden units, each of which has a picture of weights."""
    low_target: Share = 0.1
    """What an output should be for a picture of another class."""
    high_target: Share = 0.9
    """What an output should be for a picture of its class."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.3, optimizer_arguments=("momentum=0.3",))
    """How the gradient becomes an update."""

    def __post_init__(self) -> None:
        if self.low_target >= self.high_target:
            raise ConfigurationError(
                "the target of a picture's class is not above that of other classes",
                expected="low_target below high_target",
                found=f"{self.low_target} and {self.high_target}",
                remedy="leave them at 0.1 and 0.9",
            )
        if self.label_smoothing and self.loss == "auto":
            raise ConfigurationError(
                "the error of this network has its own targets in place of smoothed ones",
                where="label_smoothing",
                expected="low_target and high_target",
                found=str(self.label_smoothing),
                remedy="leave label_smoothing out, or choose the loss cross-entropy",
            )


class FacePose(nn.Module):
    """Outputs before the last sigmoid, or values, `(batch, outputs)`, for images `(batch, 1, 30, 32)`.

    >>> FacePose(hidden_features=3, outputs=4)(torch.zeros(2, 1, 30, 32)).shape
    torch.Size([2, 4])
    """

    def __init__(self, hidden_features: int, outputs: int) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.hidden = Linear(HEIGHT * WIDTH, hidden_features)
        self.squash = nn.Sigmoid()
        self.output = Linear(hidden_features, outputs)
        # Units that start alike become different, because the outputs weigh them differently.
        for start in (self.hidden.weight, self.hidden.bias, self.output.bias):
            nn.init.zeros_(start)
        nn.init.uniform_(self.output.weight, -OUTPUT_RANGE, OUTPUT_RANGE)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.squash(self.hidden(self.flatten(images))))


def pose_error(outputs: Tensor, targets: Tensor, low: float, high: float) -> Tensor:
    """Return the mean over samples of E = 1/2 sum_k (t_k - s(z_k))^2, with t_k `high` for the class, else `low`.

    Args:
        outputs: z, (batch, classes).
        targets: class numbers, (batch,).

    >>> round(pose_error(torch.zeros(1, 2), torch.tensor([1]), low=0.1, high=0.9).item(), 6)  # 1/2 (0.4^2 + 0.4^2)
    0.16
    """
    aims = torch.full_like(outputs, low).scatter(1, targets.unsqueeze(1), high)
    return half_squared_error(torch.sigmoid(outputs), aims)


SMALL = Config()
TINY = Config(num_classes=3)


def build(config: Config) -> LearningRule:
    loss: Loss | None = None
    if config.loss == "auto" and config.num_classes is None:
        loss = half_squared_error
    elif config.loss == "auto":
        loss = partial(pose_error, low=config.low_target, high=config.high_target)
    return supervised(FacePose(config.hidden_features, config.outputs), config, config.descent, loss=loss)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, 1, HEIGHT, WIDTH),)}
