"""The task of conversation: what is an answer to what, what it says, and when it does not know."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import CheckpointError, DataError
from ganglion.models.recurrent.chatbot import TINY, build
from ganglion.tasks.conversation import Chat, ConversationTask, distinct
from ganglion.tasks.measures.ranks import ranked_first


@cache
def talk() -> Dataset:
    return generate("small-talk", count=60)


def prepared(dataset: Dataset | None = None, **fields: Any) -> ConversationTask:
    return ConversationTask.prepare(dataset or talk(), replace(TINY, **fields), DataSettings(batch_size=32), seed=0)


@cache
def trained() -> tuple[ConversationTask, Any]:
    task = prepared()
    torch.manual_seed(0)
    rule = build(task.config)
    for batch in task.loader(rule, 0):
        rule.step(batch)
    task.calibrate(rule)
    return task, rule


def test_every_turn_but_the_first_answers_the_turns_before() -> None:
    dialogues = ["A b.\nC d!\nE f?\nG h." + " More." * number for number in range(24)]
    task = prepared(Dataset(name="toy", fields={"dialogues": Field(kind="texts", values=dialogues)}), turns=2)
    exchanges = task.exchanges["train"]
    read = [task.heard.named(one.tolist()) for one in exchanges["inputs"].samples()[:3]]
    lengths = [len(one) for one in read]
    assert lengths == [5, 10, 10]  # a turn of three tokens and its two marks, then two of them
    assert [task.said.decode(one.tolist()) for one in exchanges["targets"].samples()[:2]] == ["C d!", "E f?"]
    assert "c" in read[1] and "C" not in read[1]  # what is read is read in small letters


def test_trains_judges_draws_and_answers() -> None:
    task, rule = trained()
    found = task.evaluate(rule, "test")
    assert set(found) == {measure.name for measure in task.measures}
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"])) and 0 < found["distinct_2"] <= 1
    assert set(task.baseline()) == {"loss", "perplexity"}
    assert set(task.figures(rule)) == set(task.captions)
    again = ConversationTask.restore(task.state(), task.config)
    question = Chat(say=("Hello.",), unsure=0.0)
    assert again.steps("Hello.\nHi!")[1] == ["(begin)", "hello", ".", "(end)", "(begin)", "hi", "!", "(end)"]
    assert again.chat(rule.home, question).text == task.chat(rule.home, question).text != ""
    with pytest.raises(DataError, match="nothing was said"):
        task.chat(rule.home, Chat(say=("  ",)))
    with pytest.raises(CheckpointError, match="threshold"):
        ConversationTask.restore({**task.state(), "threshold": 7}, task.config)


def test_does_not_know_what_it_is_not_sure_of() -> None:
    task, rule = trained()
    assert 0 < task.threshold < 1
    said = task.chat(rule.home, Chat(say=("Hello.",), unsure=1.0, unsure_answer="No idea."))
    assert said.text == "No idea." and "1.000 are asked for" in said.notes[0]
    strange = task.chat(rule.home, Chat(say=("Zyxw vuts?",)))
    assert strange.text == "I don't know." and "not known: zyxw, vuts" in strange.notes[0]
    assert task.chat(rule.home, Chat(say=("Zyxw vuts?",), unsure=0.0)).text != "I don't know."


def test_says_nothing_twice_while_it_has_another_answer() -> None:
    task, rule = trained()
    question = Chat(say=("Hello.",), unsure=0.0, temperature=1.5, top_p=1.0)
    first = task.chat(rule.home, question).text
    second = task.chat(rule.home, replace(question, say=("Hello.", first, "Hello."))).text
    assert second != first
    assert (
        task.chat(rule.home, replace(question, temperature=0.0)).text
        == task.chat(rule.home, replace(question, temperature=0.0, seed=5)).text
    )


def test_counting_beats_a_network_that_learnt_nothing() -> None:
    task, _ = trained()
    torch.manual_seed(0)
    assert task.baseline()["perplexity"] < task.evaluate(build(task.config), "validation")["perplexity"]


class Echo(nn.Module):
    """Holds a text likely whose tokens are those of what it is about; all else hardly."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def led(self, inputs: Tensor, targets: Tensor) -> Tensor:
        wanted = targets[:, 1:]
        same = torch.zeros(len(inputs), wanted.shape[1], dtype=torch.int64)
        same[:, : inputs.shape[1] - 1] = inputs[:, 1:]
        return 5 * nn.functional.one_hot(same, 40).float()[wanted != 0]


def test_the_own_text_is_ranked_first_where_it_is_known() -> None:
    texts = torch.tensor([[2, 4 + n, 5 + n, 3] for n in range(30)])
    assert ranked_first(Echo(), texts, texts) == 1
    assert ranked_first(Echo(), texts.roll(1, 0), texts) < 0.2
    assert distinct(["a b c", "a b c"]) == 0.5
