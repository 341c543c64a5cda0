"""What is expected of codes, in whole numbers alone, so that every processor expects the same.

Rounding differs between processors, and a decoder that expects something slightly else reads nonsense from there on.
So the learnt `Context` is written down once as whole numbers; products of those are exact in double precision, in any
order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ganglion.errors import ConfigurationError
from ganglion.nn.compression.context import FASTER, LARGEST, NARROWEST, WIDEST, Context, phases

UNIT = 64
"""Of features, means and logarithms of widths: they are multiples of 1 / 64."""
WEIGHT = 1024
"""Weights are multiples of 1 / 1024."""
TURNS = 3
EXACT = 2.0**52
"""Whole numbers below it are exact in double precision, and so are their sums."""
BIN = 12
"""Units of the logarithm of a width that share a table."""
LOWEST = round(NARROWEST * UNIT)
WIDTHS = (round(WIDEST * UNIT) - LOWEST) // BIN + 1
"""Widths that are told apart."""
FRACTIONS = 8
"""Places between two whole numbers that are told apart where a mean lies."""


@dataclass(frozen=True)
class WholeGroup:
    """A `Group` of channels in whole numbers, float64 so that libraries multiply them."""

    before: np.ndarray
    """Weights of the logarithms of all channels before (features, channels x 9)."""
    own: np.ndarray
    """Weights of the logarithms and the numbers of the own channels (features, 2 x channels x 9)."""
    offsets: np.ndarray
    """By quality and turn (qualities, 3, features)."""
    out: np.ndarray
    """Weights of the answers: all means, then all widths (2 x channels, features)."""
    answers: np.ndarray
    """What is added to them, by quality (qualities, 2 x channels)."""

    @property
    def size(self) -> int:
        """Channels."""
        return len(self.out) // 2

    @property
    def start(self) -> int:
        """The first of its channels."""
        return self.before.shape[1] // 9


@dataclass(frozen=True)
class WholeContext:
    """`Context` in whole numbers: the same for a picture on every processor."""

    groups: tuple[WholeGroup, ...]
    logs: np.ndarray
    """log(1 + n) by n, in units; the last one for all larger numbers."""

    @classmethod
    def of(cls, context: Context) -> Self:
        """Return a learnt context as whole numbers."""
        logs = np.rint(np.log1p(np.arange(int(LARGEST) + 1)) * UNIT)
        return cls(tuple(_groups(context)), logs)

    def expected(
        self, features: "Features", group: WholeGroup, turn: int, quality: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the whole part of means, and the numbers of tables, (channels, places) each.

        Args:
            features: of the numbers that are known; those that are not may be anything but must be read as 0 here.
            group: whose turn it is.
            turn: 0 to 2; places are those of that turn, row by row.
        """
        hidden = group.before @ features.before(group, turn) + group.offsets[quality, turn][:, None]
        if turn:
            hidden = hidden + group.own @ features.own(group, turn)
        hidden = np.floor(np.maximum(hidden, 0) / WEIGHT)
        answers = np.floor((group.out @ hidden + group.answers[quality][:, None]) / WEIGHT).astype(np.int64)
        means, widths = answers[: group.size] + UNIT // 2, answers[group.size :]
        rows = np.clip((widths - LOWEST) // BIN, 0, WIDTHS - 1)
        return means // UNIT, rows * FRACTIONS + means % UNIT * FRACTIONS // UNIT

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all whole numbers by name, int32."""
        found = {"logs": self.logs}
        for number, group in enumerate(self.groups):
            found |= {f"{number}.{name}": value for name, value in vars(group).items()}
        return {name: value.astype(np.int32) for name, value in found.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Return what `arrays` gave."""
        numbers = sorted({int(name.partition(".")[0]) for name in arrays if "." in name})
        names = WholeGroup.__dataclass_fields__
        made = {name: value.astype(np.float64) for name, value in arrays.items()}
        groups = tuple(WholeGroup(**{name: made[f"{number}.{name}"] for name in names}) for number in numbers)
        return cls(groups, made["logs"])


class Features:
    """What is known of codes while they are written or read, as `WholeContext` sees it.

    Args:
        codes: whole numbers (channels, height, width); what is not known yet is 0, and `put` adds it.
    """

    def __init__(self, codes: np.ndarray, logs: np.ndarray) -> None:
        self.codes, self.table = codes, logs
        self.turns = phases(*codes.shape[1:]).numpy()
        bordered = (len(codes), codes.shape[1] + 2, codes.shape[2] + 2)
        self.logs, self.numbers = np.zeros(bordered), np.zeros(bordered)
        self.told: dict[int, np.ndarray] = {}

    def put(self, group: WholeGroup, turn: int) -> None:
        """Take in the codes of a group at the places of a turn."""
        own, places = slice(group.start, group.start + group.size), self.turns == turn
        codes = np.clip(self.codes[own][:, places], -int(LARGEST), int(LARGEST))
        self.logs[own, 1:-1, 1:-1][:, places] = self.table[np.abs(codes)]
        self.numbers[own, 1:-1, 1:-1][:, places] = codes * UNIT

    def before(self, group: WholeGroup, turn: int) -> np.ndarray:
        """Return the logarithms of all channels before around the places of a turn (channels x 9, places)."""
        return _around(self.logs[: group.start], self.turns == turn)

    def own(self, group: WholeGroup, turn: int) -> np.ndarray:
        """Return logarithms and numbers of the own channels (2 x channels x 9, places)."""
        own = slice(group.start, group.start + group.size)
        return _around(np.concatenate([self.logs[own], self.numbers[own]]), self.turns == turn)


def _around(maps: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the 3 x 3 numbers around places of bordered maps (channels, height, width), (channels x 9, places)."""
    height, width = places.shape
    seen = [maps[:, row : row + height, column : column + width][:, places] for row in range(3) for column in range(3)]
    return np.stack(seen, axis=1).reshape(len(maps) * 9, int(places.sum()))


def _groups(context: Context) -> list[WholeGroup]:
    """Return the groups of a context, as one of no features where widths hold everywhere."""
    widths = FASTER * _array(context.widths)
    if not context.groups:
        qualities, channels = widths.shape
        none, answers = np.zeros((0, 0)), np.concatenate([np.zeros_like(widths), widths], 1)
        whole = np.rint(answers * UNIT) * WEIGHT
        return [
            WholeGroup(
                none, np.zeros((0, 18 * channels)), np.zeros((qualities, TURNS, 0)), np.zeros((2 * channels, 0)), whole
            )
        ]
    return [_whole(group, widths) for group in context.groups]


def _whole(group: Any, widths: np.ndarray) -> WholeGroup:
    """Return a learnt group as whole numbers."""
    own = np.rint(_array(group.from_own * group.around) * WEIGHT)
    features = len(own)
    before = np.zeros((features, 0)) if group.from_before is None else np.rint(_array(group.from_before) * WEIGHT)
    offsets = np.rint((_array(group.of_quality)[:, None] + _array(group.of_turn)) * WEIGHT * UNIT)
    answers = np.concatenate(
        [np.zeros((len(widths), group.size)), widths[:, group.start : group.start + group.size]], 1
    )
    answers = np.rint((answers + _array(group.out.bias)) * WEIGHT * UNIT)
    out = np.rint(_array(group.out.weight)[:, :, 0, 0] * WEIGHT)
    made = WholeGroup(before.reshape(features, -1), own.reshape(features, -1), offsets, out, answers)
    largest = (np.abs(made.before).sum(1) + np.abs(made.own).sum(1)) * LARGEST * UNIT + np.abs(offsets).max((0, 1))
    if max(largest.max(), (np.abs(out) @ largest + np.abs(answers).max()).max()) >= EXACT:
        raise ConfigurationError(
            "weights of what foretells codes have grown too large for whole numbers",
            expected="sums below 2^52",
            found=f"{largest.max():.2g}",
            remedy="train again with a lower learning rate",
        )
    return made


def _array(tensor: Any) -> np.ndarray:
    found: np.ndarray = tensor.detach().double().cpu().numpy()
    return found
