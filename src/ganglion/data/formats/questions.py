"""Files that a trained network is asked about, as raw inputs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ganglion.data.formats.asked_rows import read_rows, with_flags_of_training
from ganglion.data.formats.images.files import read_images_at
from ganglion.data.formats.series.reading import read_series
from ganglion.data.formats.text import read_text
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, ShapeError
from ganglion.files import named


def read_inputs(
    paths: Sequence[str | Path],
    kind: Literal["image", "tabular", "series", "text"],
    columns: Sequence[str] = (),
    settings: DataSettings | None = None,
) -> np.ndarray:
    """Read raw inputs of a trained network: image files or folders of them, CSV, NPZ or Parquet files, or texts.

    Args:
        columns: names that the rows of tables are put in the order of; other columns of a file are left out.
        settings: What the user said of the training data, by which tables are read.

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
        return _stacked(read_images_at([Path(path) for path in paths]))
    if kind == "text":
        return np.array([read_text(Path(path)) for path in paths], dtype=object)
    rows = [_rows(Path(path), columns, kind, settings or DataSettings()) for path in paths]
    if len({part.shape[1:] for part in rows}) > 1:
        found = ", ".join(f"{part.shape[1:]} in {Path(path).name}" for part, path in zip(rows, paths, strict=True))
        raise ShapeError("these files hold rows of different shapes", found=found, remedy="ask about one at a time")
    return np.concatenate(rows)


def _rows(path: Path, columns: Sequence[str], kind: Literal["tabular", "series"], settings: DataSettings) -> np.ndarray:
    """Return the rows of a file, with the columns in the order of the network by their names."""
    if kind == "series":
        with with_flags_of_training():
            return np.asarray(read_series(path, replace(settings, columns=tuple(columns))).inputs)
    return read_rows(path, columns, settings=settings).rows


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    mixed = np.empty(len(images), dtype=object)
    mixed[:] = images
    return mixed
