"""How much each pixel of a mask counts in the loss: by its class, and between objects that nearly touch."""

from collections.abc import Sequence
from typing import Annotated, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.masks import MaskPreprocessing
from ganglion.settings import above, at_least, settings

FADED = 4.0
"""Deviations beyond which what is between two objects counts no more than anything else: exp(-8) of the most."""


@final
@settings
class PixelWeights:
    """Weights of pixels `(samples, height, width)` of masks.

    `w(x) = w_t(x) + w_0 exp(-(d_1(x) + d_2(x))^2 / (2 s^2))`, where t is the class of the pixel and d_1 and d_2 are
    its distances to the nearest and the second nearest object; the second term for pixels outside of objects only.
    An object is what is of one class, other than class 0, and connected by sides of pixels.

    Source: Ronneberger, Fischer and Brox, U-Net (2015), equation 2.

    >>> mask = np.array([[[1, 1, 0, 1, 1]]], np.uint8)
    >>> masks = MaskPreprocessing(image_size=(1, 5), num_classes=2)
    >>> weights = PixelWeights(masks=masks, class_weights=(1.0, 1.0), border_weight=10.0, border_distance=5.0)
    >>> [round(weight, 2) for weight in weights(mask)[0, 0].tolist()]
    [1.0, 1.0, 10.23, 1.0, 1.0]
    """

    masks: MaskPreprocessing
    """How masks come to the size of the images."""
    class_weights: tuple[float, ...]
    """How much a pixel of each class counts."""
    border_weight: Annotated[float, at_least(0)]
    """w_0, what a pixel that two objects touch counts more."""
    border_distance: Annotated[float, above(0)]
    """s, in pixels."""

    def __call__(self, raw: np.ndarray | Sequence) -> Tensor:
        """Return the weights of masks `(samples, height, width)`, or of a sequence of masks of different sizes."""
        masks = self.masks(raw)
        by_class = torch.tensor(self.class_weights)[masks.clamp(min=0)]
        if not self.border_weight or not len(masks):
            return by_class
        reach = int(np.ceil(FADED * self.border_distance))
        together = np.stack([distance_to_two(mask, reach) for mask in masks.numpy()])
        return by_class + torch.from_numpy(
            self.border_weight * np.exp(-np.square(together) / (2 * self.border_distance**2))
        ).to(by_class.dtype)


def distance_to_two(mask: np.ndarray, reach: int) -> np.ndarray:
    """Return d_1 + d_2 of every pixel outside of objects (height, width); infinite inside and where d_2 is far.

    Args:
        mask: class numbers (height, width).
        reach: pixels around an object within which distances to it are measured.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    nearest, second = (np.full(mask.shape, np.inf) for _ in range(2))
    objects = connected(mask)
    for number, place in enumerate(find_objects(objects), 1):
        around = tuple(slice(max(0, axis.start - reach), axis.stop + reach) for axis in place)
        distance = distance_transform_edt(objects[around] != number)
        second[around] = np.minimum(second[around], np.maximum(nearest[around], distance))
        nearest[around] = np.minimum(nearest[around], distance)
    return np.where(objects > 0, np.inf, nearest + second)


def connected(mask: np.ndarray) -> np.ndarray:
    """Return the number of the object that each pixel of a mask (height, width) belongs to, 0 for none.

    >>> connected(np.array([[1, 0, 2], [1, 0, 1]])).tolist()
    [[1, 0, 3], [1, 0, 2]]
    """
    from scipy.ndimage import label

    objects, count = np.zeros(mask.shape, np.int32), 0
    for number in np.unique(mask[mask > 0]).tolist():
        found, more = label(mask == number)
        objects[found > 0] = found[found > 0] + count
        count += more
    return objects
