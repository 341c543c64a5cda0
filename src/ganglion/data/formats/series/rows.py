"""Which columns of a table are those of a series, and which of its rows are known."""

import numpy as np

from ganglion.data.formats.tables import Table, is_numeric
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError


def chosen_columns(table: Table, settings: DataSettings, notes: list[str]) -> list[str]:
    """Return the columns of the series; the one to forecast is among them."""
    for name in settings.drop:
        table[name]
    if settings.columns:
        names = list(dict.fromkeys([*settings.columns, *([settings.target] if settings.target else [])]))
        for name in names:
            table[name]
    else:
        names = [name for name in table.names if is_numeric(table[name])]
        words = [name for name in table.names if name not in (*names, *settings.drop)]
        if words:
            notes.append(f"left out as text: {', '.join(words)}")
        if settings.target:
            table[settings.target]
    names = [name for name in names if name not in settings.drop]
    text = [name for name in names if not is_numeric(table[name])]
    if text or not names:
        raise DataError(
            "a series must be numbers",
            where=table.source,
            found=f"text in {', '.join(text)}" if text else f"only text: {', '.join(table.names)}",
            remedy="choose numeric columns with --columns",
        )
    return names


def known_rows(values: np.ndarray, names: list[str], target: str | None) -> tuple[int, int] | None:
    """Return how many rows `(time, columns)` come before the first complete one, and after the last known target.

    None where no row comes after a value of every column.
    """
    missing = np.isnan(values)
    judged = ~missing[:, names.index(target) if target in names else 0]
    ahead = int(judged[::-1].argmax())
    seen = np.maximum.accumulate(~missing[: len(values) - ahead], axis=0).all(axis=1)
    return (int(seen.argmax()), ahead) if judged.any() and seen.any() else None


def filled(values: np.ndarray) -> np.ndarray:
    """Return `(time, columns)` with the last known value where one is missing."""
    latest = np.maximum.accumulate(np.where(np.isnan(values), 0, np.arange(len(values))[:, None]), axis=0)
    return np.take_along_axis(values, latest, axis=0)
