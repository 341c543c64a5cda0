"""Word-level language model: its sizes as published, and that it learns more than triples of words say."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.formats.text import read_text_folder, read_texts
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.models.recurrent.word_rnn import FORMS, TINY, build
from ganglion.settings import to_dict
from ganglion.tasks.language import Generate, Language
from tests.contract.rows import Row


@cache
def tale() -> np.ndarray:
    """Words of the generated tales as numbers: 5,000 to learn from, then 1,000 to judge by; about 100 different."""
    text = generate("tales", count=700).inputs[0]
    reader = TextPreprocessing.fit([text], unit="joined", padded=False)
    return reader.encode(text)[:6000]


@torch.no_grad()
def foretold_nats(rule: LearningRule) -> float:
    """Minus the nats for each word of the end; frequencies of pairs have about -2.9."""
    network: Any = rule.home.eval()
    numbers = torch.from_numpy(tale()[-1001:])
    outputs = network(numbers[None, :-1])[0]
    rule.home.train()
    return -float(torch.nn.functional.cross_entropy(outputs, numbers[1:]))


def sized(form: str, width: int, count: int) -> tuple[dict[str, Any], str, int]:
    """Return a form by its name, its width, and the parameters that it has by hand and in the literature."""
    assert 10_000 * width + 2 * 4 * width * (2 * width + 1) + (width + 1) * 10_000 == count
    fields = {name: value for name, value in to_dict(FORMS[form]).items() if name != "descent"} if form else {}
    return fields, "network", count


ROW = Row(
    loader=lambda: StreamLoader(tale()[:5000], streams=16, window=10, seed=0),
    steps=300,
    measure=foretold_nats,
    threshold=-2.8,
    counts=(sized("", 200, 4_651_600), sized("medium", 650, 19_775_200), sized("large", 1500, 66_022_000)),
    options={"validation": 0.05, "test": 0.05},
    data="tales",
)


def test_the_rates_of_the_paper_belong_to_losses_that_are_summed_over_a_window() -> None:
    for form, clipped in (("medium", 5), ("large", 10)):
        config = FORMS[form]
        assert config.descent.learning_rate == config.window
        assert config.descent.clip_norm is not None and round(config.descent.clip_norm * config.window, 9) == clipped


WORDS = 'The cat sat on the mat.\n"No dog," she said,\nsat there.\n'


def prepared(text: str = WORDS * 60, unit: str = "words", **settings: Any) -> Language:
    dataset = Dataset.of(name="toy", kind="text", inputs=[text])
    config = replace(TINY, unit=unit)
    return Language.prepare(dataset, config, DataSettings(**settings), seed=0)


@pytest.mark.parametrize("unit", ["words", "spaced", "pieces"])
def test_texts_are_written_again_as_they_were(unit: str) -> None:
    task = prepared(unit=unit)
    assert task.text.decode(task.text.encode(WORDS)) == WORDS
    assert all(len(task._numbers[first:last]) for first, last in task._borders.values())
    assert task.text.decode(task._numbers) == WORDS * 60


def test_rivals_stand_beside_the_network_and_bits_count_characters() -> None:
    task = prepared()
    measures = task.evaluate(build(task.config), "test")
    assert measures["trigram_perplexity"] < 1.3 < measures["perplexity"]
    assert task.baseline()["perplexity"] == pytest.approx(measures["cache_perplexity"])
    letters = task._characters["test"]
    assert measures["bits_per_character"] == pytest.approx(measures["loss"] / np.log(2) / letters) and letters > 2


@pytest.mark.parametrize("prompt", ["The cat", "The cat ", "The zebra  sat\n", ""])
def test_a_prompt_stays_as_it_was_given(prompt: str) -> None:
    task = prepared()
    torch.manual_seed(0)
    answer = task.generate(build(task.config).home.eval(), Generate(prompt=prompt, length=12))
    assert answer.text.startswith(prompt) and len(answer.text) > len(prompt) + 12
    assert ("zebra" in "".join(answer.notes)) == ("zebra" in prompt)
    assert "  " not in answer.text[len(prompt) :] and not (prompt == "" and answer.text.startswith(" "))


def test_a_text_in_any_script_is_read(tmp_path: Path) -> None:
    text = "猫が好きです。 שלום עולם 🙂\r\n" * 60
    (tmp_path / "text.txt").write_bytes(text.encode())
    dataset = read_texts(tmp_path / "text.txt", DataSettings())
    task = Language.prepare(dataset, TINY, DataSettings(), seed=0)
    assert task.text.unknown("猫が好きです。\nשלום עולם 🙂") == []


def test_files_of_a_published_set_are_its_parts(tmp_path: Path) -> None:
    for part, words in {"train": "one two \n" * 30, "valid": "two one \n" * 4, "test": "one one \n" * 3}.items():
        (tmp_path / f"ptb.{part}.txt").write_text(words)
    dataset = read_text_folder(tmp_path, DataSettings())
    task = Language.prepare(dataset, replace(TINY, unit="spaced"), DataSettings(), seed=0)
    lengths = {part: last - first for part, (first, last) in task._borders.items()}
    assert lengths == {"train": 90, "validation": 12, "test": 9}
    assert task.text.decode(task._numbers[slice(*task._borders["test"])]) == "one one\n" * 3
    whole = read_text_folder(tmp_path, DataSettings(validation=0.0))
    assert whole.validation is None and len(whole.inputs[0]) == 34 * 9
