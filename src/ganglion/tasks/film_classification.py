"""Film classification: say what clips show, as wholes or frame by frame."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.fields import UNJUDGED
from ganglion.data.places import evenly
from ganglion.data.preprocessing import FilmPreprocessing
from ganglion.data.preprocessing.films import spread
from ganglion.data.settings import DataSettings
from ganglion.errors import UsageError
from ganglion.nn import probabilities
from ganglion.rules.losses import ACCURACY, LOSS, decisions
from ganglion.settings import settings
from ganglion.tasks.answers import Film, Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.classes import CALIBRATION, TOP_5, measured
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import VERDICTS, ranked, verdicts
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.fitting import adapt, is_open, sizes
from ganglion.tasks.shared.pictures.films import AskedFilm, Watcher, asked_films, lengths_of, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ganglion.figures.images.clips import Strip

SHOWN = 8
"""Test films in the figure of strips."""
COLUMNS = 10
"""Frames of a strip at most."""
MOST_DRAWN = 24
"""Clips that are drawn in an answer with pictures."""
LINEAR_SIDE, MOST_LINEAR = 16, 4000
"""Pixels a side that a linear model sees of a frame, and frames that it learns from."""

SHUFFLED = Measure(
    name="shuffled_accuracy",
    higher_is_better=True,
    meaning="Accuracy where the network is shown the frames of each film in a random order: what it knows without "
    "their order.",
)
SINGLE = Measure(
    name="single_frame_accuracy",
    higher_is_better=True,
    meaning="Accuracy of a linear model that sees one frame alone, the middle one of each film.",
)


@settings
class Predict:
    """Say what clips show, and at which frames."""

    inputs: Given
    """Animated GIF, WebP or PNG files, videos, folders of frames or of clips, NPZ files, or arrays of frames."""


@final
class FilmClassification(Task):
    """Clips with a class each, or with one at every frame, judged by the share of right answers.

    Beside the score of the test part stand two controls: the same network on frames in random order, and a linear
    model that sees a single frame. Where these are as good, time is not needed.
    """

    name = "film_classification"
    reads = ("films",)
    takes = "clips with classes: a folder of clips for each class, or arrays (films, frames, height, width) with labels"
    fields: ClassVar = {"inputs": ("films",), "targets": ("classes", "step-classes")}
    measures = (ACCURACY, LOSS, SHUFFLED, SINGLE, CALIBRATION, TOP_5)
    captions: ClassVar = {
        **VERDICTS,
        "film_strips": "Test films, and above each frame what the network says there and how sure it is: green if "
        "right, red if wrong",
        "over_time": "How often the network is right at each frame of the test films, and where their frames come in "
        "random order",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} CLIP --out labelled.gif"

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        return {"inputs": "inputs", "targets": "frame_labels" if "frame_labels" in dataset.fields else "targets"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        height, width, channels = size_of(dataset)
        side, count = config.image_size, config.num_frames
        if is_open(config, "image_size"):
            side = min(max(height, width, config.smallest_image), config.largest_image)
        if is_open(config, "num_frames"):
            count = min(int(np.median(lengths_of(dataset.inputs))), config.most_frames)
        by_frame = cls.chosen(dataset)["targets"] == "frame_labels"
        how = {"resize": settings.resize} if settings.resize else {}
        options = {
            "inputs": {"image_size": side, "channels": channels, "num_frames": count, **how},
            "targets": {"num_steps": count} if by_frame else {},
        }
        data = cls.prepared(dataset, config, settings, seed, options)
        notes = []
        if (height, width) != (side, side):
            notes.append(f"frames of {width} x {height} are resized to {side} x {side}")
        if any(length != count for length in lengths_of(dataset.inputs)):
            notes.append(f"{count} frames are taken of each clip, evenly spread over it (--num-frames)")
        found = {**sizes(data.preprocessing), "image_size": side, "by_frame": by_frame}
        return cls(adapt(config, **found), data.preprocessing).holding(data, *notes)

    @property
    def label_names(self) -> tuple[str, ...]:
        """What class 0, 1, ... is called."""
        labels: tuple[str, ...] = self.preprocessing["targets"].labels
        return labels

    @property
    def films(self) -> FilmPreprocessing:
        films: FilmPreprocessing = self.preprocessing["inputs"]
        return films

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside the controls."""
        outputs, targets = answers(rule.home, self.data.batches(part))
        measures = judged(rule, outputs, targets) | measured(*_flat(outputs, targets))
        if part == "test":
            shuffled = [ask(rule.home, _shuffled(batch["inputs"])) for batch in self.data.batches("test")]
            measures[SHUFFLED.name] = _right(torch.cat(shuffled), targets)
            measures[SINGLE.name] = self._single()
        return measures

    def _single(self) -> float:
        """Return how often a linear model is right that sees one frame of a film."""
        from sklearn.linear_model import LogisticRegression

        (known, classes), (asked, truth) = (self._single_frames(part) for part in ("train", "test"))
        some = evenly(len(classes), MOST_LINEAR)
        if len(np.unique(classes[some])) < 2:
            return float(np.mean(truth == classes[0]))
        model = LogisticRegression(max_iter=100).fit(known[some], classes[some])
        return float(model.score(asked, truth))

    def _single_frames(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Return frames (frames, pixels) and the class of each: the middle ones, or all that have one of their own."""
        columns = self.data.columns(part)
        films, targets = columns["inputs"], columns["targets"]
        assert isinstance(films, Tensor) and isinstance(targets, Tensor)
        if targets.dim() == 2:
            films, targets = films[targets != UNJUDGED], targets[targets != UNJUDGED]
        else:
            films = films[:, films.shape[1] // 2]
        smaller = nn.functional.adaptive_avg_pool2d(films, min(LINEAR_SIDE, *films.shape[2:]))
        return smaller.flatten(1).numpy(), targets.numpy()

    def baseline(self) -> dict[str, float]:
        """Return what answering with the commonest class of the training part scores."""
        train, test = (
            np.concatenate([np.ravel(one) for one in self.data.raw(part, "targets").values])
            for part in ("train", "test")
        )
        commonest = np.bincount(train[train != UNJUDGED]).argmax()
        return {"accuracy": float(np.mean(test[test != UNJUDGED] == commonest))}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        network = rule.home
        outputs, targets = answers(network, self.data.batches("test"))
        assert isinstance(network, Watcher)
        at_frames = self._asked(network.at_every_frame, network, lambda films: films)
        shuffled = self._asked(network.at_every_frame, network, _shuffled)
        truth = targets if targets.dim() == 2 else targets[:, None].expand(-1, at_frames.shape[1])
        curves = {"in their order": _by_frame(at_frames, truth), "in random order": _by_frame(shuffled, truth)}
        return {
            **verdicts(*_flat(outputs, targets), self.label_names),
            "film_strips": figures.film_strips(self._strips(at_frames, truth)),
            "over_time": figures.by_frame(curves, "Right answers after each frame", "frame", "share of the films"),
        }

    def _asked(
        self, call: Callable[[Tensor], Tensor], network: nn.Module, change: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the answers (films, frames, classes) of a method of the network for the test films."""
        return torch.cat([ask(network, change(batch["inputs"]), by=call) for batch in self.data.batches("test")])

    def _strips(self, outputs: Tensor, truth: Tensor) -> "dict[str, Strip]":
        """Return strips of some test films by their names: of as many classes as there are, and some that are wrong."""
        right = decisions(outputs)[:, -1] == truth[:, -1]
        wrong = torch.nonzero(~right)[:2, 0].tolist()
        firsts = [int(torch.nonzero(truth[:, -1] == label)[0]) for label in truth[:, -1].unique().tolist()]
        places = list(dict.fromkeys([*firsts[: SHOWN - len(wrong)], *wrong]))
        films = self.data.some("test", np.array(places))
        shown = spread(outputs.shape[1], min(COLUMNS, outputs.shape[1]))
        from ganglion.figures.images.clips import Strip

        strips = {}
        for place, film in zip(places, films, strict=True):
            name = self.label_names[int(truth[place, -1])]
            named = [self.label_names[label] if label >= 0 else "" for label in truth[place, shown].tolist()]
            said, shares = self._said(outputs[place, shown])
            strips[f"{name}\n{place}"] = Strip(self.films.inverse(film[shown]), said, shares, named)
        return strips

    def _said(self, outputs: Tensor) -> tuple[list[str], list[float]]:
        """Return the likeliest class of outputs (frames, classes), and how likely it is."""
        shares, labels = probabilities(outputs).max(1)
        return [self.label_names[label] for label in labels.tolist()], shares.tolist()

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return what each clip shows, and what is answered at its frames; as pictures, frames with their labels."""
        asked = asked_films(question.inputs)
        assert isinstance(network, Watcher)
        if not self.films.num_frames:
            raise UsageError("this run does not say how many frames it watches", found="0", expected="2 or more")
        films = self.films([one.frames for one in asked])
        assert isinstance(films, Tensor)
        at_frames = ask(network, films, by=network.at_every_frame)
        rows = []
        for one, outputs in zip(asked, at_frames, strict=True):
            best = ranked(outputs[-1:], self.label_names)[0]
            if getattr(self.config, "by_frame", False):
                best = {}
            rows.append({**one.name, **best, "frames": self._segments(one, outputs)})
        drawn = list(zip(asked, at_frames, strict=True))[:MOST_DRAWN]
        return Rows(rows, also=(self._film(*drawn[0]), self._pictures(drawn)))

    def _segments(self, one: AskedFilm, outputs: Tensor) -> str:
        """Return what is answered from which frame of a clip on, the first being 0.

        For example `0 left, 7 up`.
        """
        said, _ = self._said(outputs)
        starts = [place for place in range(len(said)) if place == 0 or said[place] != said[place - 1]]
        taken = spread(len(one.frames), len(said))
        return ", ".join(f"{taken[place]} {said[place]}" for place in starts)

    def _drawn(self, one: AskedFilm, outputs: Tensor, places: Sequence[int] | np.ndarray) -> np.ndarray:
        """Return frames of a clip with what was answered by then, bytes (frames, height, width, 3)."""
        from ganglion.figures.images.labelled import labelled

        said, shares = self._said(outputs)
        taken = spread(len(one.frames), len(said))
        latest = np.searchsorted(taken, places, side="right") - 1
        labels = [f"{said[place]} {shares[place]:.0%}" for place in latest]
        return labelled(one.frames[places], labels, [shares[place] for place in latest])

    def _film(self, one: AskedFilm, outputs: Tensor) -> Film:
        return Film(self._drawn(one, outputs, np.arange(len(one.frames))), one.rate)

    def _pictures(self, drawn: Sequence[tuple[AskedFilm, Tensor]]) -> Images:
        """Return a strip of each clip."""
        from ganglion.figures.images.labelled import strip

        strips = [
            strip(self._drawn(one, outputs, spread(len(one.frames), min(COLUMNS, len(one.frames)))))
            for one, outputs in drawn
        ]
        names = [one.title for one, _ in drawn]
        unique = names if len(set(names)) == len(names) else [f"{place:04}-{name}" for place, name in enumerate(names)]
        return Images(strips, unique, columns=1)

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return a clip as the network watches it, (1, frames, channels, height, width), and which frames these are."""
        (one, *_) = asked_films([source])
        film = self.films([one.frames])
        assert isinstance(film, Tensor)
        return film, [str(place) for place in spread(len(one.frames), film.shape[1])]


def _flat(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return outputs (samples, classes) and targets (samples,) of films, or of their frames that are judged."""
    if targets.dim() == 1:
        return outputs, targets
    return outputs[targets != UNJUDGED], targets[targets != UNJUDGED]


def _right(outputs: Tensor, targets: Tensor) -> float:
    outputs, targets = _flat(outputs, targets)
    return float((decisions(outputs) == targets).double().mean())


def _by_frame(outputs: Tensor, truth: Tensor) -> np.ndarray:
    """Return the share of right answers at each frame (frames,), of outputs (films, frames, classes)."""
    counted = (truth != UNJUDGED).sum(0)
    right = ((decisions(outputs) == truth) & (truth != UNJUDGED)).sum(0)
    return torch.where(counted > 0, right / counted.clamp(min=1), torch.nan).numpy()


def _shuffled(films: Tensor) -> Tensor:
    """Return films (films, frames, ...) each with its frames in an order that follows from its number of frames."""
    order = torch.randperm(films.shape[1], generator=torch.Generator().manual_seed(0))
    return films[:, order.to(films.device)]


TASK = FilmClassification
