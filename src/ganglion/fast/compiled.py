"""How kernels are compiled, and gate functions that vectorise. Imported only where Numba is installed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import llvmlite.binding
import numpy as np
from numba import njit

Kernel = Callable[..., Any]


# The pointwise part of a step touches up to fourteen rows; LLVM would rather not vectorise than compare that many.
for _option in ("-runtime-memory-check-threshold=256", "-hoist-runtime-checks=false"):
    llvmlite.binding.set_option("ganglion", _option)


_EDITION = crc32(b"".join(file.read_bytes() for file in sorted(Path(__file__).parent.rglob("*.py"))))
"""Numba keeps compiled functions by the file that they stand in, but functions of other files here go into them."""


def compiled(function: Kernel) -> Kernel:
    """Compile a function that holds no lock of Python's; NaN and infinity keep their meaning."""
    flags = {"contract", "arcp", "nsz"}
    function.__qualname__ = f"{function.__qualname__}-{_EDITION:08x}"
    return njit(nogil=True, error_model="numpy", fastmath=flags, cache=True)(function)


ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)
_LARGEST = np.float32(7.90531110763549805)
_ODD = [np.float32(value) for value in (
    4.89352455891786e-03, 6.37261928875436e-04, 1.48572235717979e-05, 5.12229709037114e-08, -8.60467152213735e-11,
    2.00018790482477e-13, -2.76076847742355e-16,
)]  # fmt: skip
_EVEN = [
    np.float32(value)
    for value in (4.89352518554385e-03, 2.26843463243900e-03, 1.18534705686654e-04, 1.19825839466702e-06)
]
_A1, _A3, _A5, _A7, _A9, _A11, _A13 = _ODD
_B0, _B2, _B4, _B6 = _EVEN


@njit(fastmath={"arcp", "ninf", "contract"}, error_model="numpy")
def _quotient(x: Any, y: Any) -> Any:
    """Return x / y by the processor's estimate of 1 / y and a step of Newton's, for numbers that are finite or NaN."""
    return x / y


@compiled
def tanh(x: Any) -> Any:
    """Return tanh x to a few units of the last place, without a branch: the rational function that Eigen uses."""
    x = _LARGEST if x > _LARGEST else x  # Written so that NaN stays NaN.
    x = -_LARGEST if x < -_LARGEST else x
    square = x * x
    odd = _A13 * square + _A11
    odd = odd * square + _A9
    odd = odd * square + _A7
    odd = odd * square + _A5
    odd = odd * square + _A3
    odd = odd * square + _A1
    even = ((_B6 * square + _B4) * square + _B2) * square + _B0
    return _quotient(x * odd, even)


@compiled
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)) as tanh of half the argument."""
    return HALF * tanh(HALF * x) + HALF
