"""How each of torch's operations passes on what is seen: one rule for each kind, by the operation's name.

Rules stand for the operations that all others are made of (`torch.ops.aten`). Those that compute each element from the
ones at its place need none; of what is unknown and changes the shape, every element is taken to see everything.
Statistics of normalisation are left out, as in published tables: they would let every position see the whole picture.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ganglion.inspect.receptive.field import Field, Part, size_of, union
from ganglion.inspect.receptive.reach import Steps, adaptive, interpolated, repeated, shifted, spread, turned, window


@dataclass
class Operation:
    """One call of an operation: its arguments by name, with defaults, the fields of tensors, and what came out."""

    function: Any
    arguments: dict[str, Any]
    field_of: Callable[[Any], Field | None]
    output: Any
    slid: set[int] = field(default_factory=set)
    """Axes of the input along which windows slid."""

    @property
    def name(self) -> str:
        return str(self.function.overloadpacket.__name__)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first tensor that came out."""
        return tuple(next(one for one in tree_leaves(self.output) if isinstance(one, Tensor)).shape)

    def of(self, *names: str) -> Field | None:
        """Return the field of the first of these arguments that is given."""
        return next((self.field_of(self.arguments[name]) for name in names if name in self.arguments), None)

    @property
    def known(self) -> list[Field]:
        """The fields of all arguments that have one."""
        found = map(self.field_of, tree_leaves(self.arguments))
        return [one for one in found if one is not None]

    def sliding(self, found: Field, steps: Sequence[Steps], shape: Sequence[int]) -> Field:
        """Return the field after windows slid along the last axes, over all channels before them."""
        start = len(shape) - len(steps)
        if start > 0:
            found = found.blurred(start - 1)
        for axis, along in enumerate(steps, start=start):
            self.slid.update(part.axis for part in found.axes[axis] if part.axis is not None)
            found = found.moved(axis, along, shape[axis])
        if start > 0:
            found = Field((*found.axes[: start - 1], (Part(shape[start - 1]),), *found.axes[start:]), found.whole)
        return found


Rule = Callable[[Operation], Field | list[Field] | None]


def passed_on(operation: Operation) -> Field | list[Field] | None:
    """Return the field of what came out, one for each tensor where they differ; None where no input is seen."""
    if not operation.known:
        return None
    rule = RULES.get(re.sub(r"_$|[123]d(_with_indices)?$", "", operation.name), _elementwise)
    return rule(operation)


def _elementwise(operation: Operation) -> Field:
    """Each element from those at its place; everything from everything where shapes say that it is not so."""
    shape, known = operation.shape, operation.known
    sizes = [tuple(size_of(parts) for parts in one.axes) for one in known]
    try:
        fits = torch.broadcast_shapes(*sizes, shape) == torch.Size(shape)
    except RuntimeError:
        fits = False
    if fits and any(len(size) == len(shape) for size in sizes):
        return union(known, shape)
    return union([one.everywhere(shape) for one in known], shape)


def _everything(operation: Operation) -> Field:
    return union([one.everywhere(operation.shape) for one in operation.known], operation.shape)


def _convolution(operation: Operation) -> Field | None:
    found, given = operation.of("input"), operation.arguments
    if found is None:
        return _everything(operation)
    kernel = given["weight"].shape[2:]
    each = zip(kernel, *(_each(given[name], len(kernel)) for name in ("stride", "padding", "dilation")), strict=True)
    return operation.sliding(
        found, [(spread if given["transposed"] else window)(*one) for one in each], operation.shape
    )


def _pooling(operation: Operation) -> Field | None:
    """The largest or the mean of a window; channels stay apart, but are not followed."""
    given, count = operation.arguments, _directions(operation)
    kernel = _each(given["kernel_size"], count)
    stride = _each(given["stride"], count) if given.get("stride") else kernel
    padding, dilation = _each(given["padding"], count), _each(given.get("dilation") or 1, count)
    found = operation.of("self")
    each = zip(kernel, stride, padding, dilation, strict=True)
    return found and operation.sliding(found, [window(*one) for one in each], operation.shape)


def _adaptive_pooling(operation: Operation) -> Field | None:
    found, count = operation.of("self"), _directions(operation)
    if found is None:
        return None
    before = [size_of(parts) for parts in found.axes[-count:]]
    each = zip(before, operation.shape[-count:], strict=True)
    return operation.sliding(found, [adaptive(*one) for one in each], operation.shape)


def _resizing(kind: str) -> Rule:
    def rule(operation: Operation) -> Field | None:
        found, shape = operation.of("self"), operation.shape
        corners = bool(operation.arguments.get("align_corners"))
        factors = [value for name, value in operation.arguments.items() if re.fullmatch("scales(_[dhw])?", name)]
        if found is None:
            return None
        for axis, factor in enumerate(factors, start=2):
            steps = interpolated(size_of(found.axes[axis]), shape[axis], kind, corners, factor)
            found = found.moved(axis, steps, shape[axis])
        return found

    return rule


def _border(operation: Operation) -> Field | None:
    found, shape = operation.of("self"), operation.shape
    widths = operation.arguments.get("pad") or operation.arguments.get("padding") or []
    for place, before in enumerate(widths[::2]):
        axis = len(shape) - 1 - place
        if found is not None and (before or widths[2 * place + 1]):
            found = found.moved(axis, shifted(-before), shape[axis])
    return found


def _slice(operation: Operation) -> Field | None:
    found, given = operation.of("self"), operation.arguments
    if found is None:
        return None
    axis = given["dim"] % len(found.axes)
    size, start = size_of(found.axes[axis]), given["start"] or 0
    start = max(start + size if start < 0 else start, 0)
    if operation.shape[axis] == size:
        return found
    return found.moved(axis, shifted(start, given["step"]), operation.shape[axis])


def _select(operation: Operation) -> Field | None:
    found, given = operation.of("self"), operation.arguments
    return found and found.at(given["dim"] % len(found.axes), given["index"])


def _split(operation: Operation) -> list[Field]:
    found = operation.of("self")
    assert found is not None
    axis, start, fields = operation.arguments["dim"] % len(found.axes), 0, []
    for part in operation.output:
        fields.append(found.moved(axis, shifted(start), part.shape[axis]))
        start += part.shape[axis]
    return fields


def _unbind(operation: Operation) -> list[Field]:
    found = operation.of("self")
    assert found is not None
    axis = operation.arguments["dim"] % len(found.axes)
    return [found.at(axis, place) for place in range(len(operation.output))]


def _concatenation(operation: Operation) -> Field:
    shape, axis = operation.shape, operation.arguments["dim"] % len(operation.shape)
    parts = []
    for one in operation.known:
        one = one.blurred(axis)
        parts.append(Field((*one.axes[:axis], (Part(shape[axis]),), *one.axes[axis + 1 :]), one.whole))
    return union(parts, shape)


def _stack(operation: Operation) -> Field:
    shape, axis = operation.shape, operation.arguments["dim"] % len(operation.shape)
    parts = [Field((*one.axes[:axis], (), *one.axes[axis:]), one.whole) for one in operation.known]
    return union(parts, shape)


def _view(operation: Operation) -> Field | None:
    found = operation.of("self")
    return found and found.viewed(operation.shape)


def _expand(operation: Operation) -> Field:
    return union(operation.known, operation.shape)


def _permutation(operation: Operation) -> Field | None:
    found, given = operation.of("self"), operation.arguments
    if found is None:
        return None
    order = list(range(len(found.axes)))
    if "dims" in given:
        order = [axis % len(order) for axis in given["dims"]]
    elif len(order) > 1:
        one, other = (given[name] % len(order) for name in ("dim0", "dim1")) if "dim0" in given else (0, 1)
        order[one], order[other] = order[other], order[one]
    return found.permuted(order)


def _reduction(operation: Operation) -> Field | None:
    found, given = operation.of("self"), operation.arguments
    if found is None or "other" in given:
        return _elementwise(operation)
    count = len(found.axes)
    dims = given.get("dim")
    gone = {axis % count for axis in _listed(dims)} if dims is not None and dims != [] else set(range(count))
    for axis in gone:
        found = found.without(axis)
    if not given.get("keepdim"):
        found = found.permuted([axis for axis in range(count) if axis not in gone])
    return found


def _along(operation: Operation) -> Field | None:
    """Of the same shape, but every position of an axis sees them all: softmax, sums that run on, sorting."""
    found, given = operation.of("self"), operation.arguments
    if found is None:
        return None
    for axis in _listed(given.get("dim", given.get("dims"))) or range(len(found.axes)):  # none: all of them in a row
        found = found.blurred(axis % len(found.axes))
    return found


def _flip(operation: Operation) -> Field | None:
    found, shape = operation.of("self"), operation.shape
    for axis in operation.arguments["dims"]:
        found = found and found.moved(axis % len(shape), turned(shape[axis]), shape[axis])
    return found


def _product(operation: Operation) -> Field:
    """Products of matrices: rows from the left, columns from the right, and what is summed is seen by all."""
    left, right = operation.of("mat1", "batch1", "self"), operation.of("mat2", "batch2", "vec")
    if operation.name in ("addmm", "baddbmm", "addmv"):
        left = operation.of("mat1", "batch1", "mat")
    parts = []
    if left is not None:
        parts.append(left.without(len(left.axes) - 1))
    if right is not None:
        parts.append(right.without(max(len(right.axes) - 2, 0)))
    if len(operation.shape) < 2 or not parts:
        return _everything(operation)
    return union(parts, operation.shape)


def _unfold(operation: Operation) -> Field | None:
    """Windows along one axis, each as a new last axis."""
    found, given = operation.of("self"), operation.arguments
    if found is None:
        return None
    axis = given["dimension"] % len(found.axes)
    operation.slid.update(part.axis for part in found.axes[axis] if part.axis is not None)
    found = found.moved(axis, window(given["size"], given["step"]), operation.shape[axis])
    return Field((*found.axes, (Part(given["size"]),)), found.whole)


def _shuffle(operation: Operation) -> Field | None:
    """Channels to places: a block of r x r of them see what one place saw."""
    found, times = operation.of("self"), operation.arguments["upscale_factor"]
    for axis in (-2, -1):
        found = found and found.moved(len(found.axes) + axis, repeated(times), operation.shape[axis])
    return found and Field((*found.axes[:-3], (Part(operation.shape[-3]),), *found.axes[-2:]), found.whole)


def _unshuffle(operation: Operation) -> Field | None:
    """Places to channels: each of them is counted with the whole block."""
    found, times = operation.of("self"), operation.arguments["downscale_factor"]
    for axis in (-2, -1):
        found = found and found.moved(len(found.axes) + axis, window(times, times), operation.shape[axis])
    return found and Field((*found.axes[:-3], (Part(operation.shape[-3]),), *found.axes[-2:]), found.whole)


def _embedding(operation: Operation) -> Field | None:
    found = operation.of("indices")
    return found and Field((*found.axes, (Part(operation.shape[-1]),)), found.whole)


def _attention(operation: Operation) -> Field:
    parts = []
    for name in ("query", "key", "value"):
        found = operation.of(name)
        if found is not None:
            found = found.without(len(found.axes) - 1)
            parts.append(found if name == "query" else found.without(len(found.axes) - 2))
    return union(parts, operation.shape)


def _copy(operation: Operation) -> Field | None:
    found = operation.of("src")
    return found and union([found], operation.shape)


def _directions(operation: Operation) -> int:
    return int(re.search(r"(\d)d", operation.name)[1])  # type: ignore[index]


def _each(value: Any, count: int) -> Sequence[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * count if len(values) == 1 else values


def _listed(value: Any) -> list[int]:
    return [] if value is None else [value] if isinstance(value, int) else list(value)


RULES: dict[str, Rule] = {
    "convolution": _convolution,
    **dict.fromkeys(("max_pool", "avg_pool"), _pooling),
    **dict.fromkeys(("_adaptive_avg_pool", "adaptive_avg_pool", "adaptive_max_pool"), _adaptive_pooling),
    "upsample_nearest": _resizing("nearest"),
    "_upsample_nearest_exact": _resizing("nearest_exact"),
    **dict.fromkeys(("upsample_linear", "upsample_bilinear", "upsample_trilinear"), _resizing("linear")),
    "upsample_bicubic": _resizing("cubic"),
    "_upsample_bilinear2d_aa": _resizing("smoothed"),
    **dict.fromkeys(("constant_pad_nd", "reflection_pad", "replication_pad"), _border),
    "slice": _slice,
    "select": _select,
    **dict.fromkeys(("split", "split_with_sizes"), _split),
    "unbind": _unbind,
    "cat": _concatenation,
    "stack": _stack,
    **dict.fromkeys(("view", "_unsafe_view", "_reshape_alias", "squeeze", "unsqueeze"), _view),
    "expand": _expand,
    **dict.fromkeys(("permute", "transpose", "t"), _permutation),
    **dict.fromkeys(
        (
            "mean", "sum", "amax", "amin", "max", "min", "prod", "var", "std", "var_mean", "any", "all", "logsumexp",
            "linalg_vector_norm", "norm", "argmax", "argmin",
        ),
        _reduction,
    ),
    **dict.fromkeys(("_softmax", "_log_softmax", "cumsum", "cumprod", "sort", "roll"), _along),
    "flip": _flip,
    **dict.fromkeys(("mm", "bmm", "addmm", "baddbmm", "mv", "dot"), _product),
    "unfold": _unfold,
    "pixel_shuffle": _shuffle,
    "pixel_unshuffle": _unshuffle,
    "embedding": _embedding,
    **dict.fromkeys(
        ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_fused_attention_overrideable"), _attention
    ),
    "copy": _copy,
    **dict.fromkeys(("im2col", "col2im", "index", "gather", "index_select", "scatter"), _everything),
}  # fmt: skip
"""By the operation's name, without the directions it is for, `_with_indices`, and the mark of those in place."""
