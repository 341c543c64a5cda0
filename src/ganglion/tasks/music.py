"""Music: foretell tunes sign by sign, and write new ones in a key or from an opening."""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader
from ganglion.data.dataset import Dataset
from ganglion.data.formats.abc import Key, read_tune
from ganglion.data.formats.abc.files import tunes_in
from ganglion.data.formats.abc.syntax import metre_of
from ganglion.data.formats.text import read_text
from ganglion.data.loaders.noise import mixed_seed
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.preprocessing.texts import END
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.nn.language.decoding import Decoding, decode
from ganglion.settings import above, at_least, at_most, settings
from ganglion.tasks.answers import Binary, Rows, Sound, Text
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.counted import KneserNey
from ganglion.tasks.measures.language import MEASURES, judge, surprise
from ganglion.tasks.measures.tunes import OF_TUNES, Gram, grams, judge_tunes
from ganglion.tasks.questions import Given, Said
from ganglion.tasks.shared.evaluation import evaluating
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import named_texts, whole_text
from ganglion.tasks.shared.texts.drafts import Draft, as_file, fields_of, read_draft, roll, wandered
from ganglion.tasks.shared.texts.performance import RATE, midi, perform, sound
from ganglion.tasks.shared.texts.reading_on import next_logits, reader

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNKNOWN = 0
"""Number of the unknown sign, which is never written."""
ORDER = 4
"""Signs of the longest gram of the Markov chain: three, and the one that follows."""
WRITTEN, LONGEST = 24, 2000
"""Tunes that are written to be judged, and signs of one at most."""
DRAFTS = 8
"""Times that a tune is drawn anew where it cannot be read or counted."""
TEMPERATURE = 0.8
DRAWN = 3
"""Tunes in a figure."""


@settings
class Predict:
    """Say how surprising tunes are to the network, and whether their bars can be counted."""

    inputs: Given
    """Files in ABC, or tunes."""


@settings
class Generate:
    """Write tunes, as ABC, as MIDI for players and notation programs, or as sound."""

    tunes: Annotated[int, at_least(1)] = 1
    """Tunes to write."""
    key: str | None = None
    """Key, such as G, Em or Bb; the network chooses when not given."""
    metre: str | None = None
    """Metre, such as 4/4 or 6/8; the network chooses when not given."""
    opening: str = ""
    """Notes in ABC that the tune begins with, or a file of a tune to go on from, of which key and metre are taken."""
    temperature: Annotated[float, at_least(0)] = TEMPERATURE
    """Below 1 the likelier is preferred, 0 always takes the likeliest."""
    top_k: Annotated[int, at_least(1)] | None = None
    """Draw from this many likeliest signs only."""
    top_p: Annotated[float, above(0), at_most(1)] | None = None
    """Draw from the fewest likeliest signs only that together have this probability."""
    drafts: Annotated[int, at_least(1)] = DRAFTS
    """Times that a tune is drawn at most where it is no valid ABC or has a bar of wrong length; 1 keeps the first."""
    seed: int = 0
    """Decides what is drawn."""


@final
class Music(Task):
    """Models tunes in ABC sign by sign, judged by its surprise at unseen tunes, and by those that it writes.

    `loss` is in nats per sign of the music and the fields for metre, unit and key. Parts are made of whole tunes.
    """

    name = "music"
    reads = ("tunes",)
    takes = "tunes in ABC: a file ending in .abc, or a folder of such files"
    fields: ClassVar = {"inputs": ("texts",)}
    measures = (*MEASURES, *OF_TUNES)
    captions: ClassVar = {
        "piano_roll": "Three tunes that the network wrote, time to the right; a bar of wrong length is red",
        "tune": "The first of them in ABC",
    }
    verbs: ClassVar = {"predict": Predict, "generate": Generate}
    next_step = "ganglion generate {run} --key G --out tune.mid"
    remembers: ClassVar = ("beginnings", "preface", "longest")
    beginnings: dict[str, int]
    """The fields that training tunes begin with, and how many do."""
    longest: int
    """Signs of a tune that are written at most: twice as many as the longest training tune has."""
    preface: str
    """A training tune, which is read before one is written: networks that carry their state on begin no other way."""

    @classmethod
    def chosen(cls, dataset: Dataset) -> dict[str, str]:
        return {"inputs": "tunes"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        whole = dataset.with_values(tunes=[text + END for text in dataset.main.values])
        data = cls.prepared(whole, config, settings, seed, {"inputs": {"unit": "characters", "padded": False}})
        task = cls(adapt(config, **sizes(data.preprocessing)), data.preprocessing).holding(data)
        task.beginnings = dict(Counter(fields_of(text) for text in data.raw("train").values))
        task.preface = data.raw("train").values[0]
        task.longest = min(LONGEST, 2 * max(map(len, data.raw("train").values)))
        lengths = ", ".join(f"{part} {len(task._numbers(part)):,}" for part in data.samples)
        task.notes = (*task.notes, f"signs of ABC: {lengths}; {task.signs.num_tokens} different")
        if len(task._numbers("train")) <= config.window:
            raise DataError(
                "these tunes are shorter than a window",
                where=dataset.source,
                expected=f"more than {config.window} signs",
                found=str(len(task._numbers("train"))),
                remedy="give more tunes, or a smaller window",
            )
        return task

    @property
    def signs(self) -> TextPreprocessing:
        signs: TextPreprocessing = self.preprocessing["inputs"]
        return signs

    def _numbers(self, part: Part) -> np.ndarray:
        """Return the tunes of the nearest part as one row of signs; each ends with a sign of its own.

        Their order is one of chance, so that a tune says nothing of the next: collections are sorted by kinds.
        """
        texts = self.data.raw(part).values
        return self.signs.encode("".join(texts[place] for place in np.random.default_rng(0).permutation(len(texts))))

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        numbers, streams = self._numbers("train"), self.settings.batch_size
        return StreamLoader(numbers, len(numbers) if streams == "all" else streams, self.config.window, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network by the tunes of a part; on the test part also by tunes that it writes."""
        numbers = np.concatenate([self.signs.encode(END), self._numbers(part)])
        with evaluating(rule.home):
            measures = judge(reader(rule.home), numbers, 1, len(numbers), self.config.window).measures()
        if part == "test":
            measures |= judge_tunes([draft.tune for draft in self._judged_drafts(rule.home)], self._known)
        return measures

    def _judged_drafts(self, network: nn.Module) -> list[Draft]:
        return self._written(network, [""] * WRITTEN, Generate(), list(range(WRITTEN)))

    @cached_property
    def _known(self) -> set[Gram]:
        tunes = (read_tune(text.removesuffix(END).split("\n")) for text in self.data.raw("train").values)
        return {gram for tune in tunes for gram in grams(tune)}

    def baseline(self) -> dict[str, float]:
        """Judge a Markov chain of the third order, smoothed by Kneser and Ney, and the tunes that it writes."""
        chain = KneserNey(self._numbers("train"), self.signs.num_tokens, ORDER)
        begin = [self._end] * (chain.order - 1)
        shares = chain(np.concatenate([begin, self._numbers("test")]))
        written = [wandered(chain, begin, self._end, self.longest, TEMPERATURE, seed) for seed in range(WRITTEN)]
        drafts = [read_draft(self.signs.decode(numbers), ended) for numbers, ended in written]
        return {
            **surprise(float(-np.log(shares).mean())),
            **judge_tunes([draft.tune for draft in drafts], self._known),
        }

    @property
    def _end(self) -> int:
        return self.signs.tokens.index(END)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        drafts = self._judged_drafts(rule.home)
        best = [draft for draft in drafts if draft.is_sound] or [draft for draft in drafts if draft.tune] or drafts
        read = [draft for draft in best if draft.tune is not None][:DRAWN]
        return {
            "piano_roll": figures.piano_rolls([roll(draft, number) for number, draft in enumerate(read, 1)]),
            "tune": figures.passage(as_file(best[:1]), f"Written at temperature {TEMPERATURE}"),
        }

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for each tune the surprise at a sign of it, its key, and which of its bars are of a wrong length."""
        rows = []
        named = named_texts(question.inputs, lambda path: [(1, read_text(path, self.settings.encoding))])
        for name, text in named:
            where = str(name.get("input", "the tune"))
            for tune in tunes_in(text, where):
                numbers = self.signs.encode(END + tune.text + END)
                with evaluating(network):
                    loss = judge(reader(network), numbers, 1, len(numbers), self.config.window).loss
                wrong = [n for n, right in enumerate(tune.right, 1) if not right]
                found = {"title": tune.title, "key": tune.key.name, "bars": len(tune.bars), "wrong_bars": wrong}
                rows.append({**name, **found, "loss": loss})
        return Rows(rows)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        text = whole_text(source, self.settings)
        return torch.from_numpy(self.signs.encode(text))[None], list(text)

    def generate(self, network: nn.Module, question: Generate) -> Text:
        """Return tunes as a file of ABC, and the same as MIDI and as sound."""
        drafts = []
        for number in range(question.tunes):
            prompt = self._prompt(question, mixed_seed(question.seed, number))
            drafts.append(self._draft_anew(network, prompt, question, number))
        notes = [
            f"tune {number}: {draft.fault or 'some bars have a wrong length'}"
            for number, draft in enumerate(drafts, 1)
            if not draft.is_sound
        ]
        if question.key is not None and not any(
            f"K:{Key.named(question.key).name}\n" in one for one in self.beginnings
        ):
            notes.append(f"no training tune is in {question.key}")
        tunes = [draft.tune for draft in drafts if draft.tune is not None]
        text = as_file(drafts)
        also: tuple[Any, ...] = (Binary(text.encode(), ".abc"),)
        if tunes:
            performance = perform(tunes)
            also += (Binary(midi(performance), ".mid"), Sound(sound(performance), RATE))
        return Text(text, tuple(notes), also)

    def _prompt(self, question: Generate, seed: int) -> str:
        """Return what a tune goes on from: nothing, or what is asked for.

        Where the key, the metre or an opening is given, the fields that are not are drawn from those of training tunes
        that fit. Raises `DataError` for an opening that is no ABC, and for what is no key or metre.
        """
        fields, music = "", question.opening
        if _is_file(music):
            tune = read_tune(read_text(Path(music)).removesuffix("\n").split("\n"))
            fields, music = fields_of(tune.text), tune.text.removeprefix(fields_of(tune.text)).removesuffix("\n")
        if not (fields or music or question.key or question.metre):
            return ""
        if not fields or question.key or question.metre:
            fields = self._fields(fields, question, seed)
        if music:
            _refuse_faulty(fields, music)
        return fields + music

    def _fields(self, given: str, question: Generate, seed: int) -> str:
        """Return the fields that a tune begins with, drawn from those of training tunes that fit what is asked for."""
        asked = dict(line.split(":", 1) for line in given.splitlines())
        if question.key is not None:
            asked["K"] = Key.named(question.key).name
        if question.metre is not None:
            metre_of(question.metre)
            asked["M"] = question.metre
        known = [(dict(line.split(":", 1) for line in fields.splitlines()), n) for fields, n in self.beginnings.items()]
        for fitting in (("M", "K"), ("M",), ("K",), ()):
            able = [(one, n) for one, n in known if all(one[name] == asked[name] for name in fitting if name in asked)]
            if able:
                chosen = random.Random(seed).choices([one for one, _ in able], [n for _, n in able])[0] | asked
                return "".join(f"{name}:{chosen[name]}\n" for name in "MLK")
        raise UsageError("no training tune says its metre and key", where="config.json", remedy="train again")

    def _draft_anew(self, network: nn.Module, prompt: str, question: Generate, number: int) -> Draft:
        """Return the first draft of a tune that can be read and counted, or the best of those that cannot."""
        drafts = []
        for attempt in range(question.drafts):
            seed = mixed_seed(question.seed, number, attempt)
            drafts += self._written(network, [prompt], question, [seed])
            if drafts[-1].is_sound:
                return drafts[-1]
        return max(drafts, key=lambda draft: np.mean(draft.tune.right) if draft.tune else -1)

    def _written(
        self, network: nn.Module, prompts: Sequence[str], question: Generate, seeds: Sequence[int]
    ) -> list[Draft]:
        """Return what is written after prompts of one length, each with the prompt before it."""
        decoding = Decoding(
            longest=self.longest,
            temperature=question.temperature,
            top_k=question.top_k,
            top_p=question.top_p,
            end=self._end,
            forbidden=(UNKNOWN,),
        )
        given = torch.from_numpy(np.stack([self.signs.encode(self.preface + prompt) for prompt in prompts]))
        with evaluating(network) as device:
            written = decode(next_logits(network), given.to(device), decoding=decoding, seeds=seeds)
        texts = (self.signs.decode(one.tokens) for one in written)
        return [read_draft(prompt + text, one.ended) for prompt, text, one in zip(prompts, texts, written, strict=True)]


def _is_file(text: str) -> bool:
    if isinstance(text, Said) or not text.lower().endswith(".abc"):
        return False
    if not Path(text).is_file():
        raise DataError("this file does not exist", where=text, remedy="give a file that exists, or notes in ABC")
    return True


def _refuse_faulty(fields: str, music: str) -> None:
    """Raise `DataError` naming the line and column of an opening where it is no ABC."""
    try:
        read_tune([*fields.splitlines(), *music.split("\n")], first=1 - fields.count("\n"))
    except DataError as error:
        error.where = f"--opening, {error.where}"
        raise


TASK = Music
