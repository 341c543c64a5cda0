"""Both networks play every game, with every penalty and normalisation that goes with them."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.models import find
from ganglion.models.adversarial import dcgan, gan
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.runs.options import settle

GAMES = ("non-saturating", "minimax", "wasserstein", "hinge", "least-squares")
PENALTIES = ("none", "gradient", "one-sided-gradient", "r1", "r2")
SIZES = {gan: 8, dcgan: 16}


def built(module: Any, normalisation: str, **game: Any) -> Adversarial:
    torch.manual_seed(0)
    config = replace(module.TINY, discriminator_normalisation=normalisation, game=GameSettings(**game))
    rule = module.build(config)
    assert isinstance(rule, Adversarial)
    return rule


@pytest.mark.parametrize(("module", "normalisation"), [(gan, "none"), (gan, "spectral"), (dcgan, "layer")])
def test_every_game_is_played_with_every_penalty(module: Any, normalisation: str) -> None:
    images = torch.rand(6, 1, SIZES[module], SIZES[module]) * 2 - 1
    for loss, penalty in product(GAMES, PENALTIES):
        rule = built(module, normalisation, loss=loss, penalty=penalty)
        before = [parameter.clone() for network in rule.networks.values() for parameter in network.parameters()]
        measured = rule.step({"inputs": images})
        after = [parameter for network in rule.networks.values() for parameter in network.parameters()]
        moved = [not torch.equal(*pair) for pair in zip(before, after, strict=True)]
        assert all(torch.isfinite(value) for value in measured.values()), (loss, penalty)
        assert ("penalty" in measured) == (penalty != "none")
        # A Wasserstein critic is paid for differences of its outputs, which know nothing of a bias added to all.
        assert all(moved) or (loss in ("wasserstein", "hinge") and sum(moved) >= len(moved) - 1), (loss, penalty)


@pytest.mark.parametrize("normalisation", ["batch", "layer", "spectral", "none"])
def test_a_convolutional_discriminator_is_normalised_as_asked(normalisation: Any) -> None:
    network = dcgan.Discriminator(8, 1, 28, normalisation)
    images = torch.randn(5, 1, 28, 28)
    network.train()
    assert network(images).shape == (5,)
    alone = torch.cat([network(image[None]) for image in images]) if normalisation != "batch" else None
    if alone is not None and normalisation != "spectral":  # whose estimate moves on at every call
        torch.testing.assert_close(network(images), alone)
    count = sum(parameter.numel() for parameter in network.parameters())
    kernels = 16 * (1 * 8 + 8 * 16) + 49 * 16
    assert count == kernels + {"batch": 2 * 16, "layer": 2 * 16}.get(normalisation, 8 + 16 + 1)


def test_a_penalty_refuses_batch_normalisation() -> None:
    with pytest.raises(ConfigurationError, match="batch normalisation"):
        built(dcgan, "batch", penalty="gradient")


@pytest.mark.parametrize("name", ["gan", "wgan"])
def test_rows_of_few_numbers_are_learnt_by_the_form_made_for_them(name: str) -> None:
    system = find(name)
    points = system.form("points")
    for rows in ("8-gaussians", "measured.csv"):
        assert settle(system, {}, rows)[0] == points
    many, trainer, _ = settle(system, {}, "25-gaussians")
    widths = {field: value for field, value in vars(points).items() if field.endswith("_features")}
    assert many != points and replace(many, **widths) == points
    assert trainer.epochs and settle(system, {"steps": 5}, "25-gaussians")[1].epochs is None
    assert settle(system, {}, "digits")[0] == system.form("small")
    assert settle(system, {"form": "published"}, "8-gaussians")[0] == system.form("published")
