"""Series from tables: order, dates, gaps and missing values."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError


def series(folder: Path, text: str, **settings: object) -> Dataset:
    (folder / "series.csv").write_text(text)
    return read(folder / "series.csv", DataSettings(**settings), kind="series")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "dates",
    [
        ("2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02"),
        ("2024-01-30 10:00", "2024-01-30 11:00", "2024-01-30 12:00", "2024-01-30 13:00"),
        ("2024-01-30T10:00:00Z", "2024-01-30T11:00:00Z", "2024-01-30T12:00:00Z", "2024-01-30T13:00:00Z"),
        ("1949-01", "1949-02", "1949-03", "1949-04"),
        ("30.01.2024", "31.01.2024", "01.02.2024", "02.02.2024"),
        ("1/30/2024", "1/31/2024", "2/1/2024", "2/2/2024"),
        ("01/02/2024", "02/02/2024", "03/02/2024", "04/02/2024"),
        ("2021", "2022", "2023", "2024"),
        ("Jan 2024", "Feb 2024", "Mar 2024", "Apr 2024"),
        ("1700000000", "1700000060", "1700000120", "1700000180"),
    ],
)
def test_dates_put_rows_in_order_and_are_dropped(tmp_path: Path, dates: tuple[str, ...]) -> None:
    rows = [f"{date},{number},{10 * number}" for number, date in enumerate(dates)]
    for order in (rows, rows[::-1], [rows[2], rows[0], rows[3], rows[1]]):
        dataset = series(tmp_path, "date,a,b\n" + "\n".join(order))
        assert dataset.inputs.tolist() == [[0, 0], [1, 10], [2, 20], [3, 30]]
        assert dataset.column_names == ("a", "b")
        assert any("dates from the column 'date'" in note for note in dataset.notes)
        assert any("order of time" in note for note in dataset.notes) == (order is not rows)


def test_a_date_column_is_known_by_its_content_too(tmp_path: Path) -> None:
    assert series(tmp_path, "when,a\n2024-01-02,2\n2024-01-01,1\n").inputs.tolist() == [[1], [2]]


def test_dates_in_several_columns(tmp_path: Path) -> None:
    dataset = series(tmp_path, "No,year,month,day,hour,a\n1,2024,2,1,0,3\n2,2024,1,31,23,2\n3,2024,1,31,22,1\n")
    assert dataset.inputs.tolist() == [[1], [2], [3]]
    assert dataset.column_names == ("a",)
    assert not any("gap" in note for note in dataset.notes)


def test_without_readable_dates_the_order_of_the_file_counts(tmp_path: Path) -> None:
    dataset = series(tmp_path, "Month,Sales\n1-01,3\n1-02,1\n1-03,2\n")
    assert dataset.inputs.tolist() == [[3], [1], [2]]
    assert any("order of the file" in note for note in dataset.notes)
    assert series(tmp_path, "3\n1\n2\n").inputs.tolist() == [[3], [1], [2]]


def test_gaps_and_repeated_dates_are_reported(tmp_path: Path) -> None:
    dates = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-07", "2024-01-07", "2024-01-08"]
    dataset = series(tmp_path, "date,a\n" + "".join(f"{date},1\n" for date in dates))
    assert any("1 gaps" in note and "after row 3" in note and "4 steps" in note for note in dataset.notes)
    assert any("1 dates occur more than once" in note for note in dataset.notes)


def test_months_have_no_gaps(tmp_path: Path) -> None:
    months = np.arange("2020-01", "2024-01", dtype="datetime64[M]")
    dataset = series(tmp_path, "month,a\n" + "".join(f"{month},1\n" for month in months))
    assert not any("gap" in note for note in dataset.notes)


def test_missing_values_never_know_the_future(tmp_path: Path) -> None:
    dataset = series(tmp_path, "a,b\nNA,1\n2,NA\n,3\n4,\n")
    assert dataset.inputs.tolist() == [[2, 1], [2, 3], [4, 3]]
    assert any("1 rows before" in note for note in dataset.notes)
    assert any("a (2), b (2)" in note for note in dataset.notes)


def test_columns_are_chosen_and_text_is_left_out(tmp_path: Path) -> None:
    text = "date,a,b,wind\n2024-01-01,1,2,NW\n2024-01-02,3,4,NW\n"
    assert series(tmp_path, text).column_names == ("a", "b")
    assert series(tmp_path, text, columns=("b",)).inputs.tolist() == [[2], [4]]
    assert series(tmp_path, text, columns=("b",), target="a").column_names == ("b", "a")
    with pytest.raises(DataError, match="text in wind"):
        series(tmp_path, text, columns=("wind",))
    with pytest.raises(ConfigurationError, match="unknown column 'c'"):
        series(tmp_path, text, columns=("c",))
    with pytest.raises(DataError, match="empty"):
        series(tmp_path, "a,b\n1,NA\n2,NA\n")
