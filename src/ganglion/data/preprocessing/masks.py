"""Masks as tensors of class numbers, beside images of the same size."""

from collections.abc import Sequence
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.fields import UNJUDGED
from ganglion.data.preprocessing.placement import Resize, Size, into_frame, out_of_frame
from ganglion.errors import DataError
from ganglion.settings import at_least, settings


@final
@settings
class MaskPreprocessing:
    """The class of every pixel as `(samples, height, width)` int64, resized to the nearest pixel.

    >>> masks = np.zeros((2, 6, 6), np.uint8)
    >>> MaskPreprocessing.fit(masks, names=("membrane", "cell"), image_size=3)(masks).shape
    torch.Size([2, 3, 3])
    """

    image_size: int | tuple[int, int]
    """Side of the square, or height and width; that of the images."""
    num_classes: Annotated[int, at_least(1)]
    """Classes that a pixel can have."""
    resize: Resize = "stretch"
    """How a mask of other proportions comes to the size; as the images do."""

    @classmethod
    def fit(
        cls,
        masks: np.ndarray | Sequence,
        names: Sequence[str] = (),
        *,
        image_size: int | tuple[int, int] | None = None,
        resize: Resize = "stretch",
    ) -> Self:
        """Keep the (height, width) of the first mask where none is given; count the classes where none has a name."""
        height, width = np.shape(masks[0])
        classes = len(names) or 1 + max(int(np.max(mask, initial=0)) for mask in masks)
        return cls(image_size=(height, width) if image_size is None else image_size, num_classes=classes, resize=resize)

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image_size if isinstance(self.image_size, tuple) else (self.image_size, self.image_size)

    def __call__(self, raw: np.ndarray | Sequence) -> Tensor:
        """Convert masks `(samples, height, width)`, or a sequence of masks of different sizes."""
        same = isinstance(raw, np.ndarray) and raw.dtype != object
        groups = [np.asarray(raw)] if same else [np.asarray(mask)[None] for mask in raw]
        converted = [self._convert(masks) for masks in groups]
        return torch.cat(converted) if converted else torch.empty(0, *self.size, dtype=torch.int64)

    def _convert(self, masks: np.ndarray) -> Tensor:
        numbers = torch.from_numpy(masks.astype(np.int64))
        known = numbers[numbers != UNJUDGED]
        if known.numel() and not (known.min() >= 0 and known.max() < self.num_classes):
            raise DataError(
                "a mask has a class that is unknown",
                expected=f"numbers from 0 to {self.num_classes - 1}",
                found=f"{int(known.min())} to {int(known.max())}",
            )
        return into_frame(numbers[:, None], self.size, self.resize, "nearest", UNJUDGED)[:, 0]

    def inverse(self, masks: Tensor, sizes: Sequence[Size] | None = None) -> np.ndarray:
        """Return class numbers `(samples, height, width)`.

        Args:
            sizes: height and width that each mask had, to bring it back to them; the result is then an object array.
        """
        masks = masks.detach().cpu()
        if sizes is None:
            return masks.numpy()
        back = np.empty(len(masks), dtype=object)
        for number, (mask, size) in enumerate(zip(masks, sizes, strict=True)):
            back[number] = out_of_frame(mask[None, None], size, self.resize, "nearest", UNJUDGED)[0, 0].numpy()
        return back
