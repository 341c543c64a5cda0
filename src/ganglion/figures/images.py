"""Pictures of pictures: grids of samples, learned filters, reconstructions, frames of a game."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganglion.errors import UsageError
from ganglion.figures.pixels import to_pixels, with_broken_marked
from ganglion.figures.style import DOTS_PER_INCH, FAINT, INK, MUTED, SIGNED, empty, styled
from ganglion.figures.words import text

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
    sheet = _Sheet(columns, math.ceil(len(shown) / columns), shown.shape[1:3], title, lines=_lines(titles, columns))
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
        patches = _signed(scaled[: MOST // columns, :columns].reshape(-1, *values.shape[2:]))
    else:
        patches = _signed(scaled.reshape(-1, *values.shape[-2:]))
        columns = min(len(patches), 8 if len(patches) <= 64 else 12)
    patches = patches[:MOST]
    drawn = f"{title}: {len(values):,} of {values.shape[-2]} x {values.shape[-1]}, shades reach ±{scale:.3g}"
    sheet = _Sheet(columns, math.ceil(len(patches) / columns), patches.shape[1:3], drawn)
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
    sheet = _Sheet(columns, kinds * bands, tuple(shape), title, left=1.15)
    for number, (name, pixels) in enumerate(images.items()):
        for band in range(bands):
            sheet.name_row(kinds * band + number, name)
        for place, image in enumerate(pixels):
            sheet.put(kinds * (place // columns) + number, place % columns, image)
    return sheet.figure


@styled
def frames(images: np.ndarray, columns: int = 8) -> Figure:
    """Draw a strip of frames `(time, height, width, channels)`, evenly chosen from first to last."""
    if not len(images):
        return empty("no frames")
    chosen = np.unique(np.linspace(0, len(images) - 1, min(columns, len(images))).round().astype(int))
    pixels = to_pixels(np.asarray(images)[chosen])
    sheet = _Sheet(len(chosen), 1, pixels.shape[1:3], "", lines=1)
    for column, (frame, image) in enumerate(zip(chosen, pixels, strict=True)):
        sheet.put(0, column, image, f"frame {frame}")
    return sheet.figure


@dataclass
class _Sheet:
    """Tiles on a page, in inches: one axes for all, because an axes for each of a hundred tiles is slow."""

    columns: int
    rows: int
    shape: tuple[int, ...]
    title: str = ""
    lines: int = 0
    left: float = 0.12
    figure: Figure = field(init=False)
    axes: Axes = field(init=False)

    def __post_init__(self) -> None:
        height, width = self.shape[:2]
        self.width = float(np.clip((9.6 - self.left) / self.columns, 0.3, 1.3 if self.columns > 1 else 3.0)) - 0.06
        self.height = self.width * height / width
        self.caption = 0.15 * self.lines + (0.04 if self.lines else 0)
        tallest = max(9.6 / self.rows - self.caption - 0.06, 0.24)
        if self.height > tallest:  # one page, not many
            self.height, self.width = tallest, max(tallest * width / height, 0.05)
        self.top = 0.42 if self.title else 0.12
        page_width = max(self.left + self.columns * (self.width + 0.06) + 0.1, 0.085 * len(self.title) + 0.3)
        page_height = self.top + self.rows * (self.height + self.caption + 0.06) + 0.08
        self.figure = Figure(figsize=(page_width, page_height))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, page_width), ylim=(page_height, 0))
        self.axes.set_axis_off()
        if self.title:
            self.axes.text(0.12, 0.22, text(self.title, 120), weight="bold", size=10.5, va="center")

    def corner(self, row: int, column: int) -> tuple[float, float]:
        x = self.left + column * (self.width + 0.06)
        return x, self.top + row * (self.height + self.caption + 0.06) + self.caption

    def put(self, row: int, column: int, image: np.ndarray, caption: str = "") -> None:
        x, y = self.corner(row, column)
        enlarged = self.width * DOTS_PER_INCH >= image.shape[1]
        self.axes.imshow(
            np.clip(image, 0, 1),
            extent=(x, x + self.width, y + self.height, y),
            interpolation="nearest" if enlarged else "antialiased",
            aspect="auto",
        )
        frame_x, frame_y = [x, x + self.width, x + self.width, x, x], [y, y, y + self.height, y + self.height, y]
        self.axes.plot(frame_x, frame_y, color=FAINT, linewidth=0.7, solid_joinstyle="miter")
        if caption:
            most = max(6, int(self.width / 0.068))
            lines = [text(line, most) for line in str(caption).splitlines()[: self.lines]]
            self.axes.text(x, y - 0.04, "\n".join(lines), size=7.5, va="bottom", color=INK, linespacing=1.1)
        self.axes.set_xlim(0, self.figure.get_figwidth())
        self.axes.set_ylim(self.figure.get_figheight(), 0)

    def name_row(self, row: int, name: str) -> None:
        x, y = self.corner(row, 0)
        self.axes.text(x - 0.08, y + self.height / 2, name, ha="right", va="center", size=8.5, color=MUTED)


def _signed(values: np.ndarray) -> np.ndarray:
    """Return the shades `(..., 3)` of values from -1 to 1; not finite ones stay NaN."""
    shades = np.asarray(SIGNED(np.clip(np.nan_to_num(values) / 2 + 0.5, 0, 1)))[..., :3].copy()
    shades[~np.isfinite(values)] = np.nan
    return shades


def _lines(titles: Sequence[str], columns: int) -> int:
    return max((len(str(title).splitlines()) for title in titles), default=0)
