"""Some of many samples: where they are looked at when all would take too long."""

import numpy as np


def evenly(count: int, most: int) -> np.ndarray:
    """Return at most `most` places, evenly spread over `count` samples from the first to the last, (places,).

    >>> evenly(9, 3).tolist(), evenly(2, 5).tolist(), evenly(0, 5).tolist()
    ([0, 4, 8], [0, 1], [])
    """
    return np.unique(np.linspace(0, count - 1, most).astype(int)) if count else np.arange(0)
