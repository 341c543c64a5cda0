"""How much each sample counts in the loss, from a column of a table or an array: one set of rules for all readers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.errors import DataError
from ganglion.settings import unknown_name


def weights_in(values: np.ndarray | Sequence, called: str, where: str | Path) -> np.ndarray:
    """Return weights `(samples,)` as float64.

    Args:
        called: what the user names them by.
        where: the file that they stand in, or what else an error should name.

    Raises:
        DataError: One is missing, negative or no number, or all are 0.

    >>> weights_in(["1", "2.5"], "weight", "pets.csv").tolist()
    [1.0, 2.5]
    """
    found = np.array([_number(value) for value in values])
    unfit = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(unfit) or not found.any():
        raise DataError(
            f"{called!r} cannot be weights of samples",
            where=str(where),
            expected="a number from 0 on for each sample, not all 0",
            found=f"{values[unfit[0]]!r:.60} for sample {unfit[0]}" if len(unfit) else f"{len(found)} zeros",
            remedy="complete the weights, or leave --weights out",
        )
    return found


def _number(value: Any) -> float:
    """Return a weight as a number; NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def array_of_weights(arrays: Mapping[str, Any], called: str, where: str | Path) -> np.ndarray:
    """Return the weights `(samples,)` among named arrays or columns."""
    if called not in arrays:
        raise unknown_name("column or array", called, list(arrays), where=str(where))
    return weights_in(arrays[called], called, where)
