"""Sheets of Excel, beside the values that were written into them."""

import datetime
from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.formats.tables import read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError

openpyxl = pytest.importorskip("openpyxl")

ROWS = [
    [datetime.date(2024, 1, 1 + n), 1234.567 + n, n % 2 == 0, "NA" if n == 3 else f"kind {n % 3}"] for n in range(20)
]


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_cells_keep_their_values(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", data=[["day", "price", "open", "kind"], *ROWS], empty=[])
    table = read_table(path)
    assert table.names == ("day", "price", "open", "kind") and table.source == str(path)
    np.testing.assert_array_equal(table["price"], [1234.567 + n for n in range(20)])  # a point never groups digits
    assert table["day"].tolist() == [f"2024-01-{1 + n:02}" for n in range(20)]
    assert set(table["open"]) == {"True", "False"}
    assert table.notes[0] == "sheet 'data' of an Excel file with a header"


def test_a_series_is_read_in_the_order_of_its_dates(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", data=[["day", "price"], *(row[:2] for row in ROWS[::-1])])
    series = read(path, DataSettings(), kind="series")
    assert np.asarray(series.fields["inputs"].values)[:, 0].tolist() == [1234.567 + n for n in range(20)]


def test_blank_rows_and_columns_around_a_table_do_not_count(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "t.xlsx", data=[[], [None, None], [None, "a", "b"], *([None, n, n * 2] for n in range(9))]
    )
    assert read_table(path).names == ("a", "b")


def test_several_sheets_are_told_apart(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", one=[["a"], [1], [2]], two=[["b"], [3], [4]])
    with pytest.raises(DataError, match="several sheets") as caught:
        read_table(path)
    assert "--sheet" in caught.value.remedy
    assert read_table(path, DataSettings(sheet="two"))["b"].tolist() == [3, 4]
    with pytest.raises(UsageError, match="unknown sheet"):
        read_table(path, DataSettings(sheet="three"))


def test_what_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", data=[["a", "b"], *([n, n % 2] for n in range(30)), ["x", 1]])
    with pytest.raises(DataError, match="cells that are none") as caught:
        read_table(path)["a"]
    assert f"{path}, sheet data" in caught.value.where and "line 32" in caught.value.found
    with pytest.raises(UsageError, match="types of their own"):
        read_table(path, DataSettings(decimal=","))
    (tmp_path / "cut.xlsx").write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "cut.xlsx")
    with pytest.raises(DataError, match="is empty"):
        read_table(workbook(tmp_path / "none.xlsx", data=[]))
    (tmp_path / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(DataError, match="cannot be read") as caught:
        read(tmp_path / "old.xls", DataSettings())
    assert "CSV" in caught.value.remedy
