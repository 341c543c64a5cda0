"""Many short series: the rows of a table, whose columns are then the steps, or the first axis of arrays."""

from dataclasses import replace

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.errors import DataError

FEWEST_STEPS = 2


def as_short_series(table: Dataset) -> Dataset:
    """Return a table as series of one channel: each row is one, whose steps are the columns in their order.

    Raises `DataError` where a column is text, or where there are too few for a series.

    >>> rows = Dataset.of(name="waves", kind="tabular", inputs=np.zeros((4, 9)), targets=np.array([0, 1, 0, 1]))
    >>> as_short_series(rows).main.values.shape
    (4, 9, 1)
    """
    field = table.main
    values = np.asarray(field.values)
    steps = values.shape[1]
    if values.dtype == object:
        text = [name for name, column in zip(field.names, values.T, strict=True) if not _is_numeric(column)]
        raise DataError(
            "the steps of a series must be numbers",
            where=table.source,
            found=f"text in {', '.join(text[:5])}",
            remedy="leave such columns out with --drop, or name the one of the classes with --target",
        )
    refuse_too_short(steps, table.source)
    parts = ({**table.fields}, {**table.test_fields})
    for part in parts:
        if part:
            own = np.asarray(part["inputs"].values, dtype=np.float64)
            part["inputs"] = Field(kind="short-series", values=own[..., None], names=field.names)
    between = f", from column {field.names[0]!r} to {field.names[-1]!r}" if field.names else ""
    made = replace(table, fields=parts[0], test_fields=parts[1])
    return made.with_note(f"each row is a series of {steps} steps{between}")


def refuse_too_short(steps: int, where: str) -> None:
    """Raise `DataError` where series have too few steps."""
    if steps < FEWEST_STEPS:
        raise DataError(
            "these series are too short",
            where=where,
            expected=f"at least {FEWEST_STEPS} steps",
            found=f"{steps}",
            remedy="give tables with a column for each step, or arrays (samples, steps, channels)",
        )


def _is_numeric(column: np.ndarray) -> bool:
    return all(value is None or isinstance(value, int | float | np.number) for value in column)
