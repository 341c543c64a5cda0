"""What tasks answer: rows, pictures, text, sound, drawings or a film, as plain values that know no file or terminal.

The command line prints them or writes them to files, Python gets their `value`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np


@final
@dataclass(frozen=True)
class Rows:
    """A table: one row for each thing that was asked about, each a mapping of names to values.

    >>> Rows([{"input": "cat.png", "label": "cat"}]).value
    [{'input': 'cat.png', 'label': 'cat'}]
    """

    rows: Sequence[Mapping[str, Any]]
    totals: Mapping[str, Any] = field(default_factory=dict)
    """What holds for all rows together, such as their mean."""
    notes: tuple[str, ...] = ()
    """What the user should know beside the answer; so in the other kinds."""
    also: tuple["Answer", ...] = ()
    """The answer in other forms; a file to write takes the first form that its ending fits. So in the other kinds."""
    beside: Sequence[Mapping[str, Any]] = ()
    """What a file of the answers holds before each row instead of its name: the user's own columns."""

    @property
    def value(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.rows]


@final
@dataclass(frozen=True)
class Images:
    """Pictures, uint8 `(count, height, width, channels)`, or as many of different sizes `(height, width, channels)`.

    Channels are 1 for grey or 3 for colour, and one more where pictures are partly transparent.

    >>> Images(np.zeros((2, 4, 4, 1), dtype=np.uint8), ["0000-seed0", "0001-seed0"]).value.shape
    (2, 4, 4, 1)
    """

    pixels: np.ndarray | Sequence[np.ndarray]
    names: Sequence[str]
    """What each picture is called, in the name of its file or above it on a sheet."""
    rows: Sequence[Mapping[str, Any]] = ()
    """What is known of each picture beside its pixels."""
    title: str = ""
    columns: int | None = None
    """Pictures in a row of a sheet; as many as make it square if not given."""
    groups: Sequence[str] = ()
    """Folder of each picture below that which they are written to, such as its class; none if not given."""
    kept: Sequence[Mapping[str, bytes]] = ()
    """What the file of each picture holds beside its pixels, `icc_profile` and `exif`; nothing if not given."""
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> "np.ndarray | list[np.ndarray]":
        same = len({picture.shape for picture in self.pixels}) == 1
        return np.stack(list(self.pixels)) if same else list(self.pixels)


@final
@dataclass(frozen=True)
class Text:
    """A text.

    >>> Text("Once upon a time").value
    'Once upon a time'
    """

    text: str
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> str:
        return self.text


@final
@dataclass(frozen=True)
class Sound:
    """A sound, float `(time,)` or `(time, channels)` from -1 to 1."""

    samples: np.ndarray
    rate: int
    """Samples a second."""
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> tuple[np.ndarray, int]:
        return self.samples, self.rate


@final
@dataclass(frozen=True)
class Strokes:
    """Drawings made of lines, each drawing some arrays of points `(points, 2)`, x to the right and y downwards."""

    drawings: Sequence[Sequence[np.ndarray]]
    names: Sequence[str]
    """What each drawing is called, in the name of its file or above it on a sheet."""
    rows: Sequence[Mapping[str, Any]] = ()
    """What is known of each drawing beside its lines."""
    given: Sequence[int] = ()
    """Lines at the beginning of each drawing that somebody else had drawn; none if not given."""
    columns: int | None = None
    """Drawings in a row of a page; as many as make it square if not given."""
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> list[list[np.ndarray]]:
        return [list(drawing) for drawing in self.drawings]


@final
@dataclass(frozen=True)
class Film:
    """Moving pictures, uint8 `(time, height, width, channels)`."""

    frames: np.ndarray
    rate: float
    """Pictures a second."""
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> tuple[np.ndarray, float]:
        return self.frames, self.rate


@final
@dataclass(frozen=True)
class Binary:
    """The bytes of a file of a format of its own: a compressed picture, notes of music."""

    content: bytes
    ending: str
    """With its dot."""
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> bytes:
        return self.content


@final
@dataclass(frozen=True)
class Binaries:
    """The bytes of several files of a format of its own, for a folder."""

    contents: Sequence[bytes]
    names: Sequence[str]
    """What each is called, without its ending."""
    ending: str
    """With its dot."""
    rows: Sequence[Mapping[str, Any]] = ()
    """What is known of each."""
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> list[bytes]:
        return list(self.contents)


@final
@dataclass(frozen=True)
class Arrays:
    """Numbers by their names, for other programs."""

    arrays: Mapping[str, np.ndarray]
    notes: tuple[str, ...] = ()
    also: tuple["Answer", ...] = ()

    @property
    def value(self) -> dict[str, np.ndarray]:
        return dict(self.arrays)


Answer = Arrays | Rows | Images | Text | Sound | Strokes | Film | Binary | Binaries
