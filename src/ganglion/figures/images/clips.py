"""Films as strips of frames: what is said of each, what was forecast, and how either gets better or worse over time."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ganglion.figures.images.pixels import to_pixels
from ganglion.figures.images.tiles import Tiles
from ganglion.figures.style import GREEN, INK, RED, empty, panels, styled
from ganglion.figures.words import text


class Strip(NamedTuple):
    """Some frames of one film, with what was said at each."""

    frames: np.ndarray
    """(frames, height, width, channels)."""
    said: Sequence[str]
    """A label for each frame."""
    shares: Sequence[float]
    """How likely it was held."""
    truth: Sequence[str]
    """What is right at each frame; nothing where that is unknown."""


@styled
def film_strips(strips: Mapping[str, Strip]) -> Figure:
    """Draw strips of frames of one size by their names, above each frame what was said there: green if right."""
    if not strips:
        return empty("no films")
    columns = max(len(strip.frames) for strip in strips.values())
    shape = next(iter(strips.values())).frames.shape[1:3]
    sheet = Tiles(columns, len(strips), shape, lines=2, left=1.0)
    for row, (name, strip) in enumerate(strips.items()):
        sheet.name_row(row, text(name.partition("\n")[0], 16))
        pixels = to_pixels(strip.frames)
        for column, (image, said, share, truth) in enumerate(
            zip(pixels, strip.said, strip.shares, strip.truth, strict=True)
        ):
            colour = INK if not truth else GREEN if said == truth else RED
            sheet.put(row, column, image, f"{said}\n{share:.0%}", colour)
    return sheet.figure


@styled
def forecast_strips(films: Sequence[Mapping[str, np.ndarray]], given: int) -> Figure:
    """Draw films in several rows each, frame below frame: the truth with what was given, and what was forecast of it.

    Args:
        films: of each film, frames (time, height, width, channels) by the name of their row; the first row begins with
            the frames that were given, the others with the first that was to be forecast.
        given: frames that the first row begins with.
    """
    if not films:
        return empty("no films")
    columns = max(len(frames) for frames in films[0].values())
    kinds = len(films[0])
    shape = next(iter(films[0].values())).shape[1:3]
    sheet = Tiles(columns, kinds * len(films), shape, lines=1, left=0.85)
    for number, film in enumerate(films):
        for place, (name, frames) in enumerate(film.items()):
            row = kinds * number + place
            sheet.name_row(row, name)
            start = columns - len(frames)
            for column, image in enumerate(to_pixels(frames), start):
                ahead = column - given + 1
                caption = "" if number or place else str(ahead) if ahead > 0 else "given" if not column else ""
                sheet.put(row, column, image, caption)
    return sheet.figure


@styled
def by_frame(curves: Mapping[str, np.ndarray], title: str, x: str, y: str) -> Figure:
    """Draw numbers over frames (frames,), a curve each by its name."""
    figure, (panel,) = panels(1, width=6.4, height=3.0)
    for name, values in curves.items():
        panel.plot(np.arange(1, len(values) + 1), values, marker="o", markersize=3, label=text(name))
    panel.set(title=title, xlabel=x, ylabel=y)
    panel.set_ylim(bottom=0)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.grid(axis="y")
    if len(curves) > 1:
        panel.legend()
    return figure
