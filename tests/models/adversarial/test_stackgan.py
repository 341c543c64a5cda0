"""Text to picture in two stages: the authors' counts, conditions, mismatched texts, phases, whole runs, bad input."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ganglion.core import Illustrator, LearningRule, Pausing, Players
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.adversarial.stackgan import TINY, Config, build
from ganglion.nn.adversarial.stages import Conditioning, truncated
from ganglion.nn.modes import evaluation_mode
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.adversarial.stacked import StackedGame
from ganglion.settings import from_dict, to_dict
from tests.contract.rows import Row

SIDE = 24
COLOURS = ((0.8, -0.8, -0.8), (-0.8, 0.8, -0.8), (-0.8, -0.8, 0.8))
WORDS = ("red", "green", "blue")


@cache
def flags() -> dict[str, torch.Tensor]:
    """Return pictures of one colour above and one below, (90, 3, 24, 24), and both as tokens (90, 4)."""
    pairs = torch.tensor([(n % 3, n // 3 % 3) for n in range(90)])
    halves = torch.tensor(COLOURS)[pairs]  # (pictures, halves, channels)
    pictures = halves.transpose(1, 2).repeat_interleave(SIDE // 2, 2)[..., None].expand(-1, -1, -1, SIDE)
    noise = 0.05 * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    marks = torch.tensor([2, 3]).expand(90, 2)
    return {
        "inputs": pictures + noise,
        "targets": torch.cat([marks[:, :1], pairs + torch.tensor([4, 7]), marks[:, 1:]], 1),
    }


def matched(rule: LearningRule) -> float:
    """Return the share of nine flags whose text the readers find among all nine."""
    assert isinstance(rule, StackedGame)
    nine = {name: values[:9] for name, values in flags().items()}
    with torch.no_grad():
        chosen = rule.painter.fitting(nine["inputs"], nine["targets"]).argmax(1)
    return float((chosen == torch.arange(9)).float().mean())


def distance(rule: StackedGame, stage: int) -> float:
    """Return how far pictures drawn by a stage are from the flags that were asked for, a mean over pixels."""
    tokens, wanted = flags()["targets"][:9].repeat(6, 1), flags()["inputs"][:9].repeat(6, 1, 1, 1)
    latent = torch.randn(len(tokens), TINY.latent_features, generator=torch.Generator().manual_seed(0))
    with evaluation_mode(rule.home), torch.no_grad():
        drawn = rule.painter.stages(latent, tokens)[stage]
    return float((drawn - torch.nn.functional.avg_pool2d(wanted, SIDE // drawn.shape[2])).abs().mean())


def dataset(count: int = 90) -> Dataset:
    """Return the flags as a data set of bytes and texts."""
    pixels = (flags()["inputs"].clamp(-1, 1) * 127 + 128).permute(0, 2, 3, 1)
    pictures = pixels.contiguous().numpy().astype(np.uint8)[:count]
    texts = [f"{WORDS[n % 3]} above {WORDS[n // 3 % 3]}" for n in range(count)]
    fields = {"inputs": Field(kind="images", values=pictures), "captions": Field(kind="texts", values=texts)}
    return Dataset(name="flags", fields=fields, source="flags", fingerprint=str(count))


ROW = Row(
    loader=lambda: InMemoryLoader(flags(), batch_size=18, seed=0),
    steps=10,
    measure=matched,
    threshold=0.8,
    data=dataset(),
    options={"batch_size": 30, "sample_every": "off"},
    counts=(
        ({}, "generator_1", 14_264_192),
        ({}, "discriminator_1", 4_029_824),
        ({}, "generator_2", 26_290_080),
        ({}, "discriminator_2", 48_603_520),
    ),
)


def rule_of(**changes: Any) -> StackedGame:
    torch.manual_seed(0)
    rule = build(replace(TINY, **changes))
    assert isinstance(rule, StackedGame)
    return rule


@pytest.mark.full
def test_flags_of_the_colours_that_are_asked_for_are_drawn() -> None:
    """A flag of three colours at random is .71 away on average, one of grey .8."""
    rule, loader = rule_of(), InMemoryLoader(flags(), batch_size=30, seed=0)
    for phase, steps in zip(rule.phases, (40, 240, 120), strict=True):
        rule.begin(phase)
        for _ in range(steps // 3):
            for batch in loader:
                rule.step(batch)
    assert distance(rule, 0) < 0.3 and distance(rule, 1) < 0.4


def test_both_stages_have_the_authors_count_together() -> None:
    """40,554,272: what draws the large picture, the sketch that it is made of among it."""
    assert sum(count for _, role, count in ROW.counts if str(role).startswith("generator")) == 40_554_272


def test_divergence_is_that_of_normal_distributions_and_noise_is_cut() -> None:
    torch.manual_seed(0)
    conditioning, text = Conditioning(6, 4), torch.randn(5, 6)
    mean, log_deviation = conditioning.layer(text).chunk(2, dim=1)
    expected = kl_divergence(Normal(mean, log_deviation.exp()), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(conditioning.divergence(text), expected)
    drawn = truncated(torch.randn(200_000))
    assert float(drawn.abs().max()) <= 2 and abs(float(drawn.std()) - 0.8796) < 0.005  # of N(0, 1) within two
    plain = Conditioning(6, 4, augments=False)
    assert torch.equal(plain(text, torch.ones(5, 4)), plain(text, torch.zeros(5, 4)))


def test_a_discriminator_pays_half_for_real_pictures_with_other_texts() -> None:
    rule = rule_of()
    game, batch = rule.games[0], {name: values[:10] for name, values in flags().items()}
    seen = game.inputs.with_noise(game.inputs.seen(batch))
    generated = game.sample(batch)
    samples = game._samples(seen, generated)
    softplus, judge = torch.nn.functional.softplus, rule.networks["discriminator_1"].eval()
    with torch.no_grad():
        for weights in judge.parameters():
            weights.mul_(10)  # so that answers are not all about zero
    real, text = seen["inputs"], seen["text"]
    sure = softplus(-judge(real, text)).mean() * game.settings.real_label
    sure = sure + softplus(judge(real, text)).mean() * (1 - game.settings.real_label)
    fakes = softplus(judge(real, text.roll(1, 0))).mean() / 2 + softplus(judge(generated, text)).mean() / 2
    expected = sure + fakes
    torch.testing.assert_close(game.discriminator_objective(samples)["discriminator_loss"], expected)


def test_phases_are_matching_and_two_games() -> None:
    rule = rule_of()
    assert [phase.name for phase in rule.phases] == ["matching", "first stage", "second stage"]
    assert isinstance(rule, Players) and isinstance(rule, Pausing) and isinstance(rule.home, Illustrator)
    batch = {name: values[:10] for name, values in flags().items()}
    for stage, side in enumerate((12, 12, 24)):
        rule.begin(rule.phases[stage])
        assert rule.plays == (stage > 0) and rule.home.learnt == stage
        assert rule.real(batch).shape == rule.sample(batch).shape == (10, 3, side, side)
        assert rule.discriminate(rule.sample(batch), batch).shape == (10,)


@pytest.mark.parametrize("stage", [1, 2])
def test_plays_in_sixteen_bits_too(stage: int) -> None:
    """What is drawn then has sixteen bits, but is enlarged for the reader of pictures, and slopes have 32."""
    rule = rule_of(discriminator_normalisation="none", finishing_maps=4, game=GameSettings(penalty="r1"))
    rule.begin(rule.phases[stage])
    with torch.autocast("cpu", torch.bfloat16):
        measured = rule.step({name: values[:10] for name, values in flags().items()})
    assert all(torch.isfinite(measured[name]) for name in ("loss", "penalty", "matching_loss"))


@pytest.mark.parametrize("reader", ["bag-of-words", "recurrent", "character-cnn-rnn"])
def test_a_text_is_read_alike_beside_longer_ones(reader: str) -> None:
    rule = rule_of(reader=reader, character_maps=(4, 4, 4), window=40)
    read, tokens = rule.networks["texts"].eval(), torch.tensor([[2, 5, 9, 3]])
    beside = torch.cat([torch.nn.functional.pad(tokens, (0, 5)), torch.full((1, 9), 7)])
    torch.testing.assert_close(read(beside)[:1], read(tokens))
    assert not torch.allclose(read(torch.tensor([[2, 5, 8, 3]])), read(tokens))
    order = torch.allclose(read(torch.tensor([[2, 9, 5, 3]])), read(tokens), atol=1e-5)
    assert order == (reader == "bag-of-words")


@pytest.mark.parametrize(("changes", "where"), [
    ({"image_size": 30}, "image_size"),
    ({"image_size": 16}, "image_size"),
    ({"image_size": 22}, "image_size"),
    ({"matching_share": 0.5, "first_share": 0.5}, "matching_share and first_share"),
])  # fmt: skip
def test_what_cannot_be_drawn_in_stages_is_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        replace(TINY, **changes)
    assert caught.value.where == where and caught.value.expected and caught.value.found


def test_configuration_survives_json() -> None:
    assert from_dict(Config, to_dict(TINY)) == TINY
