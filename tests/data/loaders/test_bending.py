"""Windows and elastic deformation: images and masks alike, sample by sample, and what they show."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ganglion.data.loaders.augment import Augment, Windows
from ganglion.data.loaders.bending import bent, displacements
from ganglion.errors import ConfigurationError

KINDS = {"inputs": "images", "targets": "masks"}


def batch(count: int = 6, height: int = 40, width: int = 50) -> dict[str, torch.Tensor]:
    """Images whose pixels say where they are, and masks that say the same in whole numbers."""
    numbers = torch.arange(height * width).reshape(1, 1, height, width).expand(count, -1, -1, -1)
    return {"inputs": numbers.float(), "targets": numbers[:, 0].contiguous(), "index": torch.arange(count)}


def test_images_and_masks_are_cut_alike_and_windows_differ() -> None:
    windows = Augment("flips", KINDS, Windows(16))(batch(40), seed=0, epoch=0)
    assert windows["inputs"].shape == (40, 1, 16, 16) and windows["targets"].shape == (40, 16, 16)
    assert torch.equal(windows["inputs"][:, 0].long(), windows["targets"])
    corners = windows["targets"][:, 0, 0]
    assert len(corners.unique()) > 30
    again = Augment("flips", KINDS, Windows(16))(batch(40), seed=0, epoch=0)
    assert torch.equal(again["targets"], windows["targets"])
    assert not torch.equal(Augment("flips", KINDS, Windows(16))(batch(40), 0, 1)["targets"], windows["targets"])


def test_every_pixel_comes_into_the_middle_of_windows_as_often() -> None:
    """With a margin, windows reach over the border, and what is asked about covers the image evenly."""
    counts, side, margin = torch.zeros(9), 7, 2
    for epoch in range(60):
        rows = torch.arange(9).expand(50, -1).reshape(50, 1, 9, 1).expand(-1, -1, -1, 9)
        cut = Augment("none", {"inputs": "images"}, Windows(side, margin))(
            {"inputs": rows.float(), "index": torch.arange(50)}, 0, epoch
        )
        counts += torch.bincount(cut["inputs"][:, 0, margin:-margin, 0].long().flatten(), minlength=9)
    assert (counts > 0).all()
    inner = counts[2:-2] / counts[2:-2].mean()
    assert float((inner - 1).abs().max()) < 0.15


def test_beyond_the_image_is_its_reflection() -> None:
    """A window that is larger than the image shows it in the middle of its mirrors, as NumPy continues it."""
    images = torch.rand(2, 1, 5, 6)
    cut = Augment("none", {"inputs": "images"}, Windows(12))({"inputs": images, "index": torch.arange(2)}, 0, 0)
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (4, 3), (3, 3)), mode="reflect")
    np.testing.assert_array_equal(cut["inputs"].numpy(), expected)


def test_bending_is_that_of_scipy() -> None:
    images, rows, columns = torch.rand(3, 2, 20, 24), torch.arange(20).expand(3, -1), torch.arange(24).expand(3, -1)
    bending = displacements(1, 0, torch.arange(3), 20, 24)
    found = bent(images, rows, columns, bending)
    grid = np.mgrid[0:20, 0:24]
    for number in range(3):
        places = grid + bending[number].numpy()
        for channel in range(2):
            expected = ndimage.map_coordinates(images[number, channel].numpy(), places, order=1, mode="nearest")
            np.testing.assert_allclose(found[number, channel].numpy(), expected, atol=1e-5)
    nearest = bent(images, rows, columns, bending, nearest=True)
    assert np.isin(nearest.numpy(), images.numpy()).all()


def test_displacements_are_smooth_and_as_large_as_they_should_be() -> None:
    found = displacements(0, 0, torch.arange(400), 256, 300)
    assert float(found[:, :, [0, 128, 255]][..., [0, -1]].std()) == pytest.approx(10, rel=0.05)
    assert float(found.diff(dim=3).abs().max()) < 1
    assert float(displacements(0, 0, torch.arange(400), 50, 64)[:, :, 0, 0].std()) == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("kind", ["elastic", "flip-elastic", "flips-elastic"])
@pytest.mark.parametrize("windows", [None, Windows(24)])
def test_a_sample_is_bent_the_same_in_any_batch(kind: str, windows: Windows | None) -> None:
    augment = Augment(kind, KINDS, windows)  # type: ignore[arg-type]
    whole = augment(batch(), seed=3, epoch=2)
    alone = augment({name: values[4:5] for name, values in batch().items()}, seed=3, epoch=2)
    for name in KINDS:
        assert torch.equal(whole[name][4:5], alone[name])
    close = (whole["inputs"][:, 0] - whole["targets"]).abs()
    assert float(close.median()) <= 26  # half a row and half a column at most: the mask moves with its image
    unbent = Augment("none", KINDS, windows)(batch(), 3, 2)
    assert not torch.equal(whole["inputs"], unbent["inputs"])


def test_boxes_cannot_be_bent() -> None:
    with pytest.raises(ConfigurationError, match="boxes cannot be bent"):
        Augment("elastic", {"inputs": "images", "boxes": "boxes"})(
            {**batch(), "boxes": torch.zeros(6, 1, 5)}, seed=0, epoch=0
        )
