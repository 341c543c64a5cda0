"""The colouriser: colours told by texture, any size of picture, rare colours weighed as the equation says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganglion.core import Colourist, LearningRule
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.models.autoencoder.colouriser import TINY, Colouriser, Config, build
from ganglion.nn.images.colour import colour_bins, to_lab, to_rgb
from ganglion.rules.autoencoder.colouring import Colouring
from tests.contract.rows import Row

SMALL = np.asarray(read("photographs", DataSettings()).inputs)[::2, ::4, ::4]


def textures(count: int, seed: int = 0) -> torch.Tensor:
    """Return sRGB pictures (count, 3, 16, 16): those with stripes are red, those with dots are blue."""
    random = torch.Generator().manual_seed(seed)
    lightness = torch.full((count, 1, 16, 16), 50.0)
    lightness[::2, :, ::2] += 20
    lightness[1::2, :, ::2, ::2] += 20
    lightness += 2 * torch.randn(lightness.shape, generator=random)
    colours = torch.tensor([[50.0, 30.0], [10.0, -45.0]])[torch.arange(count) % 2]
    return to_rgb(torch.cat([lightness, colours.reshape(count, 2, 1, 1).expand(-1, -1, 16, 16)], 1)).clamp(0, 1)


@torch.no_grad()
def nearness(rule: LearningRule) -> float:
    """Return how near colours are to the true ones, as a share of how far grey is."""
    network = rule.home.eval()
    assert isinstance(network, Colourist)
    lab = to_lab(textures(40, seed=1))
    off = (network.colours(lab[:, :1]) - lab[:, 1:]).norm(dim=1).mean() / lab[:, 1:].norm(dim=1).mean()
    network.train()
    return 1 - float(off)


ROW = Row(
    loader=lambda: InMemoryLoader({"targets": textures(64)}, batch_size=16, seed=0),
    steps=60,
    measure=nearness,
    threshold=0.6,
    data=Dataset(name="small", fields={"inputs": Field(kind="images", values=SMALL)}),
)


def test_lab_is_that_of_scikit_image() -> None:
    colour = pytest.importorskip("skimage.color")
    image = np.random.default_rng(0).random((9, 11, 3))
    image[0, :4] = [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [0.02, 0.01, 0.03]]
    ours = to_lab(torch.from_numpy(image).movedim(2, 0)[None])
    np.testing.assert_allclose(ours[0].movedim(0, 2).numpy(), colour.rgb2lab(image), atol=1e-3)
    np.testing.assert_allclose(to_rgb(ours)[0].movedim(0, 2).numpy(), image, atol=1e-6)


def test_every_colour_has_a_bin_near_it() -> None:
    bins = colour_bins()
    colours = to_lab(torch.rand(1, 3, 1, 20_000, generator=torch.Generator().manual_seed(0)))[0, 1:, 0].T
    nearest = torch.cdist(colours, bins).min(1)
    assert float(nearest.values.max()) < 10  # half the diagonal of a bin is 7.1
    assert len(nearest.indices.unique()) > 0.75 * len(bins)


def test_rare_colours_weigh_more_and_the_mean_weight_is_one() -> None:
    rule = Colouring(Colouriser(TINY), TINY.descent, bins=colour_bins(20), uniform=0.5)
    assert rule.weights().unique().tolist() == [1.0]
    grey = int((rule.bins == 0).all(1).nonzero())
    rule.tensors["counts"][:] = 1
    rule.tensors["counts"][grey] = 1000
    weights = rule.weights()
    assert weights.argmin() == grey
    even = Colouring(Colouriser(TINY), TINY.descent, bins=colour_bins(20), uniform=1.0)
    even.tensors["counts"] = rule.tensors["counts"]
    torch.testing.assert_close(even.weights(), torch.ones(len(weights)))


@pytest.mark.parametrize("design", ["classification", "regression"])
def test_colours_fit_a_picture_of_any_size(design: str) -> None:
    network = Colouriser(replace(TINY, design=design)).eval()
    for size in ((1, 1), (8, 8), (17, 30), (33, 9)):
        assert network.colours(torch.rand(1, 1, *size) * 100).shape == (1, 2, *size)


def test_the_loss_of_regression_is_that_of_torch() -> None:
    rule = build(Config(design="regression", channels=(4, 4, 4)))
    images = textures(4)
    outputs = torch.zeros(4, 2, 8, 8)
    truth = torch.nn.functional.avg_pool2d(to_lab(images)[:, 1:], 2) / 100
    assert isinstance(rule, Colouring)
    torch.testing.assert_close(rule.judge(outputs, images)["loss"], truth.square().mean())


def test_the_right_answer_has_the_least_loss() -> None:
    """Cross-entropy is least where the answer is the shared truth itself."""
    rule = build(TINY)
    assert isinstance(rule, Colouring) and rule.bins is not None
    images = textures(2)
    truth = torch.nn.functional.avg_pool2d(to_lab(images)[:, 1:], 2)
    shares = (-torch.cdist(truth.movedim(1, 3).flatten(0, 2), rule.bins).square() / 50).log_softmax(1)
    right = shares.reshape(2, 8, 8, -1).movedim(3, 1)
    best = rule.judge(right, images)["loss"]
    for seed in range(3):
        other = right + 0.1 * torch.randn(right.shape, generator=torch.Generator().manual_seed(seed))
        assert rule.judge(other, images)["loss"] > best
