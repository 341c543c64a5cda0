"""Some of many samples: where they are looked at when all would take too long."""

import numpy as np


def evenly(count: int, most: int) -> np.ndarray:
    """Return at most `most` places, evenly spread over `count` samples from the first to the last, (places,).

    >>> evenly(9, 3).tolist(), evenly(2, 5).tolist(), evenly(0, 5).tolist()
    ([0, 4, 8], [0, 1], [])
    """
    return np.unique(np.linspace(0, count - 1, most).astype(int)) if count else np.arange(0)


def evenly_in_runs(count: int, most: int, runs: int = 16) -> np.ndarray:
    """Return at most `most` places in some runs of neighbours, evenly spread over `count` samples, (places,).

    >>> evenly_in_runs(100, 4, runs=2).tolist(), evenly_in_runs(3, 4).tolist()
    ([0, 1, 98, 99], [0, 1, 2])
    """
    if count <= most:
        return np.arange(count)
    length = max(1, most // runs)
    starts = np.linspace(0, count - length, most // length).astype(int)
    return np.unique(starts[:, None] + np.arange(length))
