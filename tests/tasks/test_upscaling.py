"""Upscaling: published figures of interpolation, judging as papers do, files that keep what they hold."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import nn

import ganglion
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.images.photographs import read_photograph
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, GanglionError
from ganglion.models.autoencoder.upscaler import TINY, Config, Espcn, build
from ganglion.nn.images.resampling import enlarged, resized
from ganglion.runs.writing import write
from ganglion.tasks import upscaling
from ganglion.tasks.shared.pictures.tiles import Tiling
from ganglion.tasks.upscaling import Predict, Upscaling

PHOTOGRAPHS = read("photographs", DataSettings())


def prepared(dataset: Dataset | str = PHOTOGRAPHS, config: Any = TINY, **options: Any) -> Upscaling:
    return Upscaling.prepare(dataset, config, DataSettings(**options), seed=0)


def pictures(images: list[np.ndarray]) -> Dataset:
    return Dataset(name="pictures", fields={"inputs": Field(kind="images", values=images)})


def keys(distance: np.ndarray) -> np.ndarray:
    """Return Keys' weights for distances of any shape, a = -0.5."""
    d = np.abs(distance)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


@pytest.mark.parametrize(("before", "after"), [(24, 8), (24, 12), (8, 24), (7, 28)])
def test_bicubic_is_that_of_the_equation(before: int, after: int) -> None:
    shrinking = max(before / after, 1)
    places = (np.arange(after) + 0.5) * before / after - 0.5
    weights = keys((places[:, None] - np.arange(before)) / shrinking)  # (after, before)
    weights /= weights.sum(1, keepdims=True)  # also at the borders, beyond which there is nothing
    image = np.random.default_rng(0).random((before, before))
    expected = weights @ image @ weights.T
    found = resized(torch.from_numpy(image)[None, None], after, after)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("scale", "published"), [(2, 33.66), (3, 30.39), (4, 28.42)])
def test_bicubic_on_set5_is_that_of_the_papers(scale: Any, published: float) -> None:
    if not os.environ.get("GANGLION_DATA"):
        pytest.skip("GANGLION_DATA names no folder of real data")
    source = str(Path(os.environ["GANGLION_DATA"]) / "set5")
    task = prepared(source, Config(scale=scale), validation=0.0, test=0.0)
    assert task.baseline()["psnr"] == pytest.approx(published, abs=0.05)


def test_pieces_are_small_and_large_pictures_of_the_same_place() -> None:
    task = prepared(batch_size=30, augment="flips")
    for batch in task.loader(build(task.config), seed=0):
        assert batch["targets"].shape[1:] == (1, 64, 64) and batch["inputs"].shape[1:] == (1, 32, 32)
        torch.testing.assert_close(batch["inputs"], resized(batch["targets"], 32, 32))


def loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


class Interpolation(nn.Module):
    """What the task calls its baseline."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale, self.reach, self.weight = scale, 2, nn.Parameter(torch.zeros(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return enlarged(images, self.scale) + self.weight


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of pictures of all sorts: colour, grey, transparent, with a profile and EXIF, turned, 16 bits."""
    random = np.random.default_rng(0)
    colour = np.asarray(PHOTOGRAPHS.inputs[5])
    (tmp_path / "in").mkdir()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif.get_ifd(0x8769)[0xA002] = 30
    Image.fromarray(colour[:20, :30]).save(tmp_path / "in" / "camera.jpg", icc_profile=profile, exif=exif, quality=95)
    Image.fromarray(colour[:7, :9, 0]).save(tmp_path / "in" / "grey.png")
    clear = np.dstack([colour[:12, :10], np.zeros((12, 10), np.uint8)])
    clear[3:9, 3:7, 3] = 255
    clear[clear[..., 3] == 0, :3] = 0  # black where nothing is seen
    Image.fromarray(clear).save(tmp_path / "in" / "sprite.png")
    deep = random.integers(0, 65536, (9, 8), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "in" / "deep.png")
    return tmp_path / "in"


def test_pictures_keep_what_their_files_hold(folder: Path, tmp_path: Path) -> None:
    task = Upscaling.restore(prepared().state(), TINY)
    answer = task.predict(Interpolation(2), Predict(inputs=[folder]))
    write(answer, f"{tmp_path / 'out'}/")
    opened = {path.stem: loaded(path) for path in (tmp_path / "out").glob("*.png")}
    modes = {name: (image.mode, image.size) for name, image in opened.items()}
    assert modes == {
        "camera": ("RGB", (40, 60)),  # 30 x 20, held upright
        "grey": ("L", (18, 14)),
        "sprite": ("RGBA", (20, 24)),
        "deep": ("L", (16, 18)),
    }
    exif = opened["camera"].getexif()
    assert exif[0x010F] == "Maker" and 0x0112 not in exif and exif.get_ifd(0x8769)[0xA002] == 40
    assert opened["camera"].info["icc_profile"] == loaded(folder / "camera.jpg").info["icc_profile"]
    assert "icc_profile" not in opened["sprite"].info
    answer = task.predict(Interpolation(2), Predict(inputs=[folder / "sprite.png"]))
    write(answer, tmp_path / "sprite.jpg")
    assert np.asarray(loaded(tmp_path / "sprite.jpg"))[:3].min() > 245  # white, as far as JPEG can tell


def test_nothing_dark_shines_through_the_edge_of_what_is_seen(folder: Path) -> None:
    photograph = read_photograph(folder / "sprite.png")
    seen = photograph.pixels[3:9, 3:7].min(axis=(0, 1))
    assert photograph.alpha is not None and (photograph.pixels >= seen).all()


def test_colours_are_those_of_interpolation() -> None:
    """A network that only interpolates luma gives the interpolated picture, in colour."""
    picture = np.asarray(PHOTOGRAPHS.inputs[9])
    task = Upscaling.restore(prepared().state(), TINY)
    made = task.predict(Interpolation(2), Predict(inputs=[picture])).pixels[0].astype(int)
    expected = enlarged(torch.from_numpy(picture.astype(np.float32)).movedim(2, 0)[None], 2)[0].movedim(0, 2)
    assert np.abs(made - expected.round().clamp(0, 255).numpy()).max() <= 1


def test_a_large_picture_in_tiles_is_that_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Upscaling.restore(prepared().state(), TINY)
    torch.manual_seed(0)
    network = Espcn(Config(design="espcn", scale=2, residual=True))
    picture = np.random.default_rng(0).integers(0, 256, (150, 170, 3), dtype=np.uint8)
    whole = task.predict(network, Predict(inputs=[picture])).pixels[0]
    monkeypatch.setattr(upscaling, "fitting", lambda *given, **named: Tiling(side=64, margin=named["margin"]))
    np.testing.assert_array_equal(task.predict(network, Predict(inputs=[picture])).pixels[0], whole)


@pytest.mark.parametrize(
    ("sides", "config", "said"),
    [
        ((20, 5), TINY, "smaller than what is to be learnt from"),
        ((30, 40), Config(image_size=33), "smaller than what is to be learnt from"),
        ((60, 60), Config(image_size=32), "made small evenly"),
    ],
)
def test_pictures_that_are_too_small_are_refused(sides: tuple[int, int], config: Any, said: str) -> None:
    images = [np.zeros((*sides, 1), np.uint8)] * 20
    with pytest.raises(DataError, match=said) as caught:
        prepared(pictures(images), config)
    assert caught.value.found and caught.value.remedy


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 2), np.uint8), np.zeros(5), np.zeros((0, 3, 1), np.uint8)])
def test_what_is_no_picture_is_refused(bad: np.ndarray) -> None:
    task = Upscaling.restore(prepared().state(), TINY)
    with pytest.raises(GanglionError, match="no picture"):
        task.predict(Interpolation(2), Predict(inputs=[bad]))


def test_a_run_beats_interpolation(tmp_path: Path) -> None:
    options = {"channels": (16, 16), "scale": 2, "steps": 120, "batch_size": 32, "learning_rate": 3e-3}
    run = ganglion.train("upscaler", "digits", out=tmp_path / "run", limit=400, evaluate_every=120, **options)
    assert run.result["score_name"] == "psnr"
    assert run.metrics["psnr"] > run.result["baseline"] + 1
    assert "before_after" in run.figures
