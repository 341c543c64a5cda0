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
    text = "date,a\n" + "".join(f"{date},1\n" for date in dates)
    with pytest.raises(DataError, match="not one for each date"):
        series(tmp_path, text)
    dataset = series(tmp_path, text, allow_problems=True)
    assert any("1 gaps" in note and "after row 3" in note and "4 steps" in note for note in dataset.notes)
    assert any("1 dates occur more than once" in note for note in dataset.notes)


def test_months_have_no_gaps(tmp_path: Path) -> None:
    months = np.arange("2020-01", "2024-01", dtype="datetime64[M]")
    dataset = series(tmp_path, "month,a\n" + "".join(f"{month},1\n" for month in months))
    assert not any("gap" in note for note in dataset.notes)


def test_missing_values_never_know_the_future(tmp_path: Path) -> None:
    dataset = series(tmp_path, "a,b\nNA,1\n2,NA\n,3\n4,\n")
    assert np.array_equal(dataset.inputs, [[2, 1], [np.nan, 3], [4, np.nan]], equal_nan=True)
    assert any("1 rows before" in note for note in dataset.notes)
    assert any("a (1), b (2)" in note for note in dataset.notes)


def test_columns_are_chosen_and_text_is_left_out(tmp_path: Path) -> None:
    text = "date,a,b,wind\n2024-01-01,1,2,NW\n2024-01-02,3,4,NW\n"
    assert series(tmp_path, text).column_names == ("a", "b")
    assert series(tmp_path, text, columns=("b",)).inputs.tolist() == [[2], [4]]
    assert series(tmp_path, text, drop=("a", "wind")).inputs.tolist() == [[2], [4]]
    assert series(tmp_path, text, columns=("b",), target="a").column_names == ("b", "a")
    with pytest.raises(DataError, match="text in wind"):
        series(tmp_path, text, columns=("wind",))
    with pytest.raises(ConfigurationError, match="unknown column 'c'"):
        series(tmp_path, text, columns=("c",))
    with pytest.raises(DataError, match="empty"):
        series(tmp_path, "a,b\n1,NA\n2,NA\n")


DAYS = np.arange("2024-01-28", "2024-04-01", dtype="datetime64[D]").tolist()
HOURS = np.arange("2024-01-31T00", "2024-02-02T12", dtype="datetime64[h]").tolist()
MONTHS = np.arange("2019-11", "2024-03", dtype="datetime64[M]").astype("datetime64[D]").tolist()
SPELLINGS = {
    "12-hour clock": (HOURS, lambda t: t.strftime("%m/%d/%Y %I:%M:%S %p")),
    "24-hour clock": (HOURS, lambda t: t.strftime("%d.%m.%Y %H:%M Uhr")),
    "fractions of seconds": (HOURS, lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.000Z")),
    "24 o'clock": (HOURS, lambda t: t.strftime("%Y-%m-%d ") + ("24:00" if t.hour == 0 else t.strftime("%H:%M"))),
    "seconds since 1970": (HOURS, lambda t: str(int(t.timestamp()))),
    "milliseconds since 1970": (HOURS, lambda t: str(int(t.timestamp() * 1000))),
    "digits alone": (DAYS, lambda t: t.strftime("%Y%m%d")),
    "days of a spreadsheet": (DAYS, lambda t: str((t - np.datetime64("1899-12-30").item()).days)),
    "no zeros": (DAYS, lambda t: f"{t.month}/{t.day}/{t.year}"),
    "day of the week": (DAYS, lambda t: t.strftime("%a %d %b %Y")),
    "in words": (DAYS, lambda t: t.strftime("%B %d, %Y")),
    "two digits": (DAYS, lambda t: t.strftime("%d/%m/%y")),
    "Buddhist years": (DAYS, lambda t: t.strftime("%d/%m/") + str(t.year + 543)),
    "month and short year": (MONTHS, lambda t: t.strftime("%b-%y")),
    "German months": (MONTHS, lambda t: t.strftime("%b %Y").replace("Mar", "März").replace("May", "Mai")),
    "year and month": (MONTHS, lambda t: t.strftime("%Y%m")),
    "quarters": (MONTHS[2::3], lambda t: f"{t.year}Q{(t.month + 2) // 3}"),
    "quarter first": (MONTHS[2::3], lambda t: f"Q{(t.month + 2) // 3} {t.year}"),
    "weeks": (DAYS[1::7], lambda t: "{}-W{:02}".format(*t.isocalendar())),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("head", ["date", "Order Date", "Zeitpunkt der Messung"])
def test_dates_of_any_spelling_order_the_rows(tmp_path: Path, spelling: str, head: str) -> None:
    moments, spell = SPELLINGS[spelling]
    rows = [f'"{spell(moment)}",{3 * number}' for number, moment in enumerate(moments)]
    mixed = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]
    for order in (rows, rows[::-1], *([mixed] if spelling != "24 o'clock" else [])):
        dataset = series(tmp_path, f"{head},sales\n" + "\n".join(order))
        assert dataset.inputs[:, 0].tolist() == [3 * number for number in range(len(rows))]
        assert dataset.column_names == ("sales",)
        assert dataset.clock is not None
        assert dataset.clock.spelt(dataset.clock.first)[:10] == str(np.datetime64(moments[0]))[:10]


@pytest.mark.parametrize(
    ("dates", "step", "following"),
    [
        (DAYS, "1 day", "2024-04-01"),
        (HOURS, "1 hour", "2024-02-02 12:00"),
        (MONTHS, "1 month", "2024-03-01"),
        ([day for day in DAYS if day.weekday() < 5], "1 weekday", "2024-04-01"),
        (np.arange("2020", "2024", dtype="datetime64[M]").astype("datetime64[D]") - 1, "1 month", "2023-12-31"),
    ],
)
def test_a_series_says_its_step_and_knows_what_follows(tmp_path: Path, dates: list, step: str, following: str) -> None:
    dataset = series(tmp_path, "when,a\n" + "".join(f"{date},{number % 7}\n" for number, date in enumerate(dates)))
    assert dataset.clock is not None
    assert dataset.clock.said().endswith(f"a step of {step}")
    assert dataset.clock.following(1) == [following]
    assert not any("gap" in note for note in dataset.notes)


def test_one_bad_date_is_named(tmp_path: Path) -> None:
    rows = [f"{day.strftime('%d/%m/%Y')},1\n" for day in DAYS]
    for odd, said in (("Total,64\n", "'Total' in row 65"), (",64\n", "nothing in row 65")):
        text = "date,a\n" + "".join(rows) + odd
        with pytest.raises(DataError, match="no date that can be read") as caught:
            series(tmp_path, text)
        assert said in caught.value.found
        assert len(series(tmp_path, text, allow_problems=True)) == len(DAYS)


def test_two_readings_in_two_orders_are_refused(tmp_path: Path) -> None:
    text = "date,a\n01/02/2024,1\n03/01/2024,2\n02/03/2024,3\n"
    with pytest.raises(DataError, match="two ways"):
        series(tmp_path, text)
    assert series(tmp_path, text, dates="day-first").inputs.ravel().tolist() == [2, 1, 3]
    assert series(tmp_path, text, dates="month-first").inputs.ravel().tolist() == [1, 3, 2]


def test_rows_that_run_backwards_are_refused(tmp_path: Path) -> None:
    text = "Month,Sales\n" + "".join(f"3-{month:02},1\n" for month in range(12, 0, -1))
    with pytest.raises(DataError, match="backwards"):
        series(tmp_path, text)
    assert len(series(tmp_path, text, allow_problems=True)) == 12


@pytest.mark.parametrize("names", [("unique_id", "ds", "y"), ("store", "date", "sales"), ("Filiale", "Tag", "Umsatz")])
@pytest.mark.parametrize("numbers", [False, True])
def test_several_series_in_one_table_are_refused_until_one_is_chosen(
    tmp_path: Path, names: tuple[str, str, str], numbers: bool
) -> None:
    shops = {"north": 10, "south": 100, "west": 1000}
    known = (
        {shop: str(number) for number, shop in enumerate(shops, start=1)} if numbers else {shop: shop for shop in shops}
    )
    rows = [
        f"{known[shop]},{day},{level + number}\n" for shop, level in shops.items() for number, day in enumerate(DAYS)
    ]
    for order in (rows, sorted(rows, key=lambda row: row.split(",")[1])):
        text = ",".join(names) + "\n" + "".join(order)
        with pytest.raises(DataError, match="several series") as caught:
            series(tmp_path, text)
        assert names[0] in caught.value.where and "--series" in caught.value.remedy
        chosen = series(tmp_path, text, series=f"{names[0]}={known['south']}")
        assert chosen.inputs[:, 0].tolist() == [100 + number for number in range(len(DAYS))]
        assert chosen.column_names == (names[2],)


def test_rows_without_values_at_the_end_are_to_be_forecast(tmp_path: Path) -> None:
    text = "date,sales,open\n" + "".join(
        f"{day},{number if number < 60 else ''},1\n" for number, day in enumerate(DAYS)
    )
    dataset = series(tmp_path, text, target="sales")
    assert (len(dataset), dataset.ahead) == (60, len(DAYS) - 60)
    assert dataset.clock is not None
    assert dataset.clock.following(1) == [str(DAYS[60])]


def test_large_numbers_keep_their_small_changes(tmp_path: Path) -> None:
    truth = [2_000_000_000 + 10 * step + step % 3 for step in range(100)]
    text = "minute,bytes\n" + "".join(f"{minute},{value}\n" for minute, value in enumerate(truth))
    dataset = series(tmp_path, text)
    assert dataset.inputs[:, 0].tolist() == truth and dataset.column_names == ("bytes",)


@pytest.mark.parametrize(
    ("dates", "first", "step"),
    [
        ([f"24-{n // 28 + 1:02d}-{n % 28 + 1:02d}" for n in range(84)], "2024-01-01", "1 day"),
        ([f"{1990 + n // 2}H{n % 2 + 1}" for n in range(40)], "1990-01-01", "6 months"),
        ([f"S{n % 2 + 1} {1990 + n // 2}" for n in range(40)], "1990-01-01", "6 months"),
        ([f"2024-{n + 1:03d}" for n in range(60)], "2024-01-01", "1 day"),
        ([f"{n + 1:02d}/01/24" for n in range(28)], "2024-01-01", "1 day"),
    ],
    ids=["short years first", "half years", "half years, behind", "days of the year", "short years last"],
)
def test_further_forms_of_dates(tmp_path: Path, dates: list[str], first: str, step: str) -> None:
    for order in (slice(None), slice(None, None, -1)):
        rows = [f"{date},{number}.5" for number, date in enumerate(dates)][order]
        read = series(tmp_path, "when,a\n" + "\n".join(rows))
        assert read.inputs[:, 0].tolist() == [number + 0.5 for number in range(len(dates))]
        said = next(note for note in read.notes if note.startswith("series from"))
        assert f"from {first}" in said and step in said


@pytest.mark.parametrize("clock", ["{:02d}:00", "{:02d}.00.00", "{}h00", "{}"])
def test_the_time_of_day_may_stand_in_a_column_of_its_own(tmp_path: Path, clock: str) -> None:
    rows = [f"2024-01-{n // 24 + 1:02d},{clock.format(n % 24)},{n}.5" for n in range(96)]
    read = series(tmp_path, "date,hour,a\n" + "\n".join(rows[::-1]))
    assert read.inputs[:, 0].tolist() == [n + 0.5 for n in range(96)]
    assert read.column_names == ("a",)
    assert any("2024-01-01 00:00 to 2024-01-04 23:00, a step of 1 hour" in note for note in read.notes)


def test_dates_of_an_unknown_form_that_run_backwards_are_refused(tmp_path: Path) -> None:
    rows = [f"FY{1990 + n},{n}" for n in range(20)]
    assert series(tmp_path, "when,a\n" + "\n".join(rows)).inputs[0, 0] == 0
    with pytest.raises(DataError, match="backwards"):
        series(tmp_path, "when,a\n" + "\n".join(rows[::-1]))
