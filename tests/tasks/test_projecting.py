"""The nearest picture that a generator can make: pictures, sketches, films, what is foreign, what is unclear."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.models.adversarial import cgan, gan
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.answers import Film, Images, Rows
from ganglion.tasks.generation import Generation
from ganglion.tasks.shared.pictures import inversion
from ganglion.tasks.shared.pictures.coarse_drawing import read_drawing

SCALE = ImagePreprocessing(image_size=8, channels=1, low=-1.0, high=1.0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(inversion, "STEPS", 20)
    monkeypatch.setattr(inversion, "DRAWN", 128)


def prepared(system: Any) -> tuple[Generation, torch.nn.Module]:
    """Return a task whose real pictures are what an untrained generator draws, and that generator."""
    torch.manual_seed(0)
    network = system.build(system.TINY).home.eval()
    latent = torch.randn(90, system.TINY.latent_features, generator=torch.Generator().manual_seed(5))
    classes = torch.arange(90) % 3
    with torch.no_grad():
        for weight in network.parameters() if system is cgan else ():
            weight.mul_(6 if weight.ndim > 1 else 1)  # which starts from nearly nothing, as grey pictures
        drawn = network(latent) if system is gan else network(latent, classes)
    side = drawn.shape[-1]
    pixels = ImagePreprocessing(image_size=side, channels=1, low=-1.0, high=1.0).inverse(drawn)
    data = Dataset.of(
        name="drawn", kind="image", inputs=pixels, targets=classes.numpy().astype(np.int64), label_names=("a", "b", "c")
    )
    task = Generation.prepare(data, system.TINY, DataSettings(), seed=0)
    rule = system.build(task.config)
    rule.home.load_state_dict(network.state_dict())
    task.calibrate(rule)
    return task, network


def asked(task: Generation, network: torch.nn.Module, **question: Any) -> Images:
    fields = {"steps": 40, "candidates": 8, **question}
    answer = task.ask("project", network, from_dict(task.verbs["project"], fields, where="project"))
    assert isinstance(answer, Images)
    return answer


@pytest.mark.parametrize("system", [gan, cgan])
def test_a_picture_of_the_generator_is_found_again(system: Any) -> None:
    task, network = prepared(system)
    pictures = task.ask("generate", network, task.verbs["generate"](count=2, seed=7)).value
    answer = asked(task, network, inputs=list(pictures), count=2)
    film, rows = answer.also
    assert isinstance(film, Film) and isinstance(rows, Rows)
    for row in rows.rows:
        assert row["error"] < 0.5 * row["random_search"]
        assert row["error"] == min(row["descent"], row["encoder_and_descent"])
    assert len(answer.pixels) == 2 * (1 + 2)
    again = asked(task, network, inputs=[pictures[1]], count=2)
    assert np.array_equal(again.value, answer.value[3:])  # whatever else is asked about
    assert film.frames.ndim == 4 and len(film.frames) == 2 * (40 // 3 + 2)


def test_what_is_foreign_is_known_in_a_restored_run(tmp_path: Path) -> None:
    task, network = prepared(gan)
    task = Generation.restore(json.loads(json.dumps(task.state())), from_dict(gan.Config, to_dict(task.config)))
    foreign = np.random.default_rng(0).integers(0, 256, (8, 8, 1), dtype=np.uint8)
    for picture in (foreign, np.full((8, 8, 1), 250, np.uint8)):
        with pytest.raises(DataError, match="unlike anything"):
            asked(task, network, inputs=[picture])
    assert len(asked(task, network, inputs=[foreign], foreign=True).pixels) == 2
    old = {name: value for name, value in task.state().items() if name != "usual"}
    assert not Generation.restore(old, task.config).usual.distances  # of a run that does not know


def strokes(path: Path, mode: str) -> str:
    """Write a white stroke down the middle of nothing, or of black paper."""
    image = Image.new(mode, (32, 32))
    ImageDraw.Draw(image).rectangle((12, 0, 19, 31), fill=(255,) * len(image.getbands()))
    image.save(path)
    return str(path)


@pytest.mark.parametrize("mode", ["RGBA", "RGB"])
def test_painted_is_what_is_not_paper(mode: str, tmp_path: Path) -> None:
    drawing = read_drawing(strokes(tmp_path / "strokes.png", mode), None, SCALE)
    assert drawing.mask[0, 0, 3].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert drawing.colours[0, 0, 3, 3:5].tolist() == [1, 1]
    white, black = torch.ones(1, 1, 8, 8), -torch.ones(1, 1, 8, 8)
    assert drawing.colour_error(white).item() == 0 and drawing.colour_error(black).item() == 4
    upright, lying = drawing.mask.clone(), drawing.mask.transpose(2, 3)
    assert drawing.edge_error(upright).item() < 1e-6 < drawing.edge_error(lying).item()


def test_a_sketch_becomes_a_picture_of_the_generator(tmp_path: Path) -> None:
    task, network = prepared(gan)
    sketch = strokes(tmp_path / "strokes.png", "RGBA")
    answer = asked(task, network, sketch=sketch, count=3)
    (row,) = answer.also[1].value  # type: ignore[misc]
    assert row["error"] < row["random_search"] and len(answer.pixels) == 4
    picture = task.ask("generate", network, task.verbs["generate"](count=1, seed=3)).value[0]
    over = asked(task, network, sketch=sketch, inputs=[picture])
    changed = np.abs(over.value[1].astype(float) - picture).mean()
    assert changed < np.abs(answer.value[1].astype(float) - picture).mean()  # it stays near to what it is drawn over


def test_what_is_unclear_is_refused(tmp_path: Path) -> None:
    task, network = prepared(gan)
    sketch = strokes(tmp_path / "strokes.png", "RGBA")
    Image.new("L", (5, 4), 255).save(tmp_path / "mask.png")
    Image.new("RGB", (32, 32), "red").save(tmp_path / "blank.png")
    pictures = [np.zeros((8, 8, 1), np.uint8)] * 2
    for question, words in (
        ({}, "nothing to find"),
        ({"mask": sketch}, "which part of a sketch"),
        ({"sketch": sketch, "inputs": pictures}, "over one picture"),
        ({"sketch": sketch, "class_": "7"}, "told no classes"),
    ):
        with pytest.raises(UsageError, match=words):
            asked(task, network, **question)
    for question, words in (
        ({"sketch": sketch, "mask": str(tmp_path / "mask.png")}, "differ in size"),
        ({"sketch": str(tmp_path / "blank.png")}, "nothing is painted"),
        ({"sketch": str(tmp_path / "none.png")}, "does not exist"),
    ):
        with pytest.raises(DataError, match=words):
            asked(task, network, **question)
