"""Penalties that keep a discriminator from being too steep, and clipping, which bounds its weights instead.

Each looks at the slope of the discriminator's output in its input, sample by sample. A discriminator with batch
normalisation has no such slope: there, an output depends on the other samples, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

PenaltyName = Literal["none", "gradient", "one-sided-gradient", "r1", "r2"]
Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Penalty:
    """Where the slope of a discriminator is measured, and what it costs."""

    points: Callable[[Tensor, Tensor], Tensor]
    """From real and generated samples `(batch, ...)` to the points `(batch, ...)` where the slope is measured."""
    cost: Callable[[Critic, Tensor], Tensor]
    """The mean cost of a discriminator's slopes at points."""


def between(real: Tensor, generated: Tensor) -> Tensor:
    """Return u x + (1 - u) G(z) with a u, uniform from 0 to 1, for every pair: points on the line between the two.

    All are (batch, *shape of a sample).
    """
    share = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
    return torch.lerp(generated.to(real.dtype), real, share)  # a network that computes in sixteen bits answers so


def at_real(real: Tensor, generated: Tensor) -> Tensor:
    """Return the real samples, (batch, *shape of a sample)."""
    return real


def at_generated(real: Tensor, generated: Tensor) -> Tensor:
    """Return the generated samples, (batch, *shape of a sample)."""
    return generated


def slopes(critic: Critic, points: Tensor) -> Tensor:
    """Return dD(x)/dx at every point, `(batch, values)`, itself differentiable in the parameters of D.

    Of several outputs for a sample, one for each of its patches, it is the slope of their sum.

    >>> weight = torch.tensor([3.0, 4.0])
    >>> slopes(lambda points: points @ weight, torch.zeros(2, 2))
    tensor([[3., 4.],
            [3., 4.]])
    """
    points = points.detach().requires_grad_()
    # In full precision: the slope of a slope has none to spare.
    with torch.enable_grad(), torch.autocast(points.device.type, enabled=False):
        (found,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return found.flatten(1)


def gradient_penalty(critic: Critic, points: Tensor) -> Tensor:
    """Return E[(|dD/dx| - 1)^2]: the best Wasserstein critic has slope 1 almost everywhere between the distributions.

    Source: Gulrajani et al. 2017, equation 3.

    >>> weight = torch.tensor([3.0, 4.0])  # of length 5
    >>> gradient_penalty(lambda points: points @ weight, torch.zeros(2, 2)).detach()
    tensor(16.)
    """
    return (torch.linalg.vector_norm(slopes(critic, points), dim=1) - 1).square().mean()


def one_sided_gradient_penalty(critic: Critic, points: Tensor) -> Tensor:
    """Return E[max(0, |dD/dx| - 1)^2]: only slopes above 1 are forbidden to a Wasserstein critic.

    Source: Petzka et al. 2018, equation 8.

    >>> weight = torch.tensor([0.3, 0.4])
    >>> one_sided_gradient_penalty(lambda points: points @ weight, torch.zeros(2, 2)).detach()
    tensor(0.)
    """
    return (torch.linalg.vector_norm(slopes(critic, points), dim=1) - 1).relu().square().mean()


def half_squared_slope(critic: Critic, points: Tensor) -> Tensor:
    """Return 1/2 E[|dD/dx|^2]: on real samples R1, on generated ones R2, both of weight gamma.

    Source: Mescheder et al. 2018, equations 9 and 10.

    >>> weight = torch.tensor([3.0, 4.0])
    >>> half_squared_slope(lambda points: points @ weight, torch.zeros(2, 2)).detach()
    tensor(12.5000)
    """
    return 0.5 * slopes(critic, points).square().sum(1).mean()


PENALTIES: dict[PenaltyName, Penalty] = {
    "gradient": Penalty(between, gradient_penalty),
    "one-sided-gradient": Penalty(between, one_sided_gradient_penalty),
    "r1": Penalty(at_real, half_squared_slope),
    "r2": Penalty(at_generated, half_squared_slope),
}


@torch.no_grad()
def clip_weights(network: nn.Module, limit: float) -> None:
    """Cut every parameter to [-limit, limit], so that the network cannot be steeper than some constant.

    Source: Arjovsky et al. 2017, algorithm 1.

    >>> layer = nn.Linear(1, 1)
    >>> clip_weights(layer, 0.01)
    >>> bool(layer.weight.abs() <= 0.01)
    True
    """
    parameters: list[Tensor] = list(network.parameters())
    torch._foreach_clamp_min_(parameters, -limit)
    torch._foreach_clamp_max_(parameters, limit)
