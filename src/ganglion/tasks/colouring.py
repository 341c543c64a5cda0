"""Colouring: a network that gives grey pictures colours."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Colourist, LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.formats.images.photographs import Photograph
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.nn.images.colour import to_lab, to_rgb
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import PSNR, psnr
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import EVALUATION_BATCH, ask, evaluating, judged
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt
from ganglion.tasks.shared.inputs import photographs
from ganglion.tasks.shared.pictures.drawing import in_turn
from ganglion.tasks.shared.pictures.tiles import fitting, in_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOUR_ERROR = Measure(
    name="colour_error",
    higher_is_better=False,
    meaning="Mean distance of a pixel's colour (a, b of CIE Lab) from the true one; about 2 is just seen.",
)
CHROMA = Measure(
    name="chroma",
    higher_is_better=True,
    meaning="Mean strength of colours, which is their distance from grey in CIE Lab.",
)
LARGEST_PIECE = 64
"""Side of the pieces of larger pictures that are learnt from when no size is asked for."""
JUDGED = 256
"""Side of the middle of larger pictures that is judged while training."""
JUDGED_TOGETHER = 1 << 20
"""Pixels of pictures that are judged at a time."""
MEMORY = 1 << 30
"""Bytes that a tile of a picture may take in the network."""
MARGIN = 64
"""Pixels at the inner borders of tiles that are not used; the network sees no further."""
UNIT = 8
"""Pixels that tiles begin at multiples of."""
LOOKED_AT = 200
"""Training pictures whose mean colour is taken."""
COMPARED = 100
"""Test pictures at most that are measured for a figure."""
SHOWN = 6
"""Test pictures in the figure."""
COLUMNS = 8
"""Pictures in a row of a sheet."""


@settings
class Predict:
    """Give each picture colours, grey or coloured as it may be; only its lightness is looked at."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""


@final
class Colouring(Task):
    """Coloured photographs, whose colours are to be said from their lightness.

    Decibels favour careful, pale colours, so the strength of colours stands beside them, and how far they are from
    the true ones. The baseline paints all in the mean colour of the training part.
    """

    name = "colouring"
    reads = ("image",)
    takes = "coloured photographs"
    fields: ClassVar = {"targets": ("images",)}
    measures = (PSNR, COLOUR_ERROR, CHROMA, LOSS)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "before_after": "Test pictures: without colour, in the colours that the network gives them, and as they were",
        "methods": "Decibels: grey, all in one mean colour, and as the network colours them",
        "strength": "Mean strength of the colours (CIE Lab) that the network gives, and of the true ones",
    }
    resize = "none"  # textures tell what a thing is at their own scale
    next_step = "ganglion predict {run} GREY --out coloured/"

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        return {"targets": "inputs"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        if ImagePreprocessing.fit(dataset.main.values).channels == 1:
            raise DataError(
                "these pictures have no colours to learn from",
                where=dataset.source or dataset.name,
                expected="coloured photographs",
                found="grey pictures",
            )
        parts = [part["inputs"].values for part in (dataset.fields, dataset.test_fields) if "inputs" in part]
        given = {size for values in parts for size in sizes_of(values)}
        side = config.image_size or min(LARGEST_PIECE, *map(min, given))
        options = {**AS_THEY_ARE, "image_size": side, "channels": 3}
        data = cls.prepared(dataset, config, settings, seed, {"targets": options})
        if data.settings.resize == "none" and given != {(side, side)}:
            data = data.in_pieces(side)
        return cls(adapt(config, image_size=side), data.preprocessing).holding(data)

    def _judged(self, part: Part, most: int | None = None) -> Iterator[Tensor]:
        """Yield the pictures of a part `(batch, 3, height, width)`, at most so many, those of one size together.

        The test part is judged on whole pictures, the validation part on the middle of large ones.
        """
        places = self.data.spread(part, most or len(self.data.nearest(part)))
        if self.data.pieces is None:
            for start in range(0, len(places), EVALUATION_BATCH):
                yield self.data.some(part, places[start : start + EVALUATION_BATCH], "targets")
            return
        most = None if part == "test" else JUDGED
        for batch in self.data.of_one_size(part, places, most, JUDGED_TOGETHER):
            yield batch["targets"]

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        return self._measured(rule, part)

    def _measured(self, rule: LearningRule, part: Part, most: int | None = None) -> dict[str, float]:
        found, counts = [], []
        for truth in self._judged(part, most):
            lab = to_lab(truth)
            made, outputs = coloured(rule.home, lab[:, :1]), ask(rule.home, lab[:, :1])
            found.append(_compared(made, lab, truth) | {"loss": judged(rule, outputs, truth)["loss"]})
            counts.append(len(truth))
        return _mean(found, counts)

    def baseline(self) -> dict[str, float]:
        """Paint everything in the mean colour of the training part."""
        return self._painted(self._mean_colour())

    def _painted(self, colour: Tensor, most: int | None = None) -> dict[str, float]:
        """Return the measures of the test part, or so many pictures of it, all in one colour `(2,)`."""
        found, counts = [], []
        for truth in self._judged("test", most):
            lab = to_lab(truth)
            painted = colour.reshape(1, 2, 1, 1).expand(len(lab), -1, *lab.shape[2:])
            found.append(_compared(painted, lab, truth))
            counts.append(len(truth))
        return _mean(found, counts)

    def _mean_colour(self) -> Tensor:
        """Return a and b `(2,)` of the mean colour of the training part."""
        places = self.data.spread("train", LOOKED_AT)
        images = [self._alone(self.data.raw("train", "targets").values[int(place)]) for place in places]
        return torch.stack([to_lab(image)[0, 1:].mean((1, 2)) for image in images]).mean(0)

    def _alone(self, raw: np.ndarray) -> Tensor:
        """Return a raw picture at its own size, `(1, 3, height, width)`."""
        size = int(raw.shape[0]), int(raw.shape[1])
        picture: Tensor = replace(self.preprocessing["targets"], image_size=size)([raw])
        return picture

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        states = self._states(rule.home, "test", SHOWN)
        mine = self._measured(rule, "test", COMPARED)
        grey, mean = (self._painted(colour, COMPARED) for colour in (torch.zeros(2), self._mean_colour()))
        decibels = {"grey": grey["psnr"], "mean colour": mean["psnr"], "coloured": mine["psnr"]}
        true = grey["colour_error"]  # what grey is off by is how strong the colours are
        return {
            "before_after": figures.strips(states, "Colours from lightness", columns=SHOWN),
            "methods": figures.bars(decibels, "Decibels (PSNR)", marked="coloured"),
            "strength": figures.bars({"coloured": mine["chroma"], "true": true}, "Strength of colours", "coloured"),
        }

    def _states(self, home: nn.Module, part: Part, count: int) -> dict[str, np.ndarray]:
        """Return parts of pictures of a part of the data without colour, coloured, and as they were."""
        side = self.data.pieces.sides["targets"] if self.data.pieces else None
        side = None if side is None else max(side, 2 * LARGEST_PIECE)
        values = self.data.raw(part, "targets").values
        cut = min([side or self.config.image_size, *map(min, sizes_of(values))])
        places = self.data.spread(part, count)
        truth = self.data.in_full(part, places, {"targets": (cut, cut)})["targets"]
        lightness = to_lab(truth)[:, :1]
        grey = to_rgb(torch.cat([lightness, torch.zeros_like(lightness).expand(-1, 2, -1, -1)], 1))
        made = to_rgb(torch.cat([lightness, coloured(home, lightness)], 1))
        inverse = self.preprocessing["targets"].inverse
        return {name: inverse(part) for name, part in (("given", grey), ("coloured", made), ("was", truth))}

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out pictures: a row without colour, a row coloured, and a row as they were."""
        rows = list(self._states(home, "validation", COLUMNS).values())
        return figures.sheet(in_turn(*rows, columns=len(rows[0])), columns=len(rows[0]))

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return each picture in colours, under the name of its file, with its transparency, profile and EXIF."""
        found = photographs(question.inputs)
        made: list[np.ndarray] = []
        rows: list[dict[str, Any]] = []
        for photograph in found.samples:
            lightness = to_lab(self._alone(photograph.pixels))[:, :1]
            colours = coloured(network, lightness)
            picture = self.preprocessing["targets"].inverse(to_rgb(torch.cat([lightness, colours], 1)))[0]
            made.append(_with_alpha(picture, photograph))
            rows.append({"height": picture.shape[0], "width": picture.shape[1], "chroma": round(_strength(colours), 1)})
        kept = [_kept(photograph) for photograph in found.samples]
        return Images(made, found.titles, rows=found.name(rows), kept=kept)


def coloured(network: nn.Module, lightness: Tensor) -> Tensor:
    """Return what colours a network gives to pictures: a and b `(batch, 2, height, width)` of L `(batch, 1, ...)`.

    Large pictures go through in tiles that keep within memory. Raises `UsageError` for networks that know no colours.
    """
    if not isinstance(network, Colourist):
        raise UsageError("this network knows no colours", expected="a Colourist", found=type(network).__name__)
    with evaluating(network) as device:
        colours = _Colours(network)
        tiling = fitting(colours, 1, memory=MEMORY, margin=MARGIN, multiple=UNIT)
        if max(lightness.shape[2:]) > tiling.side:
            return torch.stack([in_tiles(colours, one.to(device), tiling).float().cpu() for one in lightness])
    return ask(network, lightness, by=network.colours)


class _Colours(nn.Module):
    """A network that gives the colours of every pixel."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, lightness: Tensor) -> Tensor:
        colours: Tensor = self.network.colours(lightness)  # type: ignore[operator]
        return colours


def _compared(colours: Tensor, lab: Tensor, truth: Tensor) -> dict[str, float]:
    """Return the measures of colours `(batch, 2, height, width)` beside pictures in Lab and in sRGB."""
    made = to_rgb(torch.cat([lab[:, :1], colours], dim=1)).clamp(0, 1)
    return {
        PSNR.name: float(psnr(made, truth).mean()),
        COLOUR_ERROR.name: float((colours - lab[:, 1:]).norm(dim=1).mean()),
        CHROMA.name: _strength(colours),
    }


def _strength(colours: Tensor) -> float:
    """Return the mean distance of colours `(batch, 2, height, width)` from grey."""
    return float(colours.norm(dim=1).mean())


def _mean(found: list[dict[str, float]], counts: list[int]) -> dict[str, float]:
    """Return the means over all pictures of means over some of them."""
    return {name: float(np.average([one[name] for one in found], weights=counts)) for name in found[0]}


def _with_alpha(picture: np.ndarray, photograph: Photograph) -> np.ndarray:
    """Return a picture `(height, width, channels)` as transparent as the photograph that it was made of."""
    return picture if photograph.alpha is None else np.concatenate([picture, photograph.alpha], axis=2)


def _kept(photograph: Photograph) -> dict[str, bytes]:
    """Return what the file of a coloured photograph keeps: a profile of greys says nothing about colours."""
    return replace(photograph, profile=b"").kept() if photograph.pixels.shape[2] == 1 else photograph.kept()


TASK = Colouring
