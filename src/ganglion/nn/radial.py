"""Radial basis functions: units that answer to how near an input is to their centre."""

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ganglion.nn.linear import Linear
from ganglion.settings import unknown_name

BasisName = Literal["gaussian", "multiquadric", "inverse-multiquadric", "thin-plate"]

BASES: dict[str, Callable[[Tensor], Tensor]] = {
    "gaussian": lambda square: torch.exp(-square / 2),  # exp(-r^2 / 2)
    "multiquadric": lambda square: (1 + square).sqrt(),  # sqrt(1 + r^2)
    "inverse-multiquadric": lambda square: (1 + square).rsqrt(),  # 1 / sqrt(1 + r^2)
    "thin-plate": lambda square: square * square.clamp_min(1e-30).log() / 2,  # r^2 log r
}
"""What a unit answers at the squared distance r^2 from its centre, in widths."""


class RadialBasisNetwork(nn.Module):
    """Outputs (batch, outputs) for inputs (batch, ...), which are flattened: z = W phi(|x - c_j| / s_j) + b.

    Centres and output weights start at zero and widths at one: a rule places them on data.

    Args:
        in_features: numbers that describe a sample.
        units: centres c_j.
        outputs: numbers in z.
        basis: phi.
        normalised: divide the answers of the units by their sum, so that they are shares.

    Source: Broomhead and Lowe, Multivariable functional interpolation and adaptive networks (1988).

    >>> network = RadialBasisNetwork(2, 5, 3)
    >>> network(torch.zeros(4, 2)).shape, network.responses(torch.zeros(1, 2))
    (torch.Size([4, 3]), tensor([[1., 1., 1., 1., 1.]], grad_fn=<ExpBackward0>))
    """

    def __init__(
        self, in_features: int, units: int, outputs: int, *, basis: BasisName = "gaussian", normalised: bool = False
    ) -> None:
        super().__init__()
        if basis not in BASES:
            raise unknown_name("basis", basis, list(get_args(BasisName)))
        self.basis, self.normalised = basis, normalised
        self.centres = nn.Parameter(torch.zeros(units, in_features))
        self.widths = nn.Parameter(torch.ones(units))
        self.output = Linear(units, outputs)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(self.responses(inputs))

    def responses(self, inputs: Tensor) -> Tensor:
        """Return phi_j, (batch, units), what every unit answers to inputs (batch, ...)."""
        square = squared_distances(inputs.flatten(1), self.centres) / self.widths.square()
        answers = BASES[self.basis](square)
        return answers / answers.sum(1, keepdim=True).clamp_min(1e-30) if self.normalised else answers

    def extra_repr(self) -> str:
        return f"basis={self.basis}, normalised={self.normalised}"


def squared_distances(points: Tensor, centres: Tensor) -> Tensor:
    """Return |x - c|^2 = |x|^2 - 2 x.c + |c|^2, (points, centres), of points (points, d) and centres (centres, d).

    >>> squared_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[25.]])
    """
    lengths = points.square().sum(1, keepdim=True) + centres.square().sum(1)
    return torch.addmm(lengths, points, centres.T, alpha=-2).clamp_min(0)


def neighbour_widths(centres: Tensor, neighbours: int, overlap: float = 1.0) -> Tensor:
    """Return s_j = overlap sqrt(mean over the nearest other centres of |c_j - c_k|^2), (centres,).

    A centre that lies on all its neighbours gets the mean width of the others, and 1 where there are none.

    Args:
        centres: (centres, d).
        neighbours: how many of the nearest count; all others where there are fewer.
        overlap: factor of the width.

    Source: Moody and Darken, Fast learning in networks of locally-tuned processing units (1989).

    >>> neighbour_widths(torch.tensor([[0.0], [1.0], [5.0]]), 1)
    tensor([1., 1., 4.])
    """
    count = min(neighbours, len(centres) - 1)
    if not count:
        return centres.new_full((len(centres),), overlap)
    square = squared_distances(centres, centres).fill_diagonal_(math.inf)
    widths = square.topk(count, largest=False).values.mean(1).sqrt()
    some = widths[widths > 0]
    return overlap * torch.where(widths > 0, widths, some.mean() if len(some) else torch.ones_like(widths))
