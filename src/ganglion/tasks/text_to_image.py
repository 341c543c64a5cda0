"""Text to image: draw what a text says, learnt from pictures with captions."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganglion import figures
from ganglion.core import Illustrator, LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.loaders.derived import OneLine
from ganglion.data.preprocessing import ImagePreprocessing, TextPreprocessing
from ganglion.data.preprocessing.vocabulary import words
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.rules.adversarial.latent import Latent
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.ranks import in_order_of_chance
from ganglion.tasks.measures.samples import COVERAGE, DENSITY, FRECHET_DISTANCE, NEIGHBOURS, SampleQuality
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, sizes
from ganglion.tasks.shared.pictures.drawing import generators, numbered
from ganglion.tasks.shared.pictures.judges import judge_of
from ganglion.tasks.shared.pictures.matchers import TrainedMatcher, matcher_of
from ganglion.tasks.shared.pictures.samples_by_judge import JudgedSamples
from ganglion.tasks.shared.texts.writing import text_options

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = (24, 32, 48, 64, 96, 128, 256)
"""Sides that pictures are brought to when none is asked for: the first that holds the data's, or the last."""
LOW, HIGH = -1.0, 1.0
"""Range of the pixels, that of tanh."""
CANDIDATES, COPIES = 100, 3
"""Different texts among which a drawn picture is to find its own, and pictures that are drawn of each."""
JUDGED, FITTED, MATCHED = 300, 1500, 10_000
"""Pictures of each kind that are compared; training pictures at most that principal components, and a matcher, see."""
ROWS, EACH = 8, 4
"""Texts in a figure, and pictures drawn of each."""
REMEMBERED = 64
"""Texts of the test part that a run keeps, for whoever asks for pictures without saying of what."""
FEWEST = 8
"""Training pictures at least."""

RETRIEVAL = Measure(
    name="retrieval",
    higher_is_better=True,
    meaning=f"Share of drawn pictures that fit their own text best among {CANDIDATES}, to a matcher trained apart on "
    "the real ones; while texts are matched, of real pictures to the run's own readers.",
)
KNOWN = Measure(
    name="known_retrieval", higher_is_better=True, meaning="The same, of pictures drawn of texts of the training part."
)
REAL = Measure(
    name="real_retrieval", higher_is_better=True, meaning="The same, of real pictures, which nothing drawn can surpass."
)


@settings
class Generate:
    """Draw pictures of a text."""

    text: str | None = None
    """What is to be seen, such as "a red circle left of a blue square"; texts of the test part in turn if not given."""
    count: Annotated[int, at_least(1)] = 16
    """Pictures to draw."""
    seed: int = 0
    """Decides what is drawn: picture i is a function of the text, the seed and i, however many are drawn."""
    stage: Literal[1, 2] = 2
    """Whether the sketch of the first stage is wanted, or what the second makes of it."""


@final
class TextToImage(Task):
    """Draw what texts say, judged by whether a matcher that was trained apart finds the text that was asked for.

    The matcher has learnt from the training pictures which text belongs to which, and no generator ever learns from
    it. The baseline is chance. `frechet_distance` and `coverage` compare what is drawn of texts with real pictures.
    """

    name = "text_to_image"
    reads = ("captions",)
    takes = "pictures with captions: a folder with a table or JSON lines beside the pictures, or emoji with their names"
    fields: ClassVar = {"inputs": ("images",), "captions": ("texts",)}
    measures = (RETRIEVAL, KNOWN, REAL, FRECHET_DISTANCE, DENSITY, COVERAGE)
    captions: ClassVar = {
        "held_out": "Texts of the test part: sketches of the first stage, what the second makes of them, and at last a "
        "real picture of that text",
        "known": "The same for texts of the training part",
        "nearest": "Drawn pictures, and below each the training picture that is nearest to it",
    }
    verbs: ClassVar = {"generate": Generate}
    remembers = ("known_words", "examples")
    next_step = 'ganglion generate {run} --text "..." --count 16 --out pictures.png'
    known_words: list[str]
    """Words that training read."""
    examples: list[str]
    """Some texts of the test part."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        largest = max(max(size) for size in sizes_of(dataset.fields["inputs"].values))
        fitting = next((size for size in SIZES if size >= largest), SIZES[-1])
        pictures = {**AS_THEY_ARE, "image_size": config.image_size or fitting, "low": LOW, "high": HIGH}
        options = {"inputs": pictures, "captions": text_options(config, by_line=True)}
        data = cls.prepared(dataset, config, settings, seed, options)
        data = replace(data, derived={"targets": OneLine(of="captions")})
        _refuse_few(list(data["train"].fields["captions"].values), str(dataset.source or dataset.name))
        found = sizes(data.preprocessing) | {"vocabulary_size": len(data.preprocessing["captions"].tokens)}
        task = cls(adapt(config, **found), data.preprocessing).holding(data)
        task.known_words = task._known_words()
        task.examples = task._texts("test", REMEMBERED)
        task.has_validation = len(data["validation"]) > NEIGHBOURS
        task.notes = (*task.notes, f"{len(task.known_words):,} different words in the captions")
        return task

    @property
    def pictures(self) -> ImagePreprocessing:
        pictures: ImagePreprocessing = self.preprocessing["inputs"]
        return pictures

    @property
    def text(self) -> TextPreprocessing:
        text: TextPreprocessing = self.preprocessing["captions"]
        return text

    def _known_words(self) -> list[str]:
        """Return the words of the training texts, sorted, that are read as such."""
        found = {word for text in self.data.raw("train", "captions").values for word in words(text)}
        return sorted(word for word in found if not self.text.unknown(word))

    def _texts(self, part: Part, most: int) -> list[str]:
        """Return at most so many different texts of a part, the first line of each sample, in an order of chance."""
        lines = [text.split("\n")[0] for text in self.data.raw(part, "captions").values]
        different = list(dict.fromkeys(lines))
        return [different[place] for place in in_order_of_chance(len(different), most)]

    @cached_property
    def quality(self) -> SampleQuality:
        """Principal components of the training pictures."""
        return SampleQuality.fit(self._some("train", FITTED).numpy())

    @cached_property
    def matcher(self) -> TrainedMatcher:
        """What tells which text a picture fits, trained on the training part."""
        places = self.data.spread("train", MATCHED)
        texts = self.data.raw("train", "captions").take(places).values
        fingerprint = f"{self.fingerprint} {self.config.side} {self.data.seed}"
        return matcher_of(self.data.some("train", places), list(texts), fingerprint=fingerprint)

    def _some(self, part: Part, most: int) -> Tensor:
        """Return at most so many prepared pictures of a part, evenly chosen."""
        pictures: Tensor = self.data.some(part, self.data.spread(part, most))
        return pictures

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        network = _illustrator(rule.home)
        if not network.learnt:
            return {"retrieval": self._matched(network, part)}
        texts = self._texts(part, CANDIDATES)
        drawn = self._at_full_size(self._drawn(network, texts, COPIES)[network.learnt - 1])
        measured = {"retrieval": self._found(drawn, texts, COPIES)}
        if part == "test":
            known = self._texts("train", CANDIDATES)
            again = self._at_full_size(self._drawn(network, known, COPIES)[network.learnt - 1])
            measured["known_retrieval"] = self._found(again, known, COPIES)
            measured["real_retrieval"] = self._found(self._real(part, texts), texts)
        real = self._some(part, JUDGED)
        return measured | self.quality.compare(real.numpy(), drawn[:JUDGED].numpy())

    def _found(self, pictures: Tensor, texts: Sequence[str], copies: int = 1) -> float:
        """Return the share of pictures that fit their own text best, so many of each text one after the other."""
        own = torch.arange(len(texts)).repeat_interleave(copies)
        return float((self.matcher.likeness(pictures, texts).argmax(1) == own).double().mean())

    def _matched(self, network: Illustrator, part: Part) -> float:
        """Return the share of real pictures that fit their own text best to the readers of the run."""
        texts = self._texts(part, CANDIDATES)
        pictures, tokens = self._real(part, texts), self._tokens(texts)
        assert isinstance(network, nn.Module)
        device = next(network.parameters()).device
        with torch.inference_mode():
            chosen = network.fitting(pictures.to(device), tokens.to(device)).argmax(1).cpu()
        return float((chosen == torch.arange(len(texts))).double().mean())

    def _real(self, part: Part, texts: Sequence[str]) -> Tensor:
        """Return a real picture of a part for each of some texts of it."""
        lines = [text.split("\n")[0] for text in self.data.raw(part, "captions").values]
        first = {text: place for place, text in reversed(list(enumerate(lines)))}
        pictures: Tensor = self.data.some(part, np.array([first[text] for text in texts]))
        return pictures

    def baseline(self) -> dict[str, float]:
        """Return what chance scores: any of the texts."""
        return {"retrieval": 1 / len(self._texts("test", CANDIDATES))}

    def judge_samples(self, home: nn.Module) -> JudgedSamples:
        """Compare what is drawn of texts with test pictures, on features of a judge trained on the training ones."""
        training, texts = self._some("train", FITTED), self._texts("test", CANDIDATES)
        judge = judge_of(training, fingerprint=f"{self.fingerprint} {training.shape}")
        drawn = self._drawn(_illustrator(home), texts, COPIES)[-1]
        return JudgedSamples.measure(judge, self._some("test", len(drawn)), training, drawn)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        network = _illustrator(rule.home)
        parts: tuple[tuple[str, Part, str], ...] = (
            ("held_out", "test", "Texts of the test part"),
            ("known", "train", "Texts of the training part"),
        )
        drawn = {}
        for name, part, title in parts:
            texts = self._texts(part, ROWS)
            small, large = self._drawn(network, texts, EACH)
            kinds = {"stage I": small, "stage II": large, "real": self._real(part, texts)}
            pixels = {kind: self.pictures.inverse(self._at_full_size(one)) for kind, one in kinds.items()}
            drawn[name] = figures.told(texts, pixels, title)
        return drawn | {"nearest": self._nearest(network)}

    def _nearest(self, network: Illustrator) -> "Figure":
        """Draw pictures of test texts above the nearest training pictures: copies would show."""
        training, texts = self._some("train", FITTED), self._texts("test", 2 * ROWS)
        drawn = self._drawn(network, texts, 1)[-1]
        nearest = training[torch.cdist(drawn.flatten(1), training.flatten(1)).argmin(1)]
        pixels = {name: self.pictures.inverse(one) for name, one in (("drawn", drawn), ("nearest", nearest))}
        return figures.strips(pixels, "Drawn, and the training picture nearest to it", columns=ROWS)

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return what is drawn of the same texts and noise each time; None while texts are matched."""
        network = _illustrator(home)
        if not network.learnt:
            return None
        drawn = self._drawn(network, self._texts("validation", ROWS), EACH)[network.learnt - 1]
        return figures.sheet(self.pictures.inverse(drawn), columns=ROWS)

    def generate(self, network: nn.Module, question: Generate) -> Images:
        """Return pictures of a text, or of texts of the test part in turn."""
        texts = [question.text or self.examples[number % len(self.examples)] for number in range(question.count)]
        notes = () if question.text is None else self._understood(question.text)
        drawn = self._drawn(_illustrator(network), texts, 1, question.seed)[question.stage - 1]
        names = numbered(question.count, question.seed)
        title = "Drawn" if question.text is None else question.text
        return Images(self.pictures.inverse(drawn), names, [{"text": one} for one in texts], title=title, notes=notes)

    def _understood(self, text: str) -> tuple[str, ...]:
        """Return what is to be said of words of a text that are not known; raise where none is."""
        asked = list(dict.fromkeys(words(text)))
        strange = [word for word in asked if word not in set(self.known_words)]
        if len(strange) == len(asked):
            raise UsageError(
                "this run knows no word of the text" if asked else "the text has no words",
                where="--text",
                expected=f"words that its pictures were described with, such as: {', '.join(self._usual())}",
                found=repr(text[:100]),
                remedy=f"try --text {self.examples[0]!r}",
            )
        return (f"not known, and not heeded: {', '.join(strange)}",) if strange else ()

    def _usual(self) -> list[str]:
        """Return some words that are known."""
        spread = in_order_of_chance(len(self.known_words), 12)
        return sorted(self.known_words[place] for place in spread)

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        """Return texts as numbers (texts, steps), all filled up to the longest that is read."""
        single = replace(self.text, by_line=False)
        found, steps = torch.zeros(len(texts), self.config.window + 2, dtype=torch.int64), self.config.window + 2
        for row, text in enumerate(texts):
            numbers = torch.from_numpy(single.encode(" ".join(text.split())))[:steps]
            found[row, : len(numbers)] = numbers
        return found

    def _drawn(self, network: Illustrator, texts: Sequence[str], copies: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Return what both stages draw of each text so many times, (pictures, channels, side, side)."""
        assert isinstance(network, nn.Module)
        tokens = self._tokens(texts).repeat_interleave(copies, 0)
        draw, width = Latent("normal", (self.config.latent_features,)), self.config.latent_features
        latent = torch.cat([draw(1, generator=one) for one in generators(len(tokens), seed)])
        together, side = torch.cat([latent, tokens.float()], dim=1), self.config.sketch

        def both(block: Tensor) -> Tensor:
            small, large = network.stages(block[:, :width], block[:, width:].long())
            return torch.cat([small.flatten(1), large.flatten(1)], dim=1)

        small, large = ask(network, together, by=both).split([
            self.config.in_channels * side**2, self.config.in_channels * self.config.side**2
        ], dim=1)  # fmt: skip
        shape = (self.config.in_channels, side, side)
        return small.unflatten(1, shape), large.unflatten(1, (shape[0], *self.pictures.size))

    def _at_full_size(self, pictures: Tensor) -> Tensor:
        """Return pictures of either stage (count, channels, side, side) at the side of the second."""
        if tuple(pictures.shape[2:]) == self.pictures.size:
            return pictures
        return interpolate(pictures, self.pictures.size, mode="bilinear")


def _illustrator(home: nn.Module) -> Illustrator:
    assert isinstance(home, Illustrator)
    return home


def _refuse_few(texts: Sequence[str], where: str) -> None:
    """Raise where there are too few pictures, or where all are described alike."""
    different = len(set(texts))
    if len(texts) < FEWEST or different < 2:
        raise DataError(
            "this is too little to learn what texts mean",
            where=where,
            expected=f"{FEWEST} training pictures at least, of 2 different texts",
            found=f"{len(texts)} pictures of {different} text" + "s" * (different != 1),
            remedy="give more pictures with captions",
        )


TASK = TextToImage
