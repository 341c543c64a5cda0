"""Whole numbers as bytes and back, by range coding with tables of whole numbers."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Self

import numpy as np

from ganglion.errors import DataError, MissingExtraError
from ganglion.tasks.shared.compressing.tables import TOTAL, WRITTEN, Tables, places


def coder() -> Any:
    """Return the package that codes; raise `MissingExtraError` where it is not installed."""
    try:
        import constriction
    except ImportError as error:
        raise MissingExtraError(
            "compressing needs the package constriction, which is not installed",
            remedy='pip install "ganglion[compress]"',
        ) from error
    return constriction.stream


def installed() -> bool:
    """Return whether numbers can be coded here."""
    try:
        coder()
    except MissingExtraError:
        return False
    return True


class Models:
    """Tables as the coder takes them, each made when it is first used.

    Shares of 65536 and their sums are exact in double precision, so that all that follows from them is, too.
    """

    def __init__(self, tables: Tables) -> None:
        self.stream, self.tables = coder(), tables
        self.model = lru_cache(maxsize=None)(self._made)
        self.plain = self.stream.model.Uniform(WRITTEN)

    def _made(self, table: int) -> Any:
        return self.stream.model.Categorical(self.tables.counts[table] / TOTAL, perfect=False)

    def reach(self, table: int) -> int:
        """Return how far from the expected number a table reaches."""
        return len(self.tables.counts[table]) // 2 - 1


def _by_table(tables: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield each table that is used, and the places in which, of an array of tables (numbers,)."""
    order = np.argsort(tables, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(tables[order])) + 1):
        if len(part):
            yield int(tables[part[0]]), part


class Writer:
    """Writes numbers; `content` is what came of it."""

    def __init__(self, models: Models) -> None:
        self.models, self.encoder = models, models.stream.queue.RangeEncoder()

    def write(self, differences: np.ndarray, tables: np.ndarray) -> None:
        """Write what numbers differ by from the expected ones, (numbers,), by their tables (numbers,)."""
        for table, part in _by_table(tables):
            reach = self.models.reach(table)
            symbols = places(differences[part], reach)
            self.encoder.encode(symbols.astype(np.int32), self.models.model(table))
            far = differences[part][symbols > 2 * reach]
            if len(far):
                self.encoder.encode((far + WRITTEN // 2).astype(np.int32), self.models.plain)

    @property
    def content(self) -> bytes:
        words: np.ndarray = self.encoder.get_compressed()
        return words.astype("<u4").tobytes()


class Reader:
    """Reads what a `Writer` wrote, in the same order."""

    def __init__(self, models: Models, content: bytes) -> None:
        self.models = models
        self.decoder = models.stream.queue.RangeDecoder(np.frombuffer(content, "<u4").astype(np.uint32))

    @classmethod
    def of(cls, models: Models, content: bytes) -> Self:
        """Return a reader; raise `DataError` for what nothing can have written."""
        if len(content) % 4:
            found = f"{len(content)} bytes"
            raise DataError("the codes in this file are damaged", expected="words of 4 bytes", found=found)
        return cls(models, content)

    def read(self, tables: np.ndarray) -> np.ndarray:
        """Return what numbers differ by from the expected ones, (numbers,), by their tables (numbers,)."""
        found = np.zeros(len(tables), np.int64)
        for table, part in _by_table(tables):
            reach = self.models.reach(table)
            symbols = self.decoder.decode(self.models.model(table), len(part)).astype(np.int64)
            far = symbols > 2 * reach
            found[part] = symbols - reach
            if far.any():
                found[part[far]] = self.decoder.decode(self.models.plain, int(far.sum())) - WRITTEN // 2
        return found

    @property
    def at_end(self) -> bool:
        """Whether all may have been read."""
        return bool(self.decoder.maybe_exhausted())
