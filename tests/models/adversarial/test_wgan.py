"""The Wasserstein pair: published counts, turns, clipping, the penalty on a linear critic, points and images."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.adversarial.wgan import FORMS, TINY, Config, Critic, Generator, build, halved
from ganglion.rules.adversarial.penalties import PENALTIES
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.measures.samples import modes_and_quality, sliced_wasserstein
from tests.contract.rows import Row
from tests.contract.toys import drawn_bars, likeness

ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": drawn_bars(8)}, batch_size=15, seed=0),
    steps=240,
    measure=likeness(8, latent_features=16),
    threshold=-45.0,
    options={"limit": 150},
    counts=(
        ({}, "generator", 3_576_704),
        ({}, "discriminator", 2_765_568),
        # The script for MNIST of the second paper's authors, https://github.com/igul222/improved_wgan_training.
        (
            {"networks": "penalised", "in_channels": 1, "image_size": 28, "latent_features": 128},
            "generator",
            1_554_177,
        ),
        ({"networks": "penalised", "in_channels": 1, "image_size": 28}, "discriminator", 1_030_145),
    ),
    frozen=("discriminator.layers.3.bias",),  # added to all scores, it changes no difference of them
)


def rule_of(config: Config) -> Adversarial:
    torch.manual_seed(0)
    rule = build(config)
    assert isinstance(rule, Adversarial)
    return rule


@pytest.mark.parametrize("size", [5, 8, 9, 16, 28, 30, 32, 64])
def test_generator_and_critic_fit_each_other_at_any_size(size: int) -> None:
    images = Generator(8, 2, 1, size)(torch.randn(3, 8))
    assert images.shape == (3, 1, size, size)
    assert Critic(2, 1, size)(images).shape == (3,)
    assert halved(size)[-1] <= 4


def test_forms_are_those_of_the_papers() -> None:
    clipped, penalised = FORMS["clipping"], FORMS["gradient-penalty"]
    assert (clipped.game.weight_clip, clipped.game.discriminator_steps, clipped.long_turns) == (0.01, 5, True)
    assert (clipped.generator_descent.optimizer, clipped.generator_descent.learning_rate) == ("rmsprop", 5e-5)
    assert (penalised.game.penalty, penalised.game.penalty_weight, penalised.game.weight_clip) == ("gradient", 10, None)
    assert penalised.discriminator_descent.learning_rate == 1e-4
    assert penalised.discriminator_descent.optimizer_arguments == ("betas=(0.0, 0.9)",)


def test_the_clipped_critic_gets_long_turns_at_first_and_stays_within_its_bounds() -> None:
    rule = rule_of(replace(FORMS["clipping"], in_features=2, hidden_features=(8,), latent_features=2))
    before = [parameter.clone() for parameter in rule.generator.parameters()]
    batch = {"inputs": torch.randn(4, 2)}
    for _ in range(99):
        rule.step(batch)
    assert all(torch.equal(*pair) for pair in zip(before, rule.generator.parameters(), strict=True))
    rule.step(batch)
    assert not all(torch.equal(*pair) for pair in zip(before, rule.generator.parameters(), strict=True))
    assert max(float(parameter.detach().abs().max()) for parameter in rule.discriminator.parameters()) <= 0.01 + 1e-9


def test_the_penalty_of_a_linear_critic_is_exact() -> None:
    critic = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 1), torch.nn.Flatten(0))
    real, generated = torch.rand(5, 3, 4, 4), torch.rand(5, 3, 4, 4)
    penalty = PENALTIES["gradient"]
    norm = critic[1].weight.double().norm()
    found = penalty.cost(critic, penalty.points(real, generated))
    torch.testing.assert_close(found.double(), (norm - 1) ** 2)
    (slope,) = torch.autograd.grad(found, [critic[1].weight])
    expected = 2 * (norm - 1) * critic[1].weight.double() / norm
    torch.testing.assert_close(slope.double(), expected)


def test_the_critic_of_two_points_finds_their_distance() -> None:
    """Of two heaps d apart, the best critic has the slope s that makes d s - lambda (s - 1)^2 largest."""
    descent = replace(FORMS["points"].generator_descent, learning_rate=0.0)
    config = replace(FORMS["points"], in_features=1, hidden_features=(16,), generator_descent=descent)
    rule = rule_of(
        replace(
            config,
            game=replace(config.game, penalty_weight=1.0, discriminator_steps=1),
            discriminator_descent=replace(descent, learning_rate=1e-2),
        )
    )
    with torch.no_grad():
        for parameter in rule.generator.parameters():
            parameter.zero_()
    for _ in range(200):
        measured = rule.step({"inputs": torch.full((16, 1), 3.0)})
    assert -float(measured["discriminator_loss"]) == pytest.approx(3 * (1 + 3 / 2), abs=0.2)


def rule_on_clouds(steps: int, **changes: Any) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Return the distance before training, real points, their modes, and points generated after training."""
    data = generate("8-gaussians", count=2000)
    points = ((data.inputs - data.inputs.mean(0)) / data.inputs.std(0)).astype(np.float32)
    rule, batches = rule_of(replace(FORMS["points"], in_features=2, **changes)), torch.from_numpy(points)
    latent, drawn = torch.randn(1000, 2), []
    for step in range(steps + 1):
        if step in (0, steps):
            with torch.no_grad():
                drawn.append(rule.generator(latent).numpy())
        rule.step({"inputs": batches[torch.randint(len(batches), (64,))]})
    return sliced_wasserstein(points, drawn[0]), points, data.targets, drawn[1]


def test_the_points_form_moves_onto_eight_clouds() -> None:
    before, points, _, drawn = rule_on_clouds(250, hidden_features=(64,))
    assert sliced_wasserstein(points, drawn) < 0.8 * before


@pytest.mark.full
def test_the_points_form_reaches_all_of_eight_clouds() -> None:
    _, points, modes, drawn = rule_on_clouds(6000)
    reached, quality = modes_and_quality(points, modes, drawn)
    assert reached == 8 and quality > 0.5


def test_refuses_images_that_cannot_be_halved_and_survives_json() -> None:
    with pytest.raises(ConfigurationError, match="image_size"):
        Config(networks="penalised", image_size=4)
    with pytest.raises(ConfigurationError, match="image_size"):
        Config(image_size=30)
    assert from_dict(Config, to_dict(TINY)) == TINY
