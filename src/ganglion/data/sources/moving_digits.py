"""Films of moving digits: which way they go, what passes behind a slit, when they turn, and where they will be next."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.fields import UNJUDGED, Field
from ganglion.data.sources.bundled import read_bundled

SIDE, DIGIT = 32, 16
"""Pixels of a side of a film and of a digit in it."""
WAYS = {
    "right": (0, 1), "down right": (1, 1), "down": (1, 0), "down left": (1, -1),
    "left": (0, -1), "up left": (-1, -1), "up": (-1, 0), "up right": (-1, 1),
}  # fmt: skip
"""Rows and columns of a step to each side."""
STRAIGHT = ("down", "left", "right", "up")
FRAMES, BOUNCING_FRAMES = 10, 20
TESTED = 5
"""Every so many digits are shown by test films alone, of which there is one for four training films."""
RATE = 8
WALL, SLIT, PACE = 96, 2, 2
"""Brightness of the wall, width of the slit in it, and pixels that a digit passes by in a frame."""
PUBLISHED_SIDE = 64
PUBLISHED_SPEEDS = (3.0, 5.0)
"""Pixels a frame."""


def moving_digits(random: np.random.Generator, count: int | None) -> Dataset:
    """Films of 10 frames of 32 x 32 pixels: a digit goes one of eight ways, and comes in again where it leaves.

    It starts anywhere, so that no single frame says anything of the way.
    """
    films, ways = [], []
    names = tuple(WAYS)
    for digit in _digits(random, count or 1600):
        way = int(random.integers(len(names)))
        steps = np.array(WAYS[names[way]]) * random.integers(2, 4)
        films.append(_wrapped(digit, random.integers(SIDE, size=2) + np.arange(FRAMES)[:, None] * steps))
        ways.append(way)
    return _of(films, {"targets": Field(kind="classes", values=np.array(ways), names=names, called="way")})


def passing_digits(random: np.random.Generator, count: int | None) -> Dataset:
    """Films of 12 frames of 16 x 16 pixels: a digit passes behind a slit in a wall, which shows two columns at a time.

    When it comes differs from film to film, so that a single frame hardly says which digit it is.
    """
    numbers = _classes(count or 2800)
    films = []
    frames, left = DIGIT // PACE + 4, (DIGIT - SLIT) // 2
    for digit in _digits(random, count or 2800):
        start = random.integers(5)
        film = np.full((frames, DIGIT, DIGIT), WALL, np.uint8)
        film[:, :, left : left + SLIT] = 0
        for step in range(DIGIT // PACE):
            column = step * PACE
            film[start + step, :, left : left + SLIT] = digit[:, column : column + SLIT]
        films.append(film)
    names = tuple(map(str, range(10)))
    return _of(films, {"targets": Field(kind="classes", values=numbers, names=names, called="digit")})


def turning_digits(random: np.random.Generator, count: int | None) -> Dataset:
    """Films of 12 frames of 32 x 32 pixels: a digit goes one way, turns once, and goes another; each frame has its way.

    The first frame has none, since nothing has moved yet.
    """
    films, labels = [], []
    for digit in _digits(random, count or 1200):
        first, second = random.choice(len(STRAIGHT), 2, replace=False)
        turn = int(random.integers(4, 10))
        ways = np.where(np.arange(12) < turn, first, second)
        steps = np.array([WAYS[STRAIGHT[way]] for way in ways]) * random.integers(2, 4)
        steps[0] = random.integers(SIDE, size=2)
        films.append(_wrapped(digit, steps.cumsum(0)))
        labels.append(np.where(np.arange(12) == 0, UNJUDGED, ways))
    return _of(films, {"frame_labels": Field(kind="step-classes", values=np.stack(labels), names=STRAIGHT)})


def bouncing_digits(random: np.random.Generator, count: int | None) -> Dataset:
    """Films of 20 frames of 32 x 32 pixels: a digit flies in any direction and bounces off the edges."""
    films = [film_of([digit], random, SIDE, BOUNCING_FRAMES, (1.5, 2.5)) for digit in _digits(random, count or 1200)]
    return _of(films, {})


def moving_mnist(digits: np.ndarray, test_digits: np.ndarray, count: int = 2000, tested: int = 500) -> Dataset:
    """Films of 20 frames of 64 x 64 pixels: two digits of 28 x 28 bounce off the edges; what overlaps is the brighter.

    They start anywhere, in any direction, with 3 to 5 pixels a frame, test films from the test part of MNIST.

    Args:
        digits, test_digits: (digits, 28, 28, 1) uint8.

    Source: Srivastava, Mansimov and Salakhutdinov, Unsupervised learning of video representations using LSTMs (2015);
    speeds of Shi et al., Convolutional LSTM network (2015), section 4.1.
    """
    parts = []
    for seed, (held, films) in enumerate(((digits, count), (test_digits, tested))):
        random = np.random.default_rng(seed)
        chosen = held[random.integers(len(held), size=(films, 2)), ..., 0]
        made = [film_of(pair, random, PUBLISHED_SIDE, BOUNCING_FRAMES, PUBLISHED_SPEEDS) for pair in chosen]
        parts.append({"inputs": _films(made)})
    return Dataset(name="", fields=parts[0], test_fields=parts[1])


def film_of(
    digits: Sequence[np.ndarray], random: np.random.Generator, side: int, frames: int, speeds: tuple[float, float]
) -> np.ndarray:
    """Return a film (frames, side, side) of digits, uint8 (height, width), that bounce off the edges of a square.

    Args:
        speeds: least and largest pixels a frame.
    """
    film = np.zeros((frames, side, side), np.uint8)
    for digit in digits:
        room = np.array([side, side]) - digit.shape
        angle, speed = random.uniform(0, 2 * np.pi), random.uniform(*speeds)
        way = np.array([np.sin(angle), np.cos(angle)]) * speed * np.arange(frames)[:, None]
        places = random.uniform(0, room) + way
        places = room - np.abs(places % (2 * room) - room)  # there and back between the edges
        for frame, (top, left) in zip(film, np.rint(places).astype(int), strict=True):
            window = frame[top : top + digit.shape[0], left : left + digit.shape[1]]
            np.maximum(window, digit, out=window)
    return film


def _wrapped(digit: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return a film (frames, side, side) of a digit at places (frames, 2) of a square whose opposite edges meet."""
    page = np.zeros((SIDE, SIDE), np.uint8)
    page[:DIGIT, :DIGIT] = digit
    return np.stack([np.roll(page, tuple(place), axis=(0, 1)) for place in places])


def _digits(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Yield digits, uint8 (16, 16), for so many training films and then for the test films, which share none."""
    images, numbers = _images(), np.asarray(read_bundled("digits").targets)
    tested = np.arange(len(images)) % TESTED == 0
    for film, number in enumerate(_classes(count)):
        own = np.flatnonzero((tested == (film >= count)) & (numbers == number))
        yield images[random.choice(own)]


def _classes(count: int) -> np.ndarray:
    """Return which digit each training and then each test film shows (films,): each as often."""
    return np.arange(count + count // (TESTED - 1)) % 10


def _images() -> np.ndarray:
    """Return the bundled digits twice as large (digits, 16, 16)."""
    small = np.asarray(read_bundled("digits").inputs)[..., 0]
    larger = [Image.fromarray(one).resize((DIGIT, DIGIT), Image.Resampling.BICUBIC) for one in small]
    return np.stack([np.asarray(one) for one in larger])


def _of(films: list[np.ndarray], others: dict[str, Field]) -> Dataset:
    """Return films (frames, height, width) and what else is known of each, those of the test part last."""
    whole = {"inputs": _films(films), **others}
    training = np.arange(len(films)) < len(films) - len(films) // TESTED
    parts = [
        {name: one.take(np.flatnonzero(chosen)) for name, one in whole.items()} for chosen in (training, ~training)
    ]
    return Dataset(name="", fields=parts[0], test_fields=parts[1] if len(films) >= TESTED else {})


def _films(films: list[np.ndarray]) -> Field:
    return Field(kind="films", values=np.stack(films)[..., None], rate=RATE)
