"""Raw samples to float tensors: fitted on the training part, saved with the run, applied to whatever is asked later."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.errors import ConfigurationError, DataError, ShapeError
from ganglion.files import named

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey, ITU-R BT.601."""
LARGEST = float(np.finfo(np.float32).max)
CHUNK = 1024
"""Images converted at a time, so that a large set needs little memory beside its result."""


@final
@dataclass(frozen=True, kw_only=True)
class ImagePreprocessing:
    """Images of any size, grey or colour, as `(samples, channels, height, width)` in a range.

    `x' = low + (high - low) x / 255`, after resizing (bilinear, smoothed where the image shrinks) and after grey
    became colour or colour grey. Nothing is fitted but the shape that is left open.

    >>> ImagePreprocessing(image_size=32, channels=1)(np.zeros((5, 28, 28, 3), dtype=np.uint8)).shape
    torch.Size([5, 1, 32, 32])
    """

    image_size: int | tuple[int, int]
    """Side of the square, or height and width."""
    channels: int
    """1 is grey, 3 is colour."""
    low: float = 0.0
    """What black becomes."""
    high: float = 1.0
    """What white becomes."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ConfigurationError("images have 1 or 3 channels", found=str(self.channels))

    @classmethod
    def fit(
        cls,
        images: np.ndarray | Sequence,
        *,
        image_size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        low: float = 0.0,
        high: float = 1.0,
    ) -> Self:
        """Keep the size and channels of `images` where none are given."""
        first = _with_channels(np.asarray(images[0]))
        return cls(
            image_size=(first.shape[0], first.shape[1]) if image_size is None else image_size,
            channels=(1 if first.shape[2] == 1 else 3) if channels is None else channels,
            low=low,
            high=high,
        )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.image_size if isinstance(self.image_size, tuple) else (self.image_size, self.image_size)

    def __call__(self, raw: np.ndarray | Sequence) -> Tensor:
        """Convert images `(samples, height, width[, channels])`, or a sequence of images of different sizes.

        Whole numbers are taken as 0 to 255, fractions as 0 to 1.
        """
        if isinstance(raw, np.ndarray) and raw.dtype != object:
            if raw.ndim not in (3, 4):
                raise ShapeError(
                    "these are not images",
                    expected="(samples, height, width) or (samples, height, width, channels)",
                    found=str(raw.shape),
                )
            images = raw[..., None] if raw.ndim == 3 else raw
            chunks = [self._convert(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
        else:
            chunks = [self._convert(_with_channels(np.asarray(image))[None]) for image in raw]
        return torch.cat(chunks) if chunks else torch.empty(0, self.channels, *self.size)

    def inverse(self, images: Tensor) -> np.ndarray:
        """Return uint8 images `(samples, height, width, channels)` of network outputs, clipped to black and white."""
        pixels = (images.detach().float().cpu() - self.low) / (self.high - self.low) * 255
        return pixels.round().clamp(0, 255).to(torch.uint8).movedim(1, 3).numpy()

    def _convert(self, raw: np.ndarray) -> Tensor:
        images = torch.from_numpy(_as_fractions(raw)).movedim(3, 1)
        if images.shape[1] == 3 and self.channels == 1:
            images = (images * torch.tensor(LUMA).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
        elif images.shape[1] == 1 and self.channels == 3:
            images = images.expand(-1, 3, -1, -1)
        elif images.shape[1] != self.channels:
            raise ShapeError("images have 1 or 3 channels", found=str(images.shape[1]))
        if images.shape[2:] != self.size:
            images = functional.interpolate(images, self.size, mode="bilinear", antialias=True)
        return (self.low + (self.high - self.low) * images).contiguous()


def _as_fractions(raw: np.ndarray) -> np.ndarray:
    """Return pixels as float32 from 0 to 1."""
    if raw.dtype == np.uint8:
        return raw.astype(np.float32) / 255
    fractions = raw.dtype.kind == "f"
    largest = 1 if fractions else 255
    if raw.dtype.kind not in "iufb" or (raw.size and not (raw.min() >= 0 and raw.max() <= largest)):
        raise DataError(
            "these pixels are in no range that is understood",
            expected="whole numbers from 0 to 255 or fractions from 0 to 1",
            found=f"{raw.dtype} from {raw.min()} to {raw.max()}" if raw.dtype.kind in "iufb" else str(raw.dtype),
        )
    return raw.astype(np.float32) / largest


def _with_channels(image: np.ndarray) -> np.ndarray:
    """Return one image with a last axis of channels, which a grey image may lack."""
    return image[..., None] if image.ndim == 2 else image


@final
@dataclass(frozen=True, kw_only=True)
class TabularPreprocessing:
    """Rows as `(samples, features)`: numbers standardised, categories as one feature each.

    `x' = (x - mean) / deviation`, so a missing number, which becomes the mean, is 0; a constant column becomes 0. A
    category is 1 in its own feature; one that training did not have is 0 in all of them.

    >>> rows = np.array([[1.0, "red"], [3.0, "blue"]], dtype=object)
    >>> TabularPreprocessing.fit(rows)(np.array([[None, "blue"], [3.0, "green"]], dtype=object)).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """

    means: tuple[float, ...]
    """Mean of every numeric column over the training part; 0 for a column of categories."""
    deviations: tuple[float, ...]
    """Standard deviation likewise, 1 where it is nothing."""
    categories: tuple[tuple[str, ...], ...] = ()
    """The categories of every column, none for a numeric one."""
    columns: tuple[str, ...] = ()
    """Names of the columns, by which rows of a file are put in order."""

    @classmethod
    def fit(cls, rows: np.ndarray, columns: Sequence[str] = ()) -> Self:
        """Measure the training rows `(samples, columns)`, numeric or with text in some columns (dtype object)."""
        means, deviations, categories = [], [], []
        for column in np.asarray(rows).T:
            texts = () if rows.dtype != object else tuple(sorted({item for item in column if isinstance(item, str)}))
            mean, deviation = (0.0, 1.0) if texts else _moments(column)
            means.append(mean)
            deviations.append(deviation)
            categories.append(texts)
        return cls(
            means=tuple(means),
            deviations=tuple(deviations),
            categories=tuple(categories) if any(categories) else (),
            columns=tuple(columns),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """What the columns of the result are called: `age`, `colour=red`."""
        names = self.columns or tuple(f"column {number + 1}" for number in range(len(self.means)))
        kinds = self.categories or ((),) * len(self.means)
        return tuple(
            feature
            for name, texts in zip(names, kinds, strict=True)
            for feature in ([f"{name}={text}" for text in texts] if texts else [name])
        )

    def __call__(self, raw: np.ndarray | Sequence) -> Tensor:
        rows = np.asarray(raw) if isinstance(raw, np.ndarray) else np.asarray(raw, dtype=object)
        if rows.ndim != 2 or rows.shape[1] != len(self.means):
            raise ShapeError(
                "these rows do not have the columns of the training data",
                expected=f"{len(self.means)} columns" + (f": {', '.join(self.columns)}" if self.columns else ""),
                found=f"shape {rows.shape}",
            )
        if not self.categories:
            return _standardised(_numbers(rows, self.columns), self.means, self.deviations)
        parts = []
        names = self.columns or ("",) * len(self.means)
        kinds = zip(rows.T, names, self.categories, self.means, self.deviations, strict=True)
        for column, name, texts, mean, deviation in kinds:
            numbers = None if texts else _numbers(column[:, None], (name,))
            parts.append(_one_hot(column, texts) if numbers is None else _standardised(numbers, (mean,), (deviation,)))
        return torch.cat(parts, dim=1)


@final
@dataclass(frozen=True, kw_only=True)
class SeriesPreprocessing:
    """Columns of numbers as `(time, columns)`, standardised, and back: a series, or the targets of a regression.

    `x' = (x - mean) / deviation`; a missing value becomes the mean.

    >>> scale = SeriesPreprocessing.fit(np.array([[1.0], [3.0]]))
    >>> scale(np.array([[1.0], [2.0]])).tolist(), scale.inverse(torch.tensor([[1.0]])).tolist()
    ([[-1.0], [0.0]], [[3.0]])
    """

    means: tuple[float, ...]
    """Mean of every column over the training part."""
    deviations: tuple[float, ...]
    """Standard deviation of every column over the training part, 1 where it is nothing."""

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Measure the training values `(time, columns)`, or `(time,)` for a single column."""
        moments = [_moments(column) for column in np.asarray(values).reshape(len(values), -1).T]
        return cls(means=tuple(mean for mean, _ in moments), deviations=tuple(spread for _, spread in moments))

    def __call__(self, raw: np.ndarray) -> Tensor:
        values = _numbers(np.asarray(raw))
        if (values.shape[-1] if values.ndim > 1 else 1) != len(self.means):
            raise ShapeError(
                "these values do not have the columns of the training data",
                expected=f"{len(self.means)} columns",
                found=f"shape {values.shape}",
            )
        return _standardised(values, self.means, self.deviations)

    def inverse(self, scaled: Tensor) -> np.ndarray:
        """Return values in their own units `(..., columns)`."""
        return scaled.detach().cpu().double().numpy() * np.array(self.deviations) + np.array(self.means)


def _moments(column: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of the numbers that are there; a column without any is taken as constant 0.

    Numbers beyond single precision, whose squares may overflow, are left out: whoever converts them is told.
    """
    numbers = _numbers(column)
    numbers = numbers[np.abs(numbers) <= LARGEST]
    if not len(numbers):
        return 0.0, 1.0
    mean, deviation = float(numbers.mean()), float(numbers.std())
    # Rounding leaves a trace of deviation in a constant column of large numbers.
    return mean, deviation if deviation > 1e-12 * max(1.0, abs(mean)) else 1.0


def _numbers(values: np.ndarray, columns: Sequence[str] = ()) -> np.ndarray:
    """Return float64 values, NaN where one is missing."""
    if values.dtype.kind in "iufb":
        return values.astype(np.float64)
    try:
        return np.where(values == None, np.nan, values).astype(np.float64)  # noqa: E711
    except (TypeError, ValueError) as error:
        raise _text_among(values, columns) from error


def _text_among(values: np.ndarray, columns: Sequence[str]) -> DataError:
    """Return the error for numbers that are none, naming the column and three of them."""
    for number, column in enumerate(values.T if values.ndim == 2 else [values.reshape(-1)], start=1):
        strange = [cell for cell in column.tolist() if isinstance(cell, str | bytes) and not _reads_as_number(cell)]
        if strange:
            name = columns[number - 1] if len(columns) >= number else f"column {number}"
            found = ", ".join(f"{cell!r:.60}" for cell in strange[:3])
            break
    else:
        name, found = "", str(values.dtype)
    return DataError("a numeric column has text in it", where=name, expected="numbers", found=found)


def _reads_as_number(cell: str | bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _standardised(values: np.ndarray, means: Sequence[float], deviations: Sequence[float]) -> Tensor:
    # In double until here: a column of large numbers with a small spread would lose it in single precision.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - np.array(means).reshape(-1)) / np.array(deviations).reshape(-1)
    if (np.abs(scaled) > LARGEST).any():
        worst = values.reshape(len(values), -1)[np.nonzero((np.abs(scaled) > LARGEST).reshape(len(values), -1))][0]
        raise DataError(
            "a value is too large to compute with",
            expected=f"at most {LARGEST:.3g}",
            found=f"{worst:g}",
            remedy="leave the row out, or give nothing for a value that is missing",
        )
    return torch.from_numpy(np.nan_to_num(scaled, nan=0.0).astype(np.float32))


def _one_hot(column: np.ndarray, categories: Sequence[str]) -> Tensor:
    matches = np.array([[item == category for category in categories] for item in column], dtype=np.float32)
    return torch.from_numpy(matches.reshape(len(column), len(categories)))


def read_inputs(
    paths: Sequence[str | Path], kind: Literal["image", "tabular", "series", "text"], columns: Sequence[str] = ()
) -> np.ndarray:
    """Read raw inputs of a trained network: image files or folders of them, CSV, NPZ or Parquet files, or texts.

    Args:
        columns: names that the rows of tables are put in the order of; other columns of a file are left out.

    Returns:
        Images `(samples, height, width, channels)` uint8, or an object array of images of different sizes; rows
        `(samples, columns)`; or texts `(samples,)`.
    """
    if not paths:
        raise DataError("there is nothing to read", expected="at least one file")
    for path in paths:
        if not named(path).exists():
            raise DataError("this file does not exist", where=str(path), remedy="give files that exist")
    if kind == "image":
        from ganglion.data.formats.image_files import read_pictures

        return _stacked(read_pictures([Path(path) for path in paths]))
    if kind == "text":
        from ganglion.data.formats.text import read_text

        return np.array([read_text(Path(path)) for path in paths], dtype=object)
    from ganglion.data.formats.tables import read_rows

    rows = [read_rows(Path(path), columns, kind) for path in paths]
    if len({part.shape[1:] for part in rows}) > 1:
        found = ", ".join(f"{part.shape[1:]} in {Path(path).name}" for part, path in zip(rows, paths, strict=True))
        raise ShapeError("these files hold rows of different shapes", found=found, remedy="ask about one at a time")
    return np.concatenate(rows)


def _stacked(pictures: list[np.ndarray]) -> np.ndarray:
    if len({picture.shape for picture in pictures}) == 1:
        return np.stack(pictures)
    mixed = np.empty(len(pictures), dtype=object)
    mixed[:] = pictures
    return mixed
