"""Games by name: what a discriminator pays for its outputs on real and on generated samples, and what a generator pays.

Every loss is a mean over the discriminator's outputs, of any shape: one number for a sample, or a map of them for its
patches. Letters: a = D(x) before any squashing (a logit where the game speaks of probabilities), x real samples,
G(z) generated ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

GameName = Literal["non-saturating", "minimax", "wasserstein", "hinge", "least-squares"]
Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Game:
    """The losses of both players, each from outputs of the discriminator."""

    real: Loss
    """What the discriminator pays for its outputs on real samples."""
    generated: Loss
    """What the discriminator pays for its outputs on generated samples."""
    generator: Loss
    """What the generator pays for the discriminator's outputs on its samples."""
    score: Loss
    """The mean of what the outputs stand for: probabilities of being real, or the outputs themselves."""


def game(name: GameName, real_label: float = 1.0) -> Game:
    """Return a game by name.

    Args:
        real_label: what the discriminator is asked to say of real samples. Below 1 it is one-sided label smoothing:
            generated samples keep the label 0, since smoothing both would reward samples where there is no data. Games
            without labels, `wasserstein` and `hinge`, take no notice.

    Source: Salimans et al. 2016, section 3.4, for the label; each loss names its own.

    >>> logits = torch.zeros(4)
    >>> game("minimax").real(logits), game("least-squares").generator(logits)
    (tensor(0.6931), tensor(0.5000))
    """
    on_real = partial(cross_entropy_on_real, label=real_label)
    match name:
        case "non-saturating":
            return Game(on_real, cross_entropy_on_generated, non_saturating_loss, mean_probability)
        case "minimax":
            return Game(on_real, cross_entropy_on_generated, minimax_loss, mean_probability)
        case "wasserstein":
            return Game(negative_mean, torch.mean, negative_mean, torch.mean)
        case "hinge":
            return Game(hinge_on_real, hinge_on_generated, negative_mean, torch.mean)
        case "least-squares":
            return Game(partial(squares, label=real_label), partial(squares, label=0.0), squares, torch.mean)


def cross_entropy_on_real(logits: Tensor, label: float = 1.0) -> Tensor:
    """Return -E[y log D(x) + (1 - y) log(1 - D(x))], a single number; D is the sigmoid of the logits and y the label.

    Source: Goodfellow et al. 2014, equation 1, with y = 1.

    >>> cross_entropy_on_real(torch.zeros(4), label=0.9)
    tensor(0.6931)
    """
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def cross_entropy_on_generated(logits: Tensor) -> Tensor:
    """Return -E[log(1 - D(G(z)))], a single number, of logits of any shape.

    Source: Goodfellow et al. 2014, equation 1.

    >>> cross_entropy_on_generated(torch.zeros(4))
    tensor(0.6931)
    """
    return F.softplus(logits).mean()


def minimax_loss(logits: Tensor) -> Tensor:
    """Return E[log(1 - D(G(z)))], a single number; its gradient vanishes where the discriminator is sure of itself.

    Source: Goodfellow et al. 2014, equation 1.

    >>> minimax_loss(torch.zeros(4))
    tensor(-0.6931)
    """
    return -F.softplus(logits).mean()


def non_saturating_loss(logits: Tensor) -> Tensor:
    """Return -E[log D(G(z))], a single number: the fixed point of minimax, but a strong gradient for bad samples.

    Source: Goodfellow et al. 2014, section 3.

    >>> non_saturating_loss(torch.zeros(4))
    tensor(0.6931)
    """
    return F.softplus(-logits).mean()


def negative_mean(outputs: Tensor) -> Tensor:
    """Return -E[a].

    On real samples what a Wasserstein critic pays, together with +E[a] on generated ones: minus the two, maximised over
    all functions of slope at most 1, is the Wasserstein distance of the distributions. On generated samples what a
    generator pays, in that game and in the hinge game.

    Source: Arjovsky et al. 2017, equation 3.

    >>> negative_mean(torch.tensor([1.0, 2.0]))
    tensor(-1.5000)
    """
    return -outputs.mean()


def hinge_on_real(outputs: Tensor) -> Tensor:
    """Return E[max(0, 1 - a)]: an output above 1 costs nothing and is pushed no further.

    Source: Lim and Ye 2017, section 3; Miyato et al. 2018, equation 16.

    >>> hinge_on_real(torch.tensor([-1.0, 0.5, 3.0]))
    tensor(0.8333)
    """
    return F.relu(1 - outputs).mean()


def hinge_on_generated(outputs: Tensor) -> Tensor:
    """Return E[max(0, 1 + a)].

    Source: Lim and Ye 2017, section 3; Miyato et al. 2018, equation 16.

    >>> hinge_on_generated(torch.tensor([1.0, -0.5, -3.0]))
    tensor(0.8333)
    """
    return F.relu(1 + outputs).mean()


def squares(outputs: Tensor, label: float = 1.0) -> Tensor:
    """Return 1/2 E[(a - y)^2], y the label: 1 for real samples, 0 for generated ones, 1 for what the generator wants.

    Source: Mao et al. 2017, equation 9.

    >>> squares(torch.tensor([1.0, 3.0])), squares(torch.tensor([1.0, 3.0]), label=0.0)
    (tensor(1.), tensor(2.5000))
    """
    return 0.5 * (outputs - label).square().mean()


def mean_probability(logits: Tensor) -> Tensor:
    """Return E[sigmoid(a)], a single number: the mean probability of being real."""
    return logits.sigmoid().mean()
