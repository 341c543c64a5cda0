"""The innermost operations of compiled convolutions, written as instructions so that sums stay in vector registers.

Everything works on panels: a fixed number of neighbouring columns that one row of registers holds.
"""

from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ganglion.fast.compiled import Kernel, compiled
from ganglion.fast.packed_product import COLUMNS, ROWS

WIDTHS = (COLUMNS, COLUMNS // 2, COLUMNS // 4)
"""Columns that a panel may have: two vectors, one, or half of one."""

SCALED = 128
"""Bit of a winner; windows have at most so many positions."""

_BYTE, _INDEX, _FLOAT = ir.IntType(8), ir.IntType(64), ir.FloatType()


def _load(build: Any, base: Any, offset: Any, kind: Any) -> Any:
    """Return the numbers of this kind at an element of the kind's elements."""
    element = getattr(kind, "element", kind)
    place = build.gep(build.bitcast(base, element.as_pointer()), [offset])
    return build.load(build.bitcast(place, kind.as_pointer()), align=element.width // 8 if element != _FLOAT else 4)


def _store(build: Any, value: Any, base: Any, offset: Any) -> None:
    element = value.type.element
    place = build.gep(build.bitcast(base, element.as_pointer()), [offset])
    build.store(value, build.bitcast(place, value.type.as_pointer()), align=1 if element == _BYTE else 4)


def _spread(build: Any, value: Any, lanes: int) -> Any:
    """Return a vector of the same number in all lanes."""
    none = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return build.shuffle_vector(build.insert_element(none, value, ir.IntType(32)(0)), none, zeros)


def _block_sums(width: int) -> Kernel:
    """Return an intrinsic for out[r] = start[r] + sum_d left[rows[r] + depths[d]] panel[d], for `ROWS` rows.

    A convolution has the places of the kernel as its depth, the gradient of its weight the positions of the map; both
    find their inputs by the sum of two offsets.
    """
    lanes = min(width, COLUMNS // 2)
    vector, vectors = ir.VectorType(_FLOAT, lanes), range(0, width, lanes)

    @intrinsic
    def block(
        _: Any, left: Any, rows: Any, depths: Any, depth: Any, panel: Any, start: Any, start_stride: Any, out: Any,
        out_stride: Any,
    ) -> Any:  # fmt: skip
        pointer, number = types.voidptr, types.intp
        signature = types.void(pointer, pointer, pointer, number, pointer, pointer, number, pointer, number)

        def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
            left, rows, depths, depth, panel, start, start_stride, out, out_stride = arguments
            fma = cgutils.get_or_insert_function(
                build.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f32"
            )
            left = build.bitcast(left, _FLOAT.as_pointer())
            lefts = [build.gep(left, [_load(build, rows, _INDEX(row), _INDEX)]) for row in range(ROWS)]
            sums = [[cgutils.alloca_once(build, vector) for _ in vectors] for _ in range(ROWS)]
            for row in range(ROWS):
                for total, column in zip(sums[row], vectors, strict=True):
                    place = build.add(build.mul(_INDEX(row), start_stride), _INDEX(column))
                    build.store(_load(build, start, place, vector), total)
            with cgutils.for_range(build, depth) as loop:
                begin = build.mul(loop.index, _INDEX(width))
                right = [_load(build, panel, build.add(begin, _INDEX(column)), vector) for column in vectors]
                offset = _load(build, depths, loop.index, _INDEX)
                for row in range(ROWS):
                    factor = _spread(build, build.load(build.gep(lefts[row], [offset]), align=4), lanes)
                    for total, weights in zip(sums[row], right, strict=True):
                        build.store(build.call(fma, [factor, weights, build.load(total)]), total)
            for row in range(ROWS):
                for total, column in zip(sums[row], vectors, strict=True):
                    place = build.add(build.mul(_INDEX(row), out_stride), _INDEX(column))
                    _store(build, build.load(total), out, place)
            return context.get_dummy_value()

        return signature, generate

    return block


def _masked(build: Any, name: str, kind: Any, arguments: list[Any]) -> Any:
    lanes = arguments[-1].type.count
    signature = ir.FunctionType(kind, [argument.type for argument in arguments])
    return build.call(
        cgutils.get_or_insert_function(build.module, signature, f"llvm.masked.{name}.v{lanes}f32.p0"), arguments
    )


def _first_lanes(build: Any, count: Any, lanes: int) -> Any:
    """Return a mask of the first `count` lanes."""
    word = ir.IntType(32)
    numbers = ir.Constant(ir.VectorType(word, lanes), list(range(lanes)))
    return build.icmp_signed("<", numbers, _spread(build, build.trunc(count, word), lanes))


def _window_maximum(width: int) -> Kernel:
    """Return an intrinsic that takes the largest over each window of a row of windows, and rectifies it.

    out = f(max_p sums[p]), winner = the first p of the largest, or the last NaN; f(x) = x above zero, slope x below.
    The winner's highest bit says that its gradient is to be scaled by the slope.
    """
    vector, bytes_ = ir.VectorType(_FLOAT, width), ir.VectorType(_BYTE, width)

    @intrinsic
    def window_maximum(
        _: Any, windows: Any, sums: Any, line: Any, step: Any, height: Any, across: Any, slope: Any, count: Any,
        out: Any, out_step: Any, winner: Any, winner_step: Any,
    ) -> Any:  # fmt: skip
        pointer, number = types.voidptr, types.intp
        signature = types.void(
            number, pointer, number, number, number, number, types.float32, number, pointer, number, pointer, number
        )

        def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
            windows, sums, line, step, height, across, slope, count, out, out_step, winner, winner_step = arguments
            best, place = cgutils.alloca_once(build, vector), cgutils.alloca_once(build, bytes_)
            mask = _first_lanes(build, count, width)
            is_zero = _spread(build, build.fcmp_ordered("==", slope, _FLOAT(0.0)), width)
            unscaled, to_be_scaled = (ir.Constant(bytes_, [bit] * width) for bit in (0, SCALED))
            with cgutils.for_range(build, windows) as window:
                first = build.mul(window.index, step)
                build.store(_load(build, sums, first, vector), best)
                build.store(ir.Constant(bytes_, [0] * width), place)
                for offset, here in _within_window(build, line, height, across, width):
                    value, largest = _load(build, sums, build.add(first, offset), vector), build.load(best)
                    nan = build.fcmp_unordered("uno", value, value)
                    larger = build.or_(build.fcmp_ordered(">", value, largest), nan)
                    build.store(build.select(larger, value, largest), best)
                    build.store(build.select(larger, here, build.load(place)), place)
                value, zero = build.load(best), ir.Constant(vector, [0.0] * width)
                scaled = _scaled(build, value, slope)
                rectified = build.select(build.fcmp_ordered("<", value, zero), scaled, value)
                target = build.gep(build.bitcast(out, _FLOAT.as_pointer()), [build.mul(window.index, out_step)])
                target = build.bitcast(target, vector.as_pointer())
                _masked(build, "store", ir.VoidType(), [rectified, target, ir.IntType(32)(4), mask])
                # torch lets the gradient through where a rectified value is NaN, and scales it where a leaky one is.
                nan = build.and_(is_zero, build.fcmp_unordered("uno", value, value))
                above = build.or_(nan, build.fcmp_ordered(">", value, zero))
                note = build.or_(build.load(place), build.select(above, unscaled, to_be_scaled))
                _store(build, note, winner, build.mul(window.index, winner_step))
            return context.get_dummy_value()

        return signature, generate

    return window_maximum


def _within_window(build: Any, line: Any, height: Any, across: Any, width: int) -> Iterator[tuple[Any, Any]]:
    """Loop over the positions of a window; yield each one's offset and its number, in all lanes."""
    with cgutils.for_range(build, height) as down, cgutils.for_range(build, across) as right:
        offset = build.add(build.mul(down.index, line), build.mul(right.index, _INDEX(width)))
        number = build.trunc(build.add(build.mul(down.index, across), right.index), _BYTE)
        yield offset, _spread(build, number, width)


def _scaled(build: Any, value: Any, slope: Any) -> Any:
    """Return slope x, and zero for a slope of zero, whatever x is."""
    zero = ir.Constant(value.type, [0.0] * value.type.count)
    scaled = build.fmul(value, _spread(build, slope, value.type.count))
    return build.select(build.fcmp_ordered("==", slope, _FLOAT(0.0)), zero, scaled)


def _window_slopes(width: int) -> Kernel:
    """Return an intrinsic that gives the slopes of a row of windows to the positions that the maxima came from."""
    vector, bytes_ = ir.VectorType(_FLOAT, width), ir.VectorType(_BYTE, width)

    @intrinsic
    def window_slopes(
        _: Any, windows: Any, slopes: Any, out_step: Any, winner: Any, winner_step: Any, slope: Any,
        count: Any, bias: Any, sums: Any, line: Any, step: Any, height: Any, across: Any,
    ) -> Any:  # fmt: skip
        pointer, number = types.voidptr, types.intp
        signature = types.void(
            number, pointer, number, pointer, number, types.float32, number, pointer, pointer, number, number, number,
            number,
        )  # fmt: skip

        def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
            windows, slopes, out_step, winner, winner_step, slope, count, bias, sums = arguments[:9]
            line, step, height, across = arguments[9:]
            zero = ir.Constant(vector, [0.0] * width)
            mask = _first_lanes(build, count, width)
            scaled, places = (ir.Constant(bytes_, [bits] * width) for bits in (SCALED, SCALED - 1))
            total = cgutils.alloca_once_value(build, _load(build, bias, _INDEX(0), vector))
            with cgutils.for_range(build, windows) as window:
                pixel, first = build.mul(window.index, out_step), build.mul(window.index, step)
                given = _masked_load(build, slopes, pixel, mask, zero)
                note = _load(build, winner, build.mul(window.index, winner_step), bytes_)
                below, place = build.icmp_unsigned(">=", note, scaled), build.and_(note, places)
                given = build.select(below, _scaled(build, given, slope), given)
                build.store(build.fadd(build.load(total), given), total)
                for offset, here in _within_window(build, line, height, across, width):
                    part = build.select(build.icmp_unsigned("==", place, here), given, zero)
                    _store(build, part, sums, build.add(first, offset))
            _store(build, build.load(total), bias, _INDEX(0))
            return context.get_dummy_value()

        return signature, generate

    return window_slopes


def _masked_load(build: Any, base: Any, offset: Any, mask: Any, otherwise: Any) -> Any:
    place = build.gep(build.bitcast(base, _FLOAT.as_pointer()), [offset])
    arguments = [build.bitcast(place, otherwise.type.as_pointer()), ir.IntType(32)(4), mask, otherwise]
    return _masked(build, "load", otherwise.type, arguments)


_LANES = COLUMNS // 2


@intrinsic
def _add_run(_: Any, source: Any, target: Any, count: Any) -> Any:
    """Add a run of numbers to others, without a scalar rest: runs are short."""
    vector = ir.VectorType(_FLOAT, _LANES)
    zero = ir.Constant(vector, [0.0] * _LANES)

    def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
        source, target, count = arguments
        vectors = build.sdiv(build.add(count, _INDEX(_LANES - 1)), _INDEX(_LANES))
        with cgutils.for_range(build, vectors) as loop:
            offset = build.mul(loop.index, _INDEX(_LANES))
            mask = _first_lanes(build, build.sub(count, offset), _LANES)
            added, before = (_masked_load(build, base, offset, mask, zero) for base in (source, target))
            place = build.gep(build.bitcast(target, _FLOAT.as_pointer()), [offset])
            place = build.bitcast(place, vector.as_pointer())
            _masked(build, "store", ir.VoidType(), [build.fadd(added, before), place, ir.IntType(32)(4), mask])
        return context.get_dummy_value()

    return types.void(types.voidptr, types.voidptr, types.intp), generate


add_run: Kernel = _add_run
_wide_sums, _medium_sums, _narrow_sums = map(_block_sums, WIDTHS)
_wide_maximum, _medium_maximum, _narrow_maximum = map(_window_maximum, WIDTHS)
_wide_slopes, _medium_slopes, _narrow_slopes = map(_window_slopes, WIDTHS)
_WIDE, _MEDIUM, _NARROW = WIDTHS


@compiled
def block_sums(
    width: int, left: Any, rows: Any, depths: Any, depth: int, panel: Any, start: Any, start_stride: int, out: Any,
    out_stride: int,
) -> None:  # fmt: skip
    """Compute out[r] = start[r] + sum_d left[rows[r] + depths[d]] panel[d] for a block of rows; all are addresses."""
    if width == _WIDE:
        _wide_sums(left, rows, depths, depth, panel, start, start_stride, out, out_stride)
    elif width == _MEDIUM:
        _medium_sums(left, rows, depths, depth, panel, start, start_stride, out, out_stride)
    else:
        _narrow_sums(left, rows, depths, depth, panel, start, start_stride, out, out_stride)


@compiled
def window_maximum(width: int, windows: int, sums: Any, line: int, step: int, height: int, across: int, slope: Any,
    count: int, out: Any, out_step: int, winner: Any, winner_step: int,
) -> None:  # fmt: skip
    """Write the rectified maxima of a row of windows, and which of its positions each came from.

    Args:
        windows: how many there are.
        sums: the panel that the first window begins at.
        line, step: from one row of positions to the next, from one window to the next.
        height, across: positions in a window.
        count: columns of the panel that there are.
    """
    if width == _WIDE:
        _wide_maximum(windows, sums, line, step, height, across, slope, count, out, out_step, winner, winner_step)
    elif width == _MEDIUM:
        _medium_maximum(windows, sums, line, step, height, across, slope, count, out, out_step, winner, winner_step)
    else:
        _narrow_maximum(windows, sums, line, step, height, across, slope, count, out, out_step, winner, winner_step)


@compiled
def window_slopes(
    width: int, windows: int, slopes: Any, out_step: int, winner: Any, winner_step: int, slope: Any,
    count: int, bias: Any, sums: Any, line: int, step: int, height: int, across: int,
) -> None:  # fmt: skip
    """Write the slopes of all positions from those of their windows' maxima, and add them up for the bias."""
    if width == _WIDE:
        _wide_slopes(
            windows, slopes, out_step, winner, winner_step, slope, count, bias, sums, line, step, height, across
        )
    elif width == _MEDIUM:
        _medium_slopes(
            windows, slopes, out_step, winner, winner_step, slope, count, bias, sums, line, step, height, across
        )
    else:
        _narrow_slopes(
            windows, slopes, out_step, winner, winner_step, slope, count, bias, sums, line, step, height, across
        )
