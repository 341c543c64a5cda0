"""Tagging: say of each token of a sequence what it is."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.fields import UNJUDGED
from ganglion.data.formats.text import read_text
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged, TaggedPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.nn import probabilities
from ganglion.rules.losses import ACCURACY, LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import confusion
from ganglion.tasks.shared.evaluation import ask_sequences, judged
from ganglion.tasks.shared.inputs import Name, named_texts

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
    fields: ClassVar = {"inputs": ("tagged",)}
    measures = (ACCURACY, WHOLE_SEQUENCES, LOSS)
    captions: ClassVar = {
        "confusion_matrix": "What the test tokens are (rows) and what the network answers (columns)",
        "step_by_step": "What the network answers at each step of some test sequences, and the truth",
    }
    verbs: ClassVar = {"predict": Predict}
    joined = frozenset({"predict"})
    next_step = 'ganglion predict {run} "a text"'

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        task = super().prepare(source, config, settings, seed)
        task.notes = (*task.notes, *task._describe())
        return task

    @property
    def tagged(self) -> TaggedPreprocessing:
        tagged: TaggedPreprocessing = self.preprocessing["inputs"]
        return tagged

    @property
    def tags(self) -> tuple[str, ...]:
        """What tag 0, 1, ... is."""
        return self.tagged.tags

    def _describe(self) -> list[str]:
        lengths = [len(sequence) for sequence in self.data.raw("train").values]
        notes = [
            f"{len(self.tagged.text.tokens)} different tokens; those that training has not twice are one unknown token",
            f"{len(self.tags)} tags: {', '.join(self.tags[:20])}",
            f"{np.mean(lengths):.0f} tokens a sequence, at most {max(lengths)}",
        ]
        sequences = [sequence for part in self.data.samples.values() for sequence in part.fields["inputs"].values]
        if unseen := {tag for sequence in sequences for _, tag in sequence} - set(self.tags):
            notes.append(f"tags that training does not have, never right: {', '.join(sorted(unseen)[:10])}")
        return notes

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return InMemoryLoader(self._columns("train"), self.data.settings.batch_size, seed, by_length="inputs")

    def _columns(self, part: Part) -> dict[str, Ragged]:
        """Return numbers of tokens and of tags for each piece of a part; a tag that is unknown is never right."""
        pieces = [piece for sequence in self.data.raw(part).values for piece in self._pieces(sequence)]
        return {"inputs": self.tagged(pieces), "targets": self.tagged.targets(pieces)}

    def _answers(self, network: nn.Module, part: Part) -> list[tuple[Tensor, Tensor]]:
        """Return the outputs `(tokens, tags)` for each piece of a part, and its right tags `(tokens,)`."""
        columns = self._columns(part)
        return list(zip(ask_sequences(network, columns["inputs"].samples()), columns["targets"].samples(), strict=True))

    def _pieces(self, sequence: Sequence[Any]) -> list[Sequence[Any]]:
        """Return a sequence in pieces that are not longer than the window."""
        return [sequence[at : at + self.config.window] for at in range(0, len(sequence), self.config.window)]

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the answers at all steps, and how many sequences are right from end to end."""
        pairs = self._answers(rule.home, part)
        outputs, tags = torch.cat([output for output, _ in pairs]), torch.cat([tags for _, tags in pairs])
        known = tags.masked_fill(tags == len(self.tags), UNJUDGED)
        return {
            "loss": judged(rule, outputs[None], known[None])["loss"] if (known != UNJUDGED).any() else 0.0,
            "accuracy": float((outputs.argmax(1) == tags).double().mean()),
            "whole_sequences": float(np.mean([bool((output.argmax(1) == tags).all()) for output, tags in pairs])),
        }

    def baseline(self) -> dict[str, float]:
        """Return what answering each token with its commonest tag scores; an unknown one with the commonest of all."""
        counts: dict[str, Counter[str]] = {}
        for sequence in self.data.raw("train").values:
            for token, tag in sequence:
                counts.setdefault(token, Counter())[tag] += 1
        overall = sum(counts.values(), Counter()).most_common(1)[0][0]
        best = {token: tags.most_common(1)[0][0] for token, tags in counts.items()}
        test = self.data.raw("test").values
        right = [[best.get(token, overall) == tag for token, tag in sequence] for sequence in test]
        return {
            "accuracy": sum(map(sum, right)) / sum(map(len, right)),
            "whole_sequences": float(np.mean([all(row) for row in right])),
        }

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        sequences = self.data.raw("test").values
        pairs = self._answers(rule.home, "test")
        said, truth = torch.cat([output.argmax(1) for output, _ in pairs]), torch.cat([tags for _, tags in pairs])
        shown = [sequence for sequence in sequences if 1 < len(sequence) <= LONGEST_SHOWN][:SHOWN]
        rows = [[token for token, _ in sequence] for sequence in shown]
        truths = [[tag for _, tag in sequence] for sequence in shown]
        shares = [one.numpy() for one in self._shares(rule.home, rows)] if rows else []
        return {
            "confusion_matrix": confusion(truth.numpy(), said.numpy(), self.tags),
            "step_by_step": figures.step_answers(rows, truths, shares, self.tags),
        }

    def _shares(self, network: nn.Module, sequences: Sequence[Sequence[str]]) -> list[Tensor]:
        """Return the probabilities `(tokens, tags)` of sequences of any length."""
        pieces = [self._pieces(tokens) for tokens in sequences]
        numbers = [torch.from_numpy(self.tagged.text.numbers(piece)) for several in pieces for piece in several]
        outputs = iter(ask_sequences(network, numbers))
        return [torch.cat([probabilities(next(outputs)) for _ in several]) for several in pieces]

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for each sequence its tokens and the tag of each."""
        named = _texts(question.inputs, self.settings)
        sequences = [text.split() for _, text in named]
        rows = []
        for (name, _), tokens, shares in zip(named, sequences, self._shares(network, sequences), strict=True):
            best, tags = shares.max(1)
            steps = [
                {"token": token, "tag": self.tags[tag], "probability": share}
                for token, tag, share in zip(tokens, tags.tolist(), best.tolist(), strict=True)
            ]
            tagged = " ".join(f"{step['token']}/{step['tag']}" for step in steps)
            unknown = self.tagged.text.vocabulary.unknown(tokens)
            rows.append({**name, "tagged": tagged, "steps": steps, "unknown": unknown})
        return Rows(rows)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        tokens = _texts([source], self.settings)[0][1].split()[: self.config.window]
        return torch.from_numpy(self.tagged.text.numbers(tokens))[None], tokens


def _texts(inputs: Sequence[Any], settings: DataSettings) -> list[tuple[Name, str]]:
    def lines(path: Path) -> list[tuple[int, str]]:
        return list(enumerate(read_text(path, settings.encoding).split("\n"), start=1))

    found = named_texts(inputs, lines)
    sequences = [(name, text) for name, text in found if text.split()]
    if not sequences or any(not name and not text.split() for name, text in found):
        raise DataError("there are no tokens in this text", found=repr(str(inputs[0])[:40]), expected="at least one")
    return sequences


TASK = Tagging
