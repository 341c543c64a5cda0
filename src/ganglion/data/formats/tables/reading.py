"""Tables in files of any kind."""

from collections.abc import Mapping
from pathlib import Path

from ganglion.data.formats.shards.layout import is_pattern
from ganglion.data.formats.tables.columns import ColumnType
from ganglion.data.formats.tables.csv_files import read_csv
from ganglion.data.formats.tables.excel import read_excel
from ganglion.data.formats.tables.parquet import read_parquet
from ganglion.data.formats.tables.table import Table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

SUFFIXES = (".csv", ".tsv", ".tab", ".psv", ".data", ".dat", ".parquet", ".xlsx", ".xlsm")
"""Endings of the names of tables."""


def read_table(
    path: Path,
    settings: DataSettings | None = None,
    types: Mapping[str, ColumnType] | None = None,
    as_text: bool = False,
) -> Table:
    """Read a CSV file of any common dialect, a Parquet file, or a sheet of Excel.

    Args:
        settings: What the user says of the file; the evidence decides what is left open.
        types: What columns must be, by name: what a network learnt from.
        as_text: All columns are wanted as they stand.
    """
    settings = settings or DataSettings()
    if path.suffix.lower() == ".parquet" or path.is_dir() or is_pattern(path):
        table = read_parquet(path, as_text)
    elif path.suffix.lower() in (".xlsx", ".xlsm"):
        table = read_excel(path, settings, types or {}, as_text)
    else:
        table = read_csv(path, settings, types or {}, as_text)
    if not table.columns or not len(table):
        raise DataError(
            "this table has no rows",
            where=str(path),
            expected="rows below the header",
            found=f"a header of {', '.join(table.names[:10])}" if table.names else "nothing",
            remedy="give a file with rows, or say --header none if the first row is one",
        )
    return table
