"""The task of translating: what it reads, what it writes, whole files, unknown words, and what it draws."""

import gzip
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.models.recurrent.translator import TINY, build
from ganglion.tasks.answers import Text
from ganglion.tasks.shared.texts.writing import translate
from ganglion.tasks.translation import Predict, TranslationTask, by_length, scores

WORDS = {"ein": "a", "hund": "dog", "katze": "cat", "läuft": "runs", "schläft": "sleeps", "und": "and", "der": "the"}


def of(pairs: list[tuple[str, str]]) -> Dataset:
    sides = zip(("source", "target"), zip(*pairs, strict=True), strict=True)
    return Dataset(name="toy", fields={side: Field(kind="texts", values=list(texts)) for side, texts in sides})


@cache
def sentences() -> Dataset:
    random = np.random.default_rng(0)
    rows = [random.choice(list(WORDS), size=random.integers(2, 6)) for _ in range(80)]
    return of([(" ".join(row).capitalize() + ".", " ".join(WORDS[w] for w in row).capitalize() + ".") for row in rows])


def prepared(dataset: Dataset | None = None, **fields: Any) -> TranslationTask:
    config = replace(TINY, **fields)
    return TranslationTask.prepare(dataset or sentences(), config, DataSettings(batch_size=16), seed=0)


class Parrot(nn.Module):
    """Writes the tokens of the source again, looking at each of them; what the target does not know as unknown."""

    def __init__(self, source: TextPreprocessing, target: TextPreprocessing) -> None:
        super().__init__()
        self.attention = nn.Linear(1, 1)
        self.size = target.num_tokens
        known = [target.numbers([token])[0] if token in target.vocabulary else 1 for token in source.tokens]
        self.table = torch.tensor([0, 1, 2, 3, *(int(number) for number in known[3:])])

    def remember(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"source": inputs, "at": torch.zeros(len(inputs), dtype=torch.int64)}

    def read(self, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        at = state["at"] + tokens.shape[1]
        said = self.table[state["source"].gather(1, at[:, None].clamp(max=state["source"].shape[1] - 1))]
        return 20 * nn.functional.one_hot(said, self.size).float(), {"source": state["source"], "at": at}

    def attended(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return torch.eye(targets.shape[1] + 1, inputs.shape[1])[1:].expand(len(inputs), -1, -1)


def test_unknown_words_are_copied_from_where_the_network_looks() -> None:
    text = TextPreprocessing.fit(["ein hund läuft, hund."] * 2, unit="joined", marked=True, lower=True)
    parrot = Parrot(text, text)
    sources = ["Ein Zebra läuft, hund.", "hund"]
    said = translate(parrot, sources, text, text, Predict(inputs=sources, beams=1))
    assert [one.text for one in said] == ["ein zebra läuft, hund.", "hund"]
    assert said[0].weights is not None and said[0].weights.shape == (7, 8)
    beams = translate(parrot, sources, text, text, Predict(inputs=sources, beams=3))
    assert [one.text for one in beams] == ["ein zebra läuft, hund.", "hund"]


def test_an_answer_does_not_depend_on_what_else_is_asked() -> None:
    task = prepared()
    torch.manual_seed(0)
    network = build(task.config).home
    sources = list(sentences().fields["source"].values[:4])
    for beams in (1, 2):
        question = Predict(inputs=sources, beams=beams)
        together = [one.text for one in task.translated(network, sources, question)]
        assert together == [task.translated(network, [one], question)[0].text for one in sources]


@pytest.mark.parametrize("name", ["in.txt", "in.txt.gz"])
def test_whole_files_keep_their_lines(tmp_path: Path, name: str) -> None:
    task, path = prepared(), tmp_path / name
    text = "Ein Hund.\r\n\r\nDer Zebra.\r\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    answer = task.predict(build(task.config).home, Predict(inputs=[str(path)], beams=1))
    assert [row["row"] for row in answer.rows] == [1, 2, 3] and answer.rows[1]["translation"] == ""
    assert answer.rows[2]["unknown"] == ["zebra"]
    (whole,) = answer.also
    assert isinstance(whole, Text) and whole.text.count("\n") == 3


def test_nothing_to_translate_and_far_too_much() -> None:
    task = prepared()
    network = build(task.config).home
    with pytest.raises(DataError, match="no sentence"):
        task.predict(network, Predict(inputs=["  "]))
    answer = task.predict(network, Predict(inputs=["der hund " * 4000], beams=1))
    assert "1 texts are cut after 12 words" in answer.notes[0]


def test_one_giant_sentence_is_left_out_and_said() -> None:
    rows = list(zip(*(sentences().fields[side].values for side in ("source", "target")), strict=True))
    task = prepared(of([*rows, *[(f"hund {n} " * 3000, "dog " * 3000) for n in range(4)]]))
    kept = next(iter(task.loader(build(task.config), 0)))
    assert kept["inputs"].shape[1] <= TINY.window + 2
    assert any("training pairs of more than 12 words are left out" in note for note in task.notes)
    with pytest.raises(DataError, match="--window"):
        prepared(of([(f"hund {n} " * 30, "dog " * 30) for n in range(60)])).loader(build(task.config), 0)


@pytest.mark.parametrize("unit", ["words", "pieces", "characters"])
@pytest.mark.parametrize("lower_case", [True, False])
def test_every_unit_and_both_cases_train_judge_and_draw(unit: str, lower_case: bool) -> None:
    task = prepared(unit=unit, lower_case=lower_case, window=40)
    rule = build(task.config)
    for batch in task.loader(rule, 0):
        rule.step(batch)
    found = task.evaluate(rule, "test")
    assert set(found) <= {measure.name for measure in task.measures} and found["loss"] < 8
    _, wanted = task._pairs("test", np.arange(2))
    assert wanted[0] == (wanted[0].lower() if lower_case else wanted[0].capitalize())
    if unit == "words" and lower_case:
        assert set(task.figures(rule)) == set(task.captions)
        assert task.baseline()["bleu"] > 10
        state = TranslationTask.restore(task.state(), task.config)
        sources = ["Ein Hund und Katze."]
        said = [one.predict(rule.home, Predict(inputs=sources)).value for one in (task, state)]
        assert said[0] == said[1]
        assert state.steps("Ein Hund.")[1] == ["(begin)", "ein", "hund", ".", "(end)"]


def test_groups_of_lengths_hold_every_sentence() -> None:
    lengths = np.array([3, 3, 4, 5, 9, 12, 12])
    names, _, counts = by_length(["a b c d e"] * 7, ["a b c d e"] * 7, lengths, groups=3)
    assert sum(counts) == 7 and names[0].startswith("3") and names[-1].endswith("12")
    assert scores(["a"], ["b"])["exact"] == 0
