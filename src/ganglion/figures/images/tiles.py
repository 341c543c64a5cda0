"""Tiles on a page: many small images on one axes."""

from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganglion.figures.style import DOTS_PER_INCH, FAINT, INK, MUTED, SIGNED
from ganglion.figures.words import text


@dataclass
class Tiles:
    """Tiles on a page, in inches: one axes for all, because an axes for each of a hundred tiles is slow."""

    columns: int
    rows: int
    shape: tuple[int, ...]
    title: str = ""
    lines: int = 0
    left: float = 0.12
    widest: float = 1.3
    """Of a tile, where there are several columns."""
    sharp: bool = False
    """Let a pixel be a whole number of dots, where tiles are no smaller than their images."""
    figure: Figure = field(init=False)
    axes: Axes = field(init=False)

    def __post_init__(self) -> None:
        height, width = self.shape[:2]
        self.width = (
            float(np.clip((9.6 - self.left) / self.columns, 0.3, self.widest if self.columns > 1 else 3.0)) - 0.06
        )
        self.height = self.width * height / width
        self.caption = 0.15 * self.lines + (0.04 if self.lines else 0)
        tallest = max(9.6 / self.rows - self.caption - 0.06, 0.24)
        if self.height > tallest:  # one page, not many
            self.height, self.width = tallest, max(tallest * width / height, 0.05)
        if self.sharp and (times := int(self.width * DOTS_PER_INCH / width + 1e-6)):
            self.width, self.height = times * width / DOTS_PER_INCH, times * height / DOTS_PER_INCH
        self.top = 0.42 if self.title else 0.12
        page_width = max(self.left + self.columns * (self.width + 0.06) + 0.1, 0.095 * len(self.title) + 0.3)
        page_height = self.top + self.rows * (self.height + self.caption + 0.06) + 0.08
        self.figure = Figure(figsize=(page_width, page_height))
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, page_width), ylim=(page_height, 0))
        self.axes.set_axis_off()
        if self.title:
            self.axes.text(0.12, 0.22, text(self.title, 120), weight="bold", size=10.5, va="center")

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Return the upper left corner of a tile, in inches from that of the page."""
        x = self.left + column * (self.width + 0.06)
        return x, self.top + row * (self.height + self.caption + 0.06) + self.caption

    def put(self, row: int, column: int, image: np.ndarray, caption: str = "", colour: str = INK) -> None:
        """Draw an image `(height, width, 3)` in [0, 1] in its place, under its caption."""
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
            self.axes.text(x, y - 0.04, "\n".join(lines), size=7.5, va="bottom", color=colour, linespacing=1.1)
        self.axes.set_xlim(0, self.figure.get_figwidth())
        self.axes.set_ylim(self.figure.get_figheight(), 0)

    def name_row(self, row: int, name: str) -> None:
        """Write what a row shows, to its left."""
        x, y = self.corner(row, 0)
        self.axes.text(x - 0.08, y + self.height / 2, name, ha="right", va="center", size=8.5, color=MUTED)


def largest_of_most(values: np.ndarray) -> float:
    """Return the largest size of all but a few values of any shape, which must not leave all else pale; never 0."""
    sizes = np.abs(values)
    return float(np.quantile(sizes, 0.995)) or float(sizes.max()) or 1.0


def signed_shades(values: np.ndarray) -> np.ndarray:
    """Return the shades `(..., 3)` of values from -1 to 1; not finite ones stay NaN."""
    shades = np.asarray(SIGNED(np.clip(np.nan_to_num(values) / 2 + 0.5, 0, 1)))[..., :3].copy()
    shades[~np.isfinite(values)] = np.nan
    return shades
