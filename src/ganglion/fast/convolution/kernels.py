"""Compiled convolutions with their pooling and rectifier over a slice of the batch, forward and backward.

Of the map between convolution and pooling a band exists at a time, the rows that one row of windows sees, in the first
cache and as panels: (panels, positions, columns of a panel).
"""

from typing import Any, NamedTuple

import numpy as np

from ganglion.fast.compiled import compiled
from ganglion.fast.convolution.blocks import add_run, block_sums, window_maximum, window_slopes
from ganglion.fast.packed_product import ROWS, data
from ganglion.fast.parallel import in_team


class Sizes(NamedTuple):
    """Sides and steps of a convolution and of the windows of its pooling, down and across."""

    kernel_down: int
    kernel_across: int
    step_down: int
    step_across: int
    window_down: int
    window_across: int
    window_step_down: int
    window_step_across: int
    width: int
    """Columns of a panel of output channels."""
    place_width: int
    """Columns of a panel of places of the kernel."""


@compiled
def forward(team: Any, rows: int, parts: int, arguments: Any) -> None:
    """Call `forward_part` for all parts of a batch of `rows` images, in the threads of a team."""
    in_team(team, forward_part, rows, parts, arguments)


@compiled
def backward(team: Any, rows: int, parts: int, arguments: Any) -> None:
    """Call `backward_part` for all parts of a batch of `rows` images, in the threads of a team."""
    in_team(team, backward_part, rows, parts, arguments)


@compiled
def forward_part(
    first: int, last: int, part: int, images: Any, positions: Any, places: Any, weight: Any, bias: Any, sizes: Any,
    slope: Any, maps: Any, winners: Any,
) -> None:  # fmt: skip
    """Convolve, take the largest of every window and rectify, for images `first` to `last` of the batch.

    Args:
        images: with their borders, (batch, height, width, channels).
        positions, places: where the kernel begins at each position of a band, and each of its places from there, as
            offsets in an image; followed by `ROWS` - 1 more, of anything that is there, so that blocks are whole.
        weight: (features, kernel height, kernel width, channels).
        bias: (features,), or (0,) for none.
        sizes: `Sizes`.
        slope: of the rectifier below zero; 1 for none.
        maps: receives the pooled maps, (batch, height, width, features).
        winners: receives the position in each window that was the largest, and whether the slope acted on it, (batch,
            height, width, columns of all panels), or (0, ...).
    """
    height, across, features = maps.shape[1:]
    columns, width = _columns(across, sizes), sizes.width
    panels = _panels_of_features(weight, width)
    start = np.zeros(panels.shape[0] * width, np.float32)
    start[: len(bias)] = bias
    band = np.empty((panels.shape[0], len(positions), width), np.float32)
    spare = np.empty(width, np.uint8)
    image_size, line = images[0].size, sizes.window_step_down * sizes.step_down * images[0, 0].size
    for number in range(first, last):
        for row in range(height):
            image = data(images, number * image_size + row * line)
            _convolve(image, positions, places, panels, start, band)
            pixel = (number * height + row) * across
            for panel in range(len(panels)):
                feature = panel * width
                winner = data(winners, pixel * len(start) + feature) if len(winners) else data(spare, 0)
                window_maximum(
                    width, across, data(band, panel * band.shape[1] * width), columns * width,
                    sizes.window_step_across * width, sizes.window_down, sizes.window_across, slope,
                    features - feature, data(maps, pixel * features + feature), features, winner,
                    len(start) if len(winners) else 0,
                )  # fmt: skip


@compiled
def _convolve(image: Any, positions: Any, places: Any, panels: Any, start: Any, band: Any) -> None:
    """Compute the positions of a band."""
    depth, width = panels.shape[1:]
    for row in range(0, len(positions) - ROWS + 1, ROWS):
        for panel in range(len(panels)):
            block_sums(
                width, image, data(positions, row), data(places, 0), depth, data(panels, panel * depth * width),
                data(start, panel * width), 0, data(band, (panel * band.shape[1] + row) * width), width,
            )  # fmt: skip


@compiled
def backward_part(
    first: int, last: int, part: int, images: Any, positions: Any, places: Any, weight: Any, winners: Any, slopes: Any,
    sizes: Any, slope: Any, image_slopes: Any, weight_slopes: Any, bias_slopes: Any,
) -> None:  # fmt: skip
    """Take slopes of pooled maps back to images, weight and bias, for images `first` to `last` of the batch.

    Args:
        part: number of this slice.
        images, positions, places, weight, winners, sizes, slope: as `forward` has taken and given them.
        slopes: dL/dmaps, (batch, height, width, features).
        image_slopes: receives dL/dimages, (batch, height, width, channels), or (0, ...).
        weight_slopes: receives this slice's share of dL/dweight, (parts, features, places of the kernel), or (0, ...).
        bias_slopes: receives this slice's share of dL/dbias, (parts, features).
    """
    height, across, features = slopes.shape[1:]
    columns, width = _columns(across, sizes), sizes.width
    panels = -(-features // width)
    band = np.zeros((panels, len(positions), width), np.float32)
    bias_sums = np.zeros(panels * width, np.float32)
    sums = np.zeros((panels, len(places), width), np.float32)
    image_sums = np.empty(sums.shape, np.float32)
    spread = _panels_of_places(weight, sizes) if len(image_slopes) else np.empty((0, 0, 0), np.float32)
    sent = np.empty((len(positions), spread.shape[0] * spread.shape[2]), np.float32)
    image_size, line = images[0].size, sizes.window_step_down * sizes.step_down * images[0, 0].size
    for number in range(first, last):
        image_sums[:] = 0
        if len(image_slopes):
            image_slopes[number] = 0
        for row in range(height):
            begin = number * image_size + row * line
            pixel = (number * height + row) * across
            for panel in range(panels):
                feature = panel * width
                window_slopes(
                    width, across, data(slopes, pixel * features + feature), features,
                    data(winners, pixel * len(bias_sums) + feature), len(bias_sums), slope, features - feature,
                    data(bias_sums, feature), data(band, panel * band.shape[1] * width), columns * width,
                    sizes.window_step_across * width, sizes.window_down, sizes.window_across,
                )  # fmt: skip
            if len(weight_slopes):
                _add_weight_slopes(data(images, begin), places, positions, band, image_sums)
            if len(image_slopes):
                _send_back(band, spread, sent)
                _add_image_slopes(sent, positions, begin, sizes, image_slopes)
        sums += image_sums
    bias_slopes[part] = bias_sums[:features]
    if len(weight_slopes):
        for feature in range(features):
            weight_slopes[part, feature] = sums[feature // width, : len(places) - ROWS + 1, feature % width]


@compiled
def _add_weight_slopes(image: Any, places: Any, positions: Any, band: Any, sums: Any) -> None:
    """Add dL/dw[place] = sum over positions of image[position + place] dL/dmap[position]."""
    panels, rounded, width = sums.shape
    depth = len(positions) - ROWS + 1
    for panel in range(panels):
        for place in range(0, rounded - ROWS + 1, ROWS):
            begin = data(sums, (panel * rounded + place) * width)
            block_sums(
                width, image, data(places, place), data(positions, 0), depth, data(band, panel * band.shape[1] * width),
                begin, width, begin, width,
            )  # fmt: skip


@compiled
def _send_back(band: Any, spread: Any, sent: Any) -> None:
    """Compute what every position sends back to each place under its kernel, sum_features dL/dmap w."""
    positions, width = band.shape[1:]
    panels, depth, tap_width = spread.shape
    rows, depths, zeros = np.arange(positions) * width, np.empty(depth, np.int64), np.zeros(tap_width, np.float32)
    for feature in range(depth):
        depths[feature] = feature // width * positions * width + feature % width
    for row in range(0, positions - ROWS + 1, ROWS):
        for panel in range(panels):
            block_sums(
                tap_width, data(band, 0), data(rows, row), data(depths, 0), depth,
                data(spread, panel * depth * tap_width), data(zeros, 0), 0,
                data(sent, row * sent.shape[1] + panel * tap_width), sent.shape[1],
            )  # fmt: skip


@compiled
def _add_image_slopes(sent: Any, positions: Any, begin: int, sizes: Any, image_slopes: Any) -> None:
    """Add what positions send back to the pixels under their kernels; those of the first position begin at `begin`."""
    line = image_slopes[0, 0].size
    run = sizes.kernel_across * image_slopes.shape[3]
    for position in range(len(positions) - ROWS + 1):
        for down in range(sizes.kernel_down):
            pixels = data(image_slopes, begin + positions[position] + down * line)
            add_run(data(sent, position * sent.shape[1] + down * run), pixels, run)


@compiled
def _columns(across: int, sizes: Any) -> int:
    """Return the columns of the map that windows see."""
    return (across - 1) * sizes.window_step_across + sizes.window_across


@compiled
def _panels_of_features(weight: Any, width: int) -> Any:
    """Return the weight as (panels, places of the kernel, features of a panel), filled up with zeros."""
    features, depth = weight.shape[0], weight.shape[1] * weight.shape[2] * weight.shape[3]
    flat, panels = weight.reshape(features, depth), np.zeros((-(-features // width), depth, width), np.float32)
    for feature in range(features):
        for place in range(depth):
            panels[feature // width, place, feature % width] = flat[feature, place]
    return panels


@compiled
def _panels_of_places(weight: Any, sizes: Any) -> Any:
    """Return the weight as (panels, features, places of a panel), features and places filled up with zeros."""
    features, depth = weight.shape[0], weight.shape[1] * weight.shape[2] * weight.shape[3]
    width, rounded = sizes.place_width, -(-features // sizes.width) * sizes.width
    flat, panels = weight.reshape(features, depth), np.zeros((-(-depth // width), rounded, width), np.float32)
    for feature in range(features):
        for place in range(depth):
            panels[place // width, feature, place % width] = flat[feature, place]
    return panels
