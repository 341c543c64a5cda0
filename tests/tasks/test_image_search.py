"""Image search: precision by counting, an index that is kept and not believed blindly, pages, and speed."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.figures import save
from ganglion.models import find
from ganglion.models.autoencoder.image_search import Config, build
from ganglion.rules.descend import Descent
from ganglion.runs.writing import write
from ganglion.settings import from_dict
from ganglion.tasks.answers import Rows
from ganglion.tasks.classification import Classification
from ganglion.tasks.image_search import ImageSearch, precision
from ganglion.tasks.shared.pictures.index import directions, nearest


@pytest.fixture(scope="module")
def task() -> ImageSearch:
    config = Config(code_size=8, channels=(8,), descent=Descent(learning_rate=5e-3))
    return ImageSearch.prepare("digits", config, DataSettings(limit=400), seed=0)


@pytest.fixture(scope="module")
def network(task: ImageSearch) -> nn.Module:
    torch.manual_seed(0)
    return build(task.config).home


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for number, image in enumerate(read("digits", DataSettings()).inputs[:12]):
        Image.fromarray(image[..., 0]).save(folder / ("more" if number > 8 else ".") / f"{number}.png")
    return folder


def search(task: Any, network: nn.Module, photos: Path, **question: Any) -> Rows:
    question = {"inputs": [str(photos / "0.png")], "among": str(photos)} | question
    found = task.ask("search", network, from_dict(task.verbs["search"], question, where="search"))
    assert isinstance(found, Rows)
    return found


def test_the_likest_is_found_first_and_nothing_for_itself(task: ImageSearch, network: nn.Module, photos: Path) -> None:
    shutil.copy(photos / "0.png", photos / "more" / "twin.png")
    rows = search(task, network, photos, count=5).value
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0]["found"] == os.path.join("more", "twin.png") and rows[0]["likeness"] == pytest.approx(1, abs=1e-5)
    assert all(row["found"] != "0.png" for row in rows)
    likeness = [row["likeness"] for row in rows]
    assert likeness == sorted(likeness, reverse=True)


def test_only_what_changed_is_looked_at_again(task: ImageSearch, network: nn.Module, photos: Path) -> None:
    first = search(task, network, photos)
    assert any("12 looked at" in note for note in first.notes)
    assert search(task, network, photos).notes == ()
    (photos / "1.png").rename(photos / "renamed.png")  # its content is known
    (photos / "2.png").unlink()
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(photos / "3.png")
    (said,) = search(task, network, photos).notes
    assert "11 pictures" in said and "1 looked at" in said and "2 gone" in said
    kept = {path.name for path in photos.with_name("photos.index").iterdir()}
    assert len(kept) == 2 and "index.json" in kept


@pytest.mark.parametrize("damage", ["codes", "cut", "count", "pickle", "other"])
def test_a_damaged_index_is_made_anew(task: ImageSearch, network: nn.Module, photos: Path, damage: str) -> None:
    expected = search(task, network, photos).value
    folder = photos.with_name("photos.index")
    table, codes = folder / "index.json", next(folder.glob("codes-*.npy"))
    if damage == "codes":
        codes.write_bytes(codes.read_bytes()[:-4] + b"\0\0\0\0")
    elif damage == "cut":
        table.write_text(table.read_text()[:100])
    elif damage == "pickle":
        np.save(codes, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        content = json.loads(table.read_text())
        content |= {"pictures": content["pictures"][1:]} if damage == "count" else {"encoder": "0" * 64}
        table.write_text(json.dumps(content))
    found = search(task, network, photos)
    assert found.value == expected and any("made anew" in note for note in found.notes)
    assert search(task, network, photos).notes == ()


def test_another_network_makes_another_index(task: ImageSearch, network: nn.Module, photos: Path) -> None:
    search(task, network, photos)
    torch.manual_seed(1)
    found = search(task, build(task.config).home, photos)
    assert any("another network" in note for note in found.notes)


def test_what_is_no_picture_is_refused_or_left_out(task: ImageSearch, network: nn.Module, photos: Path) -> None:
    (photos / "note.png").write_text("not a picture")
    found = search(task, network, photos)
    assert any("left out" in note and "note.png" in note for note in found.notes)
    with pytest.raises(DataError, match="cannot be read"):
        search(task, network, photos, inputs=[str(photos / "note.png")])
    with pytest.raises(DataError, match="does not exist"):
        search(task, network, photos, inputs=["nowhere.png"])
    with pytest.raises(DataError, match="no such folder"):
        search(task, network, photos, among="nowhere")
    (photos / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        search(task, network, photos, among=str(photos / "empty"))


def test_a_page_and_a_sheet_show_what_was_found(task: ImageSearch, network: nn.Module, photos: Path) -> None:
    (photos / "<b>.png").write_bytes((photos / "4.png").read_bytes())
    found = search(task, network, photos, count=12)
    write(found, photos.with_name("page.html"))
    write(found, photos.with_name("sheet.png"))
    page = photos.with_name("page.html").read_text()
    assert page.count("<img") == 13 and "&lt;b&gt;.png" in page and "<b>.png" not in page and "http" not in page
    with Image.open(photos.with_name("sheet.png")) as sheet:
        assert sheet.width > 12 * sheet.height / 2


def test_a_classifier_searches_and_a_run_on_rows_does_not(photos: Path) -> None:
    module = find("mlp").load()
    images = Classification.prepare("digits", module.TINY, DataSettings(limit=100), seed=0)
    assert len(search(images, module.build(images.config).home, photos, count=3).rows) == 3
    rows = Classification.prepare("iris", module.TINY, DataSettings(), seed=0)
    with pytest.raises(UsageError, match="only pictures"):
        search(rows, module.build(rows.config).home, photos)


def test_precision_by_counting() -> None:
    random = np.random.default_rng(0)
    codes, classes = random.normal(size=(40, 3)).astype(np.float32), random.integers(0, 3, 40)
    for by_distance in (False, True):
        shares = []
        for one in range(40):
            if by_distance:
                order = np.argsort(((codes - codes[one]) ** 2).sum(axis=1))
            else:
                order = np.argsort(-(directions(codes) @ directions(codes)[one]))
            found = [place for place in order.tolist() if place != one][:10]
            shares.append(np.mean(classes[found] == classes[one]))
        asked = codes if by_distance else directions(codes)
        assert precision(asked, classes, by_distance=by_distance) == pytest.approx(np.mean(shares))


def test_a_hundred_thousand_codes_are_searched_in_fifty_milliseconds() -> None:
    codes = directions(np.random.default_rng(0).normal(size=(100_000, 64)).astype(np.float32))
    nearest(codes, codes[0], 9)
    seconds = []
    for place in range(5):
        begun = time.thread_time()
        places, likeness = nearest(codes, codes[place], 9)
        seconds.append(time.thread_time() - begun)
        assert places[0] == place and len(places) == 9 and likeness[0] == pytest.approx(1, abs=1e-5)
    assert min(seconds) < 0.05


def test_the_task_draws(task: ImageSearch, tmp_path: Path) -> None:
    rule = build(task.config)
    measures = task.evaluate(rule, "test")
    assert set(measures) == {measure.name for measure in task.measures}
    assert task.baseline()["precision_at_10"] == pytest.approx(0.1, abs=0.01)
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"found", "precision"}
