"""Language: foretell the next character, word or piece of a text, and write on from a beginning."""

import math
import re
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.preprocessing.texts import Unit
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.nn.language.decoding import Decoding, decode
from ganglion.settings import above, at_least, at_most, settings
from ganglion.tasks.answers import Rows, Text
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.counted import CACHE, Cache, KneserNey
from ganglion.tasks.measures.language import (
    BIGRAM_LOSS,
    CACHE_PERPLEXITY,
    MEASURES,
    TRIGRAM_PERPLEXITY,
    UNIGRAM_LOSS,
    bigram_judgement,
    judge,
    surprise,
    unigram_judgement,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import evaluating
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import whole_text
from ganglion.tasks.shared.texts.reading_on import next_logits, reader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS: dict[str, Unit] = {"words": "joined", "spaced": "spaced", "pieces": "pieces"}
"""What texts are cut into where a configuration says a unit; elsewhere into characters."""
BLANK = re.compile(r"\s")
UNKNOWN = 0
"""Number of the unknown token, which is never written."""
SHOWN = {"characters": 64}
"""Tokens of a passage in the figure of what was expected next, by their unit."""
FEWER_SHOWN = 14
"""The same where tokens are words or pieces."""
GUESSES = 5
SAMPLE, SHORT_SAMPLE = 1200, 240
"""Characters, words or pieces of the sample in the figure."""
ORDER = 3
"""Tokens of the longest gram that is counted."""


@settings
class Predict:
    """Say how surprising texts are to the network, and what it expects after them."""

    inputs: Given
    """Texts, or text files."""


@settings
class Generate:
    """Write on from a prompt."""

    prompt: str = ""
    """Beginning of the text; as after a line's end when not given."""
    length: Annotated[int, at_least(1)] = 500
    """Characters, words or pieces to write after it."""
    temperature: Annotated[float, at_least(0)] = 1.0
    """Below 1 the likelier is preferred, 0 always takes the likeliest."""
    top_k: Annotated[int, at_least(1)] | None = None
    """Draw from this many likeliest tokens only."""
    top_p: Annotated[float, above(0), at_most(1)] | None = None
    """Draw from the fewest likeliest tokens only that together have this probability."""
    beams: Annotated[int, at_least(1)] = 1
    """Follow this many beginnings at once and write the likeliest text, drawing nothing."""
    no_repeated: Annotated[int, at_least(0)] = 0
    """Write no sequence of this many tokens twice; 0 allows all."""
    seed: int = 0
    """Decides what is drawn."""


@final
class Language(Task):
    """Models a text token by token, judged by how surprised it is by the part it has not seen.

    A token is a character, or a word or piece where the configuration has a `unit`. The text is cut into training,
    validation and test part in its own order, unless it comes in parts. `loss` is in nats per token: the mean of
    -log p(token | all before it in the part, and a window before the part).
    """

    name = "language"
    reads = ("text",)
    takes = "a text"
    fields: ClassVar = {"inputs": ("text",)}
    measures = (*MEASURES, UNIGRAM_LOSS, BIGRAM_LOSS, TRIGRAM_PERPLEXITY, CACHE_PERPLEXITY)
    captions: ClassVar = {
        "next_characters": "How likely each token of the test part was, and what was expected in its place",
        "sample": "What the network writes on from the beginning of the end of the test part",
    }
    verbs: ClassVar = {"predict": Predict, "generate": Generate}
    next_step = 'ganglion generate {run} --prompt "The "'
    _numbers: np.ndarray
    """The whole text as numbers of tokens; only a prepared task has it, its parts and the settings."""
    _borders: dict[str, tuple[int, int]]
    _characters: dict[str, float]
    """Of a token of each part."""
    _settings: DataSettings

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        parts = divided(dataset, settings, between_words=hasattr(config, "unit"))
        _refuse_short(len(parts["train"]), config.window, dataset.source, "characters")
        text = TextPreprocessing.fit([parts["train"]], padded=False, **_reading(config))
        numbers = {part: text.numbers(text.split(words)) for part, words in parts.items()}
        ends = np.cumsum([0, *map(len, numbers.values())]).tolist()
        borders = dict(zip(numbers, pairwise(ends), strict=True))
        task = cls(adapt(config, **sizes({"inputs": text})), {"inputs": text})
        _refuse_short(len(numbers["train"]), config.window, dataset.source, task.unit)
        task._numbers, task._borders, task._settings = np.concatenate(list(numbers.values())), borders, settings
        task._characters = {part: len(words) / max(1, len(numbers[part])) for part, words in parts.items()}
        task.fingerprint, task.has_validation = dataset.fingerprint, len(numbers["validation"]) > 0
        task.notes = (*dataset.notes, *task._describe())
        return task

    @property
    def text(self) -> TextPreprocessing:
        text: TextPreprocessing = self.preprocessing["inputs"]
        return text

    @property
    def unit(self) -> str:
        """What tokens are called."""
        return {"characters": "characters", "pieces": "pieces"}.get(self.text.unit, "words")

    def _describe(self) -> list[str]:
        counts = ", ".join(f"{name} {last - first:,}" for name, (first, last) in self._borders.items())
        notes = [
            f"{self.unit} in the order of the text: {counts}",
            f"{self.text.num_tokens:,} different {self.unit}, the sign for unknown ones among them",
        ]
        unknown = {name: int((self._numbers[slice(*part)] == 0).sum()) for name, part in self._borders.items()}
        if any(unknown.values()):
            said = ", ".join(f"{count:,} of the {name} part" for name, count in unknown.items() if count)
            notes.append(f"{self.unit} that training has not met twice count as unknown: {said}")
        return notes

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        first, last = self._borders["train"]
        streams = last - first if self._settings.batch_size == "all" else self._settings.batch_size
        return StreamLoader(self._numbers[first:last], streams, self.config.window, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside what frequencies of tokens and of runs of them say."""
        first, last = self._nearest(part)
        with evaluating(rule.home):
            judgement = judge(reader(rule.home), self._numbers, first, last, self.config.window)
        measures = judgement.measures(self._characters[part if first >= self._borders[part][0] else "train"])
        if part == "test":
            train = self._numbers[slice(*self._borders["train"])]
            numbers, size = self._numbers[first - 1 : last], self.text.num_tokens
            measures["unigram_loss"] = unigram_judgement(train, numbers, size).loss
            measures["bigram_loss"] = bigram_judgement(train, numbers, size).loss
            if self.unit != "characters":
                counted, cached = self._counted
                measures["trigram_perplexity"], measures["cache_perplexity"] = math.exp(counted), math.exp(cached)
        return measures

    def baseline(self) -> dict[str, float]:
        """Judge the frequencies of pairs of characters in the training part, or of triples of words with a cache."""
        if self.unit != "characters":
            return surprise(self._counted[1], self._characters["test"])
        first, last = self._nearest("test")
        train = self._numbers[slice(*self._borders["train"])]
        return bigram_judgement(train, self._numbers[first - 1 : last], self.text.num_tokens).measures()

    @cached_property
    def _counted(self) -> tuple[float, float]:
        """Return the loss on the test part of triples counted in the training part, without and with a cache.

        How much the cache counts is found on the validation part.
        """
        counted = KneserNey(self._numbers[slice(*self._borders["train"])], self.text.num_tokens, ORDER)
        past = counted.order - 1

        def read(part: Part) -> np.ndarray:
            first, last = self._nearest(part)
            return self._numbers[max(0, first - CACHE - past) : last]

        first, last = self._nearest("test")
        judged, cache = read("test"), Cache.fit(counted, read("validation"))
        every = (counted(judged), cache(counted, judged))
        return tuple(float(-np.log(shares[first - last :]).mean()) for shares in every)  # type: ignore[return-value]

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        first, last = self._nearest("test")
        shown = SHOWN.get(self.unit, FEWER_SHOWN)
        first = max(first, last - 4 * shown)
        prompt = self.text.decode(self._numbers[first : first + shown])
        length = SAMPLE if self.unit in SHOWN else SHORT_SAMPLE
        return {
            "sample": figures.passage(
                self.generate(rule.home, Generate(prompt=prompt, length=length, temperature=0.8)).text,
                f"Written at temperature 0.8 after the first {len(prompt)} characters",
            ),
            "next_characters": self._expectations(rule.home, first, min(last, first + 2 * shown), shown),
        }

    def _expectations(self, network: nn.Module, first: int, last: int, shown: int) -> "Figure":
        """Draw what was expected next along the second half of a passage, the first being there to read it in."""
        with evaluating(network) as device:
            numbers = torch.from_numpy(self._numbers[first:last]).to(device)
            outputs, _ = reader(network).read(numbers[None, :-1])
            shares = outputs[0].float().softmax(1).cpu()  # (steps, characters)
        came = torch.from_numpy(self._numbers[first + 1 : last])
        shares, came = shares[-shown:], came[-shown:]
        best, guesses = shares.topk(min(GUESSES, shares.shape[1]), dim=1)
        return figures.next_tokens(
            self._shown(came.tolist()),
            [self._shown(row) for row in guesses.tolist()],
            best.numpy(),
            shares.gather(1, came[:, None])[:, 0].numpy(),
            self.unit.removesuffix("s"),
        )

    def _shown(self, numbers: list[int]) -> list[str]:
        return self.text.shown(self.text.named(numbers))

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return how surprising each text is to the network, and what it expects after it."""
        rows = []
        for item in question.inputs:
            text = whole_text(item, self.settings)
            if not text:
                raise DataError("there is no text to answer for", found="nothing", expected="a word at least")
            numbers = self.text.encode(text)
            with evaluating(network) as device:
                outputs, _ = reader(network).read(torch.from_numpy(numbers)[None].to(device))
                shares = outputs[0].float().softmax(1).cpu()
            came = shares[:-1].gather(1, torch.from_numpy(numbers[1:, None]))
            loss = float(-came.log().mean()) if len(came) else None
            best, guesses = shares[-1].topk(min(GUESSES, self.text.num_tokens))
            following = zip(self._shown(guesses.tolist()), best.tolist(), strict=True)
            top = [{"label": token, "probability": share} for token, share in following]
            answer = {self.unit: len(numbers), "loss": loss, "unknown": self._unknown(text)}
            rows.append({"input": str(item), **answer, "next": top})
        return Rows(rows)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        text = whole_text(source, self.settings)
        if not text:
            raise DataError("there is no text to read", found="nothing", expected="a word at least")
        return torch.from_numpy(self.text.encode(text))[None], self.text.shown(self.text.split(text))

    def _unknown(self, text: str) -> str:
        between = "" if self.unit == "characters" else " "
        return between.join(self.text.shown(self.text.unknown(text)))

    def generate(self, network: nn.Module, question: Generate) -> Text:
        """Return the prompt and what is written on from it.

        Tokens of the prompt that the network does not know are read as the unknown; it never writes one.
        """
        decoding = Decoding(
            longest=question.length,
            temperature=question.temperature,
            top_k=question.top_k,
            top_p=question.top_p,
            beams=question.beams,
            no_repeated=question.no_repeated,
            forbidden=(UNKNOWN,),
        )
        given = torch.from_numpy(self.text.encode(question.prompt or self._beginning()))[None]
        with evaluating(network) as device:
            (written,) = decode(next_logits(network), given.to(device), decoding=decoding, seeds=[question.seed])
        unknown = self._unknown(question.prompt)
        note = f"read as unknown, for training has not met it twice: {unknown}"
        return Text(self._continued(question.prompt, written.tokens), (note,) if unknown else ())

    def _continued(self, prompt: str, written: Sequence[int]) -> str:
        """Return a prompt as it was given and what is written after it, with a space between where there is one."""
        last = list(self.text.split(prompt)[-1:])
        after = self.text.joined([*last, *self.text.named(written)])[len(self.text.joined(last)) :]
        return prompt + (after.removeprefix(" ") if prompt.endswith(" ") else after)

    def _beginning(self) -> str:
        known = self.text.tokens
        return next((sign for sign in ("\n", " ") if sign in known), self.text.joined(known[1:2]))

    def _nearest(self, part: Part) -> tuple[int, int]:
        """Return the borders of a part; of the training part where nothing was held back for it."""
        first, last = self._borders[part]
        first, last = (first, last) if first < last else self._borders["train"]
        return max(1, first), last  # nothing stands before the first character to foretell it from


def _reading(config: Any) -> dict[str, Any]:
    """Return how a text is cut into tokens: into characters where the configuration knows nothing else."""
    if not hasattr(config, "unit"):
        return {"unit": "characters"}
    lines = config.unit != "pieces"
    return {"unit": UNITS[config.unit], "most": config.most_tokens, "lower": config.lower_case, "lines": lines}


def divided(dataset: Dataset, settings: DataSettings, between_words: bool) -> dict[Part, str]:
    """Return the text of each part, as it comes or cut in its own order, where asked for at ends of words only.

    >>> text = Dataset.of(name="", kind="text", inputs=["one two three four five"])
    >>> divided(text, DataSettings(test=0.2, validation=0.3), between_words=True)
    {'train': 'one two three ', 'validation': 'four ', 'test': 'five'}
    """
    held = set() if dataset.validation is None else set(dataset.validation.tolist())
    by_use = [[text for place, text in enumerate(dataset.main.values) if (place in held) == use] for use in (0, 1)]
    whole, validation = ("\n".join(texts) for texts in by_use)
    test = "\n".join(dataset.test_inputs or ())
    shares = (settings.validation if not held else 0, settings.test if not dataset.test_fields else 0)
    lengths = [round(len(whole) * share) for share in shares]
    places = [len(whole) - sum(lengths), len(whole) - lengths[1]]
    if between_words:
        ends = (BLANK.search(whole, at) for at in places)
        places = [found.end() if found else at for found, at in zip(ends, places, strict=True)]
    first = 0 if settings.limit is None else max(0, places[0] - settings.limit)
    return {
        "train": whole[first : places[0]],
        "validation": whole[places[0] : places[1]] + validation,
        "test": whole[places[1] :] + test,
    }


def _refuse_short(length: int, window: int, where: str, unit: str) -> None:
    if length < window + 1:
        raise DataError(
            "the training part of this text is shorter than a window",
            where=where,
            expected=f"at least {window + 1} {unit}",
            found=str(length),
            remedy="give more text, or a smaller window",
        )


TASK = Language
