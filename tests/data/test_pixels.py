"""The range of pixels is one rule for folders, NPZ and arrays, from the values of the whole set."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.formats.arrays import from_arrays
from ganglion.data.pixels import asked_pixels, channels_last, find_range
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

RANDOM = np.random.default_rng(0)
LEVELS = RANDOM.integers(0, 17, (20, 6, 6))
LEVELS[0, 0, 0] = 16
SETS = {
    "bytes": ((LEVELS * 15).astype(np.uint8), 255, LEVELS * 15 / 255),
    "bytes of 0 and 1": ((LEVELS > 7).astype(np.uint8), 1, LEVELS > 7),
    "booleans": (LEVELS > 7, 1, LEVELS > 7),
    "0 to 16": (LEVELS.astype(np.float64), 16, LEVELS / 16),
    "fractions": ((LEVELS / 16).astype(np.float32), 1, LEVELS / 16),
    "12 bits": ((LEVELS * 255).astype(np.uint16), 4095, LEVELS * 255 / 4095),
    "16 bits": ((LEVELS * 4000).astype(np.uint16), 65535, LEVELS * 4000 / 65535),
    "from -1 to 1": (LEVELS / 8.0 - 1, 1, LEVELS / 16),
}


def fractions(dataset: Dataset) -> np.ndarray:
    values = np.asarray(dataset.main.values, dtype=np.float64)[..., 0]
    return values / 255 if dataset.main.values.dtype == np.uint8 else values  # type: ignore[union-attr]


@pytest.mark.parametrize("name", SETS)
def test_arrays_and_npz_are_read_on_the_same_scale(tmp_path: Path, name: str) -> None:
    images, white, wanted = SETS[name]
    np.savez(tmp_path / "set.npz", x=images, y=np.arange(len(images)) % 2)
    for dataset in (read(tmp_path / "set.npz", DataSettings()), from_arrays(images, np.arange(len(images)) % 2)):
        assert dataset.main.pixels is not None and dataset.main.pixels[1] == white
        assert np.abs(fractions(dataset) - wanted).max() <= 0.5 / 255
        assert any(f"{white} is white" in note and "% of that range" in note for note in dataset.notes)
    # One picture that is asked about alone is read as the set was.
    alone = asked_pixels(images[1], dataset.main.pixels)
    assert np.array_equal(alone, np.asarray(dataset.main.values)[1, ..., 0])


@pytest.mark.parametrize("stream", ["no", "yes"])
@pytest.mark.parametrize("name", ["bytes", "bytes of 0 and 1", "12 bits", "16 bits", "0 to 16"])
def test_files_are_read_on_the_same_scale(tmp_path: Path, name: str, stream: str) -> None:
    images, white, wanted = SETS[name]
    ending = "tif" if images.dtype == np.float64 else "png"
    for place, image in enumerate(images):
        folder = tmp_path / "ab"[place % 2]
        folder.mkdir(exist_ok=True)
        plain = image.astype(np.float32) if image.dtype == np.float64 else image
        Image.fromarray(plain).save(folder / f"{place:02}.{ending}")
    dataset = read(tmp_path, DataSettings(stream=stream))  # type: ignore[arg-type]
    order = [int(path.stem) for path in sorted(tmp_path.rglob(f"*.{ending}"))]
    assert dataset.main.pixels == (0, white)
    found = np.asarray(dataset.main.values[:])
    found = found / 255 if found.dtype == np.uint8 else found
    assert np.abs(found[..., 0] - wanted[order]).max() <= 0.5 / 255


def test_what_is_in_no_range_is_refused_until_somebody_says_which(tmp_path: Path) -> None:
    scans = (LEVELS * 100 - 1000).astype(np.int32)
    for where, values in (("negative", scans), ("huge", LEVELS * 1e6), ("broken", np.where(LEVELS > 3, np.nan, 0.0))):
        with pytest.raises(DataError, match="no range") as caught:
            from_arrays(values)
        assert "--pixels" in caught.value.remedy, where
    dataset = from_arrays(scans, pixels=(-1000, 600))
    assert np.abs(fractions(dataset) - LEVELS / 16).max() < 1e-6
    with pytest.raises(DataError, match="no range"):
        from_arrays(scans, pixels=(-1000, 500))
    for place, image in enumerate(scans):
        Image.fromarray(image).save(tmp_path / f"{place:02}.tif")
    with pytest.raises(DataError, match="no range"):
        read(tmp_path, DataSettings())
    assert read(tmp_path, DataSettings(pixels=(-1000, 600))).main.pixels == (-1000, 600)


def test_a_little_beyond_0_and_1_is_what_resizing_leaves() -> None:
    values = np.linspace(0, 1, 1000)
    values[0] = -0.04
    assert find_range(values) == (0, 1)


def test_a_file_of_several_pages_is_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((8, 8), 80 * page, np.uint8)) for page in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="cannot be read") as caught:
        read(tmp_path, DataSettings())
    assert "3 pages" in caught.value.where


def test_fractions_and_bytes_asked_of_a_run_of_bytes() -> None:
    assert asked_pixels(np.array([[0.5]]), (0, 255)).tolist() == [[128]]
    assert asked_pixels(np.array([[200]], np.uint8), (0, 1)).tolist() == [[200]]
    assert asked_pixels(np.array([[1]], np.uint8), (0, 1)).tolist() == [[255]]
    assert asked_pixels(np.array([[2048]], np.uint16), (0, 4095))[0, 0] == pytest.approx(2048 / 4095)


def test_channels_that_come_first_are_moved(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 9, 3), dtype=np.uint8)
    first = np.moveaxis(images, 3, 1)
    np.savez(tmp_path / "first.npz", x=first, y=np.arange(20) % 2)
    for dataset in (read(tmp_path / "first.npz", DataSettings()), from_arrays(first, np.arange(20) % 2)):
        assert np.array_equal(dataset.inputs, images)
    assert channels_last(images) is images  # nothing is moved where the last axis may be one of channels
    np.savez(tmp_path / "five.npz", x=np.zeros((20, 5, 8, 9), np.uint8))
    with pytest.raises(DataError, match="no images") as caught:
        read(tmp_path / "five.npz", DataSettings())
    assert caught.value.remedy
