"""Images of any size as tensors, and back."""

from collections.abc import Sequence
from dataclasses import field, replace
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.pixels import BYTES, LUMA
from ganglion.data.places import evenly
from ganglion.data.preprocessing.placement import Resize, Size, into_frame, out_of_frame
from ganglion.errors import ConfigurationError, DataError, ShapeError
from ganglion.settings import above, settings

CHUNK = 1024
"""Images converted at a time, so that a large set needs little memory beside its result."""
BORDER = 0.5
"""Grey beside a letterboxed image, as a share of white."""
MOST_LOOKED_AT = 200
"""Images at most whose brightness is looked at."""
MEASURED = 2000
"""Images at most, evenly spread over the training part, that means and deviations are taken from."""


@final
@settings
class ImagePreprocessing:
    """Images of any size, grey or colour, as `(samples, channels, height, width)`.

    `x' = low + (high - low) x / 255`, or `x' = (x / 255 - mean) / deviation` for each channel where means are given,
    after resizing (bilinear, smoothed where the image shrinks) and after grey became colour or colour grey.

    >>> ImagePreprocessing(image_size=32, channels=1)(np.zeros((5, 28, 28, 3), dtype=np.uint8)).shape
    torch.Size([5, 1, 32, 32])
    """

    image_size: int | tuple[int, int]
    """Side of the square, or height and width."""
    channels: int
    """1 is grey, 3 is colour."""
    low: float = 0.0
    """What black becomes."""
    high: float = 1.0
    """What white becomes."""
    resize: Resize = "stretch"
    """How an image of other proportions comes to the size."""
    means: tuple[float, ...] = ()
    """Mean of each channel over the training part, black being 0 and white 1; empty where `low` and `high` scale."""
    deviations: tuple[Annotated[float, above(0)], ...] = ()
    """Standard deviation of each channel likewise."""
    pixels: tuple[float, float] = BYTES
    """What was black and white in the files or arrays that the training images came from."""
    brightness: tuple[float, float] | None = field(default=None, compare=False)
    """Mean brightness of the training images and its deviation from image to image, black being 0 and white 1."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ConfigurationError("images have 1 or 3 channels", found=str(self.channels))
        if self.means and not len(self.means) == len(self.deviations) == self.channels:
            raise ConfigurationError(
                "each channel has one mean and one deviation",
                expected=f"{self.channels} of each",
                found=f"{len(self.means)} means and {len(self.deviations)} deviations",
            )

    @classmethod
    def fit(
        cls,
        images: np.ndarray | Sequence,
        *,
        image_size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        low: float = 0.0,
        high: float = 1.0,
        resize: Resize = "stretch",
        standardised: bool = False,
    ) -> Self:
        """Keep the size and channels of the first of `images`, (height, width, channels), where none are given.

        Args:
            standardised: measure the mean and deviation of each channel, after resizing.
        """
        first = _with_channels(np.asarray(images[0]))
        as_found = cls(
            image_size=(first.shape[0], first.shape[1]) if image_size is None else image_size,
            channels=(1 if first.shape[2] == 1 else 3) if channels is None else channels,
            low=low,
            high=high,
            resize=resize,
        )
        return as_found._standardised(images) if standardised else as_found

    def _standardised(self, images: np.ndarray | Sequence) -> Self:
        plain = replace(self, low=0.0, high=1.0)
        count, sums, squares = 0, torch.zeros(self.channels).double(), torch.zeros(self.channels).double()
        for place in evenly(len(images), MEASURED).tolist():
            pixels = plain([images[place]])[0].double()  # (channels, height, width)
            count += pixels[0].numel()
            sums += pixels.sum(dim=(1, 2))
            squares += pixels.square().sum(dim=(1, 2))
        means = sums / count
        deviations = (squares / count - means.square()).clamp(min=0).sqrt()
        deviations[deviations < 1e-6] = 1.0  # a channel of one value becomes nothing
        return replace(plain, means=tuple(means.tolist()), deviations=tuple(deviations.tolist()))

    @staticmethod
    def brightness_of(images: np.ndarray | Sequence) -> tuple[float, float] | None:
        """Return the mean brightness of images `(samples, height, width, channels)`, and its deviation among them."""
        places = evenly(len(images), MOST_LOOKED_AT).tolist()
        means = [float(_as_fractions(np.ascontiguousarray(images[place])).mean()) for place in places]
        return (float(np.mean(means)), float(np.std(means))) if means else None

    def brightness_in(self, prepared: Tensor) -> np.ndarray:
        """Return the mean brightness of prepared images `(samples,)`, black being 0 and white 1."""
        black, white = self.ends
        return ((prepared - black) / (white - black)).mean(dim=(1, 2, 3)).numpy()

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.image_size if isinstance(self.image_size, tuple) else (self.image_size, self.image_size)

    @property
    def black(self) -> tuple[float, ...]:
        """What black becomes in each channel."""
        return self._scaled(0.0)

    @property
    def white(self) -> tuple[float, ...]:
        """What white becomes in each channel."""
        return self._scaled(1.0)

    @property
    def blank(self) -> Tensor:
        """One black image as the network takes it, `(1, channels, height, width)`."""
        return self.ends[0].expand(1, -1, *self.size).clone()

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """What black and white become in each channel, of a shape that goes with images, `(channels, 1, 1)`."""
        black, white = (torch.tensor(values).reshape(-1, 1, 1) for values in (self.black, self.white))
        return black, white

    def _scaled(self, pixel: float) -> tuple[float, ...]:
        if not self.means:
            return (self.low + (self.high - self.low) * pixel,) * self.channels
        return tuple((pixel - mean) / spread for mean, spread in zip(self.means, self.deviations, strict=True))

    def __call__(self, raw: np.ndarray | Sequence) -> Tensor:
        """Convert images `(samples, height, width[, channels])`, or a sequence of images of different sizes.

        Whole numbers are taken as 0 to 255, fractions as 0 to 1.
        """
        if isinstance(raw, np.ndarray) and raw.dtype != object:
            if raw.ndim not in (3, 4):
                raise ShapeError(
                    "these are not images",
                    expected="(samples, height, width) or (samples, height, width, channels)",
                    found=str(raw.shape),
                )
            images = raw[..., None] if raw.ndim == 3 else raw
            chunks = [self._convert(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
        else:
            chunks = [self._convert(_with_channels(np.asarray(image))[None]) for image in raw]
        return torch.cat(chunks) if chunks else torch.empty(0, self.channels, *self.size)

    def inverse(self, images: Tensor, sizes: Sequence[Size] | None = None) -> np.ndarray:
        """Return uint8 images `(samples, height, width, channels)` of network outputs, clipped to black and white.

        Args:
            sizes: height and width that each image had, to bring it back to them; the result is then an object array.
        """
        images = images.detach().float().cpu()
        if sizes is not None:
            return self._at_sizes(images, sizes)
        black, white = self.ends
        pixels = (images - black) / (white - black) * 255
        return pixels.round().clamp(0, 255).to(torch.uint8).movedim(1, 3).numpy()

    def _at_sizes(self, images: Tensor, sizes: Sequence[Size]) -> np.ndarray:
        back = np.empty(len(images), dtype=object)
        for number, (image, size) in enumerate(zip(images, sizes, strict=True)):
            border = self._scaled(BORDER)[0]
            whole = out_of_frame(image[None], size, self.resize, "bilinear", border)
            back[number] = self.inverse(whole)[0]
        return back

    def _convert(self, raw: np.ndarray) -> Tensor:
        images = torch.from_numpy(_as_fractions(raw)).movedim(3, 1)
        if images.shape[1] == 3 and self.channels == 1:
            images = (images * torch.tensor(LUMA).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
        elif images.shape[1] == 1 and self.channels == 3:
            images = images.expand(-1, 3, -1, -1)
        elif images.shape[1] != self.channels:
            raise ShapeError("images have 1 or 3 channels", found=str(images.shape[1]))
        images = into_frame(images, self.size, self.resize, "bilinear", BORDER)
        if not self.means:
            return (self.low + (self.high - self.low) * images).contiguous()
        means, deviations = (torch.tensor(each).reshape(-1, 1, 1) for each in (self.means, self.deviations))
        return ((images - means) / deviations).contiguous()


def _as_fractions(raw: np.ndarray) -> np.ndarray:
    """Return pixels as float32 from 0 to 1."""
    if raw.dtype == np.uint8:
        return raw.astype(np.float32) / 255
    fractions = raw.dtype.kind == "f"
    largest = 1 if fractions else 255
    if raw.dtype.kind not in "iufb" or (raw.size and not (raw.min() >= 0 and raw.max() <= largest)):
        raise DataError(
            "these pixels are in no range that is understood",
            expected="whole numbers from 0 to 255 or fractions from 0 to 1",
            found=f"{raw.dtype} from {raw.min()} to {raw.max()}" if raw.dtype.kind in "iufb" else str(raw.dtype),
        )
    return raw.astype(np.float32) / largest


def _with_channels(image: np.ndarray) -> np.ndarray:
    """Return one image with a last axis of channels, which a grey image may lack."""
    return image[..., None] if image.ndim == 2 else image
