"""Super-resolution: published counts, its reach, riddles, what each phase learns and pays, mixtures of two networks."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from ganglion.core import LearningRule, Local
from ganglion.data.catalogue import read
from ganglion.data.loaders.derived import Shrunk, derive
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.models import find
from ganglion.models.adversarial.srgan import TINY, Config, Discriminator, Generator, build
from ganglion.nn.images.resampling import enlarged, resized
from ganglion.rules.adversarial.pretrained import relative_error, riddles
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.measures.images import psnr
from ganglion.tasks.upscaling import Predict, Upscaling
from tests.contract.rows import Row

SMALLER = {"inputs": Shrunk(of="targets", factor=2)}


@cache
def faces() -> torch.Tensor:
    pictures = torch.from_numpy(np.asarray(generate("faces", count=120).inputs)).movedim(3, 1).float() / 255
    return pictures[:, :, 4:20, 8:24].contiguous()


@torch.no_grad()
def decibels_gained(rule: LearningRule) -> float:
    """How much nearer faces come to what they were than by interpolation."""
    batch = derive({"targets": faces()[-20:], "index": torch.arange(20)}, SMALLER, seed=1, epoch=0)
    made = rule.networks["generator"].eval()(batch["inputs"])
    rule.networks["generator"].train()
    return float((psnr(made, batch["targets"]) - psnr(enlarged(batch["inputs"], 2), batch["targets"])).mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"targets": faces()[:96]}, batch_size=16, seed=0, derived=SMALLER),
    steps=40,
    measure=decibels_gained,
    threshold=0.5,
    data=generate("faces", count=40),
    options={"batch_size": 8, "sample_every": "off"},
    counts=(
        ({}, "generator", 1_549_462),
        ({"biased": False}, "generator", 1_547_350),
        ({"image_size": 96}, "discriminator", 23_565_505),
    ),
    frozen=tuple(
        f"{role}.{name}"
        for role, network in build(TINY).networks.items()
        if role in ("pretrained", "judge")  # the one learns nothing itself, the other in a phase of its own
        for name, _ in network.named_parameters()
    ),
)


def rule_of(**changes: Any) -> Any:
    torch.manual_seed(0)
    return build(replace(TINY, **changes))


def batch_of(count: int = 8) -> dict[str, torch.Tensor]:
    return derive({"targets": faces()[:count], "index": torch.arange(count)}, SMALLER, seed=0, epoch=0)


def test_the_generator_is_the_published_one_layer_by_layer() -> None:
    """9 x 9 to 64; 16 blocks of two 3 x 3 with normalisation and one rectifier; one more; twice 3 x 3 to 256; 9 x 9."""
    rectifier, convolution, norm = 1, 9 * 64 * 64 + 64, 2 * 64
    first = 81 * 3 * 64 + 64 + rectifier
    blocks = 16 * (2 * (convolution + norm) + rectifier) + convolution + norm
    enlarging = 2 * (9 * 64 * 256 + 256 + rectifier)
    assert first + blocks + enlarging + 81 * 64 * 3 + 3 == 1_549_462
    assert Discriminator(3, 64, 96, 8).answer[0].in_features == 512 * 6 * 6  # type: ignore[union-attr]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_any_size_is_enlarged_and_nothing_beyond_the_reach_matters(scale: Any) -> None:
    torch.manual_seed(0)
    network = Generator(replace(TINY, scale=scale, blocks=2, kernel_size=5)).double()
    assert isinstance(network, Local)
    picture = torch.rand(1, 1, 31, 29, dtype=torch.float64, requires_grad=True)
    made = network(picture)
    assert made.shape == (1, 1, 31 * scale, 29 * scale)
    made[0, 0, 15 * scale : 16 * scale, 14 * scale : 15 * scale].sum().backward()
    assert picture.grad is not None
    rows, columns = torch.nonzero(picture.grad[0, 0], as_tuple=True)
    far = max(15 - int(rows.min()), int(rows.max()) - 15, 14 - int(columns.min()), int(columns.max()) - 14)
    assert network.reach - 1 <= far <= network.reach


def test_riddles_are_blurred_and_turned_as_their_answers_say() -> None:
    pictures = torch.rand(17, 3, 16, 16)
    asked, ways = riddles(pictures)
    assert ways.tolist() == [*range(16), 0] and torch.equal(asked[0], pictures[0])
    torch.testing.assert_close(asked[3], torch.rot90(pictures[3], 3, (1, 2)))
    blurred = resized(resized(pictures[6:7], 8, 8), 16, 16)
    torch.testing.assert_close(asked[6:7], torch.rot90(blurred, 2, (2, 3)))


def test_phases_learn_what_they_say_and_keep_what_pre_training_left() -> None:
    rule = rule_of()
    assert [(phase.name, phase.share) for phase in rule.phases] == [
        ("looking", 0.25),
        ("pre-training", 0.5),
        ("game", 0.25),
    ]
    batch = batch_of()
    rule.begin(rule.phases[0])
    assert "judge_accuracy" in rule.step(batch)
    rule.begin(rule.phases[1])
    generator, pretrained = rule.networks["generator"], rule.networks["pretrained"]
    expected = functional.mse_loss(generator(batch["inputs"]), batch["targets"])
    torch.testing.assert_close(rule.step(batch)["loss"], expected)
    assert all(map(torch.equal, generator.state_dict().values(), pretrained.state_dict().values()))
    rule.begin(rule.phases[2])
    rule.step(batch)
    assert not all(map(torch.equal, generator.state_dict().values(), pretrained.state_dict().values()))


def test_the_generator_pays_the_published_sum() -> None:
    rule, batch = rule_of(adversarial_weight=0.01, content_weight=2.0, pixel_weight=3.0), batch_of()
    generator, discriminator, judge = (rule.networks[role] for role in ("generator", "discriminator", "judge"))
    made, wanted = generator(batch["inputs"]), batch["targets"]
    seen = [relative_error(*pair) for pair in zip(judge.features(made), judge.features(wanted), strict=True)]
    expected = 0.01 * functional.softplus(-discriminator(made)).mean() + 3 * functional.mse_loss(made, wanted)
    measured = rule.game.generator_objective(batch, made)
    torch.testing.assert_close(measured["loss"], expected + 2 * torch.stack(seen).mean())


def test_shares_decide_the_phases() -> None:
    def names(**shares: float) -> list[str]:
        return [phase.name for phase in rule_of(**shares).phases]

    assert names(pretraining=1.0) == ["pre-training"] and names(content_weight=0.0) == ["pre-training", "game"]
    assert names(pretraining=0.0, looking=0.0) == ["game"]
    with pytest.raises(ConfigurationError, match="more than the whole") as caught:
        rule_of(pretraining=0.8, looking=0.3)
    assert caught.value.found == "0.3 and 0.8"


def test_a_run_learns_keeps_both_networks_and_answers_with_a_mixture() -> None:
    data = read("photographs", DataSettings(limit=30))
    config = replace(TINY, in_channels=3, image_size=32, discriminator_features=2)
    task = Upscaling.prepare(data, config, DataSettings(batch_size=4), seed=0)
    assert task.config.in_channels == 3
    rule = build(task.config)
    rule.step(next(iter(task.loader(rule, seed=0))))
    found, baseline = task.evaluate(rule, "test"), task.baseline()
    assert list(found)[:2] == ["psnr", "ssim"] and found["pretrained_psnr"] != found["psnr"] and found["sharpness"] > 0
    assert set(found) == {one.name for one in task.measures} - {"loss"} and set(baseline) < set(found)
    restored, photo = Upscaling.restore(task.state(), task.config), np.asarray(data.inputs[3])[:20, :30]
    both, sharp, faithful = (
        restored.predict(rule.home, Predict(inputs=[photo], detail=detail)).pixels[0].astype(int)
        for detail in (0.5, 1.0, 0.0)
    )
    assert both.shape == (40, 60, 3) and np.abs(both - (sharp + faithful) / 2).max() <= 1
    assert restored.predict(rule.home, Predict(inputs=[photo[..., :1]])).pixels[0].shape == (40, 60, 1)
    alone = find("srgan").load().build(replace(task.config, pretraining=1.0))
    with pytest.raises(UsageError, match="before a game"):
        restored.predict(alone.home, Predict(inputs=[photo], detail=0.5))


def test_pictures_that_are_too_small_are_refused() -> None:
    with pytest.raises(DataError, match="smaller than what is to be learnt from"):
        Upscaling.prepare(generate("faces", count=20), replace(TINY, image_size=64), DataSettings(), seed=0)


def test_configuration_survives_json() -> None:
    assert from_dict(Config, to_dict(TINY)) == TINY
    assert (Config().blocks, Config().features, Config().adversarial_weight) == (16, 64, 1e-3)
