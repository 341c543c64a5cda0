"""Boxes as tensors, scaled with the images that they are in, and back."""

from collections.abc import Sequence
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.fields import Boxes
from ganglion.data.preprocessing.placement import Resize, Size, placement
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.errors import DataError
from ganglion.settings import at_least, settings

NO_BOX = -1.0
"""What stands in a batch past the boxes of a sample."""


@final
@settings
class BoxPreprocessing:
    """The boxes of every image as left, top, right, bottom and class, in pixels of the image that the network sees.

    What a crop cuts off is cut off the boxes as well; a box of which nothing is left goes.

    >>> boxes = [Boxes(np.array([[10, 20, 30, 40]]), np.array([0]), (100, 50))]
    >>> BoxPreprocessing(image_size=50, num_classes=1)(boxes)[0].tolist()
    [[10.0, 10.0, 30.0, 20.0, 0.0]]
    """

    image_size: int | tuple[int, int]
    """Side of the square, or height and width; that of the images."""
    num_classes: Annotated[int, at_least(1)]
    """Classes that a box can have."""
    resize: Resize = "stretch"
    """How an image of other proportions comes to the size; as the images do."""

    @classmethod
    def fit(
        cls,
        boxes: Sequence[Boxes],
        names: Sequence[str] = (),
        *,
        image_size: int | tuple[int, int] | None = None,
        resize: Resize = "stretch",
    ) -> Self:
        """Keep the size of the first image where none is given, and count the classes where none has a name."""
        classes = len(names) or 1 + max((int(one.classes.max(initial=0)) for one in boxes), default=0)
        size = boxes[0].image_size if image_size is None else image_size
        return cls(image_size=size, num_classes=classes, resize=resize)

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image_size if isinstance(self.image_size, tuple) else (self.image_size, self.image_size)

    def __call__(self, raw: Sequence[Boxes]) -> Ragged:
        """Return the boxes of every sample `(boxes, 5)`."""
        return Ragged.of([self._convert(boxes) for boxes in raw] or [torch.empty(0, 5)], NO_BOX)

    def _convert(self, boxes: Boxes) -> Tensor:
        strange = boxes.classes[(boxes.classes < 0) | (boxes.classes >= self.num_classes)]
        if len(strange):
            raise DataError(
                "a box has a class that is unknown",
                expected=f"numbers from 0 to {self.num_classes - 1}",
                found=f"{strange[0]}",
            )
        scale, shift = self._moved(boxes.image_size)
        height, width = self.size
        corners = (boxes.corners * scale + shift).clip(0, [width, height, width, height])
        rows = np.column_stack([corners, boxes.classes])[(corners[:, :2] < corners[:, 2:]).all(axis=1)]
        return torch.from_numpy(rows.astype(np.float32).reshape(-1, 5))

    def inverse(self, rows: Tensor, image_size: Size) -> Boxes:
        """Return the boxes `(boxes, 5)` of one image in the pixels that it had, within it; rows of `NO_BOX` go."""
        values = rows.detach().cpu().double().numpy()
        values = values[values[:, 4] >= 0]
        scale, shift = self._moved(image_size)
        height, width = image_size
        corners = ((values[:, :4] - shift) / scale).clip(0, [width, height, width, height])
        return Boxes(corners.astype(np.float32), values[:, 4].astype(np.int64), image_size)

    def _moved(self, image_size: Size) -> tuple[np.ndarray, np.ndarray]:
        """Return by what corners are multiplied, and what is added then."""
        there = placement(image_size, self.size, self.resize)
        across, down = there.size[1] / image_size[1], there.size[0] / image_size[0]
        return np.array([across, down, across, down]), np.array([there.left, there.top, there.left, there.top])
