"""What the calendar says of a moment: the hour, the day of the week, the month, as points on circles."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ganglion.data.clock import DAY, Clock

Cycle = Literal["hour", "weekday", "month"]
CYCLES: dict[Cycle, float] = {"hour": DAY, "weekday": 7 * DAY, "month": 365.25 * DAY}
"""What goes round on the calendar, and its length in seconds."""
ROUNDS = 2
"""Times that training has to see a cycle, so that it is a rule and not a name for one stretch of time."""


def cycles(clock: Clock, seconds: float) -> tuple[Cycle, ...]:
    """Return what of the calendar is worth knowing: cycles longer than a step, of which training sees two.

    Args:
        clock: of a series.
        seconds: that the training part lasts.

    >>> days = Clock.of(np.arange(60) * DAY)
    >>> cycles(days, 60 * DAY), cycles(days, 1000 * DAY)
    (('weekday',), ('weekday', 'month'))
    """
    step = 30 * DAY * clock.months if clock.months else clock.seconds
    return tuple(name for name, length in CYCLES.items() if step < length and seconds >= ROUNDS * length)


def calendar_columns(seconds: np.ndarray, names: Sequence[Cycle]) -> np.ndarray:
    """Return for moments `(rows,)`, in seconds since 1970, a point on a circle for each cycle `(rows, 2 * cycles)`.

    sin(2 pi p) and cos(2 pi p), p being the part of the day, the week or the year that is over.

    >>> noon_on_a_thursday = np.array([12 * 3600.0])
    >>> calendar_columns(noon_on_a_thursday, ("hour", "month")).round(2).tolist()
    [[0.0, -1.0, 0.0, 1.0]]
    """
    seconds = np.asarray(seconds, dtype=np.float64)
    parts = {
        "hour": seconds / DAY % 1,
        "weekday": (np.floor(seconds / DAY) + 3) % 7 / 7,
        "month": _months(seconds) / 12,
    }
    angles = 2 * np.pi * np.stack([np.zeros(len(seconds)), *(parts[name] for name in names)], axis=1)[:, 1:]
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(seconds), -1)


def _months(seconds: np.ndarray) -> np.ndarray:
    """Return the month of each moment, January being 0."""
    days = np.floor(seconds / DAY).astype(np.int64).astype("datetime64[D]")
    months: np.ndarray = days.astype("datetime64[M]").astype(np.int64) % 12
    return months
