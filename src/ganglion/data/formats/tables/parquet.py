"""Tables in Parquet files, whose columns say themselves what they hold."""

from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.formats.tables.cells import MOST_COLUMNS
from ganglion.data.formats.tables.header import unique
from ganglion.data.formats.tables.table import Table
from ganglion.errors import DataError, MissingExtraError
from ganglion.files import refuse_bomb, regular


def read_parquet(path: Path, as_text: bool = False) -> Table:
    """Read a Parquet file: numbers as such, truth values as `True` and `False`, all else as text."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "reading Parquet needs pyarrow", where=str(path), remedy="pip install 'ganglion[tables]'"
        ) from error
    packed = regular(path).stat().st_size
    try:
        file = parquet.ParquetFile(path)
        groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
        refuse_bomb(path, packed, sum(group.total_byte_size for group in groups))
        if file.metadata.num_columns > MOST_COLUMNS:
            raise DataError(
                "this table has too many columns",
                where=str(path),
                expected=f"at most {MOST_COLUMNS}",
                found=str(file.metadata.num_columns),
                remedy="save numbers as a plain array with numpy.save",
            )
        content = file.read()
        columns = tuple(_column(column, pyarrow.types, as_text) for column in content.columns)
    except DataError:
        raise
    except Exception as error:  # Arrow raises anything for files that are cut off, damaged or made to harm.
        raise DataError(
            "this Parquet file cannot be read",
            where=str(path),
            expected="what pyarrow and pandas write",
            found=str(error),
            remedy="write it again, or give CSV",
        ) from error
    return Table(tuple(unique(content.column_names)), columns, True, str(path))


def _column(column: Any, types: Any, as_text: bool) -> np.ndarray:
    """Return a column of Arrow as numbers or as texts."""
    is_number = types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)
    if is_number and not as_text:
        return np.array([np.nan if value is None else float(value) for value in column.to_pylist()])
    return np.array([None if value is None else str(value) for value in column.to_pylist()], dtype=object)
