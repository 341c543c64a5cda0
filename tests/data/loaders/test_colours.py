"""Brightness, contrast, saturation and squares cut out, against slow references; the same in any batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.color import rgb2gray
from sklearn.decomposition import PCA
from torch import Tensor

from ganglion.data.loaders.colours import Colours, cut_out, jittered, lights

images = torch.rand(6, 3, 9, 12, generator=torch.Generator().manual_seed(0))


def batch(pixels: Tensor = images) -> dict[str, Tensor]:
    return {"inputs": pixels, "index": torch.arange(len(pixels)), "targets": torch.arange(len(pixels))}


def colours(jitter: float = 0.0, cutout: float = 0.0, channels: int = 3) -> Colours:
    return Colours("inputs", jitter, cutout, (0.0,) * channels, (1.0,) * channels)


def test_factors_of_one_change_nothing() -> None:
    torch.testing.assert_close(jittered(images, torch.ones(6, 3)), images)


def test_brightness_and_contrast_and_saturation_one_by_one() -> None:
    factors = torch.tensor([0.5, 0.8, 1.0, 1.2, 1.5, 2.0])
    one = torch.ones(6)
    found = jittered(images, torch.stack([factors, one, one], 1))
    torch.testing.assert_close(found, (images * factors[:, None, None, None]).clamp(max=1))
    low = images * 0.2 + 0.4  # nothing is cut
    weights = torch.tensor([0.299, 0.587, 0.114])
    means = torch.einsum("bchw,c->bhw", low, weights).mean((1, 2))[:, None, None, None]
    found = jittered(low, torch.stack([one, factors, one], 1))
    torch.testing.assert_close(found, means + (low - means) * factors[:, None, None, None])
    assert jittered(low, torch.stack([one, one, 0 * one], 1)).std(1).max() < 1e-6


def test_grey_is_about_that_of_scikit_image() -> None:
    """Which weighs the channels as screens of today have them: a little more green."""
    found = jittered(images, torch.tensor([[1.0, 1.0, 0.0]]).expand(6, 3))[:, 0]
    assert np.abs(rgb2gray(images.numpy(), channel_axis=1) - found.numpy()).max() < 0.12


@pytest.mark.parametrize("share", [0.1, 0.4, 1.0])
def test_a_square_is_cut_out_where_it_lies_inside(share: float) -> None:
    middles = torch.rand(6, 2, generator=torch.Generator().manual_seed(1))
    found, side = cut_out(images, middles, share), max(1, round(share * 9))
    for image, changed, (row, column) in zip(images, found, middles.tolist(), strict=True):
        expected = image.clone()
        top, left = int(row * 9) - side // 2, int(column * 12) - side // 2
        for y in range(max(0, top), min(9, top + side)):
            for x in range(max(0, left), min(12, left + side)):
                expected[:, y, x] = 0.5
        assert torch.equal(changed, expected)


def test_the_same_in_any_batch_and_another_in_every_epoch() -> None:
    change = colours(jitter=0.4, cutout=0.5)
    whole = change(batch(), seed=3, epoch=2)
    part = change({name: values[4:5] for name, values in batch().items()}, seed=3, epoch=2)
    torch.testing.assert_close(part["inputs"], whole["inputs"][4:5])
    assert not torch.equal(change(batch(), seed=3, epoch=3)["inputs"], whole["inputs"])
    assert torch.equal(whole["targets"], batch()["targets"])


def test_values_stay_between_black_and_white_as_the_network_sees_them() -> None:
    black, white = (-1.0, -2.0, 0.0), (1.0, 3.0, 0.5)
    low, high = (torch.tensor(values)[:, None, None] for values in (black, white))
    seen = low + images * (high - low)
    found = Colours("inputs", 0.9, 0.3, black, white)(batch(seen), seed=0, epoch=0)["inputs"]
    plain = colours(jitter=0.9, cutout=0.3)(batch(), seed=0, epoch=0)["inputs"]
    torch.testing.assert_close(found, low + plain * (high - low), atol=1e-5, rtol=1e-5)


def test_factors_fill_their_range() -> None:
    many = torch.full((4000, 1, 1, 1), 0.5)
    found = colours(jitter=0.4, channels=1)(batch(many), seed=0, epoch=0)["inputs"].flatten()
    assert 0.3 <= found.min() < 0.31 and 0.69 < found.max() <= 0.7 and abs(found.mean() - 0.5) < 0.01


def test_lighting_follows_the_directions_in_which_colours_vary() -> None:
    drawn = torch.Generator().manual_seed(0)
    pixels = torch.rand(20, 3, 6, 6, generator=drawn) * torch.tensor([0.3, 0.6, 0.9])[:, None, None]
    pixels = torch.cat([pixels, pixels.flip(1)])
    found = PCA().fit(pixels.movedim(1, 3).reshape(-1, 3).numpy())
    expected = 0.1 * found.explained_variance_[:, None] * found.components_
    ours = np.array(lights(pixels, 0.1))[::-1]  # the largest first
    signs = np.sign((ours * expected).sum(1, keepdims=True))
    np.testing.assert_allclose(ours * signs, expected, rtol=1e-4, atol=1e-6)


def test_lighting_changes_the_colour_of_an_image_as_a_whole() -> None:
    middle = torch.full((4000, 3, 2, 2), 0.5)
    direction = (0.02, -0.01, 0.03)
    found = replace(colours(), lighting=(direction,))(batch(middle), seed=0, epoch=0)["inputs"] - 0.5
    assert torch.equal(found, found[..., :1, :1].expand_as(found))
    amount = found[:, :, 0, 0] / torch.tensor(direction)
    torch.testing.assert_close(amount, amount[:, :1].expand_as(amount), rtol=1e-3, atol=1e-4)
    assert abs(float(amount[:, 0].mean())) < 0.06 and abs(float(amount[:, 0].std()) - 1) < 0.05
