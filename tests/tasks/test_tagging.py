"""Tagging: every step judged once, tags that training lacks, what a network's own last answer is worth."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.figures import save
from ganglion.models.recurrent import elman_tagger, jordan
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.sequences import steps_cross_entropy
from ganglion.rules.supervised import Supervised
from ganglion.tasks.tagging import Tagging
from tests.tasks.asking import ask


def prepared(name: str = "tagged-sentences", count: int = 200, **settings: object) -> Tagging:
    dataset = generate(name, count=count)
    return Tagging.prepare(dataset, elman_tagger.TINY, DataSettings(**settings), seed=0)  # type: ignore[arg-type]


class Table(nn.Module):
    """Answers each token with its own tag, as the baseline does."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.logits[inputs]


def commonest(task: Tagging) -> LearningRule:
    counts = torch.zeros(task.tagged.text.num_tokens, len(task.tags))
    for sequence in task.data.samples["train"].inputs:
        for token, tag in sequence:
            counts[task.tagged.text.numbers([token])[0], task.tags.index(tag)] += 1
    return Supervised(Table(counts), Descent(), loss=steps_cross_entropy)


def test_a_network_that_knows_the_commonest_tags_scores_like_that_baseline() -> None:
    task = prepared()
    measures, baseline = task.evaluate(commonest(task), "test"), task.baseline()
    assert measures["accuracy"] == pytest.approx(baseline["accuracy"])
    assert measures["whole_sequences"] == pytest.approx(baseline["whole_sequences"])


def test_measures_do_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    task = prepared()
    torch.manual_seed(0)
    rule = elman_tagger.build(task.config)
    whole = task.evaluate(rule, "test")
    monkeypatch.setattr("ganglion.tasks.shared.evaluation.LARGEST_BLOCK", 4)
    assert task.evaluate(rule, "test") == pytest.approx(whole, rel=1e-5)


def test_a_tag_that_training_lacks_is_never_right() -> None:
    train = [(("a", "X"), ("b", "Y"))] * 9
    dataset = Dataset.of(name="toy", kind="tagged", inputs=[*train, (("a", "X"), ("b", "Z"))])
    task = Tagging.prepare(dataset, elman_tagger.TINY, DataSettings(validation=0.0), seed=0)
    parts = {name: [tuple(map(tuple, one)) for one in part.inputs] for name, part in task.data.samples.items()}
    if (("a", "X"), ("b", "Z")) in parts["train"]:
        task.data.samples["train"], task.data.samples["test"] = task.data.samples["test"], task.data.samples["train"]
        task.tags = ("X", "Y")
    measures = task.evaluate(commonest(task), "test")
    assert 0 < measures["accuracy"] < 1
    assert torch.isfinite(torch.tensor(measures["loss"]))


def test_long_sequences_are_cut_and_answered_whole() -> None:
    sentence = generate("tagged-sentences", count=100).inputs
    long = Dataset.of(name="toy", kind="tagged", inputs=[sum(sentence[at : at + 10], ()) for at in range(0, 100, 10)])
    config = replace(elman_tagger.TINY, window=7)
    task = Tagging.prepare(long, config, DataSettings(), seed=0)
    rule = elman_tagger.build(task.config)
    assert max(batch["inputs"].shape[1] for batch in task.loader(rule, 0)) == 7
    (answer,) = ask(task, rule.home, "predict", inputs=["the cat " * 10])
    assert len(answer["steps"]) == 20


def test_context_tells_nouns_from_verbs(tmp_path: Path) -> None:
    task = prepared(count=400, batch_size=20)
    torch.manual_seed(0)
    rule = elman_tagger.build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(12):
        for batch in loader:
            rule.step(batch)
    assert task.evaluate(rule, "test")["accuracy"] > 0.99 > task.baseline()["accuracy"]
    (answer,) = ask(task, rule.home, "predict", inputs=["the walks often walk ."])
    assert answer["tagged"] == "the/DETERMINER walks/NOUN often/ADVERB walk/VERB ./SIGN"
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"confusion_matrix", "step_by_step"}


def after_training(share: float, feedback: bool = True, epochs: int = 8) -> dict[str, float]:
    config = replace(jordan.TINY, teacher_forcing=share, feedback=feedback)
    task = Tagging.prepare(generate("lift", count=200), config, DataSettings(batch_size=16), seed=0)
    torch.manual_seed(0)
    rule = jordan.build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(epochs):
        for batch in loader:
            rule.step(batch)
    return task.evaluate(rule, "test")


def test_its_own_last_answer_is_what_the_network_lives_by() -> None:
    """The lift follows from the last floor and the command; the same network without its last answer fails."""
    led, alone = after_training(share=1.0), after_training(share=1.0, feedback=False)
    assert led["accuracy"] > 0.98
    assert alone["accuracy"] < 0.65
    assert led["whole_sequences"] > 0.9 and alone["whole_sequences"] < 0.1


def test_scheduled_sampling_learns_too() -> None:
    assert after_training(share=0.5)["accuracy"] > 0.95


def test_a_restored_task_answers_the_same() -> None:
    task = prepared()
    network = elman_tagger.build(task.config).home
    again = Tagging.restore(json.loads(json.dumps(task.state())), task.config)
    text = ["the cat sings ."]
    assert ask(again, network, "predict", inputs=text) == ask(task, network, "predict", inputs=text)


def test_answers_for_files(tmp_path: Path) -> None:
    task = prepared()
    network = elman_tagger.build(task.config).home
    path = tmp_path / "new.txt"
    path.write_text("the cat sings .\n\nzebras ?\n")
    answers = ask(task, network, "predict", inputs=[path])
    assert [len(answer["steps"]) for answer in answers] == [4, 2]
    assert [(answer["input"], answer["row"]) for answer in answers] == [(str(path), 1), (str(path), 3)]
    assert answers[1]["unknown"] == ["zebras", "?"]
    with pytest.raises(DataError, match="no tokens"):
        ask(task, network, "predict", inputs=[" "])


def test_refuses_other_data_and_a_single_tag() -> None:
    with pytest.raises(DataError, match="tokens with tags"):
        Tagging.prepare(generate("xor"), elman_tagger.TINY, DataSettings(), seed=0)
    same = Dataset.of(name="toy", kind="tagged", inputs=[(("a", "X"), (str(n), "X")) for n in range(18)])
    with pytest.raises(DataError, match="same tag"):
        Tagging.prepare(same, elman_tagger.TINY, DataSettings(), seed=0)
