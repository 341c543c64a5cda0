"""Upscaling: a network that makes pictures larger, sharper than interpolation does."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Judge, LearningRule, Local, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.formats.images.photographs import Photograph
from ganglion.data.loaders.derived import Shrunk
from ganglion.data.pixels import LUMA as OF_COLOURS
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.nn.images.resampling import enlarged, resized
from ganglion.rules.losses import LOSS
from ganglion.settings import between, settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import (
    GRADIENT_DISTANCE,
    MEASURES,
    SHARPNESS,
    gradient_distance,
    l1,
    psnr,
    sharpness,
    ssim,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import evaluating, judged
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt
from ganglion.tasks.shared.inputs import photographs
from ganglion.tasks.shared.pictures.drawing import in_turn
from ganglion.tasks.shared.pictures.tiles import Tiling, fitting, in_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LUMA = {"channels": 1, "low": 16 / 255, "high": 235 / 255}
"""Brightness as ITU-R BT.601 writes it in bytes: what networks of one channel see, and what papers measure."""
COLOUR = {"channels": 3, "low": 0.0, "high": 1.0}
"""What networks of three channels see."""
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
FUNCTIONS = {
    **dict(zip(MEASURES, (psnr, ssim, l1), strict=True)),
    SHARPNESS: sharpness,
    GRADIENT_DISTANCE: gradient_distance,
}
PRETRAINED, HOME = "pretrained", "home"
"""The network that pre-training left, whose name begins those of its measures, and the one that is taken home."""
OF_PRETRAINED = tuple(
    Measure(
        name=f"{PRETRAINED}_{measure.name}",
        higher_is_better=measure.higher_is_better,
        meaning=f"{measure.name} of what pre-training left, before the game.",
    )
    for measure in FUNCTIONS
    if measure.name in ("psnr", "sharpness", "gradient_distance")
)


@settings
class Predict:
    """Make each picture larger by the factor that the network was trained for."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""
    detail: Annotated[float, between(0, 1)] = 1.0
    """Of a run that played a game: 1 is what it made of the network, 0 what pre-training left, which is nearer to the
    truth and less sharp; between them a mixture."""


@final
class Upscaling(Task):
    """Photographs, judged by how well they come back after they were made small, beside bicubic interpolation.

    Learnt is from pieces at random places. Of a network of one channel that is brightness, and colours are
    interpolated; one of three makes the colours, too. Pictures are judged whole and as the papers do: sides cut to
    multiples of the scale, made small by smoothed bicubic interpolation, luma rounded to bytes, and `scale` pixels
    along the border left out.
    """

    name = "upscaling"
    reads = ("image",)
    takes = "photographs, which it makes small itself"
    fields: ClassVar = {"inputs": ("images",), "targets": ("images",)}
    measures = (*FUNCTIONS, *OF_PRETRAINED, LOSS)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "before_after": "Parts of test pictures, pixel for pixel: what the network is given, what interpolation makes "
        "of it, what the network makes of it (before a game, if one was played, and after it), and what was there",
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
        channels = min(getattr(config, "in_channels", 1), ImagePreprocessing.fit(dataset.main.values).channels)
        options = {**AS_THEY_ARE, **(LUMA if channels == 1 else COLOUR), "image_size": side}
        data = cls.prepared(dataset, config, settings, seed, {"targets": options})
        data = replace(data.in_pieces(side), derived={"inputs": Shrunk(of="targets", factor=scale)})
        small = replace(data.preprocessing["targets"], image_size=side // scale)
        config = adapt(config, image_size=side, in_channels=channels)
        return cls(config, {"inputs": small, **data.preprocessing}).holding(data)

    @property
    def _channels(self) -> int:
        """Those of the pictures that the network is given: 1 is luma, 3 is colour."""
        channels: int = self.preprocessing["targets"].channels
        return channels

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        measured: dict[str, float] = {}
        for name, network in reversed(stages(rule.home).items()):
            with self._enlarging(network) as enlarging:
                found = _means([self._judged(rule, picture, enlarging) for picture in self._pictures(part)])
            if name == PRETRAINED:
                found = {one.name: found[one.name.removeprefix(f"{PRETRAINED}_")] for one in OF_PRETRAINED}
            measured |= found
        return measured

    def _judged(self, rule: LearningRule, picture: Tensor, enlarging: "_Enlarging") -> dict[str, float]:
        """Return the measures of a picture that was made small and enlarged by a network."""
        wanted = self._seen(picture)
        if self._channels == 1:
            wanted = _in_bytes(wanted)
        made = enlarging(self._shrunk(wanted))
        found = self._compared(*((one if self._channels == 1 else _luma(one)) for one in (made, wanted)))
        return found | (judged(rule, made[None], wanted[None]) if isinstance(rule, Judge) else {})

    def baseline(self) -> dict[str, float]:
        """Interpolate."""
        lumas = (_in_bytes(_luma(picture)) for picture in self._pictures("test"))
        return _means([self._compared(self._interpolated(self._shrunk(luma)), luma) for luma in lumas])

    def _pictures(self, part: Part) -> Iterator[Tensor]:
        """Yield every picture of a part, `(channels, height, width)`, its sides cut to multiples of the scale."""
        for raw in self.data.raw(part, "targets").values:
            picture = _as_tensor(raw)
            height, width = (side // self.config.scale * self.config.scale for side in picture.shape[1:])
            yield picture[:, :height, :width]

    def _seen(self, picture: Tensor) -> Tensor:
        """Return what the network sees of a picture `(channels, height, width)`, black being 0 and white 1."""
        return _luma(picture) if self._channels == 1 else picture.expand(3, -1, -1)

    def _shrunk(self, image: Tensor) -> Tensor:
        height, width = (side // self.config.scale for side in image.shape[1:])
        return resized(image[None], height, width)[0]

    def _interpolated(self, image: Tensor) -> Tensor:
        return enlarged(image[None], self.config.scale)[0]

    def _enlarging(self, network: nn.Module) -> "_Enlarging":
        return _Enlarging(network, self._channels)

    def _compared(self, made: Tensor, truth: Tensor) -> dict[str, float]:
        """Return the measures of luma `(1, height, width)` in bytes, without its border."""
        inside = slice(self.config.scale, -self.config.scale)
        pair = [_in_bytes(image)[None, :, inside, inside] for image in (made, truth)]
        return {measure.name: float(function(*pair)) for measure, function in FUNCTIONS.items()}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        places = self.data.spread("test", SHOWN)
        raw = self.data.raw("test", "targets").values
        rows = [self._shown(np.asarray(raw[int(place)]), rule.home) for place in places]
        pixels = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
        return {"before_after": figures.strips(pixels, f"{self.config.scale} times as large", columns=SHOWN)}

    def _shown(self, raw: np.ndarray, home: nn.Module) -> dict[str, np.ndarray]:
        """Return the part of a picture in which interpolation errs most, in the states of the figure."""
        scale, picture = self.config.scale, _as_tensor(raw)
        height, width = (side // scale * scale for side in picture.shape[1:])
        whole = picture[:, :height, :width]
        errors = (self._interpolated(self._shrunk(whole)) - whole).square().sum(0, keepdim=True)
        side = self._side_shown()
        top, left = _worst(errors, side, LEAST * scale)
        colour = whole[:, top : top + side, left : left + side].expand(3, -1, -1)
        small = self._shrunk(colour)
        shown = {"given": small.repeat_interleave(scale, 1).repeat_interleave(scale, 2)}
        shown["interpolated"] = self._interpolated(small)
        for name, network in stages(home).items():
            with self._enlarging(network) as enlarging:
                shown["before the game" if name == PRETRAINED else "made of it"] = self._large(small, enlarging)
        return {name: _as_bytes(one) for name, one in (shown | {"should be": colour}).items()}

    def _side_shown(self) -> int:
        """Return the side of the parts of pictures that are shown, all of one size."""
        least = min(int(np.min(sizes_of(self.data.raw(part, "targets").values))) for part in ("validation", "test"))
        return min(SIDE, least) // self.config.scale * self.config.scale

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out pictures: a row interpolated, a row for each network, and a row as they were."""
        raw = self.data.raw("validation", "targets").values
        rows = [list(self._shown(np.asarray(one), home).values())[1:] for one in raw[: min(COLUMNS, len(raw))]]
        return figures.sheet(in_turn(*map(np.stack, zip(*rows, strict=True)), columns=len(rows)), len(rows))

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return each picture larger, under the name of its file, with its colours, transparency, profile and EXIF."""
        found, networks = photographs(question.inputs), stages(network)
        if question.detail < 1 and PRETRAINED not in networks:
            raise UsageError(
                "this run has no network from before a game",
                where="--detail",
                found=f"{question.detail:g}",
                remedy="leave it out, or train srgan, whose generator learns alone before it plays",
            )
        shares = {PRETRAINED: 1 - question.detail, HOME: question.detail}
        asked = {name: share for name, share in shares.items() if share}
        pixels = []
        for one in found.samples:
            parts = [share * self._made(one, networks[name]) for name, share in asked.items()]
            pixels.append(_as_bytes(torch.stack(parts).sum(0)))
        sizes = [{"height": picture.shape[0], "width": picture.shape[1]} for picture in pixels]
        kept = [one.kept(picture.shape[:2]) for one, picture in zip(found.samples, pixels, strict=True)]
        return Images(pixels, found.titles, rows=found.name(sizes), kept=kept)

    def _made(self, photograph: Photograph, network: nn.Module) -> Tensor:
        """Return a photograph larger, (channels, height, width), with its transparency as a last channel."""
        with self._enlarging(network) as enlarging:
            made = self._large(_as_tensor(photograph.pixels), enlarging).clamp(0, 1)
        if photograph.alpha is None:
            return made
        return torch.cat([made, self._interpolated(_as_tensor(photograph.alpha))])

    def _large(self, picture: Tensor, enlarging: "_Enlarging") -> Tensor:
        """Return a picture `(channels, height, width)` larger, black being 0 and white 1.

        By a network f of luma y, each interpolated channel c is c + (f(y) - B(y)) with B(y) the interpolated luma.
        """
        if self._channels == 1:
            luma = _luma(picture)
            gained = enlarging(luma) - self._interpolated(luma)
            return self._interpolated(picture) + gained / (LUMA["high"] - LUMA["low"])
        made = enlarging(picture.expand(3, -1, -1))
        return made if len(picture) == 3 else _grey(made)


def stages(home: nn.Module) -> dict[str, nn.Module]:
    """Return the networks of a run as they came to be: what a game began with, if that is another, and its home."""
    if not isinstance(home, nn.ModuleDict):
        return {HOME: home}
    if len(home) == 1:  # of a file that holds one of them
        return {HOME: next(iter(home.values()))}
    before, after = home[PRETRAINED], home["generator"]
    same = all(map(torch.equal, before.state_dict().values(), after.state_dict().values()))
    return {HOME: after} if same else {PRETRAINED: before, HOME: after}


class _Enlarging:
    """A network in evaluation mode, asked about images `(channels, height, width)` in tiles that keep within memory."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        self.network, self.channels = network, channels

    def __enter__(self) -> Self:
        self.mode = evaluating(self.network)
        self.device = self.mode.__enter__()
        reach = self.network.reach if isinstance(self.network, Local) else 0
        self.tiling: Tiling = fitting(self.network, self.channels, margin=reach)
        return self

    def __call__(self, image: Tensor) -> Tensor:
        return in_tiles(self.network, image.to(self.device), self.tiling).float().cpu()

    def __exit__(self, *raised: Any) -> None:
        self.mode.__exit__(*raised)


def _means(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _grey(picture: Tensor) -> Tensor:
    """Return the brightness `(1, height, width)` of a picture `(channels, height, width)`."""
    return picture if len(picture) == 1 else torch.tensordot(torch.tensor(OF_COLOURS), picture, 1)[None]


def _luma(picture: Tensor) -> Tensor:
    """Return the luma `(1, height, width)` of a picture `(channels, height, width)`, black being 0 and white 1."""
    return LUMA["low"] + (LUMA["high"] - LUMA["low"]) * _grey(picture)


def _in_bytes(image: Tensor) -> Tensor:
    """Return an image with its values rounded as bytes hold them; published figures are of those."""
    return (image * 255).round().clamp(0, 255) / 255


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
