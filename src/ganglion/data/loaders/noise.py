"""Random numbers as pure functions of where they are used: no state, no order, the same on every device."""

import zlib

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15
MIX_1, MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
MASK = (1 << 64) - 1


def mixed_seed(*parts: int) -> int:
    """Return one 64-bit seed of several whole numbers, so that (0, 1) and (1, 0) have nothing in common.

    >>> mixed_seed(0, 1) == mixed_seed(1, 0)
    False
    """
    state = 0
    for part in parts:
        state = _mix_number((state ^ (part & MASK)) + GOLDEN & MASK)
    return state


def uniforms(seed: int, epoch: int, index: Tensor, count: int, stream: int = 0) -> Tensor:
    """Return numbers in [0, 1) that depend on (seed, epoch, index) only: a counter-based generator.

    SplitMix64 finaliser of `key + counter * golden`, where the key hashes seed, epoch and stream.

    Args:
        index: place of every sample in its set `(batch,)`; it alone tells samples of one epoch apart.
        count: numbers per sample.
        stream: tells apart what numbers are drawn for; those of different streams have nothing in common.

    Returns:
        `(batch, count)` float32 on the device of `index`.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014.

    >>> both = uniforms(0, 3, torch.tensor([7, 9]), 2)
    >>> torch.equal(both[1:], uniforms(0, 3, torch.tensor([9]), 2))
    True
    """
    key = _signed(mixed_seed(seed, epoch, stream) if stream else mixed_seed(seed, epoch))
    counter = index.to(torch.int64).unsqueeze(1) * count + torch.arange(1, count + 1, device=index.device)
    bits = _mix(counter * _signed(GOLDEN) + key)  # (batch, count)
    return ((bits >> 40) & 0xFFFFFF).to(torch.float32) / (1 << 24)


def normals(seed: int, epoch: int, index: Tensor, count: int, stream: int = 0) -> Tensor:
    """Return numbers of mean 0 and deviation 1, as `uniforms` does: `sqrt(-2 log u) (cos, sin)(2 pi v)`.

    Source: Box and Muller, A note on the generation of random normal deviates, 1958.

    >>> both = normals(0, 3, torch.tensor([7, 9]), 3)
    >>> torch.equal(both[1:], normals(0, 3, torch.tensor([9]), 3))
    True
    """
    half = (count + 1) // 2
    u, v = uniforms(seed, epoch, index, 2 * half, stream).split(half, dim=1)
    radius, angle = (-2 * (1 - u).log()).sqrt(), 2 * torch.pi * v
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :count]


def named_stream(name: str) -> int:
    """Return the stream of numbers that belongs to a name."""
    return zlib.crc32(name.encode()) + 1


def _mix(state: Tensor) -> Tensor:
    """Apply the finaliser; int64 arithmetic wraps, and the mask turns its arithmetic shift into a logical one."""
    state = (state ^ ((state >> 30) & (MASK >> 30))) * _signed(MIX_1)
    state = (state ^ ((state >> 27) & (MASK >> 27))) * _signed(MIX_2)
    return state ^ ((state >> 31) & (MASK >> 31))


def _mix_number(state: int) -> int:
    state = (state ^ (state >> 30)) * MIX_1 & MASK
    state = (state ^ (state >> 27)) * MIX_2 & MASK
    return state ^ (state >> 31)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
