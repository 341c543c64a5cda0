"""The convolutional pair: published counts, shapes of every layer, where normalisation stands, initial weights."""

import pytest
import torch
from torch import nn

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.adversarial.dcgan import TINY, Config, Discriminator, Generator, factor
from ganglion.settings import from_dict, to_dict
from tests.contract.rows import Row
from tests.contract.toys import drawn_bars, likeness

ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": drawn_bars(16)}, batch_size=15, seed=0),
    steps=200,
    measure=likeness(16, latent_features=16),
    threshold=-150.0,
    options={"limit": 300},
    counts=(({}, "generator", 3_576_704), ({}, "discriminator", 2_765_568)),
)


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def test_the_standard_networks_have_the_published_counts() -> None:
    config = Config()
    generator = Generator(config.latent_features, config.features, config.in_channels, 64)
    discriminator = Discriminator(config.features, config.in_channels, 64)
    assert sum(parameter.numel() for parameter in generator.parameters()) == 3_576_704
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 2_765_568


def test_the_standard_networks_have_the_layers_of_the_paper() -> None:
    grow = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds(Generator(100, 64, 3, 64)) == ["Unflatten", *grow * 4, "ConvTranspose2d", "Tanh"]
    shrink = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds(Discriminator(64, 3, 64)) == ["Conv2d", "LeakyReLU", *shrink * 3, "Conv2d", "Flatten"]


def test_maps_double_their_side_and_halve_their_channels() -> None:
    shapes, maps = [], torch.zeros(2, 100)
    for layer in Generator(100, 64, 3, 64).layers:
        maps = layer(maps)
        if isinstance(layer, nn.ConvTranspose2d):
            shapes.append(tuple(maps.shape[1:]))
    assert shapes == [(512, 4, 4), (256, 8, 8), (128, 16, 16), (64, 32, 32), (3, 64, 64)]


@pytest.mark.parametrize("size", [8, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 112, 128])
def test_generator_and_discriminator_fit_each_other_at_any_size(size: int) -> None:
    side, doublings = factor(size)
    assert side * 2**doublings == size
    images = Generator(8, 2, 1, size)(torch.randn(3, 8))
    assert images.shape == (3, 1, size, size)
    assert Discriminator(2, 1, size)(images).shape == (3,)


@pytest.mark.parametrize("size", [-4, 0, 1, 4, 7, 9, 13, 15, 18, 30, 36, 50])
def test_refuses_sizes_that_doubling_does_not_reach(size: int) -> None:
    with pytest.raises(ConfigurationError, match="image_size"):
        Config(image_size=size)


def test_weights_start_small_and_normal() -> None:
    torch.manual_seed(0)
    for network in (Generator(100, 64, 3, 64), Discriminator(64, 3, 64)):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert module.bias is None
                assert abs(module.weight.mean().item()) < 2e-3
                assert abs(module.weight.std().item() - 0.02) < 2e-3
            if isinstance(module, nn.BatchNorm2d):
                assert abs(module.weight.mean().item() - 1) < 0.02
                assert not module.bias.any()


def test_configuration_survives_json() -> None:
    assert from_dict(Config, to_dict(TINY)) == TINY
