"""Codes of a picture, tile by tile: written and read in the order in which they are expected of each other."""

from collections.abc import Callable, Iterator

import numpy as np

from ganglion.tasks.shared.compressing.range_coding import Models, Reader, Writer
from ganglion.tasks.shared.compressing.tables import WRITTEN
from ganglion.tasks.shared.compressing.whole_numbers import TURNS, Features, WholeContext

TILE = 64
"""Places of a side of a tile: what is expected of a tile follows from this tile alone."""
LARGEST_CODE = WRITTEN // 4
"""Size beyond which codes are cut off, which no photograph has."""

Exchange = Callable[[np.ndarray | None, np.ndarray], np.ndarray]
"""From differences (numbers,), where they are known, and tables (numbers,), to differences (numbers,)."""


def tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of each tile."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))


def through(codes: np.ndarray, context: WholeContext, quality: int, exchange: Exchange, known: bool) -> None:
    """Go through a tile of codes (channels, height, width) in the order of writing; fill it where it is not known."""
    features = Features(codes, context.logs)
    for group in context.groups:
        own = slice(group.start, group.start + group.size)
        for turn in range(TURNS):
            means, tables = context.expected(features, group, turn, quality)
            here = features.turns == turn
            differences = (codes[own][:, here] - means).ravel() if known else None
            found = exchange(differences, tables.ravel())
            if not known:
                codes[own, here] = found.reshape(means.shape) + means
            features.put(group, turn)


def written(codes: np.ndarray, context: WholeContext, models: Models, quality: int) -> bytes:
    """Return codes (channels, height, width) as bytes."""
    writer = Writer(models)

    def write(differences: np.ndarray | None, tables: np.ndarray) -> np.ndarray:
        assert differences is not None
        writer.write(differences, tables)
        return differences

    for rows, columns in tiles(*codes.shape[1:]):
        through(codes[:, rows, columns].astype(np.int64), context, quality, write, known=True)
    return writer.content


def read(
    content: bytes, shape: tuple[int, int, int], context: WholeContext, models: Models, quality: int
) -> tuple[np.ndarray, bool]:
    """Return codes of a shape (channels, height, width), int32, of bytes; and whether the bytes ended there."""
    codes, reader = np.zeros(shape, np.int32), Reader.of(models, content)
    for rows, columns in tiles(*shape[1:]):
        part = np.zeros((shape[0], rows.stop - rows.start, columns.stop - columns.start), np.int64)
        through(part, context, quality, lambda _, tables: reader.read(tables), known=False)
        codes[:, rows, columns] = part
    return codes, reader.at_end
