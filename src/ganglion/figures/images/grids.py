"""Pictures of pictures: grids of samples, learned filters, reconstructions, frames of a game."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.errors import UsageError
from ganglion.figures.images.pixels import to_pixels, with_broken_marked
from ganglion.figures.images.tiles import Tiles, signed_shades
from ganglion.figures.style import empty, styled

MOST = 144
"""Images drawn at most; more would be too small to see."""


@styled
def image_grid(images: np.ndarray, titles: Sequence[str] = (), columns: int = 8, title: str = "") -> Figure:
    """Draw images `(samples, height, width)` or `(samples, height, width, channels)` with a title above each.

    Whole numbers are taken as 0 to 255. Other values in [0, 1] or [-1, 1] are taken as such, everything else is
    stretched from the smallest to the largest value of the set. Pixels that are not finite are orange.
    """
    pixels = to_pixels(images)
    if not len(pixels):
        return empty("no images")
    shown = pixels[:MOST]
    if len(pixels) > MOST:
        title = f"{title}  (first {MOST} of {len(pixels)})".strip()
    columns = max(1, min(columns, len(shown)))
    sheet = Tiles(columns, math.ceil(len(shown) / columns), shown.shape[1:3], title, lines=_lines(titles, columns))
    for place, image in enumerate(shown):
        sheet.put(place // columns, place % columns, image, titles[place] if place < len(titles) else "")
    return sheet.figure


@styled
def filters(weights: np.ndarray, title: str = "Filters") -> Figure:
    """Draw weights `(filters, channels, height, width)` or `(filters, height, width)` around zero.

    Blue is positive, orange negative, white zero, the same scale for all. Filters of three channels are shown in
    colour; those of any other number of channels as one row of patches for each filter.
    """
    values = np.asarray(weights, dtype=float)
    if values.ndim not in (3, 4):
        raise UsageError(
            "cannot draw these weights as filters",
            expected="(filters, channels, height, width) or (filters, height, width)",
            found=str(values.shape),
        )
    if not values.size:
        return empty("no filters")
    finite = np.abs(values[np.isfinite(values)])
    # A few large weights must not turn all the others white.
    scale = float(np.quantile(finite, 0.995)) if finite.size else 1.0
    scaled = values / (scale or 1.0)
    if values.ndim == 4 and values.shape[1] == 3:
        patches = (np.moveaxis(scaled, 1, -1) + 1) / 2  # (filters, height, width, 3)
        columns = min(len(patches), 8 if len(patches) <= 64 else 12)
    elif values.ndim == 4 and values.shape[1] > 1:
        columns = min(values.shape[1], 16)
        patches = signed_shades(scaled[: MOST // columns, :columns].reshape(-1, *values.shape[2:]))
    else:
        patches = signed_shades(scaled.reshape(-1, *values.shape[-2:]))
        columns = min(len(patches), 8 if len(patches) <= 64 else 12)
    patches = patches[:MOST]
    drawn = f"{title}: {len(values):,} of {values.shape[-2]} x {values.shape[-1]}, shades reach ±{scale:.3g}"
    sheet = Tiles(columns, math.ceil(len(patches) / columns), patches.shape[1:3], drawn)
    for place, patch in enumerate(patches):
        sheet.put(place // columns, place % columns, with_broken_marked(patch))
    return sheet.figure


@styled
def reconstructions(originals: np.ndarray, reconstructed: np.ndarray, columns: int = 10) -> Figure:
    """Draw each original above its reconstruction and the absolute difference, in one common scale.

    Both are (count, height, width, channels) or (count, height, width).
    """
    count = min(len(originals), len(reconstructed), 4 * columns)
    if not count:
        return empty("no images")
    pair = to_pixels(np.concatenate([np.asarray(originals)[:count], np.asarray(reconstructed)[:count]]))
    before, after = pair[:count], pair[count:]
    rows = {"original": before, "reconstructed": after, "difference": 1 - np.abs(before - after)}
    return _bands(rows, "Reconstructions", columns)


@styled
def strips(images: Mapping[str, np.ndarray], title: str = "", columns: int = 6) -> Figure:
    """Draw the same samples in several states, such as before and after: a named row of each, sample below sample.

    Args:
        images: by name, each `(samples, height, width)` or `(samples, height, width, channels)` in one common scale.
    """
    count = min(map(len, images.values()))
    if not count:
        return empty("no images")
    pixels = to_pixels(np.concatenate([np.asarray(part)[:count] for part in images.values()]))
    return _bands(dict(zip(images, pixels.reshape(len(images), count, *pixels.shape[1:]), strict=True)), title, columns)


def _bands(images: Mapping[str, np.ndarray], title: str, columns: int) -> Figure:
    """Draw named rows of pixels `(samples, height, width, 3)`, in as many bands as the samples need."""
    count, *shape = next(iter(images.values())).shape[:3]
    columns, kinds = min(columns, count), len(images)
    bands = math.ceil(count / columns)
    sheet = Tiles(columns, kinds * bands, tuple(shape), title, left=1.15, sharp=True)
    for number, (name, pixels) in enumerate(images.items()):
        for band in range(bands):
            sheet.name_row(kinds * band + number, name)
        for place, image in enumerate(pixels):
            sheet.put(kinds * (place // columns) + number, place % columns, image)
    return sheet.figure


@styled
def map_rows(rows: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """Draw a named row of maps for each layer.

    Args:
        rows: by name, maps `(count, height, width)` in [0, 1]; the sizes of the rows may differ.
        title: one line.
    """
    columns = max(map(len, rows.values()))
    left = max(1.3, 0.075 * max(map(len, rows)) + 0.2)  # inches for the longest name
    sheet = Tiles(columns, len(rows), next(iter(rows.values())).shape[1:], title, left=left)
    for row, (name, maps) in enumerate(rows.items()):
        sheet.name_row(row, f"{name}\n{maps.shape[1]} x {maps.shape[2]}")
        for column, pixels in enumerate(to_pixels(maps)):
            sheet.put(row, column, pixels)
    return sheet.figure


@styled
def frames(images: np.ndarray, columns: int = 8) -> Figure:
    """Draw a strip of frames `(time, height, width, channels)`, evenly chosen from first to last."""
    if not len(images):
        return empty("no frames")
    chosen = np.unique(np.linspace(0, len(images) - 1, min(columns, len(images))).round().astype(int))
    pixels = to_pixels(np.asarray(images)[chosen])
    sheet = Tiles(len(chosen), 1, pixels.shape[1:3], "", lines=1)
    for column, (frame, image) in enumerate(zip(chosen, pixels, strict=True)):
        sheet.put(0, column, image, f"frame {frame}")
    return sheet.figure


def _lines(titles: Sequence[str], columns: int) -> int:
    return max((len(str(title).splitlines()) for title in titles), default=0)
