"""Whether generated samples are copies of training samples, mixtures of two of them, or neither."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

NEAR = 64
"""Training samples nearest to a sample, of which two are mixed."""
ASKED = 256
"""Training samples at most that say what is usual."""
ROUNDING = 2e-3
"""Share of the largest distance that a sample may seem to be away from itself, as distances come from products."""
Kinship = Literal["copy", "mixture", "new"]


@dataclass(frozen=True)
class Kin:
    """How near samples (batch, values) are to training samples: to the nearest one, and to the best mixture of two."""

    nearest: Tensor
    """Place of the nearest training sample, (batch,)."""
    distance: Tensor
    """To it, (batch,)."""
    mixed: Tensor
    """To the nearest point on a line between two training samples, (batch,)."""

    @classmethod
    def of(cls, samples: Tensor, training: Tensor, *, themselves: bool = False) -> "Kin":
        """Measure samples (batch, values) beside training samples (samples, values).

        With a = |x - u|^2, b = |x - v|^2 and c = |u - v|^2, the distance of x from the line between u and v is
        sqrt(a - c t^2) at t = (a + c - b) / 2c, where t lies from 0 to 1.

        Args:
            themselves: whether each sample is one of the training samples, which then does not count.
        """
        distances = torch.cdist(samples, training)
        if themselves:
            same = distances <= ROUNDING * distances.max()
            distances = distances.masked_fill(same, torch.inf)
        near, places = distances.topk(min(NEAR, training.shape[0]), largest=False)
        mixed = torch.stack([_mixed(*pair) for pair in zip(near, training[places], strict=True)])
        return cls(places[:, 0], near[:, 0], mixed)


def kinship(samples: Tensor, training: Tensor) -> list[Kinship]:
    """Return of each of samples (batch, values) what it is beside training samples (samples, values).

    A copy is twice as near to a training sample, and a mixture twice as near to a line between two, as training
    samples usually (in the median) are to others of them.

    >>> training = torch.eye(6, 8)
    >>> two = 0.5 * (training[0] + training[1])
    >>> kinship(torch.stack([training[0] + 0.01, two, torch.eye(8)[7]]), training)
    ['copy', 'mixture', 'new']
    """
    found = Kin.of(samples, training)
    own = Kin.of(training[:ASKED], training, themselves=True)
    usual, usually_mixed = own.distance.median(), own.mixed.median()
    names: list[Kinship] = []
    for distance, mixed in zip(found.distance, found.mixed, strict=True):
        names.append("copy" if distance < usual / 2 else "mixture" if mixed < usually_mixed / 2 else "new")
    return names


def _mixed(near: Tensor, training: Tensor) -> Tensor:
    """Return the distance () from the best line between two of training samples (near, values), these far (near,)."""
    known = torch.isfinite(near)
    squares, apart = near[known].square(), torch.cdist(training[known], training[known]).square()
    share = (squares[:, None] + apart - squares) / (2 * apart.clamp(min=1e-12))
    off = (squares[:, None] - apart * share.clamp(0, 1).square()).clamp(min=0).sqrt()
    inside = (share > 0) & (share < 1) & (apart > 1e-12)
    return torch.cat([off[inside], near[known][:1]]).min()
