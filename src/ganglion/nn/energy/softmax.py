"""The restricted Boltzmann machine of ratings: visible units that show one of some levels, or nothing.

Letters: v visible units, h hidden units, a and b their biases, W weights between them.
"""

from typing import final

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ganglion.errors import ShapeError
from ganglion.nn.energy.restricted import sample_bernoulli

IMAGINED = 10.0
"""Ratings as everybody's that a column is given on top of its own, so that few of them say little."""


@final
class SoftmaxRBM(nn.Module):
    """Restricted Boltzmann machine whose visible units show one of K levels each, and of which any may be missing.

    With v_i^k = 1 where column i shows level k, over the columns that a row knows:

    E(v, h) = -sum_ik a_i^k v_i^k - b.h - sum_ijk h_j W_ij^k v_i^k
    p(v_i^k = 1 | h) = exp(a_i^k + sum_j h_j W_ij^k) / sum_l exp(a_i^l + sum_j h_j W_ij^l)
    p(h_j = 1 | v) = sigmoid(b_j + sum_ik W_ij^k v_i^k)

    Every row is a machine of its own, of the columns that it knows, and all share weights and biases. Rows, (rows,
    columns), hold levels from 1 to K, and 0 where unknown. As a network it maps them to the mean level of every column
    for hidden units at their means, from 0 for the lowest to 1 for the highest.

    Args:
        columns: visible units.
        levels: K, at least 2.
        num_hidden: units that explain the data.
        deviation: standard deviation of the initial weights.

    References:
        Salakhutdinov, Mnih, Hinton (2007), Restricted Boltzmann machines for collaborative filtering.

    >>> machine = SoftmaxRBM(columns=17770, levels=5, num_hidden=100)
    >>> sum(parameter.numel() for parameter in machine.parameters())
    8973950
    >>> machine(torch.tensor([[5.0] + [0.0] * 17769])).shape
    torch.Size([1, 17770])
    """

    def __init__(self, columns: int, levels: int, num_hidden: int, *, deviation: float = 0.01) -> None:
        super().__init__()
        self.num_visible, self.levels, self.num_hidden = columns, levels, num_hidden
        self.weight = nn.Parameter(torch.randn(num_hidden, columns * levels) * deviation)
        self.visible_bias = nn.Parameter(torch.zeros(columns * levels))
        self.hidden_bias = nn.Parameter(torch.zeros(num_hidden))

    def extra_repr(self) -> str:
        return f"columns={self.num_visible}, levels={self.levels}, num_hidden={self.num_hidden}"

    def forward(self, rows: Tensor) -> Tensor:
        """Return E[level | h] for h at its mean given the known levels, (rows, columns), from 0 to 1."""
        logits = self._logits(self.hidden_probabilities(rows))  # (rows, columns, levels)
        places = torch.linspace(0, 1, self.levels, dtype=logits.dtype, device=logits.device)
        return logits.softmax(-1) @ places

    def shown(self, rows: Tensor) -> Tensor:
        """Return v, (rows, columns * levels): 1 where a column shows a level, 0 in all its levels where unknown."""
        if rows.shape[-1] != self.num_visible:
            raise ShapeError(
                "these rows do not have the columns of the machine",
                expected=f"(rows, {self.num_visible})",
                found=str(tuple(rows.shape)),
            )
        shown = self.weight.new_zeros(*rows.shape, self.levels + 1)
        return shown.scatter_(2, rows.long().unsqueeze(-1), 1.0)[..., 1:].flatten(1)

    def hidden_probabilities(self, rows: Tensor) -> Tensor:
        """Return p(h = 1 | v), (rows, hidden units)."""
        return torch.sigmoid(F.linear(self.shown(rows), self.weight, self.hidden_bias))

    def energy(self, rows: Tensor, hidden: Tensor) -> Tensor:
        """Return E(v, h) of every row, for hidden units (rows, hidden units)."""
        shown = self.shown(rows)
        return -(shown @ self.visible_bias) - (hidden * F.linear(shown, self.weight, self.hidden_bias)).sum(-1)

    def free_energy(self, rows: Tensor) -> Tensor:
        """Return F(v) = -log sum_h exp(-E(v, h)) of every row."""
        shown = self.shown(rows)
        return -(shown @ self.visible_bias) - F.softplus(F.linear(shown, self.weight, self.hidden_bias)).sum(-1)

    def free_energy_gradients(self, rows: Tensor, shares: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return sum_n share_n F(v_n) and its gradients in the order of `parameters()`; shares are (rows,)."""
        shown = self.shown(rows)
        hidden_input = F.linear(shown, self.weight, self.hidden_bias)
        total = -shares @ (shown @ self.visible_bias + F.softplus(hidden_input).sum(-1))
        activity = torch.sigmoid(hidden_input) * -shares.unsqueeze(-1)
        return total, (activity.T @ shown, -shares @ shown, activity.sum(0))

    def gibbs_step(self, rows: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw all hidden units given the rows, (rows, columns), then the levels that are known given those."""
        return self._moved(rows, rows.new_ones(len(rows), 1), generator)[0]

    def tempered_step(
        self, rows: Tensor, coldness: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Move rows a step along chains of p ~ exp(-coldness E), coldness (rows,); return them and E."""
        moved, hidden = self._moved(rows, coldness.unsqueeze(-1), generator)
        return moved, self.energy(moved, hidden)

    def _moved(self, rows: Tensor, beta: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """Return rows a step on, and the hidden units that drew them, at coldnesses (rows, 1)."""
        hidden_input = F.linear(self.shown(rows), self.weight, self.hidden_bias)
        hidden = sample_bernoulli(torch.sigmoid(beta * hidden_input), generator)
        there, which = rows.nonzero(as_tuple=True)
        chances = (self._logits(hidden)[there, which] * beta[there]).softmax(-1)  # (known, levels)
        drawn = torch.multinomial(chances, 1, generator=generator).squeeze(1) + 1
        moved = torch.zeros_like(rows).index_put((there, which), drawn.to(rows.dtype))
        return moved, hidden

    @torch.no_grad()
    def match_means(self, rows: Tensor) -> None:
        """Set a to the logarithms of how often each column shows each level, (rows, columns), little known ones near
        how often all do.
        """
        counts = self.shown(rows).sum(0).view(self.num_visible, self.levels)
        usual = (counts.sum(0) + 1) / (counts.sum() + self.levels)
        shares = (counts + IMAGINED * usual) / (counts.sum(1, keepdim=True) + IMAGINED)
        self.visible_bias.copy_(shares.log().flatten())

    def _logits(self, hidden: Tensor) -> Tensor:
        """Return what the softmax of each column is taken of, (rows, columns, levels)."""
        return F.linear(hidden, self.weight.T, self.visible_bias).unflatten(-1, (self.num_visible, self.levels))
