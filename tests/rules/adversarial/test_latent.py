"""Noise: moments and supports against what the distributions say, and the same numbers for the same seed."""

import math

import pytest
import torch

from ganglion.rules.adversarial.latent import DRAWS, Latent

SCIPY = pytest.importorskip("scipy.stats")
COUNT = 4000


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("normal", SCIPY.norm()),
        ("uniform", SCIPY.uniform(-1, 2)),
        ("truncated-normal", SCIPY.truncnorm(-2, 2)),
    ],
)
def test_numbers_have_the_distribution_of_their_name(name: str, distribution: object) -> None:
    torch.manual_seed(0)
    drawn = Latent(name, (2, 3))(COUNT)  # type: ignore[arg-type]
    assert drawn.shape == (COUNT, 2, 3)
    assert SCIPY.kstest(drawn.flatten().numpy(), distribution.cdf).pvalue > 0.001  # type: ignore[attr-defined]
    assert torch.corrcoef(drawn.flatten(1).T).triu(1).abs().max() < 0.06


def test_points_on_a_sphere_have_one_length_and_no_direction() -> None:
    torch.manual_seed(0)
    drawn = Latent("sphere", (3,))(COUNT)
    torch.testing.assert_close(drawn.norm(dim=1), torch.full((COUNT,), math.sqrt(3)))
    # Archimedes: each coordinate of a point on a sphere in three dimensions is uniform.
    assert SCIPY.kstest(drawn[:, 0].numpy(), SCIPY.uniform(-math.sqrt(3), 2 * math.sqrt(3)).cdf).pvalue > 0.001


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_decides_the_numbers(name: str) -> None:
    first, second = (Latent(name, (5,))(3, generator=torch.Generator().manual_seed(1)) for _ in range(2))  # type: ignore[arg-type]
    assert torch.equal(first, second) and not torch.equal(first, Latent(name, (5,))(3))  # type: ignore[arg-type]


def test_without_a_generator_they_are_torchs_own() -> None:
    torch.manual_seed(2)
    expected = torch.randn(3, 5)
    torch.manual_seed(2)
    assert torch.equal(Latent("normal", (5,))(3), expected)
