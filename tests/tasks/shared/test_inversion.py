"""Inversion: the nearest picture of a generator against least squares, noise within bounds, encoders kept."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.tasks.shared.pictures import inversion
from ganglion.tasks.shared.pictures.inversion import LONGER, Maker, descended, encoder_of, root_mean_square

FEATURES, SIDE = 6, 8


class LinearGenerator(nn.Module):
    """Pictures A z, (batch, 1, 8, 8), of noise (batch, 6)."""

    def __init__(self) -> None:
        super().__init__()
        drawn = torch.randn(SIDE * SIDE, FEATURES, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(0.3 * drawn)

    def forward(self, noise: Tensor) -> Tensor:
        return (noise @ self.weight.T).reshape(-1, 1, SIDE, SIDE)


def maker(latent: inversion.LatentName = "normal") -> Maker:
    network = LinearGenerator().eval()

    def draw(count: int, seed: int) -> Tensor:
        return torch.randn(count, FEATURES, generator=torch.Generator().manual_seed(seed))

    return Maker(network, network, draw, latent, FEATURES)


def test_descent_finds_what_least_squares_find() -> None:
    """Of a picture that the generator can only come near to."""
    one = maker()
    weight = one.network.weight.detach()  # type: ignore[union-attr]
    target = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    best = torch.linalg.lstsq(weight, target.reshape(-1, 1)).solution[:, 0]
    assert best.norm() < math.sqrt(FEATURES) + LONGER
    found = descended(one, lambda drawn, noise: (drawn - target).square().flatten(1).mean(1), one.draw(8, 3), 300)
    torch.testing.assert_close(found.noise[0], best, atol=2e-3, rtol=0)
    assert torch.equal(found.costs, found.costs.sort().values) and sorted(found.starts.tolist()) == list(range(8))
    torch.testing.assert_close(found.frames[-1:], one.asked(found.noise[:1]))
    ways = root_mean_square(found.frames, target, 1.0)
    assert ways[-1] == ways.min() < ways[0]


@pytest.mark.parametrize("latent", ["normal", "uniform", "sphere", "truncated-normal"])
def test_noise_stays_where_it_is_drawn(latent: inversion.LatentName) -> None:
    """Though brighter pictures would be had beyond."""
    one = maker(latent)
    starts = one.bounded(one.draw(4, 0))
    found = descended(one, lambda drawn, noise: -drawn.square().flatten(1).sum(1), starts, 60)
    torch.testing.assert_close(one.bounded(found.noise), found.noise)
    assert found.costs[0] < -one.asked(starts).square().flatten(1).sum(1).max()


def test_an_encoder_is_trained_once_and_guesses_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inversion, "STEPS", 150)
    monkeypatch.setattr(inversion, "DRAWN", 1024)
    one = maker()
    before = torch.get_rng_state()
    encoder = encoder_of(one, tmp_path)
    assert torch.equal(before, torch.get_rng_state())
    noise = one.draw(100, 9)
    with torch.no_grad():
        error = float((encoder(one.asked(noise)) - noise).square().mean())
    assert error < 0.3  # guessing zero has 1
    (kept,) = tmp_path.iterdir()
    monkeypatch.setattr(inversion, "_train", lambda *asked: pytest.fail("it is in the cache"))
    again = encoder_of(one, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), again.parameters(), strict=True))
    assert one.network.weight.requires_grad  # type: ignore[union-attr]
    assert kept.suffix == ".safetensors"


def test_classes_behind_the_noise_stay() -> None:
    network = LinearGenerator().eval()
    one = Maker(
        network, lambda block: network(block[:, :-1]) + block[:, -1:, None, None], lambda c, s: None, "normal", 6
    )  # type: ignore[arg-type,return-value]
    starts = torch.cat([torch.zeros(3, FEATURES), torch.tensor([[0.0], [1.0], [2.0]])], dim=1)
    target = torch.full((1, 1, SIDE, SIDE), 2.0)
    found = descended(one, lambda drawn, noise: (drawn - target).square().flatten(1).mean(1), starts, 10)
    assert found.noise[:, -1].tolist() == [2.0, 1.0, 0.0]
    assert np.allclose(found.costs[0], 0, atol=1e-6)
