"""The conditional pair: counts by hand, the class in both players, and that what is asked for is drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.models.adversarial import cgan, gan
from ganglion.models.adversarial.cgan import TINY, Config, Discriminator, Generator, build
from ganglion.runs.writing import write
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.generation import Generate, Generation
from tests.contract.rows import Row
from tests.tasks.asking import ask

SIDE, CLASSES = 16, 3


def marked() -> dict[str, torch.Tensor]:
    """Return dark images whose class is the third that is bright, (60, 1, side, side)."""
    classes = torch.arange(60) % CLASSES
    images = torch.full((60, 1, SIDE, SIDE), -0.8)
    for image, one in zip(images, classes.tolist(), strict=True):
        image[:, :, 5 * one : 5 * one + 5] = 0.8
    return {
        "inputs": images + 0.05 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0)),
        "targets": classes,
    }


def obedience(rule: LearningRule) -> float:
    """Return the share of the brightness that is where the class that was asked for has it."""
    classes = torch.arange(90) % CLASSES
    with torch.no_grad():
        images = rule.home.eval()(torch.randn(90, 8, generator=torch.Generator().manual_seed(0)), classes)
    rule.home.train()
    bright = (images[:, 0, :, : 5 * CLASSES] + 1).unflatten(2, (CLASSES, 5)).sum((1, 3))
    return float((bright[torch.arange(90), classes] / bright.sum(1)).mean())


ROW = Row(
    loader=lambda: InMemoryLoader(marked(), batch_size=15, seed=0),
    steps=150,
    measure=obedience,
    threshold=0.6,
    options={"limit": 200},
    counts=(
        # Noise to 200, class to 1000, both to 1200, to 784 pixels.
        ({}, "generator", 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 784),
        # Maxout: image to 240 of five, class to 50 of five, both to 240 of four, to one.
        ({}, "discriminator", 785 * 1200 + 11 * 250 + 291 * 960 + 241),
        ({"condition": "projected"}, "discriminator", 785 * 1200 + 241 * 960 + 241 + 10 * 240),
    ),
)


@pytest.mark.parametrize("networks", ["dense", "convolutional"])
@pytest.mark.parametrize("condition", ["concatenated", "projected"])
def test_both_players_look_at_the_class(networks: str, condition: str) -> None:
    torch.manual_seed(0)
    rule = build(from_dict(Config, to_dict(TINY) | {"networks": networks, "condition": condition}))
    latent, images = torch.randn(4, 8), torch.randn(4, 1, SIDE, SIDE)
    one, other = torch.zeros(4, dtype=torch.int64), torch.ones(4, dtype=torch.int64)
    for network, inputs in ((rule.networks["generator"], latent), (rule.networks["discriminator"], images)):
        network.eval()
        assert not torch.allclose(network(inputs, one), network(inputs, other))


def test_projection_is_the_inner_product_of_the_class_with_the_features() -> None:
    torch.manual_seed(0)
    network = Discriminator(CLASSES, 4, 1, SIDE).eval()
    images, classes = torch.randn(5, 1, SIDE, SIDE), torch.tensor([0, 1, 2, 0, 1])
    maps = network.features(images)
    expected = network.output(maps) + torch.einsum("nchw,nc->n", maps, network.projection.weight[classes])
    torch.testing.assert_close(network(images, classes), expected)


def digits(classes: int = 3) -> Dataset:
    images = (marked()["inputs"].clamp(-1, 1)[:, 0, :, :, None].numpy() * 127 + 128).astype(np.uint8)
    return Dataset.of(
        name="bars",
        kind="image",
        inputs=images,
        targets=np.arange(60) % classes,
        label_names=("left", "middle", "right"),
    )


def prepared() -> Generation:
    return Generation.prepare(digits(), TINY, DataSettings(batch_size=16), seed=0)


def test_a_class_is_asked_for_by_its_name_and_written_to_its_folder(tmp_path: Path) -> None:
    task = prepared()
    home = build(task.config).home
    restored = Generation.restore(task.state(), task.config)
    one = ask(restored, home, "generate", count=2, class_="right")
    assert one.shape == (2, 16, 16, 1)
    every = restored.ask("generate", home, Generate(count=6))
    assert [*every.groups] == ["left", "middle", "right"] * 2
    write(every, str(tmp_path / "more") + "/")
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert written[:2] == ["more/left/0000-seed0.png", "more/left/0003-seed0.png"] and len(written) == 6
    with Image.open(tmp_path / written[0]) as picture:
        assert picture.size == (16, 16)
    again = Generation.open(str(tmp_path / "more"), DataSettings())
    assert again.fields["targets"].names == ("left", "middle", "right")
    with pytest.raises(ConfigurationError, match="class"):
        ask(restored, home, "generate", class_="up")


def test_a_run_without_classes_says_so() -> None:
    task = Generation.prepare(digits(), gan.TINY, DataSettings(batch_size=16), seed=0)
    with pytest.raises(UsageError, match="told no classes"):
        ask(task, gan.build(task.config).home, "generate", class_="right")


@pytest.mark.parametrize("classes", [0, 1])
def test_refuses_data_without_two_classes(classes: int) -> None:
    data = digits(1)
    if not classes:
        data = Dataset.of(name="bars", kind="image", inputs=data.inputs)
    with pytest.raises(DataError, match="needs some"):
        Generation.prepare(data, TINY, DataSettings(), seed=0)


def test_draws_figures_in_rows_of_classes() -> None:
    task = prepared()
    rule = build(task.config)
    assert set(task.figures(rule)) == {"generated", "real", "interpolation", "nearest"}
    assert np.isfinite(list(task.evaluate(rule, "test").values())).all()
    assert task.sheet(rule.home).ndim == 3


def test_generator_grows_any_size_and_configuration_survives_json() -> None:
    assert Generator(8, 5, 4, 3, 28)(torch.zeros(2, 8), torch.tensor([0, 4])).shape == (2, 3, 28, 28)
    assert from_dict(Config, to_dict(TINY)) == TINY
    with pytest.raises(ConfigurationError, match="image_size"):
        cgan.Config(networks="convolutional", image_size=30)
