"""Topics: coherence by hand, texts with and without labels, mixtures of new texts, and texts that say nothing."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

import ganglion
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import GanglionError
from ganglion.runs.run import Run
from ganglion.tasks.measures.topics import coherence
from ganglion.tasks.topics import Topics, telling_words, without_header


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    options = {"topics": 8, "epochs": 30, "batch_size": 32, "evaluate_every": 200, "threads": 1}
    folder = tmp_path_factory.mktemp("runs") / "run"
    return ganglion.train("topic-model", generate("notices", count=600), out=folder, **options)


def test_coherence_is_information_by_hand() -> None:
    there = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0], [0, 0, 1], [0, 1, 0]])
    a, b, both = 3 / 5, 3 / 5, 2 / 5
    expected = [np.log(both / (a * b)) / -np.log(both), -1.0, np.log(0.2 / (0.6 * 0.4)) / -np.log(0.2)]
    found = coherence(np.array([[0, 1], [1, 2], [0, 2]]), sparse.csr_matrix(7 * there))
    assert found.tolist() == pytest.approx(expected)
    assert coherence(np.array([[0, 1, 2]]), sparse.csr_matrix(there))[0] == pytest.approx(np.mean(expected))


def test_topics_are_the_subjects(run: Run) -> None:
    assert run.metrics["coherence"] > run.result["baseline"] and run.metrics["uniqueness"] >= 0.6
    (row,) = run.ask("predict", inputs=["The bank and the market, the price of shares, a loan and the investor's tax"])
    assert sum(row["mixture"]) == pytest.approx(1) and len(row["mixture"]) == 8
    assert {"bank", "market", "price", "shares"} & set(row["topics"][0]["words"].split())
    assert row["topics"][0]["share"] == pytest.approx(max(row["mixture"]))


@pytest.mark.parametrize("text", ["", "   ", "zzz qqq", "42 !"])
def test_a_text_without_known_words_is_refused(run: Run, text: str) -> None:
    with pytest.raises(GanglionError, match="no word of this text") as caught:
        run.ask("predict", inputs=[text])
    assert caught.value.remedy


def test_texts_without_labels(tmp_path: Path) -> None:
    texts = [str(text) for text in generate("notices", count=60).inputs]
    (tmp_path / "lines.txt").write_text("\n".join([*texts, ""]), encoding="utf-8")
    (tmp_path / "table.csv").write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")
    folder = tmp_path / "folder" / "below"
    folder.mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / f"{number:02}.txt").write_text(text, encoding="utf-8")
    for source, settings in (
        (tmp_path / "lines.txt", DataSettings()),
        (tmp_path / "table.csv", DataSettings()),
        (folder.parent, DataSettings(target="none")),
    ):
        dataset = Topics.open(str(source), settings)
        assert list(dataset.inputs) == texts and "targets" not in dataset.fields, source


@pytest.mark.parametrize(
    ("texts", "words"),
    [(["one text alone, and no other"], "too few samples"), (["the same here"] * 40, "one class|too few|same")],
)
def test_a_collection_that_says_nothing_is_refused(tmp_path: Path, texts: list[str], words: str) -> None:
    path = tmp_path / "few.txt"
    path.write_text("\n".join(texts), encoding="utf-8")
    with pytest.raises(GanglionError, match=words):
        ganglion.train("topic-model", path, out=tmp_path / "run", steps=1)
    with pytest.raises(GanglionError, match=f"{words}|too few words|no sample is left"):
        ganglion.train("topic-model", path, out=tmp_path / "run", steps=1, allow_problems=True)


def test_headers_and_words_that_say_nothing_are_left_out() -> None:
    mail = "Path: a!b\nFrom: someone (x)\nSubject: Re: engines\n of cars\n\nHello,\nWhy: not?\n"
    assert without_header(mail) == "Hello,\nWhy: not?\n"
    assert without_header("Note: one\nNote: two\n\nrest") == "Note: one\nNote: two\n\nrest"
    texts = [["engine", "and", "ok"], ["engine", "wheel"], ["wheel", "sea"], ["sea"], *([["common"]] * 6)]
    assert telling_words(texts, 9) == ("engine", "wheel", "sea")
