"""Tagging: say of each token of a sequence what it is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Judge, LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.text import read_text
from ganglion.data.loaders.buckets import UNJUDGED, BucketLoader
from ganglion.data.preprocessing.vocabulary import Vocabulary
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Samples, split
from ganglion.errors import DataError
from ganglion.nn import probabilities
from ganglion.rules.losses import ACCURACY, LOSS
from ganglion.settings import from_dict, settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask_sequences
from ganglion.tasks.shared.inputs import Name, named_texts
from ganglion.tasks.shared.parts import nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 4
"""Sequences in the figure of answers step by step."""
LONGEST_SHOWN = 20


WHOLE_SEQUENCES = Measure(
    name="whole_sequences",
    higher_is_better=True,
    meaning="Share of the sequences that are right from end to end.",
)


@settings
class Predict:
    """Say of each token of a text what it is."""

    inputs: Given
    """Texts of tokens with spaces between them, or files with such a text on each line."""


@final
class Tagging(Task):
    """Sequences with an answer at every step, judged by the share of right ones; the network goes on from its own."""

    name = "tagging"
    reads = ("tagged",)
    takes = "tokens with tags: a file with a token and its tag on each line"
    measures = (ACCURACY, WHOLE_SEQUENCES, LOSS)
    captions: ClassVar = {
        "confusion_matrix": "What the test tokens are (rows) and what the network answers (columns)",
        "step_by_step": "What the network answers at each step of some test sequences, and the truth",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = 'ganglion predict {run} "a text"'
    parts: dict[str, Samples]
    """Pairs of token and tag of each part; only a prepared task has them, and the settings."""
    settings: DataSettings

    def __init__(self, config: Any, vocabulary: Vocabulary, tags: Sequence[str]) -> None:
        self.config, self.vocabulary, self.tags = config, vocabulary, tuple(tags)

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        parts = split(dataset, settings, seed)
        pairs = [pair for sequence in parts["train"].inputs for pair in sequence]
        vocabulary, tags = Vocabulary.fit(token for token, _ in pairs), sorted({tag for _, tag in pairs})
        if len(tags) < 2:
            raise DataError("all tokens have the same tag", where=dataset.source, found=", ".join(tags), expected="two")
        task = cls(replace(config, vocabulary_size=len(vocabulary), num_classes=len(tags)), vocabulary, tags)
        task.parts, task.settings, task.fingerprint = parts, settings, dataset.fingerprint
        task.has_validation = len(parts["validation"]) > 0
        task.notes = (*dataset.notes, *task._describe())
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        vocabulary = from_dict(Vocabulary, {"tokens": state["vocabulary"]}, where="vocabulary of the run")
        return cls(config, vocabulary, state["tags"])

    def state(self) -> dict[str, Any]:
        return {"vocabulary": list(self.vocabulary.tokens), "tags": list(self.tags)}

    def _describe(self) -> list[str]:
        lengths = [len(sequence) for sequence in self.parts["train"].inputs]
        notes = [
            f"{len(self.vocabulary)} different tokens; those that training has not twice are one unknown token",
            f"{len(self.tags)} tags: {', '.join(self.tags[:20])}",
            f"{np.mean(lengths):.0f} tokens a sequence, at most {max(lengths)}",
        ]
        met = {tag for part in self.parts.values() for sequence in part.inputs for _, tag in sequence}
        if unseen := met - set(self.tags):
            notes.append(f"tags that training does not have, never right: {', '.join(sorted(unseen)[:10])}")
        return notes

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        pieces = self._part("train")
        tokens, tags = [piece for piece, _ in pieces], [tags for _, tags in pieces]
        return BucketLoader(tokens, tags, self.settings.batch_size, seed)

    def _part(self, part: Part) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return numbers of tokens and of tags for each piece of a part, both `(tokens,)`.

        A tag that training does not have gets a number that is never answered.
        """
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        pieces = [piece for sequence in nearest(self.parts, part).inputs for piece in self._pieces(sequence)]
        return [
            (
                self._numbers([token for token, _ in piece]),
                np.array([numbers.get(tag, len(numbers)) for _, tag in piece]),
            )
            for piece in pieces
        ]

    def _answers(self, network: nn.Module, part: Part) -> list[tuple[Tensor, Tensor]]:
        """Return the outputs `(tokens, tags)` for each piece of a part, and its right tags `(tokens,)`."""
        pieces = self._part(part)
        outputs = ask_sequences(network, [tokens for tokens, _ in pieces])
        return [(output, torch.from_numpy(tags)) for output, (_, tags) in zip(outputs, pieces, strict=True)]

    def _pieces(self, sequence: Sequence[Any]) -> list[Sequence[Any]]:
        """Return a sequence in pieces that are not longer than the window."""
        return [sequence[at : at + self.config.window] for at in range(0, len(sequence), self.config.window)]

    def _numbers(self, tokens: Sequence[str]) -> np.ndarray:
        return self.vocabulary.encode(list(tokens)) + 1

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the answers at all steps, and how many sequences are right from end to end."""
        assert isinstance(rule, Judge)
        pairs = self._answers(rule.home, part)
        outputs, tags = torch.cat([output for output, _ in pairs]), torch.cat([tags for _, tags in pairs])
        known = tags.masked_fill(tags == len(self.tags), UNJUDGED)
        return {
            "loss": float(rule.judge(outputs[None], known[None])["loss"]) if (known != UNJUDGED).any() else 0.0,
            "accuracy": float((outputs.argmax(1) == tags).double().mean()),
            "whole_sequences": float(np.mean([bool((output.argmax(1) == tags).all()) for output, tags in pairs])),
        }

    def baseline(self) -> dict[str, float]:
        """Return what answering each token with its commonest tag scores; an unknown one with the commonest of all."""
        counts: dict[str, Counter[str]] = {}
        for sequence in self.parts["train"].inputs:
            for token, tag in sequence:
                counts.setdefault(token, Counter())[tag] += 1
        overall = sum(counts.values(), Counter()).most_common(1)[0][0]
        best = {token: tags.most_common(1)[0][0] for token, tags in counts.items()}
        test = nearest(self.parts, "test").inputs
        right = [[best.get(token, overall) == tag for token, tag in sequence] for sequence in test]
        return {
            "accuracy": sum(map(sum, right)) / sum(map(len, right)),
            "whole_sequences": float(np.mean([all(row) for row in right])),
        }

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        sequences = nearest(self.parts, "test").inputs
        classes = len(self.tags)
        counts = np.zeros((classes, classes), dtype=int)
        for output, truth in self._answers(rule.home, "test"):
            judged = truth < classes
            np.add.at(counts, (truth[judged].numpy(), output.argmax(1)[judged].numpy()), 1)
        shown = [sequence for sequence in sequences if 1 < len(sequence) <= LONGEST_SHOWN][:SHOWN]
        rows = [[token for token, _ in sequence] for sequence in shown]
        truths = [[tag for _, tag in sequence] for sequence in shown]
        shares = [one.numpy() for one in self._shares(rule.home, rows)] if rows else []
        return {
            "confusion_matrix": figures.confusion_matrix(counts, self.tags),
            "step_by_step": figures.step_answers(rows, truths, shares, self.tags),
        }

    def _shares(self, network: nn.Module, sequences: Sequence[Sequence[str]]) -> list[Tensor]:
        """Return the probabilities `(tokens, tags)` of sequences of any length."""
        pieces = [self._pieces(tokens) for tokens in sequences]
        outputs = iter(ask_sequences(network, [self._numbers(piece) for several in pieces for piece in several]))
        return [torch.cat([probabilities(next(outputs)) for _ in several]) for several in pieces]

    def example(self) -> Tensor:
        return torch.ones(2, min(self.config.window, 16), dtype=torch.int64)

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for each sequence its tokens and the tag of each."""
        named = _texts(question.inputs)
        sequences = [text.split() for _, text in named]
        rows = []
        for (name, _), tokens, shares in zip(named, sequences, self._shares(network, sequences), strict=True):
            best, tags = shares.max(1)
            steps = [
                {"token": token, "tag": self.tags[tag], "probability": share}
                for token, tag, share in zip(tokens, tags.tolist(), best.tolist(), strict=True)
            ]
            tagged = " ".join(f"{step['token']}/{step['tag']}" for step in steps)
            rows.append({**name, "tagged": tagged, "steps": steps, "unknown": self.vocabulary.unknown(tokens)})
        return Rows(rows)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        tokens = _texts([source])[0][1].split()[: self.config.window]
        return torch.from_numpy(self._numbers(tokens))[None], tokens


def _texts(inputs: Sequence[Any]) -> list[tuple[Name, str]]:
    found = named_texts(inputs, lambda path: list(enumerate(read_text(path).split("\n"), start=1)))
    sequences = [(name, text) for name, text in found if text.split()]
    if not sequences or any(not name and not text.split() for name, text in found):
        raise DataError("there are no tokens in this text", found=repr(str(inputs[0])[:40]), expected="at least one")
    return sequences


TASK = Tagging
