"""A file that was exported, asked beside its network: by another program, about samples of many sizes."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganglion.errors import ExportError
from ganglion.runs.export.interface import BATCH, BOXES, HEIGHT, TIME, WIDTH, Input, Sizes
from ganglion.runs.export.whole import Whole

TOLERANCE = 1e-5
AS_TORCH, MOST = 4.0, 1e-4
"""Times as far from a network as that itself is from double precision a file may be; and how far at most.

A sharp attention makes much of little: there two orders of addition lie further apart than usual.
"""
BATCHES = (1, 3, 17)
Asks = Callable[[Sequence[Tensor]], list[Tensor]]
"""From inputs to outputs, in their order."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a file was tried on, and how far it is from its network."""

    difference: float
    """Largest |a - b| / max(1, max |b|) of outputs a of the file and b of the network."""
    batches: tuple[int, ...]
    lengths: tuple[int, ...] = ()
    """Steps of the sequences; none where the network reads none."""
    sides: tuple[int, ...] = ()
    """Heights of the pictures; none where they have one size."""


def proven(file: Asks, network: Whole, inputs: Sequence[Input], tolerance: float = TOLERANCE) -> Proof:
    """Return how near a file is to its network.

    Raises:
        ExportError: it is further away than the tolerance and than rounding explains, or answers with another shape.
    """
    generator = torch.Generator().manual_seed(1)
    lengths, sides = _lengths(network, inputs), _sides(inputs)
    tried: list[Sizes] = [{}, *({BATCH: batch} for batch in BATCHES)]
    tried += [{BATCH: 3, TIME: length} for length in lengths]
    tried += [{BATCH: 2, HEIGHT: side, WIDTH: 2 * side} for side in sides]
    tried += [{BATCH: 2, BOXES: count} for count in (2, 9) if any(BOXES in one.axes.values() for one in inputs)]
    worst = 0.0
    for sizes in tried:
        given = network.drawn(inputs, sizes, generator)
        with torch.inference_mode():
            expected = network(*given)
        found = _differences(file(given), expected, sizes)
        worst, allowed = max(worst, *found), [tolerance] * len(found)
        if max(found) > tolerance:
            own = _roundings(network, given, expected, sizes)
            allowed = [max(tolerance, min(AS_TORCH * one, MOST)) for one in own]
        if any(one > most for one, most in zip(found, allowed, strict=True)):
            raise ExportError(
                "the exported file does not answer as its network does, and is not kept",
                where=", ".join(f"{name} {size}" for name, size in sizes.items()),
                expected=f"a difference of at most {tolerance:g}",
                found=f"{max(found):.2g}",
                remedy="ganglion export RUN safetensors takes the weights out",
            )
    return Proof(difference=worst, batches=BATCHES, lengths=lengths, sides=sides)


def _roundings(network: Whole, given: Sequence[Tensor], found: Sequence[Tensor], sizes: Sizes) -> list[float]:
    """Return how far the outputs of a network are from those in double precision; 0 where it knows single alone."""
    precise = copy.deepcopy(network).double()
    try:
        with torch.inference_mode():
            exact = precise(*(one.double() if one.is_floating_point() else one for one in given))
    except RuntimeError:
        return [0.0] * len(found)
    return _differences(found, exact, sizes)


def _differences(found: Sequence[Tensor], expected: Sequence[Tensor], sizes: Sizes) -> list[float]:
    differences = []
    for one, other in zip(found, expected, strict=True):
        if one.shape != other.shape:
            raise ExportError(
                "the exported file answers with another shape than its network, and is not kept",
                where=", ".join(f"{name} {size}" for name, size in sizes.items()),
                expected=str(tuple(other.shape)),
                found=str(tuple(one.shape)),
                remedy="ganglion export RUN safetensors takes the weights out",
            )
        a, b = one.double().numpy(), other.double().numpy()
        same = np.isclose(a, b, rtol=0, atol=0, equal_nan=True)  # infinities of one sign, too
        with np.errstate(invalid="ignore"):
            apart = np.where(same, 0.0, np.abs(a - b))
        apart[np.isnan(apart)] = np.inf  # `max` passes over what is no number
        largest = np.abs(b[np.isfinite(b)]).max(initial=1.0)
        differences.append(float(apart.max(initial=0.0) / largest))
    return differences


def _lengths(network: Whole, inputs: Sequence[Input]) -> tuple[int, ...]:
    """Return three lengths of sequences to try: the shortest that the network takes, the usual one, and twice that."""
    read = [one for one in inputs if not one.part]
    timed = [(one.example, axis) for one in read for axis, name in one.axes.items() if name.startswith(TIME)]
    if not timed:
        return ()
    (example, axis), *_ = timed
    usual = example.shape[axis]
    if example.dim() == 2 and example.is_floating_point():
        return usual // 2, usual, 2 * usual  # of a sound that is over at once nothing but rounding is heard
    generator = torch.Generator().manual_seed(2)
    for shortest in (*range(1, min(usual, 8)), *range(8, usual, 8)):
        given = network.drawn(inputs, {TIME: shortest}, generator)
        try:
            with torch.inference_mode():
                network(*given)
        except Exception:
            continue
        return shortest, usual, 2 * usual
    return usual, 2 * usual, 3 * usual


def _sides(inputs: Sequence[Input]) -> tuple[int, ...]:
    """Return heights of pictures to try, of those that may have any; they are twice as wide."""
    usual = next((one.example.shape[2] for one in inputs if HEIGHT in one.axes.values()), 0)
    return (usual, 2 * usual) if usual else ()
