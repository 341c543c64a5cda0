"""Kinds of tables that people bring, each with the values that must come out, or the flag that must be named."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.formats.tables import Table, read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, GanglionError


def table(folder: Path, content: str | bytes, name: str = "t.csv", **settings: object) -> Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, DataSettings(**settings))  # type: ignore[arg-type]


def column(*cells: str, head: str = "a", delimiter: str = "\t") -> str:
    """Return a table of a column and of another one, of texts that recur."""
    return f"{head}{delimiter}b\n" + "".join(f"{cell}{delimiter}{'xy'[n % 2]}\n" for n, cell in enumerate(cells))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1,637.67", "662.78", "12.5"), (1637.67, 662.78, 12.5)),
        (("1.637,67", "662,78", "12,5"), (1637.67, 662.78, 12.5)),
        (("1 234,5", "12 000", "3"), (1234.5, 12000, 3)),
        (("1\u202f234", "12\u00a0000", "3"), (1234, 12000, 3)),
        (("1'234.50", "12'000.00", "3.00"), (1234.5, 12000, 3)),
        (("1\u2019234.50", "12.00", "3.00"), (1234.5, 12, 3)),
        (("12,34,567", "1,23,456.5", "7"), (1234567, 123456.5, 7)),
        (("1,234,567", "12,000", "7"), (1234567, 12000, 7)),
        (("1.234.567", "12.000", "7"), (1234567, 12000, 7)),
        (("88,000", "12,345", "950"), (88000, 12345, 950)),
        (("0,123", "1,234", "2,345"), (0.123, 1.234, 2.345)),
        (("1,234", "2,345", "1234"), (1.234, 2.345, 1234)),
        (("$1,200", "$15,000", "$3,500"), (1200, 15000, 3500)),
        (("5 €", "6,50 €", "7 €"), (5, 6.5, 7)),
        (("CHF 5", "CHF 1'000", "CHF 7"), (5, 1000, 7)),
        (("-$5.50", "$-6", "$7"), (-5.5, -6, 7)),
        (("5%", "12.5 %", "100%"), (5, 12.5, 100)),
        (("(5.5)", "($1,000.25)", "7"), (-5.5, -1000.25, 7)),
        (("\u22125.5", "\u20136", "7-"), (-5.5, -6, -7)),
        (("12 kg", "13.5 kg", "9 kg"), (12, 13.5, 9)),
        (("1e-05", "2.5E+3", "7"), (1e-05, 2500, 7)),
        (("1.5", "#N/A", "#DIV/0!"), (1.5, np.nan, np.nan)),
        (("1.5", "", " ? "), (1.5, np.nan, np.nan)),
        (("1.234", "5.678", "0.012"), (1.234, 5.678, 0.012)),
        (("2000000001", "2000000002", "2000000004"), (2000000001, 2000000002, 2000000004)),
        (("1700000000.125", "1700000000.25", "5"), (1700000000.125, 1700000000.25, 5)),
    ],
)
def test_numbers(tmp_path: Path, cells: tuple[str, ...], values: tuple[float, ...]) -> None:
    read = table(tmp_path, column(*cells))["a"]
    assert read.dtype == np.float64
    assert np.array_equal(read, values, equal_nan=True)


@pytest.mark.parametrize(
    "cells", [("007", "012", "5"), ("1E2", "2E5", "77"), ("1.1", "1.9", "1.10"), ("A1", "B2", "3"), ("1.2.3", "1.2.4")]
)
def test_codes_stay_texts(tmp_path: Path, cells: tuple[str, ...]) -> None:
    assert table(tmp_path, column(*cells))["a"].tolist() == list(cells)
    assert table(tmp_path, column("007", "12", "5"), numbers=("a",))["a"].tolist() == [7, 12, 5]


@pytest.mark.parametrize(
    ("cells", "flags", "said"),
    [
        (("1,234", "5,678"), {"decimal": "."}, "'1,234', which is 1234 or 1.234"),
        (("1,234", "5,678"), {"decimal": ","}, "--decimal"),
        (("1.234", "5.678"), {"decimal": "."}, "which is 1234 or 1.234"),
        ((*map(str, range(1, 40)), "<5", "<5"), {"missing": ("<5",)}, "'<5' 2 times"),
        ((*map(str, range(1, 40)), "10+"), {"text": ("a",)}, "'10+'"),
        (("5%", "0.05", "7%"), {"text": ("a",)}, "several units"),
        (("$5", "5 €", "$7"), {"text": ("a",)}, "several units"),
        (("1.5", "2,5", "3.25"), {"text": ("a",)}, "not written alike"),
        (("1.234,5", "1,234.5"), {"text": ("a",)}, "not written alike"),
    ],
)
def test_two_readings_are_refused_with_the_flag_that_decides(
    tmp_path: Path, cells: tuple[str, ...], flags: dict[str, object], said: str
) -> None:
    read = table(tmp_path, column(*cells))
    with pytest.raises(DataError) as caught:
        read["a"]
    assert said in str(caught.value)
    assert next(iter(flags)) in caught.value.remedy or "decimal" in flags
    assert len(table(tmp_path, column(*cells), **flags)["a"]) == len(cells)


def test_another_column_settles_what_a_comma_means(tmp_path: Path) -> None:
    for other, first in (("0,5", 1.234), ("0.5", 1234)):
        read = table(tmp_path, "a\tb\n" + f"1,234\t{other}\n5,678\t{other}\n")
        assert read["a"][0] == first
    assert table(tmp_path, "a;b\n1.234;0,5\n5.678;0,7\n")["a"][0] == 1234
    assert table(tmp_path, "a,b\n1.234,x\n5.678,y\n")["a"][0] == 1.234


MANY = [f"{1 + n % 900}.{n % 1000:03d}" for n in range(2000)]


@pytest.mark.parametrize(
    ("cells", "flags", "first"),
    [
        (MANY, {"decimal": ","}, 1000),
        (MANY, {"thousands": "."}, 1000),
        (MANY, {"decimal": "."}, 1),
        ([*MANY, "900"], {}, 1000),
        ([*MANY, "900.5"], {}, 1),
        (["-999", *MANY], {"missing": ("-999",), "decimal": "."}, np.nan),
        (["-999", *map(str, range(2000))], {"missing": ("-999",)}, np.nan),
    ],
    ids=["commas", "groups", "points", "whole ones beside", "a fraction beside", "missing", "missing among whole"],
)
def test_many_different_numbers_are_read_by_the_same_rules(
    tmp_path: Path, cells: list[str], flags: dict[str, object], first: float
) -> None:
    read = table(tmp_path, column(*cells), **flags)["a"]
    assert len(read) == len(cells)
    assert np.array_equal(read[:1], [first], equal_nan=True)


def test_many_different_numbers_are_refused_where_few_are(tmp_path: Path) -> None:
    for cells in (MANY[:3], MANY):
        with pytest.raises(DataError, match="which is 1000 or 1"):
            table(tmp_path, column(*cells))["a"]


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        (",0,1,2,3,label\n" + "".join(f"{n},.5,1.5,{n % 7}.5,.1,{'ab'[n % 2]}\n" for n in range(20)), None, 20),
        ("2019,2020,2021\n1,2,3\n4,5,6\n7,8,9\n", ("2019", "2020", "2021"), 3),
        ("country,2019,2020\nA,1,2\nB,4,5\nC,7,8\n", ("country", "2019", "2020"), 3),
        ("0,1,2,3\n.5,.1,.7,.2\n.1,.2,.4,.9\n", ("0", "1", "2", "3"), 2),
        ("5.1,3.5,a\n4.9,3.0,a\n6.1,2.0,b\n", ("column 1", "column 2", "column 3"), 3),
        ("0,0,12,0\n1,0,200,7\n0,3,4,0\n", None, 3),
        ("depth,heat\nm,°C\n1,5\n2,6\n3,7\n", ("depth m", "heat °C"), 3),
        ("lake,,shore\ndepth,heat,heat\n1,5,3\n2,6,1\n", ("lake depth", "lake heat", "shore heat"), 2),
        ("# made by a tool\n# on a day\na,b\n1,2\n3,4\n", ("a", "b"), 2),
        ("# a, b\n1.5,2\n3,4\n", ("a", "b"), 2),
        ("sep=;\na;b\n1;2\n3;4\n", ("a", "b"), 2),
        ("Report of May\n\na,b\n1,2\n3,4\n", ("a", "b"), 2),
        ('"a" "b"\n"1" 1.5 2\n"2" 3 4\n', ("column 1", "a", "b"), 2),
        ("a,b,\n1,2,\n3,4,\n", ("a", "b"), 2),
        ("a,b\n1,NA\n2,5\n3,6\n4,7\n", ("a", "b"), 4),
    ],
)
def test_headers(tmp_path: Path, content: str, names: tuple[str, ...] | None, rows: int) -> None:
    read = table(tmp_path, content)
    assert len(read) == rows
    assert names is None or read.names == names


def test_a_header_is_asked_for_where_it_could_be_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="may name its columns") as caught:
        table(tmp_path, "0,1,2\n5,3,9\n7,2,2\n")
    assert "--header" in caught.value.remedy
    assert len(table(tmp_path, "0,1,2\n5,3,9\n7,2,2\n", header="none")) == 3
    assert table(tmp_path, "0,1,2\n5,3,9\n7,2,2\n", header=1).names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("content", "width", "rows"),
    [
        ("a;b;c\n1,5;2,5;3,5\n4,5;5,5;6,5\n", 3, 2),
        ("1,5;2,5;3,5\n4,5;5,5;6,5\n", 3, 2),
        ('a,b\n"x; y",1\n"z; w",2\n', 2, 2),
        ("name;age\nSmith, Ann;5\nJones, Bob;7\n", 2, 2),
        ("a|b\n1|2\n3|4\n", 2, 2),
        ("a\tb\nx y\t2\nz w v\t4\n", 2, 2),
        ('a\tb\n"open\t1\nnot, closed\t2\nplain\t3\n', 2, 3),
        ('a\tb\n"open\t1\n"again\t2\nplain\t3\n', 2, 3),
        ('a,b\n"two\nlines",1\nplain,2\n', 2, 2),
        ('a,b\n"say ""hi""",1\nplain,2\n', 2, 2),
        ('a,b\n"say \\"hi\\", you",1\nplain,2\n', 2, 2),
        ('size,b\n5" pipe,1\n6" pipe,2\n', 2, 2),
    ],
)
def test_dialects(tmp_path: Path, content: str, width: int, rows: int) -> None:
    read = table(tmp_path, content)
    assert (len(read.names), len(read)) == (width, rows)


def test_marks_that_fit_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="quotation marks") as caught:
        table(tmp_path, 'a,b\n"x, y,1\nz,2\nw,3\n')
    assert "--quoting" in caught.value.remedy


def test_words_for_missing_are_no_labels_and_no_frequent_categories(tmp_path: Path) -> None:
    rows = "".join(f"{n / 7:.3f},{('NA', 'ZA', 'BW')[n % 3]},{('crack', 'none', 'stain')[n % 3]}\n" for n in range(60))
    (tmp_path / "t.csv").write_text("depth,country,kind\n" + rows + "9.5,null,crack\n")
    data = read(tmp_path / "t.csv", DataSettings())
    assert data.label_names == ("crack", "none", "stain")
    assert len(data) == 61
    assert set(data.inputs[:60, 1]) == {"NA", "ZA", "BW"} and data.inputs[60, 1] is None
    assert any("'null' in line 62" in note for note in data.notes)
    asked = read(tmp_path / "t.csv", DataSettings(missing=("NA",)))
    assert asked.inputs[0, 1] is None and asked.inputs[60, 1] is None and len(asked) == 61
    alone = read(tmp_path / "t.csv", DataSettings(missing=("NA",), usual_missing=False))
    assert alone.inputs[0, 1] is None and alone.inputs[60, 1] == "null"
    unlabelled = read(tmp_path / "t.csv", DataSettings(missing=("none",), usual_missing=False))
    assert len(unlabelled) == 41 and unlabelled.label_names == ("crack", "stain") and unlabelled.inputs[0, 1] == "NA"


def test_words_named_as_missing_stand_beside_the_usual_ones(tmp_path: Path) -> None:
    """As pandas has it, whose `na_values` are added to its own."""
    rows = "".join(f"{('-999', 'n/a', str(n / 7))[n % 3 if n < 30 else 2]},{n % 2}\n" for n in range(60))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    column = read(tmp_path / "t.csv", DataSettings(missing=("-999",))).inputs[:, 0]
    assert np.isnan(column).sum() == 20 and column[2] == 2 / 7
    with pytest.raises(DataError, match="cells that are none"):
        read(tmp_path / "t.csv", DataSettings(missing=("-999",), usual_missing=False))


def test_columns_that_count_or_name_are_left_out_whatever_they_are_called(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    order = random.permutation(200)
    numbers = random.choice(10**6, 200, replace=False)
    lines = [
        f"{order[n] + 1001},{numbers[n]},p{n},{random.normal():.4f},{random.integers(50)},{'ab'[n % 2]}"
        for n in range(200)
    ]
    (tmp_path / "t.csv").write_text("when,who,name,size,age,class\n" + "\n".join(lines))
    data = read(tmp_path / "t.csv", DataSettings())
    assert data.column_names == ("size", "age")
    assert any("only count or name the rows: when, who, name" in note for note in data.notes)
    kept = read(tmp_path / "t.csv", DataSettings(numbers=("who",), drop=("age",)))
    assert kept.column_names == ("who", "size")


def test_a_count_is_kept_where_there_is_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{n},{n * n + 0.5}\n" for n in range(50)))
    assert read(tmp_path / "t.csv", DataSettings()).column_names == ("x",)


def test_the_target_of_a_competition_is_what_its_test_part_lacks(tmp_path: Path) -> None:
    rows = [f"{n},{n % 2},{n % 5 + 0.5},{'SCQ'[n % 3]}" for n in range(60)]
    (tmp_path / "train.csv").write_text("PassengerId,Survived,Fare,Port\n" + "\n".join(rows))
    (tmp_path / "test.csv").write_text("PassengerId,Fare,Port\n99,1.5,S\n100,2.5,Q\n")
    (tmp_path / "sample_submission.csv").write_text("PassengerId,Survived\n99,0\n100,0\n")
    data = read(tmp_path, DataSettings())
    assert (data.target_names, data.column_names) == (("Survived",), ("Fare", "Port"))
    assert data.test_inputs is None and any("ganglion predict RUN" in note for note in data.notes)


def test_flags_of_another_file_are_errors_of_ours(tmp_path: Path) -> None:
    for settings in ({"delimiter": "ab"}, {"encoding": "klingon"}, {"drop": ("c",)}, {"index": "c"}):
        (tmp_path / "t.csv").write_text(column("1", "2", "3", "4"))
        with pytest.raises(GanglionError) as caught:
            read(tmp_path / "t.csv", DataSettings(**settings))  # type: ignore[arg-type]
        assert caught.value.remedy or caught.value.expected
