"""What compiled scans are made of: a matrix product that stays in registers, and gate functions that vectorise.

Imported only where Numba is installed. Everything here is single precision: the sums of sixteen-bit networks too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

Kernel = Callable[..., Any]


# The pointwise part of a step touches up to fourteen rows; LLVM would rather not vectorise than compare that many.
for _option in ("-runtime-memory-check-threshold=256", "-hoist-runtime-checks=false"):
    llvmlite.binding.set_option("ganglion", _option)


_EDITION = crc32(Path(__file__).read_bytes())
"""Numba keeps compiled functions by the file that they stand in, but this file goes into all of them."""


def compiled(function: Kernel) -> Kernel:
    """Compile a function that holds no lock of Python's; NaN and infinity keep their meaning."""
    flags = {"contract", "arcp", "nsz"}
    function.__qualname__ = f"{function.__qualname__}-{_EDITION:08x}"
    return njit(nogil=True, error_model="numpy", fastmath=flags, cache=True)(function)


def _register_tile() -> tuple[int, int, int]:
    """Return rows, vectors and lanes of the block of sums that fills this processor's registers."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 8, 2, 16
    return (6, 2, 8) if features.get("avx2") else (8, 2, 4)


ROWS, _VECTORS, _LANES = _register_tile()
COLUMNS = _VECTORS * _LANES
"""Columns of a panel of packed weights."""


def _block_product(rows: int) -> Kernel:
    """Return an intrinsic for out = start + left @ panel, of `rows` rows and `COLUMNS` columns.

    The sums of a block are kept in vector registers over the whole depth, which no loop that LLVM vectorises by itself
    achieves. Every sum runs over the depth in the same order whatever `rows` is, so results do not depend on how the
    batch is cut.
    """
    vector, index = ir.VectorType(ir.FloatType(), _LANES), ir.IntType(64)

    @intrinsic
    def block(
        _: Any,
        left: Any,
        left_stride: Any,
        panel: Any,
        start: Any,
        start_stride: Any,
        out: Any,
        out_stride: Any,
        depth: Any,
    ) -> Any:
        stride = types.intp
        signature = types.void(left, stride, panel, start, stride, out, stride, stride)

        def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
            left, left_stride, panel, start, start_stride, out, out_stride, depth = arguments
            fma = cgutils.get_or_insert_function(
                build.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{_LANES}f32"
            )

            def row(base: Any, stride: Any, number: int) -> Any:
                return build.gep(base, [build.mul(index(number), stride)])

            def vectors(base: Any) -> list[Any]:
                places = [build.gep(base, [index(place * _LANES)]) for place in range(_VECTORS)]
                return [build.bitcast(place, vector.as_pointer()) for place in places]

            def spread(place: Any) -> Any:
                none = ir.Constant(vector, ir.Undefined)
                first = build.insert_element(none, build.load(place), ir.IntType(32)(0))
                zeros = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
                return build.shuffle_vector(first, none, zeros)

            sums = [[cgutils.alloca_once(build, vector) for _ in range(_VECTORS)] for _ in range(rows)]
            for number in range(rows):
                for total, place in zip(sums[number], vectors(row(start, start_stride, number)), strict=True):
                    build.store(build.load(place, align=4), total)
            lefts = [row(left, left_stride, number) for number in range(rows)]
            with cgutils.for_range(build, depth) as loop:
                for place in vectors(row(panel, build.add(depth, loop.index), COLUMNS)):
                    _prefetch(build, place)
                right = [build.load(place, align=4) for place in vectors(row(panel, loop.index, COLUMNS))]
                for number in range(rows):
                    factor = spread(build.gep(lefts[number], [loop.index]))
                    for total, weights in zip(sums[number], right, strict=True):
                        build.store(build.call(fma, [factor, weights, build.load(total)]), total)
            for number in range(rows):
                for total, place in zip(sums[number], vectors(row(out, out_stride, number)), strict=True):
                    build.store(build.load(total), place, align=4)
            return context.get_dummy_value()

        return signature, generate

    return block


@intrinsic
def _address(_: Any, array: Any, offset: Any) -> Any:
    """Return the address of an element of an array."""

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, build, arguments[0]).data
        return build.gep(data, [arguments[1]])

    return types.CPointer(types.float32)(array, types.intp), generate


def _prefetch(build: Any, place: Any) -> None:
    """Ask for what the next panel needs: weights that do not fit the cache of a core stream past it at every step."""
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    signature = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    fetch = cgutils.get_or_insert_function(build.module, signature, "llvm.prefetch.p0")
    build.call(fetch, [build.bitcast(place, byte), word(0), word(2), word(1)])  # to read, into the second cache, data


_block, _one_row = _block_product(ROWS), _block_product(1)
at: Kernel = _address


@compiled
def product(left: Any, packed: Any, start: Any, out: Any) -> None:
    """Compute out = start + left @ weight.

    Args:
        left: (rows, depth).
        packed: the weight as `products.pack` lays it out, (panels, depth, COLUMNS).
        start: (rows, width); may be `out`.
        out: (rows, width), with width at most panels * COLUMNS.
    """
    rows, depth = left.shape
    width = out.shape[1]
    whole, rest = width // COLUMNS, width % COLUMNS
    for panel in range(whole):
        column = panel * COLUMNS
        weight = at(packed, panel * depth * COLUMNS)
        row = 0
        while row + ROWS <= rows:
            _block(
                at(left, row * depth),
                depth,
                weight,
                at(start, row * width + column),
                width,
                at(out, row * width + column),
                width,
                depth,
            )
            row += ROWS
        while row < rows:
            _one_row(
                at(left, row * depth),
                depth,
                weight,
                at(start, row * width + column),
                width,
                at(out, row * width + column),
                width,
                depth,
            )
            row += 1
    if rest:
        _last_panel(left, packed[whole], start, out, rest)


@compiled
def _last_panel(left: Any, panel: Any, start: Any, out: Any, rest: int) -> None:
    """Compute the last `rest` columns, which are fewer than a panel has."""
    depth, first = left.shape[1], out.shape[1] - rest
    sums = np.zeros(COLUMNS, np.float32)
    for row in range(left.shape[0]):
        for column in range(rest):
            sums[column] = start[row, first + column]
        _one_row(
            at(left, row * depth),
            depth,
            at(panel, 0),
            at(sums, 0),
            COLUMNS,
            at(sums, 0),
            COLUMNS,
            depth,
        )
        for column in range(rest):
            out[row, first + column] = sums[column]


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
