"""Why a network answers as it does: which parts of an image its answer hangs on, in three ways side by side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.inspect.untouched import untouched
from ganglion.inspect.watched import chosen_units, layers_of_maps, refuse_without_maps, watched
from ganglion.settings import at_least, bounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOW = 5
"""The side of a covering window is the image's shorter side divided by this."""


PLACES = 5
"""Places in each direction that a map should have to say where something is."""


@dataclass(frozen=True)
class Saliency:
    """Maps `(height, width)` of what matters to output `unit` of a network that looks at one image.

    `gradient` and `grad_cam` are 0 or more; `occlusion` is what is lost of the output where a pixel is covered, below 0
    where covering helps.
    """

    unit: int
    output: float
    layer: str
    """The layer whose maps Grad-CAM weighs."""
    gradient: np.ndarray
    grad_cam: np.ndarray
    occlusion: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Return the maps as JSON values."""
        maps = {name: getattr(self, name).round(6).tolist() for name in ("gradient", "grad_cam", "occlusion")}
        return {"unit": self.unit, "output": self.output, "layer": self.layer, **maps}

    def figure(self, photo: np.ndarray, name: str = "") -> "Figure":
        """Draw the image `(height, width, channels)` and the maps over it; `name` is what the output stands for."""
        title = f"What the answer {name or f'of output {self.unit}'} ({self.output:.3g}) hangs on"
        return figures.heat_over(photo, self.maps, title)

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """All maps, by what a picture calls them."""
        return {
            "gradient": self.gradient,
            f"Grad-CAM of {self.layer}": self.grad_cam,
            "occlusion": self.occlusion,
        }


@bounded
def saliency(
    network: nn.Module,
    image: Tensor,
    unit: int | None = None,
    *,
    layer: str | None = None,
    fill: Tensor | float = 0.5,
    window: Annotated[int, at_least(1)] | None = None,
) -> Saliency:
    """Find which parts of an image an output of a network hangs on.

    Gradient: |d y / d x|, the largest of the channels (Simonyan, Vedaldi, Zisserman 2014). Grad-CAM:
    relu(sum_k w_k A_k) with w_k the mean of d y / d A_k over the map A_k (Selvaraju et al. 2017). Occlusion: y less
    what the output is with a window of the image covered, the mean over all windows that cover a pixel (Zeiler and
    Fergus 2014).

    Args:
        network: of images `(batch, channels, height, width)`, to outputs `(batch, outputs)`.
        image: (1, channels, height, width), as the network takes it.
        unit: number of the output y; the largest when not given.
        layer: dotted name of the layer of the maps A; the last one whose maps still
            tell places apart, 5 x 5 of them, when not given.
        fill: what windows are covered with, of a shape that goes with one image.
        window: side of the windows in pixels; a fifth of the image when not given.

    Raises:
        ConfigurationError: there is no such layer or output, or a number out of bounds.
        UsageError: the network has no layer of maps, or no row of outputs.
    """
    layer = layer or _last_to_see_places(layers_of_maps(network, image))
    with untouched(network, evaluating=True) as call, torch.enable_grad():
        pixels = image.clone().requires_grad_()
        with watched(network, layer) as found:
            outputs = call(pixels)
        refuse_without_maps(found[-1], layer)
        if outputs.dim() != 2:
            raise UsageError(
                "there is no single output to explain",
                expected="outputs (batch, outputs), as of a classifier",
                found=str(tuple(outputs.shape)),
                remedy="choose a run of classification",
            )
        (chosen,) = chosen_units(
            [int(outputs[0].argmax()) if unit is None else unit], outputs.shape[1], "of the output"
        )
        slopes, weights = torch.autograd.grad(outputs[0, chosen], (pixels, found[-1]))
        output = float(outputs[0, chosen].detach())
        maps = (weights.mean(dim=(2, 3), keepdim=True) * found[-1]).sum(dim=1, keepdim=True).relu().detach()
        with torch.no_grad():
            covering = _occlusion(call, image, chosen, output, fill, window)
    return Saliency(
        unit=chosen,
        output=output,
        layer=layer,
        gradient=slopes[0].abs().amax(dim=0).numpy(),
        grad_cam=F.interpolate(maps, image.shape[2:], mode="bilinear", align_corners=False)[0, 0].numpy(),
        occlusion=covering.numpy(),
    )


def _last_to_see_places(sizes: dict[str, tuple[int, int]]) -> str:
    """Return the last layer whose maps have `PLACES` places in each direction; the last of all where none has."""
    return next((name for name, size in reversed(sizes.items()) if min(size) >= PLACES), list(sizes)[-1])


def _occlusion(call: Any, image: Tensor, unit: int, output: float, fill: Tensor | float, window: int | None) -> Tensor:
    """Return how much of an output is lost where a pixel is covered, `(height, width)`."""
    height, width = image.shape[2:]
    side = min(window or max(2, min(height, width) // WINDOW), height, width)
    lost, times = torch.zeros(height, width), torch.zeros(height, width)
    rows, columns = (_starts(length, side) for length in (height, width))
    for top in rows:
        covered = image.repeat(len(columns), 1, 1, 1)
        for place, left in enumerate(columns):
            covered[place, :, top : top + side, left : left + side] = fill
        for left, answer in zip(columns, call(covered)[:, unit].tolist(), strict=True):
            lost[top : top + side, left : left + side] += output - answer
            times[top : top + side, left : left + side] += 1
    return lost / times


def _starts(length: int, side: int) -> list[int]:
    """Return where windows begin that overlap by half and reach the end."""
    return sorted({*range(0, length - side + 1, max(1, side // 2)), length - side})
