"""ALVINN: the network that drove a car by looking at the road.

Idea:
    A camera looks at the road, thirty rows of pixels high. Four hidden units are enough to say from that where to
    steer. The answer is not one number but a hill: each output stands for a direction, and those near the right one
    are to be active. So a fork can show two hills where one number would lead between them, and a hill's height says
    how sure the network is.

Equations:
    retina  r = (x - mean(x)) / deviation(x)                 of the pixels of one picture
    hidden  h = tanh(W1 r + b1)
    outputs a = s(W2 h + b2), with s(z) = 1 / (1 + exp(-z))
    target  t_k = exp(-d_k^2 / 10)                           d_k: outputs between output k and the right direction
    error   E = 1/2 sum_k (t_k - a_k)^2
    answer  sum_k a_k p_k / sum_k a_k, over outputs within 5 of the most active one; output k stands for direction p_k

Networks:
    `Steering`: 960 inputs, 4 hidden units and 30 outputs, 3,994 parameters. It returns W2 h + b2, before the last s.
    Where `beside` is set, a network with as many hidden units learns beside it whose one output is the direction
    itself (direct regression); the two share no weight.

Learning rule:
    Supervised, by the steering of somebody who drives. A car that errs sees views that such a driver never has, so
    pictures from beside the middle of the road must be among those that are learnt from.

Data it expects:
    Pictures with a number each, the direction to steer: a folder with a table that names its files. They become 30 x 32
    grey pixels. `road-scenes` are drawn ones, each of a bright road of its own; `mixed-road-scenes` have dark roads,
    too, and `driven-road-scenes` only the views of a driver who does not err.

What to expect:
    `road-scenes`, small form, seed 0: the direction is wrong by 2.5 degrees (that of direct regression by 2.4, that of
    the mean by 8.0), in about a minute on a CPU. On 12 roads of 300 m that nobody learnt from the car stays for 246 m,
    with direct regression for 217 m, without steering for 49 m. `driven-road-scenes`, which show hardly a way back,
    bring it 143 m, and direct regression 190 m.

Departures from the paper:
    1. Pictures are standardised one by one, and drawn roads stand for real ones.
    2. Training pictures are drawn from many places beside the road's middle, instead of turning the camera's picture.
    3. Batches of 32 and a falling learning rate; outputs reach from 0 to 1.

References:
    Pomerleau, ALVINN: An autonomous land vehicle in a neural network (1989).
    Pomerleau, Efficient training of artificial neural networks for autonomous navigation (1991).
"""

from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.losses import half_squared_error
from ganglion.rules.supervised import Supervised
from ganglion.settings import Units, above, at_least, settings

HEIGHT, WIDTH = 30, 32
NARROW = 10.0
"""What squared distances in a hill are divided by."""
NEAR = 5
"""Outputs to either side of the most active one that an answer is the mean of."""


@settings
class Config:
    """The network that steers."""

    image_size: ClassVar[tuple[int, int]] = (HEIGHT, WIDTH)
    in_channels: ClassVar[int] = 1

    hidden_features: Units = 4
    """Hidden units, each of which has a picture of weights."""
    num_directions: Annotated[int, at_least(2)] = 30
    """Outputs, each of which stands for a direction, from the sharpest turn to the left to that to the right."""
    largest_direction: Annotated[float, above(0)] = 4.0
    """Direction of the last output, in deviations of the directions of the training part, which decides it."""
    beside: bool = False
    """Whether a network of one output, the direction itself, learns beside it."""
    judged_metres: Annotated[int, at_least(20)] = 300
    """Metres of each drawn road that the network is driven along to judge it."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.05, optimizer_arguments=("momentum=0.9",))
    """How the gradient becomes an update."""


class Steering(nn.Module):
    """Outputs before the last sigmoid, (batch, directions), for pictures (batch, 1, 30, 32).

    >>> network = Steering(Config(num_directions=5, largest_direction=2.0))
    >>> network(torch.zeros(3, 1, 30, 32)).shape
    torch.Size([3, 5])
    >>> network.directions(torch.tensor([[-9.0, -9.0, -9.0, 9.0, -9.0]])).item()  # outputs stand for -2, -1, 0, 1, 2
    0.99...
    """

    places: Tensor
    """Directions that the outputs stand for, (directions,)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.main = _layers(config.hidden_features, config.num_directions)
        self.auxiliary = nn.ModuleList([_layers(config.hidden_features, 1)] if config.beside else [])
        places = torch.linspace(-config.largest_direction, config.largest_direction, config.num_directions)
        self.register_buffer("places", places, persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.main(pictures)

    def heads(self, pictures: Tensor) -> list[Tensor]:
        """Return the outputs of the network, and of the one of direct regression, (batch, 1), if that learns."""
        return [self.main(pictures), *(network(pictures) for network in self.auxiliary)]

    def hills(self, directions: Tensor) -> Tensor:
        """Return what outputs should be, (batch, directions), for directions (batch,)."""
        return hills(directions, self.places.to(directions))

    def directions(self, outputs: Tensor) -> Tensor:
        """Return the direction that outputs (batch, directions), or (batch, 1), mean, (batch,)."""
        if outputs.shape[1] == 1:
            return outputs[:, 0]
        activities = outputs.sigmoid()
        numbers = torch.arange(outputs.shape[1], device=outputs.device)
        activities = activities * ((numbers - activities.argmax(1, keepdim=True)).abs() <= NEAR)
        return (activities * self.places.to(outputs)).sum(1) / activities.sum(1)

    def weights_by_unit(self) -> tuple[Tensor, Tensor]:
        """Return the weights of each hidden unit from the retina, (units, 30, 32), and to the outputs, (units,
        directions).
        """
        first, last = (layer.weight.detach() for layer in self.main if isinstance(layer, Linear))
        return first.reshape(-1, HEIGHT, WIDTH), last.T


def hills(directions: Tensor, places: Tensor) -> Tensor:
    """Return t_k = exp(-d_k^2 / 10), (batch, outputs), d_k being how many outputs k is from a direction (batch,).

    Args:
        places: directions that outputs stand for, evenly spread, (outputs,).

    >>> hills(torch.tensor([1.0]), torch.tensor([0.0, 1.0, 2.0]))
    tensor([[0.9048, 1.0000, 0.9048]])
    """
    apart = (directions.reshape(-1, 1) - places) / (places[1] - places[0])
    return torch.exp(-apart.square() / NARROW)


def steering_error(outputs: Tensor, directions: Tensor, places: Tensor) -> Tensor:
    """Return the mean over samples of E = 1/2 sum_k (t_k - s(z_k))^2; of one output, 1/2 (direction - z)^2.

    Args:
        outputs: z, (batch, outputs).
        directions: the right ones, (batch, 1).
        places: directions that outputs stand for, (outputs,).

    >>> steering_error(torch.tensor([[3.0]]), torch.tensor([[1.0]]), torch.tensor([0.0, 1.0])).item()
    2.0
    """
    if outputs.shape[1] == 1:
        return half_squared_error(outputs, directions)
    return half_squared_error(outputs.sigmoid(), hills(directions, places.to(outputs)))


SMALL = Config(beside=True)
TINY = Config(beside=True, judged_metres=20)


def build(config: Config) -> LearningRule:
    network = Steering(config)
    loss = partial(steering_error, places=network.places)
    return Supervised(network, config.descent, loss=loss, auxiliary=1.0)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, 1, HEIGHT, WIDTH),)}


def _layers(hidden: int, outputs: int) -> nn.Sequential:
    retina = nn.LayerNorm(HEIGHT * WIDTH, elementwise_affine=False)
    return nn.Sequential(nn.Flatten(), retina, Linear(HEIGHT * WIDTH, hidden), nn.Tanh(), Linear(hidden, outputs))
