"""Upscaling: a network that makes pictures larger, sharper than interpolation does."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Local
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.formats.images.photographs import Photograph
from ganglion.data.loaders.derived import Shrunk
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.nn.images.resampling import enlarged, resized
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import MEASURES, l1, psnr, ssim
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.drawing import in_turn
from ganglion.tasks.shared.evaluation import evaluating, judged
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt
from ganglion.tasks.shared.inputs import photographs
from ganglion.tasks.shared.tiles import Tiling, fitting, in_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LUMA = {"channels": 1, "low": 16 / 255, "high": 235 / 255}
"""Brightness as ITU-R BT.601 writes it in bytes: what networks see, and what papers measure."""
PIECE = 32
"""Side of the pieces that are learnt from, in small pixels, when none is asked for."""
LEAST = 4
"""Small pixels that a side of a picture must have at least."""
SHOWN = 4
"""Test pictures in the figure."""
SIDE = 128
"""Pixels of the side of the part of each that is shown."""
COLUMNS = 6
"""Pictures in a row of a sheet."""


@settings
class Predict:
    """Make each picture larger by the factor that the network was trained for."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""


@final
class Upscaling(Task):
    """Photographs, judged by how well they come back after they were made small, beside bicubic interpolation.

    Learnt is brightness, from pieces at random places; colours are interpolated. Pictures are judged whole and as
    the papers do: sides cut to multiples of the scale, made small by smoothed bicubic interpolation, luma rounded to
    bytes, and `scale` pixels along the border left out.
    """

    name = "upscaling"
    reads = ("image",)
    takes = "photographs, which it makes small itself"
    fields: ClassVar = {"inputs": ("images",), "targets": ("images",)}
    measures = (*MEASURES, LOSS)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "before_after": "Parts of test pictures, pixel for pixel: what the network is given, what interpolation makes "
        "of it, what the network makes of it, and what was there",
    }
    resize = "none"  # detail is learnt at its own scale
    next_step = "ganglion predict {run} PICTURE --out larger/"

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        return {"targets": "inputs"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        scale, smallest = config.scale, np.min(sizes_of(dataset.main.values), axis=0)
        side = config.image_size or min(PIECE * scale, int(smallest.min()) // scale * scale)
        _refuse_small(smallest, side, scale, dataset)
        options = {**AS_THEY_ARE, **LUMA, "image_size": side}
        data = cls.prepared(dataset, config, settings, seed, {"targets": options})
        data = replace(data.in_pieces(side), derived={"inputs": Shrunk(of="targets", factor=scale)})
        small = replace(data.preprocessing["targets"], image_size=side // scale)
        return cls(adapt(config, image_size=side), {"inputs": small, **data.preprocessing}).holding(data)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        found = []
        with _Enlarging(rule.home, self.config.scale) as enlarging:
            for small, large in self._pairs(part):
                made = enlarging(small)
                found.append(self._compared(made, large) | judged(rule, made[None], large[None]))
        return {name: float(np.mean([one[name] for one in found])) for name in found[0]}

    def baseline(self) -> dict[str, float]:
        """Interpolate."""
        found = [
            self._compared(enlarged(small[None], self.config.scale)[0], large) for small, large in self._pairs("test")
        ]
        return {name: float(np.mean([one[name] for one in found])) for name in found[0]}

    def _pairs(self, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the luma of every picture of a part, small and as it is, each `(1, height, width)`."""
        for raw in self.data.raw(part, "targets").values:
            large = self._luma(raw)
            large = (large * 255).round() / 255  # published figures are of bytes
            height, width = (side // self.config.scale * self.config.scale for side in large.shape[1:])
            large = large[:, :height, :width]
            yield self._shrunk(large), large

    def _luma(self, raw: np.ndarray) -> Tensor:
        """Return what the network sees of a raw picture at its own size, `(1, height, width)`."""
        size = int(raw.shape[0]), int(raw.shape[1])
        luma: Tensor = replace(self.preprocessing["targets"], image_size=size)([raw])[0]
        return luma

    def _shrunk(self, image: Tensor) -> Tensor:
        height, width = (side // self.config.scale for side in image.shape[1:])
        return resized(image[None], height, width)[0]

    def _compared(self, made: Tensor, truth: Tensor) -> dict[str, float]:
        """Return the measures of luma `(1, height, width)` in bytes, without its border."""
        inside = slice(self.config.scale, -self.config.scale)
        made = (made * 255).round().clamp(0, 255) / 255
        pair = [image[None, :, inside, inside] for image in (made, truth)]
        return {
            measure.name: float(function(*pair)) for measure, function in zip(MEASURES, (psnr, ssim, l1), strict=True)
        }

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        places = self.data.spread("test", SHOWN)
        raw = self.data.raw("test", "targets").values
        with _Enlarging(rule.home, self.config.scale) as enlarging:
            rows = [self._shown(np.asarray(raw[int(place)]), enlarging) for place in places]
        names = ("given", "interpolated", "made of it", "should be")
        pixels = {name: np.stack(part) for name, part in zip(names, zip(*rows, strict=True), strict=True)}
        return {"before_after": figures.strips(pixels, f"{self.config.scale} times as large", columns=SHOWN)}

    def _shown(self, raw: np.ndarray, enlarging: "_Enlarging") -> tuple[np.ndarray, ...]:
        """Return the part of a picture in which interpolation errs most, in the four states of the figure."""
        scale, picture = self.config.scale, _as_tensor(raw)
        height, width = (side // scale * scale for side in picture.shape[1:])
        whole = picture[:, :height, :width]
        errors = (enlarged(self._shrunk(whole)[None], scale)[0] - whole).square().sum(0, keepdim=True)
        side = self._side_shown()
        top, left = _worst(errors, side, LEAST * scale)
        part = raw[top : top + side, left : left + side]
        colour, luma = _as_tensor(part).expand(3, -1, -1), self._shrunk(self._luma(part))
        small = self._shrunk(colour)
        smooth = enlarged(small[None], scale)[0]
        made = _in_colour(smooth, enlarging(luma), enlarged(luma[None], scale)[0])
        coarse = small.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
        return tuple(map(_as_bytes, (coarse, smooth, made, colour)))

    def _side_shown(self) -> int:
        """Return the side of the parts of pictures that are shown, all of one size."""
        least = min(int(np.min(sizes_of(self.data.raw(part, "targets").values))) for part in ("validation", "test"))
        return min(SIDE, least) // self.config.scale * self.config.scale

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out pictures: a row interpolated, a row that the network made, and a row as they were."""
        raw = self.data.raw("validation", "targets").values
        places = range(min(COLUMNS, len(raw)))
        with _Enlarging(home, self.config.scale) as enlarging:
            rows = [self._shown(np.asarray(raw[place]), enlarging)[1:] for place in places]
        return figures.sheet(in_turn(*map(np.stack, zip(*rows, strict=True)), columns=len(places)), len(places))

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return each picture larger, under the name of its file, with its colours, transparency, profile and EXIF."""
        found = photographs(question.inputs)
        with _Enlarging(network, self.config.scale) as enlarging:
            made = [self._enlarged(photograph, enlarging) for photograph in found.samples]
        sizes = [{"height": picture.shape[0], "width": picture.shape[1]} for picture in made]
        kept = [one.kept(picture.shape[:2]) for one, picture in zip(found.samples, made, strict=True)]
        return Images(made, found.titles, rows=found.name(sizes), kept=kept)

    def _enlarged(self, photograph: Photograph, enlarging: "_Enlarging") -> np.ndarray:
        """Return a picture larger, uint8 `(height, width, channels)`, with its transparency as a last channel."""
        scale, picture, luma = self.config.scale, _as_tensor(photograph.pixels), self._luma(photograph.pixels)
        smooth = enlarged(picture[None], scale)[0]
        made = _as_bytes(_in_colour(smooth, enlarging(luma), enlarged(luma[None], scale)[0]))
        if photograph.alpha is None:
            return made
        alpha = _as_bytes(enlarged(_as_tensor(photograph.alpha)[None], scale)[0])
        return np.concatenate([made, alpha], axis=2)


class _Enlarging:
    """A network in evaluation mode, asked about images `(1, height, width)` in tiles that keep within memory."""

    def __init__(self, network: nn.Module, scale: int) -> None:
        self.network, self.scale = network, scale

    def __enter__(self) -> Self:
        self.mode = evaluating(self.network)
        self.device = self.mode.__enter__()
        reach = self.network.reach if isinstance(self.network, Local) else 0
        self.tiling: Tiling = fitting(self.network, 1, margin=reach)
        return self

    def __call__(self, image: Tensor) -> Tensor:
        return in_tiles(self.network, image.to(self.device), self.tiling).float().cpu()

    def __exit__(self, *raised: Any) -> None:
        self.mode.__exit__(*raised)


def _in_colour(smooth: Tensor, made: Tensor, interpolated: Tensor) -> Tensor:
    """Return c + (f(y) - B(y)) of each interpolated channel c `(channels, height, width)`.

    Args:
        smooth: c, black being 0 and white 1.
        made: f(y), luma `(1, height, width)` that the network made.
        interpolated: B(y), luma `(1, height, width)`.
    """
    return smooth + (made - interpolated) / (LUMA["high"] - LUMA["low"])


def _as_tensor(raw: np.ndarray) -> Tensor:
    """Return a raw picture `(height, width, channels)` as `(channels, height, width)`, black being 0 and white 1."""
    size = int(raw.shape[0]), int(raw.shape[1])
    return ImagePreprocessing(image_size=size, channels=raw.shape[2])([raw])[0]


def _as_bytes(picture: Tensor) -> np.ndarray:
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).movedim(0, 2).numpy()


def _worst(errors: Tensor, side: int, step: int) -> tuple[int, int]:
    """Return the upper left corner, by steps, of the square in which errors `(1, height, width)` are largest."""
    sums = nn.functional.avg_pool2d(errors[None], side, stride=step)[0, 0]
    top, left = divmod(int(sums.argmax()), sums.shape[1])
    return top * step, left * step


def _refuse_small(smallest: np.ndarray, side: int, scale: int, dataset: Dataset) -> None:
    """Raise `DataError` where pieces cannot be learnt from: pictures are too small, or no whole pixels remain."""
    where, found = dataset.source or dataset.name, f"{smallest[0]} x {smallest[1]} pixels"
    least = LEAST * scale
    if min(smallest) < max(side, least):
        raise DataError(
            "some of these pictures are smaller than what is to be learnt from",
            where=where,
            expected=f"sides of at least {max(side, least)} pixels",
            found=found,
            remedy="leave small pictures out, or lower image_size" if side > least else "larger pictures",
        )
    if side % scale:
        raise DataError(
            "pieces of this size cannot be made small evenly",
            where="image_size",
            expected=f"a multiple of the scale, {scale}",
            found=str(side),
            remedy=f"image_size {side // scale * scale}",
        )


TASK = Upscaling
