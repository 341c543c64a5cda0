"""Further kinds of tables: mixed units, long numbers, titles of spreadsheets, single marks, gaps in what counts."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.check import check, stand_in
from ganglion.data.formats.arrays import from_arrays
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError


def dataset(folder: Path, content: str, **settings: object):
    (folder / "t.csv").write_text(content)
    return read(folder / "t.csv", DataSettings(**settings))


def lines(form, count: int = 120) -> str:
    return "".join(form(n) + "\n" for n in range(count))


@pytest.mark.parametrize("units", [("k", "M"), ("", "k"), ("kg", "lb")])
def test_numbers_of_several_units_are_no_names(tmp_path: Path, units: tuple[str, str]) -> None:
    content = "a,price,kind\n" + lines(lambda n: f"{n % 5},{n + 1}{units[n % 2]},{'xy'[n % 2]}")
    with pytest.raises(DataError, match="several units") as caught:
        dataset(tmp_path, content)
    assert "--text price" in caught.value.remedy
    assert dataset(tmp_path, content, drop=("price",)).column_names == ("a",)


def test_letters_behind_numbers_that_are_no_units_are_names(tmp_path: Path) -> None:
    content = "a,seat,kind\n" + lines(lambda n: f"{n % 7 * 0.5},{n % 9 + 1}{'ABCD'[n % 4]},{'xy'[n % 2]}")
    assert dataset(tmp_path, content).inputs[0, 1] == "1A"


@pytest.mark.parametrize("count", [120, 5000])
def test_numbers_of_more_digits_than_a_number_holds_stay_texts(tmp_path: Path, count: int) -> None:
    content = "account,a,kind\n" + lines(lambda n: f"{9007199254740993 + n % 40 * 2},{n % 5},{'xy'[n % 2]}", count)
    read = dataset(tmp_path, content)
    assert read.inputs[0, 0] == "9007199254740993"
    content = "stamp,a,kind\n" + lines(lambda n: f"{1700000000000000000 + n % 40 * 1000000},{n},{'xy'[n % 2]}", count)
    assert dataset(tmp_path, content, numbers=("a",)).inputs[1, 0] == 1700000000001000000


def test_a_title_in_the_first_cell_is_no_part_of_the_names(tmp_path: Path) -> None:
    content = "Sales of May;;\nsize;cost;kind\n" + lines(lambda n: f"{n * 0.5};{n % 9 + 0.25};{'xy'[n % 2]}")
    read = dataset(tmp_path, content)
    assert read.column_names == ("size", "cost") and read.target_names == ("kind",)


def test_single_quotation_marks_around_commas_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="single quotation marks"):
        dataset(tmp_path, "note,cost,kind\n" + lines(lambda n: f"'warm, {n % 3}',{n * 0.5},{'xy'[n % 2]}"))


def test_a_gap_does_not_hide_that_a_column_counts(tmp_path: Path) -> None:
    content = "no,size,kind\n" + lines(lambda n: f"{'' if n == 7 else n},{n % 9 * 0.5},{'xy'[n % 2]}")
    assert dataset(tmp_path, content).column_names == ("size",)
    content = "dose,size,kind\n" + lines(lambda n: f"{'' if n % 9 == 7 else n},{n % 9 * 0.5},{'xy'[n % 2]}")
    assert dataset(tmp_path, content).column_names == ("dose", "size")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([1.5, -999, 3, -999, 12], -999),
        ([0.5, 9999, 9999, 0.25, 7], 9999),
        ([97, 98, 99, 99, 60], None),
        ([-99, 1, 2, 3, 4], None),
        ([900, 950, 999, 999, 1], None),
        ([999, 999, 999], None),
    ],
)
def test_numbers_that_stand_for_missing_ones_are_pointed_at(values: list[float], found: float | None) -> None:
    assert stand_in(np.array(values, dtype=np.float64)) == found


def test_the_flag_that_reads_such_a_number_as_missing_is_named(tmp_path: Path) -> None:
    content = "a,b,kind\n" + lines(lambda n: f"{-999 if n % 10 == 3 else n % 9 * 1.5},{n},{'xy'[n % 2]}")
    (finding,) = [one for one in check(dataset(tmp_path, content)) if one.name == "stand-ins"]
    assert finding.where == ("a: -999",) and "--missing -999" in finding.remedy
    assert not [one for one in check(dataset(tmp_path, content, missing=("-999",))) if one.name == "stand-ins"]


def test_classes_that_differ_only_in_capitals_are_named() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    names = np.array(["cat", "Cat", "dog"])[np.arange(60) % 3]
    (finding,) = [one for one in check(from_arrays(rows, names)) if one.name == "like-classes"]
    assert finding.where == ("'Cat' = 'cat'",)


def test_a_row_that_sums_up_the_others_stops_a_training(tmp_path: Path) -> None:
    rows = lines(lambda n: f"{'abcd'[n % 4]},{n % 7 + 0.5},{n * 0.25}", 40)
    for name, levels in (("Total", ["stop"]), ("e", [])):
        sums = sum(n % 7 + 0.5 for n in range(40)), sum(n * 0.25 for n in range(40))
        read = dataset(tmp_path, "shop,cost,gain\n" + rows + f"{name},{sums[0]},{sums[1]}\n")
        assert [one.level for one in read.findings if one.name == "total"] == levels
    read = dataset(tmp_path, "shop,cost,gain\n" + rows + "Total,1.5,2.5\n")  # a shop of that name
    assert not [one for one in read.findings if one.name == "total"]
