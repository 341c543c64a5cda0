"""Histogram equalisation of many windows in one compiled pass. Imported only where Numba is installed."""

import numpy as np

from ganglion.fast.compiled import compiled


@compiled
def ranks(windows: np.ndarray, inside: np.ndarray, counts: np.ndarray, found: np.ndarray) -> None:
    """Put into `found` (windows, pixels) the rank of each pixel, from -1 to 1, among those of its window inside.

    Args:
        windows: (windows, pixels), single precision.
        inside: places of the pixels that are counted.
        counts: room for a count of each shade.
    """
    shades = len(counts)
    largest, half, one, two = np.float32(shades - 1), np.float32(0.5), np.float32(1), np.float32(2)
    share = np.empty(shades, np.float32)
    total = np.float32(len(inside))
    for row in range(len(windows)):
        window, ranked = windows[row], found[row]
        low = high = window[inside[0]]
        for place in inside:
            low, high = min(low, window[place]), max(high, window[place])
        factor = np.float32(shades) / max(high - low, np.finfo(np.float32).eps)
        counts[:] = 0
        for place in inside:
            counts[int(min(max((window[place] - low) * factor, np.float32(0)), largest))] += 1
        below = np.float32(0)
        for shade in range(shades):
            number = np.float32(counts[shade])
            below += number
            share[shade] = two * ((below - half * number) / total) - one
        for place in range(len(window)):
            ranked[place] = share[int(min(max((window[place] - low) * factor, np.float32(0)), largest))]
