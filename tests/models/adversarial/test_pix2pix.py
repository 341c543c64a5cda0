"""Picture to picture: published counts, shapes of every layer, answers that do not depend on neighbours, pairs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.models.adversarial.pix2pix import FORMS, TINY, Config, Generator, build
from ganglion.nn.images.patches import PatchDiscriminator
from ganglion.nn.images.picture_statistics import KeptDropout, PictureNorm, padded_to
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.image_to_image import ImageToImage
from tests.contract.rows import Row

SIDE = 16


def turned() -> dict[str, torch.Tensor]:
    """Return pictures of blocks, and the same with black and white exchanged, (40, 1, side, side)."""
    blocks = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0)).round()
    pictures = blocks.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return {"inputs": pictures, "targets": 1 - pictures}


def nearness(rule: LearningRule) -> float:
    pairs = turned()
    with torch.no_grad():
        made = rule.home.eval()(pairs["inputs"])
    rule.home.train()
    return -float((made - pairs["targets"]).abs().mean())


ROW = Row(
    loader=lambda: InMemoryLoader(turned(), batch_size=8, seed=0),
    steps=80,
    measure=nearness,
    threshold=-0.2,
    data=generate("drawn-facades", count=16),
    options={"batch_size": 4, "evaluate_every": 12},
    counts=(
        ({}, "generator", 54_413_955),
        ({}, "discriminator", 2_768_705),
        ({"edition": "original"}, "generator", 54_419_459),
        ({"edition": "original"}, "discriminator", 2_769_601),
        ({"image_size": 128}, "generator", 41_828_995),
    ),
)


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_an_output_of_the_discriminator_sees_a_patch_of_the_published_side(layers: int, patch: int) -> None:
    network = PatchDiscriminator(1, 2, layers, normalise=nn.Identity)
    picture = torch.zeros(1, 1, 2 * patch, 2 * patch, requires_grad=True)
    logits = network(picture)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert picture.grad is not None
    seen = picture.grad[0, 0].abs().sum(0).nonzero()
    assert int(seen.max() - seen.min()) + 1 == patch


def test_answers_depend_on_no_neighbour_and_are_the_same_each_time() -> None:
    torch.manual_seed(0)
    network = Generator(3, 4, 5)
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 3, 32, 32))
        network.eval()
        pictures = torch.rand(3, 3, 32, 32)
        together, alone = network(pictures), torch.cat([network(one[None]) for one in pictures])
        torch.testing.assert_close(together, alone)
        assert torch.equal(network(pictures), together)
        assert (network.train()(pictures) - together).abs().max() > 1e-3  # the noise of training is another each time


def test_dropout_stays_on_in_the_inner_layers() -> None:
    dropping = [module.kept.shape[0] for module in Generator(3, 8, 8).modules() if isinstance(module, KeptDropout)]
    assert dropping == [64, 64, 64]
    layer, maps = KeptDropout(16).eval(), torch.ones(1, 16, 40, 40)
    kept = (layer(maps) > 0).float()
    assert 0.45 < kept.mean() < 0.55 and set(layer(maps).unique().tolist()) == {0.0, 2.0}
    assert not torch.equal(KeptDropout(16, 1).kept, layer.kept)


def test_a_picture_is_normalised_as_a_batch_of_one_is() -> None:
    layer, maps = PictureNorm(4), torch.randn(1, 4, 6, 6)
    nn.init.normal_(layer.weight)
    torch.testing.assert_close(layer.eval()(maps), layer.train()(maps))
    assert torch.isfinite(layer(maps[:, :, :1, :1])).all()


@pytest.mark.parametrize("size", [(16, 16), (40, 52), (3, 9), (33, 64)])
def test_any_size_comes_back(size: tuple[int, int]) -> None:
    network = build(TINY).home.eval()
    with torch.no_grad():
        assert network(torch.rand(2, 1, *size)).shape == (2, 1, *size)
    padded = padded_to(torch.rand(1, 1, *size), 16)
    assert padded.shape[2] % 16 == padded.shape[3] % 16 == 0


def test_the_generator_pays_the_published_sum() -> None:
    torch.manual_seed(0)
    rule: Any = build(replace(TINY, target_weight=100.0))
    batch = {name: values[:4] for name, values in turned().items()}
    generated = rule.generator(batch["inputs"])
    measured = rule.generator_objective(batch, generated)
    logits = rule.discriminator(generated, batch["inputs"])
    expected = nn.functional.softplus(-logits).mean() + 100 * (generated - batch["targets"]).abs().mean()
    torch.testing.assert_close(measured["loss"], expected)


def test_pairs_are_learnt_judged_and_answered_and_pictures_alone_refused() -> None:
    settings = DataSettings(batch_size=4)
    task = ImageToImage.prepare(generate("drawn-facades", count=20), replace(TINY, image_size=32), settings, seed=0)
    rule = build(task.config)
    rule.step(next(iter(task.loader(rule, seed=0))))
    assert set(task.evaluate(rule, "test")) == set(task.baseline()) == {"psnr", "ssim", "l1"}
    assert task.config.in_channels == 3
    photo = np.zeros((50, 70, 3), np.uint8)
    assert ImageToImage.restore(task.state(), task.config).transform(rule.home, [photo])[0].shape == (50, 70, 3)
    with pytest.raises(DataError, match="pairs of pictures"):
        ImageToImage.prepare(generate("faces", count=10), TINY, settings, seed=0)


def test_forms_and_json() -> None:
    assert FORMS["original"].edition == "original" and FORMS["port"] == Config()
    assert (Config().target_weight, Config().game.loss) == (100.0, "non-saturating")
    assert from_dict(Config, to_dict(TINY)) == TINY
