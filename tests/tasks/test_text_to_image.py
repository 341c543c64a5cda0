"""The task of drawing what texts say: what it reads, judges, draws, answers and refuses."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.data.sources.scenes import APART
from ganglion.errors import DataError, UsageError
from ganglion.models.adversarial.stackgan import TINY, build
from ganglion.runs.writing import write
from ganglion.tasks.text_to_image import Generate, TextToImage


@cache
def toy() -> Dataset:
    """Scenes of which every second has two captions."""
    found = generate("unseen-pairs", count=60)
    texts = [text + ("\nsomething else" if n % 2 else "") for n, text in enumerate(found.fields["captions"].values)]
    return replace(found, fields={**found.fields, "captions": Field(kind="texts", values=texts)})


@cache
def prepared(**changes: object) -> TextToImage:
    return TextToImage.prepare(toy(), replace(TINY, **changes), DataSettings(batch_size=16), seed=0)


def test_pairs_of_the_test_part_are_never_seen_together() -> None:
    data = generate("unseen-pairs", count=300)
    pairs = [" ".join(pair) for pair in APART]
    assert not any(pair in text for text in data.fields["captions"].values for pair in pairs)
    assert all(any(pair in text for pair in pairs) for text in data.test_fields["captions"].values)
    for word in {word for pair in APART for word in pair}:
        assert any(word in text for text in data.fields["captions"].values)


def test_trains_judges_and_draws() -> None:
    task = prepared()
    rule = build(task.config)
    loader = iter(task.loader(rule, 0))
    for phase in rule.phases:
        rule.begin(phase)
        rule.step(next(loader))
        found = task.evaluate(rule)
        assert set(found) <= {measure.name for measure in task.measures} and 0 <= found["retrieval"] <= 1
        assert (task.sheet(rule.home) is None) == (phase.name == "matching")
    judged = task.evaluate(rule, "test")
    assert set(judged) == {measure.name for measure in task.measures}
    assert task.baseline() == {"retrieval": 1 / len(set(task.data.dataset.test_fields["captions"].values))}
    assert set(task.figures(rule)) == set(task.captions)


def test_a_picture_follows_from_its_text_the_seed_and_its_number(tmp_path: Path) -> None:
    task = prepared()
    home = build(task.config).home.eval()
    restored = TextToImage.restore(task.state(), task.config)
    few, many = (restored.generate(home, Generate(text="a red star", count=count, seed=3)) for count in (2, 5))
    assert np.array_equal(many.pixels[:2], few.pixels) and few.pixels.shape == (2, 24, 24, 3)
    other = restored.generate(home, Generate(text="a black cross", count=2, seed=3))
    assert not np.array_equal(other.pixels, few.pixels) and other.rows[0]["text"] == "a black cross"
    sketch = restored.generate(home, Generate(text="A  RED star", count=2, seed=3, stage=1))
    assert sketch.pixels.shape == (2, 12, 12, 3)
    unsaid = restored.generate(home, Generate(count=3))
    assert [row["text"] for row in unsaid.rows] == task.examples[:3]
    write(few, str(tmp_path / "drawn") + "/")
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 2


@pytest.mark.parametrize("reader", ["bag-of-words", "character-cnn-rnn"])
def test_words_that_are_not_known_are_said_or_refused(reader: str) -> None:
    task = prepared(reader=reader, character_maps=(4, 4, 4), window=40)
    home = build(task.config).home.eval()
    answer = task.generate(home, Generate(text="a red zeppelin", count=1))
    assert answer.notes == ("not known, and not heeded: zeppelin",)
    for text in ("zeppelin zzz", "  ", ""):
        with pytest.raises(UsageError, match="no word") as caught:
            task.generate(home, Generate(text=text, count=1))
        assert caught.value.remedy and caught.value.expected and caught.value.where == "--text"


@pytest.mark.parametrize(("count", "same"), [(5, False), (40, True)])
def test_too_few_pictures_or_texts_are_refused(count: int, same: bool) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (count, 24, 24, 3), dtype=np.uint8)
    texts = ["a thing" if same else f"thing {'ab'[n % 2]}" for n in range(count)]
    fields = {"inputs": Field(kind="images", values=pictures), "captions": Field(kind="texts", values=texts)}
    with pytest.raises(DataError, match="too little"):
        TextToImage.prepare(Dataset(name="few", fields=fields), TINY, DataSettings(), seed=0)


def test_the_doctor_is_shown_texts_too() -> None:
    task = prepared()
    batch = task.data.at("train", task.data.spread("train", 7))
    assert batch["inputs"].shape == (7, 3, 24, 24) and batch["targets"].dtype == torch.int64
    assert (batch["targets"][:, 0] == 2).all()
