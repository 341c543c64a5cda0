"""Photographs to files and back, and how near to each other they are."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.core import Coder
from ganglion.data.formats.images.photographs import Photograph
from ganglion.data.pixels import LUMA
from ganglion.errors import DataError
from ganglion.nn.compression.context import bits
from ganglion.tasks.shared.compressing.container import HEAD, Container, damaged
from ganglion.tasks.shared.compressing.expectations import Expectations
from ganglion.tasks.shared.compressing.other_formats import Point, measured
from ganglion.tasks.shared.compressing.parts import WHITE, latents_of, picture_of, rounded
from ganglion.tasks.shared.compressing.range_coding import installed
from ganglion.tasks.shared.evaluation import evaluating


@dataclass(frozen=True)
class Codec:
    """A network and what it expects. Pictures are (height, width, 1 or 3) uint8."""

    network: nn.Module
    """A `Coder`."""
    expectations: Expectations | None
    """None while nothing was counted yet, or nothing can be written: then sizes are estimated."""

    @property
    def known(self) -> Expectations:
        """What it expects, where that was counted."""
        assert self.expectations is not None
        return self.expectations

    @property
    def coder(self) -> Coder:
        """The network by what it can be asked."""
        return self.network  # type: ignore[return-value]

    def compressed(self, photograph: Photograph, quality: int, bare: bool = False) -> Container:
        """Return a photograph at a quality, the first being 0.

        Args:
            bare: leave out its profile and EXIF.
        """
        height, width, channels = photograph.pixels.shape
        codes = self._codes(self._latents(photograph.pixels), quality)
        return Container(
            digest=self.known.digest(self.network),
            height=height,
            width=width,
            quality=quality,
            codes=self.known.written(codes, quality),
            grey=channels == 1,
            alpha=b"" if photograph.alpha is None else photograph.alpha.tobytes(),
            profile=b"" if bare else photograph.profile,
            exif=b"" if bare else photograph.exif,
        )

    def opened(self, content: bytes, where: str) -> tuple[np.ndarray, Container]:
        """Return the picture in a file, with its transparency, and what else is in it.

        Raises `DataError` for a file that is damaged, or that another run wrote.
        """
        found, block = Container.unpacked(content, where), self.coder.block
        if found.digest != self.known.digest(self.network):
            raise DataError(
                "this picture was compressed by another run, or by this one in another state",
                where=where,
                expected=self.known.digest(self.network).hex(),
                found=found.digest.hex(),
                remedy="name the run that compressed it, as it was then: training on changes what codes mean",
            )
        if found.quality >= self.coder.qualities:
            raise damaged(where, f"quality {found.quality + 1} of {self.coder.qualities}")
        shape = self.coder.channels, -(-found.height // block), -(-found.width // block)
        try:
            codes, ended = self.known.read(found.codes, shape, found.quality)
        except (DataError, AssertionError, ValueError) as error:  # the coder's own word for what cannot be
            raise damaged(where, str(error)) from error
        if not ended:
            raise damaged(where, "more codes than the picture has")
        picture = self._picture(codes, (found.height, found.width), found.quality, found.grey)
        if found.alpha:
            if len(found.alpha) != found.height * found.width:
                raise damaged(where, "a transparency of another size")
            alpha = np.frombuffer(found.alpha, np.uint8).reshape(found.height, found.width, 1)
            picture = np.concatenate([picture, alpha], axis=2)
        return picture, found

    def points(self, picture: np.ndarray, structure: bool = False) -> list[Point]:
        """Return the size of the file of a picture (height, width, channels) at each quality, and how near it comes."""
        points, latents = [], self._latents(picture)
        for quality in range(self.coder.qualities):
            codes = self._codes(latents, quality)
            size = self._size(codes, quality)
            made = self._picture(codes, (picture.shape[0], picture.shape[1]), quality, picture.shape[2] == 1)
            points.append(measured(size, made, picture, structure))
        return points

    def comes_back(self, picture: np.ndarray, quality: int) -> tuple[np.ndarray, int]:
        """Return what comes back of a picture (height, width, channels), and the bytes of its file."""
        codes = self._codes(self._latents(picture), quality)
        made = self._picture(codes, (picture.shape[0], picture.shape[1]), quality, picture.shape[2] == 1)
        return made, self._size(codes, quality)

    def _latents(self, picture: np.ndarray) -> Tensor:
        with evaluating(self.network) as device:
            return latents_of(self.coder, as_tensor(picture), device)

    def _codes(self, latents: Tensor, quality: int) -> np.ndarray:
        with evaluating(self.network) as device:
            scaled = self.coder.scaled(latents[None].to(device), torch.tensor([quality], device=device))
        return rounded(scaled[0], self.expectations.dead_zones[quality] if self.expectations else 0.0)

    def _size(self, codes: np.ndarray, quality: int) -> int:
        """Return the bytes of the file of codes (channels, rows, columns)."""
        if self.expectations and installed():
            return HEAD.size + len(self.expectations.written(codes, quality))
        with evaluating(self.network) as device:
            numbers = torch.from_numpy(codes.astype(np.float32))[None].to(device)
            expected = self.coder.context(numbers, torch.tensor([quality], device=device))
            return HEAD.size + math.ceil(float(bits(numbers, *expected).sum()) / 8)

    def _picture(self, codes: np.ndarray, size: tuple[int, int], quality: int, grey: bool) -> np.ndarray:
        with evaluating(self.network) as device:
            made = picture_of(self.coder, codes, size, quality, device)
        return np.rint(made @ np.array(LUMA))[..., None].astype(np.uint8) if grey else made


def as_tensor(picture: np.ndarray) -> Tensor:
    """Return a picture (height, width, 1 or 3) uint8 as a network sees it, (3, height, width), black 0 and white 1."""
    return (torch.from_numpy(picture.astype(np.float32)).movedim(2, 0) / WHITE).expand(3, -1, -1)
