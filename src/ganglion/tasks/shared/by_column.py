"""What a machine that models rows of a table has learnt, drawn column by column."""

from typing import TYPE_CHECKING

import numpy as np

from ganglion import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawn_by_column(
    names: list[str],
    weights: np.ndarray,
    samples: np.ndarray,
    rebuilt: np.ndarray,
    dreams: np.ndarray,
    *,
    numbers: bool,
) -> "dict[str, Figure]":
    """Return pictures of hidden units, of samples that are rebuilt, and of dreams beside samples.

    Args:
        names: of the columns.
        weights: of hidden units, (units, columns).
        samples: of the test part, (samples, columns).
        rebuilt: the same after a step there and back.
        dreams: what the machine makes up, (dreams, columns).
        numbers: whether columns are numbers, standardised, instead of on or off.
    """
    label = "deviations from the mean" if numbers else "probability of being on"
    units = {"Weights of the strongest hidden units": weights}
    compared = {"test samples": samples, "there and back": rebuilt, "difference": rebuilt - samples}
    beside = {"samples of the machine": dreams, "test samples": samples}
    return {
        "receptive_fields": figures.rows_by_column(units, names, row="hidden unit", label="weight", signed=True),
        "reconstructions": figures.rows_by_column(compared, names, row="sample", label=label, signed=True),
        "samples": figures.rows_by_column(beside, names, row="sample", label=label, signed=numbers),
    }
