"""Colouring: judged beside one mean colour, lightness and what files hold kept, grey data refused."""

from dataclasses import replace
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
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, GanglionError
from ganglion.models.autoencoder.colouriser import TINY, Colouriser
from ganglion.nn.images.colour import to_lab
from ganglion.runs.writing import write
from ganglion.tasks import colouring
from ganglion.tasks.colouring import Colouring, Predict, coloured
from ganglion.tasks.shared.pictures.tiles import Tiling

PIXELS = np.asarray(read("photographs", DataSettings()).inputs)


def pictures(values: Any) -> Dataset:
    return Dataset(name="pictures", fields={"inputs": Field(kind="images", values=values)})


def prepared(values: Any = PIXELS, config: Any = TINY, **options: Any) -> Colouring:
    return Colouring.prepare(pictures(values), config, DataSettings(**options), seed=0)


class OneColour(nn.Module):
    """Everything is of one colour."""

    def __init__(self, a: float, b: float) -> None:
        super().__init__()
        self.colour = nn.Parameter(torch.tensor([a, b]).reshape(1, 2, 1, 1))

    def forward(self, lightness: torch.Tensor) -> torch.Tensor:
        return self.colours(lightness)

    def colours(self, lightness: torch.Tensor) -> torch.Tensor:
        return self.colour.expand(len(lightness), -1, *lightness.shape[2:])


def lab(picture: np.ndarray) -> torch.Tensor:
    return to_lab(torch.from_numpy(picture.astype(np.float32) / 255).movedim(2, 0)[None])[0]


def test_only_colours_change_and_only_lightness_matters() -> None:
    task = Colouring.restore(prepared().state(), TINY)
    given = np.full((9, 12, 3), 120, np.uint8) + np.arange(12, dtype=np.uint8)[:, None]
    (made,) = task.predict(OneColour(15.0, -20.0), Predict(inputs=[given])).pixels
    found = lab(made)
    torch.testing.assert_close(found[0], lab(given)[0], atol=0.5, rtol=0)
    torch.testing.assert_close(found[1:].mean((1, 2)), torch.tensor([15.0, -20.0]), atol=0.5, rtol=0)
    (again,) = task.predict(OneColour(15.0, -20.0), Predict(inputs=[given[..., :1]])).pixels
    np.testing.assert_array_equal(again, made)


def test_the_baseline_is_one_mean_colour() -> None:
    task = prepared()
    mean = task.baseline()
    assert mean["chroma"] == pytest.approx(float(task._mean_colour().norm()), rel=1e-4)
    assert task._painted(torch.zeros(2))["chroma"] == 0


def test_large_pictures_are_learnt_from_in_pieces_and_judged_whole() -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in [(70, 90), (66, 80)] * 6]
    task = prepared(images, replace(TINY, image_size=24), batch_size=4)
    for batch in task.loader(None, seed=0):  # type: ignore[arg-type]
        assert batch["targets"].shape[1:] == (3, 24, 24)
    assert {tuple(truth.shape[2:]) for truth in task._judged("test")} <= {(70, 90), (66, 80)}


def test_in_tiles_a_picture_has_the_colours_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = Colouriser(TINY).eval()
    lightness = 100 * torch.rand(1, 1, 280, 248)
    whole = coloured(network, lightness)
    monkeypatch.setattr(colouring, "fitting", lambda *given, **named: Tiling(side=200, margin=64, multiple=8))
    assert float((coloured(network, lightness) - whole).abs().max()) < 1e-3 * float(whole.abs().max()) + 1e-3


def test_files_keep_what_they_hold(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 12, 4), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    (tmp_path / "in").mkdir()
    Image.fromarray(picture).save(tmp_path / "in" / "a.png", icc_profile=profile)
    Image.fromarray(picture[..., 0]).save(tmp_path / "in" / "grey.png")
    task = Colouring.restore(prepared().state(), TINY)
    answer = task.predict(OneColour(10.0, 10.0), Predict(inputs=[tmp_path / "in"]))
    assert answer.rows[1]["chroma"] == pytest.approx(14.1)
    write(answer, f"{tmp_path / 'out'}/")
    with Image.open(tmp_path / "out" / "a.png") as image:
        assert image.mode == "RGBA" and image.info["icc_profile"] == profile
        np.testing.assert_array_equal(np.asarray(image)[..., 3], picture[..., 3])
    with Image.open(tmp_path / "out" / "grey.png") as image:
        assert image.mode == "RGB"


def test_grey_data_and_networks_without_colours_are_refused() -> None:
    with pytest.raises(DataError, match="no colours"):
        prepared(PIXELS[..., :1])
    with pytest.raises(GanglionError, match="knows no colours"):
        coloured(nn.Conv2d(1, 2, 1), torch.zeros(1, 1, 8, 8))


def test_a_run_names_colours_nearer_than_one_mean_colour(tmp_path: Path) -> None:
    options = {"channels": (16, 16, 16), "steps": 80, "batch_size": 16, "learning_rate": 5e-3, "evaluate_every": 80}
    data = pictures(PIXELS[:, ::2, ::2])
    run = ganglion.train("colouriser", data, out=tmp_path / "run", design="regression", **options)
    assert run.metrics["colour_error"] < run.result["baseline_metrics"]["colour_error"]
    assert {"before_after", "methods", "strength"} <= set(run.figures)
