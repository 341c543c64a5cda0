"""Several series in one table: told apart, put in order, with what is known of them in advance."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.calendar import calendar_columns
from ganglion.data.catalogue import read
from ganglion.data.check import check, check_path
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError

DAYS = np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]")


def panel(folder: Path, text: str, **settings: object) -> Dataset:
    (folder / "sales.csv").write_text(text)
    return read(folder / "sales.csv", DataSettings(**settings), kind="series")  # type: ignore[arg-type]


def table(rows: list[str], head: str = "day,shop,sold,price") -> str:
    return "\n".join([head, *rows]) + "\n"


ROWS = [f"{day},{shop},{number + 100 * place},{number % 5}" for number, day in enumerate(DAYS)
        for place, shop in enumerate(("b", "a"))]  # fmt: skip


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_rows_are_told_apart_and_put_in_order(tmp_path: Path, seed: int | None) -> None:
    rows = ROWS if seed is None else [ROWS[place] for place in np.random.default_rng(seed).permutation(len(ROWS))]
    found = panel(tmp_path, table(rows), key=("shop",), known=("price",))
    assert found.kind == "panel"
    by_name = dict(zip(found.fields["series"].values, range(2), strict=True))
    for name, level in (("b", 0), ("a", 100)):
        assert found.fields["inputs"][by_name[name]].ravel().tolist() == [level + number for number in range(40)]
        assert found.fields["known"][by_name[name]].ravel().tolist() == [number % 5 for number in range(40)]
        assert np.diff(found.fields["times"][by_name[name]].ravel()).tolist() == [86400.0] * 39
    assert found.fields["inputs"].names == ("sold",) and found.fields["known"].names == ("price",)
    assert any("2 series of 40 steps" in note for note in found.notes)


def test_two_columns_of_the_key_and_whole_numbers(tmp_path: Path) -> None:
    rows = [f"{day},{region},{shop},{place}" for place, day in enumerate(DAYS) for region in "xy" for shop in (1, 2)]
    for key in (("region", "shop"), ("region,shop",)):
        found = panel(tmp_path, table(rows, "day,region,shop,sold"), key=key)
        assert sorted(found.fields["series"].values) == ["x, 1", "x, 2", "y, 1", "y, 2"]
    with pytest.raises(DataError, match="not one for each date") as caught:
        panel(tmp_path, table(rows, "day,region,shop,sold"), key=("region",))
    assert "--key" in caught.value.remedy


def test_one_series_may_be_told_the_calendar(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(table([f"{day},{n % 7},1" for n, day in enumerate(DAYS)], "day,sold,price"))
    settings = DataSettings(calendar="yes", drop=("price",))
    found = read(tmp_path / "sales.csv", settings, kind="series")
    assert found.fields["series"].values == ["sales"] and found.fields["inputs"].names == ("sold",)
    assert not any(one.name == "other-kind" for one in check_path(tmp_path / "sales.csv", settings, "series"))


def test_without_dates_the_order_of_the_file_counts(tmp_path: Path) -> None:
    found = panel(tmp_path, table([f"{'xy'[n % 2]},{n}" for n in (4, 3, 0, 1, 2, 5)], "id,value"), key=("id",))
    assert [one.ravel().tolist() for one in found.fields["inputs"].values] == [[4, 0, 2], [3, 1, 5]]
    assert "times" not in found.fields


def test_rows_to_come_say_what_is_known_in_advance(tmp_path: Path) -> None:
    rows = [*ROWS[:-6], *(f"{row.rsplit(',', 2)[0]},,{9}" for row in ROWS[-6:])]
    found = panel(tmp_path, table(rows), key=("shop",), known=("price",))
    assert found.ahead == 3
    assert [len(one) for one in found.fields["inputs"].values] == [37, 37]
    assert [one[-3:].ravel().tolist() for one in found.fields["known"].values] == [[9, 9, 9]] * 2
    assert any("6 rows" in note for note in found.notes)


def test_a_column_that_is_not_known_in_advance_is_refused_as_such(tmp_path: Path) -> None:
    rows = [*ROWS[:-6], *(f"{row.rsplit(',', 2)[0]},," for row in ROWS[-6:])]
    with pytest.raises(DataError, match="no values in the rows to come") as caught:
        panel(tmp_path, table(rows), key=("shop",), known=("price",))
    assert "price" in caught.value.where


def test_texts_known_in_advance_become_columns(tmp_path: Path) -> None:
    rows = [f"{day},{n},{'yes' if n % 7 == 0 else 'no'},{'abc'[n % 3]}" for n, day in enumerate(DAYS)]
    found = panel(tmp_path, table(rows, "day,sold,holiday,kind"), known=("holiday", "kind"))
    assert found.fields["known"].names == ("holiday=yes", "kind=a", "kind=b", "kind=c")
    assert found.fields["known"][0][:8, 0].tolist() == [1, 0, 0, 0, 0, 0, 0, 1]
    assert (found.fields["known"][0][:, 1:].sum(axis=1) == 1).all()


@pytest.mark.parametrize(
    ("settings", "text", "said"),
    [
        ({"key": ("store",)}, table(ROWS), "unknown column 'store'"),
        ({"known": ("prise",)}, table(ROWS), "unknown column 'prise'"),
        ({"key": ("shop",), "known": ("sold",), "target": "sold"}, table(ROWS), "to be forecast, known in advance"),
        ({"key": ("shop",)}, table([*ROWS, "2024-03-01,,1,1"]), "belongs to no series"),
        ({"known": ("shop",)}, table([f"{day},s{n},{n},1" for n, day in enumerate(DAYS)]), "a few different texts"),
        ({"calendar": "yes"}, "a,b\n" + "1,2\n3,5\n2,9\n" * 9, "no dates"),
    ],
)
def test_refuses_what_cannot_be(tmp_path: Path, settings: dict[str, object], text: str, said: str) -> None:
    with pytest.raises((DataError, UsageError), match=said):
        panel(tmp_path, text, **settings)


def test_series_without_values_are_left_out_and_said(tmp_path: Path) -> None:
    rows = [*ROWS, *(f"{day},empty,,1" for day in DAYS)]
    found = panel(tmp_path, table(rows), key=("shop",))
    assert sorted(found.fields["series"].values) == ["a", "b"]
    (finding,) = found.findings
    assert finding.level == "stop" and finding.where == ("empty",)


def test_a_known_column_that_says_the_target_is_pointed_out(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sold = random.normal(10, 2, 400)
    days = np.arange("2023-01-01", "2024-02-05", dtype="datetime64[D]")
    rows = [f"{day},{one:.4f},{7 * one:.4f},{other:.4f}" for day, one, other in zip(days, sold, random.random(400))]  # noqa: B905
    found = check(panel(tmp_path, table(rows, "day,sold,revenue,price"), known=("revenue", "price")))
    assert ["revenue" in one.message for one in found if one.name == "leak"] == [True]


def test_a_table_of_several_series_names_the_flag(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="several series") as caught:
        panel(tmp_path, table(ROWS))
    assert "--key shop" in caught.value.remedy


def test_points_of_the_calendar_by_hand() -> None:
    moments = np.array(["2024-07-01T06:00", "2023-12-31T18:00"], dtype="datetime64[s]").astype(np.float64)
    found = calendar_columns(moments, ("hour", "weekday", "month"))
    sunday = 2 * np.pi * 6 / 7
    december = 2 * np.pi * 11 / 12
    np.testing.assert_allclose(found[0], [1, 0, 0, 1, 0, -1], atol=1e-9)  # six o'clock, a Monday, July
    np.testing.assert_allclose(
        found[1], [-1, 0, np.sin(sunday), np.cos(sunday), np.sin(december), np.cos(december)], atol=1e-9
    )
