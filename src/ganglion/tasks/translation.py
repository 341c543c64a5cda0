"""Translation: write a sentence anew in another language or form, from pairs of sentences."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.texts.pairs import read_sources
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Rows, Text
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.surprise import PERPLEXITY, mean_surprise, side_by_side
from ganglion.tasks.measures.translations import BLEU, CHRF, EXACT, bleu, chrf
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import named_texts
from ganglion.tasks.shared.texts.writing import Search, Translation, text_options, translate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGED = 1000
"""Validation sentences that are written while training; all of the test part are at the end."""
BEAMS = 5
SHOWN, PASSAGE = 4, 7
"""Sentences whose attention is drawn, and sentences of the passage."""
LONGEST_SHOWN = 16
"""Words of such a sentence at most."""
BATCH = 64

LOSS = Measure(name="loss", higher_is_better=False, meaning="Mean surprise at a token, -log p, in nats.")
BEAM_BLEU = Measure(name="beam_bleu", higher_is_better=True, meaning=f"BLEU of a search along {BEAMS} beams.")


@settings
class Predict(Search):
    """Write sentences anew."""

    inputs: Given
    """Sentences, or files with a sentence on each line."""
    beams: Annotated[int, at_least(1)] = BEAMS


@final
class TranslationTask(Task):
    """Pairs of sentences, judged by what the network writes for the sources of pairs that it has not seen."""

    name = "translation"
    reads = ("text-pairs",)
    takes = "pairs of sentences: lines with a tab between them, JSON lines, or two files whose lines belong together"
    fields: ClassVar = {"inputs": ("texts",), "targets": ("texts",)}
    measures = (BLEU, CHRF, EXACT, LOSS, PERPLEXITY, BEAM_BLEU)
    captions: ClassVar = {
        "sentences": "Test sentences, what was wanted, and what the network writes",
        "attention": "Where the network looks in the source (across) while it writes each word (down)",
        "by_length": "BLEU of test sentences by the length of the source",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = 'ganglion predict {run} "a sentence"'
    remembers: ClassVar = ("column",)
    column: str = ""
    """What the sources are called, where they come from a table."""

    @classmethod
    def chosen(cls, dataset: Dataset) -> dict[str, str]:
        return {"inputs": "source", "targets": "target"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        side = text_options(config)
        data = cls.prepared(source, config, settings, seed, {"inputs": side, "targets": side})
        task = cls(adapt(config, **sizes(data.preprocessing)), data.preprocessing).holding(data)
        task.column = data.dataset.fields["source"].called
        task.notes = (*task.notes, *task._describe())
        return task

    @property
    def source(self) -> TextPreprocessing:
        source: TextPreprocessing = self.preprocessing["inputs"]
        return source

    @property
    def target(self) -> TextPreprocessing:
        target: TextPreprocessing = self.preprocessing["targets"]
        return target

    def _describe(self) -> list[str]:
        unit = self.config.unit
        notes = [
            f"{len(self.source.tokens):,} different {unit} in the sources, {len(self.target.tokens):,} in the targets"
            + ("; those that training has not twice are one unknown word" if unit == "words" else ""),
            " and ".join(f"{length.mean():.0f} (at most {length.max()})" for length in self.lengths)
            + f" {unit} in source and target",
        ]
        if self.config.lower_case:
            notes.append("capitals are read, written and judged as small letters; --lower-case no keeps them")
        if left := int((~self._short_enough()).sum()):
            notes.append(f"{left:,} training pairs of more than {self.config.window} {unit} are left out")
        return notes

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each training source and target (2, pairs), however many are read."""
        sides = {side: replace(self.preprocessing[side], window=None) for side in ("inputs", "targets")}
        texts = {side: self.data.raw("train", side).values for side in sides}
        return np.array([[len(whole.split(text)) for text in texts[side]] for side, whole in sides.items()])

    def _short_enough(self) -> np.ndarray:
        short: np.ndarray = self.lengths.max(axis=0) <= self.config.window
        return short

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        """Return the batches of the training pairs whose sides are read whole."""
        kept = np.flatnonzero(self._short_enough())
        if not len(kept):
            raise DataError(
                "every training pair is longer than the network reads",
                expected=f"at most {self.config.window} {self.config.unit} on each side",
                found=f"{self.lengths[0].min()} and more",
                remedy="allow more with --window, or split the texts into sentences",
            )
        columns = {
            name: self.preprocessing[name](self.data.raw("train", name).take(kept).values)
            for name in ("inputs", "targets")
        }
        return InMemoryLoader(columns, self.data.settings.batch_size, seed, by_length="inputs")

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge what is written, and how surprising what was wanted is; of the test part by a search along beams, too.

        While training sentences are written by taking the likeliest token each time, and of a large part not all.
        """
        places = self.data.spread(part, len(self.data.nearest(part)) if part == "test" else JUDGED)
        sources, wanted = self._pairs(part, places)
        columns: Any = self.data.columns(part)
        measures = self._judged(rule.home, sources, wanted, beams=1)
        measures |= mean_surprise(rule.home, side_by_side(columns["inputs"], columns["targets"]))
        if part == "test":
            measures["beam_bleu"] = self._judged(rule.home, sources, wanted, beams=BEAMS)["bleu"]
        return measures

    def _judged(self, network: nn.Module, sources: list[str], wanted: list[str], beams: int) -> dict[str, float]:
        answers = [one.text for one in self.translated(network, sources, Predict(inputs=sources, beams=beams))]
        return scores(answers, wanted)

    def _pairs(self, part: Part, places: np.ndarray) -> tuple[list[str], list[str]]:
        """Return sources and what is wanted of them, in the letters that the network writes."""
        sources, wanted = (list(self.data.raw(part, side).take(places).values) for side in ("inputs", "targets"))
        return sources, [text.lower() for text in wanted] if self.config.lower_case else wanted

    def baseline(self) -> dict[str, float]:
        """Return what answering with the translation of the most similar training source scores."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        known, answers = self._pairs("train", np.arange(len(self.data["train"])))
        sources, wanted = self._pairs("test", np.arange(len(self.data.nearest("test"))))
        weigh = TfidfVectorizer(analyzer=self.source.split)
        rows = weigh.fit_transform(known)
        nearest = [
            int(place)
            for first in range(0, len(sources), BATCH)
            for place in (weigh.transform(sources[first : first + BATCH]) @ rows.T).toarray().argmax(1)
        ]
        return scores([answers[place] for place in nearest], wanted)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        sources, wanted = self._pairs("test", np.arange(len(self.data.nearest("test"))))
        found = self.translated(rule.home, sources, Predict(inputs=sources, beams=1))
        spread = self.data.spread("test", PASSAGE).tolist()
        passage = "\n\n".join(f"source  {sources[n]}\nwanted  {wanted[n]}\nwritten {found[n].text}" for n in spread)
        lengths = np.array([len(self.source.split(source)) for source in sources])
        drawn = {
            "sentences": figures.passage(passage, f"{PASSAGE} sentences of the test part"),
            "by_length": figures.by_length(*by_length([one.text for one in found], wanted, lengths)),
        }
        shown = [n for n, one in enumerate(found) if one.weights is not None and 3 <= lengths[n] <= LONGEST_SHOWN]
        if shown:
            matrices = [self._matrix(sources[n], found[n]) for n in shown[:: max(1, len(shown) // SHOWN)][:SHOWN]]
            drawn["attention"] = figures.attention_matrices(matrices)
        return drawn

    def _matrix(self, source: str, found: Translation) -> tuple[list[str], list[str], np.ndarray]:
        """Return the source tokens, the written ones, and how much the first count for the second."""
        read = self.source.shown(self.source.split(source))
        written = [*self.target.shown(found.tokens), "(end)"][: len(found.weights)]  # type: ignore[arg-type]
        return ["(begin)", *read, "(end)"], written, found.weights  # type: ignore[return-value]

    def translated(self, network: nn.Module, sources: Sequence[str], question: Predict) -> list[Translation]:
        """Return what the network writes for each source; unknown words are copied from where it looks."""
        return translate(network, sources, self.source, self.target, question)

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sentence what the network writes, and which words it did not know.

        An empty line of a file gives an empty one, so that lines stay where they were.
        """
        named = named_texts(question.inputs, lambda path: read_sources(path, self.column, self.settings))
        if any(not name and not text.strip() for name, text in named) or not any(text.strip() for _, text in named):
            raise DataError("there is no sentence to translate", found="nothing", expected="a word at least")
        asked = [place for place, (_, text) in enumerate(named) if text.strip()]
        found = dict(zip(asked, self.translated(network, [named[n][1] for n in asked], question), strict=True))
        rows = []
        for place, (name, text) in enumerate(named):
            said = found.get(place)
            unknown = self.source.unknown(text)
            row = {"text": text, "translation": said.text if said else "", "unknown": self.source.shown(unknown)}
            rows.append({**name, **row})
        whole = replace(self.source, window=None)
        long = sum(len(whole.split(text)) > self.config.window for _, text in named)
        notes = (f"{long} texts are cut after {self.config.window} {self.config.unit}; give sentence by sentence",)
        text = "\n".join(str(row["translation"]) for row in rows) + "\n"
        return Rows(rows, notes=notes if long else (), also=(Text(text),))

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        (_, text), *_ = named_texts([source], lambda path: read_sources(path, self.column, self.settings))
        names = ["(begin)", *self.source.shown(self.source.split(text)), "(end)"]
        return torch.from_numpy(self.source.encode(text))[None], names


def scores(answers: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Return how near answers come to what was wanted.

    >>> scores(["a cat"], ["a cat"])["exact"]
    1.0
    """
    exact = float(np.mean([answer == want for answer, want in zip(answers, wanted, strict=True)]))
    return {"bleu": bleu(answers, wanted), "chrf": chrf(answers, wanted), "exact": exact}


def by_length(
    answers: Sequence[str], wanted: Sequence[str], lengths: np.ndarray, groups: int = 6
) -> tuple[list[str], list[float], list[int]]:
    """Return BLEU of sentences by the lengths of their sources (sentences,), in groups of about equal size.

    Returns the lengths of each group in words, its BLEU, and how many sentences are in it.
    """
    borders = np.unique(np.quantile(lengths, np.linspace(0, 1, groups + 1)[1:]).astype(int))
    place = np.searchsorted(borders, lengths)
    names, found, counts = [], [], []
    for group in np.unique(place).tolist():
        inside = np.flatnonzero(place == group).tolist()
        least, most = lengths[inside].min(), lengths[inside].max()
        names.append(f"{least}" if least == most else f"{least}-{most}")
        found.append(bleu([answers[n] for n in inside], [wanted[n] for n in inside]))
        counts.append(len(inside))
    return names, found, counts


TASK = TranslationTask
