"""Categorisation: say which of several classes a text belongs to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Judge, LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.documents import read_texts_of
from ganglion.data.loaders.buckets import BucketLoader
from ganglion.data.preprocessing.vocabulary import Vocabulary, words
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Samples, split
from ganglion.errors import DataError
from ganglion.nn import probabilities
from ganglion.rules.losses import ACCURACY, LOSS, decisions
from ganglion.settings import from_dict, settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask, ask_sequences
from ganglion.tasks.shared.inputs import Name, named_texts
from ganglion.tasks.shared.parts import nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 5
SHOWN = 8
"""Texts in the figure of what spoke for the answer."""
LONGEST_SHOWN = 60
MOST_COUNTED = 50_000
"""Texts that the linear model of word counts learns from."""


BAG_OF_WORDS_ACCURACY = Measure(
    name="bag_of_words_accuracy",
    higher_is_better=True,
    meaning="Accuracy of a linear model of which words there are.",
)


@settings
class Predict:
    """Say which class texts are of."""

    inputs: Given
    """Texts, or files with a text in each line or row."""


@final
class Categorisation(Task):
    """Labelled texts, judged by the share of right answers. A text is the numbers of its words, 1 for unknown ones."""

    name = "categorisation"
    reads = ("documents",)
    takes = "texts with labels: a table with a column of each, a folder for each class, or a file for each class"
    measures = (ACCURACY, LOSS, BAG_OF_WORDS_ACCURACY)
    captions: ClassVar = {
        "confusion_matrix": "What the test texts are (rows) and what the network answers (columns)",
        "evidence": "How much of the answer to some test texts is lost when a word is unknown",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = 'ganglion predict {run} "a text"'
    parts: dict[str, Samples]
    """Texts and classes of each part; only a prepared task has them, and the settings."""
    settings: DataSettings

    def __init__(self, config: Any, vocabulary: Vocabulary, label_names: Sequence[str], column: str) -> None:
        self.config, self.vocabulary, self.label_names = config, vocabulary, tuple(label_names)
        self.column = column
        """What the column of texts is called, where they come from a table."""

    @classmethod
    def refusal(cls, dataset: Dataset) -> DataError | None:
        if dataset.kind not in cls.reads or dataset.is_classification:
            return super().refusal(dataset)
        where = dataset.source or dataset.name
        return DataError("these texts have no labels", where=where, expected=cls.takes)

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        parts = split(dataset, settings, seed)
        known = (word for text in parts["train"].inputs for word in words(text))
        vocabulary = Vocabulary.fit(known, most=config.most_words)
        names = dataset.label_names
        config = replace(config, vocabulary_size=len(vocabulary), num_classes=len(names))
        task = cls(config, vocabulary, names, next(iter(dataset.column_names), ""))
        task.parts, task.settings, task.fingerprint = parts, settings, dataset.fingerprint
        task.has_validation = len(parts["validation"]) > 0
        task.notes = (*dataset.notes, *task._describe())
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        vocabulary = from_dict(Vocabulary, {"tokens": state["vocabulary"]}, where="vocabulary of the run")
        return cls(config, vocabulary, state["label_names"], state["column"])

    def state(self) -> dict[str, Any]:
        names = list(self.label_names)
        return {"vocabulary": list(self.vocabulary.tokens), "label_names": names, "column": self.column}

    def _describe(self) -> list[str]:
        train = [words(text) for text in self.parts["train"].inputs]
        notes = [
            f"{len(self.vocabulary)} different words; those that training has not twice are one unknown word",
            f"{np.mean([len(text) for text in train]):.0f} words a text, at most {max(map(len, train))}",
        ]
        cut = sum(len(text) > self.config.window for text in train)
        if cut:
            notes.append(f"{cut} texts are cut after {self.config.window} words")
        return notes

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        samples = nearest(self.parts, "train")
        assert samples.targets is not None
        sequences = [self._numbers(text) for text in samples.inputs]
        return BucketLoader(sequences, samples.targets, self.settings.batch_size, seed, index=samples.index)

    def _answers(self, network: nn.Module, part: Part) -> tuple[Tensor, Tensor]:
        """Return the outputs of the network for a part `(texts, classes)`, and the classes `(texts,)`."""
        samples = nearest(self.parts, part)
        assert samples.targets is not None
        outputs = ask_sequences(network, [self._numbers(text) for text in samples.inputs])
        return torch.stack(outputs), torch.from_numpy(samples.targets)

    def _numbers(self, text: str) -> np.ndarray:
        """Return the numbers of the words of a text; one without words is one unknown word."""
        numbers: np.ndarray = self.vocabulary.encode(words(text)[: self.config.window]) + 1
        return numbers if len(numbers) else np.ones(1, dtype=np.int64)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside a linear model of word counts."""
        assert isinstance(rule, Judge)
        judged = rule.judge(*self._answers(rule.home, part))
        measures = {name: float(value) for name, value in judged.items()}
        if part == "test":
            measures["bag_of_words_accuracy"] = bag_of_words_accuracy(self.parts["train"], nearest(self.parts, "test"))
        return measures

    def baseline(self) -> dict[str, float]:
        """Return what answering with the commonest class of the training part scores."""
        train, test = self.parts["train"].targets, nearest(self.parts, "test").targets
        assert train is not None and test is not None
        return {"accuracy": float(np.mean(test == np.bincount(train).argmax()))}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = self._answers(rule.home, "test")
        said, truth = decisions(outputs).cpu().numpy(), targets.cpu().numpy()
        classes = len(self.label_names)
        counts = np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes)
        texts = nearest(self.parts, "test").inputs
        short = [place for place, text in enumerate(texts) if 1 < len(words(text)) <= LONGEST_SHOWN]
        wrong = [place for place in short if said[place] != truth[place]][: SHOWN // 2]
        right = [place for place in short if said[place] == truth[place]][: SHOWN - len(wrong)]
        return {
            "confusion_matrix": figures.confusion_matrix(counts, self.label_names),
            "evidence": self._evidence(rule.home, [(texts[place], int(truth[place])) for place in right + wrong]),
        }

    def _evidence(self, network: nn.Module, pairs: Sequence[tuple[str, int]]) -> "Figure":
        """Draw texts with each word in the colour of what the answer loses without it."""
        weights, captions, rows = [], [], []
        for text, truth in pairs:
            said, effects = self.effects(network, text)
            mistaken = "" if said == truth else f", and is {self.label_names[truth]}"
            rows.append(words(text))
            weights.append(effects)
            captions.append(f"read as {self.label_names[said]}{mistaken}")
        return figures.coloured_words(
            rows, weights, captions, "Blue words speak for the answer, orange ones against it"
        )

    def effects(self, network: nn.Module, text: str) -> tuple[int, list[float]]:
        """Return the answer to a text, and by how much each word raises its log-odds: without the word they fall."""
        numbers = torch.from_numpy(self._numbers(text))
        without = numbers.repeat(len(numbers) + 1, 1)
        without[1:].fill_diagonal_(1)  # each word in turn is read as the unknown one
        logs = probabilities(ask(network, without)).double().clamp(1e-9, 1 - 1e-9).logit()
        said = int(logs[0].argmax())
        return said, (logs[0, said] - logs[1:, said]).tolist()

    def example(self) -> Tensor:
        return torch.ones(2, min(self.config.window, 32), dtype=torch.int64)

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every text its likeliest class and probability, and those of the next in order.

        Words that are unknown are named.
        """
        named = self._texts(question.inputs)
        outputs = torch.stack(ask_sequences(network, [self._numbers(text) for _, text in named]))
        shares, labels = probabilities(outputs).topk(min(TOP, len(self.label_names)))
        rows = []
        for (name, text), *pair in zip(named, shares.tolist(), labels.tolist(), strict=True):
            top = [{"label": self.label_names[label], "probability": share} for share, label in zip(*pair, strict=True)]
            unknown = self.vocabulary.unknown(words(text))
            rows.append({**name, "text": text, **top[0], "top": top, "unknown": unknown})
        return Rows(rows)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        text = self._texts([source])[0][1]
        return torch.from_numpy(self._numbers(text))[None], words(text)[: self.config.window]

    def _texts(self, inputs: Sequence[Any]) -> list[tuple[Name, str]]:
        found = named_texts(inputs, lambda path: read_texts_of(path, self.column))
        for name, text in found:
            if not name and not words(text):
                raise DataError("there are no words in this text", found=repr(text[:40]), expected="at least one word")
        return found


def bag_of_words_accuracy(train: Samples, test: Samples) -> float:
    """Return the share of test texts that logistic regression on word counts gets right.

    >>> films = Dataset.of(
    ...     name="films", kind="documents", inputs=["good film", "bad film"] * 10, targets=np.array([1, 0] * 10)
    ... )
    >>> train, test = Samples(films.fields, np.arange(20)), Samples(films.take(np.array([0])).fields, np.arange(1))
    >>> bag_of_words_accuracy(train, test)
    1.0
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    assert train.targets is not None and test.targets is not None
    counter = CountVectorizer(analyzer=words, binary=True)
    rows = counter.fit_transform(train.inputs[:MOST_COUNTED])
    model = LogisticRegression(max_iter=1000).fit(rows, train.targets[:MOST_COUNTED])
    return float(model.score(counter.transform(test.inputs), test.targets))


TASK = Categorisation
