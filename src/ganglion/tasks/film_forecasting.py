"""Film forecasting: watch some frames, and say which come next."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field, Values
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.places import evenly
from ganglion.data.preprocessing import FilmPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.rules.losses import frame_cross_entropy
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Film, Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import SSIM, ssim
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import adapt, shrunk, sizes
from ganglion.tasks.shared.pictures.films import USUAL_RATE, AskedFilm, FilmForecaster, asked_films, lengths_of, size_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 10
"""Clips from which on whole clips are divided into parts; of fewer, their pieces are."""
SHOWN, FILMED = 3, 4
"""Test films in the figure of strips, and in the film."""
MOST_FITTED = 400
"""Training pieces by which it is found out how far to trust the last frame."""
TRUSTED = (*np.linspace(0, 0.9, 10).tolist(), 0.95, 0.98)
DIMMEST = 1e-3
"""Least probability of a bright or of a dark pixel in a baseline."""

NATS = "in nats a frame: the sum over pixels of -log of the probability of what they are"
CROSS_ENTROPY = Measure(name="cross_entropy", higher_is_better=False, meaning=f"Surprise at the frames, {NATS}.")
LAST_FRAME = Measure(
    name="last_frame_cross_entropy",
    higher_is_better=False,
    meaning=f"The same of the last frame that was given, mixed with the mean frame as is best for each step, {NATS}.",
)
MEAN_FRAME = Measure(
    name="mean_frame_cross_entropy",
    higher_is_better=False,
    meaning=f"The same of the mean of all training frames, {NATS}.",
)
SQUARED_ERROR = Measure(
    name="squared_error",
    higher_is_better=False,
    meaning="Sum over the pixels of a frame of the squared difference, black being 0 and white 1.",
)


@settings
class Predict:
    """Go on with clips, from their last frames."""

    inputs: Given
    """Animated GIF, WebP or PNG files, videos, folders of frames or of clips, NPZ files, or arrays of frames."""
    frames: Annotated[int, at_least(1)] | None = None
    """Frames to forecast; as many as in training when not given."""
    whole: bool = False
    """Begin with the frames that were given."""


@final
class FilmForecasting(Task):
    """Films of which the last frames are forecast from the first, judged by the cross-entropy of a frame.

    Longer clips are cut into pieces. Beside the score stand the last frame that was given, which is trusted the less
    the further ahead it stands for, and the mean of all training frames.
    """

    name = "film_forecasting"
    reads = ("films",)
    takes = "films: a folder of clips or of folders of frames, or arrays (films, frames, height, width)"
    fields: ClassVar = {"inputs": ("films",)}
    measures = (CROSS_ENTROPY, SQUARED_ERROR, SSIM, LAST_FRAME, MEAN_FRAME)
    captions: ClassVar = {
        "forecast_strips": "Test films: the frames that were given and what followed, and below it what was forecast",
        "by_step": "Cross-entropy of a frame by how far ahead it is, beside the last frame and the mean frame",
        "film": "Test films: what is given and what follows, above; what was given and what is forecast, below",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} CLIP --out next.gif"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        length, notes = config.input_frames + config.output_frames, []
        longest = max(lengths_of(dataset.inputs))
        if longest < length:
            raise DataError(
                "these films are too short",
                where=dataset.source or dataset.name,
                expected=f"at least {length} frames: {config.input_frames} to read, {config.output_frames} to forecast",
                found=f"{longest} frames at most",
                remedy="give longer films, or fewer frames with --input-frames and --output-frames",
            )
        if len(dataset) < FEW:
            dataset = _in_pieces(dataset, length)
            notes.append(f"few clips: their pieces of {length} frames are divided into the parts")
        height, width, channels = size_of(dataset)
        rows, columns = (
            max(1, round(side / config.patch_size)) * config.patch_size
            for side in shrunk((height, width), config.longest_side)
        )
        if (rows, columns) != (height, width):
            notes.append(f"frames of {width} x {height} are resized to {columns} x {rows} (--longest-side)")
        options = {"inputs": {"image_size": (rows, columns), "channels": channels}}
        data = cls.prepared(dataset, config, settings, seed, options)
        found = sizes(data.preprocessing)
        return cls(adapt(config, **found), data.preprocessing).holding(data, *notes)

    @property
    def films(self) -> FilmPreprocessing:
        films: FilmPreprocessing = self.preprocessing["inputs"]
        return films

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return InMemoryLoader(self._columns("train"), self.data.settings.batch_size, seed)

    def _columns(self, part: Part) -> dict[str, Tensor]:
        """Return the frames that are read and those that follow, (pieces, frames, channels, height, width) each."""
        given, ahead = self.config.input_frames, self.config.output_frames
        pieces = _pieces(self.data.raw(part).values, given + ahead)
        if not pieces:
            raise DataError(
                f"no film of the {part} part is long enough",
                expected=f"{given + ahead} frames",
                found=f"{max(lengths_of(self.data.raw(part).values))} at most",
                remedy="give longer films, or more of them",
            )
        films = torch.stack([self.films.frames(piece) for piece in pieces])
        return {"inputs": films[:, :given], "targets": films[:, given:]}

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the forecasts of a part; of the test part beside what the last frame and the mean frame come to."""
        columns = self._columns(part)
        found = _judged(ask(rule.home, columns["inputs"]), columns["targets"])
        if part == "test":
            last, mean = self._baselines(columns)
            found |= {
                LAST_FRAME.name: float(frame_cross_entropy(last, columns["targets"])),
                MEAN_FRAME.name: float(frame_cross_entropy(mean, columns["targets"])),
            }
        return found

    def baseline(self) -> dict[str, float]:
        """Return what the last frame scores on the test part."""
        columns = self._columns("test")
        return _judged(self._baselines(columns)[0], columns["targets"])

    def _baselines(self, columns: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits of the last frame given, mixed with the mean frame as is best in training, and of the mean."""
        known = {name: column[:MOST_FITTED] for name, column in self._columns("train").items()}
        mean = torch.cat([known["inputs"], known["targets"]], 1).mean((0, 1))  # (channels, height, width)
        logits = []
        for step in range(columns["targets"].shape[1]):
            truth = known["targets"][:, step : step + 1]
            errors = [frame_cross_entropy(_mixed(known["inputs"], mean, share), truth) for share in TRUSTED]
            logits.append(_mixed(columns["inputs"], mean, TRUSTED[int(torch.stack(errors).argmin())]))
        return torch.cat(logits, 1), _mixed(columns["targets"], mean, 0.0).expand_as(columns["targets"])

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        columns = self._columns("test")
        logits = ask(rule.home, columns["inputs"])
        every = {"network": logits, **dict(zip(("last frame", "mean frame"), self._baselines(columns), strict=True))}
        by_step = {name: _by_step(one, columns["targets"]) for name, one in every.items()}
        shown = evenly(len(logits), SHOWN)
        films = [
            {"film": self._bytes(film), "forecast": self._bytes(forecast.sigmoid())}
            for film, forecast in zip(torch.cat([*columns.values()], 1)[shown], logits[shown], strict=True)
        ]
        return {
            "forecast_strips": figures.forecast_strips(films, self.config.input_frames),
            "by_step": figures.by_frame(by_step, "Cross-entropy of the frames ahead", "frames ahead", "nats a frame"),
        }

    def moving(self, rule: LearningRule) -> dict[str, Film]:
        """Return a film of test films: the truth above, below it the forecast."""
        from ganglion.figures.images.labelled import labelled  # which draws letters with matplotlib

        columns = self._columns("test")
        shown = evenly(len(columns["inputs"]), FILMED)
        given, truth = columns["inputs"][shown], columns["targets"][shown]
        forecast = ask(rule.home, given).sigmoid()
        said = ["given"] * given.shape[1] + [f"forecast {step}" for step in range(1, truth.shape[1] + 1)]
        stacked = [
            np.concatenate([self._bytes(torch.cat([before, one])) for one in pair], axis=1)
            for before, *pair in zip(given, truth, forecast, strict=True)
        ]
        shares = np.linspace(0, 1, len(said)).tolist()
        film = np.concatenate([labelled(one, said, shares) for one in stacked], axis=2)
        return {"film": Film(film, min(self.data.raw("test").rate or USUAL_RATE, USUAL_RATE))}

    def _bytes(self, frames: Tensor) -> np.ndarray:
        """Return frames (frames, channels, height, width) as bytes (frames, height, width, channels)."""
        return self.films.inverse(frames)

    def predict(self, network: nn.Module, question: Predict) -> Film:
        """Return what follows each clip, clips side by side, each at its own size."""
        asked = asked_films(question.inputs)
        given, steps = self.config.input_frames, question.frames or self.config.output_frames
        assert isinstance(network, FilmForecaster)
        read = torch.stack([self.films.frames(self._last(one, given)) for one in asked])
        forecasts = ask(network, read, by=lambda films: network.forecast(films, steps).sigmoid())
        films = []
        for one, forecast in zip(asked, forecasts, strict=True):
            height, width, _ = one.frames.shape[1:]
            own = self._bytes(interpolate(forecast, (height, width), mode="bilinear", antialias=True))
            channels = max(own.shape[-1], one.frames.shape[-1])
            parts = [self._last(one, given), own] if question.whole else [own]
            films.append(np.concatenate([np.broadcast_to(part, (*part.shape[:3], channels)) for part in parts]))
        film = _side_by_side(films)
        names = [f"{number:04}" for number in range(1, len(film) + 1)]
        return Film(film, asked[0].rate, also=(Images(film, names, columns=steps),))

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return the last frames of a clip as the network reads them, and their numbers from the end."""
        (one, *_) = asked_films([source])
        given = self.config.input_frames
        return self.films.frames(self._last(one, given))[None], [str(place - given) for place in range(given)]

    @staticmethod
    def _last(one: AskedFilm, count: int) -> np.ndarray:
        if len(one.frames) < count:
            raise DataError(
                "this clip is too short to go on with",
                where=str(one.name.get("input", "inputs")),
                expected=f"at least {count} frames",
                found=f"{len(one.frames)}",
                remedy="give a longer one",
            )
        return one.frames[-count:]


def _pieces(films: Values, length: int) -> list[np.ndarray]:
    """Return films (frames, height, width, channels) in pieces of a length, one after the other; the rest is left."""
    return [
        np.asarray(film[start : start + length]) for film in films for start in range(0, len(film) - length + 1, length)
    ]


def _in_pieces(dataset: Dataset, length: int) -> Dataset:
    """Return the pieces of films as films."""

    def cut(fields: Mapping[str, Field]) -> dict[str, Field]:
        values = _pieces(fields["inputs"].values, length)
        return {"inputs": replace(fields["inputs"], values=values)} if values else {}

    tested = cut(dataset.test_fields) if dataset.test_fields else {}
    return replace(dataset, fields=cut(dataset.fields), test_fields=tested)


def _mixed(inputs: Tensor, mean: Tensor, share: float) -> Tensor:
    """Return logits (films, 1, channels, height, width) of the last of some frames, trusted by a share."""
    return (share * inputs[:, -1:] + (1 - share) * mean).clamp(DIMMEST, 1 - DIMMEST).logit()


def _judged(logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Return what is measured of forecasts (films, frames, channels, height, width)."""
    forecast = logits.sigmoid()
    return {
        CROSS_ENTROPY.name: float(frame_cross_entropy(logits, targets)),
        SQUARED_ERROR.name: float((forecast - targets).square().sum((2, 3, 4)).mean()),
        SSIM.name: float(ssim(forecast.flatten(0, 1), targets.flatten(0, 1)).mean()),
    }


def _by_step(logits: Tensor, targets: Tensor) -> np.ndarray:
    """Return the cross-entropy of each frame ahead (frames,)."""
    pairs = zip(logits.split(1, 1), targets.split(1, 1), strict=True)
    return np.array([float(frame_cross_entropy(*pair)) for pair in pairs])


def _side_by_side(films: Sequence[np.ndarray]) -> np.ndarray:
    """Return films (frames, height, width, channels) of one number of frames beside each other, on black."""
    if len(films) == 1:
        return films[0]
    height, channels = (max(film.shape[axis] for film in films) for axis in (1, 3))
    parts = []
    for film in films:
        wide = np.broadcast_to(film, (*film.shape[:3], channels))
        parts.append(np.pad(wide, ((0, 0), (0, height - film.shape[1]), (0, 0), (0, 0))))
    return np.concatenate(parts, axis=2)


TASK = FilmForecasting
