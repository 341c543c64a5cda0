"""Prices from files: which column, which order, and what is refused with its line."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.markets.prices import read_prices
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

DAYS = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3) for day in range(1, 29)]
VALUES = [100 + 0.5 * place for place in range(len(DAYS))]


def written(folder: Path, rows: list[tuple], header: str = "date,close") -> str:
    path = folder / "prices.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)


def usual() -> list[list]:
    return [[day, value] for day, value in zip(DAYS, VALUES, strict=True)]


def test_prices_are_read_with_their_days(tmp_path: Path) -> None:
    prices = read_prices(written(tmp_path, usual()), DataSettings())
    np.testing.assert_array_equal(prices.values, VALUES)
    assert prices.days == ("2024-01-01", "2024-03-28") and prices.steps_a_year == 365.25


def test_the_newest_first_is_turned_round_and_said(tmp_path: Path) -> None:
    prices = read_prices(written(tmp_path, usual()[::-1]), DataSettings())
    np.testing.assert_array_equal(prices.values, VALUES)
    assert any("newest" in note for note in prices.notes)


def test_months_and_weekdays_have_years_of_their_own(tmp_path: Path) -> None:
    months = [[f"{2000 + place // 12}-{place % 12 + 1:02}-01", 1 + place] for place in range(40)]
    assert read_prices(written(tmp_path, months), DataSettings()).steps_a_year == 12
    weekdays = np.busday_offset("2024-01-01", np.arange(60), roll="forward")
    days = [[day, 1 + place] for place, day in enumerate(weekdays)]
    assert read_prices(written(tmp_path, days), DataSettings()).steps_a_year == 252


def test_an_adjusted_close_is_preferred_and_any_column_can_be_named(tmp_path: Path) -> None:
    rows = [[day, value, 2 * value, 3 * value] for day, value in usual()]
    path = written(tmp_path, rows, "date,open,close,adj. close")
    assert read_prices(path, DataSettings()).values[0] == 300
    assert read_prices(path, DataSettings(target="open")).values[0] == 100


def test_columns_that_could_all_be_prices_are_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path, [[*row, 1 + 0.3 * place] for place, row in enumerate(usual())], "date,north,south")
    with pytest.raises(DataError, match="which column holds the prices") as caught:
        read_prices(path, DataSettings())
    assert "--target" in caught.value.remedy


@pytest.mark.parametrize(("value", "what"), [(0, "not above zero"), (-3.5, "not above zero"), ("", "missing")])
def test_a_price_that_is_none_is_refused_with_its_line(value: object, what: str, tmp_path: Path) -> None:
    rows = usual()
    rows[40][1] = value
    with pytest.raises(DataError, match=what) as caught:
        read_prices(written(tmp_path, rows), DataSettings())
    assert "line 42, column close" in caught.value.where


def test_dates_in_no_order_are_refused_with_their_lines(tmp_path: Path) -> None:
    rows = usual()
    rows[10], rows[11] = rows[11], rows[10]
    with pytest.raises(DataError, match="in no order") as caught:
        read_prices(written(tmp_path, rows), DataSettings())
    assert "lines 12 and 13" in caught.value.where and "2024-01-11" in caught.value.found


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_long_gap_is_refused_unless_it_is_wanted(newest_first: bool, tmp_path: Path) -> None:
    rows = usual()[:20] + usual()[60:]
    path = written(tmp_path, rows[::-1] if newest_first else rows)
    with pytest.raises(DataError, match="gap") as caught:
        read_prices(path, DataSettings())
    assert "2024-01-20 and 2024-03-05" in caught.value.found
    assert len(read_prices(path, DataSettings(allow_problems=True))) == len(rows)


def test_a_date_twice_is_refused(tmp_path: Path) -> None:
    rows = usual()
    rows[11][0] = rows[10][0]
    with pytest.raises(DataError, match="in no order"):
        read_prices(written(tmp_path, rows), DataSettings())


def test_generated_prices_and_what_is_none() -> None:
    prices = read_prices("swinging-prices", DataSettings())
    assert len(prices) == 4000 and (prices.values > 0).all() and prices.steps_a_year == 252
    assert prices.fingerprint == read_prices("swinging-prices", DataSettings()).fingerprint
    with pytest.raises(DataError, match="no prices"):
        read_prices("two-moons", DataSettings())
    with pytest.raises(DataError, match="not above zero"):
        read_prices("sine", DataSettings())
