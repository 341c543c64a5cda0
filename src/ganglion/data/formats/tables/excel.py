"""Sheets of Excel: written out as text and read by the evidence that decides on any other table."""

import csv
import datetime
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganglion.data.formats.tables.columns import ColumnType
from ganglion.data.formats.tables.csv_files import read_csv
from ganglion.data.formats.tables.table import Table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, GanglionError, MissingExtraError, UsageError
from ganglion.files import refuse_bomb, regular
from ganglion.settings import unknown_name

OF_TEXT = ("delimiter", "quoting", "decimal", "thousands", "encoding")
"""Settings that say how text is written; cells of Excel have types instead."""


def read_excel(path: Path, settings: DataSettings, types: Mapping[str, ColumnType], as_text: bool = False) -> Table:
    """Read the one sheet of an Excel file that holds cells, or the one that `settings.sheet` names.

    Formulas count as what Excel computed last. Raises `DataError` for a damaged file, `UsageError` where several
    sheets hold cells and none is named, and `MissingExtraError` without openpyxl.
    """
    for name in settings.given(OF_TEXT):
        raise UsageError(
            "cells of Excel have types of their own", where=f"--{name}", found=str(path), remedy="leave it out"
        )
    sheet, rows = _sheet(path, settings)
    plain = replace(settings, delimiter=",", quoting="yes", encoding="utf-8", decimal=".", thousands="none")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "sheet.csv")
        with written.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([_written(cell) for cell in row] for row in rows)
        there = f"{path}, sheet {sheet}"
        try:
            table = read_csv(written, plain, types, as_text)
        except GanglionError as error:
            error.where = error.where.replace(str(written), there)
            raise
    for doubt in table.doubts.values():
        doubt.where = doubt.where.replace(str(written), there)
    notes = (f"sheet {sheet!r} of an Excel file {table.notes[0].partition(' text ')[2]}", *table.notes[1:])
    return replace(table, source=str(path), notes=notes)


def _sheet(path: Path, settings: DataSettings) -> tuple[str, Sequence[Sequence[Any]]]:
    """Return the name and the rows of cells of the sheet that is meant."""
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError(
            "reading Excel needs openpyxl", where=str(path), remedy="pip install 'ganglion[excel]', or save it as CSV"
        ) from error
    packed = regular(path).stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            refuse_bomb(path, packed, sum(entry.file_size for entry in archive.infolist()))
        with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
            filled = {sheet.title: rows for sheet in book.worksheets if (rows := list(_rows(sheet)))}
    except DataError:
        raise
    except Exception as error:  # openpyxl raises anything for files that are cut off, damaged or made to harm.
        raise DataError(
            "this Excel file cannot be read",
            where=str(path),
            expected="a workbook in the .xlsx format, without a password",
            found=f"{type(error).__name__}: {error}",
            remedy="save it anew, or as CSV",
        ) from error
    if settings.sheet is not None and settings.sheet not in filled:
        raise unknown_name("sheet", settings.sheet, list(filled), where=str(path))
    if settings.sheet is None and len(filled) != 1:
        raise DataError(
            "this Excel file has several sheets" if filled else "this Excel file is empty",
            where=str(path),
            expected="one sheet with cells",
            found=", ".join(filled) or "none",
            remedy="say which with --sheet NAME" if filled else "give another file",
        )
    name = settings.sheet or next(iter(filled))
    return name, filled[name]


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    """Yield the rows of a sheet, as wide as its last column that holds anything."""
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    width = max((place + 1 for row in rows for place, cell in enumerate(row) if cell is not None), default=0)
    first = min((place for row in rows for place, cell in enumerate(row) if cell is not None), default=0)
    if width:
        yield from ((row + [None] * width)[first:width] for row in rows)


def _written(cell: Any) -> str:
    """Return a cell as text that the reader of tables understands.

    >>> _written(None), _written(2.0), _written(datetime.datetime(2024, 1, 31)), _written(True)
    ('', '2', '2024-01-31', 'True')
    """
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.date().isoformat() if cell.time() == datetime.time() else cell.isoformat(" ")
    return " ".join(str(cell).split())
