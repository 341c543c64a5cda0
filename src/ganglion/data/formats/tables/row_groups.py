"""Parquet files as groups of rows, each of which is read by itself, whoever wrote them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ganglion.data.formats.tables.cells import MOST_COLUMNS
from ganglion.data.formats.tables.header import unique
from ganglion.errors import DataError, GanglionError, MissingExtraError
from ganglion.files import refuse_bomb, regular

CHUNK = 1 << 15
"""Rows that are held as they were read, at most."""
HEAD_BYTES = 1 << 16
"""Bytes at the beginning of a file that tell it apart, beside what its end says of all groups."""
Type = Literal["number", "text", "nothing"]


@dataclass(frozen=True)
class RowGroups:
    """The groups of rows of some Parquet files that have the same columns."""

    files: tuple[Path, ...]
    constants: tuple[Mapping[str, str], ...]
    """Columns that the folders of each file name, as `year=2026/part-0.parquet` does."""
    types: Mapping[str, Type]
    """What each column holds, by its name."""
    file_of: np.ndarray
    """Number of the file of each group `(groups,)`."""
    number: np.ndarray
    """Number of each group in its file `(groups,)`."""
    counts: np.ndarray
    """Rows of each group `(groups,)`."""

    @classmethod
    def of(cls, files: Sequence[Path], root: Path) -> "RowGroups":
        """Read what the ends of files say; raise `DataError` for one that is damaged or has other columns."""
        types: dict[str, Type] = {}
        first, constants, places = "", [], []
        for number, path in enumerate(files):
            named = _named_by_folders(path, root)
            with _opened(path) as file:
                found = _types(file, path) | dict.fromkeys(named, "text")
                sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
            types = _merged(types, found, first, str(path)) if number else dict(found)
            first = first or str(path)
            constants.append(named)
            places += [(number, group, rows) for group, rows in enumerate(sizes) if rows]
        for name in constants[0] if constants else ():
            if all(_is_number(named[name]) for named in constants):
                types[name] = "number"
        table = np.array(places, dtype=np.int64).reshape(-1, 3)
        return cls(tuple(files), tuple(constants), types, *table.T)

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.types)

    def chunks(
        self, group: int, names: Sequence[str] | None = None, as_text: bool = False, rows: int = CHUNK
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield the rows of a group in order, some at a time: each named column `(rows,)` as numbers or as texts."""
        wanted = self.columns if names is None else tuple(names)
        number = int(self.file_of[group])
        path, constants = self.files[number], self.constants[number]
        stored = [name for name in wanted if name not in constants]
        with _opened(path) as file:
            alike = len(set(file.schema_arrow.names)) < len(file.schema_arrow.names)
            chosen = None if alike or len(stored) == len(file.schema_arrow.names) else stored
            left, groups = int(self.counts[group]), [int(self.number[group])]
            if not stored:  # of which there is nothing to read
                yield from (self._constant(wanted, constants, min(rows, left - at)) for at in range(0, left, rows))
                return
            for batch in file.iter_batches(batch_size=rows, row_groups=groups, columns=chosen):
                columns = dict(zip(unique(batch.schema.names), batch.columns, strict=True))
                left -= batch.num_rows
                yield self._constant(wanted, constants, batch.num_rows) | {
                    name: as_array(columns[name], self.types[name], as_text) for name in stored
                }
            if left:
                raise _damaged(path, f"{left} rows are missing")

    def _constant(self, wanted: Sequence[str], constants: Mapping[str, str], rows: int) -> dict[str, np.ndarray]:
        """Return columns by name in the order that is wanted, those that folders name filled in."""
        filled = {
            name: np.full(rows, float(value)) if self.types[name] == "number" else np.full(rows, value, dtype=object)
            for name, value in constants.items()
        }
        return {name: filled.get(name, np.empty(0)) for name in wanted}

    def fingerprint(self) -> str:
        """Return the SHA-256 of the beginning of each file and of what its end says of all groups."""
        total = hashlib.sha256(b"groups of rows")
        for path in self.files:
            with path.open("rb") as file:
                total.update(hashlib.sha256(file.read(HEAD_BYTES)).digest())
                size = file.seek(0, 2)
                file.seek(size - 8)
                end = min(size, 8 + int.from_bytes(file.read(4), "little"))
                file.seek(size - end)
                total.update(hashlib.sha256(size.to_bytes(8, "little") + file.read(end)).digest())
        return total.hexdigest()


class _opened:
    """A Parquet file, with every complaint of Arrow as one error that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise MissingExtraError(
                "reading Parquet needs pyarrow", where=str(self.path), remedy="pip install 'ganglion[tables]'"
            ) from error
        packed = regular(self.path).stat().st_size
        try:
            self.file = parquet.ParquetFile(self.path)
            said = self.file.metadata
            groups = (said.row_group(number) for number in range(said.num_row_groups))
            refuse_bomb(self.path, packed, sum(group.total_byte_size for group in groups))
        except GanglionError:
            raise
        except Exception as error:  # Arrow raises anything for files that are cut off, damaged or made to harm.
            raise _damaged(self.path, str(error)) from error
        return self.file

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.file.close()
        if isinstance(error, Exception) and not isinstance(error, GanglionError):
            raise _damaged(self.path, str(error)) from error


def _damaged(path: Path, found: str) -> DataError:
    return DataError(
        "this Parquet file cannot be read",
        where=str(path),
        expected="what pyarrow and pandas write",
        found=found,
        remedy="write it again, or give CSV",
    )


def _types(file: Any, path: Path) -> dict[str, Type]:
    """Return what the columns of a file hold."""
    from pyarrow import types

    if file.metadata.num_columns > MOST_COLUMNS:
        raise DataError(
            "this table has too many columns",
            where=str(path),
            expected=f"at most {MOST_COLUMNS}",
            found=str(file.metadata.num_columns),
            remedy="save numbers as a plain array with numpy.save",
        )

    def held(type_: Any) -> Type:
        if types.is_dictionary(type_):
            return held(type_.value_type)
        is_number = types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_)
        return "number" if is_number else "nothing" if types.is_null(type_) else "text"

    schema = file.schema_arrow
    return dict(zip(unique(schema.names), map(held, schema.types), strict=True))


def _named_by_folders(path: Path, root: Path) -> dict[str, str]:
    """Return the columns that the folders between `root` and a file name."""
    steps = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else ()
    return {name: value for name, sign, value in (step.partition("=") for step in steps) if sign and name}


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def _merged(known: dict[str, Type], found: dict[str, Type], first: str, path: str) -> dict[str, Type]:
    """Return what columns hold in all files so far; raise `DataError` where one file has others than the first."""
    lacking, more = sorted(set(known) - set(found)), sorted(set(found) - set(known))
    other = [name for name in known if name in found and "nothing" not in (found[name], known[name])]
    other = [name for name in other if found[name] != known[name]]
    if lacking or more or other:
        said = [f"without {', '.join(lacking[:5])}"] if lacking else []
        said += [f"with {', '.join(more[:5])}"] if more else []
        said += [f"{name} as {found[name]}, not as {known[name]}" for name in other[:5]]
        raise DataError(
            "this shard has other columns than the first",
            where=path,
            expected=f"the columns of {first}: {', '.join(list(known)[:10])}",
            found="; ".join(said),
            remedy="write it again with the same columns, or give a folder without it",
        )
    return {name: found[name] if held == "nothing" else held for name, held in known.items()}


def as_array(column: Any, type_: Type, as_text: bool = False) -> np.ndarray:
    """Return a column of Arrow `(rows,)` as float64, NaN where one is missing, or as texts with None.

    Truth values become `True` and `False`; texts that recur are kept once.
    """
    import pyarrow
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_null(column.type):
        return np.full(len(column), np.nan) if type_ == "number" and not as_text else np.full(len(column), None)
    if type_ == "number" and not as_text:
        return column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    if not (types.is_string(column.type) or types.is_large_string(column.type)):
        return np.array([None if cell is None else str(cell) for cell in column.to_pylist()], dtype=object)
    coded = column.dictionary_encode()
    texts = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    return texts[coded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)]
