"""Compression: files that come back bit for bit, what they keep, what is refused, and counts that are exact."""

import sys
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, DataError, MissingExtraError, UsageError
from ganglion.models.autoencoder.compressor import TINY, Compressor
from ganglion.nn.compression.context import Context
from ganglion.runs.writing import write
from ganglion.tasks.compression import Compress, Compression, Decompress
from ganglion.tasks.shared.compressing import parts as in_parts
from ganglion.tasks.shared.compressing.codec import Codec, as_tensor
from ganglion.tasks.shared.compressing.codes import read as read_codes
from ganglion.tasks.shared.compressing.codes import through, written
from ganglion.tasks.shared.compressing.container import Container
from ganglion.tasks.shared.compressing.expectations import Expectations, learnt_expectations
from ganglion.tasks.shared.compressing.other_formats import as_large, at_size, curve
from ganglion.tasks.shared.compressing.parts import latents_of, picture_of
from ganglion.tasks.shared.compressing.tables import TOTAL, Counting, Tables, reaches
from ganglion.tasks.shared.compressing.whole_numbers import FRACTIONS, LOWEST, UNIT, Features, WholeContext

PHOTOGRAPHS = read("photographs", DataSettings())


@cache
def network(seed: int = 0) -> Compressor:
    torch.manual_seed(seed)
    made = Compressor(TINY).eval()
    for parameter in made.parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    return made


@cache
def finished(seed: int = 0) -> Compression:
    """Return a task that can answer, as a run restores it."""
    task = Compression.prepare(PHOTOGRAPHS, TINY, DataSettings(limit=20), seed=0)
    pictures = [as_tensor(np.asarray(PHOTOGRAPHS.inputs[place])) for place in range(4)]
    task.expectations = learnt_expectations(network(seed), pictures, TINY.quantisation_steps)
    return Compression.restore(task.state(), TINY)


def compress(*inputs: Any, **question: Any) -> Any:
    return finished().compress(network(), Compress(inputs=list(inputs), **question))


def decompress(*inputs: Any) -> Any:
    return finished().decompress(network(), Decompress(inputs=list(inputs)))


def loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of pictures of all sorts: colour with profile and EXIF, grey, transparent, 16 bits, one pixel."""
    colour, made = np.asarray(PHOTOGRAPHS.inputs[5]), tmp_path / "in"
    made.mkdir()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    Image.fromarray(colour[:20, :30]).save(made / "camera.jpg", icc_profile=profile, exif=exif, quality=95)
    Image.fromarray(colour[:17, :9, 0]).save(made / "grey.png")
    clear = np.dstack([colour[:12, :10], np.arange(120, dtype=np.uint8).reshape(12, 10)])
    Image.fromarray(clear).save(made / "sprite.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (9, 8), dtype=np.uint16)).save(made / "deep.png")
    Image.fromarray(colour[:1, :1]).save(made / "dot.png")
    return made


def test_pictures_of_all_sorts_come_back(folder: Path, tmp_path: Path) -> None:
    answer = compress(folder)
    assert [note for note in answer.notes if "8 bits" in note] and len(answer.contents) == 5
    write(answer, tmp_path / "small")
    back = decompress(tmp_path / "small")
    write(back, tmp_path / "out")
    opened = {path.stem: loaded(path) for path in (tmp_path / "out").glob("*.png")}
    assert {name: (image.mode, image.size) for name, image in opened.items()} == {
        "camera": ("RGB", (20, 30)),  # held upright
        "grey": ("L", (9, 17)),
        "sprite": ("RGBA", (10, 12)),
        "deep": ("L", (8, 9)),
        "dot": ("RGB", (1, 1)),
    }
    exif = opened["camera"].getexif()
    assert exif[0x010F] == "Maker" and 0x0112 not in exif
    assert opened["camera"].info["icc_profile"] == loaded(folder / "camera.jpg").info["icc_profile"]
    np.testing.assert_array_equal(np.asarray(opened["sprite"])[..., 3].ravel(), np.arange(120))


def test_bare_files_keep_no_places_and_times(folder: Path) -> None:
    with_them, without = compress(folder / "camera.jpg"), compress(folder / "camera.jpg", bare=True)
    (back,) = decompress(without.content).kept
    assert not back and decompress(with_them.content).kept[0].keys() == {"icc_profile", "exif"}
    assert len(without.content) < len(with_them.content)


def test_the_file_is_as_large_as_is_said_and_smaller_at_a_lower_quality() -> None:
    picture = np.asarray(PHOTOGRAPHS.inputs[30])
    low, high = (compress(picture, quality=quality) for quality in (1, 2))
    assert low.also[0].rows[0]["bytes"] == len(low.content) < len(high.content)
    assert low.also[0].rows[0]["psnr"] < high.also[0].rows[0]["psnr"]
    np.testing.assert_array_equal(decompress(high.content).pixels[0].shape, picture.shape)


def test_codes_come_back_bit_for_bit_whatever_they_are() -> None:
    """Also far beyond what was counted, in several tiles, and in a picture of one place."""
    expectations, random = finished().expectations, np.random.default_rng(0)
    assert expectations is not None
    for shape in ((12, 70, 3), (12, 1, 1), (12, 5, 130)):
        codes = np.rint(random.standard_cauchy(shape) * 3).clip(-60000, 60000).astype(np.int32)
        for quality in (0, 1):
            content = written(codes, expectations.context, expectations.models, quality)
            back, ended = read_codes(content, shape, expectations.context, expectations.models, quality)
            np.testing.assert_array_equal(back, codes)
            assert ended


def test_bytes_are_as_many_as_the_tables_say() -> None:
    """The range coder loses nothing that matters: -log2 of the shares, within a word or two."""
    expectations = finished().expectations
    assert expectations is not None
    codes = np.random.default_rng(0).poisson(0.3, (12, 16, 16)).astype(np.int64)
    paid = 0.0

    def pay(differences: np.ndarray | None, tables: np.ndarray) -> np.ndarray:
        nonlocal paid
        assert differences is not None
        for difference, table in zip(differences, tables, strict=True):
            counts = expectations.tables.counts[table]
            paid -= np.log2(counts[difference + len(counts) // 2 - 1] / TOTAL)
        return differences

    through(codes, expectations.context, 0, pay, known=True)
    content = written(codes, expectations.context, expectations.models, 0)
    assert paid / 8 <= len(content) <= paid / 8 + 10


@pytest.mark.parametrize("features", [0, 4])
def test_whole_numbers_expect_what_the_network_does(features: int) -> None:
    torch.manual_seed(1)
    context = Context(6, qualities=2, features=features, groups=3)
    for parameter in context.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    codes = np.random.default_rng(0).poisson(2.0, (6, 7, 9)).astype(np.int64) - 2
    whole = WholeContext.from_arrays(WholeContext.of(context).arrays())
    means, widths = (
        one[0].detach().numpy() for one in context(torch.from_numpy(codes)[None].float(), torch.tensor([1]))
    )
    known = Features(codes, whole.logs)
    for group in whole.groups:
        own = slice(group.start, group.start + group.size)
        for turn in range(3):
            base, tables = whole.expected(known, group, turn, quality=1)
            here = known.turns == turn
            mean = base + (tables % FRACTIONS + 0.5) / FRACTIONS - 0.5
            np.testing.assert_allclose(mean, means[own][:, here], atol=0.5 / FRACTIONS + 0.05)
            width = (LOWEST + 12 * (tables // FRACTIONS + 0.5)) / UNIT
            np.testing.assert_allclose(width, widths[own][:, here], atol=6 / UNIT + 0.05)
            known.put(group, turn)


def test_products_in_double_precision_are_those_of_whole_numbers() -> None:
    """What every processor computes alike: the same as with Python's own whole numbers, in any order."""
    expectations = finished().expectations
    assert expectations is not None
    whole, random = expectations.context, np.random.default_rng(0)
    codes = random.integers(-100, 100, (12, 6, 6))
    known = Features(codes, whole.logs)
    for group in whole.groups:
        for turn in range(3):
            known.put(group, turn)
    group = whole.groups[-1]
    seen = known.before(group, 2)
    found = group.before @ seen
    order = random.permutation(seen.shape[0])
    np.testing.assert_array_equal(found, group.before[:, order] @ seen[order])
    exact = group.before.astype(np.int64).astype(object) @ seen.astype(np.int64).astype(object)
    assert (found.astype(np.int64) == exact).all()


def test_tables_follow_what_was_counted_and_add_up() -> None:
    counting = Counting()
    table = 20 * FRACTIONS
    counting.add(np.array([1] * 90_000 + [-2] * 10_000), np.full(100_000, table))
    tables = Tables.of(counting)
    assert all(counts.sum() == TOTAL and counts.min() >= 1 for counts in tables.counts)
    counts, reach = tables.counts[table], int(reaches()[table])
    assert counts[reach + 1] / TOTAL == pytest.approx(0.9, abs=0.01)
    assert counts[reach - 2] / TOTAL == pytest.approx(0.1, abs=0.01)
    np.testing.assert_array_equal(Tables.from_flat(tables.flat()).flat(), tables.flat())


def test_a_known_file_is_read_by_every_version_alike() -> None:
    """The bytes of known codes by known tables, written down: what coding means must never change."""
    context = WholeContext.of(Context(2, qualities=1, features=0))
    shares = [np.full(2 * reach + 2, TOTAL // (4 * reach + 4)) for reach in reaches()]
    for counts in shares:
        counts[len(counts) // 2 - 1] += TOTAL - counts.sum()
    expectations = Expectations(context, Tables(tuple(shares)), (0.0,))
    codes = np.arange(-8, 8, dtype=np.int32).reshape(2, 2, 4)
    content = expectations.written(codes, 0)
    assert f"{zlib.crc32(content):08x} {len(content)}" == "d29980b0 12"
    np.testing.assert_array_equal(expectations.read(content, (2, 2, 4), 0)[0], codes)


def test_parts_of_a_picture_are_the_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    coder, device = network(), torch.device("cpu")
    picture = torch.rand(3, 120, 88)
    with torch.inference_mode():
        whole = latents_of(coder, picture, device)
        codes = (20 * whole).round().numpy().astype(np.int32)
        made = picture_of(coder, codes, (120, 88), 0, device)
        monkeypatch.setattr(in_parts, "CORE", 48)
        torch.testing.assert_close(latents_of(coder, picture, device), whole, atol=1e-4, rtol=1e-5)
        off = np.abs(picture_of(coder, codes, (120, 88), 0, device).astype(int) - made)
    assert off.max() <= 1


@pytest.mark.parametrize("change", ["cut", "flipped", "longer", "empty", "text", "header"])
def test_damaged_files_are_named_and_nothing_is_written(change: str, tmp_path: Path) -> None:
    content = bytearray(compress(np.asarray(PHOTOGRAPHS.inputs[3])).content)
    path = tmp_path / "photo.gz1"
    if change == "flipped":
        content[-5] ^= 1
    changed = {"cut": content[:-7], "longer": content + b"\0", "empty": b"", "text": b"hello, world, hello, world"}
    path.write_bytes(changed.get(change, content[:9] if change == "header" else content))
    with pytest.raises(DataError, match=r"damaged|no compressed picture") as caught:
        decompress(path)
    assert caught.value.where == str(path) and caught.value.remedy


@pytest.mark.parametrize(
    "change", [{"quality": 7}, {"codes": b""}, {"codes": bytes(4000)}, {"alpha": b"1234"}, {"codes": b"123"}]
)
def test_files_with_a_right_checksum_and_wrong_contents_are_refused(change: dict[str, Any]) -> None:
    content = compress(np.asarray(PHOTOGRAPHS.inputs[3])).content
    wrong = replace(Container.unpacked(content, "here"), **change).packed()
    try:
        decompress(wrong)
    except DataError as error:
        assert "damaged" in str(error)
    else:
        assert change == {"codes": b""}  # reads as some picture: the checksum is what guards against that


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.gz1"
    path.write_bytes(compress(np.asarray(PHOTOGRAPHS.inputs[3])).content)
    with pytest.raises(DataError, match="another run") as caught:
        finished(1).decompress(network(1), Decompress(inputs=[path]))
    assert caught.value.expected != caught.value.found


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no compressed pictures"):
        decompress(tmp_path)
    with pytest.raises(DataError):
        decompress(tmp_path / "missing.gz1")


def test_a_quality_that_the_run_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="no such quality") as caught:
        compress(np.asarray(PHOTOGRAPHS.inputs[3]), quality=3)
    assert caught.value.expected == "1 to 2"


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "constriction", None)
    for ask in (lambda: compress(np.zeros((16, 16, 3), np.uint8)), lambda: decompress(b"")):
        with pytest.raises(MissingExtraError, match="constriction") as caught:
            ask()
        assert "ganglion[compress]" in caught.value.remedy
    points = Codec(network(), finished().expectations).points(np.asarray(PHOTOGRAPHS.inputs[3]))
    assert 0 < points[0].size < points[1].size  # judged by what would be written


def test_a_run_that_is_not_finished_says_so() -> None:
    with pytest.raises(CheckpointError, match="not counted yet") as caught:
        Compression.restore(finished().state() | {"expectations": None}, TINY).compress(
            network(), Compress(inputs=[np.zeros((16, 16, 3), np.uint8)])
        )
    assert "resume" in caught.value.remedy


def test_damaged_expectations_are_named() -> None:
    state = finished().state()
    state["expectations"]["numbers"]["tables"][1] = "AAAA"
    with pytest.raises(CheckpointError, match="damaged"):
        Compression.restore(state, TINY)


def test_other_formats_are_those_of_pillow(tmp_path: Path) -> None:
    picture = np.asarray(PHOTOGRAPHS.inputs[8])
    points = curve(picture, "JPEG")
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=35, optimize=True)
    assert (tmp_path / "a.jpg").stat().st_size in [point.size for point in points]
    assert at_size(points, points[4].size) == pytest.approx(max(point.psnr for point in points[:5]))
    assert points[3].psnr <= at_size(points, (points[3].size + points[4].size) / 2) <= points[4].psnr + 1e-6
    Image.fromarray(as_large(picture, "JPEG", points[5].size)).save(tmp_path / "b.png")
    assert as_large(picture, "JPEG", 1).shape == picture.shape
