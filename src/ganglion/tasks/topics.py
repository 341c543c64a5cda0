"""Topics: what a collection of texts is about, as groups of words, and the share of each in a text."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.roles import NO_TARGET
from ganglion.data.formats.texts.documents import read_texts_of
from ganglion.data.loaders.columns import Columns
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged, TextPreprocessing, words
from ganglion.data.preprocessing.vocabulary import UNKNOWN
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.rules.losses import LOSS
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.topics import (
    COHERENCE,
    LDA_COHERENCE,
    LDA_UNIQUENESS,
    NMF_COHERENCE,
    NMF_UNIQUENESS,
    PERPLEXITY,
    TOP,
    UNIQUENESS,
    classic,
    coherence,
    counted,
    leading,
    uniqueness,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import adapt
from ganglion.tasks.shared.inputs import Name, named_texts
from ganglion.tasks.shared.pictures.drawing import generators

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_LETTERS = 3
MOST_TEXTS = 0.4
"""Share of the texts from which on a word says nothing of any."""
FEWEST_TEXTS = 0.002
"""Share of the texts, and at least two of them, below which a word is not counted."""
HEADER = re.compile(r"\A(?:[\w-]+: ?[^\n]*\n(?:[ \t][^\n]*\n)*){3,}\n")
"""The lines before a mail or a post."""
SHOWN_WORDS = 8
NAMED_WORDS = 5


@settings
class Predict:
    """Say in which shares texts are of the topics that were found."""

    inputs: Given
    """Texts, or files with a text in each line or row."""
    most: Annotated[int, at_least(1)] = 3
    """Topics to name for each text."""


@final
class Topics(Task):
    """Topics are judged by their words: how often these stand together in training texts, and how many differ.

    On the test part latent Dirichlet allocation and non-negative matrix factorisation of scikit-learn stand beside
    them, with as many topics of the same words. The baseline takes the commonest words, ten a topic.
    """

    name = "topics"
    reads = ("documents",)
    takes = "texts: a table with a column of them, a folder of files, or a file with a text in each line"
    fields: ClassVar = {"inputs": ("texts",)}
    measures = (
        COHERENCE,
        UNIQUENESS,
        PERPLEXITY,
        LOSS,
        LDA_COHERENCE,
        LDA_UNIQUENESS,
        NMF_COHERENCE,
        NMF_UNIQUENESS,
    )
    captions: ClassVar = {
        "topics": "The words of each topic that are likeliest there, with their probability; the commonest topic first",
        "shares": "How much of the test texts is of each topic, by the class of the texts where they have some",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = 'ganglion predict {run} "a text"'
    remembers: ClassVar = ("column", "leading")
    column: str = ""
    """What the column of texts is called, where they come from a table."""
    leading: list[list[int]]
    """The words of each topic, most telling first, by their numbers; known once the network has been trained."""

    @classmethod
    def read(cls, source: str, settings: DataSettings, kind: Kind | None) -> Dataset:
        """Return texts with labels where there are some, and without where none can be found."""
        try:
            return super().read(source, settings, kind)
        except DataError:
            if settings.target is not None:
                raise
            return super().read(source, dataclasses.replace(settings, target=NO_TARGET), kind)

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        plain = [without_header(text) for text in dataset.fields["inputs"].values]
        mails = sum(len(text) < len(whole) for text, whole in zip(plain, dataset.fields["inputs"].values, strict=True))
        data = cls.prepared(dataset.with_values(inputs=plain), config, settings, seed, {"inputs": {"least": 1}})
        tokens = telling_words([words(text) for text in data["train"].inputs], config.most_words)
        if len(tokens) < 2 * TOP:
            raise DataError(
                "these texts have too few words that tell them apart",
                where=dataset.source or dataset.name,
                expected=f"at least {2 * TOP} that stand in several texts and not in most",
                found=f"{len(tokens)} in {len(data['train'])} texts",
                remedy="give more texts, or longer ones",
            )
        reader = TextPreprocessing(tokens=(UNKNOWN, *tokens), padded=False)
        data = dataclasses.replace(data, preprocessing={"inputs": reader})
        task = cls(adapt(config, vocabulary_size=len(tokens)), data.preprocessing)
        task.leading = []
        notes = [f"{len(tokens)} words are counted, in {len(data['train'])} training texts"]
        if mails:
            notes.append(f"headers of {mails} mails are left out")
        task.holding(data, *notes)
        task.column = dataset.main.called
        return task

    @property
    def text(self) -> TextPreprocessing:
        text: TextPreprocessing = self.preprocessing["inputs"]
        return text

    def _numbers(self, texts: Iterable[str]) -> list[np.ndarray]:
        """Return the numbers of the counted words of each text, from 0 on, (words,)."""
        found = (self.text.numbers(words(text)) for text in texts)
        return [numbers[numbers > 0] - 1 for numbers in found]

    def _bags(self, part: Part) -> sparse.csr_matrix:
        """Return how often each word stands in each text of a part (texts, words)."""
        return counted(self._numbers(self.data.raw(part).values), self.config.vocabulary_size)

    @cached_property
    def _train(self) -> sparse.csr_matrix:
        return self._bags("train")

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        bags = self._train
        filled = np.flatnonzero(np.diff(bags.indptr))
        lengths = torch.from_numpy(np.diff(bags.indptr)[filled].astype(np.int64))
        places = Ragged(torch.from_numpy(bags.indices.astype(np.int64) + 1), lengths)
        counts = Ragged(torch.from_numpy(bags.data.astype(np.float32)), lengths)
        index = torch.from_numpy(self.data["train"].index[filled])
        tensors: Columns = {"places": places, "counts": counts, "index": index}
        return InMemoryLoader(tensors, self.data.settings.batch_size, seed)

    def _words_of(self, network: Any) -> np.ndarray:
        """Return log p(word | topic) (topics, words)."""
        alone = torch.eye(self.config.topics)
        logits = ask(network, alone, by=network.decode)
        return logits.log_softmax(dim=1).numpy()

    def _mixtures(self, network: Any, bags: sparse.csr_matrix) -> np.ndarray:
        """Return the shares of the topics in texts (texts, topics)."""
        return ask(network, _dense(bags), by=network.mixture).numpy()

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        found = leading(self._words_of(rule.home))
        measures = {"coherence": float(coherence(found, self._train).mean()), "uniqueness": uniqueness(found)}
        measures |= self._surprise(rule.home, self._bags(part))
        if part == "test":
            measures |= classic(self._train, self.config.topics, self.data.seed)
        return measures

    def _surprise(self, network: Any, bags: sparse.csr_matrix) -> dict[str, float]:
        """Return the loss, and what it comes to for a word, of texts with words that are counted."""
        dense = _dense(bags)
        dense = dense[dense.sum(dim=1) > 0]
        if not len(dense):
            return {}
        noise = torch.stack(
            [torch.randn(self.config.topics, generator=each) for each in generators(len(dense), self.data.seed)]
        )
        both = torch.cat([dense, noise], dim=1)

        def bound(rows: Tensor) -> Tensor:
            split = rows.split([self.config.vocabulary_size, self.config.topics], dim=1)
            return torch.stack(network.negative_bound(*split), dim=1)

        lost = ask(network, both, by=bound).double().sum(dim=1)
        return {"loss": float(lost.mean()), "perplexity": float((lost.sum() / dense.sum()).clamp(max=80).exp())}

    def baseline(self) -> dict[str, float]:
        """Return the measures of topics that are the commonest words in their order, ten a topic."""
        order = np.argsort(-np.asarray(self._train.sum(axis=0)).ravel(), kind="stable")
        topics = min(self.config.topics, len(order) // TOP)
        commonest = order[: topics * TOP].reshape(topics, TOP)
        return {"coherence": float(coherence(commonest, self._train).mean()), "uniqueness": uniqueness(commonest)}

    def calibrate(self, rule: LearningRule) -> None:
        self.leading = leading(self._words_of(rule.home)).tolist()

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        chances = np.exp(self._words_of(rule.home))
        mixtures = self._mixtures(rule.home, self._bags("test"))
        order = np.argsort(-mixtures.mean(axis=0), kind="stable")
        names, heads = self.text.tokens[1:], leading(chances, SHOWN_WORDS)
        rows = [(topic, [(names[word], float(chances[topic, word])) for word in heads[topic]]) for topic in order]
        targets = self.data.nearest("test").fields.get("targets")
        classes = targets.names if targets is not None else ("all texts",)
        of = np.zeros(len(mixtures), dtype=np.int64) if targets is None else np.asarray(targets.values)
        shares = np.stack(
            [
                mixtures[of == one].mean(axis=0) if (of == one).any() else np.zeros(len(order))
                for one in range(len(classes))
            ]
        )
        labels = [f"{topic + 1}: {', '.join(names[word] for word in heads[topic, :3])}" for topic in order]
        return {"topics": figures.topic_words(rows), "shares": figures.shares(shares[:, order], classes, labels)}

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every text its largest topics with their shares and words, and the shares of all topics."""
        named = self._texts(question.inputs)
        numbers = self._numbers([text for _, text in named])
        mixtures = self._mixtures(network, counted(numbers, self.config.vocabulary_size))
        names, rows = self.text.tokens[1:], []
        for (name, text), shares in zip(named, mixtures, strict=True):
            most = [
                {"topic": f"{topic + 1}", "words": self._named(topic, names), "share": float(shares[topic])}
                for topic in np.argsort(-shares, kind="stable")[: question.most].tolist()
            ]
            rows.append({**name, "text": text, "topics": most, "mixture": shares.tolist()})
        return Rows(rows)

    def _named(self, topic: int, names: Sequence[str]) -> str:
        return " ".join(names[word] for word in self.leading[topic][:NAMED_WORDS])

    def _texts(self, inputs: Sequence[Any]) -> list[tuple[Name, str]]:
        found = named_texts(inputs, lambda path: read_texts_of(path, self.column, self.settings))
        for name, text in found:
            if not len(self._numbers([text])[0]):
                raise DataError(
                    "no word of this text is one that the topics are made of",
                    where=str(name.get("input", "")),
                    expected=f"some of {self.config.vocabulary_size} words, such as {', '.join(self.text.tokens[1:4])}",
                    found=repr(text[:40]),
                    remedy="give a longer text of the kind that the run has learnt from",
                )
        return found


def without_header(text: str) -> str:
    r"""Return a text without the lines before a mail or a post.

    >>> without_header("From: a\nTo: b\nSubject: c\n\nHello: you")
    'Hello: you'
    """
    plain = text.replace("\r\n", "\n")
    found = HEADER.match(plain)
    return plain[found.end() :] if found else text


def telling_words(texts: Sequence[Sequence[str]], most: int) -> tuple[str, ...]:
    """Return the words that topics are made of, the commonest first: of letters, in several texts and not in most.

    Common words of English are left out.

    >>> telling_words([["the", "cat", "42"], ["the", "cat", "and", "dog"], ["dog"], ["sun"], ["sun"], ["moon"]], 3)
    ('cat', 'dog', 'sun')
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    counts = Counter(word for text in texts for word in dict.fromkeys(text))
    least, largest = max(2, round(FEWEST_TEXTS * len(texts))), MOST_TEXTS * len(texts)
    kept = (
        word
        for word, count in counts.most_common()
        if least <= count <= largest and _counts(word) and word not in ENGLISH_STOP_WORDS
    )
    return tuple(word for _, word in zip(range(most), kept, strict=False))


def _counts(word: str) -> bool:
    """Whether something is a word with enough letters; one letter of a script without spaces is."""
    return word.isalpha() and (len(word) >= FEWEST_LETTERS or not word.isascii())


def _dense(bags: sparse.csr_matrix) -> Tensor:
    return torch.from_numpy(bags.toarray().astype(np.float32))


TASK = Topics
