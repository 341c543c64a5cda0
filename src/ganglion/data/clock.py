"""When a series was measured: from when to when, at what step, and what comes after its end."""

from collections.abc import Sequence
from typing import Self, final

import numpy as np

from ganglion.settings import settings

DAY = 86400.0
WEEKEND = (5, 6)
PAUSES = 5
"""Gaps of one length from which on they are pauses that belong to the series: nights, closed days."""


@final
@settings
class Clock:
    """The times of a series that goes on in even steps.

    >>> clock = Clock.of(np.array([0.0, 1.0, 2.0]) * 86400)
    >>> clock.said(), clock.following(2)
    ('from 1970-01-01 to 1970-01-03, a step of 1 day', ['1970-01-04', '1970-01-05'])
    """

    first: float
    """Seconds since 1970 of the first row."""
    last: float
    """Seconds since 1970 of the last row."""
    seconds: float
    """Seconds from row to row; 0 where rows are months apart."""
    months: int = 0
    """Months from row to row; 0 where they are not a number of months."""
    weekdays: bool = False
    """Whether only Monday to Friday are counted."""

    @classmethod
    def of(cls, times: np.ndarray) -> Self:
        """Find the step of times in order `(rows,)`, in seconds since 1970."""
        first, last = (float(times[0]), float(times[-1])) if len(times) else (0.0, 0.0)
        steps = np.diff(times)
        steps = steps[steps > 0]
        if not len(steps):
            return cls(first=first, last=last, seconds=DAY)
        usual = float(np.median(steps))
        months = _months(times) if usual >= 27 * DAY else 0
        weekdays = usual == DAY and len(steps) >= 8 and not np.isin(_weekday(times), WEEKEND).any()
        return cls(first=first, last=last, seconds=0.0 if months else usual, months=months, weekdays=weekdays)

    def steps(self, times: np.ndarray) -> np.ndarray:
        """Return how many steps lie between each row and the next `(rows - 1,)`."""
        if self.months:
            return np.diff(_month(times)) / self.months
        if self.weekdays:
            days = _days(times)
            return np.busday_count(days[:-1], days[1:]).astype(np.float64)
        return np.diff(times) / self.seconds

    def gaps(self, times: np.ndarray) -> np.ndarray:
        """Return after which rows `(gaps,)` some are missing; pauses that recur and holidays of weekdays are none."""
        steps = self.steps(times)
        gaps = np.flatnonzero(steps > (4.5 if self.weekdays else 1.5))
        lengths, counts = np.unique(np.round(steps[gaps], 2), return_counts=True)
        pauses = lengths[(counts >= PAUSES) & (counts >= 0.1 * counts.sum())]
        return gaps[~np.isin(np.round(steps[gaps], 2), pauses)] if counts.sum() * 50 > len(times) else gaps

    def following(self, count: int) -> list[str]:
        """Return the times of the rows after the last one."""
        return [self.spelt(time) for time in self.after(count)]

    def after(self, count: int) -> list[float]:
        """Return the seconds since 1970 of the rows after the last one."""
        return [self._after(number) for number in range(1, count + 1)]

    def _after(self, number: int) -> float:
        if self.weekdays:
            day = np.busday_offset(_days(np.array([self.last]))[0], number, roll="backward")
            return float(day.astype(np.int64)) * DAY + self.last % DAY
        if not self.months:
            return self.last + number * self.seconds
        start = _month(np.array([self.last]))[0] + number * self.months
        begin, end = (
            np.datetime64(int(month), "M").astype("datetime64[D]").astype(int) for month in (start, start + 1)
        )
        into = int(self.last // DAY) - _begin(self.last)
        month_end = _begin(self.last) + into + 1 == _begin(self.last + DAY)
        return float(end - 1 if month_end else min(begin + into, end - 1)) * DAY + self.last % DAY

    def spelt(self, time: float) -> str:
        """Return a time as text, without a clock where rows are whole days."""
        whole_days = self.last % DAY == 0 and (self.months > 0 or self.seconds % DAY == 0)
        text = str(np.datetime64(round(time), "s")).replace("T", " ")
        return text[:10] if whole_days else text.removesuffix(":00") if text.count(":") == 2 else text

    def said(self) -> str:
        """Return from when to when at what step the series goes."""
        return f"from {self.spelt(self.first)} to {self.spelt(self.last)}, a step of {self._step()}"

    def _step(self) -> str:
        if self.months:
            return _counted(*((self.months // 12, "year") if self.months % 12 == 0 else (self.months, "month")))
        units = ((7 * DAY, "week"), (DAY, "day"), (3600.0, "hour"), (60.0, "minute"))
        for length, unit in units:
            if self.seconds >= length and self.seconds % length == 0:
                return _counted(int(self.seconds // length), "weekday" if self.weekdays else unit)
        return f"{self.seconds:g} seconds"


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" + ("s" if count > 1 else "")


def _months(times: np.ndarray) -> int:
    """Return the usual number of months between times that are all the same day of a month or its last; else 0."""
    days = _days(times)
    months = days.astype("datetime64[M]")
    into = (days - months.astype("datetime64[D]")).astype(np.int64)
    ends = (months + 1).astype("datetime64[D]") - 1 == days
    if (times % DAY).any() or not (len(np.unique(into)) == 1 or ends.all()):
        return 0
    steps = np.diff(_month(times))
    lengths, counts = np.unique(steps[steps > 0], return_counts=True)
    return int(lengths[counts.argmax()])


def _days(times: np.ndarray | Sequence[float]) -> np.ndarray:
    return np.floor(np.asarray(times) / DAY).astype(np.int64).astype("datetime64[D]")


def _month(times: np.ndarray) -> np.ndarray:
    return _days(times).astype("datetime64[M]").astype(np.int64)


def _begin(time: float) -> int:
    """Return the day, since 1970, on which the month of a time begins."""
    return int(_days([time]).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)[0])


def _weekday(times: np.ndarray) -> np.ndarray:
    """Return the days of the week, Monday being 0."""
    return (np.floor(times / DAY).astype(np.int64) + 3) % 7
