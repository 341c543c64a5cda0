"""What happens to pictures on their way: compressed as JPEG, blurred, resized; and as random changes while training."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from ganglion.core import Batch
from ganglion.data.loaders.noise import named_stream, uniforms

STREAM = named_stream("distortions")
LARGEST_BLUR = 3.0
"""Standard deviation in pixels."""
QUALITIES = (30, 100)
"""Of JPEG, lowest and highest."""


def compressed(images: Tensor, quality: int) -> Tensor:
    """Return images of 0 to 1, (batch, 1 or 3, height, width), as they come out of a JPEG file of a quality to 100.

    >>> compressed(torch.full((1, 1, 8, 8), 0.5), 90).shape
    torch.Size([1, 1, 8, 8])
    """
    changed = torch.empty_like(images)
    pixels = (images * 255).round().clamp(0, 255).to(torch.uint8).movedim(1, 3).cpu().numpy()
    for place, picture in enumerate(pixels):
        file = io.BytesIO()
        Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(file, "JPEG", quality=quality)
        back = np.asarray(Image.open(file), dtype=np.float32).reshape(picture.shape) / 255
        changed[place] = torch.from_numpy(back).movedim(2, 0)
    return changed


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Return images, (batch, channels, height, width), through a Gaussian of a deviation in pixels.

    >>> spot = torch.zeros(1, 1, 9, 9)
    >>> spot[..., 4, 4] = 1
    >>> round(float(blurred(spot, 1.0)[0, 0, 4, 4]), 2)  # 1 / (2 pi)
    0.16
    """
    found: np.ndarray = gaussian_filter(images.cpu().numpy(), (0, 0, deviation, deviation))
    return torch.from_numpy(found).to(images)


def rescaled(images: Tensor, factor: float) -> Tensor:
    """Return images, (batch, channels, height, width), with sides so many times as long.

    >>> rescaled(torch.zeros(1, 3, 8, 6), 0.5).shape
    torch.Size([1, 3, 4, 3])
    """
    size = [max(1, round(side * factor)) for side in images.shape[2:]]
    return functional.interpolate(images, size, mode="bilinear", antialias=True).clamp(0, 1)


@dataclass(frozen=True)
class Distortions:
    """Blurs some images of a batch by a deviation of 0 to 3 pixels, and compresses some with a quality of 30 to 100.

    Each sample is blurred, and independently of that compressed, with a chance; both follow from (seed, epoch, sample).

    Args:
        name: field of the batch that is changed.
        chance: p of each of the two.
        black, white: what both become in each channel, as the network sees it.

    Source: Wang, Wang, Zhang, Owens, Efros, CNN-generated images are surprisingly easy to spot... for now (2020),
    section 4.1.

    >>> batch = {"inputs": torch.rand(4, 3, 8, 8), "index": torch.arange(4)}
    >>> change = Distortions("inputs", 0.5, black=(0,) * 3, white=(1,) * 3)
    >>> both, one = change(batch, 0, 1), change({name: values[2:3] for name, values in batch.items()}, 0, 1)
    >>> torch.equal(both["inputs"][2:3], one["inputs"])
    True
    """

    name: str
    chance: float
    black: tuple[float, ...]
    white: tuple[float, ...]

    def __call__(self, batch: Batch, seed: int, epoch: int) -> Batch:
        """Return the batch with changed images `(batch, channels, height, width)`."""
        images = batch[self.name]
        draws = uniforms(seed, epoch, batch["index"].to(images.device), 4, STREAM).cpu()
        black, white = (images.new_tensor(values).reshape(-1, 1, 1) for values in (self.black, self.white))
        shown = (images - black) / (white - black)
        low, high = QUALITIES
        for place, (is_blurred, deviation, is_compressed, quality) in enumerate(draws.tolist()):
            one = shown[place : place + 1]
            if is_blurred < self.chance:
                one = blurred(one, LARGEST_BLUR * deviation)
            if is_compressed < self.chance:
                one = compressed(one, low + int(quality * (high - low + 1)))
            shown[place] = one[0]
        return batch | {self.name: black + shown * (white - black)}
