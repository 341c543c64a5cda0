"""Compression: photographs as small files of a network's own, and back."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
from torch import nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.formats.images.photographs import Photograph
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, DataError, UsageError
from ganglion.rules.losses import LOSS
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Answer, Binaries, Binary, Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import PSNR
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.compressing.codec import Codec, as_tensor
from ganglion.tasks.shared.compressing.comparing import compared, in_colour, mean_curve, middle
from ganglion.tasks.shared.compressing.container import ENDING, compressed_files
from ganglion.tasks.shared.compressing.expectations import Expectations, learnt_expectations
from ganglion.tasks.shared.compressing.other_formats import FORMATS, Point, as_large, curve, measured
from ganglion.tasks.shared.compressing.range_coding import coder
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt
from ganglion.tasks.shared.inputs import photographs
from ganglion.tasks.shared.pictures.drawing import in_turn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BESIDE_JPEG = Measure(
    name="gain_over_jpeg",
    higher_is_better=True,
    meaning="Decibels (PSNR) more than JPEG in as many bytes, the mean over all qualities.",
)
BESIDE_WEBP = Measure(
    name="gain_over_webp",
    higher_is_better=True,
    meaning="Decibels (PSNR) more than WebP in as many bytes, the mean over all qualities.",
)
RATE = Measure(
    name="bits_per_pixel",
    higher_is_better=False,
    meaning="Bits of a file for each pixel, at the middle quality; a picture as it is has 24.",
)
LARGEST_PIECE = 128
"""Side of the pieces of larger pictures that are learnt from when no size is asked for."""
UNIT = 16
"""Sides of pieces are multiples of it, so that none is continued beyond its border."""
JUDGED, JUDGED_SIDE = 6, 256
"""Pictures that are judged while training, and the side of the middle of each."""
COUNTED = 24
"""Training pictures, their middles, of which it is counted how likely codes are."""
COMPARED = 6
"""Test pictures that are set beside other formats."""
SHOWN, SHOWN_SIDE = 4, 192
"""Test pictures in the figure, and the side of the part of each."""
OWN = "this run"
COLUMNS = 6
"""Pictures in a row of a sheet."""

Beside = list[tuple[np.ndarray, dict[str, list[Point]]]]
"""Pictures, and how large and how near their files are by format."""


@settings
class Compress:
    """Make each photograph a small file, which `decompress` with the same run gives back."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""
    quality: Annotated[int, at_least(1)] | None = None
    """1 for the smallest files, 8 for the best pictures unless the run was trained for others; the middle one if not
    given."""
    bare: bool = False
    """Leave out colour profile and EXIF, such as place and time."""


@settings
class Decompress:
    """Give back photographs that the same run compressed."""

    inputs: Given
    """Compressed files or folders of them."""


@final
class Compression(Task):
    """Photographs, to be kept in as few bytes as possible with as little error, at several qualities.

    Judged is by real files, header and all, beside JPEG and WebP in as many bytes; while training, on the middle of
    some pictures, by the bits that are expected. How likely codes are is counted on training pictures after training,
    in whole numbers, and kept with the run.
    """

    name = "compression"
    reads = ("image",)
    takes = "photographs"
    fields: ClassVar = {"targets": ("images",)}
    measures = (BESIDE_JPEG, BESIDE_WEBP, PSNR, RATE, LOSS)
    verbs: ClassVar = {"compress": Compress, "decompress": Decompress}
    captions: ClassVar = {
        "rates": "How near test pictures come to what they were, by the size of their files: this run, JPEG and WebP",
        "before_after": "Parts of test pictures, pixel for pixel: as they were, as this run keeps them, and as JPEG "
        "and WebP keep them in files that are no smaller",
    }
    resize = "none"  # texture is kept at its own scale
    next_step = "ganglion compress {run} PICTURE --out small.gz1"
    expectations: Expectations | None = None

    def __init__(self, config: Any, preprocessing: Mapping[str, Any]) -> None:
        super().__init__(config, preprocessing)
        self._known: dict[bytes, list[Point]] = {}
        self._judged: tuple[bytes, Beside] = b"", []

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        return {"targets": "inputs"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        parts = [part["inputs"].values for part in (dataset.fields, dataset.test_fields) if "inputs" in part]
        smallest = min(min(map(min, sizes_of(values))) for values in parts)
        side = config.image_size or min(LARGEST_PIECE, smallest // UNIT * UNIT)
        if smallest < max(side, UNIT):
            raise DataError(
                "some of these pictures are smaller than what is to be learnt from",
                where=dataset.source or dataset.name,
                expected=f"sides of at least {max(side, UNIT)} pixels",
                found=f"a side of {smallest}",
                remedy="leave small pictures out, or lower image_size" if smallest >= UNIT else "larger pictures",
            )
        options = {**AS_THEY_ARE, "image_size": side, "channels": 3}
        data = cls.prepared(dataset, config, settings, seed, {"targets": options}).in_pieces(side)
        return cls(adapt(config, image_size=side), data.preprocessing).holding(data)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        kept = state.get("expectations")
        task.expectations = None if kept is None else Expectations.unpacked(kept)
        return task

    def state(self) -> dict[str, Any]:
        kept = self.expectations
        return super().state() | {"expectations": None if kept is None else kept.packed()}

    def calibrate(self, rule: LearningRule) -> None:
        pictures = [as_tensor(picture) for picture in self._pictures("train", COUNTED, JUDGED_SIDE)]
        self.expectations = learnt_expectations(rule.home, pictures, self.config.quantisation_steps)

    def _pictures(self, part: Part, most: int, side: int | None = None) -> Iterator[np.ndarray]:
        """Yield some pictures (height, width, channels) uint8 of a part, or the middle of each."""
        values = self.data.raw(part, "targets").values
        for place in self.data.spread(part, most):
            yield middle(np.asarray(values[int(place)]), side)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        if part == "test":
            found = self._beside_others(Codec(rule.home, self.expectations))
        else:
            codec = Codec(rule.home, None)
            found = [(one, {OWN: codec.points(one)}) for one in self._pictures(part, JUDGED, JUDGED_SIDE)]
            found = [(one, points | {"JPEG": self._as_jpeg(one)}) for one, points in found]
        measures = [compared(picture, points, self.config.quantisation_steps) for picture, points in found]
        return {name: float(np.mean([one[name] for one in measures])) for name in measures[0]}

    def _beside_others(self, codec: Codec) -> Beside:
        """Return some test pictures, and how large and how near their files are, by format; the last answer is kept."""
        state = codec.expectations.digest(codec.network) if codec.expectations else b""
        if not state or self._judged[0] != state:
            found = [
                (one, {OWN: codec.points(one, structure=True), **{name: curve(one, name, True) for name in FORMATS}})
                for one in self._pictures("test", COMPARED)
            ]
            self._judged = state, found
        return self._judged[1]

    def _as_jpeg(self, picture: np.ndarray) -> list[Point]:
        """Return how large and how near JPEG files of a picture are; what was judged once is known."""
        content = picture.tobytes()
        if content not in self._known:
            self._known[content] = curve(picture, "JPEG")
        return self._known[content]

    def baseline(self) -> dict[str, float]:
        """Write JPEG files, which is what the score is counted from."""
        return {BESIDE_JPEG.name: 0.0}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        codec = Codec(rule.home, self.expectations)
        found = self._beside_others(codec)
        pictures = [picture for picture, _ in found]
        curves = {name: mean_curve([points[name] for _, points in found], pictures) for name in found[0][1]}
        return {
            "rates": figures.rates(curves),
            "before_after": figures.strips(self._states(codec, "test", SHOWN), "Before and after", columns=SHOWN),
        }

    def _states(self, codec: Codec, part: Part, count: int) -> dict[str, np.ndarray]:
        """Return parts of pictures as they were, and as this run and other formats keep them in as many bytes."""
        values = self.data.raw(part, "targets").values
        side = min([SHOWN_SIDE, *map(min, sizes_of(values))])
        quality, rows = codec.coder.qualities // 4, []
        for picture in self._pictures(part, count):
            made, size = codec.comes_back(picture, quality)
            others = {name: as_large(picture, name, size) for name in FORMATS}
            states = {"as it was": picture, OWN: made, **others}
            rows.append({name: in_colour(middle(one, side)) for name, one in states.items()})
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out pictures: a row as they were, and a row as they come back."""
        side = min([JUDGED_SIDE // 2, *map(min, sizes_of(self.data.raw("validation", "targets").values))])
        pictures = list(self._pictures("validation", COLUMNS, side))
        codec, quality = Codec(home, None), len(self.config.quantisation_steps) // 4
        rows = [
            [in_colour(one) for one in pictures],
            [in_colour(codec.comes_back(one, quality)[0]) for one in pictures],
        ]
        return figures.sheet(in_turn(*map(np.stack, rows), columns=len(pictures)), columns=len(pictures))

    def compress(self, network: nn.Module, question: Compress) -> Answer:
        """Return the file of each picture."""
        codec, quality = self._codec(network), self._asked(question)
        found = photographs(question.inputs)
        contents, rows, notes = [], [], list(found.notes)
        for photograph, title in zip(found.samples, found.titles, strict=True):
            contents.append(codec.compressed(photograph, quality - 1, question.bare).packed())
            rows.append(_row(codec, photograph, contents[-1]))
            if photograph.deep:
                notes.append(f"{title} has more than 8 bits a channel, of which the upper 8 are kept")
        known = Rows(found.name(rows))
        if len(contents) == 1:
            return Binary(contents[0], ENDING, notes=(*notes, _sentence(rows[0])), also=(known,))
        return Binaries(contents, found.titles, ENDING, rows=known.rows, notes=tuple(notes))

    def decompress(self, network: nn.Module, question: Decompress) -> Images:
        """Return the pictures of compressed files, with their transparency, profile and EXIF."""
        codec = self._codec(network)
        files = list(compressed_files(question.inputs))
        opened = [codec.opened(content, where) for where, content in files]
        pixels = [picture for picture, _ in opened]
        names = [Path(where).stem for where, _ in files]
        rows = [
            {"input": where, "height": one.height, "width": one.width, "quality": one.quality + 1}
            for (where, _), (_, one) in zip(files, opened, strict=True)
        ]
        return Images(pixels, names, rows=rows, kept=[one.kept for _, one in opened])

    def _asked(self, question: Compress) -> int:
        """Return the quality that is asked for, from 1 on; raise `UsageError` for one that this run does not have."""
        qualities = len(self.config.quantisation_steps)
        quality = qualities // 2 + 1 if question.quality is None else question.quality
        if quality > qualities:
            raise UsageError(
                "this run has no such quality", where="--quality", expected=f"1 to {qualities}", found=str(quality)
            )
        return quality

    def _codec(self, network: nn.Module) -> Codec:
        """Return what writes and reads files; raise where the run is not finished, or the package is missing."""
        coder()
        if self.expectations is None:
            raise CheckpointError(
                "this run has not counted yet how likely codes are",
                expected="a run that was trained to its end",
                remedy="ganglion resume RUN",
            )
        return Codec(network, self.expectations)


def _row(codec: Codec, photograph: Photograph, content: bytes) -> dict[str, Any]:
    """Return what is known of a compressed picture."""
    picture, _ = codec.opened(content, "what was just compressed")
    height, width, channels = photograph.pixels.shape
    point = measured(len(content), picture[..., :channels], photograph.pixels)
    rate = round(8 * len(content) / (height * width), 4)
    return {"height": height, "width": width, "bytes": len(content), RATE.name: rate, PSNR.name: round(point.psnr, 2)}


def _sentence(row: Mapping[str, Any]) -> str:
    return f"{row['bytes']:,} bytes, {row[RATE.name]:.3g} bits a pixel, {row[PSNR.name]:.1f} dB (PSNR)"


TASK = Compression
