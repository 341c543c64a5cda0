"""Boxes that may show an object, proposed by what a picture looks like alone."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from ganglion.data.fields import Boxes, Field
from ganglion.data.formats.images.files import in_threads
from ganglion.data.pixels import LUMA
from ganglion.errors import UsageError

Method = Literal["blobs", "selective-search", "both"]
LARGEST = 320
"""Longer side at which pictures are looked at."""
SCALES = 1.5
"""Factor from one size of blobs to the next."""
SMALLEST_RADIUS = 4.0
"""Pixels, of the smallest blobs that are looked for."""
SHAPES = ((1.0, 1.0), (1.3, 1.3), (1.3, 0.9), (0.9, 1.3))
"""Height and width of the boxes around a blob, in its own."""
LIGHT = 0.02
"""Contrast below which a blob is noise."""


def proposed(images: np.ndarray | Sequence, method: Method, most: int) -> Field:
    """Return boxes that may show an object, one field of `most` boxes at most for each picture.

    Args:
        images: raw pictures `(height, width, channels)`, decoded one after the other where they are files.
    """
    propose = METHODS[method]
    found = list(in_threads(lambda place: _in_picture(np.asarray(images[place]), propose, most), range(len(images))))
    return Field(kind="boxes", values=found, names=("proposal",))


def _in_picture(image: np.ndarray, propose: Callable[[np.ndarray], np.ndarray], most: int) -> Boxes:
    """Look at a picture at a size at which that does not take long."""
    height, width = image.shape[:2]
    step = max(1, round(max(height, width) / LARGEST))
    pixels = image.reshape(height, width, -1).astype(np.float32) / (255 if image.dtype.kind in "ui" else 1)
    down, across = min(step, height), min(step, width)  # of a picture of a few lines none is left out
    rows, columns = height // down * down, width // across * across
    small = pixels[:rows, :columns].reshape(rows // down, down, columns // across, across, -1).mean(axis=(1, 3))
    corners = propose(small)[:most] * np.array([across, down, across, down])
    corners = corners.clip(0, [width, height, width, height])
    corners = corners[(corners[:, :2] + 1 <= corners[:, 2:]).all(axis=1)]
    return Boxes(corners.astype(np.float32), np.zeros(len(corners), np.int64), (height, width))


def blobs(image: np.ndarray) -> np.ndarray:
    """Return boxes around what differs from its surroundings, the clearest of each size first (boxes, 4).

    Blobs are extrema, over places and sizes, of s^2 times the Laplacian of the picture smoothed by s; one of radius r
    answers most to s = r / sqrt(2).

    Args:
        image: (height, width, channels) in [0, 1].

    Source: Lindeberg, Feature detection with automatic scale selection (1998).
    """
    from scipy.ndimage import gaussian_laplace, maximum_filter

    height, width = image.shape[:2]
    channels = [image[..., 0]] if image.shape[2] == 1 else [image @ np.array(LUMA, np.float32), *_opponents(image)]
    largest = max(SMALLEST_RADIUS * SCALES, 0.5 * max(height, width))
    count = int(np.log(largest / SMALLEST_RADIUS) / np.log(SCALES)) + 1
    radii = SMALLEST_RADIUS * SCALES ** np.arange(count)
    boxes: list[np.ndarray] = []
    ranks: list[np.ndarray] = []
    for channel in channels:
        answers = np.stack([np.abs(_laplacian(gaussian_laplace, channel, radius)) for radius in radii])
        peaks = (answers == maximum_filter(answers, size=3, mode="nearest")) & (answers > LIGHT)
        for number, radius in enumerate(radii):  # of a plateau, which a coarser picture leaves, one place
            step = _step(radius)
            middle = (np.arange(height) % step == step // 2)[:, None] & (np.arange(width) % step == step // 2)
            peaks[number] &= middle
        scale, row, column = np.nonzero(peaks)
        rank = np.empty(len(scale), np.int64)  # among those of a size, of which small ones are many
        for number in range(len(radii)):
            own = np.flatnonzero(scale == number)
            rank[own[np.argsort(-answers[number, row[own], column[own]], kind="stable")]] = np.arange(len(own))
        for tall, wide in SHAPES:
            half = np.stack([wide * radii[scale], tall * radii[scale]], axis=1)
            centre = np.stack([column, row], axis=1) + 0.5
            boxes.append(np.concatenate([centre - half, centre + half], axis=1))
            ranks.append(rank)
    order = np.argsort(np.concatenate(ranks), kind="stable")
    return np.concatenate(boxes)[order]


def _laplacian(laplace: Callable[..., np.ndarray], channel: np.ndarray, radius: float) -> np.ndarray:
    """Return s^2 times the Laplacian at the scale of a radius (height, width); large scales on a smaller picture."""
    step = _step(radius)
    height, width = channel.shape
    rows, columns = -(-height // step) * step, -(-width // step) * step
    padded = np.pad(channel, ((0, rows - height), (0, columns - width)), mode="edge")
    small = padded.reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    deviation = radius / step / np.sqrt(2)
    found = deviation**2 * laplace(small, deviation, mode="nearest", truncate=3)
    return found.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]


def _step(radius: float) -> int:
    """Return how many pixels of a picture are one where blobs of a radius are looked for."""
    return max(1, int(radius / 8))


def _opponents(image: np.ndarray) -> list[np.ndarray]:
    """Return how red rather than green, and how yellow rather than blue, a picture is (height, width)."""
    red, green, blue = np.moveaxis(image, 2, 0)
    return [red - green, (red + green) / 2 - blue]


def selective_search(image: np.ndarray) -> np.ndarray:
    """Return the boxes of regions that are merged step by step by likeness, the last merged first (boxes, 4).

    Regions begin as those of Felzenszwalb and Huttenlocher at two scales. Likeness adds up what two neighbours share
    of their histograms of colour and of steepness, how small they are, and how well they fill their common box.

    Args:
        image: (height, width, channels) in [0, 1].

    Raises:
        UsageError: scikit-image is not installed.

    Source: Uijlings et al., Selective search for object recognition (2013).
    """
    try:
        from skimage.segmentation import felzenszwalb
    except ImportError as error:
        raise UsageError(
            "selective search needs scikit-image", expected="the extra `images`", remedy="or choose --proposals blobs"
        ) from error
    boxes: list[tuple[int, ...]] = []
    pixels = image[..., 0] if image.shape[2] == 1 else image
    for scale in (0.3, 1.0):
        labels = felzenszwalb(pixels, scale=100 * scale, sigma=0.8, min_size=20)
        boxes += _merged(image, labels)
    return np.array(list(dict.fromkeys(reversed(boxes))), np.float32).reshape(-1, 4)


def _merged(image: np.ndarray, labels: np.ndarray) -> list[tuple[int, ...]]:
    """Return the boxes of all regions, and of all that come up while the likest neighbours merge."""
    count, total = int(labels.max()) + 1, labels.size
    rows, columns = (np.asarray(axis) for axis in np.indices(labels.shape))
    box = np.stack(
        [
            _by_label(np.minimum, columns, labels, count, labels.shape[1]),
            _by_label(np.minimum, rows, labels, count, labels.shape[0]),
            _by_label(np.maximum, columns, labels, count, 0) + 1,
            _by_label(np.maximum, rows, labels, count, 0) + 1,
        ],
        axis=1,
    )
    sizes = np.bincount(labels.ravel(), minlength=count).astype(float)
    regions = dict(enumerate(zip(sizes, box, _histograms(image, labels, count), strict=True)))

    def likeness(one: int, other: int) -> float:
        (size, corners, histogram), (size2, corners2, histogram2) = regions[one], regions[other]
        joint = np.concatenate([np.minimum(corners[:2], corners2[:2]), np.maximum(corners[2:], corners2[2:])])
        area = float((joint[2] - joint[0]) * (joint[3] - joint[1]))
        shared = float(np.minimum(histogram, histogram2).sum())
        return shared + 1 - (size + size2) / total + 1 - (area - size - size2) / total

    pairs = {pair: likeness(*pair) for pair in _neighbours(labels)}
    found = [tuple(corners.tolist()) for corners in box]
    while pairs:
        one, other = max(pairs, key=pairs.__getitem__)
        (size, corners, histogram), (size2, corners2, histogram2) = regions[one], regions[other]
        joint = np.concatenate([np.minimum(corners[:2], corners2[:2]), np.maximum(corners[2:], corners2[2:])])
        regions[count] = size + size2, joint, (size * histogram + size2 * histogram2) / (size + size2)
        touched = {number for pair in pairs if one in pair or other in pair for number in pair} - {one, other}
        pairs = {pair: value for pair, value in pairs.items() if one not in pair and other not in pair}
        pairs |= {(number, count): likeness(number, count) for number in sorted(touched)}
        found.append(tuple(joint.tolist()))
        count += 1
    return found


def _by_label(extreme: np.ufunc, values: np.ndarray, labels: np.ndarray, count: int, start: int) -> np.ndarray:
    found = np.full(count, start)
    extreme.at(found, labels.ravel(), values.ravel())
    return found


def _neighbours(labels: np.ndarray) -> list[tuple[int, int]]:
    """Return which regions touch, each pair once."""
    pairs = np.concatenate(
        [
            np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1),
            np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1),
        ]
    )
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    return [(one, other) for one, other in np.unique(pairs, axis=0).tolist()]


def _histograms(image: np.ndarray, labels: np.ndarray, count: int, bins: int = 12) -> np.ndarray:
    """Return the histograms of the colours of regions and of how they change (regions, values), each summing to 2."""
    parts = []
    for channel in np.moveaxis(image, 2, 0):
        down, across = np.gradient(channel)
        for values, low, high in ((channel, 0.0, 1.0), (down, -0.25, 0.25), (across, -0.25, 0.25)):
            places = ((values - low) / (high - low) * bins).astype(int).clip(0, bins - 1)
            counts = np.bincount(labels.ravel() * bins + places.ravel(), minlength=count * bins)
            parts.append(counts.reshape(count, bins))
    histograms = np.concatenate(parts, axis=1).astype(float)
    return 2 * histograms / np.maximum(histograms.sum(axis=1, keepdims=True), 1)


def both(image: np.ndarray) -> np.ndarray:
    """Return the boxes of both methods in turn (boxes, 4), of a picture (height, width, channels)."""
    found = [selective_search(image), blobs(image)]
    most = max(map(len, found))
    order = [part[place] for place in range(most) for part in found if place < len(part)]
    return np.array(order, np.float32).reshape(-1, 4)


METHODS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "blobs": blobs,
    "selective-search": selective_search,
    "both": both,
}
