"""What a generator of styles can be asked beside drawing: more usual pictures, mixed ones, the way between two."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganglion.core import Styled
from ganglion.tasks.shared.evaluation import ask

TRUNCATED = 8
"""Layers, coarse to fine, whose styles are brought nearer to the mean: finer ones only colour what these decide."""


def truncated(styles: Tensor, mean: Tensor, psi: float) -> Tensor:
    """Return m + psi (w - m) in the place of w (batch, layers, features) for the first eight layers, m (features,).

    Source: Karras et al. 2019, appendix B.

    >>> truncated(torch.ones(1, 10, 1), torch.tensor([3.0]), 0.5).flatten()
    tensor([2., 2., 2., 2., 2., 2., 2., 2., 1., 1.])
    """
    nearer = torch.lerp(mean, styles, psi)
    is_truncated = torch.arange(styles.shape[1], device=styles.device) < TRUNCATED
    return torch.where(is_truncated[:, None], nearer, styles)


def drawn(network: nn.Module, latent: Tensor, psi: float) -> Tensor:
    """Return pictures of noise (batch, all its numbers) whose styles are truncated."""
    assert isinstance(network, Styled)

    def draw(block: Tensor) -> Tensor:
        return network.draw(truncated(_everywhere(network, network.styles(block)), network.mean_style, psi), block)

    return ask(network, latent, by=draw)


def truncations(network: nn.Module, latent: Tensor, psis: Sequence[float]) -> Tensor:
    """Return pictures (batch * psis, channels, side, side): a row for each noise (batch, numbers), a column a psi."""
    return torch.stack([drawn(network, latent, psi) for psi in psis], dim=1).flatten(0, 1)


def mixing_table(network: nn.Module, latent: Tensor, other: Tensor) -> Tensor:
    """Return pictures in a table ((rows + 1) * (columns + 1), channels, side, side).

    The first column shows what noise (rows, numbers) draws, the first row what other noise (columns, numbers) does; the
    others have the coarse styles of their row, of sides up to a quarter of the picture's, and the fine ones of their
    column. The corner is white.
    """
    assert isinstance(network, Styled)
    rows, columns, count = len(latent), len(other), latent.shape[1]
    coarse = torch.tensor([side <= network.layer_sides[-1] // 4 for side in network.layer_sides])

    def draw(block: Tensor) -> Tensor:
        first, second = block.split(count, dim=1)
        own, others = (_everywhere(network, network.styles(one)) for one in (first, second))
        return network.draw(torch.where(coarse.to(block.device)[:, None], own, others), first)

    pairs = torch.cat([latent.repeat_interleave(columns, 0), other.repeat(rows, 1)], dim=1)
    mixed = ask(network, pairs, by=draw).unflatten(0, (rows, columns))
    left, top = ask(network, latent)[:, None], ask(network, other)
    above = torch.cat([torch.ones_like(top[:1]), top])[None]
    return torch.cat([above, torch.cat([left, mixed], dim=1)]).flatten(0, 1)


def between(network: nn.Module, latent: Tensor, other: Tensor, steps: int, *, closed: bool = False) -> Tensor:
    """Return pictures (batch, steps, channels, side, side) on straight lines from style to style, from noise to other.

    Only styles move, (batch, numbers) is noise as given; of a closed line the end is left out.
    """
    assert isinstance(network, Styled)
    batch, count = latent.shape
    shares = torch.linspace(0, 1, steps + 1)[:-1] if closed else torch.linspace(0, 1, steps)

    def draw(block: Tensor) -> Tensor:
        first, second, share = block[:, :count], block[:, count:-1], block[:, -1:]
        styles = torch.lerp(network.styles(first), network.styles(second), share)
        return network.draw(_everywhere(network, styles), first)

    pairs = torch.cat([latent, other], dim=1).repeat_interleave(steps, 0)
    return ask(network, torch.cat([pairs, shares.repeat(batch)[:, None]], dim=1), by=draw).unflatten(0, (batch, steps))


def _everywhere(network: Styled, styles: Tensor) -> Tensor:
    """Return styles (batch, features) for every layer (batch, layers, features)."""
    return styles[:, None].expand(-1, network.num_layers, -1)
