"""The fully connected pair: shapes, range, counts by hand, configuration."""

from dataclasses import replace

import pytest
import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.adversarial.gan import SMALL, TINY, Config, Discriminator, Generator, build
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.settings import from_dict, to_dict
from tests.contract.rows import Row
from tests.contract.toys import drawn_bars, likeness

ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": drawn_bars(8)}, batch_size=15, seed=0),
    steps=300,
    measure=likeness(8, latent_features=16),
    threshold=-35.0,
    # The authors' networks for MNIST: 100-1200-1200-784, and 784-240-240-1 of maxout units of five pieces each.
    counts=(
        ({}, "generator", 101 * 1200 + 1201 * 1200 + 1201 * 784),
        ({}, "discriminator", 785 * 1200 + 241 * 1200 + 241),
    ),
)


def test_draws_images_in_the_range_of_tanh_and_judges_them_by_one_logit() -> None:
    generator, discriminator = Generator(16, (32, 64), (3, 8, 8)), Discriminator((64,), (3, 8, 8))
    images = generator(10 * torch.randn(5, 16))
    assert images.shape == (5, 3, 8, 8)
    assert images.abs().max() <= 1
    assert discriminator(images).shape == (5,)


def test_counts_the_parameters_of_its_dense_layers() -> None:
    config = replace(SMALL, image_size=28)
    counts = [sum(p.numel() for p in network.parameters()) for network in build(config).networks.values()]
    assert counts == [65 * 256 + 257 * 512 + 513 * 784, 785 * 512 + 513 * 256 + 257]


def test_needs_no_hidden_layer() -> None:
    assert build(Config(generator_features=(), discriminator_features=())).home(torch.zeros(2, 100)).ndim == 4


def test_the_discriminator_of_the_published_form_sees_a_part_while_training() -> None:
    torch.manual_seed(0)
    judge = build(Config(image_size=8)).networks["discriminator"]
    images = torch.rand(4, 1, 8, 8)
    assert not torch.equal(judge(images), judge(images))
    judge.eval()
    assert torch.equal(judge(images), judge(images))


def test_the_published_form_starts_from_small_weights() -> None:
    for role, bound in (("generator", 0.05), ("discriminator", 0.005)):
        for name, parameter in build(Config(image_size=8)).networks[role].named_parameters():
            largest = parameter.abs().max().item()
            assert largest == 0 if name.endswith("bias") else 0.9 * bound < largest <= bound


def test_the_discriminator_of_the_published_form_learns_what_is_real() -> None:
    torch.manual_seed(0)
    config = Config(image_size=8, generator_features=(16,), discriminator_features=(240,))
    rule = build(config)
    batch = next(iter(ROW.loader()))
    for _ in range(300):
        measured = rule.discriminator_phase(batch)
    assert measured["real_score"] > 0.9 and measured["generated_score"] < 0.1


def test_configuration_survives_json_and_refuses_nonsense() -> None:
    assert from_dict(Config, to_dict(TINY)) == TINY
    with pytest.raises(ConfigurationError, match="at least 1"):
        Config(generator_features=(0,))
    with pytest.raises(ConfigurationError, match="real_label"):
        Config(game=GameSettings(real_label=2.0))
