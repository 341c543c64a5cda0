"""Compiled passes of a small batch through all layers of a perceptron, forward and backward.

Within a stack a sample is a lane of a vector register: activities are kept as panels, (panels, features, COLUMNS),
sample b in panel b / COLUMNS. Then W h needs W as it stands in memory, and so does W^T d; only activities are ever
turned round, which are smaller than weights. Every sum runs in one order whatever the batch, and in one thread.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ganglion.fast.compiled import ONE, ZERO, Kernel, compiled, sigmoid, tanh
from ganglion.fast.packed_product import COLUMNS, ROWS
from ganglion.fast.packed_product import at as address_of

LANES = COLUMNS // 2
"""Numbers in a vector register; a block of sums is two of them wide."""
LINE = 16
"""Numbers in a line of the cache."""
WEIGHT, BIAS, INPUTS, OUTPUTS, FUNCTION, WEIGHT_SLOPE, BIAS_SLOPE = range(7)
"""Columns of the table of layers: addresses (0 where there is none), sizes, and the number of the function."""


def _block_product(rows: int) -> Kernel:
    """Return an intrinsic for out = start + left @ right, of `rows` rows and `COLUMNS` columns, the sums in registers.

    Both factors are read where they lie: `left` at any stride, and in pieces of `depth` that begin `left_piece` apart;
    `right` is a panel, whose rows follow each other over all pieces. `start` is a number for each row, at stride 1 or,
    one for all, 0. All strides are counted in numbers.
    """
    vector, index = ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)

    @intrinsic
    def block(
        _: Any, start: Any, start_row: Any, left: Any, left_row: Any, left_step: Any, left_piece: Any, right: Any,
        out: Any, out_row: Any, depth: Any, pieces: Any,
    ) -> Any:  # fmt: skip
        number = types.intp
        signature = types.void(start, number, left, number, number, number, right, out, number, number, number)

        def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
            start, start_row, left, left_row, left_step, left_piece, right, out, out_row, depth, pieces = arguments
            kind = ir.FunctionType(vector, [vector] * 3)
            fma = cgutils.get_or_insert_function(build.module, kind, f"llvm.fma.v{LANES}f32")
            sums = [[cgutils.alloca_once(build, vector) for _ in range(2)] for _ in range(rows)]
            for row in range(rows):
                begin = _spread(build, build.gep(start, [build.mul(index(row), start_row)]))
                for total in sums[row]:
                    build.store(begin, total)
            lefts = [build.gep(left, [build.mul(index(row), left_row)]) for row in range(rows)]
            with cgutils.for_range(build, pieces) as piece:
                begin = build.mul(piece.index, left_piece)
                before = build.mul(piece.index, depth)
                with cgutils.for_range(build, depth) as loop:
                    below = build.gep(right, [build.mul(build.add(before, loop.index), index(COLUMNS))])
                    weights = [build.load(place, align=4) for place in _vectors(build, below)]
                    along = build.add(begin, build.mul(loop.index, left_step))
                    for row in range(rows):
                        factor = _spread(build, build.gep(lefts[row], [along]))
                        for total, weight in zip(sums[row], weights, strict=True):
                            build.store(build.call(fma, [factor, weight, build.load(total)]), total)
            for row in range(rows):
                places = _vectors(build, build.gep(out, [build.mul(index(row), out_row)]))
                for total, place in zip(sums[row], places, strict=True):
                    build.store(build.load(total), place, align=4)
            return context.get_dummy_value()

        def _vectors(build: Any, base: Any) -> list[Any]:
            places = [build.gep(base, [index(place * LANES)]) for place in range(2)]
            return [build.bitcast(place, vector.as_pointer()) for place in places]

        return signature, generate

    def _spread(build: Any, place: Any) -> Any:
        none = ir.Constant(vector, ir.Undefined)
        first = build.insert_element(none, build.load(place), ir.IntType(32)(0))
        return build.shuffle_vector(first, none, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))

    return block


@intrinsic
def _pointer(_: Any, address: Any) -> Any:
    def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
        return build.inttoptr(arguments[0], ir.FloatType().as_pointer())

    return types.CPointer(types.float32)(types.int64), generate


@intrinsic
def _at(_: Any, base: Any, offset: Any) -> Any:
    def generate(context: Any, build: Any, _: Any, arguments: Any) -> Any:
        return build.gep(arguments[0], [arguments[1]])

    return types.CPointer(types.float32)(base, types.intp), generate


_NOTHING = np.zeros(1, np.float32)
_some_rows, _one_row = _block_product(ROWS), _block_product(1)
pointer: Kernel = _pointer
at: Kernel = _at


@compiled
def _product(
    rows: int, start: Any, start_row: int, left: Any, left_row: int, left_step: int, left_piece: int, right: Any,
    out: Any, out_row: int, depth: int, pieces: int,
) -> None:  # fmt: skip
    """Compute `COLUMNS` columns of any number of rows; arguments as of a block."""
    row = 0
    while row < rows:
        begin, source, target = at(start, row * start_row), at(left, row * left_row), at(out, row * out_row)
        if row + ROWS <= rows:
            _some_rows(begin, start_row, source, left_row, left_step, left_piece, right, target, out_row, depth, pieces)
            row += ROWS
        else:
            _one_row(begin, start_row, source, left_row, left_step, left_piece, right, target, out_row, depth, pieces)
            row += 1


@compiled
def panels_of(batch: int) -> int:
    return (batch + COLUMNS - 1) // COLUMNS


@compiled
def room(layers: Any, batch: int) -> int:
    """Return how many numbers `forward` keeps of a batch."""
    return panels_of(batch) * COLUMNS * (layers[0, INPUTS] + layers[:, OUTPUTS].sum())


@compiled
def aligned(count: int) -> Any:
    """Return room for so many numbers that begins with a line of the cache: vectors across two take twice as long."""
    room = np.empty(count + LINE, np.float32)
    begin = -(room.ctypes.data // 4) % LINE
    return room[begin : begin + count]


@compiled
def _turn_in(samples: Any, panels: Any) -> None:
    """Write samples, (batch, features), as panels; lanes without a sample are 0."""
    batch, features = samples.shape
    for panel in range(panels.shape[0]):
        first = panel * COLUMNS
        lanes = min(COLUMNS, batch - first)
        for feature in range(features):
            for lane in range(lanes):
                panels[panel, feature, lane] = samples[first + lane, feature]
            for lane in range(lanes, COLUMNS):
                panels[panel, feature, lane] = ZERO


@compiled
def _turn_out(panels: Any, samples: Any) -> None:
    """Write panels as samples, (batch, features)."""
    for sample in range(samples.shape[0]):
        panel, lane = sample // COLUMNS, sample % COLUMNS
        for feature in range(samples.shape[1]):
            samples[sample, feature] = panels[panel, feature, lane]


@compiled
def _turn_over(panels: Any, turned: Any) -> None:
    """Write panels in which a sample is a lane as panels, (panels, batch, COLUMNS), in which a feature is one."""
    features = panels.shape[1]
    for out in range(turned.shape[0]):
        first = out * COLUMNS
        lanes = min(COLUMNS, features - first)
        for panel in range(panels.shape[0]):
            for sample in range(COLUMNS):
                row = turned[out, panel * COLUMNS + sample]
                for lane in range(lanes):
                    row[lane] = panels[panel, first + lane, sample]
                for lane in range(lanes, COLUMNS):
                    row[lane] = ZERO


@compiled
def _activate(function: int, flat: Any) -> None:
    """Turn sums into activities."""
    if function == 1:
        for place in range(len(flat)):
            flat[place] = ZERO if flat[place] < ZERO else flat[place]
    elif function == 2:
        for place in range(len(flat)):
            flat[place] = tanh(flat[place])
    elif function == 3:
        for place in range(len(flat)):
            flat[place] = sigmoid(flat[place])


@compiled
def _deactivate(function: int, slopes: Any, activities: Any) -> None:
    """Turn dL/dh into dL/d(sums), in place: times f', which the activities tell. Both are flat."""
    if function == 1:
        for place in range(len(slopes)):
            slopes[place] = ZERO if activities[place] <= ZERO else slopes[place]
    elif function == 2:
        for place in range(len(slopes)):
            slopes[place] *= ONE - activities[place] * activities[place]
    elif function == 3:
        for place in range(len(slopes)):
            slopes[place] *= activities[place] * (ONE - activities[place])


@compiled
def forward(layers: Any, inputs: Any, outputs: Any, kept: Any) -> None:
    """Run a batch through all layers.

    Args:
        layers: the table of layers, (layers, columns).
        inputs: (batch, features).
        outputs: receives the activities of the last layer, (batch, units).
        kept: receives inputs and the activities of every layer as panels, one after the other; `room` for them.
    """
    batch, features = inputs.shape
    panels, here = panels_of(batch), address_of(kept, 0)
    _turn_in(inputs, carray(here, (panels, features, COLUMNS)))
    for number in range(len(layers)):
        layer = layers[number]
        features, units = layer[INPUTS], layer[OUTPUTS]
        above = at(here, panels * features * COLUMNS)
        weight = pointer(layer[WEIGHT])
        shift = pointer(layer[BIAS]) if layer[BIAS] else address_of(_NOTHING, 0)
        shifts = 1 if layer[BIAS] else 0
        for panel in range(panels):
            right, out = at(here, panel * features * COLUMNS), at(above, panel * units * COLUMNS)
            _product(units, shift, shifts, weight, features, 1, 0, right, out, COLUMNS, features, 1)
            _activate(layer[FUNCTION], carray(out, (units * COLUMNS,)))
        here = above
    _turn_out(carray(here, (panels, outputs.shape[1], COLUMNS)), outputs)


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _total(row: Any) -> Any:
    """Return the sum of a row of a panel, in the order that suits vectors, which is always the same."""
    total = ZERO
    for lane in range(COLUMNS):
        total += row[lane]
    return total


@compiled
def _weight_slope(slopes: Any, below: Any, room: Any, weight_slope: Any) -> None:
    """Compute dL/dW = sum over samples of dL/d(sums) h^T.

    Args:
        slopes: dL/d(sums), (panels, units, COLUMNS).
        below: h of the layer below, (panels, features, COLUMNS).
        room: for h turned over.
        weight_slope: receives the sum, (units, features).
    """
    panels, units = slopes.shape[:2]
    features = below.shape[1]
    turned = room[: panels_of(features) * panels * COLUMNS * COLUMNS].reshape((-1, panels * COLUMNS, COLUMNS))
    _turn_over(below, turned)
    left, piece = address_of(slopes, 0), units * COLUMNS
    whole, rest = features // COLUMNS, features % COLUMNS
    for part in range(whole):
        out = address_of(weight_slope, part * COLUMNS)
        _product(
            units,
            address_of(_NOTHING, 0),
            0,
            left,
            COLUMNS,
            1,
            piece,
            address_of(turned[part], 0),
            out,
            features,
            COLUMNS,
            panels,
        )
    if rest:
        edge = np.empty((units, COLUMNS), np.float32)
        out = address_of(edge, 0)
        _product(
            units,
            address_of(_NOTHING, 0),
            0,
            left,
            COLUMNS,
            1,
            piece,
            address_of(turned[whole], 0),
            out,
            COLUMNS,
            COLUMNS,
            panels,
        )
        weight_slope[:, whole * COLUMNS :] = edge[:, :rest]


@compiled
def backward(layers: Any, slopes: Any, kept: Any) -> None:
    """Send dL/d(outputs) back through all layers, and leave dL/dW and dL/db where the table of layers says.

    Args:
        layers: the table of layers.
        slopes: dL/d(outputs), (batch, units).
        kept: what `forward` kept.
    """
    batch, units = slopes.shape
    panels, widest, after = panels_of(batch), layers[0, INPUTS], layers[0, INPUTS]
    for number in range(len(layers)):
        widest = max(widest, layers[number, OUTPUTS])
        after += layers[number, OUTPUTS]
    size = panels * COLUMNS
    room, other, turned = aligned(size * widest), aligned(size * widest), aligned(size * panels_of(widest) * COLUMNS)
    _turn_in(slopes, room[: size * units].reshape((panels, units, COLUMNS)))
    for number in range(len(layers) - 1, -1, -1):
        layer = layers[number]
        features, units = layer[INPUTS], layer[OUTPUTS]
        after -= units
        activities = kept[size * after : size * (after + units)]
        below = kept[size * (after - features) : size * after].reshape((panels, features, COLUMNS))
        flat = room[: size * units]
        here = flat.reshape((panels, units, COLUMNS))
        _deactivate(layer[FUNCTION], flat, activities)
        if layer[BIAS_SLOPE]:
            totals = carray(pointer(layer[BIAS_SLOPE]), (units,))
            for unit in range(units):
                total = ZERO
                for panel in range(panels):
                    total += _total(here[panel, unit])
                totals[unit] = total
        _weight_slope(here, below, turned, carray(pointer(layer[WEIGHT_SLOPE]), (units, features)))
        if number:
            for panel in range(panels):
                right = address_of(here, panel * units * COLUMNS)
                out = address_of(other, panel * features * COLUMNS)
                _product(
                    features,
                    address_of(_NOTHING, 0),
                    0,
                    pointer(layer[WEIGHT]),
                    1,
                    features,
                    0,
                    right,
                    out,
                    COLUMNS,
                    units,
                    1,
                )
            room, other = other, room
