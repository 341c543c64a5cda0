"""Image files of every kind, and folders of them."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.formats.images import files as pictures
from ganglion.data.formats.images import folders as images
from ganglion.data.formats.images.files import decode, read_header
from ganglion.data.formats.images.folders import ImageFiles
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.errors import DataError

GREY = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8
COLOUR = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray | Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    image.save(path, **options)
    return path


def shown(path: Path) -> np.ndarray:
    """Decode, and hold the header to what was decoded."""
    pixels, header = decode(path), read_header(path)
    assert pixels.shape == (header.height, header.width, 1 if header.grey else 3)
    assert pixels.dtype == np.uint8
    return pixels


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "pgm", "gif", "webp"])
def test_grey_stays_grey(tmp_path: Path, suffix: str) -> None:
    pixels = shown(save(tmp_path / f"a.{suffix}", GREY, **({"lossless": True} if suffix == "webp" else {})))
    expected = GREY[..., None] if suffix != "webp" else np.repeat(GREY[..., None], 3, axis=2)  # WebP knows no grey.
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_colour_stays_colour(tmp_path: Path, suffix: str) -> None:
    assert np.array_equal(shown(save(tmp_path / f"a.{suffix}", COLOUR)), COLOUR)


def test_sixteen_bits_become_eight_by_the_full_range(tmp_path: Path) -> None:
    deep = (GREY.astype(np.uint16) * 257) + 120
    assert np.array_equal(shown(save(tmp_path / "a.png", deep))[..., 0], GREY)
    assert np.array_equal(shown(save(tmp_path / "a.tif", deep))[..., 0], GREY)
    dark = np.full((2, 2), 300, dtype=np.uint16)  # Not stretched: other images of the set may be bright.
    assert shown(save(tmp_path / "dark.png", dark)).max() == 1


def test_palettes(tmp_path: Path) -> None:
    colour = Image.fromarray(COLOUR).quantize(16)
    assert np.array_equal(shown(save(tmp_path / "c.png", colour)), np.asarray(colour.convert("RGB")))
    grey = Image.fromarray(GREY).convert("P", palette=Image.Palette.ADAPTIVE, colors=32)
    assert np.array_equal(shown(save(tmp_path / "g.png", grey))[..., 0], GREY)


def test_transparency_shows_white(tmp_path: Path) -> None:
    clear = np.dstack([COLOUR, np.zeros((5, 6), np.uint8)])
    half = np.dstack([COLOUR, np.full((5, 6), 128, np.uint8)])
    assert (shown(save(tmp_path / "clear.png", clear)) == 255).all()
    expected = 255 + (COLOUR.astype(float) - 255) * 128 / 255
    assert np.abs(shown(save(tmp_path / "half.png", half)) - expected).max() <= 1
    grey = np.dstack([GREY, np.full((5, 6), 0, np.uint8)])
    assert (shown(save(tmp_path / "grey.png", grey)) == 255).all()
    palette = Image.fromarray(COLOUR).quantize(16)
    assert (shown(save(tmp_path / "palette.png", palette, transparency=bytes(16))) == 255).all()


def test_one_bit_and_cmyk(tmp_path: Path) -> None:
    bits = Image.fromarray(np.eye(4, dtype=np.uint8) * 255).convert("1")
    assert np.array_equal(shown(save(tmp_path / "bits.png", bits))[..., 0], np.eye(4) * 255)
    assert shown(save(tmp_path / "print.jpg", Image.fromarray(COLOUR).convert("CMYK"))).shape == (5, 6, 3)


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda image: image),
        (2, lambda image: image[:, ::-1]),
        (3, lambda image: image[::-1, ::-1]),
        (4, lambda image: image[::-1]),
        (5, lambda image: image.swapaxes(0, 1)),
        (6, lambda image: np.rot90(image, -1)),
        (7, lambda image: image[::-1, ::-1].swapaxes(0, 1)),
        (8, lambda image: np.rot90(image)),
    ],
)
def test_photographs_are_turned_upright(tmp_path: Path, orientation: int, turn) -> None:  # type: ignore[no-untyped-def]
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = orientation
    blocks = np.kron(COLOUR[:2, :3], np.ones((16, 16, 1), np.uint8))  # Large enough blocks to survive JPEG.
    path = save(tmp_path / "a.jpg", blocks, exif=exif, quality=95, subsampling=0)
    assert np.abs(shown(path).astype(int) - turn(blocks)).mean() < 8


def test_damage_other_formats_and_bombs_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:2000])
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    # A decoder that is not on the list must not run, whatever the file is called.
    disguised = save(tmp_path / "a.ico", GREY).rename(tmp_path / "disguised.png")
    for path in (cut, tmp_path / "text.jpg", tmp_path / "empty.png", disguised):
        with pytest.raises(DataError, match=path.name):
            decode(path)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 1000)
    with pytest.raises(DataError, match="too large"):
        decode(whole)


@pytest.mark.filterwarnings("ignore")  # Pillow warns from some size on; the error must come all the same.
def test_a_png_that_claims_to_be_huge_is_not_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side in (9_000, 12_000, 60_000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
        (tmp_path / "bomb.png").write_bytes(bomb)
        with pytest.raises(DataError, match="image"):
            decode(tmp_path / "bomb.png")


def make_classes(folder: Path, counts: dict[str, int], shape: tuple[int, int] = (5, 6)) -> None:
    for label, count in counts.items():
        for number in range(count):
            pixels = np.full(shape, (hash_of(label) + 3 * number) % 256, dtype=np.uint8)
            save(folder / label / f"{number:03}.png", pixels)


def hash_of(label: str) -> int:
    return zlib.crc32(label.encode()) % 200


def test_classes_are_folders_in_natural_order(tmp_path: Path) -> None:
    make_classes(tmp_path, {"10": 2, "9": 3, "cat": 1})
    (tmp_path / "notes.txt").write_text("to be left out")
    (tmp_path / "9" / ".DS_Store").write_bytes(b"")
    dataset = read(tmp_path, DataSettings())
    assert dataset.label_names == ("9", "10", "cat")
    assert np.bincount(dataset.targets).tolist() == [3, 2, 1]
    assert dataset.inputs.shape == (6, 5, 6, 1)
    assert dataset.inputs[dataset.targets == 0][1, 0, 0, 0] == (hash_of("9") + 3) % 256
    assert any("1 .txt" in note for note in dataset.notes)


@pytest.mark.parametrize(("extra", "test", "train"), [((), 4, 6), (("val",), 4, 8), (("validation",), 2, 6)])
def test_parts(tmp_path: Path, extra: tuple[str, ...], test: int, train: int) -> None:
    make_classes(tmp_path / "train", {"a": 3, "b": 3})
    if test == 4:
        make_classes(tmp_path / "Test", {"a": 2, "b": 2})
    for name in extra:
        make_classes(tmp_path / name, {"a": 1, "b": 1})
    dataset = read(str(tmp_path), DataSettings())
    assert (len(dataset.inputs), len(dataset.test_inputs)) == (train, test)
    assert dataset.label_names == ("a", "b")
    assert len(dataset.test_targets) == test
    assert len(dataset.notes) == len(extra) + 1  # and the range of the pixels


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    make_classes(tmp_path, {"test": 2, "train": 2, "other": 2})
    assert read(tmp_path, DataSettings()).label_names == ("other", "test", "train")


def test_flat_folders_and_single_folders_have_no_labels(tmp_path: Path) -> None:
    make_classes(tmp_path, {"all": 3})
    for folder in (tmp_path, tmp_path / "all"):
        dataset = read(folder, DataSettings())
        assert dataset.targets is None
        assert dataset.label_names == ()
        assert len(dataset) == 3


def test_images_beside_classes_and_empty_folders_are_errors(tmp_path: Path) -> None:
    make_classes(tmp_path / "mixed", {"a": 1, "b": 1})
    save(tmp_path / "mixed" / "stray.png", GREY)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"stray\.png"):
        read(tmp_path / "mixed", DataSettings())
    with pytest.raises(DataError, match="no images"):
        read(tmp_path / "empty", DataSettings())


def test_sizes_and_colours_are_made_alike(tmp_path: Path) -> None:
    make_classes(tmp_path, {"a": 3})
    save(tmp_path / "a" / "large.png", np.full((50, 40, 3), (200, 0, 0), np.uint8))
    dataset = read(tmp_path, DataSettings())
    assert dataset.inputs.shape == (4, 5, 6, 3)
    assert (dataset.inputs[3] == (200, 0, 0)).all()
    assert any("2 sizes" in note and "6 x 5" in note for note in dataset.notes)
    assert any("3 grey" in note for note in dataset.notes)


@pytest.mark.parametrize("stream", ["no", "yes"])
def test_damaged_files_stop_or_are_left_out(tmp_path: Path, stream: str) -> None:
    make_classes(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "001.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"001\.png"):
        read(tmp_path, DataSettings(stream=stream))
    dataset = read(tmp_path, DataSettings(stream=stream, allow_problems=True))
    assert len(dataset.inputs) == len(dataset.targets) == 5
    assert any("001.png" in note for note in dataset.notes)


def test_damage_inside_a_file_keeps_targets_in_step(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    for name in ("a/0", "a/1", "b/0", "b/1"):
        save(tmp_path / f"{name}.png", noise)
    whole = (tmp_path / "a/1.png").read_bytes()
    (tmp_path / "a/1.png").write_bytes(whole[:3000])
    with pytest.raises(DataError, match=r"a/1\.png"):
        read(tmp_path, DataSettings())
    dataset = read(tmp_path, DataSettings(allow_problems=True))
    assert dataset.targets.tolist() == [0, 1, 1]
    assert np.array_equal(dataset.inputs[1, ..., 0], noise)


def test_streams_hold_what_memory_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_classes(tmp_path, {"a": 20, "b": 20})
    held = read(tmp_path, DataSettings())
    monkeypatch.setattr(images, "MOST_BYTES", 100)
    streamed = read(tmp_path, DataSettings())
    assert isinstance(streamed.inputs, ImageFiles)
    assert any("while training" in note for note in streamed.notes)
    assert np.array_equal(streamed.inputs[:], held.inputs)
    assert np.array_equal(streamed.inputs[np.array([3, 1])], held.inputs[[3, 1]])
    assert np.array_equal(streamed.inputs[-1], held.inputs[-1])
    parts = split(streamed, DataSettings(), 0)
    assert isinstance(parts["train"].inputs, ImageFiles)
    assert np.array_equal(parts["test"].inputs[:], held.inputs[parts["test"].index])


def test_the_fingerprint_notices_a_changed_pixel(tmp_path: Path) -> None:
    make_classes(tmp_path, {"a": 2, "b": 2})
    before = [read(tmp_path, DataSettings(stream=stream)).fingerprint for stream in ("no", "yes")]
    again = [read(tmp_path, DataSettings(stream=stream)).fingerprint for stream in ("no", "yes")]
    save(tmp_path / "b" / "001.png", np.full((5, 6), 201, np.uint8))
    after = [read(tmp_path, DataSettings(stream=stream)).fingerprint for stream in ("no", "yes")]
    assert before == again
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_images_in_memory_are_decoded() -> None:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).save(buffer, "PNG")
    assert np.array_equal(decode(buffer.getvalue()), COLOUR)
