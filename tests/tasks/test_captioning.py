"""The task of captioning: what it reads, judges, draws and answers."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.loaders.derived import OneLine, derive
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.models.recurrent.captioner import TINY, build
from ganglion.tasks.answers import Images
from ganglion.tasks.captioning import CaptioningTask, Predict, scores
from ganglion.tasks.measures.translations import bleu


@cache
def several() -> Dataset:
    """Scenes of which every second has two captions."""
    found = generate("scenes", count=40)
    texts = [text + ("\nsomething else" if n % 2 else "") for n, text in enumerate(found.fields["captions"].values)]
    captions = Field(kind="texts", values=texts)
    return Dataset(name="toy", fields={"inputs": found.fields["inputs"], "captions": captions})


def prepared(**fields: Any) -> CaptioningTask:
    return CaptioningTask.prepare(several(), replace(TINY, **fields), DataSettings(batch_size=8), seed=0)


def test_each_epoch_shows_one_caption_of_a_picture() -> None:
    lines = torch.tensor([[2, 7, 3, 2, 8, 9, 3], [2, 5, 3, 0, 0, 0, 0]]).repeat(20, 1)
    batch = {"captions": lines, "index": torch.arange(40)}
    seen = derive(batch, {"targets": OneLine()}, seed=0, epoch=0)["targets"]
    assert {tuple(row) for row in seen[::2].tolist()} == {(2, 7, 3, 0), (2, 8, 9, 3)}
    assert {tuple(row) for row in seen[1::2].tolist()} == {(2, 5, 3, 0)}
    again = derive(batch, {"targets": OneLine()}, seed=0, epoch=1)["targets"]
    assert not torch.equal(seen, again)


@pytest.mark.parametrize("form", [{}, {"attention": "none", "unit": "characters", "window": 40}])
def test_trains_judges_draws_and_answers(form: dict[str, Any], tmp_path: Path) -> None:
    task = prepared(**form)
    rule = build(task.config)
    for batch in task.loader(rule, 0):
        rule.step(batch)
    found = task.evaluate(rule, "test")
    assert set(found) <= {measure.name for measure in task.measures} and 0 <= found["ranked_first"] <= 1
    assert set(task.baseline()) == {"bleu", "exact"}
    assert set(task.figures(rule)) == set(task.captions)
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((50, 70, 3), 90, np.uint8)).save(path)
    answer = CaptioningTask.restore(task.state(), task.config).predict(rule.home, Predict(inputs=[str(path)], beams=1))
    assert answer.rows == task.predict(rule.home, Predict(inputs=[path], beams=1)).rows
    assert answer.rows[0]["input"] == str(path) and set(answer.rows[0]) == {"input", "caption"}
    (looks,) = answer.also
    assert isinstance(looks, Images) and len(looks.pixels) == 1


def test_of_several_wanted_captions_the_nearest_counts() -> None:
    wanted = [["a dog runs over green grass", "the dog runs"]]
    assert bleu(["the dog runs over green grass"], wanted) > bleu(["the dog runs over green grass"], [wanted[0][0]])
    assert bleu(["a dog runs over green grass"], wanted) == pytest.approx(100)
    assert scores(["the dog runs"], wanted)["exact"] == 1
