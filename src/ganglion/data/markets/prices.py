"""One price over time, from a generator or a table; what no strategy can be judged on is refused."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganglion.data.clock import DAY, Clock
from ganglion.data.digests import fingerprint
from ganglion.data.formats.series.order import Timed, choose_series, find_times
from ganglion.data.formats.tables.reading import read_table
from ganglion.data.formats.tables.table import Table, is_numeric
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import GENERATORS, generate
from ganglion.errors import DataError
from ganglion.files import regular

TRADING_DAYS = 252
"""Steps a year where there are no dates, or days without weekends."""
CALLED = (r"adj.*close", r"close", r"last", r"price", r"value")
"""What columns of prices are called, in small letters; the first of these that one is called counts."""
LONGEST_GAP = 10
"""Steps that may be missing in a row: closed weeks are usual, longer gaps hide what would have been lost or gained."""


@dataclass(frozen=True)
class Prices:
    """A price at even steps of time."""

    name: str
    values: np.ndarray
    """(time,), all above zero."""
    steps_a_year: float
    days: tuple[str, str] | None = None
    """First and last date, where there are dates."""
    notes: tuple[str, ...] = ()
    """What was inferred."""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.values)

    def __len__(self) -> int:
        return len(self.values)


def read_prices(source: str, settings: DataSettings) -> Prices:
    """Return the prices of a generated series by name, or of a table's file.

    The column is `settings.target`, or the one whose name says so. Raises `DataError` for prices that are missing
    or not above zero, for dates in no order or with long gaps, and where it is not clear which column holds prices.
    """
    if source in GENERATORS:
        made = generate(source)
        if made.kind != "series":
            raise DataError(
                "these are no prices", where=source, expected="a series", found=f"{made.kind} data",
                remedy="name swinging-prices or geometric-brownian-motion, or a CSV file",
            )  # fmt: skip
        values = np.asarray(made.inputs, dtype=np.float64)[:, 0]
        _refuse_no_prices(values, lambda row: f"{source}, step {row + 1}")
        return Prices(source, values, TRADING_DAYS)
    path = regular(Path(source).expanduser())
    table = read_table(path, settings)
    notes = list(table.notes)
    timed = find_times(choose_series(table, settings), settings, notes)
    column = _column(timed.table, settings, notes)
    values = np.asarray(timed.table[column], dtype=np.float64)
    _refuse_no_prices(values, lambda row: f"{path}, line {timed.table.line(row)}, column {column}")
    if timed.seconds is None:
        return Prices(path.stem, values, TRADING_DAYS, notes=tuple(notes))
    return _in_time(path, values, timed, settings, notes)


def _in_time(path: Path, values: np.ndarray, timed: Timed, settings: DataSettings, notes: list[str]) -> Prices:
    seconds = timed.seconds
    assert seconds is not None
    if len(seconds) > 1 and seconds[0] > seconds[-1]:
        notes.append("the newest price came first; turned round")
        values, seconds = values[::-1].copy(), seconds[::-1].copy()
        line = lambda row: timed.table.line(len(seconds) - 1 - row)  # noqa: E731
    else:
        line = timed.table.line
    clock = Clock.of(seconds)
    wrong = np.flatnonzero(np.diff(seconds) <= 0)
    if len(wrong):
        before, after = (float(seconds[row]) for row in (wrong[0], wrong[0] + 1))
        raise DataError(
            "the dates of these prices are in no order",
            where=f"{path}, lines {line(int(wrong[0]))} and {line(int(wrong[0]) + 1)}, column {timed.dates}",
            expected="each date once, all in order, the oldest or the newest first",
            found=f"{clock.spelt(before)} beside {clock.spelt(after)}",
            remedy="sort the file by its dates; one series of several is chosen with --series COLUMN=VALUE",
        )
    if not timed.on_calendar:
        return Prices(path.stem, values, TRADING_DAYS, notes=tuple(notes))
    steps = clock.steps(seconds)
    longest = int(steps.argmax()) if len(steps) else 0
    if len(steps) and steps[longest] > LONGEST_GAP and not settings.allow_problems:
        raise DataError(
            "there is a gap in these prices",
            where=f"{path}, lines {line(longest)} and {line(longest + 1)}",
            expected=f"at most {LONGEST_GAP} steps without a price",
            found=f"nothing between {clock.spelt(float(seconds[longest]))} and "
            f"{clock.spelt(float(seconds[longest + 1]))}, {steps[longest]:.0f} steps",
            remedy="put the missing prices in, cut the file there, or take the gap as one step with --allow-problems",
        )
    notes.append(f"prices {clock.said()}")
    days = clock.spelt(clock.first), clock.spelt(clock.last)
    return Prices(path.stem, values, _steps_a_year(clock), days, tuple(notes))


def _steps_a_year(clock: Clock) -> float:
    if clock.weekdays:
        return TRADING_DAYS
    return 12 / clock.months if clock.months else 365.25 * DAY / clock.seconds


def _column(table: Table, settings: DataSettings, notes: list[str]) -> str:
    """Return the name of the column of prices."""
    asked = settings.target or next(iter(settings.columns), None)
    numeric = [name for name in table.names if is_numeric(table[name])]
    found = [asked] if asked else _called(numeric)
    if len(found) != 1 or not is_numeric(table[found[0]]):
        raise DataError(
            "the column of prices holds no numbers" if asked else "it is not clear which column holds the prices",
            where=table.source,
            expected="one column of numbers, called close or price, or named with --target",
            found=str(asked) if asked else ", ".join(numeric) or "no column of numbers",
            remedy=f"--target {numeric[0]!r}" if numeric else "give a file with prices",
        )
    if len(numeric) > 1:
        notes.append(f"prices from the column {found[0]!r}")
    return found[0]


def _called(names: Sequence[str]) -> list[str]:
    """Return the columns that are called like prices, or the only one that there is."""
    if len(names) == 1:
        return list(names)
    for pattern in CALLED:
        if found := [name for name in names if re.fullmatch(pattern, name.strip().lower())]:
            return found
    return []


def _refuse_no_prices(values: np.ndarray, where: Callable[[int], str]) -> None:
    """Raise for the first price that is missing or not above zero."""
    wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        value = values[wrong[0]]
        raise DataError(
            "a price is missing" if not np.isfinite(value) else "a price is not above zero",
            where=where(int(wrong[0])),
            expected="a price above zero in each row",
            found=("nothing" if not np.isfinite(value) else f"{value:g}")
            + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""),
            remedy="mend or remove these rows: a return from a price of zero has no meaning",
        )
