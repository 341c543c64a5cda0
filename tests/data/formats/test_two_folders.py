"""Folders of pairs, of two domains, of images with masks: told apart, paired by name, and refused where unclear."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.check import check, check_path
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.fields import UNJUDGED
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.formats.images.masks import MaskFiles
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.errors import DataError, GanglionError

RANDOM = np.random.default_rng(0)


def save(path: Path, size: tuple[int, int] = (6, 8), value: int | None = None) -> np.ndarray:
    """Write an image, of one value in its corner where one is given, and return its pixels."""
    pixels = RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8)
    if value is not None:
        pixels[...] = value
        pixels[-1] = 255  # so that white is 255, however dark the rest
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def reading(folder: Path, kind: Kind | None = None, **options: object) -> Dataset:
    return read(folder, DataSettings(**options), kind)  # type: ignore[arg-type]


def value(dataset: Dataset, field: str, place: int) -> int:
    return int(np.asarray(dataset.fields[field][place])[0, 0, 0])


@pytest.mark.parametrize(("first", "second"), [("source", "target"), ("input", "output"), ("Noisy", "Clean")])
def test_two_folders_of_one_names_are_pairs(tmp_path: Path, first: str, second: str) -> None:
    for number in range(12):  # 10 comes before 2 in one order of names and not in another
        save(tmp_path / first / f"{number}.png", value=number)
        save(tmp_path / second / f"{number}.png", value=100 + number)
    dataset = reading(tmp_path)
    assert (dataset.kind, len(dataset), list(dataset.fields)) == ("image-pairs", 12, ["source", "target"])
    assert all(value(dataset, "target", place) == 100 + value(dataset, "source", place) for place in range(12))
    assert any(f"12 pairs: {second} is learnt from {first}" in note for note in dataset.notes)
    turned = reading(tmp_path, target=first)
    assert value(turned, "target", 3) < 100 <= value(turned, "source", 3)
    with pytest.raises(GanglionError, match="unknown folder"):
        reading(tmp_path, target="elsewhere")


@pytest.mark.parametrize("layout", ["{part}{side}/{number}_{side}.png", "{part}/{side}/{number}.png"])
def test_parts_of_pairs(tmp_path: Path, layout: str) -> None:
    for part, count in (("train", 6), ("test", 3)):
        for offset, side in enumerate("AB"):
            for number in range(count):
                save(tmp_path / layout.format(part=part, side=side, number=number), value=100 * offset + number)
    dataset = reading(tmp_path, "image-pairs")
    assert (len(dataset), len(dataset.test_fields["target"])) == (6, 3)
    assert all(value(dataset, "target", place) == 100 + value(dataset, "source", place) for place in range(6))
    turned = reading(tmp_path, "image-pairs", target="A")
    assert value(turned, "source", 0) >= 100
    domains = reading(tmp_path, "image-domains")
    assert domains.kind == "image-domains" and not domains.is_paired


def test_a_validation_part_is_the_test_part_where_there_is_no_other(tmp_path: Path) -> None:
    for part, count in (("train", 4), ("val", 2)):
        for side in ("source", "target"):
            for number in range(count):
                save(tmp_path / part / side / f"{part}{number}.png")
    assert (len(reading(tmp_path)), len(reading(tmp_path).test_fields["source"])) == (4, 2)
    for side in ("source", "target"):
        save(tmp_path / "test" / side / "0.png")
    dataset = reading(tmp_path)
    assert (len(dataset), len(dataset.test_fields["source"])) == (6, 1)
    assert "is used as the validation part" in " ".join(dataset.notes)
    parts = split(dataset, DataSettings(), seed=0)
    assert parts["validation"].index.tolist() == [4, 5] and len(parts["train"]) == 4


def test_folders_called_a_and_b_are_classes_unless_pairs_are_wanted(tmp_path: Path) -> None:
    for side in "AB":
        for number in range(3):
            save(tmp_path / side / f"{number}.png")
    assert reading(tmp_path).kind == "image"
    assert reading(tmp_path).label_names == ("A", "B")
    assert reading(tmp_path, "image-pairs").kind == "image-pairs"


def test_folders_of_any_names_are_pairs_where_they_are_named(tmp_path: Path) -> None:
    for side in ("photos", "maps", "others"):
        for number in range(3):
            save(tmp_path / side / f"{number}.png")
    dataset = reading(tmp_path, "image-pairs", columns=("photos", "maps"))
    assert [field.called for field in dataset.fields.values()] == ["photos", "maps"]
    with pytest.raises(GanglionError, match="unknown folder 'mops'"):
        reading(tmp_path, "image-pairs", columns=("photos", "mops"))


def test_images_without_a_partner_are_named_and_domains_need_none(tmp_path: Path) -> None:
    for number in range(5):
        save(tmp_path / "source" / f"{number}.png")
        save(tmp_path / "target" / f"{number}.png")
    save(tmp_path / "target" / "lonely.png")
    with pytest.raises(DataError, match="no partner") as caught:
        reading(tmp_path)
    assert "lonely.png" in caught.value.where
    domains = reading(tmp_path, "image-domains")
    assert [len(field) for field in domains.fields.values()] == [5, 6]


def test_names_that_have_nothing_in_common_are_domains_or_refused(tmp_path: Path) -> None:
    for side, names in (("trainA", ("horse", "pony", "mare")), ("trainB", ("zebra", "grevy"))):
        for name in names:
            save(tmp_path / side / f"{name}.png")
    dataset = reading(tmp_path)
    assert dataset.kind == "image-domains"
    assert any("two domains" in note for note in dataset.notes)
    with pytest.raises(DataError, match="no pairs"):
        reading(tmp_path, "image-pairs")


def test_numbers_in_names_make_pairs(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "source" / f"image-{number:03}.png", value=number)
        save(tmp_path / "target" / f"map{number}.png", value=number)
    dataset = reading(tmp_path)
    assert all(value(dataset, "source", place) == value(dataset, "target", place) for place in range(4))


def test_sides_may_differ_in_size_and_colour(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "low" / f"{number}.png", (4, 5))
        save(tmp_path / "high" / f"{number}.png", (8, 10))
    shapes = [np.asarray(field.values).shape for field in reading(tmp_path).fields.values()]
    assert shapes == [(3, 4, 5, 3), (3, 8, 10, 3)]


def test_images_side_by_side_are_halved(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("val", 2)):
        for number in range(count):
            pixels = np.concatenate([np.full((6, 6), 10 + number), np.full((6, 6), 100 + number)], axis=1)
            (tmp_path / part).mkdir(exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / part / f"{number}.png")
    dataset = reading(tmp_path, "image-pairs")
    assert (len(dataset), len(dataset.test_fields["source"])) == (3, 2)
    assert (value(dataset, "source", 1), value(dataset, "target", 1)) == (11, 101)
    assert value(reading(tmp_path, "image-pairs", target="left"), "target", 1) == 11
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    dataset = reading(tmp_path, "image-pairs")
    assert (len(dataset), len(dataset.test_fields["source"])) == (5, 3)
    assert dataset.validation is not None and dataset.validation.tolist() == [3, 4]
    save(tmp_path / "odd" / "0.png", (6, 7))
    with pytest.raises(DataError, match="side by side"):
        reading(tmp_path / "odd", "image-pairs")


@pytest.mark.parametrize("cut", ["header", "inside"])
def test_a_damaged_image_takes_its_partner_with_it(tmp_path: Path, cut: str) -> None:
    for number in range(4):
        save(tmp_path / "source" / f"{number}.png", (40, 40), value=number)
        save(tmp_path / "target" / f"{number}.png", (40, 40))
    path = tmp_path / "target" / "2.png"
    path.write_bytes(path.read_bytes()[: 10 if cut == "header" else 200])
    with pytest.raises(DataError) as caught:
        reading(tmp_path)
    assert "2.png" in caught.value.where
    dataset = reading(tmp_path, allow_problems=True)
    assert [value(dataset, "source", place) for place in range(3)] == [0, 1, 3]
    assert len(dataset.fields["target"]) == 3


def test_streamed_pairs_stay_in_their_files(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "source" / f"{number}.png")
        save(tmp_path / "target" / f"{number}.png")
    held, streamed = reading(tmp_path), reading(tmp_path, stream="yes")
    for name in held.fields:
        assert np.array_equal(held.fields[name].values, streamed.fields[name].values[:])


def of_many_sizes(folder: Path, *sides: str) -> list[tuple[int, int]]:
    """Write a picture of another size for each sample, the same into all folders, and return the sizes."""
    sizes = [(20, 30), (40, 26), (24, 24), (33, 47)]
    for number, size in enumerate(sizes):
        for side in sides:
            save(folder / side / f"{number}.png", size, value=10 * number)
    return sizes


@pytest.mark.parametrize("stream", ["yes", "no"])
def test_pairs_keep_their_sizes_where_they_are_cropped_or_bordered(tmp_path: Path, stream: str) -> None:
    sizes = of_many_sizes(tmp_path, "source", "target")
    for resize in ("crop", "letterbox", "none"):
        dataset = reading(tmp_path, resize=resize, stream=stream)
        for name in ("source", "target"):
            assert sizes_of(dataset.fields[name].values) == sizes
            assert [value(dataset, name, place) for place in range(4)] == [0, 10, 20, 30]
        assert not any("resized" in note for note in dataset.notes)
    alike = reading(tmp_path, stream=stream)
    assert len({image.shape for image in alike.fields["target"].values[:]}) == 1


def test_a_damaged_pair_of_another_size_is_left_out(tmp_path: Path) -> None:
    of_many_sizes(tmp_path, "source", "target")
    path = tmp_path / "target" / "1.png"
    path.write_bytes(path.read_bytes()[:50])
    dataset = reading(tmp_path, resize="none", allow_problems=True)
    assert [value(dataset, "source", place) for place in range(3)] == [0, 20, 30]


def test_halves_of_pictures_of_different_sizes(tmp_path: Path) -> None:
    for number, side in enumerate((6, 10)):
        save(tmp_path / f"{number}.png", (side, 2 * side))
    dataset = reading(tmp_path, "image-pairs", resize="crop")
    assert sizes_of(dataset.fields["source"].values) == sizes_of(dataset.fields["target"].values) == [(6, 6), (10, 10)]


@pytest.mark.parametrize("stream", ["yes", "no"])
def test_masks_keep_the_sizes_of_their_images(tmp_path: Path, stream: str) -> None:
    sizes = of_many_sizes(tmp_path, "images", "masks")
    dataset = reading(tmp_path, resize="letterbox", stream=stream)
    assert sizes_of(dataset.fields["masks"].values) == sizes
    assert [mask[0, 0] for mask in dataset.fields["masks"].values[:]] == [0, 1, 2, 3]
    masks = dataset.fields["masks"].values
    assert [mask.shape for mask in (masks.take(np.array([3])) if stream == "yes" else masks[3:])] == [sizes[3]]


# Images with masks.


def masked(folder: Path, values: tuple[int, ...], mode: str = "L", count: int = 4) -> list[np.ndarray]:
    masks = []
    for number in range(count):
        save(folder / "images" / f"{number}.jpg")
        mask = np.array(values)[RANDOM.integers(0, len(values), (6, 8))]
        masks.append(mask)
        (folder / "masks").mkdir(exist_ok=True)
        if mode == "RGB":
            colours = np.stack([mask >> 16, mask >> 8 & 255, mask & 255], axis=2).astype(np.uint8)
            Image.fromarray(colours).save(folder / "masks" / f"{number}.png")
        else:
            picture = Image.fromarray(mask.astype(np.uint8))
            if mode == "P":
                picture = picture.convert("P")
                picture.putdata(mask.ravel().tolist())
                picture.putpalette(RANDOM.integers(0, 256, 768, dtype=np.uint8).tobytes())
            picture.save(folder / "masks" / f"{number}.png")
    return masks


@pytest.mark.parametrize(
    ("values", "mode", "names"),
    [
        ((0, 255), "L", ("value 0", "value 255")),
        ((0, 1, 2), "L", ("value 0", "value 1", "value 2")),
        ((0, 1, 2), "P", ("value 0", "value 1", "value 2")),
        ((0x800000, 0x00FF00, 0x10), "RGB", ("value 16", "#00ff00", "#800000")),
    ],
)
def test_values_of_masks_are_classes(
    tmp_path: Path, values: tuple[int, ...], mode: str, names: tuple[str, ...]
) -> None:
    masks = masked(tmp_path, values, mode)
    dataset = reading(tmp_path)
    assert (dataset.kind, len(dataset)) == ("image-masks", 4)
    field = dataset.fields["masks"]
    order = np.array(sorted(values))
    for found, mask in zip(np.asarray(field.values), masks, strict=True):
        assert np.array_equal(order[found], mask)
    if mode != "RGB":
        assert field.names == names
    streamed = reading(tmp_path, stream="yes").fields["masks"].values
    assert isinstance(streamed, MaskFiles)
    assert np.array_equal(streamed[:], field.values)
    assert [finding for finding in check(dataset) if finding.level == "stop"] == []


def test_255_beside_class_numbers_is_not_judged(tmp_path: Path) -> None:
    masks = masked(tmp_path, (0, 1, 2, 255))
    (tmp_path / "classes.txt").write_text("road\ncar\ntree\nsky\n")
    field = reading(tmp_path).fields["masks"]
    assert field.names == ("road", "car", "tree", "sky")
    found = np.asarray(field.values)
    assert np.array_equal(found == UNJUDGED, np.stack(masks) == 255)
    (tmp_path / "classes.txt").unlink()
    assert reading(tmp_path).fields["masks"].names == ("value 0", "value 1", "value 2")


def test_masks_that_are_none_are_refused(tmp_path: Path) -> None:
    masked(tmp_path, (0, 255))
    (tmp_path / "classes.txt").write_text("one\ntwo\nthree\n")
    with pytest.raises(DataError, match="classes that are named"):
        reading(tmp_path)
    (tmp_path / "classes.txt").unlink()
    save(tmp_path / "masks" / "1.png", (60, 80))
    with pytest.raises(DataError, match="too many values"):
        reading(tmp_path)
    (tmp_path / "masks" / "1.png").unlink()
    with pytest.raises(DataError, match="no partner"):
        reading(tmp_path)


def test_a_damaged_mask_is_named_and_found_by_the_data_check(tmp_path: Path) -> None:
    masked(tmp_path, (0, 255))
    (tmp_path / "masks" / "2.png").write_bytes(b"nothing")
    with pytest.raises(DataError) as caught:
        reading(tmp_path)
    assert "2.png" in caught.value.where
    assert len(reading(tmp_path, allow_problems=True)) == 3
    found = {finding.name: finding for finding in check_path(tmp_path)}
    assert "2.png" in found["damaged-images"].where[0]


def test_fingerprints_follow_every_field(tmp_path: Path) -> None:
    masked(tmp_path, (0, 255))
    before = reading(tmp_path)
    mask = np.asarray(before.fields["masks"].values[0]).astype(np.uint8) * 255
    mask[0, 0] = 255 - mask[0, 0]
    Image.fromarray(mask).save(tmp_path / "masks" / "0.png")
    assert reading(tmp_path).fingerprint != before.fingerprint
