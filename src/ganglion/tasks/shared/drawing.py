"""Random draws of which each is a function of the seed and its own number, however many are made with it."""

from collections.abc import Iterator

import torch

from ganglion.data.loaders.noise import mixed_seed


def generators(count: int, seed: int, device: torch.device | str = "cpu") -> Iterator[torch.Generator]:
    """Yield a generator for each of `count` draws.

    >>> one, two = ([float(torch.rand((), generator=each)) for each in generators(count, 0)] for count in (1, 2))
    >>> one == two[:1]
    True
    """
    for number in range(count):
        yield torch.Generator(device).manual_seed(mixed_seed(seed, number))


def numbered(count: int, seed: int) -> list[str]:
    """Return what samples drawn with a seed are called, in an order that sorts.

    >>> numbered(2, seed=7)
    ['0000-seed7', '0001-seed7']
    """
    digits = max(4, len(str(count - 1)))
    return [f"{number:0{digits}}-seed{seed}" for number in range(count)]
