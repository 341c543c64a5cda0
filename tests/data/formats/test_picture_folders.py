"""Folders of pictures as people have them: wrapped, with classes in names, with pictures that are not read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.formats.images.files import decode
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.errors import DataError


def put(path: Path, shade: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(path, "JPEG" if path.suffix != ".png" else "PNG")


@pytest.mark.parametrize("wrapper", ["", "dataset", "dataset/images"])
@pytest.mark.parametrize("parts", [("",), ("train", "test")])
def test_a_folder_around_the_folders_of_classes_is_looked_through(tmp_path: Path, wrapper: str, parts: tuple) -> None:
    for part in parts:
        for label in ("cats", "dogs"):
            for number in range(4):
                put(tmp_path / wrapper / part / label / f"{number}.png", 20 * number + len(label + part))
    dataset = read(tmp_path, DataSettings())
    assert dataset.label_names == ("cats", "dogs") and len(dataset) == 8
    assert (dataset.test_inputs is not None) == (len(parts) == 2)


@pytest.mark.parametrize("called", ["val", "valid", "Validation"])
def test_a_validation_folder_chooses_the_weights(tmp_path: Path, called: str) -> None:
    for part, count in (("train", 6), (called, 2), ("test", 3)):
        for label in ("cats", "dogs"):
            for number in range(count):
                put(tmp_path / part / label / f"{number}.png", 20 * number + len(label + part))
    dataset = read(tmp_path, DataSettings(stream="yes"))
    parts = split(dataset, DataSettings(), seed=0)
    found = {name: {path.parts[-3] for path in part.inputs.paths} for name, part in parts.items()}
    assert found == {"train": {"train"}, "validation": {called}, "test": {"test"}}
    assert [len(parts[name]) for name in parts] == [12, 4, 6]


def test_browsers_save_jpeg_as_jfif(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path / "cats" / f"{number}.jpg", 10 * number)
        put(tmp_path / "dogs" / f"{number}.jfif", 50 + 10 * number)
    assert read(tmp_path, DataSettings()).label_names == ("cats", "dogs")


@pytest.mark.parametrize("ending", [".heic", ".avif", ".HEIC"])
def test_a_class_without_a_picture_that_is_read_is_named(tmp_path: Path, ending: str) -> None:
    for number in range(3):
        for label in ("birds", "cats"):
            put(tmp_path / label / f"{number}.jpg", 10 * number)
    (tmp_path / "dogs").mkdir()
    (tmp_path / "dogs" / f"0{ending}").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(DataError, match="no picture of this class") as caught:
        read(tmp_path, DataSettings())
    assert caught.value.where.endswith("dogs") and ending.lower() in caught.value.found
    put(tmp_path / "dogs" / "1.jpg")
    assert any("save them as JPEG or PNG" in note for note in read(tmp_path, DataSettings()).notes)


@pytest.mark.parametrize("spell", ["{}.{}.png", "{}-{:03}.png", "{}_{}.png", "{} ({}).png"])
@pytest.mark.parametrize("labels", [("cat", "dog"), ("3", "7"), ("red car", "blue-van")])
def test_classes_in_the_names_of_files_are_offered(tmp_path: Path, spell: str, labels: tuple[str, str]) -> None:
    for number in range(6):
        put(tmp_path / spell.format(labels[number % 2], number), 20 * number)
    plain = read(tmp_path, DataSettings())
    assert plain.targets is None
    assert any("--labels names" in note for note in plain.notes)
    named = read(tmp_path, DataSettings(labels="names"))
    assert set(named.label_names) == set(labels)
    assert [named.label_names[place] for place in named.targets] == sorted(list(labels) * 3)  # type: ignore[union-attr]


def test_names_without_classes_are_not_taken(tmp_path: Path) -> None:
    for number in range(6):
        put(tmp_path / f"IMG_{number}.png", 20 * number)
    assert not any("--labels" in note for note in read(tmp_path, DataSettings()).notes)
    with pytest.raises(DataError, match="hold no classes"):
        read(tmp_path, DataSettings(labels="names"))


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_photo_that_is_shown_small_is_decoded_small(tmp_path: Path, ending: str) -> None:
    across, down = np.meshgrid(np.linspace(0, 255, 1200), np.linspace(0, 255, 900))
    Image.fromarray(np.stack([across, down, 255 - down], axis=2).astype(np.uint8)).save(tmp_path / f"a.{ending}")
    whole, small = decode(tmp_path / f"a.{ending}"), decode(tmp_path / f"a.{ending}", shown_at=(20, 20))
    assert small.shape[0] < 300 and small.shape[0] >= 60
    assert abs(small.shape[1] / small.shape[0] - 4 / 3) < 0.03
    assert np.abs(small.mean(axis=(0, 1)) - whole.mean(axis=(0, 1))).max() < 2
