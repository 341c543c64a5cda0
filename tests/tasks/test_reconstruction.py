"""Reconstruction: error by hand, the linear baseline, maps and codes, answers without the data."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.figures import save
from ganglion.models.autoencoder.autoencoder import TINY, Config, build
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.reconstruction import Reconstruction
from tests.tasks.asking import ask


def prepared(config: Config = TINY, data: str = "digits", **settings: object) -> Reconstruction:
    return Reconstruction.prepare(data, config, DataSettings(**settings), seed=0)  # type: ignore[arg-type]


def pixels(task: Reconstruction, part: str) -> np.ndarray:
    return task.data[part].inputs.reshape(len(task.data[part]), -1).astype(np.float64) / 255


def test_measures_by_hand() -> None:
    task = prepared()
    rule = build(task.config)
    inputs = torch.from_numpy(pixels(task, "test")).float()
    error = (rule.home.reconstruct(inputs) - inputs).square().mean().item()
    measures = task.evaluate(rule, "test")
    assert measures["reconstruction_error"] == pytest.approx(error, rel=1e-5)
    assert measures["loss"] == pytest.approx(error, rel=1e-5)
    assert measures["psnr"] == pytest.approx(-10 * np.log10(error), rel=1e-5)


def test_baselines_by_hand() -> None:
    task = prepared()
    training, test = pixels(task, "train"), pixels(task, "test")
    linear = PCA(TINY.code_size).fit(training)
    rebuilt = linear.inverse_transform(linear.transform(test))
    mean_error = ((training.mean(axis=0) - test) ** 2).mean()
    assert task.baseline()["reconstruction_error"] == pytest.approx(mean_error, rel=1e-4)
    linear_error = task.evaluate(build(task.config), "test")["principal_components_error"]
    assert linear_error == pytest.approx(((rebuilt - test) ** 2).mean(), rel=1e-4)


def test_beats_principal_components_of_the_same_number(tmp_path: Path) -> None:
    task = prepared(Config(hidden_features=(128, 64), code_size=2))
    torch.manual_seed(0)
    rule = build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(25):
        for batch in loader:
            rule.step(batch)
    measures = task.evaluate(rule, "test")
    assert measures["reconstruction_error"] < 0.8 * measures["principal_components_error"]
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"code_map", "picture_map", "code_plane", "reconstructions"}


def test_the_code_plane_is_laid_out_like_the_code_map(monkeypatch: pytest.MonkeyPatch) -> None:
    task = prepared()
    grids = []
    monkeypatch.setattr("ganglion.tasks.reconstruction.decoded", lambda _, codes: grids.append(codes) or codes)
    monkeypatch.setattr(Reconstruction, "_images", lambda *_: np.zeros((1, 8, 8, 1)))
    codes = torch.tensor([[0.0, 10.0], [1.0, 20.0]])
    task._code_plane(torch.nn.Identity(), codes)
    grid = grids[0].unflatten(0, (12, 12))
    assert (grid[0, :, 1] > grid[-1, :, 1]).all()  # the first row is on top
    assert (grid[:, 0, 0] < grid[:, -1, 0]).all()  # the first column is on the left


def test_answers_raw_images_with_code_and_error(tmp_path: Path) -> None:
    task = prepared()
    rule = build(task.config)
    images = read("digits", DataSettings()).inputs[:3]
    rows = ask(task, rule.home, "predict", inputs=images)
    inputs = torch.from_numpy(images.reshape(3, -1) / 255).float()
    torch.testing.assert_close(torch.tensor([row["code"] for row in rows]), rule.home.encode(inputs))
    errors = (rule.home.reconstruct(inputs) - inputs).square().mean(dim=1)
    torch.testing.assert_close(torch.tensor([row["reconstruction_error"] for row in rows]), errors)
    Image.fromarray(images[1, ..., 0]).save(tmp_path / "one.png")
    (row,) = ask(task, rule.home, "predict", inputs=[tmp_path / "one.png"])
    assert row["code"] == pytest.approx(rows[1]["code"], rel=1e-5)


def test_a_restored_task_answers_the_same() -> None:
    task = prepared()
    rule = build(task.config)
    again = Reconstruction.restore(json.loads(json.dumps(task.state())), from_dict(Config, to_dict(task.config)))
    assert again.state() == task.state()
    images = read("digits", DataSettings()).inputs[:3]
    assert ask(again, rule.home, "predict", inputs=images) == ask(task, rule.home, "predict", inputs=images)
    torch.testing.assert_close(again.kept, task.kept, rtol=0, atol=0.5 / 255)
    assert ask(again, rule.home, "generate", count=9, seed=0).shape == (9, 8, 8, 1)


def test_images_are_generated_between_codes_of_two_kept_images(monkeypatch: pytest.MonkeyPatch) -> None:
    task = prepared()
    rule = build(task.config)
    asked = []
    original = rule.home.decode
    monkeypatch.setattr(rule.home, "decode", lambda codes: asked.append(codes) or original(codes))
    ask(task, rule.home, "generate", count=20, seed=0)
    codes = rule.home.encode(task.kept).detach()
    assert (asked[0] >= codes.amin(dim=0) - 1e-6).all()
    assert (asked[0] <= codes.amax(dim=0) + 1e-6).all()
    distances = torch.cdist(asked[0], codes)
    assert distances.min(dim=1).values.max() > 1e-3  # they are new


def test_rows_of_numbers_have_codes_but_no_pictures() -> None:
    task = prepared(data="wine")
    rule = build(task.config)
    assert task.config.in_features == 13
    assert set(task.figures(rule)) == {"code_map"}
    assert "psnr" not in task.evaluate(rule)
    assert len(ask(task, rule.home, "predict", inputs=task.data["test"].inputs[:4])) == 4
    assert Reconstruction.restore(json.loads(json.dumps(task.state())), task.config).state() == task.state()
    with pytest.raises(UsageError, match="cannot generate"):
        ask(task, rule.home, "generate", count=4, seed=0)


def test_colour_images_keep_their_shape() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
    task = Reconstruction.prepare(Dataset.of(name="toy", kind="image", inputs=images), TINY, DataSettings(), seed=0)
    rule = build(task.config)
    assert task.config.in_features == 6 * 5 * 3
    assert rule.home(task.data.some("train", np.arange(2))).shape == (2, 3, 6, 5)
    assert set(task.figures(rule)) == {"code_map", "picture_map", "code_plane", "reconstructions"}


def test_binary_cross_entropy_is_for_pixels() -> None:
    with pytest.raises(ConfigurationError, match=r"\[0, 1\]"):
        prepared(Config(loss="binary-cross-entropy"), data="wine")


def test_a_series_is_no_set_of_samples() -> None:
    with pytest.raises(DataError, match="not for reconstruction"):
        prepared(data="sine")
