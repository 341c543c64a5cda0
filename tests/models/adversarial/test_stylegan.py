"""Generators of styles: published counts by size, equations by hand, mixing, growth as a function of the step."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.core import Gradual, LearningRule, Players, Styled
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.adversarial.stylegan import TINY, Config, Discriminator, Generator, build
from ganglion.nn.adversarial.style_layers import adain
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.settings import from_dict, to_dict
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.contract.rows import Row

SIDE = 8
GROWN = {"image_size": 32, "smallest": 8}
"""Changes for pictures of three sides."""


def windows() -> Tensor:
    """Return dark pictures with a bright window in their middle, each of another brightness, (64, 1, 8, 8)."""
    pictures = torch.full((64, 1, SIDE, SIDE), -0.8)
    pictures[:, :, 2:6, 2:6] = torch.linspace(0.2, 1.0, 64)[:, None, None, None]
    return pictures


def likeness(rule: LearningRule) -> float:
    """Return minus the distance of the mean drawn picture from the mean real one, of a pixel."""
    latent = torch.randn(64, TINY.latent_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return -float((rule.home.eval()(latent).mean(0) - windows().mean(0)).square().mean().sqrt())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": windows()}, batch_size=16, seed=0),
    steps=80,
    measure=likeness,
    threshold=-0.5,
    data=generate("faces", count=60),
    options={"batch_size": 16, "sample_every": "off"},
    counts=(
        ({}, "generator", 26_219_627),
        ({}, "discriminator", 23_087_249),
        ({"image_size": 512}, "generator", 26_179_768),
        ({"image_size": 256}, "discriminator", 23_052_353),
        ({"image_size": 128}, "generator", 25_843_858),
        ({"image_size": 64}, "generator", 25_137_935),
        ({"image_size": 64}, "discriminator", 22_498_049),
        ({"image_size": 32}, "generator", 22_841_356),
        ({"image_size": 32}, "discriminator", 20_726_785),
    ),
    # Pictures of the smaller side, which only the earlier phase draws and looks at.
    frozen=tuple(f"{role}.pictures.0.{name}" for role in ("generator", "discriminator") for name in ("weight", "bias")),
)


def rule_of(**changes: Any) -> Adversarial:
    torch.manual_seed(0)
    rule = build(replace(TINY, **changes))
    assert isinstance(rule, Adversarial)
    return rule


def test_the_mapping_and_the_rest_have_the_published_counts() -> None:
    with torch.device("meta"):
        network = Generator(1024, 3)
    mapping = sum(parameter.numel() for parameter in network.mapping.parameters())
    whole = sum(parameter.numel() for parameter in network.parameters())
    assert (mapping, whole - mapping) == (2_101_248, 24_118_379)
    assert network.num_layers == 18 and Config().latent_features == 512 + 2_796_192


def test_a_picture_is_what_the_equations_say() -> None:
    torch.manual_seed(0)
    network = Generator(8, 1, style_features=6, mapping_layers=2, width=4).eval()
    for layer in network.layers:
        torch.nn.init.normal_(layer.noise)
    latent = torch.randn(3, 6 + 2 * 16 + 2 * 64)
    style = latent[:, :6] / (latent[:, :6].square().mean(1, keepdim=True) + 1e-8).sqrt()
    for layer in network.mapping:
        weight = layer.weight * 0.01 * (2 / 6) ** 0.5
        style = functional.leaky_relu(style @ weight.T + 0.01 * layer.bias, 0.2)
    torch.testing.assert_close(network.styles(latent), style)
    maps, planes = network.constant.repeat(3, 1, 1, 1), latent[:, 6:].split([16, 16, 64, 64], dim=1)
    for number, (layer, plane) in enumerate(zip(network.layers, planes, strict=True)):
        if layer.convolution is not None:
            maps = layer.convolution(maps)
        side = maps.shape[-1]
        maps = functional.leaky_relu(maps + layer.noise * plane.view(3, 1, side, side) + layer.bias, 0.2)
        maps = adain(maps, style @ (layer.style.weight / 6**0.5).T + layer.style.bias)
        assert side == network.layer_sides[number]
    torch.testing.assert_close(network(latent), network.pictures[1](maps), atol=1e-5, rtol=1e-5)


def test_styles_of_others_come_in_from_a_layer_on() -> None:
    rule = rule_of(mixing=1.0)
    network = rule.generator
    assert isinstance(network, Generator) and isinstance(network, Styled)
    styles = torch.arange(200.0)[:, None, None].expand(-1, network.num_layers, TINY.style_features)
    own = (network.mixed(styles) == styles).all(2)
    assert own[:, 0].all() and not own[:, -1].any()
    assert (own.int().diff(dim=1) <= 0).all() and len(own.sum(1).unique()) == network.num_layers - 1
    network.mixing = 0.0
    assert torch.equal(network.mixed(styles), styles)


def test_the_mean_style_is_followed_while_training_only() -> None:
    network = rule_of().generator
    assert isinstance(network, Generator)
    latent = torch.randn(500, TINY.latent_features)
    network.eval()(latent)
    assert not network.mean_style.any()
    network.train()
    for _ in range(1500):
        network.mean_style.lerp_(network.styles(latent[:50]).mean(0).detach(), 0.005)
    torch.testing.assert_close(network.mean_style, network.styles(latent[:50]).mean(0), atol=1e-3, rtol=1e-2)


def test_pictures_grow_in_phases_and_are_faded_in() -> None:
    rule = rule_of(**GROWN)
    assert [(phase.name, round(phase.share, 3)) for phase in rule.phases] == [
        ("8 x 8", 0.1), ("16 x 16", 0.2), ("32 x 32", 0.7)
    ]  # fmt: skip
    assert isinstance(rule, Gradual) and isinstance(rule, Players)
    batch = {"inputs": torch.rand(4, 1, 32, 32)}
    latent = torch.randn(4, replace(TINY, **GROWN).latent_features)
    for phase, side in zip(rule.phases, (8, 16, 32), strict=True):
        rule.begin(phase)
        assert rule.real(batch).shape == rule.sample(batch).shape == (4, 1, side, side)
        assert rule.discriminate(rule.real(batch), batch).shape == (4,)
        assert rule.home.eval()(latent).shape == (4, 1, 32, 32)
        rule.home.train()


def test_what_begins_a_phase_is_what_ended_the_one_before() -> None:
    rule = rule_of(**GROWN)
    latent, batch = torch.randn(4, replace(TINY, **GROWN).latent_features), {"inputs": torch.rand(4, 1, 32, 32)}
    rule.begin(rule.phases[0])
    drawn, small = rule.home.eval()(latent), rule.real(batch)
    scores = rule.discriminator(small)
    rule.begin(rule.phases[1])
    torch.testing.assert_close(rule.home.eval()(latent), drawn)
    real = rule.real(batch)
    torch.testing.assert_close(real, functional.interpolate(small, scale_factor=2))
    torch.testing.assert_close(rule.discriminator(real), scores)


def test_how_far_a_picture_is_faded_in_is_a_function_of_the_step() -> None:
    rule = rule_of(fading=0.5)
    rule.begin(rule.phases[1])
    network = rule.generator
    assert isinstance(network, Generator)
    found = []
    for share in (0.0, 0.25, 0.5, 0.9):
        rule.reach(share)
        found.append((float(network.faded.clamp(max=1)), network.fading))
    assert found == [(0.0, True), (0.5, True), (1.0, False), (1.0, False)]


def test_a_network_knows_how_far_it_has_grown() -> None:
    """Halfway through a fade: the weights that a phase leaves are those of its pictures."""
    rule = rule_of(**GROWN)
    rule.begin(rule.phases[1])
    rule.reach(0.2)
    other = rule_of(**GROWN)
    other.home.load_state_dict(rule.home.state_dict())
    latent = torch.randn(2, replace(TINY, **GROWN).latent_features)
    assert torch.equal(other.home.eval()(latent), rule.home.eval()(latent))
    assert isinstance(other.home, Generator) and other.home.stage == 2 and other.home.fading


def test_the_trainer_says_after_which_share_of_a_phase_a_step_comes() -> None:
    rule, told = rule_of(), []
    reach = rule.reached
    assert reach is not None
    rule.reached = lambda share: told.append(round(share, 3)) or reach(share)
    loader = InMemoryLoader({"inputs": windows()[:8]}, batch_size=4, seed=0)
    settings = TrainerSettings(steps=10, device="cpu")
    Trainer(rule, loader, settings).fit()
    assert told == [0.0, 0.333, 0.667, *(round(step / 7, 3) for step in range(7))]


def test_noise_beside_pixels_is_part_of_what_a_picture_is_drawn_from() -> None:
    network = Generator(8, 1, style_features=6, mapping_layers=1, width=4).eval()
    for layer in network.layers:
        torch.nn.init.ones_(layer.noise)
    latent = torch.randn(2, 6 + 160)
    assert torch.equal(network(latent), network(latent))
    latent[1, :6] = latent[0, :6]
    first, second = network(latent)
    assert not torch.allclose(first, second)
    assert network(latent[:, :6]).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("size", [8, 16, 28, 40, 64])
def test_players_fit_each_other_at_any_size(size: int) -> None:
    images = Generator(size, 3, style_features=4, mapping_layers=1, width=4)(torch.randn(3, 4))
    assert images.shape == (3, 3, size, size)
    assert Discriminator(size, 3, 4)(images).shape == (3,)


@pytest.mark.parametrize("size", [4, 9, 30, 50])
def test_refuses_sizes_that_doubling_does_not_reach(size: int) -> None:
    with pytest.raises(ConfigurationError, match="image_size"):
        Config(image_size=size)


def test_configuration_survives_json() -> None:
    assert from_dict(Config, to_dict(TINY)) == TINY
