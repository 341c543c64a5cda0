"""Tagging: say of each token of a sequence what it is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.text import read_text
from ganglion.data.loaders.buckets import UNJUDGED, BucketLoader
from ganglion.data.preprocessing.vocabulary import Vocabulary
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Samples, split
from ganglion.errors import DataError
from ganglion.nn import probabilities
from ganglion.rules.losses import ACCURACY, LOSS
from ganglion.settings import from_dict
from ganglion.tasks.base import Part, Task
from ganglion.tasks.shared.evaluation import EVALUATION_BATCH, evaluating, is_file
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


@runtime_checkable
class Judging(Protocol):
    """A rule that measures outputs that are already there."""

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]: ...


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
        return self._batches("train", self.settings.batch_size, seed, shuffle=True)

    def _batches(self, part: Part, batch_size: int | str, seed: int = 0, shuffle: bool = False) -> BucketLoader:
        pieces = [piece for sequence in nearest(self.parts, part).inputs for piece in self._pieces(sequence)]
        tokens = [self._numbers([token for token, _ in piece]) for piece in pieces]
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        # A tag that training does not have gets a number that is never answered.
        targets = [np.array([numbers.get(tag, len(numbers)) for _, tag in piece]) for piece in pieces]
        return BucketLoader(tokens, targets, batch_size, seed, shuffle)

    def _pieces(self, sequence: Sequence[Any]) -> list[Sequence[Any]]:
        """Return a sequence in pieces that are not longer than the window."""
        return [sequence[at : at + self.config.window] for at in range(0, len(sequence), self.config.window)]

    def _numbers(self, tokens: Sequence[str]) -> np.ndarray:
        return self.vocabulary.encode(list(tokens)) + 1

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the answers at all steps, and how many sequences are right from end to end."""
        assert isinstance(rule, Judging)
        sums: Counter[str] = Counter()
        with evaluating(rule.home) as device:
            for batch in self._batches(part, EVALUATION_BATCH):
                outputs, targets = rule.home(batch["inputs"].to(device)), batch["targets"].to(device)
                known = targets.masked_fill(targets == len(self.tags), UNJUDGED)
                steps, there = targets != UNJUDGED, known != UNJUDGED
                right = (outputs.argmax(-1) == targets) & steps
                sums["loss"] += float(rule.judge(outputs, known)["loss"]) * int(there.sum())  # type: ignore[assignment]
                sums.update(there=int(there.sum()), steps=int(steps.sum()), right=int(right.sum()))
                sums.update(whole=int((right | ~steps).all(1).sum()), sequences=len(steps))
        return {
            "loss": sums["loss"] / max(1, sums["there"]),
            "accuracy": sums["right"] / sums["steps"],
            "whole_sequences": sums["whole"] / sums["sequences"],
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
        with evaluating(rule.home) as device:
            for batch in self._batches("test", EVALUATION_BATCH):
                said = rule.home(batch["inputs"].to(device)).argmax(-1).cpu().numpy()
                truth = batch["targets"].numpy()
                judged = (truth >= 0) & (truth < classes)
                np.add.at(counts, (truth[judged], said[judged]), 1)
        shown = [sequence for sequence in sequences if 1 < len(sequence) <= LONGEST_SHOWN][:SHOWN]
        rows = [[token for token, _ in sequence] for sequence in shown]
        truths = [[tag for _, tag in sequence] for sequence in shown]
        shares = [self._shares(rule.home, tokens).numpy() for tokens in rows]
        return {
            "confusion_matrix": figures.confusion_matrix(counts, self.tags),
            "step_by_step": figures.step_answers(rows, truths, shares, self.tags),
        }

    def _shares(self, network: nn.Module, tokens: Sequence[str]) -> Tensor:
        """Return the probabilities `(tokens, tags)` of a sequence of any length."""
        with evaluating(network) as device:
            pieces = [torch.from_numpy(self._numbers(piece))[None].to(device) for piece in self._pieces(tokens)]
            return torch.cat([probabilities(network(piece)[0]).cpu() for piece in pieces])

    def example(self) -> Tensor:
        return torch.ones(2, min(self.config.window, 16), dtype=torch.int64)

    def predict(self, network: nn.Module, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """Return for each sequence its tokens and the tag of each.

        `inputs` are texts of tokens with spaces between them, or paths of files with one such text on each line.
        """
        answers = []
        for text in [text for item in inputs for text in _texts(item)]:
            tokens = text.split()
            best, tags = self._shares(network, tokens).max(1)
            unknown = self.vocabulary.unknown(tokens)
            steps = [
                {"token": token, "tag": self.tags[tag], "probability": share}
                for token, tag, share in zip(tokens, tags.tolist(), best.tolist(), strict=True)
            ]
            tagged = " ".join(f"{step['token']}/{step['tag']}" for step in steps)
            answers.append({"tagged": tagged, "steps": steps, "unknown": unknown})
        if not answers:
            raise DataError("there is no sequence to answer for", expected="at least one text or file", found="none")
        return answers

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        tokens = _texts(source)[0].split()[: self.config.window]
        return torch.from_numpy(self._numbers(tokens))[None], tokens


def _texts(item: Any) -> list[str]:
    in_file = isinstance(item, Path) or is_file(str(item))
    lines = read_text(Path(item)).split("\n") if in_file else [str(item)]
    texts = [line for line in lines if line.strip()]
    if not texts:
        raise DataError("there are no tokens in this text", found=repr(str(item)[:40]), expected="at least one")
    return texts


TASK = Tagging
