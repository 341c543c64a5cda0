"""Files of users that were read wrong in silence, or refused though they are clear."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganglion.cli.data import check_data
from ganglion.data.catalogue import read
from ganglion.data.check import check_path
from ganglion.data.dataset import Dataset
from ganglion.data.pixels import asked_pixels
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
BAD_DAY = [f"{n % 28 + 1:02}/{n // 28 + 1:02}/2022" for n in range(60)]
BAD_DAY[30] = "31/31/2022"
TWICE = [f"{n // 2 % 28 + 1:02}/{n // 56 + 1:02}/2022" for n in range(120)]
RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.choice(90_000, 200, replace=False) + 1000


def written(folder: Path, text: str, kind: Any = None, name: str = "t.csv", **settings: Any) -> Dataset:
    (folder / name).write_text(text, encoding="utf-8")
    return read(folder / name, DataSettings(**settings), kind)


@pytest.mark.parametrize("spelt", ['"${:,}"', '"{:,}"', "{} €", "{}%", "-{}", "({})"])
def test_numbers_in_units_or_groups_measure_and_name_nothing(tmp_path: Path, spelt: str) -> None:
    cells = [spelt.format(number) for number in NUMBERS]
    data = written(tmp_path, "x,size,y\n" + "".join(f"{cell},{n / 7:.3f},{n % 2}\n" for n, cell in enumerate(cells)))
    assert data.column_names == ("x", "size")
    assert np.abs(data.inputs[:, 0]).tolist() == NUMBERS.tolist()
    plain = written(tmp_path, "x,size,y\n" + "".join(f"{n},{n / 7:.3f},{n % 2}\n" for n in NUMBERS))
    assert plain.column_names == ("size",)


@pytest.mark.parametrize(
    ("head", "month"),
    [
        ("Year,Month", str),
        ("Jahr,Monat", str),
        ("year,month", lambda n: MONTHS[n - 1]),
        ("ano,mês", "{:02d}".format),
    ],
)
def test_dates_in_parts_whatever_they_are_called(tmp_path: Path, head: str, month: Any) -> None:
    months = [(2001 + n // 12, n % 12 + 1, n) for n in range(60)]
    rows = "".join(f"{year},{month(number)},{n}\n" for year, number, n in reversed(months))
    data = written(tmp_path, f"{head},sales\n{rows}", "series")
    assert data.inputs[:, 0].tolist() == list(range(60)) and data.column_names == ("sales",)
    assert data.clock is not None and "a step of 1 month" in data.clock.said()


def test_a_lowest_value_is_no_minute(tmp_path: Path) -> None:
    rows = "".join(f"{2001 + n // 12},{n % 12 + 1},{n % 9},{n % 9 + 20}\n" for n in range(60))
    assert written(tmp_path, f"year,month,min,max\n{rows}", "series").column_names == ("min", "max")


def test_columns_that_are_times_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"r{n},{n},{n + 1},{n + 2},{n + 3}\n" for n in range(30))
    with pytest.raises(DataError, match="its rows are series") as caught:
        written(tmp_path, f"region,2001,2002,2003,2004\n{rows}", "series")
    assert "--columns" in caught.value.remedy
    asked = written(tmp_path, f"region,2001,2002,2003,2004\n{rows}", "series", columns=("2002",))
    assert asked.column_names == ("2002",)


def test_a_column_that_counts_down_is_not_left_out_in_silence(tmp_path: Path) -> None:
    text = "tick,value\n" + "".join(f"{60 - n},{n % 7}\n" for n in range(60))
    with pytest.raises(DataError, match="run backwards"):
        written(tmp_path, text, "series")
    assert written(tmp_path, text, "series", allow_problems=True).column_names == ("value",)


@pytest.mark.parametrize(("dates", "said"), [(BAD_DAY, "row 31"), (TWICE, "more than once")])
def test_the_data_check_stops_where_training_does(tmp_path: Path, dates: list[str], said: str) -> None:
    rows = "".join(f"{one},{n}\n" for n, one in enumerate(dates))
    (tmp_path / "t.csv").write_text("date,value\n" + rows)
    stops = [one for one in check_path(tmp_path / "t.csv", kind="series") if one.level == "stop"]
    assert len(stops) == 1 and said in " ".join(stops[0].where)
    with pytest.raises(DataError):
        read(tmp_path / "t.csv", DataSettings(), "series")
    allowed = check_path(tmp_path / "t.csv", DataSettings(allow_problems=True), kind="series")
    assert not [one for one in allowed if one.level == "stop"]


def test_the_check_of_the_command_line_stops_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("date,value\n" + "".join(f"{one},{n}\n" for n, one in enumerate(BAD_DAY)))
    with pytest.raises(SystemExit) as ended:
        check_data(str(tmp_path / "t.csv"), reading={}, kind="series")
    assert ended.value.code == 1 and "'31/31/2022' in row 31" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        check_data("digits", reading={}, kind="image-pairs")
    assert "no data of the kind image-pairs" in capsys.readouterr().out


def test_the_only_other_class_is_named_if_its_pictures_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    (tmp_path / "dogs").mkdir()
    for number in range(5):
        Image.fromarray(np.full((8, 8), 40 * number, np.uint8)).save(tmp_path / "cats" / f"{number}.png")
        (tmp_path / "dogs" / f"{number}.avif").write_bytes(b"\0\0\0\x18ftypavif" + bytes(50))
    with pytest.raises(DataError, match="no picture of this class can be read") as caught:
        read(tmp_path, DataSettings())
    assert caught.value.where.endswith("dogs")


def test_tables_of_other_endings(tmp_path: Path) -> None:
    text = "a|b\n" + "".join(f"{n / 7:,.2f}|{n % 2}\n" for n in range(9000, 9040))
    for name in ("t.psv", "t.dat"):
        assert written(tmp_path, text, name=name).inputs[0, 0] == 1285.71
    with pytest.raises(DataError, match="cannot be read as a data set"):
        written(tmp_path, text, name="t.export")
    assert written(tmp_path, text, "tabular", name="t.export").inputs[0, 0] == 1285.71


def test_texts_in_a_list_of_json(tmp_path: Path) -> None:
    rows = [{"text": f"nice {n}" if n % 2 else f"awful {n}", "label": n % 2} for n in range(60)]
    data = written(tmp_path, json.dumps(rows, indent=1), "documents", name="t.json")
    assert list(data.inputs) == [row["text"] for row in rows] and data.label_names == ("0", "1")
    with pytest.raises(DataError, match="no list of objects"):
        written(tmp_path, "[1, 2]", "documents", name="t.json")


def test_pictures_that_move_are_said(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8), 80 * number, np.uint8)) for number in range(3)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        frames[2].save(tmp_path / name / "still.gif")
        frames[1].save(tmp_path / name / "moves.gif", save_all=True, append_images=frames)
    data = read(tmp_path, DataSettings())
    assert data.inputs.max(axis=(1, 2, 3)).tolist() == [80, 160, 80, 160]
    assert any("2 pictures move: their first frame" in note for note in data.notes)


def test_a_question_on_no_scale_names_no_flag_that_it_has_not() -> None:
    with pytest.raises(DataError, match="no range") as caught:
        asked_pixels(np.linspace(-1024, 3071, 64, dtype=np.float32).reshape(8, 8), (0.0, 255.0))
    assert "0 for black to 255 for white" in caught.value.remedy


def test_texts_left_out_stop_and_labels_that_share_a_cell_are_said(tmp_path: Path) -> None:
    rows = "".join(f"a film of number {n},{('good', 'bad', 'good|long', 'long')[n % 4]}\n" for n in range(80))
    (tmp_path / "t.csv").write_text("text,label\n" + rows + ",good\nno label,\n")
    found = {one.name: one for one in check_path(tmp_path / "t.csv", kind="documents")}
    assert found["rows-without-target"].level == "stop" and found["rows-without-target"].where == ("row 81", "row 82")
    assert found["shared-cells"].where == ("good|long",)
    (tmp_path / "t.csv").write_text("text,label\n" + rows.replace("good|long", "good"))
    assert not [one for one in check_path(tmp_path / "t.csv", kind="documents") if one.name == "shared-cells"]
