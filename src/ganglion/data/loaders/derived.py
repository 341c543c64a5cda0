"""Fields that are made of another field of a batch while training: noisy, masked, grey or small images, edges, one
of several texts.

Each depends on (seed, epoch, index) and on its source alone, whatever else is in the batch. Pixels are meant as
shares of white: a deviation of 0.1 is a tenth of the way from black to white, whatever both become in the tensors.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, final

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.core import Batch
from ganglion.data.loaders.noise import named_stream, normals, uniforms
from ganglion.data.pixels import LUMA
from ganglion.errors import ConfigurationError
from ganglion.settings import SHARE, above, at_least, between, from_dict, settings, to_dict

SURE = 12
"""Standard deviations above its mean that no Poisson count of ours exceeds."""


class Derived(ABC):
    """How a field is made of another one. Concrete ones are final and frozen, so that a run can keep them."""

    of: str
    """Field that it is made of."""

    @abstractmethod
    def make(self, source: Tensor, draw: "Draw") -> Tensor:
        """Return the derived field of `source` `(batch, ...)`."""


@final
class Draw:
    """Random numbers for one derived field of one batch."""

    def __init__(self, seed: int, epoch: int, index: Tensor, name: str) -> None:
        self._where = seed, epoch, index
        self._stream = named_stream(name)

    def uniforms(self, like: Tensor) -> Tensor:
        """Return numbers in [0, 1) in the shape of a batch `(batch, ...)`."""
        return self._shaped(uniforms, like)

    def normals(self, like: Tensor) -> Tensor:
        """Return numbers of mean 0 and deviation 1 in the shape of a batch `(batch, ...)`."""
        return self._shaped(normals, like)

    def levels(self, like: Tensor) -> Tensor:
        """Return a number in [0, 1) for each sample of a batch `(batch, ...)`, in a shape that goes with it."""
        seed, epoch, index = self._where
        return uniforms(seed, epoch, index, 1, self._stream + 1).reshape(-1, *(1,) * (like.dim() - 1))

    def _shaped(self, numbers: Any, like: Tensor) -> Tensor:
        seed, epoch, index = self._where
        return numbers(seed, epoch, index, like[0].numel(), self._stream).reshape(like.shape)


@final
@settings
class GaussianNoise(Derived):
    """`x' = x + s z`, not clipped; s is the deviation, or anew for each sample between that and `most`.

    >>> batch = {"inputs": torch.rand(4, 1, 8, 8), "index": torch.arange(4)}
    >>> derive(batch, {"noisy": GaussianNoise(deviation=0.1)}, seed=0, epoch=0)["noisy"].shape
    torch.Size([4, 1, 8, 8])
    """

    of: str = "inputs"
    """Field that it is made of."""
    deviation: Annotated[float, at_least(0)] = 0.1
    """Standard deviation of the noise, as a share of the way from black to white."""
    most: Annotated[float, at_least(0)] | None = None
    """Largest deviation, if it differs from sample to sample."""
    span: Annotated[float, above(0)] = 1.0
    """Way from black to white in the tensors."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        deviation: float | Tensor = self.deviation
        if self.most is not None:
            deviation = self.deviation + (self.most - self.deviation) * draw.levels(source)
        return source + deviation * self.span * draw.normals(source)


@final
@settings
class MaskingNoise(Derived):
    """Each value is black with a probability. Source: Vincent et al., Stacked denoising autoencoders, 2010."""

    of: str = "inputs"
    """Field that it is made of."""
    share: Annotated[float, SHARE] = 0.3
    """Probability that a value is lost."""
    low: float = 0.0
    """What black is in the tensors."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        return source.masked_fill(draw.uniforms(source) < self.share, self.low)


@final
@settings
class SaltAndPepperNoise(Derived):
    """Each value is black or white, both alike often, with a probability."""

    of: str = "inputs"
    """Field that it is made of."""
    share: Annotated[float, SHARE] = 0.3
    """Probability that a value is lost."""
    low: float = 0.0
    """What black is in the tensors."""
    high: float = 1.0
    """What white is in the tensors."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        chance = draw.uniforms(source)
        peppered = source.masked_fill(chance < self.share / 2, self.low)
        return peppered.masked_fill((chance >= self.share / 2) & (chance < self.share), self.high)


@final
@settings
class PoissonNoise(Derived):
    """What a sensor counts that `peak` photons reach where it is white: `x' = Poisson(peak x) / peak`.

    Counts are found by adding up probabilities until they exceed a uniform number.
    """

    of: str = "inputs"
    """Field that it is made of."""
    peak: Annotated[float, between(0.1, 500)] = 30.0
    """Photons that a white pixel gets on average."""
    low: float = 0.0
    """What black is in the tensors."""
    high: float = 1.0
    """What white is in the tensors."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        share = (source - self.low) / (self.high - self.low)
        mean = (share * self.peak).clamp(0, self.peak).double()
        chance = draw.uniforms(source).double()
        probability = (-mean).exp()  # of a count of 0, then of 1, ...
        total, counts = probability.clone(), torch.zeros_like(mean)
        for count in range(1, int(self.peak + SURE * self.peak**0.5) + 2):
            counts += chance >= total
            probability = probability * mean / count
            total += probability
        return (self.low + (self.high - self.low) * (counts / self.peak)).to(source.dtype)


@final
@settings
class Binarised(Derived):
    """Each value is drawn anew: white with the probability that its share of white is, else black.

    Source: Salakhutdinov and Murray, On the quantitative analysis of deep belief networks, 2008.
    """

    of: str = "inputs"
    """Field that it is made of."""
    low: float = 0.0
    """What black is in the tensors."""
    high: float = 1.0
    """What white is in the tensors."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        white = draw.uniforms(source) < (source - self.low) / (self.high - self.low)
        return torch.where(white, self.high, self.low).to(source.dtype)


@final
@settings
class MaskedPatches(Derived):
    """Whole squares of an image are lost, each with a probability: what is to be painted in again."""

    of: str = "inputs"
    """Field that it is made of."""
    share: Annotated[float, SHARE] = 0.5
    """Probability that a square is lost."""
    side: Annotated[int, at_least(1)] = 4
    """Pixels along a side of a square."""
    low: float = 0.0
    """What a lost pixel becomes."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        rows, columns = (-(-size // self.side) for size in source.shape[2:])
        lost = draw.uniforms(source.new_empty(len(source), 1, rows, columns)) < self.share
        lost = lost.repeat_interleave(self.side, dim=2).repeat_interleave(self.side, dim=3)
        return source.masked_fill(lost[:, :, : source.shape[2], : source.shape[3]], self.low)


@final
@settings
class Grey(Derived):
    """The brightness of colour images, `0.299 R + 0.587 G + 0.114 B`, as one channel."""

    of: str = "inputs"
    """Field that it is made of."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        if source.shape[1] == 1:
            return source
        return (source * source.new_tensor(LUMA).reshape(1, 3, 1, 1)).sum(1, keepdim=True)


@final
@settings
class Shrunk(Derived):
    """Images made smaller by a whole factor, smoothed as they shrink."""

    of: str = "inputs"
    """Field that it is made of."""
    factor: Annotated[int, at_least(1)] = 2
    """How many times smaller each side becomes."""
    method: Literal["bicubic", "bilinear"] = "bicubic"
    """How pixels are weighed."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        height, width = source.shape[2:]
        if height % self.factor or width % self.factor:
            raise ConfigurationError(
                "images cannot be shrunk evenly",
                expected=f"sides that {self.factor} divides",
                found=f"{height} x {width}",
                remedy="another image size, or another factor",
            )
        size = height // self.factor, width // self.factor
        return functional.interpolate(source, size, mode=self.method, antialias=True)


@final
@settings
class Edges(Derived):
    """How steeply brightness changes at each pixel, from 0 to 1: the length of Sobel's gradient, one channel.

    `g = sqrt(gx^2 + gy^2) / 4`, cut at 1, where the steepest step between black and white along an axis is 1.
    """

    of: str = "inputs"
    """Field that it is made of."""
    span: Annotated[float, above(0)] = 1.0
    """Way from black to white in the tensors."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        across = source.new_tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
        kernels = torch.stack([across, across.T])[:, None] / (4 * self.span)
        grey = functional.pad(Grey().make(source, draw), (1, 1, 1, 1), mode="replicate")
        return functional.conv2d(grey, kernels).square().sum(1, keepdim=True).sqrt().clamp(max=1)


@final
@settings
class OneLine(Derived):
    """One of several texts that a sample has, each with its marks, padded with 0: another in every epoch.

    >>> lines = torch.tensor([[2, 7, 3, 2, 8, 9, 3], [2, 5, 3, 0, 0, 0, 0]])
    >>> derive({"captions": lines, "index": torch.arange(2)}, {"targets": OneLine()}, seed=0, epoch=0)["targets"].shape
    torch.Size([2, 3])
    """

    of: str = "captions"
    """Field that it is made of."""
    end: Annotated[int, at_least(1)] = 3
    """Number of the mark at the end of each text."""

    def make(self, source: Tensor, draw: Draw) -> Tensor:
        ends = source == self.end
        line = ends.cumsum(1) - ends.long()  # the number of the text that each token belongs to
        chosen = (draw.levels(source) * ends.sum(1, keepdim=True)).long()
        kept = (line == chosen) & (source != 0)
        order = (~kept).long().argsort(dim=1, stable=True)[:, : int(kept.sum(1).max())]
        return (source * kept).gather(1, order)


DERIVED: dict[str, type[Derived]] = {
    "gaussian-noise": GaussianNoise,
    "masking-noise": MaskingNoise,
    "salt-and-pepper-noise": SaltAndPepperNoise,
    "poisson-noise": PoissonNoise,
    "binarised": Binarised,
    "masked-patches": MaskedPatches,
    "grey": Grey,
    "shrunk": Shrunk,
    "edges": Edges,
    "one-line": OneLine,
}
"""Closed: a saved run can name these and nothing else."""


def derive(batch: Batch, derived: Mapping[str, Derived], seed: int, epoch: int) -> Batch:
    """Return a batch with its derived fields, each of which may be made of those before it."""
    batch = dict(batch)
    for name, one in derived.items():
        source = batch[one.of]
        index = batch.get(f"{one.of}_index", batch["index"])
        batch[name] = one.make(source, Draw(seed, epoch, index.to(source.device), name))
    return batch


def derived_to_state(derived: Mapping[str, Derived]) -> dict[str, Any]:
    """Return the settings of each derived field, as JSON values.

    >>> derived_to_state({"grey": Grey(of="target")})
    {'grey': {'kind': 'grey', 'settings': {'of': 'target'}}}
    """
    kinds = {cls: kind for kind, cls in DERIVED.items()}
    return {name: {"kind": kinds[type(one)], "settings": to_dict(one)} for name, one in derived.items()}


def derived_from_state(state: Mapping[str, Any]) -> dict[str, Derived]:
    """Return what `derived_to_state` described. Raises a `GanglionError` where the state is damaged."""
    return {name: _restored(one, f"derived field {name}") for name, one in state.items()}


def _restored(state: Any, where: str) -> Derived:
    if not isinstance(state, dict) or state.get("kind") not in DERIVED or not isinstance(state.get("settings"), dict):
        raise ConfigurationError(
            "this is no derived field", where=where, expected=f"one of {', '.join(DERIVED)}", found=f"{state!r:.100}"
        )
    return from_dict(DERIVED[state["kind"]], state["settings"], where=where)
