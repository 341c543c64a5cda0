"""What units have seen: the parts of images that excite each unit of a layer most."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.inspect.receptive import Box, seen_by
from ganglion.inspect.untouched import untouched
from ganglion.inspect.watched import chosen_units, refuse_no_images, units_of, watched
from ganglion.settings import at_least, bounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Patch:
    """A part of an image, and what a unit answers to it."""

    sample: int
    """Place of the image in the set."""
    box: Box
    """Its rows and columns that the unit sees."""
    answer: float


@dataclass(frozen=True)
class Patches:
    """The patches that excite each unit of a layer most, the strongest first, at most one of an image."""

    layer: str
    units: dict[int, list[Patch]]

    def first(self, count: int) -> "Patches":
        """Return the patches of the first units alone."""
        return Patches(self.layer, dict(list(self.units.items())[:count]))

    def to_dict(self) -> dict[str, Any]:
        """Return samples, boxes and answers as JSON values."""
        return {
            "layer": self.layer,
            "units": {
                str(unit): [
                    {
                        "sample": patch.sample,
                        "rows": [patch.box[0].start, patch.box[0].stop],
                        "columns": [patch.box[1].start, patch.box[1].stop],
                        "answer": patch.answer,
                    }
                    for patch in found
                ]
                for unit, found in self.units.items()
            },
        }

    def figure(self, images: dict[int, np.ndarray], names: Sequence[str] = ()) -> "Figure":
        """Draw the patches, a row for each unit.

        Args:
            images: by place in the set, of bytes `(height, width, channels)`, each as the network saw it.
            names: what the units stand for, if anything.
        """
        cuts = {unit: [images[patch.sample][patch.box] for patch in found] for unit, found in self.units.items()}
        height, width = (max(cut.shape[axis] for found in cuts.values() for cut in found) for axis in (0, 1))
        rows = {
            names[unit] if names else f"unit {unit}": np.stack([_on_paper(cut, height, width) for cut in found])
            for unit, found in cuts.items()
        }
        title = f"What excites the units of {self.layer} most, {height} x {width} pixels each"
        return figures.strips(rows, title, columns=len(next(iter(cuts.values()))))


@bounded
def strongest_patches(
    network: nn.Module,
    batches: Iterable[Tensor],
    layer: str,
    units: Sequence[int] = (),
    *,
    count: Annotated[int, at_least(1)] = 9,
) -> Patches:
    """Find the patches that excite each unit of a layer most, and cut them to what the unit sees.

    Args:
        network: of images `(batch, channels, height, width)`.
        batches: images as the network takes them, `(batch, channels, height, width)`, in the order of the set.
        layer: dotted name of a layer; of maps, each map is a unit, which looks at many places.
        units: numbers of its units; all when not given.
        count: patches for each unit.

    Source: Zeiler and Fergus, Visualizing and understanding convolutional networks (2014).

    >>> network = nn.Sequential(nn.Conv2d(1, 1, 2, bias=False))
    >>> _ = network[0].weight.data.fill_(1.0)
    >>> images = torch.zeros(3, 1, 4, 4)
    >>> images[1, 0, 2:, 2:] = 1.0
    >>> strongest_patches(network, [images], "0", count=1).units[0]
    [Patch(sample=1, box=(slice(2, 4, None), slice(2, 4, None)), answer=4.0)]
    """
    answers, places, images, maps = [], [], torch.empty(0), torch.empty(0)
    with untouched(network, evaluating=True) as call, torch.no_grad():
        for images in batches:
            with watched(network, layer) as found:
                call(images)
            maps = units_of(found[-1])
            strongest = (maps.flatten(2) if maps.dim() > 2 else maps[..., None]).float().cpu().max(dim=2)
            answers.append(strongest.values)
            places.append(strongest.indices)
    refuse_no_images(len(answers))
    box, width = seen_by(network, images, layer), maps.shape[3] if maps.dim() == 4 else 1
    best = torch.cat(answers).topk(min(count, sum(map(len, answers))), dim=0)  # (count, units)
    at = torch.cat(places).gather(0, best.indices)
    found_of = {}
    for unit in chosen_units(units, best.values.shape[1], layer):
        rows = zip(*(one[:, unit].tolist() for one in (best.indices, at, best.values)), strict=True)
        found_of[unit] = [Patch(sample, box(*divmod(place, width)), answer) for sample, place, answer in rows]
    return Patches(layer, found_of)


def _on_paper(cut: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a patch `(rows, columns, channels)` that a border of the image cut off, in the middle of grey paper."""
    top, left = (height - cut.shape[0]) // 2, (width - cut.shape[1]) // 2
    paper = np.full((height, width, cut.shape[2]), 128, np.uint8)
    paper[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
    return paper
