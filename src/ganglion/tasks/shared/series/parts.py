"""Which column of a series is judged, and whether its parts are long enough to forecast in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Part
from ganglion.errors import DataError
from ganglion.settings import unknown_name


def target_column(columns: Sequence[str], dataset: Dataset, settings: DataSettings) -> int:
    """Return the place of the column to judge: the one asked for, found while reading, or the first."""
    if settings.target is not None and settings.target not in columns:
        raise unknown_name("column", settings.target, list(columns), where=dataset.source)
    wanted = settings.target or next((name for name in dataset.target_names if name in columns), columns[0])
    return list(columns).index(wanted)


def refuse_short_parts(parts: Mapping[Part, np.ndarray], config: Any) -> None:
    """Raise `DataError` where a part, given by its rows `(steps,)`, cannot hold a window and a horizon."""
    least = config.window + config.horizon + 1
    if len(parts["train"]) < least:
        raise DataError(
            "the training part is too short for the window and the horizon",
            expected=f"at least {least} rows",
            found=f"{len(parts['train'])} rows",
            remedy="choose a smaller window or horizon, or smaller validation and test shares",
        )
    if not len(parts["test"]):
        raise DataError("there is no test part to judge a forecast by", remedy="give test a share above 0")
    if len(parts["test"]) < config.horizon or 0 < len(parts["validation"]) < config.horizon:
        raise DataError(
            "a part is shorter than the horizon",
            expected=f"at least {config.horizon} rows",
            found=f"validation {len(parts['validation'])}, test {len(parts['test'])} rows",
            remedy="choose a smaller horizon, or larger shares",
        )
