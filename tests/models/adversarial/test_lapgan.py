"""The pyramid of games: an exact pyramid, published counts, sampling by hand, what each phase learns, whole runs."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from ganglion.core import LearningRule, Players, Staged
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.adversarial.lapgan import TINY, Config, build
from ganglion.nn.images.pyramid import band, collapsed, doubled, halved, pyramid
from ganglion.rules.adversarial.pyramid import PyramidRule
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.generation import Generation
from tests.contract.rows import Row

SIDE = 16


@cache
def windows() -> torch.Tensor:
    """Return dark pictures with a bright window in their middle, each of another brightness, (64, 1, 16, 16)."""
    pictures = torch.full((64, 1, SIDE, SIDE), -0.8)
    pictures[:, :, 4:12, 4:12] = torch.linspace(0.2, 1.0, 64)[:, None, None, None]
    return pictures


def likeness(rule: LearningRule) -> float:
    """Return minus the distance of the mean drawn picture from the mean real one, of a pixel."""
    latent = torch.randn(64, TINY.latent_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return -float((rule.home(latent).mean(0) - windows().mean(0)).square().mean().sqrt())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": windows()}, batch_size=16, seed=0),
    steps=100,
    measure=likeness,
    threshold=-0.65,
    data=generate("faces", count=60),
    options={"batch_size": 16, "sample_every": "off"},
    counts=(
        ({}, "generator_32", 218_179),
        ({}, "generator_16", 218_179),
        ({}, "discriminator_32", 116_545),
        ({}, "discriminator_16", 108_353),
        ({}, "generator_8", 100 * 8000 + 8000 + 8000 * 8000 + 8000 + 8000 * 192 + 192),
        ({}, "discriminator_8", 192 * 1600 + 1600 + 1600 * 1600 + 1600 + 1600 + 1),
    ),
)


def rule_of(**changes: Any) -> PyramidRule:
    torch.manual_seed(0)
    rule = build(replace(TINY, **changes))
    assert isinstance(rule, PyramidRule)
    return rule


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_a_pyramid_collapses_to_the_image(levels: int) -> None:
    image = torch.rand(2, 3, 32, 48, dtype=torch.float64)
    torch.testing.assert_close(collapsed(pyramid(image, levels)), image, rtol=0, atol=1e-15)
    of_bytes = torch.randint(0, 256, (2, 3, 32, 32)).float()  # of which every step is exact
    assert torch.equal(collapsed(pyramid(of_bytes, levels)), of_bytes)


def test_parts_of_a_pyramid_are_those_of_the_equations() -> None:
    image = torch.rand(1, 1, 16, 16)
    smallest, middle, finest = pyramid(image, 3)
    half = image.unflatten(2, (8, 2)).unflatten(4, (8, 2)).mean((3, 5))
    torch.testing.assert_close(halved(image), half)
    torch.testing.assert_close(finest, image - doubled(half))
    torch.testing.assert_close(middle, half - doubled(halved(half)))
    torch.testing.assert_close(smallest, halved(half))
    torch.testing.assert_close(sum(band(image)), image)


def test_sampling_goes_from_coarse_to_fine() -> None:
    rule = rule_of(image_size=32)
    assert isinstance(rule.home, Staged) and rule.sampler.noises == [8, 16 * 16, 32 * 32]
    latent = torch.randn(3, 8 + 16 * 16 + 32 * 32)
    coarsest, middle, finest = (rule.networks[f"generator_{side}"] for side in (8, 16, 32))
    picture = doubled(coarsest(latent[:, :8]))
    picture = doubled(picture + middle(latent[:, 8:264].view(3, 1, 16, 16), picture))
    picture = picture + finest(latent[:, 264:].view(3, 1, 32, 32), picture)
    assert torch.equal(rule.home(latent), picture)


def test_each_level_is_told_what_is_left_of_real_pictures() -> None:
    rule, batch = rule_of(image_size=32), {"inputs": torch.rand(4, 1, 32, 32)}
    for side, halvings in ((8, 2), (16, 1), (32, 0)):
        pictures = batch["inputs"]
        for _ in range(halvings):
            pictures = halved(pictures)
        seen = rule.games[side].inputs.seen(batch)
        if side == 8:
            assert torch.equal(rule.real(batch), pictures)
        else:
            assert torch.equal(seen["coarse"], band(pictures)[0]) and torch.equal(seen["band"], band(pictures)[1])


def test_levels_are_phases_coarse_to_fine_or_learn_together() -> None:
    rule = rule_of(coarsest_share=0.6)
    assert [(phase.name, phase.share) for phase in rule.phases] == [("8 x 8", 0.6), ("16 x 16", 0.4)]
    rule.begin(rule.phases[1])
    assert set(rule.optimizers) == {"generator_16", "discriminator_16"}
    together = rule_of(together=True)
    assert together.phases == () and len(together.optimizers) == 4
    batch = {"inputs": windows()[:8]}
    first = together.step(batch)
    alone = [rule_of(together=True).games[side].step(batch) for side in (8, 16)]
    assert set(first) == set(alone[0]) and isinstance(together, Players)
    assert together.discriminate(together.sample(batch), batch).shape == (8,)


def test_turns_of_a_player_are_counted_for_each_level() -> None:
    rule = rule_of(together=True)
    rule.step({"inputs": windows()[:8]})
    assert rule.counters == {"8 batches_since_generator": 0, "16 batches_since_generator": 0}


@pytest.mark.parametrize(
    ("size", "levels", "found"), [(16, 3, "3"), (30, 3, "3"), (15, None, "15"), (10, None, "10"), (32, 4, "4")]
)
def test_sides_that_cannot_be_halved_are_refused(size: int, levels: int | None, found: str) -> None:
    with pytest.raises(ConfigurationError, match="have no pyramid") as caught:
        Config(image_size=size, levels=levels)
    assert caught.value.found == found and caught.value.expected


def test_a_task_draws_every_stage() -> None:
    settings = DataSettings(batch_size=8)
    task = Generation.prepare(generate("faces", count=60), replace(TINY, image_size=None), settings, seed=0)
    assert task.config.sides == [8, 16, 32]
    rule = build(task.config)
    rule.step(next(iter(task.loader(rule, seed=0))))
    assert "stages" in task.figures(rule)


def test_configuration_survives_json() -> None:
    assert from_dict(Config, to_dict(TINY)) == TINY
    assert Config().sides == [8, 16, 32] and Config().game.loss == "non-saturating"
