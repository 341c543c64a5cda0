"""Pairs, masks and boxes whose pictures are more than bytes are read on the scale that their values have."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.check import check
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

RANDOM = np.random.default_rng(5)
TWELVE = [np.append(RANDOM.integers(0, 4096, 63), 4095).reshape(8, 8).astype(np.uint16) for _ in range(6)]


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def reading(folder: Path, kind: Kind | None = None, **settings: object) -> Dataset:
    return read(folder, DataSettings(**settings), kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", ["no", "yes"])
def test_pairs_of_twelve_bits(tmp_path: Path, stream: str) -> None:
    for number, pixels in enumerate(TWELVE):
        save(tmp_path / "source" / f"{number}.png", pixels)
        save(tmp_path / "target" / f"{number}.tif", pixels[::-1])
    dataset = reading(tmp_path, "image-pairs", stream=stream)
    source, target = dataset.fields["source"], dataset.fields["target"]
    assert source.pixels == target.pixels == (0, 4095)
    expected = np.stack(TWELVE)[..., None] / 4095
    assert np.allclose(source.values[:], expected, atol=1e-6)
    assert np.allclose(target.values[:], expected[:, ::-1], atol=1e-6)
    assert sum("4095 is white" in note for note in dataset.notes) == 2


def test_each_side_has_its_own_scale_and_the_user_another(tmp_path: Path) -> None:
    for number, pixels in enumerate(TWELVE):
        save(tmp_path / "source" / f"{number}.png", (pixels > 2000).astype(np.uint8))
        save(tmp_path / "target" / f"{number}.png", (pixels >> 4).astype(np.uint8))
    dataset = reading(tmp_path, "image-pairs")
    assert dataset.fields["source"].pixels == (0, 1) and dataset.fields["target"].pixels == (0, 255)
    assert np.array_equal(dataset.fields["source"].values[0][..., 0], (TWELVE[0] > 2000) * np.uint8(255))
    assert np.array_equal(dataset.fields["target"].values[0][..., 0], TWELVE[0] >> 4)
    asked = reading(tmp_path, "image-pairs", pixels=(0, 255))
    assert asked.fields["source"].values.max() == 1


def test_halves_of_one_picture(tmp_path: Path) -> None:
    for number, pixels in enumerate(TWELVE):
        save(tmp_path / f"{number}.png", np.hstack([pixels, pixels.T]))
    dataset = reading(tmp_path, "image-pairs")
    assert np.allclose(dataset.fields["target"].values[2][..., 0], TWELVE[2].T / 4095, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_masks_of_any_depth(tmp_path: Path, dtype: type) -> None:
    values = np.array([0, 3, 200] if dtype is np.uint8 else [0, 3, 1000])
    for number, pixels in enumerate(TWELVE):
        save(tmp_path / "images" / f"{number}.tif", pixels)
        save(tmp_path / "masks" / f"{number}.tif", values[pixels % 3].astype(dtype))
    dataset = reading(tmp_path)
    assert dataset.fields["inputs"].pixels == (0, 4095)
    assert np.array_equal(dataset.fields["masks"].values, np.stack(TWELVE) % 3)
    assert dataset.fields["masks"].names == tuple(f"value {value}" for value in values)


def test_masks_of_fractions_are_refused(tmp_path: Path) -> None:
    for number, pixels in enumerate(TWELVE):
        save(tmp_path / "images" / f"{number}.tif", pixels)
        save(tmp_path / "masks" / f"{number}.tif", (pixels / 4095).astype(np.float32))
    with pytest.raises(DataError, match="cannot be read") as caught:
        reading(tmp_path)
    assert "(0" in caught.value.where and " to 1)" in caught.value.where


def test_pairs_of_the_same_picture_are_pointed_out(tmp_path: Path) -> None:
    for number, pixels in enumerate(TWELVE):
        save(tmp_path / "source" / f"{number}.png", pixels)
        save(tmp_path / "target" / f"{number}.png", pixels if number < 2 else pixels.T)
    (finding,) = [one for one in check(reading(tmp_path, "image-pairs")) if one.name == "same-pairs"]
    assert finding.value == 2
