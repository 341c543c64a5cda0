"""Large tables are cut into cells block by block, and what is read is what Python's csv reads, whatever they hold."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.data.formats.tables import Table, cells, csv_files, read_table
from ganglion.data.formats.tables.cutting import cut, packed
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

LETTERS = "01 9.-aé\t\x0b\x1f;"
CELL = st.text(LETTERS, max_size=4)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    rows=st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=6),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_cells_that_are_cut_at_once_are_those_of_csv(rows: list[list[str]], line_end: str) -> None:
    text = "".join(",".join(row) + line_end for row in rows)
    width = len(rows[0])
    found = cut(text.encode(), ",", width)
    read = list(csv.reader(text.splitlines(keepends=True), skipinitialspace=True, strict=True))
    if found is None:
        plain = all(letter.isascii() and (letter.isprintable()) for row in rows for cell in row for letter in cell)
        assert not plain or any(len(row) != width or not "".join(row).strip() for row in rows)
        return
    columns = [[cell.decode() if isinstance(cell, bytes) else cell for cell in column] for column in found]
    assert [list(row) for row in zip(*columns, strict=True)] == [[cell.strip(" ") for cell in row] for row in read]


@given(st.lists(st.text(LETTERS + "\n\0", max_size=30), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_packed_cells_are_the_same_cells(texts: list[str]) -> None:
    found = packed(texts)
    got = found if isinstance(found, list) else [cell.decode() for cell in found.tolist()]
    assert [cell.strip(" ") for cell in got] == [cell.strip(" ") for cell in texts]


def _written(path: Path, kind: str, rows: int = 3000) -> Path:
    random = np.random.default_rng(0)
    numbers = [f"{number:.6g}" for number in random.normal(0, 100, rows)]
    lines = [f"{number},{['red', 'green'][place % 2]},{place % 7}" for place, number in enumerate(numbers)]
    if kind == "gaps":
        lines[10::50] = [f",{line.partition(',')[2]}" for line in lines[10::50]]
        lines[20::50] = [f"N/A,{line.partition(',')[2]}" for line in lines[20::50]]
    if kind == "exponents":
        lines[10::50] = [f"1.5e-0{place % 9},{line.partition(',')[2]}" for place, line in enumerate(lines[10::50])]
    if kind == "letters":
        lines[1500] = "1.25,grün,3"
    if kind == "blank":
        lines[1500:1500] = ["", "  ", ",,"]
    if kind == "spaces":
        lines = [line.replace(",", " , ") for line in lines]
    if kind == "marks":
        lines[1500] = '"1.25","dark\nred",3'
    if kind == "commas":
        lines = [line.replace(",", ";").replace(".", ",") for line in lines]
    end = "\r" if kind == "old" else "\r\n" if kind == "windows" else "\n"
    encoding = {"utf-16": "utf-16", "marked": "utf-8-sig"}.get(kind, "utf-8")
    path.write_bytes(end.join(["x,colour,y".replace(",", ";" if kind == "commas" else ","), *lines]).encode(encoding))
    return path


KINDS = (
    *("plain", "gaps", "exponents", "letters", "blank", "spaces", "marks", "commas", "old", "windows"),
    *("utf-16", "marked"),
)


def _same(one: Table, other: Table) -> None:
    assert (one.names, one.notes, one.doubts, one.words) == (other.names, other.notes, other.doubts, other.words)
    assert one.lines is not None and other.lines is not None and one.lines.tolist() == other.lines.tolist()
    for column, same in zip(one.columns, other.columns, strict=True):
        assert column.dtype == same.dtype
        np.testing.assert_array_equal(column, same)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_make_the_same_table_as_rows(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path / "table.csv", kind)
    whole = read_table(path)
    monkeypatch.setattr(cells, "FIRST_BLOCK", 100)
    monkeypatch.setattr(cells, "BLOCK", 5000)
    monkeypatch.setattr(cells, "ROWS_PER_BLOCK", 77)
    blocks = read_table(path)
    monkeypatch.setattr(csv_files, "is_plain", lambda encoding, dialect: False)
    rows = read_table(path)
    monkeypatch.setattr(csv_files.Column, "plain", lambda column, missing, decimals: None)
    closely = read_table(path)
    for other in (blocks, rows, closely):
        _same(whole, other)
    assert len(whole) == 3000


def test_the_right_values_lines_and_words(tmp_path: Path) -> None:
    path = _written(tmp_path / "table.csv", "gaps")
    table = read_table(path)
    lines = path.read_text().splitlines()[1:]
    expected = [np.nan if (cell := line.split(",")[0]) in ("", "N/A") else float(cell) for line in lines]
    np.testing.assert_array_equal(table["x"], expected)
    assert table.line(0) == 2 and table.line(2999) == 3001
    assert any("'N/A' 60 times from line 22 on" in note for note in table.notes)


@pytest.mark.parametrize(("line", "said"), [("1.5,red", "line 2902"), ("many,red,3", "'many' in line 2902")])
def test_a_row_that_does_not_fit_is_named_far_below(line: str, said: str, tmp_path: Path) -> None:
    path = _written(tmp_path / "table.csv", "plain")
    lines = path.read_text().splitlines()
    lines[2901] = line
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        read_table(path)["x"]
    assert said in f"{caught.value.where} {caught.value.found}"


def test_codes_among_many_numbers_stay_codes(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("code,y\n" + "".join(f"{place:05d},{place % 3}\n" for place in range(2000)))
    assert read_table(path)["code"][7] == "00007"
    path.write_text("code,y\n" + "".join(f"{place},{place % 3}\n1e{place % 9},0\n" for place in range(2000)))
    assert read_table(path, DataSettings())["code"].dtype == object  # 1e3 beside whole numbers may be a code
