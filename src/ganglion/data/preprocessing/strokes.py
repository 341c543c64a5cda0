"""Drawings as tensors of strokes, and back."""

from collections.abc import Sequence
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.strokes import size_of
from ganglion.errors import DataError
from ganglion.settings import above, at_least, settings

FEW = 0.99
"""Share of the moves with the pen down that are no longer than a stride."""


@final
@settings
class StrokePreprocessing:
    """The moves of a pen as across, down and whether it is lifted after, with moves of deviation 1.

    `d' = d / deviation`; the mean is not taken off, so that a pen at rest stays at rest. Source: Ha and Eck, A neural
    representation of sketch drawings, 2017.

    >>> pen = StrokePreprocessing.fit([np.array([[3.0, -4.0, 0.0], [-3.0, 4.0, 1.0]])])
    >>> round(pen.deviation, 3), pen([np.array([[7.0, 0.0, 1.0]])])[0][0, 2].item()
    (3.536, 1.0)
    """

    deviation: Annotated[float, above(0)]
    """Standard deviation of all moves, across and down, over the training part."""
    size: Annotated[float, at_least(0)] = 0.0
    """Longer side of a drawing of the training part, in its units: the median."""
    points: Annotated[int, at_least(0)] = 0
    """Points of the longest drawing of the training part."""

    stride: Annotated[float, at_least(0)] = 0.0
    """Length of a move with the pen down that few of the training part exceed; 0 where there is none."""

    @classmethod
    def fit(cls, strokes: Sequence[np.ndarray]) -> Self:
        """Measure the training drawings, each `(points, 3)`."""
        moves = np.concatenate([np.asarray(drawing, dtype=np.float64)[:, :2].ravel() for drawing in strokes])
        return cls(
            deviation=float(moves.std()) or 1.0,
            size=float(np.median([size_of(drawing) for drawing in strokes])),
            points=max(map(len, strokes)),
            stride=_stride(strokes),
        )

    def __call__(self, raw: Sequence[np.ndarray]) -> Ragged:
        """Return the moves of every drawing `(points, 3)`."""
        samples = []
        for drawing in raw:
            moves = np.array(drawing, dtype=np.float32)
            if not np.isfinite(moves).all():
                raise DataError("a drawing has moves that are no numbers", expected="finite numbers")
            moves[:, :2] /= self.deviation
            samples.append(torch.from_numpy(moves))
        return Ragged.of(samples)

    def inverse(self, moves: Tensor) -> np.ndarray:
        """Return moves `(..., points, 3)` in their own units, the pen 0 or 1."""
        values = moves.detach().cpu().numpy().copy()
        values[..., :2] *= self.deviation
        values[..., 2] = values[..., 2] > 0.5
        return values


def _stride(strokes: Sequence[np.ndarray]) -> float:
    down = [np.hypot(one[1:, 0], one[1:, 1])[np.asarray(one)[:-1, 2] < 0.5] for one in strokes]
    lengths = np.concatenate([one.astype(np.float64) for one in down])
    return float(np.quantile(lengths, FEW)) if len(lengths) else 0.0
