"""Why a network answers as it does, and how it is misled: maps of heat over an image, images before and after."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ganglion.figures.images.pixels import to_pixels
from ganglion.figures.images.tiles import Tiles, largest_of_most, signed_shades
from ganglion.figures.style import BLUE, MUTED, RED, styled
from ganglion.figures.words import number, text

HEAT = 0.75
"""How much of a colour stands over the image where a map is strongest."""


@styled
def heat_over(photo: np.ndarray, maps: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """Draw an image and, beside it, maps over its pale grey copy: blue above zero, orange below.

    Args:
        photo: `(height, width, channels)` of bytes, or in [0, 1].
        maps: by name, each `(height, width)`, drawn in a scale of its own, which its caption names.
    """
    sheet = Tiles(1 + len(maps), 1, photo.shape[:2], title, lines=2, widest=2.4)
    _put_heat(sheet, 0, photo, "the image", maps)
    return sheet.figure


@styled
def heat_over_moments(
    photos: np.ndarray, captions: Sequence[str], maps: Sequence[Mapping[str, np.ndarray]], title: str = ""
) -> Figure:
    """Draw images below each other, and beside each of them maps over its pale grey copy, as `heat_over` does.

    Args:
        photos: `(moments, height, width, channels)` of bytes, or in [0, 1].
        captions: of each image.
        maps: of each image, by name, each `(height, width)`.
    """
    sheet = Tiles(1 + len(maps[0]), len(photos), photos.shape[1:3], title, lines=2, widest=2.4)
    for row, (photo, caption, heats) in enumerate(zip(photos, captions, maps, strict=True)):
        _put_heat(sheet, row, photo, caption, heats)
    return sheet.figure


def _put_heat(sheet: Tiles, row: int, photo: np.ndarray, caption: str, maps: Mapping[str, np.ndarray]) -> None:
    pixels = to_pixels(photo[None])[0]
    pale = 0.6 + 0.4 * pixels.mean(axis=2, keepdims=True).repeat(3, axis=2)
    sheet.put(row, 0, pixels, caption)
    for column, (name, values) in enumerate(maps.items(), start=1):
        scale = largest_of_most(values)
        shares = np.clip(values / scale, -1, 1)
        weight = HEAT * np.abs(shares)[..., None] ** 0.7
        shown = (1 - weight) * pale + weight * signed_shades(np.sign(shares) * 0.8)
        sheet.put(row, column, shown, f"{name}\nfull colour: {number(scale)}")


@styled
def under_attack(
    epsilons: Sequence[float],
    accuracies: Mapping[str, Sequence[float]],
    before: np.ndarray,
    after: np.ndarray,
    answers: Sequence[tuple[str, str]],
    size: str,
) -> Figure:
    """Draw accuracy by the size of a change, and images before it, the change made visible, and images after it.

    Args:
        epsilons: sizes of the change.
        accuracies: by the name of an attack, one for each size.
        before: images `(count, height, width, channels)` in [0, 1].
        after: the same images changed.
        answers: what was answered before and after, for each image.
        size: of the change of the images, in words.
    """
    count = len(before)
    figure = Figure(figsize=(4.4 + 1.15 * max(count, 1), 4.2), layout="constrained")
    grid = figure.add_gridspec(3, 1 + max(count, 1), width_ratios=[3.4, *[1] * max(count, 1)])
    panel = figure.add_subplot(grid[:, 0])
    for (name, values), colour in zip(accuracies.items(), (BLUE, RED), strict=False):
        panel.plot(epsilons, values, color=colour, marker="o", markersize=3.2, label=name)
    panel.set(title="Accuracy under attack", xlabel="epsilon", ylim=(-0.03, 1.03))
    panel.grid(axis="y")
    panel.legend(loc="best")
    if not count:
        panel.text(0.5, 0.5, "no image misled the network", transform=panel.transAxes, ha="center", color=MUTED)
        return figure
    change = after - before
    largest = float(np.abs(change).max()) or 1.0
    rows = (before, signed_shades((change / largest).mean(axis=-1)), after)
    for row, images in enumerate(rows):
        for column, image in enumerate(images):
            tile = figure.add_subplot(grid[row, 1 + column])
            tile.imshow(to_pixels(image[None])[0] if row != 1 else image, interpolation="nearest")
            tile.set(xticks=[], yticks=[])
            if row != 1:
                tile.set_title(text(answers[column][row // 2], 14), fontsize=8.5, loc="center", weight="normal")
            if not column:
                words = ("before", f"change x {number(1 / largest)}", f"after\n{size}")[row]
                tile.set_ylabel(words, fontsize=8.5)
    return figure
