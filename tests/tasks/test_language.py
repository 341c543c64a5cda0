"""Language: every character judged once, by the past alone; frequencies by hand; writing follows the network."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError
from ganglion.figures import save
from ganglion.models.recurrent.char_rnn import TINY, build
from ganglion.nn.recurrent import States
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.truncated import TruncatedBackpropagation
from ganglion.runs.session import train
from ganglion.tasks.language import Generate, Language
from ganglion.tasks.measures.language import bigram_judgement, judge, unigram_judgement
from tests.tasks.asking import ask

TEXT = "the cat sat on the mat. the dog sat on the log! " * 40


def prepared(text: str = TEXT, **settings: object) -> Language:
    dataset = Dataset.of(name="toy", kind="text", inputs=[text])
    return Language.prepare(dataset, TINY, DataSettings(**settings), seed=0)  # type: ignore[arg-type]


class Table(nn.Module):
    """Knows how often each token follows each other, and counts in its state how much it has read."""

    def __init__(self, likelihoods: np.ndarray) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.from_numpy(likelihoods).float().log())

    def read(self, inputs: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        before = torch.zeros(len(inputs), 1) if states is None else states[0][0]
        return self.logits[inputs], ((before + inputs.shape[1],),)


class Weighted(nn.Module):
    """Has a parameter, which tells the device of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))


def table(task: Language) -> LearningRule:
    """A network that says what the bigram baseline says."""
    train = task._numbers[slice(*task._borders["train"])]
    size = task.text.num_tokens
    shares = (np.bincount(train, minlength=size) + 1) / (len(train) + size)
    counts = np.zeros((size, size))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    likelihoods = (counts + shares) / (counts.sum(1, keepdims=True) + 1)
    return TruncatedBackpropagation(Table(likelihoods), Descent())


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_network_that_knows_pairs_scores_like_that_baseline(part: str) -> None:
    task = prepared()
    first, last = task._borders[part]
    train = task._numbers[slice(*task._borders["train"])]
    by_count = bigram_judgement(train, task._numbers[first - 1 : last], task.text.num_tokens)
    measures = task.evaluate(table(task), part)  # type: ignore[arg-type]
    assert measures["loss"] == pytest.approx(by_count.loss, rel=1e-5)
    assert measures["perplexity"] == pytest.approx(math.exp(measures["loss"]))
    assert measures["bits_per_character"] == pytest.approx(measures["loss"] / math.log(2))


def test_unigrams_by_hand() -> None:
    train, numbers = np.array([1, 1, 1, 2]), np.array([0, 1, 2, 2])
    expected = -(math.log(4 / 7) + 2 * math.log(2 / 7)) / 3
    judgement = unigram_judgement(train, numbers, size=3)
    assert judgement.loss == pytest.approx(expected)
    assert judgement.accuracy == pytest.approx(1 / 3)


@pytest.mark.parametrize(("first", "last"), [(1, 2), (1, 500), (37, 500), (499, 500), (100, 131)])
def test_every_token_is_judged_once_after_the_token_before(first: int, last: int) -> None:
    """A network that gives the token after n the probability 1 / (n + 1) reveals which were judged, and after what."""
    numbers = np.arange(500)

    class After(Weighted):
        def read(self, inputs: Tensor, states: States | None = None) -> tuple[Tensor, States]:
            right = nn.functional.one_hot((inputs + 1).clamp(max=499), 500)
            logits = torch.where(right > 0, torch.log(1.0 / (inputs + 2))[..., None], -1e9)
            rest = torch.where(inputs == 0, 499, 0)
            logits.scatter_(-1, rest[..., None], torch.log(1 - 1.0 / (inputs + 2))[..., None])
            return logits, ((torch.zeros(len(inputs), 1),),)

    judgement = judge(After(), numbers, first, last, window=7)
    assert judgement.loss == pytest.approx(np.log(np.arange(first, last) + 1).mean(), rel=1e-5)


def test_a_stretch_is_led_up_to_by_a_window() -> None:
    """The state at the first judged token is that after a whole window, and goes on to the end of the stretch."""
    read: list[int] = []

    class Listener(Weighted):
        def read(self, inputs: Tensor, states: States | None = None) -> tuple[Tensor, States]:
            read.append(inputs.shape[1])
            assert (states is None) == (len(read) == 1)
            return torch.zeros(*inputs.shape, 3), ((torch.zeros(len(inputs), 1),),)

    assert judge(Listener(), np.ones(1000, dtype=np.int64) * 2, 200, 1000, window=10).loss == pytest.approx(math.log(3))
    assert sum(read) == 10 + 800 // 20


def test_changing_the_future_changes_nothing_that_is_learnt_from() -> None:
    task = prepared()
    first = task._borders["validation"][0]
    other = prepared(TEXT[:first] + "#" * (len(TEXT) - first))
    assert other.text == task.text
    rule = build(task.config)
    for one, two in zip(task.loader(rule, 0), other.loader(rule, 0), strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_what_training_has_not_met_is_unknown_and_said() -> None:
    task = prepared(TEXT + "#" * 50)
    assert any("50 of the test part" in note for note in task.notes)
    assert math.isfinite(task.evaluate(build(task.config), "test")["loss"])


def test_learns_and_writes(tmp_path: Path) -> None:
    task = prepared(batch_size=8)
    torch.manual_seed(0)
    rule = build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(20):
        for batch in loader:
            rule.step(batch)
    measures = task.evaluate(rule, "test")
    assert measures["loss"] < 0.3 < measures["bigram_loss"] < measures["unigram_loss"]
    text = ask(task, rule.home, "generate", prompt="the cat ", length=100, temperature=0.0, seed=0)
    assert len(text) == 108 and text[8:] in TEXT
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"sample", "next_characters"}
    answers = ask(task, rule.home, "predict", inputs=["the cat sat on the", "zq!"])
    assert answers[0]["loss"] < answers[1]["loss"] and answers[1]["unknown"] == "zq"
    assert answers[0]["next"][0]["label"] == " "


def test_draws_as_the_probabilities_and_the_temperature_say() -> None:
    task = prepared("abab" * 100)
    assert task.text.tokens[1:] == ("a", "b")
    network = Table(np.array([[0.5, 0.3, 0.2]] * 3))
    drawn = ask(task, network, "generate", prompt="a", length=4000, temperature=1.0, seed=1)[1:]
    assert drawn.count("a") / 4000 == pytest.approx(0.6, abs=0.03)  # the unknown is never written
    sharper = ask(task, network, "generate", prompt="a", length=4000, temperature=0.5, seed=1)[1:]
    assert sharper.count("a") / 4000 == pytest.approx(0.09 / 0.13, abs=0.03)
    assert set(ask(task, network, "generate", prompt="b", length=50, temperature=5.0, top_k=1, seed=1)[1:]) == {"a"}
    assert set(ask(task, network, "generate", prompt="b", length=50, temperature=0.0, seed=1)[1:]) == {"a"}
    one, same, other = (ask(task, network, "generate", length=30, seed=seed) for seed in (2, 2, 3))
    assert one == same != other


@pytest.mark.parametrize("sampling", [(0, 1.0, None), (5, -1.0, None), (5, math.nan, None), (5, 1.0, 0)])
def test_refuses_impossible_sampling(sampling: tuple[int, float, int | None]) -> None:
    length, temperature, top_k = sampling
    with pytest.raises(ConfigurationError):
        Generate(prompt="the", length=length, temperature=temperature, top_k=top_k)


def test_a_prompt_of_unknown_characters_is_read() -> None:
    task = prepared()
    text = ask(task, build(task.config).home, "generate", prompt="ЖЖ", length=5, temperature=1.0, seed=0)
    assert text.startswith("ЖЖ") and len(text) == 7


def test_a_restored_task_answers_the_same() -> None:
    task = prepared()
    network = build(task.config).home
    again = Language.restore(json.loads(json.dumps(task.state())), task.config)
    assert again.state() == task.state()
    question = {"prompt": "the", "length": 20, "top_k": 3}
    assert ask(again, network, "generate", **question) == ask(task, network, "generate", **question)


def test_without_held_back_parts() -> None:
    task = prepared(validation=0.0, test=0.0)
    assert task.has_validation is False
    assert math.isfinite(task.evaluate(build(task.config), "test")["loss"])
    assert math.isfinite(task.baseline()["loss"])


@pytest.mark.parametrize("text", ["ab", "a" * 20])
def test_refuses_a_text_shorter_than_a_window(text: str) -> None:
    with pytest.raises(DataError, match="shorter than a window"):
        prepared(text)


@pytest.mark.data
@pytest.mark.full
def test_one_pass_over_shakespeare(tmp_path: Path) -> None:
    if not os.environ.get("GANGLION_DATA"):
        pytest.skip("GANGLION_DATA names no folder of real data")
    run = train("char-rnn", "tinyshakespeare", out=tmp_path / "run", epochs=1)
    assert run.history[-1]["validation_loss"] < 1.95 < run.metrics["bigram_loss"]
    assert len(run.generate(prompt="ROMEO:", length=50)) == 56
