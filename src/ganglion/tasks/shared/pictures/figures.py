"""What tasks about pictures draw: some samples under their answers, and the weights that look at pixels."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from ganglion import figures
from ganglion.core import CentredUnits
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.nn.convolution import LocallyConnected2d, TiledConvolution2d
from ganglion.tasks.shared.prepared import Prepared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 40
"""Pictures and filters of a figure at most, so that each can be looked at."""


def under_titles(data: Prepared, places: np.ndarray, titles: Sequence[str], title: str) -> "Figure":
    """Draw the test pictures at places `(pictures,)`, each under its own title."""
    images = data.preprocessing["inputs"].inverse(data.some("test", places))
    return figures.image_grid(images, titles, title=title)


def filters(preprocessing: ImagePreprocessing, network: nn.Module) -> "dict[str, Figure]":
    """Draw the weights that look at pixels: the first convolution, whoever shares its kernels, or dense layer; or the
    centres of units that have some.
    """
    shape = (-1, preprocessing.channels, *preprocessing.size)
    if isinstance(network, CentredUnits):
        order = network.widths.detach().abs().argsort(descending=True)[:SHOWN]
        images = preprocessing.inverse(network.centres.detach()[order].cpu().reshape(shape))
        return {"centres": figures.image_grid(images, title="Centres of the widest units")}
    kinds = nn.Conv2d | TiledConvolution2d | LocallyConnected2d | nn.Linear
    first = next((layer for layer in network.modules() if isinstance(layer, kinds)), None)
    if first is None:
        return {}
    weights = first.weight.reshape(shape) if isinstance(first, nn.Linear) else first.weight.flatten(0, -4)
    return {"filters": figures.filters(weights[:SHOWN].detach().cpu().numpy(), "Filters of the first layer")}


FILTERS = {
    "filters": "Weights of the first layer; blue is positive, orange negative",
    "centres": "The centres around which units answer, the widest first",
}
"""What the figures that `filters` draws show."""
