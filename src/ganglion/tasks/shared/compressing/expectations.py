"""What is kept with a run beside its network: how likely codes are, in whole numbers, and how they are rounded."""

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.core import Coder
from ganglion.errors import CheckpointError
from ganglion.nn.compression.context import bits
from ganglion.rules.autoencoder.compression import EXCHANGE
from ganglion.tasks.shared.compressing.codes import read, through, tiles, written
from ganglion.tasks.shared.compressing.parts import WHITE, latents_of, rounded
from ganglion.tasks.shared.compressing.range_coding import Models
from ganglion.tasks.shared.compressing.tables import Counting, Tables
from ganglion.tasks.shared.compressing.whole_numbers import WholeContext
from ganglion.tasks.shared.evaluation import evaluating

DEAD_ZONES = (0.0, 0.06, 0.12, 0.18, 0.24)
"""By how much more than a half a number may differ from zero, and the next one, that is rounded towards zero."""


@dataclass(frozen=True)
class Expectations:
    """How likely codes are, in whole numbers, and the dead zones that they are rounded with."""

    context: WholeContext
    tables: Tables
    dead_zones: tuple[float, ...]
    """By quality."""

    def packed(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        arrays = {**self.context.arrays(), "tables": self.tables.flat()}
        said = {name: [list(array.shape), _text(array.astype("<i4").tobytes())] for name, array in arrays.items()}
        return {"numbers": said, "dead_zones": list(self.dead_zones)}

    @classmethod
    def unpacked(cls, state: Mapping[str, Any]) -> Self:
        """Return what `packed` gave; raise `CheckpointError` where the parts do not fit together."""
        try:
            arrays = {
                name: np.frombuffer(_bytes(text), "<i4").reshape(shape)
                for name, (shape, text) in state["numbers"].items()
            }
            tables = Tables.from_flat(arrays.pop("tables"))
            return cls(WholeContext.from_arrays(arrays), tables, tuple(map(float, state["dead_zones"])))
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
            raise CheckpointError(
                "what this run expects of codes is damaged",
                where="state.expectations of config.json",
                found=str(error),
                remedy="put the original file back, or train again",
            ) from error

    @cached_property
    def models(self) -> Models:
        """The tables as the coder takes them; raises `MissingExtraError` without it."""
        return Models(self.tables)

    def digest(self, network: nn.Module) -> bytes:
        """Return 8 bytes that say which network and which expectations a file was written with."""
        found = hashlib.sha256()
        for name, array in self.context.arrays().items():
            found.update(name.encode() + array.astype("<i4").tobytes())
        found.update(self.tables.flat().astype("<i4").tobytes())
        for name, tensor in network.state_dict().items():
            found.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return found.digest()[:8]

    def written(self, codes: np.ndarray, quality: int) -> bytes:
        """Return codes (channels, rows, columns) of a picture as bytes."""
        return written(codes, self.context, self.models, quality)

    def read(self, content: bytes, shape: tuple[int, int, int], quality: int) -> tuple[np.ndarray, bool]:
        """Return codes of a shape (channels, rows, columns), and whether the bytes ended with them."""
        return read(content, shape, self.context, self.models, quality)


def learnt_expectations(network: nn.Module, pictures: Sequence[Tensor], steps: Sequence[float]) -> Expectations:
    """Return what is to be expected of the codes of a network, counted on pictures (3, height, width).

    Args:
        steps: how coarsely each quality rounds.
    """
    coder: Coder = network  # type: ignore[assignment]
    context = WholeContext.of(coder.context)  # type: ignore[arg-type]
    counting, zones = Counting(), []

    def count(differences: np.ndarray | None, tables: np.ndarray) -> np.ndarray:
        assert differences is not None
        counting.add(differences, tables)
        return differences

    with evaluating(network) as device:
        latents = [latents_of(coder, picture, device) for picture in pictures]
        for quality, step in enumerate(steps):
            of_quality = torch.tensor([quality], device=device)
            scaled = [coder.scaled(latent[None].to(device), of_quality) for latent in latents]
            few = list(zip(scaled, pictures, strict=True))[: max(1, len(pictures) // 4)]
            costs = [
                sum(_cost(coder, one, picture, of_quality, zone, EXCHANGE * step**2) for one, picture in few)
                for zone in DEAD_ZONES
            ]
            zones.append(DEAD_ZONES[int(np.argmin(costs))])
            for one in scaled:
                codes = rounded(one[0], zones[-1]).astype(np.int64)
                for rows, columns in tiles(*codes.shape[1:]):
                    through(codes[:, rows, columns], context, quality, count, known=True)
    return Expectations(context, Tables.of(counting), tuple(zones))


def _cost(coder: Coder, scaled: Tensor, picture: Tensor, quality: Tensor, zone: float, worth: float) -> float:
    """Return bits and error, in bits, of a picture (3, height, width) that is rounded with a dead zone."""
    codes = torch.from_numpy(rounded(scaled, zone)).to(scaled)
    rate = float(bits(codes, *coder.context(codes, quality)).sum())
    made = coder.pictures(codes, quality)[0, :, : picture.shape[1], : picture.shape[2]].cpu().clamp(0, 1)
    return rate + float((WHITE * (made - picture)).square().sum()) / worth


def _text(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _bytes(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text, validate=True))
