"""What a unit looks for: the image that excites it most, found by gradient ascent from noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion import figures
from ganglion.inspect.receptive import seen_by
from ganglion.inspect.untouched import untouched
from ganglion.inspect.watched import chosen_units, units_of, watched
from ganglion.settings import at_least, bounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOISE = 0.05
"""Standard deviation of the noise around grey that an image starts from, black being 0 and white 1."""
BLUR = (0.25, 0.5, 0.25)
"""Weights of a pixel and its two neighbours, in each direction, when an image is blurred."""
BLUR_EVERY = 2
"""Steps between two blurs; in the last quarter of the steps there are none, so that the image ends sharp."""


@dataclass(frozen=True)
class Excitation:
    """Images `(units, height, width, channels)`, black being 0 and white 1, and what the units answer to them."""

    layer: str
    units: tuple[int, ...]
    images: np.ndarray
    before: tuple[float, ...]
    """What each unit answers to the noise that its image started from."""
    after: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the answers of the units as JSON values."""
        rows = zip(self.units, self.before, self.after, strict=True)
        return {
            "layer": self.layer,
            "units": [{"unit": unit, "to_noise": before, "to_image": after} for unit, before, after in rows],
        }

    def figure(self, names: Sequence[str] = ()) -> "Figure":
        """Draw the images; `names` are what the units of this layer stand for, if anything."""
        rows = zip(self.units, self.before, self.after, strict=True)
        titles = [f"{names[unit] if names else unit}: {before:.2g} → {after:.2g}" for unit, before, after in rows]
        title = f"What excites the units of {self.layer} most, and their answers before and after"
        return figures.image_grid(self.images, titles, columns=6, title=title)


@bounded
def excite(
    network: nn.Module,
    shape: tuple[int, int, int],
    layer: str,
    units: Sequence[int] = (),
    *,
    black: Tensor | float = 0.0,
    white: Tensor | float = 1.0,
    steps: Annotated[int, at_least(1)] = 240,
    rate: float = 0.02,
    jitter: int = 2,
    seed: int = 0,
    most: int = 24,
) -> Excitation:
    """Find the image that excites each unit of a layer most.

    From noise, x <- clip(x + rate g / rms(g)), g = d a_k / d x, where a_k is what unit k answers: of a layer of maps,
    the element in the middle of map k, and the image is then cut to what that element sees. Every few steps the image
    is blurred, and for units that see all of it moved by up to `jitter` pixels: without both it fills up with noise.

    Args:
        network: of images `(batch, channels, height, width)`.
        shape: channels, height and width of an image.
        layer: dotted name of the layer.
        units: numbers of its units or maps; the first `most` when not given.
        black: what black is as the network takes it, of a shape that goes with one image.
        white: what white is likewise.

    Raises:
        ConfigurationError: there is no such layer or unit, or no step.

    Source: Erhan, Bengio, Courville, Vincent, Visualizing higher-layer features of a deep network (2009).

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    >>> _ = network[1].weight.data.copy_(torch.tensor([[1.0, -1.0, -1.0, 1.0]]))
    >>> excite(network, (1, 2, 2), "1", jitter=0).images[0, :, :, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    with untouched(network, evaluating=True) as call, torch.enable_grad():

        def answers(images: Tensor) -> Tensor:
            """Return what the layer puts out, `(batch, units)` or maps `(batch, units, height, width)`."""
            with watched(network, layer) as found:
                call(black + (white - black) * images)
            return units_of(found[-1])

        blank = answers(torch.full((1, *shape), 0.5))
        asked = chosen_units(units, blank.shape[1], layer)[: None if units else most]
        place = [side // 2 for side in blank.shape[2:]]
        middle: tuple[Any, ...] = (torch.arange(len(asked)), torch.tensor(asked), *place)
        noise = torch.stack([_noise(seed, unit, shape) for unit in asked])
        images = _ascent(lambda images: answers(images)[middle], noise, steps, rate, 0 if place else jitter, seed)
        before, after = (answers(one)[middle].tolist() for one in (noise, images))
    if place:
        rows, columns = seen_by(network, images, layer)(*place)
        images = images[:, :, rows, columns]
    return Excitation(layer, tuple(asked), images.movedim(1, 3).numpy(), tuple(before), tuple(after))


def _ascent(
    answers: Callable[[Tensor], Tensor], images: Tensor, steps: int, rate: float, jitter: int, seed: int
) -> Tensor:
    """Climb from `images` `(batch, channels, height, width)` along the gradients of their answers, `(batch,)`."""
    moves = torch.Generator().manual_seed(seed)
    for step in range(steps):
        down, right = torch.randint(-jitter, jitter + 1, (2,), generator=moves).tolist()
        moved = images.roll((down, right), (2, 3)).requires_grad_()
        (slopes,) = torch.autograd.grad(answers(moved).sum(), moved)
        scale = slopes.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
        images = (moved.detach() + rate * slopes / scale).clamp(0, 1).roll((-down, -right), (2, 3))
        if (step + 1) % BLUR_EVERY == 0 and step < steps * 3 // 4:
            images = _blurred(images)
    return images


def _noise(seed: int, unit: int, shape: tuple[int, int, int]) -> Tensor:
    """Return an image of noise around grey, the same for a unit whichever others are asked about."""
    drawn = np.random.default_rng((seed, unit)).normal(0.5, NOISE, shape)
    return torch.from_numpy(drawn.clip(0, 1).astype(np.float32))


def _blurred(images: Tensor) -> Tensor:
    """Return images `(batch, channels, height, width)` with each pixel averaged with its neighbours."""
    channels = images.shape[1]
    row = torch.tensor(BLUR).reshape(1, 1, 1, 3).expand(channels, 1, 1, 3)
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(F.conv2d(padded, row, groups=channels), row.mT, groups=channels)
