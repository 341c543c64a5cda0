"""Fields: what the samples of a data set consist of. A field has a kind, which says what its raw values look like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from ganglion.data.mixed_rows import MixedRows
from ganglion.errors import DataError

FieldKind = Literal[
    "images",
    "masks",
    "boxes",
    "classes",
    "labels",
    "values",
    "rows",
    "ratings",
    "text",
    "texts",
    "tokens",
    "tagged",
    "waveforms",
    "strokes",
    "films",
    "step-classes",
    "series",
    "short-series",
    "panel",
    "weights",
]
"""What the raw values of a field are; `FORMS` says the form of each."""

RUNNING: tuple[FieldKind, ...] = ("text", "series", "panel")
"""Kinds that are cut in their own order, each sample of them, instead of being divided sample by sample."""

UNJUDGED = -100
"""Class of a pixel or of a step that is not judged: what pads a batch, what is of no class."""

Values = np.ndarray | Sequence
"""One raw value for each sample."""


class Boxes(NamedTuple):
    """The boxes of one image, in its pixels, and what is in each."""

    corners: np.ndarray
    """Left, top, right and bottom edge `(boxes, 4)`; the right and bottom edges lie outside."""
    classes: np.ndarray
    """Class numbers `(boxes,)`."""
    image_size: tuple[int, int]
    """Height and width of the image."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One part of all samples, raw as it was read: their images, their classes, their texts.

    >>> field = Field(kind="classes", values=np.array([0, 1, 1]), names=("cat", "dog"))
    >>> len(field), int(field[1]), field.take(np.array([2, 0])).values.tolist()
    (3, 1, [1, 0])
    """

    kind: FieldKind
    values: Values
    """A value for each sample, in the form that `FORMS` gives for the kind; or one long value for a running kind."""
    names: tuple[str, ...] = ()
    """What the classes of classes, masks and boxes are called, or the columns of rows, values, series and panels."""
    called: str = ""
    """What the data itself calls this field: the column of a table, the folder of files."""
    pixels: tuple[float, float] | None = None
    """What was black and white in the files or arrays that images came from; None where that is not known."""
    rate: int = 0
    """Amplitudes a second of waveforms, frames a second of films; 0 where unknown."""
    paired: bool = True
    """Whether value i belongs to value i of the other fields. A field without pairs has its own length and order."""

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: int) -> Any:
        """Return the raw value of one sample."""
        return self.values[place]

    @property
    def is_running(self) -> bool:
        return self.kind in RUNNING

    @property
    def in_files(self) -> bool:
        """Whether the values stay in their files until somebody asks for them."""
        return not isinstance(self.values, np.ndarray | list | tuple | MixedRows)

    def take(self, places: np.ndarray) -> "Field":
        """Return the field of the samples at some places `(samples,)`, in their order."""
        if isinstance(self.values, np.ndarray | MixedRows):
            return replace(self, values=self.values[places])
        if self.in_files:
            return replace(self, values=self.values.take(places))  # type: ignore[attr-defined]
        return replace(self, values=[self.values[place] for place in places.tolist()])

    def refuse_unfit(self, where: str) -> None:
        """Raise `DataError` where the values have not the form of their kind."""
        if self.kind not in FORMS:
            raise DataError("this is no kind of field", where=where, expected=", ".join(FORMS), found=str(self.kind))
        if self.in_files:
            return  # Their reader has looked at them.
        form = FORMS[self.kind]
        whole = isinstance(self.values, np.ndarray | MixedRows)
        if whole and (self.values.dtype != object or form.fits_sample is None):  # type: ignore[union-attr]
            fits = form.fits_array(self.values)
        else:
            fits = form.fits_sample is not None and all(map(form.fits_sample, self.values))
        if not fits:
            raise DataError(
                f"these are no {self.kind}", where=where, expected=form.words, found=_described(self.values)
            )


def _described(values: Values) -> str:
    if isinstance(values, np.ndarray | MixedRows):
        return f"{values.dtype} of shape {values.shape}"
    kinds = dict.fromkeys(type(value).__name__ for value in values)
    return f"{len(values)} values of type {', '.join(kinds)}" if kinds else "nothing"


Fits = Callable[[Any], bool]


def _array(kinds: str, *axes: int) -> Fits:
    """Return the test for an array of numbers of some kinds with one of these numbers of axes."""
    return lambda value: isinstance(value, np.ndarray | MixedRows) and value.dtype.kind in kinds and value.ndim in axes


def _image(value: Any) -> bool:
    return _array("iufb", 2, 3)(value) and (value.ndim == 2 or value.shape[-1] in (1, 3))


def _boxes(value: Any) -> bool:
    return isinstance(value, Boxes) and value.corners.shape == (len(value.classes), 4) and value.classes.ndim == 1


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _pairs(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value)


def _never(value: Any) -> bool:
    return False


class Form(NamedTuple):
    """What raw values of a kind look like."""

    words: str
    """To be read after "expected"."""
    fits_array: Fits
    """Judges one array of all samples."""
    fits_sample: Fits | None
    """Judges one sample, where samples may differ in size; None where they are always one array."""


FORMS: dict[FieldKind, Form] = {
    "images": Form(
        "images (samples, height, width) or (samples, height, width, 1 or 3), or one such image for each sample",
        lambda value: _array("iufb", 3, 4)(value) and (value.ndim == 3 or value.shape[-1] in (1, 3)),
        _image,
    ),
    "masks": Form(
        "class numbers of pixels (samples, height, width), or one such mask for each sample",
        _array("iub", 3),
        _array("iub", 2),
    ),
    "boxes": Form("a `Boxes` for each sample", _never, _boxes),
    "classes": Form("class numbers (samples,) as whole numbers", _array("iu", 1), None),
    "labels": Form(
        "which of several labels hold (samples, labels), as truth values or 0 and 1", _array("iub", 2), None
    ),
    "values": Form("numbers (samples,) or (samples, outputs)", _array("iufb", 1, 2), None),
    "rows": Form(
        "rows (samples, columns) of numbers, or of objects where some columns are text", _array("iufbO", 2), None
    ),
    "ratings": Form("numbers on a scale (samples,)", _array("iuf", 1), None),
    "text": Form("a list of one long text", _array("U", 1), _text),
    "texts": Form("a text for each sample", _array("U", 1), _text),
    "tokens": Form("whole numbers (tokens,) for each sample", _array("iu", 2), _array("iu", 1)),
    "tagged": Form("pairs of a token and its tag for each sample", _never, _pairs),
    "waveforms": Form(
        "amplitudes (time,) or (time, channels) for each sample", _array("iuf", 2, 3), _array("iuf", 1, 2)
    ),
    "strokes": Form(
        "rows of across, down, pen lifted (points, 3) for each sample",
        _never,
        lambda value: _array("iuf", 2)(value) and value.shape[1] == 3,
    ),
    "films": Form(
        "frames (frames, height, width, 1 or 3) for each sample",
        _array("iuf", 5),
        lambda value: _array("iuf", 4)(value) and value.shape[-1] in (1, 3),
    ),
    "step-classes": Form("class numbers (steps,) for each sample as whole numbers", _array("iu", 2), _array("iu", 1)),
    "series": Form("numbers (time, columns)", _array("iufb", 2), None),
    "short-series": Form("numbers (samples, steps, channels), many series of one length", _array("iufb", 3), None),
    "panel": Form("numbers (time, columns) for each of several series", _array("iuf", 3), _array("iuf", 2)),
    "weights": Form("numbers (samples,)", _array("iuf", 1), None),
}
"""What the raw values of each kind are."""
