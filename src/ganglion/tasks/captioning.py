"""Captioning: say in a sentence what a picture shows, from pictures with captions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.derived import OneLine
from ganglion.data.preprocessing import ImagePreprocessing, TextPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.nn.modes import evaluation_mode
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.ranks import RANKED, in_order_of_chance, ranked_first
from ganglion.tasks.measures.surprise import PERPLEXITY, mean_surprise
from ganglion.tasks.measures.translations import BLEU, EXACT, bleu
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.texts.writing import BEGIN, Search, searching, text_options, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGED, RANKED_PICTURES = 500, 500
"""Validation pictures that are described while training, and test pictures whose captions are ranked."""
BEAMS = 3
SHOWN, LOOKED_AT = 12, 4
"""Test pictures in the figures: with captions, and with where the network looked."""
LONGEST_SHOWN = 11
"""Words of a caption that are drawn so at most."""
ALIKE = 12
"""Fields across and down by whose colours the baseline finds the most similar training picture."""

LOSS = Measure(name="loss", higher_is_better=False, meaning="Mean surprise at a token of a caption, -log p, in nats.")


@settings
class Predict(Search):
    """Say what pictures show."""

    inputs: Given
    """Pictures, or folders of them."""
    beams: Annotated[int, at_least(1)] = BEAMS
    length_penalty: Annotated[float, at_least(0)] = 1.0
    """How much longer captions of several beams are preferred."""


@final
class CaptioningTask(Task):
    """Pictures with one or more captions, judged by what the network writes about pictures that it has not seen."""

    name = "captioning"
    reads = ("captions",)
    takes = "pictures with captions: a folder with a table or JSON lines beside the pictures, or with COCO's captions"
    fields: ClassVar = {"inputs": ("images",), "captions": ("texts",)}
    measures = (BLEU, EXACT, RANKED, LOSS, PERPLEXITY)
    captions: ClassVar = {
        "captions": "Test pictures, what the network says of them, and below in brackets what was wanted where it "
        "differs",
        "looked_at": "Where the network looked while it wrote each word: what stayed bright counted",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} PICTURE"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        captions = text_options(config, by_line=True)
        data = cls.prepared(source, config, settings, seed, {"captions": captions})
        data = replace(data, derived={"targets": OneLine(of="captions")})
        preprocessing = data.preprocessing
        found = sizes({"inputs": preprocessing["inputs"], "targets": preprocessing["captions"]})
        task = cls(adapt(config, **found), preprocessing).holding(data)
        task.notes = (*task.notes, *task._describe())
        return task

    @property
    def pictures(self) -> ImagePreprocessing:
        pictures: ImagePreprocessing = self.preprocessing["inputs"]
        return pictures

    @property
    def text(self) -> TextPreprocessing:
        text: TextPreprocessing = self.preprocessing["captions"]
        return text

    def _describe(self) -> list[str]:
        unit, whole = self.config.unit, replace(self.text, window=None)
        lengths = [
            len(whole.split(line)) for text in self.data.raw("train", "captions").values for line in text.split("\n")
        ]
        notes = [
            f"{len(self.text.tokens):,} different {unit} in the captions, of {np.mean(lengths):.0f} {unit} each"
            + ("; those that training has not twice are one unknown word" if unit == "words" else "")
        ]
        if long := sum(length > self.config.window for length in lengths):
            notes.append(f"{long:,} captions are learnt as far as {self.config.window} {unit} (--window)")
        if self.config.lower_case:
            notes.append("captions are written and judged in small letters; --lower-case no keeps capitals")
        return notes

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge what is written about pictures, and how surprising what people wrote is; of the test part also ranks.

        While training captions are written by taking the likeliest token each time, and of a large part not all.
        """
        whole = part == "test"
        places = self.data.spread(part, len(self.data.nearest(part)) if whole else JUDGED)
        question = Predict(inputs=[""], beams=BEAMS if whole else 1)
        found = self._described(rule.home, self.data.some(part, places), question)
        measures = scores([text for text, _, _ in found], self._wanted(part, places))
        measures |= mean_surprise(rule.home, ((one["inputs"], one["targets"]) for one in self.data.batches(part)))
        if whole:
            chosen = in_order_of_chance(len(places), RANKED_PICTURES)
            first = [text.split("\n")[0] for text in self.data.raw(part, "captions").take(chosen).values]
            targets, _ = self.text(first).padded(torch.arange(len(first)))
            measures["ranked_first"] = ranked_first(rule.home, self.data.some(part, chosen), targets)
        return measures

    def _wanted(self, part: Part, places: np.ndarray) -> list[list[str]]:
        """Return the captions of pictures, in the letters that the network writes."""
        texts = self.data.raw(part, "captions").take(places).values
        return [(text.lower() if self.config.lower_case else text).split("\n") for text in texts]

    def baseline(self) -> dict[str, float]:
        """Return what answering with a caption of the most similar training picture scores."""
        from sklearn.neighbors import NearestNeighbors

        parts: tuple[Part, Part] = ("train", "test")
        known, asked = (
            np.concatenate([_coarse(batch["inputs"]) for batch in self.data.batches(part)]) for part in parts
        )
        nearest = NearestNeighbors(n_neighbors=1).fit(known).kneighbors(asked, return_distance=False)[:, 0]
        wanted = self._wanted("test", np.arange(len(asked)))
        return scores([lines[0] for lines in self._wanted("train", nearest)], wanted)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        places = self.data.spread("test", SHOWN)
        inputs, wanted = self.data.some("test", places), self._wanted("test", places)
        found = self._described(rule.home, inputs, Predict(inputs=[""]))
        pixels = list(self.pictures.inverse(inputs))
        titles = [
            text if text in lines else f"{text}\n({lines[0]})"
            for (text, _, _), lines in zip(found, wanted, strict=True)
        ]
        short = [n for n, (_, words, _) in enumerate(found) if len(words) <= LONGEST_SHOWN] or [0]
        looks = [(pixels[n], found[n][1], self._maps(rule.home, inputs[n], found[n])) for n in short[:LOOKED_AT]]
        return {
            "captions": figures.described(pixels, titles, "Test pictures and what the network says of them"),
            "looked_at": figures.looked_at(looks),
        }

    def _maps(self, network: nn.Module, picture: Tensor, found: tuple[str, list[str], Any]) -> np.ndarray:
        """Return where the network looked at each word, (words, down, across): its attention, or else its gradient."""
        _, words, weights = found
        if weights is not None:
            side = int(weights.shape[1] ** 0.5)
            return weights[: len(words)].reshape(-1, side, side)
        return _slopes(network, picture, self.text.numbers(words))

    def _described(
        self, network: nn.Module, pictures: Tensor, question: Predict
    ) -> list[tuple[str, list[str], np.ndarray | None]]:
        """Return for pictures (pictures, channels, height, width) the caption, its tokens, and attention's weights."""
        decoding = searching(question, self.config.window + 1)
        found = []
        for written, weights in write(network, list(pictures), lambda _: decoding):
            tokens = self.text.named(written.tokens)
            found.append((self.text.joined(tokens), tokens, weights))
        return found

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return what the network says of every picture; written to a PNG, the pictures with where it looked."""
        found, prepared = asked(question.inputs, self.pictures)
        described = self._described(network, prepared, question)
        answer = found.answer([{"caption": text} for text, _, _ in described])
        looks = [
            figures.words_on(pixels, self.text.shown(words), self._maps(network, picture, (text, words, weights)))
            for pixels, picture, (text, words, weights) in zip(
                self.pictures.inverse(prepared), prepared, described, strict=True
            )
        ]
        return replace(answer, also=(Images(looks, found.titles, rows=answer.rows),))


def scores(answers: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return how near captions come to those that people wrote, several for each picture.

    >>> scores(["a cat"], [["a dog", "a cat"]])["exact"]
    1.0
    """
    exact = float(np.mean([answer in lines for answer, lines in zip(answers, wanted, strict=True)]))
    return {"bleu": bleu(answers, wanted), "exact": exact}


def _coarse(pictures: Tensor) -> np.ndarray:
    """Return the mean colours of fields of pictures (pictures, channels, height, width) as rows."""
    rows: np.ndarray = F.adaptive_avg_pool2d(pictures.cpu(), ALIKE).flatten(1).numpy()
    return rows


def _slopes(network: nn.Module, picture: Tensor, numbers: np.ndarray) -> np.ndarray:
    """Return by how much each pixel of a picture (channels, height, width) changes the log p of each word, smoothed."""
    if not len(numbers):
        return np.zeros((0, *picture.shape[1:]))
    tokens = torch.from_numpy(np.concatenate([[BEGIN], numbers]))[None]
    device = next(network.parameters()).device
    with evaluation_mode(network), torch.enable_grad():
        inputs = picture[None].to(device).clone().requires_grad_()
        likelihoods = network(inputs, tokens[:, :-1].to(device)).log_softmax(2)[0]
        maps = []
        for step, number in enumerate(numbers.tolist()):
            (slope,) = torch.autograd.grad(likelihoods[step, number], inputs, retain_graph=True)
            maps.append(F.avg_pool2d(slope.abs().sum(1, keepdim=True), 9, 1, padding=4)[0, 0])
    found: np.ndarray = torch.stack(maps).cpu().numpy()
    return found


TASK = CaptioningTask
