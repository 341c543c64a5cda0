"""What a user asks about, as raw samples each of which has a name: its file, its row, its id."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.formats.asked_rows import read_rows
from ganglion.data.formats.images.files import decode, in_threads, picture_files, read_header
from ganglion.data.formats.images.photographs import Photograph, read_photograph
from ganglion.data.formats.npz import read_array
from ganglion.data.formats.tables import SUFFIXES
from ganglion.data.formats.text import read_text
from ganglion.data.pixels import BYTES, Range, asked_pixels
from ganglion.data.preprocessing import ImagePreprocessing, ShortSeriesPreprocessing, TabularPreprocessing, read_inputs
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, ShapeError
from ganglion.files import named
from ganglion.tasks.answers import Rows
from ganglion.tasks.questions import Said

ARRAYS = (".npz", ".npy")
TEXT_FILES = (".txt", ".md", ".json", ".jsonl", *SUFFIXES)
"""Endings by which a word that names nothing is a file that is missing, and no text."""

FAR = 4.0
"""Deviations of the training pictures' brightness from which on a picture is far from them."""
SLIGHT = 0.1

Name = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """Raw samples, and what each is called: nothing for arrays, whose order tells."""

    samples: Any
    names: Sequence[Name]
    own: Sequence[Name] = ()
    """All that stood beside each sample in its file, for a file of answers."""
    notes: tuple[str, ...] = ()
    """What the user should know of how the samples were read."""

    def name(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return one row of an answer for each sample, with the sample's name before it."""
        return [{**name, **row} for name, row in zip(self.names, rows, strict=True)]

    @property
    def titles(self) -> list[str]:
        """Return what a picture made of each sample is called: after its file, all different."""
        names = [_title(name) for name in self.names]
        same = len(set(names)) < len(names)
        return [f"{number:04}-{name}" for number, name in enumerate(names, 1)] if same else names

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Return an answer of one row for each sample, with all that is known of the samples."""
        return Rows(self.name(rows), notes=self.notes, beside=self.own)


def _title(name: Name) -> str:
    """Return what to call the answer for a file, a row of a file, or an array."""
    stem = Path(name.get("input", "picture")).stem
    return f"{stem}-{name['row']}" if "row" in name else stem


@final
@dataclass(frozen=True)
class Read(Sequence):
    """What a user asks about, read and prepared before a network is asked: `asked` gives it back as it is."""

    found: Asked
    prepared: Tensor
    """`(samples, ...)`."""

    def __len__(self) -> int:
        return len(self.prepared)

    def __getitem__(self, place: Any) -> Any:
        return self.prepared[place]

    @classmethod
    def joined(cls, parts: "Sequence[Read]") -> "Read":
        """Return several, whose samples have one shape, as one, without what is known of each as a whole."""
        names = [name for part in parts for name in part.found.names]
        return cls(Asked((), names), torch.cat([part.prepared for part in parts]))


def asked(
    inputs: Sequence[Any],
    preprocessing: ImagePreprocessing | TabularPreprocessing | ShortSeriesPreprocessing,
    settings: DataSettings | None = None,
) -> tuple[Asked, Tensor]:
    """Return what a user asks about, raw images or rows with their names, and the same prepared `(samples, ...)`.

    Args:
        settings: What the user said of the training data, by which tables are read.
    """
    if isinstance(inputs, Read):
        return inputs.found, inputs.prepared
    if isinstance(preprocessing, TabularPreprocessing | ShortSeriesPreprocessing):
        found = raw(inputs, preprocessing, settings=settings)
        return found, preprocessing(found.samples)
    found = raw(inputs, pictures=preprocessing)
    prepared = preprocessing(found.samples)
    return replace(found, notes=(*found.notes, *far_from_training(prepared, preprocessing))), prepared


def far_from_training(prepared: Tensor, preprocessing: ImagePreprocessing) -> tuple[str, ...]:
    """Return a warning where pictures `(samples, ...)` are far brighter or darker than those of training, and why."""
    if preprocessing.brightness is None or not len(prepared):
        return ()
    usual, spread = preprocessing.brightness
    found = preprocessing.brightness_in(prepared)
    margin = FAR * spread + SLIGHT
    far = np.abs(found - usual) > margin
    if not far.any():
        return ()
    mean = float(found[far].mean())
    reason = "black and white seem to be exchanged" if abs(1 - mean - usual) <= margin else "answers may be wrong"
    return (
        f"{int(far.sum())} of {len(found)} pictures are far {'brighter' if mean > usual else 'darker'} than those of "
        f"training (mean {mean:.2f}, there {usual:.2f} ± {spread:.2f}): {reason}",
    )


def raw(
    inputs: Sequence[Any],
    table: TabularPreprocessing | ShortSeriesPreprocessing | None = None,
    pictures: ImagePreprocessing | None = None,
    settings: DataSettings | None = None,
    whole: bool = False,
) -> Asked:
    """Return what a user asks about: the contents of files and folders, or arrays as they are.

    Args:
        table: whose columns rows are wanted in; images are read where there is none.
        pictures: for which images, in files or as bytes, are decoded one by one, on its scale, no larger than needed.
        settings: What the user said of the training data, by which tables are read.
        whole: Pictures keep their size.
    """
    if all(isinstance(item, str | Path) for item in inputs):
        paths = [existing(item) for item in inputs]
        found = _images(paths, pictures, whole) if table is None else _rows(paths, table, settings)
        if not found.names:
            raise DataError(
                "there is nothing to answer for", where=str(inputs[0]), expected="at least one sample", found="none"
            )
        return found
    if pictures is not None and all(isinstance(item, bytes) for item in inputs):
        return Asked(Pictures(inputs, pictures, whole), [{}] * len(inputs))
    if pictures is not None:
        return Asked([asked_pixels(np.asarray(item), pictures.pixels) for item in inputs], [{}] * len(inputs))
    if isinstance(inputs, np.ndarray):
        return Asked(inputs, [{}] * len(inputs))
    samples = list(inputs) if table is None else np.stack([np.asarray(item) for item in inputs])
    return Asked(samples, [{}] * len(inputs))


def asked_series(inputs: Sequence[Any], columns: Sequence[str], settings: DataSettings) -> np.ndarray:
    """Return one long series that a user asks about, (steps, columns): what stands in files, or numbers as they are."""
    if all(isinstance(item, str | PathLike) for item in inputs):
        return read_inputs(inputs, "series", columns, settings).astype(np.float64)
    return np.asarray(inputs, dtype=np.float64).reshape(-1, len(columns))


def own_size(name: Name, size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of a picture in its file, which may have been made smaller as it was decoded.

    Args:
        name: what the picture is called.
        size: height and width that it was decoded at, which are those of what stands in no file of its own.
    """
    if "input" not in name or "row" in name:
        return size
    header = read_header(Path(name["input"]))
    return header.height, header.width


def photographs(inputs: Sequence[Any], pixels: Range = BYTES) -> Asked:
    """Return pictures that a user asks about as `Photograph`s, with what their files hold beside the colours.

    Args:
        pixels: what was black and white where the network learnt; pictures of more than bytes are read on that scale.
    """
    found = _photographs(inputs, raw=pixels != BYTES)
    if pixels == BYTES:
        return found
    return replace(found, samples=[replace(one, pixels=asked_pixels(one.pixels, pixels)) for one in found.samples])


def _photographs(inputs: Sequence[Any], raw: bool) -> Asked:
    if not all(isinstance(item, str | Path) for item in inputs):
        return Asked([Photograph(_in_channels(np.asarray(item))) for item in inputs], [{}] * len(inputs))
    samples: list[Photograph] = []
    names: list[Name] = []
    for path in map(existing, inputs):
        if path.suffix.lower() in ARRAYS:
            arrays = _pictures_in(path)
            samples += [Photograph(_in_channels(array)) for array in arrays]
            names += [{"input": str(path), "row": row} for row in range(1, len(arrays) + 1)]
        else:
            files = picture_files([path])
            samples += in_threads(partial(read_photograph, raw=raw), files, together=1)
            names += [{"input": str(file)} for file in files]
    return Asked(samples, names)


def _pictures_in(path: Path) -> np.ndarray:
    """Return the pictures of a file of arrays `(count, height, width[, channels])`; raise `ShapeError` for others."""
    arrays = read_array(path)
    if arrays.ndim not in (3, 4):
        expected = "(count, height, width) or (count, height, width, channels)"
        raise ShapeError("these are no pictures", where=str(path), expected=expected, found=str(arrays.shape))
    return arrays


def _in_channels(image: np.ndarray) -> np.ndarray:
    """Return an array as a picture `(height, width, channels)`; raise `ShapeError` where it is none."""
    picture = image[..., None] if image.ndim == 2 else image
    if picture.ndim != 3 or picture.shape[2] not in (1, 3) or not picture.size:
        raise ShapeError(
            "this is no picture",
            expected="(height, width) or (height, width, channels) with 1 or 3 channels",
            found=str(image.shape),
        )
    return picture


def existing(item: str | Path) -> Path:
    """Return a path; raise `DataError` where there is nothing."""
    if not named(item).exists():
        raise DataError("this file does not exist", where=str(item), remedy="give files that exist")
    return Path(item)


def named_texts(inputs: Sequence[Any], read: Callable[[Path], Sequence[tuple[int, str]]]) -> list[tuple[Name, str]]:
    """Return texts with their names: those of files, which `read` gives with the numbers of their rows, or as they are.

    A text that is given as it is has no name but itself.
    """
    found: list[tuple[Name, str]] = []
    for item in inputs:
        if isinstance(item, Path) or (not isinstance(item, Said) and _is_file(str(item))):
            numbered = read(existing(item))
            several = len(numbered) > 1
            found += [({"input": str(item), **({"row": row} if several else {})}, text) for row, text in numbered]
        else:
            found.append(({}, str(item)))
    return found


def whole_text(source: Any, settings: DataSettings) -> str:
    """Return a text as it is, or that of a file."""
    ((_, text),) = named_texts([source], lambda path: [(1, read_text(path, settings.encoding))])
    return text


def _is_file(text: str) -> bool:
    """Whether a text is the path of a file; raise `DataError` for what can only be the path of one that is missing."""
    try:
        if Path(text).is_file():
            return True
    except (OSError, ValueError):  # too long for a name, or with signs that no name has
        return False
    if text.lower().endswith(TEXT_FILES) and len(text.split()) == 1:
        raise DataError("this file does not exist", where=text, remedy="give files that exist, or texts")
    return False


@dataclass(frozen=True)
class Pictures(Sequence):
    """Pictures in files, as bytes of such or as arrays, decoded one by one when they are asked for, a few at a time."""

    sources: Sequence[Path | bytes | np.ndarray]
    preprocessing: ImagePreprocessing
    whole: bool = False
    """Whether they are decoded at their own size, and not only at the size that the network sees."""

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, place: Any) -> Any:
        return self._decoded(self.sources[place])

    def __iter__(self) -> Iterator[np.ndarray]:
        if len(self.sources) == 1:  # threads would take longer
            return map(self._decoded, self.sources)
        return in_threads(self._decoded, self.sources, together=1)

    def _decoded(self, source: Path | bytes | np.ndarray) -> np.ndarray:
        if isinstance(source, np.ndarray):
            return asked_pixels(source, self.preprocessing.pixels)
        image = decode(source, raw=True, shown_at=None if self.whole else self.preprocessing.size)
        where = "" if isinstance(source, bytes) else str(source)
        return asked_pixels(image, self.preprocessing.pixels, where)


def _images(paths: Sequence[Path], pictures: ImagePreprocessing | None = None, whole: bool = False) -> Asked:
    samples: list[Any] = []
    names: list[Name] = []
    for path in paths:
        if path.suffix.lower() in ARRAYS:
            arrays = _pictures_in(path)
            samples += list(arrays)
            names += [{"input": str(path), "row": row} for row in range(1, len(arrays) + 1)]
        else:
            files = picture_files([path])
            samples += files if pictures is not None else in_threads(decode, files)
            names += [{"input": str(file)} for file in files]
    if pictures is not None:
        return Asked(Pictures(samples, pictures, whole), names)
    same = len({sample.shape for sample in samples}) == 1
    return Asked(np.stack(samples) if same else samples, names)


def _rows(
    paths: Sequence[Path], preprocessing: TabularPreprocessing | ShortSeriesPreprocessing, settings: DataSettings | None
) -> Asked:
    """Return the rows of files in the order of the network's columns, each named by its file, its place and its id."""
    found = [read_rows(path, preprocessing.columns, preprocessing.categories, settings) for path in paths]
    parts = [one.rows for one in found]
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = ", ".join(f"{part.shape[1:]} in {path.name}" for part, path in zip(parts, paths, strict=True))
        raise ShapeError("these files hold rows of different shapes", found=shapes, remedy="ask about one at a time")
    names: list[Name] = []
    for path, one in zip(paths, found, strict=True):
        for number in range(len(one.rows)):
            name: dict[str, Any] = {"input": str(path), "row": number + 1}
            names.append(name if one.ids is None else name | {"id": one.ids[number]})
    if len(names) == len(paths):  # a row each: the file says it
        names = [{key: name[key] for key in name if key != "row"} for name in names]
    own = [row for one in found for row in one.own]
    notes = [note for one in found for note in one.notes]
    return Asked(np.concatenate(parts), names, own if len(own) == len(names) else (), tuple(notes))
