"""Images from images: noise afresh in every epoch and fixed where it is judged, pairs, any size in tiles."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import ganglion
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.models.autoencoder.denoiser import TINY, Config, Denoiser, build
from ganglion.runs.writing import write
from ganglion.tasks import image_to_image
from ganglion.tasks.image_to_image import ImageToImage, Predict
from ganglion.tasks.shared.inputs import photographs
from ganglion.tasks.shared.pictures.tiles import Tiling

PHOTOGRAPHS = read("photographs", DataSettings())


def prepared(dataset: Dataset = PHOTOGRAPHS, **options: Any) -> ImageToImage:
    return ImageToImage.prepare(dataset, TINY, DataSettings(**options), seed=0)


def test_noise_is_drawn_afresh_for_learning_and_stays_for_judging() -> None:
    task = prepared(batch_size=200)
    rule = build(replace(task.config, noise=50.0))
    loader = task.loader(rule, seed=0)
    (first,), (second,) = list(loader), list(loader)
    noise = [(batch["inputs"] - batch["targets"])[batch["index"].argsort()] for batch in (first, second)]
    assert not torch.equal(*noise)
    for one in noise:
        assert float(one.std()) == pytest.approx(50 / 255, rel=0.01)
        assert float(one.mean()) == pytest.approx(0, abs=0.001)
    assert torch.equal(next(iter(task.loader(rule, seed=0)))["inputs"], first["inputs"])
    assert task.evaluate(rule) == task.evaluate(rule)
    assert task.baseline()["psnr"] == pytest.approx(20 * np.log10(255 / 50), abs=0.05)


@pytest.mark.parametrize("kind", ["masking", "salt-and-pepper", "poisson"])
def test_each_kind_of_noise_does_what_it_says_afresh_in_every_epoch(kind: Any) -> None:
    config = replace(TINY, noise_kind=kind, lost=0.4, photons=20.0)
    task = ImageToImage.prepare(PHOTOGRAPHS, config, DataSettings(batch_size=200), seed=0)
    loader = task.loader(build(task.config), seed=0)
    (first,), (second,) = list(loader), list(loader)
    order = first["index"].argsort(), second["index"].argsort()
    assert not torch.equal(first["inputs"][order[0]], second["inputs"][order[1]])
    noisy, clean = first["inputs"], first["targets"]
    if kind == "poisson":
        counts = noisy * 20
        torch.testing.assert_close(counts, counts.round(), atol=1e-4, rtol=0)
        assert float((noisy - clean).square().mean()) == pytest.approx(float(clean.mean()) / 20, rel=0.03)
    else:
        taken = noisy != clean
        assert set(noisy[taken].unique().tolist()) == ({0.0} if kind == "masking" else {0.0, 1.0})
        assert 0.35 < float(taken.float().mean()) < 0.41  # some values were black or white before


def test_pairs_are_learnt_from_as_they_are() -> None:
    """The network that must be learnt turns black into white; both images of a pair are moved together."""
    pixels = np.asarray(PHOTOGRAPHS.inputs)
    fields = {"source": Field(kind="images", values=pixels), "target": Field(kind="images", values=255 - pixels)}
    task = prepared(Dataset(name="negatives", fields=fields), augment="shift-flip")
    assert Dataset(name="negatives", fields=fields).kind == "image-pairs"
    for batch in task.loader(build(task.config), seed=3):
        torch.testing.assert_close(batch["inputs"], 1 - batch["targets"])
    assert task.baseline()["psnr"] < 15


def test_pictures_are_learnt_from_at_their_own_scale() -> None:
    """What is learnt from is a piece of each picture, pixel for pixel, whatever the sizes of the others."""
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, size, dtype=np.uint8) for size in ((40, 60, 1), (24, 31, 1), (50, 50, 1))]
    inputs = [random.permutation(picture) for picture in pictures * 4]
    task = prepared(Dataset(name="photos", fields={"inputs": Field(kind="images", values=inputs)}))
    assert task.preprocessing["targets"].size == (24, 24)
    for batch in task.loader(build(task.config), seed=0):
        for place, seen in zip(batch["index"].tolist(), batch["targets"], strict=True):
            pieces = np.lib.stride_tricks.sliding_window_view(inputs[place][..., 0], (24, 24))
            assert (pieces == (seen[0] * 255).round().numpy()).all(axis=(2, 3)).sum() == 1


@pytest.mark.parametrize(("resize", "refused"), [(None, "differ in size"), ("crop", None), ("stretch", None)])
def test_pairs_of_different_sizes_are_not_cut_apart(resize: Any, refused: str | None) -> None:
    """The middle of a picture is not that of one of twice its size, but a scaled one is."""
    small, large = np.asarray(PHOTOGRAPHS.inputs)[:20, ::2, ::2], np.asarray(PHOTOGRAPHS.inputs)[:20]
    fields = {"source": Field(kind="images", values=small), "target": Field(kind="images", values=large)}
    dataset = Dataset(name="pairs", fields=fields)
    if refused:
        with pytest.raises(DataError, match=refused) as caught:
            prepared(dataset, resize=resize)
        assert "sample 0" in caught.value.where and "--resize" in caught.value.remedy
    else:
        assert prepared(dataset, resize=resize).baseline()["psnr"] > 15
    if resize == "crop":
        with pytest.raises(DataError, match="proportions"):
            prepared(dataset.with_values(source=small[:, :, :20]), resize=resize)


class Negative(nn.Module):
    """Black becomes white."""

    def __init__(self) -> None:
        super().__init__()
        self.reach, self.weight = 0, nn.Parameter(torch.zeros(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 1 - images + self.weight


def test_pictures_come_back_at_their_own_size_and_under_their_name(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sizes = {"a": (40, 57), "b": (7, 9), "c": (200, 130)}
    for name, size in sizes.items():
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    task = ImageToImage.restore(prepared().state(), TINY)
    answer = task.predict(Negative(), Predict(inputs=[tmp_path]))
    assert list(answer.names) == ["a", "b", "c"]
    for name, picture in zip(answer.names, answer.pixels, strict=True):
        np.testing.assert_array_equal(picture, 255 - np.asarray(Image.open(tmp_path / f"{name}.png")))
    assert answer.rows[1] == {"input": str(tmp_path / "b.png"), "height": 7, "width": 9, "noise": None}


def test_noise_of_unknown_strength_differs_from_picture_to_picture() -> None:
    config = replace(TINY, noise=10.0, most_noise=60.0)
    task = ImageToImage.prepare(PHOTOGRAPHS, config, DataSettings(batch_size=200), seed=0)
    (batch,) = list(task.loader(build(task.config), seed=0))
    levels = (batch["inputs"] - batch["targets"]).flatten(1).std(1) * 255
    assert 8 < float(levels.min()) < 14 and 55 < float(levels.max()) < 63
    assert float(levels.mean()) == pytest.approx(35, abs=4)


def with_noise(deviation: float) -> np.ndarray:
    """Return a grey picture of four neighbouring photographs with noise, (128, 128, 1)."""
    rows = [np.concatenate(list(np.asarray(PHOTOGRAPHS.inputs[row : row + 2])), 1) for row in (60, 70)]
    grey = 90 + 0.3 * np.concatenate(rows)[..., :1]  # so that noise is hardly cut off
    return (grey + np.random.default_rng(0).normal(0, deviation, grey.shape)).round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("strength", "said"), [(5, "detail may be lost"), (25, None), (60, "some of it will stay")])
def test_noise_is_estimated_and_compared_with_what_was_learnt(strength: float, said: str | None) -> None:
    task = ImageToImage.restore(prepared().state(), replace(TINY, noise=25.0))
    answer = task.predict(Negative(), Predict(inputs=[with_noise(strength)]))
    assert answer.rows[0]["noise"] == pytest.approx(strength, rel=0.15, abs=1.5)
    assert bool(said) == bool(answer.notes) and (said or "") in "".join(answer.notes)
    wide = ImageToImage.restore(prepared().state(), replace(TINY, noise=4.0, most_noise=65.0))
    assert not wide.predict(Negative(), Predict(inputs=[with_noise(strength)])).notes


@pytest.mark.parametrize("channels", [1, 3])
def test_without_noise_a_picture_has_the_colours_it_had(channels: int) -> None:
    """Whatever pictures were learnt from, grey ones stay grey and coloured ones coloured."""
    images = np.asarray(PHOTOGRAPHS.inputs)[..., :channels]
    task = prepared(Dataset(name="some", fields={"inputs": Field(kind="images", values=images)}))
    for shape in ((9, 12, 1), (9, 12, 3)):
        picture = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        (made,) = task.predict(Negative(), Predict(inputs=[picture])).pixels
        np.testing.assert_array_equal(made, 255 - picture)


def test_a_folder_comes_back_with_what_its_files_hold(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (9, 12, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    Image.fromarray(picture).save(tmp_path / "in" / "a.png", exif=exif)
    deep = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(deep).save(tmp_path / "in" / "deep.png")
    task = ImageToImage.restore(prepared().state(), TINY)
    write(task.predict(Negative(), Predict(inputs=[tmp_path / "in"])), f"{tmp_path / 'out'}/")
    with Image.open(tmp_path / "out" / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[..., 3], picture[..., 3])
        assert image.mode == "RGBA" and image.getexif()[0x010F] == "Maker"
    with Image.open(tmp_path / "out" / "deep.png") as image:
        np.testing.assert_array_equal(np.asarray(image), 255 - (deep / 257).round())


def test_in_tiles_that_fit_its_blocks_a_picture_is_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    task, network = prepared(), Denoiser(Config(in_channels=3, depth=3, channels=4, block=2, normalised=False))
    picture = np.random.default_rng(0).integers(0, 256, (91, 120, 3), dtype=np.uint8)
    whole = task.transform(network, [picture])[0]
    monkeypatch.setattr(image_to_image, "fitting", lambda *given, **named: Tiling(side=40, **named))
    tiled = task.transform(network, [picture])[0]
    np.testing.assert_allclose(
        tiled.astype(int), whole.astype(int), atol=1
    )  # a product may end on the other side of .5
    assert np.mean(tiled != whole) < 0.001


def test_no_answer_depends_on_the_others() -> None:
    task, network = prepared(), Denoiser(Config(in_channels=3, depth=4, channels=4))
    pictures = [np.asarray(PHOTOGRAPHS.inputs[place]) for place in (3, 70)]
    together = task.transform(network, pictures)
    for picture, made in zip(pictures, together, strict=True):
        np.testing.assert_array_equal(task.transform(network, [picture])[0], made)


def test_a_run_makes_pictures_cleaner(tmp_path: Path) -> None:
    options = {"depth": 3, "channels": 8, "noise": 50.0, "steps": 60, "batch_size": 2, "learning_rate": 1e-2}
    run = ganglion.train("denoiser", out=tmp_path / "run", image_size=32, **options)
    assert run.result["score_name"] == "psnr"
    assert run.metrics["psnr"] > run.result["baseline"] + 2
    assert run.metrics["ssim"] > run.result["baseline_metrics"]["ssim"]
    assert {"before_after", "methods"} <= set(run.figures)


class Recording(nn.Module):
    """Gives back what it is shown, and remembers how large that was."""

    def __init__(self) -> None:
        super().__init__()
        self.reach, self.seen, self.weight = 0, [], nn.Parameter(torch.zeros(()))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(images.shape[2:]))
        return images + self.weight


def pairs_of_many_sizes(count: int = 12) -> dict[str, Field]:
    """Pictures whose every pixel says where it is, and their negatives."""
    places = [np.indices((50 + 7 * (number % 3), 90 - 9 * (number % 4))) for number in range(count)]
    source = [np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8) for rows, columns in places]
    return {
        "source": Field(kind="images", values=source),
        "target": Field(kind="images", values=[255 - picture for picture in source]),
    }


def test_large_pairs_are_learnt_from_in_pieces_at_random_places_and_judged_whole() -> None:
    fields = pairs_of_many_sizes()
    dataset = Dataset(name="pairs", fields=fields)
    task = ImageToImage.prepare(dataset, replace(TINY, image_size=16), DataSettings(batch_size=4), seed=0)
    assert "learns from pieces of 16 x 16 pixels at random places (--image-size)" in task.notes
    rule, corners = build(task.config), set()
    loader = task.loader(rule, seed=0)
    for batch in [*loader, *loader]:
        assert batch["inputs"].shape[1:] == (3, 16, 16)
        torch.testing.assert_close(batch["inputs"], 1 - batch["targets"])  # one place for both
        for piece, place in zip((batch["inputs"] * 255).round().long(), batch["index"].tolist(), strict=True):
            top, left = piece[:2, 0, 0].tolist()
            assert torch.equal(piece[0], torch.arange(top, top + 16)[:, None].expand(16, 16))
            assert torch.equal(piece[1], torch.arange(left, left + 16).expand(16, 16))
            corners.add((place, top, left))
    assert len(corners) > 1.8 * len(task.data["train"])
    again = task.loader(rule, seed=0)
    assert torch.equal(next(iter(again))["inputs"], next(iter(task.loader(rule, seed=0)))["inputs"])
    whole = [(fields["source"].values[place].shape[:2]) for place in task.data["test"].index]
    judged = [tuple(picture.shape[1:]) for batch in task._judged("test") for picture in batch["inputs"]]
    assert sorted(judged) == sorted(whole)


def test_pictures_smaller_than_a_piece_go_on_by_reflection() -> None:
    task = ImageToImage.prepare(
        Dataset(name="pairs", fields=pairs_of_many_sizes()), replace(TINY, image_size=80), DataSettings(), seed=0
    )
    batch = next(iter(task.loader(build(task.config), seed=0)))
    rows = (batch["inputs"][:, 0, :, 0] * 255).round()
    assert float(rows.max()) <= 63 and float((rows[:, 1:] - rows[:, :-1]).abs().max()) == 1


def test_pieces_come_out_of_files_with_the_same_bits(tmp_path: Path) -> None:
    for folder, field in zip(("source", "target"), pairs_of_many_sizes().values(), strict=True):
        (tmp_path / folder).mkdir()
        for number, picture in enumerate(field.values):
            Image.fromarray(picture).save(tmp_path / folder / f"{number:02}.png")
    seen = []
    for stream, workers in (("no", 0), ("yes", 0), ("yes", 1)):
        settings = DataSettings(stream=stream, workers=workers, batch_size=5, augment="flips")
        task = ImageToImage.prepare(str(tmp_path), replace(TINY, image_size=24), settings, seed=1)
        batches = list(task.loader(build(task.config), seed=1))
        index, pieces = (torch.cat([batch[name] for batch in batches]) for name in ("index", "inputs"))
        seen.append(dict(zip(index.tolist(), pieces, strict=True)))
    for other in seen[1:]:
        both = other.keys() & seen[0].keys()  # files are divided into parts by what they hold, pictures by pixels
        assert len(both) > 5 and all(torch.equal(seen[0][place], other[place]) for place in both)


def test_what_is_judged_is_what_predict_makes() -> None:
    """Of test pictures, whole and clean: a network that hands back what it is given is as good as the baseline."""
    task = ImageToImage.prepare(
        Dataset(name="pairs", fields=pairs_of_many_sizes()), replace(TINY, image_size=16), DataSettings(), seed=0
    )
    batches = list(task._judged("test"))
    network = Recording()
    for batch in batches:
        assert torch.equal(task._made(network, batch["inputs"]), batch["inputs"])
    raw = [task.data.raw("test", "inputs").values[place] for place in range(len(task.data["test"]))]
    for picture, made in zip(raw, task.transform(network, raw), strict=True):
        assert np.array_equal(picture, made)


def test_a_question_of_twelve_bits_is_read_on_the_scale_of_training(tmp_path: Path) -> None:
    deep = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray((deep // 16).astype(np.uint8)).save(tmp_path / "plain.png")
    scaled, plain = photographs([tmp_path], (0, 4095)).samples
    np.testing.assert_allclose(scaled.pixels[..., 0], deep / 4095, atol=1e-6)
    np.testing.assert_array_equal(plain.pixels[..., 0], deep // 16)  # bytes are bytes
