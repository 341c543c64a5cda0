"""Dates as people write them, read by the evidence of a whole column: day or month first, clocks, weeks, quarters.

A form of dates is a pattern. The one that reads the most cells is taken; where a column can be read day first and month
first, the reading that gives even steps is; where both do or neither does, the user is asked.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, final

import numpy as np

Order = Literal["day-first", "month-first"]
Parts = dict[str, str]

DAY = 86400.0
MOSTLY = 0.8
"""Share of cells that must be dates for a column to be one of dates; what else stands in it is named then."""
NAMES = re.compile(
    r"date|time|datum|stamp|zeit|fecha|period|month|monat|week|woche|quarter|quartal|year|jahr|^day|day$|^ds$|^t$"
    r"|日期|时间|年|月|дата|время"
)
"""What columns of dates are called, in small letters."""
BUDDHIST = 543
"""Years that the Thai calendar is ahead."""
MONTHS = (
    "january jan januar jänner janvier enero ene gennaio janv gen janeiro januari",
    "february feb februar février fevrier fev févr febrero febbraio fevereiro februari",
    "march mar märz mrz mars marzo março maart mrt",
    "april apr avril avr abril aprile abr",
    "may mai mayo maggio maio mei",
    "june jun juni juin junio giugno junho",
    "july jul juli juillet juil juill julio luglio julho",
    "august aug août aout agosto ago augustus",
    "september sep sept septembre septiembre settembre setembro set",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre decembre diciembre dic dicembre dezembro",
)


def plain(text: str) -> str:
    """Return a text in small letters without accents."""
    spelt = unicodedata.normalize("NFKD", text.strip().lower())
    return "".join(letter for letter in spelt if not unicodedata.combining(letter))


MONTH_NUMBERS = {plain(name): number for number, names in enumerate(MONTHS, start=1) for name in names.split()}
_MONTH = "(?P<mon>" + "|".join(sorted(MONTH_NUMBERS, key=len, reverse=True)) + r")\.?"
_YEAR = r"(?P<y>\d{4}|'?\d{2})"
_TWO = r"(?P<{}>\d{{1,2}})"
_D, _M = _TWO.format("d"), _TWO.format("m")
_TH = r"(?:st|nd|rd|th|\.)?"
CLOCK = (
    r"(?:(?:\s+|t|,\s*)(?P<H>\d{1,2})(?:[:.h](?P<M>\d{2}))?(?:[:.](?P<S>\d{2})(?:[.,](?P<f>\d+))?)?"
    r"\s*(?P<ap>[ap]\.?m\.?)?(?:\s*(?:uhr|h|hrs))?\s*(?P<tz>z|utc|gmt|[+-]\d{2}:?\d{2})?)?"
)
WEEKDAY = r"(?:[a-z]{2,10}\.?,?\s+)?"
FORMS: dict[str, str] = {
    "year-month-day": r"(?P<y>\d{4})[-/. 年](?P<m>\d{1,2})[-/. 月](?P<d>\d{1,2})日?" + CLOCK,
    "yearmonthday": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})" + CLOCK,
    "day month year": _D + r"[-/. ]" + _M + r"[-/. ](?P<y>\d{4}|\d{2})" + CLOCK,
    "month day year": _M + r"[-/. ]" + _D + r"[-/. ](?P<y>\d{4}|\d{2})" + CLOCK,
    "day month-name year": WEEKDAY + _D + _TH + r"[- ]?(?:de )?" + _MONTH + r"(?: de|,)?[- ]?" + _YEAR + CLOCK,
    "month-name day year": WEEKDAY + _MONTH + r"[- ]" + _D + _TH + r",?[- ]" + _YEAR + CLOCK,
    "month-name year": _MONTH + r"(?: de|,)?[-/ ]?" + _YEAR,
    "year month-name": r"(?P<y>\d{4})[-/ ]?" + _MONTH,
    "year-month": r"(?P<y>\d{4})[-/. 年m](?P<m>\d{1,2})月?",
    "month-year": _M + r"[-/.](?P<y>\d{4})",
    "year quarter": r"(?P<y>\d{4})[-/ .:]?[qt](?P<q>[1-4])",
    "quarter year": r"[qt](?P<q>[1-4])[-/ .:']*" + _YEAR,
    "year week": r"(?P<y>\d{4})[-/ ]?(?:w|kw|cw|week )\s?(?P<w>\d{1,2})(?:-(?P<wd>[1-7]))?",
    "week year": r"(?:w|kw|cw|week )\s?(?P<w>\d{1,2})[-/ ,]+(?P<y>\d{4})",
    "year half": r"(?P<y>\d{4})[-/ ]?[hs](?P<half>[12])",
    "half year": r"[hs](?P<half>[12])[-/ ]*" + _YEAR,
    "year day-of-year": r"(?P<y>\d{4})[-/.](?P<yd>\d{3})",
    "year": r"(?P<y>\d{4})",
    "short-year-month-day": r"(?P<y>\d{2})[-/.](?P<m>\d{2})[-/.](?P<d>\d{2})" + CLOCK,
}
"""Patterns of dates in small letters without accents, by what they are called."""
SHORT = "short-year-month-day"
"""A rare form, which is taken only where it orders a column better than all others."""


@final
@dataclass(frozen=True)
class Dates:
    """A column read as dates."""

    seconds: np.ndarray
    """Seconds since 1970 `(rows,)`, NaN for what is no date."""
    form: str
    """How they were read."""
    rivals: tuple["Dates", ...] = ()
    """Other readings that the column allows as well."""


def read_dates(cells: Sequence[object], order: Order | None = None) -> Dates | None:
    """Return a column of texts as dates, or None where most cells are none.

    >>> read_dates(["01/31/2024 12:30 AM", "02/01/2024 1:00 PM"]).form
    'month day year'
    >>> (read_dates(["2024Q1", "2024Q2"]).seconds / 86400).tolist()
    [19723.0, 19814.0]
    """
    texts = ["" if cell is None else plain(str(cell)) for cell in cells]
    present = sum(map(bool, texts))
    if not present:
        return None
    skipped = {"day-first": "month day year", "month-first": "day month year"}.get(order or "", "")
    readings = []
    for form, pattern in FORMS.items():
        if form not in (skipped, SHORT if order else ""):
            readings += _readings(texts, form, re.compile(pattern))
    best = max((_count(reading) for reading in readings), default=0)
    if best < MOSTLY * present:
        return None
    first, *others = sorted((reading for reading in readings if _count(reading) == best), key=_unevenness)
    rivals = [one for one in others if one.form != SHORT and _unevenness(one) <= _unevenness(first) + 0.5]
    return Dates(first.seconds, first.form, tuple(rivals))


def read_clock(cells: Sequence[object]) -> np.ndarray | None:
    """Return a column of times of day as seconds since midnight `(rows,)`, or None where most cells are none.

    >>> read_clock(["23:30", "12:15 am"]).tolist(), read_clock(["23", "7"])
    ([84600.0, 900.0], None)
    """
    texts = ["" if cell is None else str(cell).strip() for cell in cells]
    if not any(texts) or sum(map(_has_minutes, texts)) < MOSTLY * sum(map(bool, texts)):
        return None
    found = read_dates([text and f"1970-01-01 {text}" for text in texts])
    return None if found is None else found.seconds


def _has_minutes(text: str) -> bool:
    return re.match(r"\d{1,2}[:.h]\d{2}", text) is not None


def read_numbers(column: np.ndarray, called_date: bool) -> Dates | None:
    """Return numbers `(rows,)` as dates: 20240131, 202401, years, seconds since 1970, days of a spreadsheet.

    Columns that are not called dates are taken for such only where every number is a day of the calendar.
    """
    there = column[np.isfinite(column)]
    if len(there) < max(2, MOSTLY * len(column)):
        return None
    whole, low, high = bool((there == np.round(there)).all()), float(there.min()), float(there.max())
    if whole and low >= 19000101 and high <= 21001231:
        return _spelt(column, "yearmonthday")
    if not called_date:
        return None
    if whole and low >= 190001 and high <= 210012:
        return _spelt(column, "yearmonth")
    if low >= 1500 and high <= 2200:
        years = np.floor(column)
        starts = _each(years, lambda year: datetime(int(year), 1, 1))
        lengths = _each(years, lambda year: datetime(int(year) + 1, 1, 1)) - starts
        return Dates(starts + (column - years) * lengths, "year")
    if low >= 20_000 and high <= 80_000:
        return Dates((column - 25_569) * DAY, "days of a spreadsheet")
    for unit, name in ((1.0, "seconds"), (1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")):
        if 1e8 * unit <= low and high <= 5e9 * unit:
            return Dates(column / unit, f"{name} since 1970")
    return None


def _spelt(column: np.ndarray, form: str) -> Dates | None:
    texts = ["" if value != value else f"{int(value)}" for value in column.tolist()]
    if form == "yearmonth":
        texts, form = [f"{text[:4]}-{text[4:]}" if text else "" for text in texts], "year-month"
    found = _readings(texts, form, re.compile(FORMS[form]))
    return found[0] if found and _count(found[0]) == sum(map(bool, texts)) else None


def _readings(texts: Sequence[str], form: str, pattern: re.Pattern[str]) -> list[Dates]:
    """Return the column read in one form, in two ways where midnight is written as 24 o'clock."""
    if form == "year" and not all(text.isdigit() for text in texts if text):
        return []
    matches = [pattern.fullmatch(text) for text in texts]
    if not any(matches):
        return []
    parts = [match.groupdict() if match else None for match in matches]
    late = any(one and one.get("H") == "24" for one in parts)
    years = [_year(one["y"]) for one in parts if one]
    back = BUDDHIST if min(years) > 2300 else 0
    name = f"{form}, of the Buddhist calendar" if back else form
    return [
        Dates(np.array([_seconds(one, back, next_day) if one else np.nan for one in parts]), name)
        for next_day in ((True, False) if late else (True,))
    ]


def _seconds(parts: Parts, back: int, next_day: bool) -> float:
    """Return seconds since 1970, NaN where there is no such day."""
    try:
        moment = _day(parts, _year(parts["y"]) - back)
        hour, minute = int(parts.get("H") or 0), int(parts.get("M") or 0)
        second = int(parts.get("S") or 0) + float(f"0.{parts.get('f') or 0}")
    except ValueError:
        return float("nan")
    if half := parts.get("ap"):
        if not 1 <= hour <= 12:
            return float("nan")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 24 or minute > 59 or second >= 61 or (hour == 24 and minute):
        return float("nan")
    if hour == 24 and not next_day:
        hour = 0
    return (moment - EPOCH).days * DAY + hour * 3600 + minute * 60 + second - _offset(parts.get("tz") or "")


EPOCH = date(1970, 1, 1)


def _day(parts: Parts, year: int) -> date:
    if quarter := parts.get("q"):
        return date(year, 3 * int(quarter) - 2, 1)
    if half := parts.get("half"):
        return date(year, 6 * int(half) - 5, 1)
    if count := parts.get("yd"):
        return datetime.strptime(f"{year} {count}", "%Y %j").date()
    if week := parts.get("w"):
        return date.fromisocalendar(year, int(week), int(parts.get("wd") or 1))
    month = MONTH_NUMBERS[parts["mon"]] if parts.get("mon") else int(parts.get("m") or 1)
    return date(year, month, int(parts.get("d") or 1))


def _year(text: str) -> int:
    year = int(text.removeprefix("'"))
    return year if year > 99 else year + (1900 if year > 68 else 2000)


def _offset(zone: str) -> float:
    """Return the seconds that a clock is ahead of Greenwich."""
    if zone[:1] not in ("+", "-"):
        return 0.0
    digits = zone[1:].replace(":", "")
    return (int(digits[:2]) * 3600 + int(digits[2:]) * 60) * (1 if zone[0] == "+" else -1)


def _count(reading: Dates) -> int:
    return int(np.isfinite(reading.seconds).sum())


def _unevenness(reading: Dates) -> float:
    """Return how far a reading is from even steps in one direction: 0 even, up to 1 in order, from 2 on mixed."""
    moments = reading.seconds[np.isfinite(reading.seconds)]
    steps = np.diff(moments)
    if not len(steps):
        return 0.0
    mixed = 0.0 if (steps >= 0).all() or (steps <= 0).all() else 2.0
    steps = np.diff(np.sort(moments))
    spread, usual = float(np.ptp(steps)), float(np.median(steps))
    # Months and leap years are nearly even.
    return mixed + (0.0 if not spread else 0.5 if spread <= 0.12 * usual else 1.0)


def _each(values: np.ndarray, moment: Callable[[float], datetime]) -> np.ndarray:
    epoch = datetime(1970, 1, 1)
    return np.array([np.nan if value != value else (moment(value) - epoch) / timedelta(seconds=1) for value in values])
