"""Photographs, and the same drawn anew by four small networks that enlarge as generators do, which leaves traces.

No generator can be trained in the moment in which data is made. What detectors find is mostly left by the last layers
of generators, which double the sides of maps, in one of four ways. So each photograph is halved, as if by an encoder,
and doubled again by a decoder of one such layer, whose weights are those of least squares, or near them as training
leaves them. Whoever tells these from photographs knows traces of enlarging, not of any one generator.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.sources.bundled import photograph

SIDE = 32
SHRUNK = 3 / 4
"""Photographs are shrunk by this, so that nothing is left of the compression of their files."""
OWN, TESTED, VALIDATED = 240, 0.25, 0.125
"""Pieces that are not of the test part; how many are, and how many are for validation, as shares of them."""
CODE_NOISE, PIXEL_NOISE, UNTRAINED = 0.01, 0.02, 0.06
"""Deviations of what disturbs codes, the pixels of one decoder, and the weights of another, as shares of white or 1."""
STEP = 1 / 64
"""Weights are rounded to multiples of this, so that all machines agree on them."""
REAL = "real"


def redrawn_photographs(random: np.random.Generator, count: int | None) -> Dataset:
    """Pieces of photographs, 32 x 32 pixels, colour, and each as four decoders draw it; a piece is in one part only.

    Of `count` samples there are as many pieces as make them, at most 240; the test part comes besides.
    """
    pieces, kinds = _pieces(), 1 + len(DECODERS)
    wanted = OWN if count is None else min(OWN, max(2, count // kinds))
    tested, validated = (max(1, round(share * wanted)) for share in (TESTED, VALIDATED))
    pieces = pieces[random.permutation(len(pieces))[: wanted + tested]]
    made = {REAL: pieces} | {name: _bytes(draw(pieces / 255.0, random)) for name, draw in DECODERS.items()}
    validation, test, train = np.split(np.arange(len(pieces)), [validated, validated + tested])
    names = tuple(made)

    def fields(places: np.ndarray) -> dict[str, Field]:
        pictures = np.concatenate([one[places] for one in made.values()])
        return {
            "inputs": Field(kind="images", values=pictures),
            "targets": Field(kind="classes", values=np.repeat(np.arange(len(names)), len(places)), names=names),
        }

    own = np.concatenate([train, validation])
    held = np.arange(len(names))[:, None] * len(own) + np.arange(len(train), len(own))
    return Dataset(name="", fields=fields(own), test_fields=fields(test), validation=held.ravel())


def _pieces() -> np.ndarray:
    """Return pieces of the photographs side by side, bytes (pieces, 32, 32, 3)."""
    found = []
    for name in ("china.jpg", "flower.jpg"):
        whole = photograph(name)
        size = round(whole.width * SHRUNK), round(whole.height * SHRUNK)
        pixels = np.asarray(whole.resize(size, Image.Resampling.LANCZOS))
        rows, columns = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
        kept = pixels[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE, 3)
        found.append(kept.swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3))
    return np.concatenate(found)


def _code(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return pictures (pictures, 32, 32, 3) at half their side, slightly disturbed."""
    half = pictures.reshape(len(pictures), SIDE // 2, 2, SIDE // 2, 2, 3).mean(axis=(2, 4))
    disturbed: np.ndarray = half + random.normal(0, CODE_NOISE, half.shape)
    return disturbed


def transposed(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw pictures (pictures, 32, 32, 3) by a transposed convolution of 4 x 4 whose four grids never quite agree."""

    def weights(best: np.ndarray) -> np.ndarray:
        return best * (1 + random.normal(0, UNTRAINED, best.shape))

    code = _code(pictures, random)
    return _by_phase(
        code, pictures, lambda row, column: [(a, b) for a in (row - 1, row) for b in (column - 1, column)], weights
    )


def shuffled(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw pictures (pictures, 32, 32, 3) by a convolution that gives four maps, whose pixels take turns."""
    code = _code(pictures, random)
    return _by_phase(code, pictures, lambda row, column: [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)])


def repeated(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw pictures (pictures, 32, 32, 3) by repeating each number in both directions, and a convolution of 3 x 3."""
    doubled = _code(pictures, random).repeat(2, axis=1).repeat(2, axis=2)
    seen = _neighbours(doubled, [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)])
    return seen @ _least_squares(seen, pictures)


def smoothed(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw pictures (pictures, 32, 32, 3) by zeros in between, a filter of 1, 3, 3, 1, and noise at every pixel."""
    drawn = _code(pictures, random)
    for axis in (1, 2):
        before, after = (np.take(drawn, places, axis) for places in _beside(drawn.shape[axis]))
        drawn = np.stack([0.75 * drawn + 0.25 * before, 0.75 * drawn + 0.25 * after], axis + 1)
        drawn = drawn.reshape(*drawn.shape[:axis], -1, *drawn.shape[axis + 2 :])
    return drawn + random.normal(0, PIXEL_NOISE, drawn.shape)


DECODERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "transposed": transposed,
    "repeated": repeated,
    "shuffled": shuffled,
    "smoothed": smoothed,
}
"""Ways of doubling the side of maps: of DCGAN, of ProGAN and BigGAN, of SRGAN, of StyleGAN."""


def _beside(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places before and after each, which are themselves at the ends."""
    places = np.arange(length)
    return np.maximum(places - 1, 0), np.minimum(places + 1, length - 1)


def _neighbours(maps: np.ndarray, offsets: list[tuple[int, int]]) -> np.ndarray:
    """Return what lies beside each number of maps, (..., height, width, channels), at the offsets, (..., offsets)."""
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = maps.shape[1:3]
    moved = [padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width] for down, right in offsets]
    return np.stack(moved, axis=-1)


def _least_squares(seen: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the weights (offsets,) by which what is seen, (..., offsets), comes nearest to what is wanted, (...)."""
    rows = seen.reshape(-1, seen.shape[-1])
    found = np.linalg.lstsq(rows, wanted.reshape(-1), rcond=None)[0]
    rounded: np.ndarray = np.round(found / STEP) * STEP
    return rounded


def _by_phase(
    code: np.ndarray,
    pictures: np.ndarray,
    seen_from: Callable[[int, int], list[tuple[int, int]]],
    trained: Callable[[np.ndarray], np.ndarray] = lambda best: best,
) -> np.ndarray:
    """Return pictures of twice the code's side; pixels of even and odd rows and columns have weights of their own.

    Args:
        seen_from: the places beside a number that a pixel at its row and column is made of.
        trained: makes of the best weights those that a network has.
    """
    drawn = np.empty_like(pictures)
    for row in (0, 1):
        for column in (0, 1):
            seen = _neighbours(code, seen_from(row, column))
            best = _least_squares(seen, pictures[:, row::2, column::2])
            drawn[:, row::2, column::2] = seen @ trained(best)
    return drawn


def _bytes(pictures: np.ndarray) -> np.ndarray:
    return np.rint(pictures.clip(0, 1) * 255).astype(np.uint8)
