"""Data made on the spot: toy problems with known structure, each a function of its seed."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.sources.biscuits import biscuits, heartbeats
from ganglion.data.sources.cells import cells
from ganglion.data.sources.dates import dates
from ganglion.data.sources.facades import facades
from ganglion.data.sources.faces import faces
from ganglion.data.sources.functions import FUNCTIONS, is_formula, of_formula
from ganglion.data.sources.grammar import lift, opinions, tagged_sentences, tales
from ganglion.data.sources.moving_digits import bouncing_digits, moving_digits, passing_digits, turning_digits
from ganglion.data.sources.notices import notices
from ganglion.data.sources.pasted_faces import pasted_faces
from ganglion.data.sources.redrawn import redrawn_photographs
from ganglion.data.sources.road_scenes import driven_road_scenes, mixed_road_scenes, road_scenes
from ganglion.data.sources.scenes import scenes, unseen_pairs
from ganglion.data.sources.shapes import shapes
from ganglion.data.sources.sketches import sketches
from ganglion.data.sources.small_talk import small_talk
from ganglion.data.sources.tastes import film_ratings
from ganglion.data.sources.tunes import tunes
from ganglion.data.sources.units import encoder, shifter
from ganglion.data.sources.voices import syllables, voices
from ganglion.errors import ConfigurationError
from ganglion.settings import unknown_name

Points = tuple[np.ndarray, np.ndarray]


def generate(name: str, seed: int = 0, count: int | None = None) -> Dataset:
    """Make a generated data set by name.

    Args:
        count: samples, or steps of a series; each generator has a sensible number of its own. Bars and stripes
            always has all its patterns.

    >>> generate("xor").inputs.shape
    (400, 2)
    """
    if name not in GENERATORS and not is_formula(name):
        raise unknown_name("generator", name, list(GENERATORS))
    if count is not None and count < 2:
        raise ConfigurationError("a generator makes at least 2 samples", found=str(count), remedy="a larger limit")
    make = GENERATORS[name] if name in GENERATORS else of_formula(name)
    dataset = make(np.random.default_rng(seed), count)
    others = (one.values for name, one in dataset.fields.items() if name not in ("inputs", "targets"))
    digest = fingerprint(dataset.inputs, dataset.targets, *others)
    return replace(dataset, name=name, source=name, fingerprint=digest)


def two_moons(random: np.random.Generator, count: int | None) -> Dataset:
    """Two interleaved half circles with Gaussian noise of 0.1."""
    side, angle = _halves(count or 1000), random.uniform(0, np.pi, count or 1000)
    across = np.where(side, 1 - np.cos(angle), np.cos(angle))
    up = np.where(side, 0.5 - np.sin(angle), np.sin(angle))
    centres = np.stack([across, up], axis=1)
    return _points((centres + random.normal(0, 0.1, centres.shape), side), ("upper", "lower"))


def spirals(random: np.random.Generator, count: int | None) -> Dataset:
    """Two spirals of one and a half turns each, one inside the other."""
    side = _halves(count or 1000)
    angle = 3 * np.pi * np.sqrt(random.uniform(0.01, 1, len(side)))
    turned = angle + np.pi * side
    centres = (angle / (3 * np.pi))[:, None] * np.stack([np.cos(turned), np.sin(turned)], axis=1)
    return _points((centres + random.normal(0, 0.02, centres.shape), side), ("first", "second"))


def xor(random: np.random.Generator, count: int | None) -> Dataset:
    """Four clouds at the corners of a square; opposite corners are one class, so no line parts the classes."""
    corner = random.permutation(np.arange(count or 400) % 4)
    bits = np.stack([corner // 2, corner % 2], axis=1)
    return _points((bits + random.normal(0, 0.1, bits.shape), bits[:, 0] ^ bits[:, 1]), ("equal", "different"))


COMPASS = ("E", "NE", "N", "NW", "W", "SW", "S", "SE")


def eight_gaussians(random: np.random.Generator, count: int | None) -> Dataset:
    """Eight narrow clouds on a circle of radius 2, each with a deviation of 0.05; which one is the class.

    A generator that collapses leaves some of them out. Source: Metz et al. 2017, section 3.2, there with 0.02.
    """
    mode = np.arange(count or 4000) % 8
    angle = 2 * np.pi * mode / 8
    return _clouds(random, 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1), mode, COMPASS)


def twenty_five_gaussians(random: np.random.Generator, count: int | None) -> Dataset:
    """Narrow clouds on a grid of five by five at distances of 2, each with a deviation of 0.05; which one is the class.

    Source: Dumoulin et al. 2017, section 4.2.
    """
    mode = np.arange(count or 5000) % 25
    names = tuple(f"row {place // 5 + 1} column {place % 5 + 1}" for place in range(25))
    return _clouds(random, 2.0 * (np.stack([mode % 5, mode // 5], axis=1) - 2), mode, names)


def circles(random: np.random.Generator, count: int | None) -> Dataset:
    """A disc's rim inside another's, with Gaussian noise of 0.05."""
    side, angle = _halves(count or 1000), random.uniform(0, 2 * np.pi, count or 1000)
    centres = np.where(side, 0.5, 1.0)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _points((centres + random.normal(0, 0.05, centres.shape), side), ("outer", "inner"))


def sine(random: np.random.Generator, count: int | None) -> Dataset:
    """A sine of period 25 with Gaussian noise of 0.05."""
    time = np.arange(count or 1000)
    return _series(np.sin(2 * np.pi * time / 25) + random.normal(0, 0.05, len(time)))


def mackey_glass(random: np.random.Generator, count: int | None) -> Dataset:
    """The chaotic blood-cell equation with delay 17, one sample per unit of time.

    `dx/dt = beta x(t - tau) / (1 + x(t - tau)^n) - gamma x(t)` with beta 0.2, gamma 0.1, n 10, solved by Runge and
    Kutta's fourth order with ten steps per unit. Source: Mackey and Glass, Science 197, 1977.
    """
    beta, gamma, n, tau, substeps, settling = 0.2, 0.1, 10, 17, 10, 300
    h, delay = 1 / substeps, tau * substeps
    x = np.full((settling + (count or 2000)) * substeps + delay, 1.2 + random.uniform(-0.1, 0.1))
    inflow = beta * x / (1 + x**n)  # Only the past is right yet; each later value is written before it is needed.
    for t in range(delay, len(x) - 1):
        inflow[t] = beta * x[t] / (1 + x[t] ** n)
        start, end = inflow[t - delay], inflow[t - delay + 1]
        middle = (start + end) / 2
        k1 = start - gamma * x[t]
        k2 = middle - gamma * (x[t] + h / 2 * k1)
        k3 = middle - gamma * (x[t] + h / 2 * k2)
        k4 = end - gamma * (x[t] + h * k3)
        x[t + 1] = x[t] + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return _series(x[delay + settling * substeps :: substeps])


def geometric_brownian_motion(random: np.random.Generator, count: int | None) -> Dataset:
    """A share price of 100 with a drift of 5 % and a volatility of 20 % a year of 252 days.

    `S(t + dt) = S(t) exp((mu - sigma^2 / 2) dt + sigma sqrt(dt) z)`; nothing forecasts it better than its last value.
    """
    mu, sigma, dt, steps = 0.05, 0.2, 1 / 252, count or 2520
    returns = (mu - sigma**2 / 2) * dt + sigma * np.sqrt(dt) * random.normal(size=steps - 1)
    return _series(100 * np.exp(np.concatenate([[0.0], np.cumsum(returns)])))


def swinging_prices(random: np.random.Generator, count: int | None) -> Dataset:
    """A price that swings about a trend of 3 % a year of 252 days: a distance of x per cent shrinks by x / 20 a day.

    `x(t + 1) = 0.95 x(t) + 0.01 z`, so that what is far above its trend tends to fall.
    """
    steps, pull, shaking = count or 4000, 0.95, 0.01
    distance = np.zeros(steps)
    for t, push in enumerate(random.normal(0, shaking, steps - 1)):
        distance[t + 1] = pull * distance[t] + push
    return _series(100 * np.exp(0.03 / 252 * np.arange(steps) + distance))


def waves(random: np.random.Generator, count: int | None) -> Dataset:
    """Series of 64 steps: a sine, a square, a saw of 2 to 6 periods and random phase, or noise alone; all with noise.

    All have mean 0 and deviation 1 before noise of deviation 0.3 is added, so that neither tells them apart.
    """
    names, steps = ("noise", "saw", "sine", "square"), 64
    kinds = random.permutation(np.arange(count or 800) % len(names))
    periods, phase = random.uniform(2, 6, (len(kinds), 1)), random.uniform(0, 1, (len(kinds), 1))
    turns = periods * np.arange(steps) / steps + phase  # (samples, steps)
    shapes = np.stack([
        random.normal(0, 1, turns.shape),
        np.sqrt(12) * (turns % 1 - 0.5),
        np.sqrt(2) * np.sin(2 * np.pi * turns),
        np.where(turns % 1 < 0.5, 1.0, -1.0),
    ])  # fmt: skip
    values = shapes[kinds, np.arange(len(kinds))] + random.normal(0, 0.3, turns.shape)
    return Dataset.of(
        name="",
        kind="short-series",
        inputs=values.astype(np.float32)[..., None],
        targets=kinds.astype(np.int64),
        label_names=names,
        target_names=("shape",),
    )


def bars_and_stripes(random: np.random.Generator, count: int | None) -> Dataset:
    """Every distinct 4 x 4 image whose rows, or whose columns, are all on or off.

    Source: MacKay, Information Theory, Inference, and Learning Algorithms, 2003, section 43.
    """
    lines = np.array(list(itertools.product((0, 1), repeat=4)), dtype=np.uint8)
    bars = np.repeat(lines[:, :, None], 4, axis=2)  # (patterns, rows, columns)
    patterns = np.unique(np.concatenate([bars, bars.swapaxes(1, 2)]), axis=0)
    return Dataset.of(name="", kind="image", inputs=255 * patterns[..., None])


GENERATORS: dict[str, Callable[[np.random.Generator, int | None], Dataset]] = {
    "two-moons": two_moons,
    "spirals": spirals,
    "xor": xor,
    "circles": circles,
    "8-gaussians": eight_gaussians,
    "25-gaussians": twenty_five_gaussians,
    "sine": sine,
    "mackey-glass": mackey_glass,
    "geometric-brownian-motion": geometric_brownian_motion,
    "swinging-prices": swinging_prices,
    "waves": waves,
    "heartbeats": heartbeats,
    **FUNCTIONS,
    "bars-and-stripes": bars_and_stripes,
    "biscuits": biscuits,
    "encoder-4-2-4": encoder(4),
    "encoder-8-3-8": encoder(8),
    "shifter": shifter,
    "faces": faces,
    "cells": cells,
    "drawn-facades": facades,
    "redrawn-photographs": redrawn_photographs,
    "shapes": shapes,
    "pasted-faces": pasted_faces,
    "scenes": scenes,
    "unseen-pairs": unseen_pairs,
    "road-scenes": road_scenes,
    "mixed-road-scenes": mixed_road_scenes,
    "driven-road-scenes": driven_road_scenes,
    "tales": tales,
    "small-talk": small_talk,
    "opinions": opinions,
    "tagged-sentences": tagged_sentences,
    "lift": lift,
    "notices": notices,
    "film-ratings": film_ratings,
    "dates": dates,
    "voices": voices,
    "syllables": syllables,
    "sketches": sketches,
    "tunes": tunes,
    "moving-digits": moving_digits,
    "passing-digits": passing_digits,
    "turning-digits": turning_digits,
    "bouncing-digits": bouncing_digits,
}


def _halves(count: int) -> np.ndarray:
    """Return alternating classes, so that both have as many samples as can be."""
    return np.arange(count) % 2


def _clouds(
    random: np.random.Generator, centres: np.ndarray, mode: np.ndarray, label_names: tuple[str, ...]
) -> Dataset:
    """Return points (samples, 2) around centres (samples, 2), the number of whose cloud is the class (samples,)."""
    return _points((centres + random.normal(0, 0.05, centres.shape), mode), label_names)


def _points(points: Points, label_names: tuple[str, ...]) -> Dataset:
    inputs, classes = points
    return Dataset.of(
        name="",
        kind="tabular",
        inputs=inputs.astype(np.float32),
        targets=classes.astype(np.int64),
        label_names=label_names,
        column_names=("x", "y"),
        target_names=("class",),
    )


def _series(values: np.ndarray) -> Dataset:
    return Dataset.of(name="", kind="series", inputs=values.astype(np.float32)[:, None], column_names=("value",))
