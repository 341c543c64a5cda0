"""Dates as people write them, and as machines do: a language so small that a network soon knows all of it."""

from datetime import date, timedelta

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field

FIRST, DAYS = date(1900, 1, 1), 73_049
"""Two hundred years."""
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FORMS = (
    "{day} {month} {year}",
    "{day}. {month} {year}",
    "{month} {day}, {year}",
    "{month} {ordinal}, {year}",
    "{weekday}, {month} {ordinal}, {year}",
    "{weekday}, {day} {month} {year}",
    "the {ordinal} of {month} {year}",
    "the {ordinal} of {month}, {year}",
    "{day} {short} {year}",
    "{short} {day}, {year}",
    "{short}. {day}, {year}",
    "{weekday_short} {day} {short} {year}",
    "{day}.{number}.{year}",
    "{day:02}.{number:02}.{year}",
    "{day:02}-{short}-{year}",
    "{year}, {month} {day}",
    "in {year}, on {month} {ordinal}",
)
"""No form can be read in two ways."""


def dates(random: np.random.Generator, count: int | None) -> Dataset:
    """Days of the twentieth and twenty-first century in many forms, each with its form in the ISO standard."""
    pairs = [_pair(random) for _ in range(count or 8000)]
    source, target = zip(*pairs, strict=True)
    return Dataset(
        name="",
        fields={
            "source": Field(kind="texts", values=list(source), called="written"),
            "target": Field(kind="texts", values=list(target), called="iso"),
        },
    )


def _pair(random: np.random.Generator) -> tuple[str, str]:
    day = FIRST + timedelta(days=int(random.integers(DAYS)))
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    written = FORMS[random.integers(len(FORMS))].format(
        day=day.day,
        ordinal=f"{day.day}{_ending(day.day)}",
        month=month,
        short=month[:3],
        number=day.month,
        year=day.year,
        weekday=weekday,
        weekday_short=weekday[:3],
    )
    return written, day.isoformat()


def _ending(day: int) -> str:
    """Return what stands behind the number of a day.

    >>> [_ending(day) for day in (1, 2, 3, 4, 11, 12, 21)]
    ['st', 'nd', 'rd', 'th', 'th', 'th', 'st']
    """
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day not in (11, 12, 13) else "th"
