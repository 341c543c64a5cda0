"""A photo under filters: each kernel, what it answers with its sign, and what a rectifier leaves of that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ganglion.figures.images.pixels import to_pixels
from ganglion.figures.images.tiles import largest_of_most
from ganglion.figures.style import DOTS_PER_INCH, FAINT, INK, MUTED, SIGNED, styled
from ganglion.figures.words import number, text

KERNEL, GAP, MARGIN = 0.95, 0.14, 0.3
"""Inches: the side of a drawn kernel, between pictures, and around everything."""
CAPTION, HEAD = 0.4, 0.62
SMALLEST, WIDEST = 1.6, 2.7


@dataclass(frozen=True)
class Response:
    """What one filter answers: `values` `(height, width)` around zero, or a picture `(height, width, channels)`."""

    name: str
    shows: str
    kernel: np.ndarray
    values: np.ndarray

    @property
    def is_picture(self) -> bool:
        return self.values.ndim == 3


@styled
def filtered(photo: np.ndarray, responses: Sequence[Response], title: str = "") -> Figure:
    """Draw a photo, and under it the kernel and the response of each filter.

    Responses around zero are drawn twice: blue above zero, orange below, and as a rectifier leaves them, from black (0
    and below) to white. Each is scaled by its own largest values. Responses that are pictures are drawn as such.

    Args:
        photo: `(height, width, channels)` of bytes, or in [0, 1].
        responses: of maps as large as the photo.
        title: one line.
    """
    page = _Page(photo.shape[:2], responses, title)
    page.draw_photo(to_pixels(photo[None])[0])
    for place, response in enumerate(responses):
        page.draw_response(place, response)
    return page.figure


class _Page:
    """Pictures on a page, in inches from its upper left corner, on one axes."""

    def __init__(self, shape: tuple[int, ...], responses: Sequence[Response], title: str) -> None:
        height, width = shape
        self.width = float(np.clip(width / DOTS_PER_INCH, SMALLEST, WIDEST))
        self.height = min(self.width * height / width, 1.6 * WIDEST)
        self.width = self.height * width / height
        self.columns = min(2, len(responses))
        rows = -(-len(responses) // self.columns)
        self.column_width = KERNEL + 2 * (self.width + GAP) + 2 * MARGIN
        self.row_height = max(self.height, KERNEL) + CAPTION + GAP
        self.top = HEAD + self.row_height
        page_width = max(self.columns * self.column_width, 0.085 * len(title) + 2 * MARGIN)
        page_height = self.top + rows * self.row_height + GAP
        self.figure = Figure(figsize=(page_width, page_height))
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, page_width), ylim=(page_height, 0))
        self.axes.set_axis_off()
        self.axes.text(MARGIN, 0.32, text(title, 120), weight="bold", size=11, va="center")

    def draw_photo(self, pixels: np.ndarray) -> None:
        left = MARGIN + KERNEL + GAP
        self._picture(left, HEAD + CAPTION, pixels)
        self._caption(left, HEAD + CAPTION, "the photo", "")
        if self.columns == 1:
            return
        lines = (
            "Left: the kernel. Middle: what it answers, blue where that is above zero, orange below.",
            "Right: what a rectifier leaves of it, black where it is zero or below.",
            "Kernels that sum to one answer with a picture. Each response has its own scale.",
        )
        x = left + self.width + 2 * GAP
        for line, words in enumerate(lines):
            self.axes.text(x, HEAD + CAPTION + 0.12 + 0.24 * line, words, size=9, color=MUTED, va="center")

    def draw_response(self, place: int, response: Response) -> None:
        left = place % self.columns * self.column_width + MARGIN
        top = self.top + place // self.columns * self.row_height + CAPTION
        self._kernel(left, top, response.kernel)
        self._caption(left, top, response.name, response.shows)
        left += KERNEL + GAP
        if response.is_picture:
            self._picture(left, top, to_pixels(np.clip(response.values, 0, 1)[None])[0])
            return
        scale = largest_of_most(response.values)  # also of the rectified part
        shades = _spread(np.clip(response.values / scale, -1, 1))
        self._picture(left, top, np.asarray(SIGNED(shades / 2 + 0.5))[..., :3])
        self._picture(left + self.width + GAP, top, np.repeat(np.clip(shades, 0, 1)[..., None], 3, axis=-1))

    def _kernel(self, left: float, top: float, kernel: np.ndarray) -> None:
        """Draw weights as a board of coloured squares with their numbers."""
        side = KERNEL / len(kernel)
        colours = np.asarray(SIGNED(kernel / (np.abs(kernel).max() or 1) * 0.6 / 2 + 0.5))[..., :3]
        self._picture(left, top, colours, (KERNEL, KERNEL))
        for row, column in np.ndindex(*kernel.shape):
            x, y = left + (column + 0.5) * side, top + (row + 0.5) * side
            words = number(float(kernel[row, column]))
            self.axes.text(x, y, words, size=min(9, 22 * side), ha="center", va="center", color=INK)

    def _picture(self, left: float, top: float, pixels: np.ndarray, size: tuple[float, float] | None = None) -> None:
        width, height = size or (self.width, self.height)
        right, bottom = left + width, top + height
        limits = self.axes.axis()
        shown = "nearest" if width * DOTS_PER_INCH >= pixels.shape[1] else "antialiased"
        self.axes.imshow(pixels, extent=(left, right, bottom, top), interpolation=shown, aspect="auto")
        self.axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color=FAINT, linewidth=0.7)
        self.axes.axis(limits)

    def _caption(self, left: float, top: float, name: str, shows: str) -> None:
        written = self.axes.annotate(
            text(name), (left, top - 0.1), size=9.5, weight="bold", va="baseline", annotation_clip=False
        )
        self.axes.annotate(
            text(shows, 60), (1, 0), (8, 0), xycoords=written, textcoords="offset points", size=8.5, color=MUTED,
            va="bottom",
        )  # fmt: skip


def _spread(shades: np.ndarray) -> np.ndarray:
    """Return shades from -1 to 1 with the faint ones made plainer, so that texture shows beside strong edges."""
    return np.sign(shades) * np.abs(shades) ** 0.7
