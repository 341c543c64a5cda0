"""Products of a few rows with a packed weight that is used again at every step.

Single-precision weights are multiplied in vector registers. Weights of sixteen bits are multiplied in the tiles of
processors that have them (AMX); their sums are single precision too.
"""

import ctypes
import os
import platform
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic, overload

from ganglion.fast.compiled import Kernel, compiled


def product(left: Any, packed: Any, start: Any, out: Any) -> None:
    """Compute out = start + left @ weight, in kernels only.

    Args:
        left: (rows, depth), of single precision or of words of sixteen bits.
        packed: the weight as `products.pack` lays it out: panels of single precision, or of pairs of sixteen bits.
        start: (rows, width); may be `out`.
        out: (rows, width).
    """
    raise NotImplementedError


@overload(product)
def _product(left: Any, packed: Any, start: Any, out: Any) -> Kernel:
    if left.dtype == types.float32:
        chosen = _product_of_singles if packed.dtype == types.float32 else _product_of_pairs
    else:
        chosen = _product_of_widened if packed.dtype == types.float32 else _product_of_words

    def implementation(left: Any, packed: Any, start: Any, out: Any) -> None:
        chosen(left, packed, start, out)

    return implementation


@cache
def _features() -> frozenset[str]:
    """Return what kernels may use of this processor: what it has, or what `NUMBA_CPU_FEATURES` says that it has."""
    asked_for: str | None = config.CPU_FEATURES  # type: ignore[attr-defined]
    text = get_host_cpu_features() if asked_for is None else asked_for
    return frozenset(feature[1:] for feature in text.split(",") if feature.startswith("+"))


def _register_tile() -> tuple[int, int, int]:
    """Return rows, vectors and lanes of the block of sums that fills this processor's registers."""
    if "avx512f" in _features():
        return 8, 2, 16
    return (6, 2, 8) if "avx2" in _features() else (8, 2, 4)


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
        _: Any, left: Any, left_stride: Any, panel: Any, start: Any, start_stride: Any, out: Any, out_stride: Any,
        depth: Any,
    ) -> Any:  # fmt: skip
        stride = types.intp
        signature = types.void(left, stride, panel, start, stride, out, stride, stride)

        def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
            left, left_stride, panel, start, start_stride, out, out_stride, depth = arguments
            kind = ir.FunctionType(vector, [vector] * 3)
            fma = cgutils.get_or_insert_function(build.module, kind, f"llvm.fma.v{_LANES}f32")

            def row(base: Any, stride: Any, number: int) -> Any:
                return build.gep(base, [build.mul(index(number), stride)])

            def vectors(base: Any) -> list[Any]:
                places = [build.gep(base, [index(place * _LANES)]) for place in range(_VECTORS)]
                return [build.bitcast(place, vector.as_pointer()) for place in places]

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
                    factor = _spread(build, build.gep(lefts[number], [loop.index]))
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


def _spread(build: Any, place: Any) -> Any:
    """Return a vector of the same number in all lanes."""
    none = ir.Constant(ir.VectorType(ir.FloatType(), _LANES), ir.Undefined)
    first = build.insert_element(none, build.load(place), ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    return build.shuffle_vector(first, none, zeros)


def _prefetch(build: Any, place: Any) -> None:
    """Ask for what the next panel needs: weights that do not fit the cache of a core stream past it at every step."""
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    signature = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    fetch = cgutils.get_or_insert_function(build.module, signature, "llvm.prefetch.p0")
    build.call(fetch, [build.bitcast(place, byte), word(0), word(2), word(1)])  # to read, into the second cache, data


_block, _one_row = _block_product(ROWS), _block_product(1)
at: Kernel = _address


@compiled
def _product_of_singles(left: Any, packed: Any, start: Any, out: Any) -> None:
    depth, width = left.shape[1], out.shape[1]
    whole, rest = width // COLUMNS, width % COLUMNS
    for panel in range(whole):
        _panel_product(left, at(packed, panel * depth * COLUMNS), start, out, panel * COLUMNS)
    if rest:
        _last_panel(left, packed[whole], start, out, rest)


@compiled
def _panel_product(left: Any, weight: Any, start: Any, out: Any, column: int) -> None:
    """Compute the columns of one panel, which begin at `column`."""
    (rows, depth), width = left.shape, out.shape[1]
    row = 0
    while row < rows:
        source, begin, end = at(left, row * depth), at(start, row * width + column), at(out, row * width + column)
        if row + ROWS <= rows:
            _block(source, depth, weight, begin, width, end, width, depth)
            row += ROWS
        else:
            _one_row(source, depth, weight, begin, width, end, width, depth)
            row += 1


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


TILE = 16
"""Rows of a tile, and columns of one of sums."""
_SHAPES = np.zeros(64, np.uint8)
_SHAPES[0] = 1
_SHAPES[16:32:2] = 4 * TILE  # bytes in a row of each of the eight tiles
_SHAPES[48:56] = TILE


@cache
def has_tiles() -> bool:
    """Return whether this processor multiplies tiles of sixteen-bit numbers and the system lets this process do so."""
    if not ("amx-bf16" in _features() and platform.machine() == "x86_64" and os.name == "posix"):
        return False
    arch_prctl, ask_for_state, tile_data = 158, 0x1023, 18
    return ctypes.CDLL(None).syscall(arch_prctl, ask_for_state, tile_data) == 0


def _tile_instruction(build: Any, name: str, *arguments: Any) -> None:
    signature = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
    build.call(cgutils.get_or_insert_function(build.module, signature, f"llvm.x86.{name}"), arguments)


@intrinsic
def _configure(_: Any, shapes: Any) -> Any:
    """Give the tiles their shapes."""

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, build, arguments[0]).data
        _tile_instruction(build, "ldtilecfg", build.bitcast(data, ir.IntType(8).as_pointer()))
        return context.get_dummy_value()

    return types.void(shapes), generate


@intrinsic
def _release(_: Any) -> Any:
    """Give the tiles back, so that threads are switched without saving them."""

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        _tile_instruction(build, "tilerelease")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _tiles(
    _: Any, left: Any, left_stride: Any, panel: Any, start: Any, start_stride: Any, out: Any, out_stride: Any,
    pairs: Any,
) -> Any:  # fmt: skip
    """Compute out = start + left @ panel for two tiles by two; strides are bytes, `pairs` the steps of 32 in depth."""
    number = types.intp
    signature = types.void(left, number, panel, start, number, out, number, number)

    def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
        left, left_stride, panel, start, start_stride, out, out_stride, pairs = arguments
        byte, index, tile = ir.IntType(8).as_pointer(), ir.IntType(64), ir.IntType(8)
        left, panel, start, out = (build.bitcast(base, byte) for base in (left, panel, start, out))
        row_bytes = 4 * TILE

        def place(base: Any, stride: Any, down: int, right: Any) -> Any:
            return build.gep(base, [build.add(build.mul(index(down * TILE), stride), right)])

        corners = [(down, right) for down in range(2) for right in range(2)]
        for number, (down, right) in enumerate(corners):
            corner = place(start, start_stride, down, index(right * row_bytes))
            _tile_instruction(build, "tileloadd64", tile(number), corner, start_stride)
        with cgutils.for_range(build, pairs) as loop:
            along = build.mul(loop.index, index(row_bytes))
            below = build.mul(loop.index, index(2 * TILE * row_bytes))
            for half in range(2):
                _tile_instruction(
                    build, "tileloadd64", tile(4 + half), place(left, left_stride, half, along), left_stride
                )
                weights = build.gep(panel, [build.add(below, index(half * row_bytes))])
                _tile_instruction(build, "tileloadd64", tile(6 + half), weights, index(2 * row_bytes))
            for number, (down, right) in enumerate(corners):
                _tile_instruction(build, "tdpbf16ps", tile(number), tile(4 + down), tile(6 + right))
        for number, (down, right) in enumerate(corners):
            corner = place(out, out_stride, down, index(right * row_bytes))
            _tile_instruction(build, "tilestored64", tile(number), corner, out_stride)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _data(_: Any, array: Any, offset: Any) -> Any:
    """Return the address of an element of an array of any kind."""

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        data = cgutils.create_struct_proxy(signature.args[0])(context, build, arguments[0]).data
        return build.bitcast(build.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())

    return types.voidptr(array, types.intp), generate


configure: Kernel = _configure
release: Kernel = _release
tiles: Kernel = _tiles
data: Kernel = _data


@compiled
def widen(halves: Any, out: Any) -> None:
    """Turn words of sixteen bits, (rows, columns), into single precision."""
    for row in range(halves.shape[0]):
        words = out[row].view(np.uint32)
        for column in range(halves.shape[1]):
            words[column] = np.uint32(halves[row, column]) << np.uint32(16)


@compiled
def _product_of_widened(left: Any, packed: Any, start: Any, out: Any) -> None:
    wide = np.empty(left.shape, np.float32)
    widen(left, wide)
    _product_of_singles(wide, packed, start, out)


@compiled
def _product_of_pairs(left: Any, packed: Any, start: Any, out: Any) -> None:
    words = np.zeros((_whole(len(left)), 2 * packed.shape[1]), np.uint16)
    shorten(left, words)
    _product_in_tiles(words, packed, start, out)


@compiled
def _product_of_words(left: Any, packed: Any, start: Any, out: Any) -> None:
    rows, depth = left.shape
    if rows == _whole(rows) and depth == 2 * packed.shape[1]:
        _product_in_tiles(left, packed, start, out)
    else:
        words = np.zeros((_whole(rows), 2 * packed.shape[1]), np.uint16)
        words[:rows, :depth] = left
        _product_in_tiles(words, packed, start, out)


@compiled
def _whole(rows: int) -> int:
    """Return the rows of as many tiles as these rows need."""
    return -(-rows // (2 * TILE)) * 2 * TILE


@compiled
def _product_in_tiles(words: Any, packed: Any, start: Any, out: Any) -> None:
    """Multiply words of sixteen bits that fill whole tiles."""
    (rows, width), panels, side = out.shape, packed.shape[0], 2 * TILE
    configure(_SHAPES)
    if rows == len(words) and width == panels * side:
        _all_tiles(words, packed, start, out)
    else:
        sums = np.zeros((len(words), panels * side), np.float32)
        sums[:rows, :width] = start
        _all_tiles(words, packed, sums, sums)
        out[:] = sums[:rows, :width]
    release()


@compiled
def _all_tiles(left: Any, packed: Any, start: Any, out: Any) -> None:
    side = 2 * TILE
    panels, half_depth = packed.shape[:2]
    depth, stride = 2 * half_depth, 4 * out.shape[1]
    for panel in range(panels):
        weights = data(packed, panel * half_depth * 2 * side)
        for row in range(0, len(out), side):
            place = row * out.shape[1] + panel * side
            tiles(
                data(left, row * depth),
                2 * depth,
                weights,
                data(start, place),
                stride,
                data(out, place),
                stride,
                depth // side,
            )


@compiled
def shorten(numbers: Any, rounded: Any) -> None:
    """Round (rows, columns) to words of sixteen bits, to the nearest, ties to even; NaN stays NaN."""
    bits = numbers.view(np.uint32)
    for row in range(bits.shape[0]):
        for column in range(bits.shape[1]):
            word = bits[row, column]
            odd = (word >> np.uint32(16)) & np.uint32(1)
            nearest = (word + np.uint32(0x7FFF) + odd) >> np.uint32(16)
            is_number = (word & np.uint32(0x7FFFFFFF)) <= np.uint32(0x7F800000)
            rounded[row, column] = nearest if is_number else (word >> np.uint32(16)) | np.uint32(0x40)
