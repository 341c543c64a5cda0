"""Pieces of pictures: what training cuts out of each at a random place, at the picture's own scale."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ganglion.data.loaders.augment import Windows, finer
from ganglion.data.loaders.noise import named_stream, uniforms

STREAM = named_stream("pieces")


@dataclass(frozen=True)
class Pieces:
    """Squares cut out of decoded pictures, at the same place of all that belong to a sample.

    What is decoded for a batch is no more than one sample and the pieces, so pictures may be large and of any sizes. A
    picture that is smaller than its piece is continued by reflection. Where one field's pieces are some whole times
    as large as another's, so are its pictures, and each of the smaller pixels is cut out with all that it stands for.

    >>> pictures = {"source": np.zeros((50, 70, 1)), "target": np.zeros((100, 140, 3))}
    >>> cut = Pieces({"source": 16, "target": 32}).cut(pictures, seed=0, epoch=0, index=5)
    >>> [piece.shape for piece in cut.values()]
    [(16, 16, 1), (32, 32, 3)]
    """

    sides: Mapping[str, int]
    """Height and width of the pieces of each field."""

    def cut(self, pictures: Mapping[str, np.ndarray], seed: int, epoch: int, index: int) -> dict[str, np.ndarray]:
        """Return the pieces (side, side, channels) of pictures (height, width, channels) that belong together.

        Args:
            index: place of the sample in its set; (seed, epoch, index) alone say where pieces are cut.
        """
        least = min(self.sides[name] for name in pictures)
        factors = {name: self.sides[name] // least for name in pictures}
        height, width = (
            max(1, min(picture.shape[axis] // factors[name] for name, picture in pictures.items())) for axis in (0, 1)
        )
        noise = uniforms(seed, epoch, torch.tensor([index]), 2, STREAM)
        moved = Windows(least).drawn(noise, (height, width))
        pieces = {}
        for name, picture in pictures.items():
            rows, columns = (
                finer(places, self.sides[name])[0].clamp(max=length - 1).numpy()
                for places, length in zip((moved.rows, moved.columns), picture.shape, strict=False)
            )
            pieces[name] = picture[rows[:, None], columns]
        return pieces
