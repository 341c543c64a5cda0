"""The ends of the series of a panel, from which they go on, and series that are asked about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np
from torch import Tensor

from ganglion.data.calendar import calendar_columns
from ganglion.data.clock import Clock
from ganglion.data.formats.asked_rows import with_flags_of_training
from ganglion.data.formats.series.panel import panel_of
from ganglion.data.preprocessing import PanelPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.settings import settings, unknown_name
from ganglion.tasks.measures.series import fill_gaps
from ganglion.tasks.shared.inputs import existing
from ganglion.tasks.shared.series.panels import SeriesData, Told

SHOWN = 5
Rows = tuple[tuple[float, ...], ...]


@final
@settings
class End:
    """Where a series ends: what a network reads to go on from there."""

    name: str
    number: int
    """Place of its scale among those of all series."""
    values: Rows
    """Its last standardised values `(window, columns)`."""
    told: Rows
    """What is told of these rows, and of those after them of which something is known `(window + ahead, told)`."""
    clock: Clock | None = None

    @property
    def ahead(self) -> int:
        """Steps after the end of which something is told."""
        return len(self.told) - len(self.values)


def ends_of(series: Sequence[SeriesData], scale: PanelPreprocessing, told: Told, window: int) -> tuple[End, ...]:
    """Return the ends of all series that are at least as long as a window."""
    found = []
    for number, one in enumerate(series):
        if len(one.raw) < window:
            continue
        values = scale.of(number)(fill_gaps(one.raw))[-window:]
        about = told(one.known, one.seconds)[len(one.raw) - window :]
        found.append(End(name=one.name, number=number, values=_rows(values), told=_rows(about), clock=one.clock))
    return tuple(found)


def ends_called(ends: Sequence[End], name: str | None) -> list[End]:
    """Return the ends of all series, or of the one of a name."""
    found = [end for end in ends if name in (None, end.name)]
    if not found:
        raise unknown_name("series", str(name), [end.name for end in ends], where="--series")
    return found


def _rows(values: Tensor | np.ndarray) -> Rows:
    return tuple(tuple(row) for row in values.tolist())


def with_future(ends: Sequence[End], path: str, told: Told, reading: DataSettings) -> list[End]:
    """Return ends that are told of the rows of a table; those of which it says nothing are left out.

    Raises:
        UsageError: nothing is known in advance, so that there is nothing to be told.
        DataError: the table has no row after the end of any series, or a gap in what is known.
    """
    if told.scale is None:
        raise UsageError(
            "this run knows no column in advance, so that a table of the future says nothing",
            where="--future",
            found=path,
            remedy="leave it out, or train with --known COLUMN",
        )
    with with_flags_of_training():
        panel = panel_of(existing(path), reading, known=told.scale.names, future=True)
    by_name = {one.name: one for one in panel.series}
    if not reading.key and len(panel.series) == 1:
        by_name = {ends[0].name: panel.series[0]}
    found = []
    for end in ends:
        one = by_name.get(end.name)
        later = np.zeros(0, dtype=bool) if one is None else _later(one.seconds, len(one.known), end.clock)
        if one is None or not later.any():
            continue
        known = one.known[later]
        if np.isnan(known).any():
            gap = int(np.isnan(known).any(axis=1).argmax())
            raise DataError(
                "a row to come does not say all that is to be known in advance",
                where=f"{path}, series {end.name}, row {gap + 1} after its end",
                expected=f"a value of {', '.join(told.given)}",
                found="an empty cell",
                remedy="fill it in",
            )
        about = told(known, None if one.seconds is None else one.seconds[later])
        found.append(replace(end, told=(*end.told[: len(end.values)], *_rows(about))))
    if not found:
        raise DataError(
            "this table has no row after the end of any series",
            where=path,
            expected=f"rows after the end of {', '.join(end.name for end in ends[:SHOWN])}",
            found=f"series {', '.join(list(by_name)[:SHOWN])}",
            remedy="give the rows to come, with the columns of the key, the date and what is known in advance",
        )
    return found


def _later(seconds: np.ndarray | None, rows: int, clock: Clock | None) -> np.ndarray:
    """Return which rows come after the end of a series `(rows,)`; all where there are no dates."""
    return np.ones(rows, dtype=bool) if seconds is None or clock is None else seconds > clock.last


def told_for(end: End, steps: int, told: Told) -> np.ndarray:
    """Return what is told of the window and of some steps after it `(window + steps, told)`.

    Raises `UsageError` where a column that is known in advance is not known so far ahead.
    """
    about = np.array(end.told).reshape(len(end.told), len(told))
    missing = steps - end.ahead
    if missing <= 0 or not len(told):
        return about[: len(end.values) + steps]
    if told.scale is not None or end.clock is None:
        names = ", ".join(told.given) if told.scale else "dates"
        raise UsageError(
            "what is known in advance does not reach so far ahead",
            where=f"series {end.name}",
            expected=f"{names} of {steps} steps after its end",
            found=f"of {end.ahead}",
            remedy="name a table of the rows to come with --future FILE, or ask for fewer --steps",
        )
    moments = np.array(end.clock.after(steps)[end.ahead :])
    return np.concatenate([about, calendar_columns(moments, told.cycles)])


def asked_panel(
    source: str | Path, scale: PanelPreprocessing, known: Sequence[str], ends: Mapping[str, int], reading: DataSettings
) -> Iterator[tuple[SeriesData, PanelPreprocessing, str]]:
    """Yield the series of a file with the scale of each, and a remark where training did not have it.

    Args:
        known: what the columns known in advance became in training.
        ends: places of the scales of the series that training had.
    """
    with with_flags_of_training():
        panel = panel_of(existing(source), replace(reading, columns=scale.names, target=None), known=known)
    for one in panel.series:
        number = ends.get(one.name) if reading.key else 0
        data = SeriesData(one.name, one.values, one.known, one.seconds)
        if number is None:
            remark = f"series {one.name} was not in training: it is scaled by its own values"
            yield data, PanelPreprocessing.fit([one.values], scale.names), remark
        else:
            yield (
                data,
                PanelPreprocessing(
                    means=(scale.means[number],), deviations=(scale.deviations[number],), names=scale.names
                ),
                "",
            )
