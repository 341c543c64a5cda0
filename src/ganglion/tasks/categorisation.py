"""Categorisation: say which of several classes a text belongs to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.texts.documents import read_texts_of
from ganglion.data.preprocessing import TextPreprocessing, words
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Samples
from ganglion.errors import DataError
from ganglion.nn import probabilities
from ganglion.rules.losses import ACCURACY, LOSS, decisions
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.classes import CALIBRATION, TOP_5, measured
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import VERDICTS, commonest, ranked, verdicts
from ganglion.tasks.shared.evaluation import ask, ask_sequences, judged
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import Name, named_texts
from ganglion.tasks.shared.texts.counting import Texts, fit_counts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 8
"""Texts in the figure of what spoke for the answer."""
LONGEST_SHOWN = 60
MOST_COUNTED = 50_000
"""Texts that the linear model of word counts learns from."""


SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।")

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
    fields: ClassVar = {"inputs": ("texts",), "targets": ("classes",)}
    measures = (ACCURACY, LOSS, BAG_OF_WORDS_ACCURACY, CALIBRATION, TOP_5)
    captions: ClassVar = {
        **VERDICTS,
        "evidence": "How much of the answer to some test texts is lost when a word is unknown",
    }
    verbs: ClassVar = {"predict": Predict}
    joined = frozenset({"predict"})
    next_step = 'ganglion predict {run} "a text"'
    remembers: ClassVar = ("column",)
    column: str = ""
    """What the column of texts is called, where they come from a table."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        options = {"unit": "words", "window": config.window, "most": config.most_words}
        data = cls.prepared(source, config, settings, seed, {"inputs": options})
        text: TextPreprocessing = data.preprocessing["inputs"]
        ends = tuple(text.numbers([sign for sign in SENTENCE_ENDS if sign in text.vocabulary]).tolist())
        found = {**sizes(data.preprocessing), "sentence_ends": ends}
        task = cls(adapt(config, **found), data.preprocessing).holding(data)
        task.column, task.notes = data.dataset.main.called, (*data.notes, *task._describe())
        return task

    @property
    def label_names(self) -> tuple[str, ...]:
        """What class 0, 1, ... is called."""
        labels: tuple[str, ...] = self.preprocessing["targets"].labels
        return labels

    @property
    def text(self) -> TextPreprocessing:
        text: TextPreprocessing = self.preprocessing["inputs"]
        return text

    def _describe(self) -> list[str]:
        lengths = [len(words(text)) for text in self.data["train"].fields["inputs"].values]
        notes = [
            f"{len(self.text.tokens)} different words; those that training has not twice are one unknown word",
            f"{np.mean(lengths):.0f} words a text, at most {max(lengths)}",
        ]
        cut = sum(length > self.config.window for length in lengths)
        if cut:
            notes.append(f"{cut} texts are cut after {self.config.window} words")
        return notes

    def begin(self, rule: LearningRule) -> None:
        """Give a network that counts words what their counts alone say."""
        counts = getattr(rule.home, "counts", None)
        if counts is not None:
            fit_counts(counts, self._counted("train"), self._counted("validation") if self.has_validation else None)

    def _counted(self, part: Part) -> Texts:
        """Return a part as counts are fitted to it."""
        columns: Any = self.data.columns(part)
        weights = self.data.weights if part == "train" else None
        return Texts(columns["inputs"], columns["targets"].numpy(), None if weights is None else weights.numpy())

    def _answers(self, network: nn.Module, part: Part) -> tuple[Tensor, Tensor]:
        """Return the outputs of the network for a part `(texts, classes)`, and the classes `(texts,)`."""
        columns: Any = self.data.columns(part)
        return torch.stack(ask_sequences(network, columns["inputs"].samples())), columns["targets"]

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside a linear model of word counts."""
        outputs, targets = self._answers(rule.home, part)
        measures = judged(rule, outputs, targets) | measured(outputs, targets)
        if part == "test":
            measures["bag_of_words_accuracy"] = bag_of_words_accuracy(self.data["train"], self.data.nearest("test"))
        return measures

    def baseline(self) -> dict[str, float]:
        """Return what answering with the commonest class of the training part scores."""
        return commonest(self.data)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = self._answers(rule.home, "test")
        said, truth = decisions(outputs).cpu().numpy(), targets.cpu().numpy()
        texts = self.data.raw("test").values
        short = [place for place, text in enumerate(texts) if 1 < len(words(text)) <= LONGEST_SHOWN]
        wrong = [place for place in short if said[place] != truth[place]][: SHOWN // 2]
        right = [place for place in short if said[place] == truth[place]][: SHOWN - len(wrong)]
        return {
            **verdicts(outputs, targets, self.label_names),
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
        numbers = torch.from_numpy(self.text.encode(text))
        without = numbers.repeat(len(numbers) + 1, 1)
        without[1:].fill_diagonal_(1)  # each word in turn is read as the unknown one
        logs = probabilities(ask(network, without)).double().clamp(1e-9, 1 - 1e-9).logit()
        said = int(logs[0].argmax())
        return said, (logs[0, said] - logs[1:, said]).tolist()

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every text its likeliest class and probability, and those of the next in order.

        Words that are unknown are named.
        """
        named = self._texts(question.inputs)
        outputs = torch.stack(ask_sequences(network, self.text([text for _, text in named]).samples()))
        rows = zip(named, ranked(outputs, self.label_names), strict=True)
        return Rows([{**name, "text": text, **row, "unknown": self.text.unknown(text)} for (name, text), row in rows])

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        text = self._texts([source])[0][1]
        return torch.from_numpy(self.text.encode(text))[None], list(self.text.split(text))

    def _texts(self, inputs: Sequence[Any]) -> list[tuple[Name, str]]:
        found = named_texts(inputs, lambda path: read_texts_of(path, self.column, self.settings))
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
