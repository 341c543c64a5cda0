"""Films that a user asks about, each with its name; and how films come to the form that a network watches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Values
from ganglion.data.formats.films.arrays import films_of_arrays
from ganglion.data.formats.films.clips import Clip
from ganglion.data.formats.films.folders import find_clips, read_clips
from ganglion.data.formats.npz import read_array
from ganglion.errors import DataError
from ganglion.figures.images.pixels import to_bytes
from ganglion.tasks.shared.inputs import ARRAYS, existing

USUAL_RATE = 8.0
"""Frames a second of films that do not say it."""


@runtime_checkable
class Watcher(Protocol):
    """A network that says after each frame of a film what it takes it for."""

    def at_every_frame(self, films: Tensor) -> Tensor:
        """Return logits `(batch, frames, classes)` of films `(batch, frames, channels, height, width)`."""


@runtime_checkable
class FilmForecaster(Protocol):
    """A network that goes on with films."""

    def forecast(self, films: Tensor, steps: int) -> Tensor:
        """Return logits of the pixels of the frames that follow, `(batch, steps, channels, height, width)`."""


@dataclass(frozen=True)
class AskedFilm:
    """A clip that a user asks about."""

    clip: Clip
    name: Mapping[str, Any]
    """Its file and, of an array of films, its row."""

    @property
    def title(self) -> str:
        """What a file made of it is called."""
        stem = Path(str(self.name.get("input", "film"))).stem
        return f"{stem}-{self.name['row']}" if "row" in self.name else stem

    @property
    def rate(self) -> float:
        return self.clip.rate or USUAL_RATE

    @property
    def frames(self) -> np.ndarray:
        """Bytes (frames, height, width, 1 or 3)."""
        return self.clip.frames


def asked_films(inputs: Sequence[Any]) -> list[AskedFilm]:
    """Return the films of files and folders, or of arrays (frames, height, width), maybe with channels.

    Raises `DataError` for what is no film.
    """
    if not all(isinstance(item, str | Path) for item in inputs):
        return [AskedFilm(Clip(_film(np.asarray(item), "inputs")), {}) for item in inputs]
    asked: list[AskedFilm] = []
    for path in map(existing, inputs):
        if path.suffix.lower() in ARRAYS:
            films = _values(read_array(path), str(path))
            asked += [AskedFilm(Clip(film), {"input": str(path), "row": row}) for row, film in enumerate(films, 1)]
            continue
        paths = find_clips(path) if path.is_dir() else [path]
        if not paths:
            raise DataError("there are no films in this folder", where=str(path), expected="clips or folders of frames")
        asked += [AskedFilm(clip, {"input": str(one)}) for one, clip in zip(paths, read_clips(paths), strict=True)]
    return asked


def _film(frames: np.ndarray, where: str) -> np.ndarray:
    """Return one film as bytes (frames, height, width, channels)."""
    film: np.ndarray = _values(frames[None], where)[0]
    return film


def _values(films: np.ndarray, where: str) -> np.ndarray:
    """Return films as bytes (films, frames, height, width, channels)."""
    values = np.asarray(films_of_arrays(films, name="films", source=where).inputs)
    return (
        values
        if values.dtype == np.uint8
        else to_bytes(values.reshape(-1, *values.shape[2:])).reshape(*values.shape[:-1], 3)
    )


def lengths_of(films: Values) -> list[int]:
    """Return the frames of each film."""
    return [len(film) for film in films]


def size_of(dataset: Dataset) -> tuple[int, int, int]:
    """Return height, width and channels that hold the films of a data set: those of the first, colour if any has it."""
    films = dataset.fields["inputs"].values
    height, width = films[0].shape[1:3]
    return height, width, max(film.shape[-1] for film in films)
