"""The operations that kernels can be made of, and where the values lie that views show."""

import operator
from typing import Any

import torch

aten = torch.ops.aten
Node = Any
"""An operation, torch.fx.Node, whose arguments have too many types to be told apart here."""

POINTWISE = {
    aten.add.Tensor: "{0} + {1}", aten.sub.Tensor: "{0} - {1}", aten.mul.Tensor: "{0} * {1}",
    aten.div.Tensor: "{0} / {1}", aten.neg.default: "-{0}", aten.reciprocal.default: "ONE / {0}",
    aten.sigmoid.default: "sigmoid({0})", aten.tanh.default: "tanh({0})", aten.exp.default: "np.exp({0})",
    aten.log.default: "np.log({0})", aten.sqrt.default: "np.sqrt({0})", aten.rsqrt.default: "ONE / np.sqrt({0})",
    aten.abs.default: "abs({0})", aten.sin.default: "np.sin({0})", aten.cos.default: "np.cos({0})",
    aten.relu.default: "max({0}, ZERO)", aten.maximum.default: "max({0}, {1})",
    aten.minimum.default: "min({0}, {1})", aten.where.self: "({1} if {0} else {2})",
    aten.gt.Scalar: "{0} > {1}", aten.ge.Scalar: "{0} >= {1}", aten.lt.Scalar: "{0} < {1}",
    aten.le.Scalar: "{0} <= {1}", aten.gt.Tensor: "{0} > {1}", aten.ge.Tensor: "{0} >= {1}",
    aten.lt.Tensor: "{0} < {1}", aten.le.Tensor: "{0} <= {1}", aten.add.Scalar: "{0} + {1}",
    aten.sub.Scalar: "{0} - {1}", aten.mul.Scalar: "{0} * {1}", aten.div.Scalar: "{0} / {1}",
    aten.pow.Tensor_Scalar: "{0} ** {1}", aten.logical_and.default: "({0} and {1})",
    aten.logical_and_.default: "({0} and {1})", aten.clamp.default: "",
    aten.log1p.default: "np.log1p({0})", aten.expm1.default: "np.expm1({0})", aten.sgn.default: "np.sign({0})",
    aten.sign.default: "np.sign({0})", aten.clamp_min.default: "max({0}, {1})",
    aten.clamp_max.default: "min({0}, {1})",
}  # fmt: skip
"""Operations on single numbers, as they are written."""
REDUCTIONS = {aten.sum.dim_IntList: ("ZERO", "{0} + {1}"), aten.amax.default: ("-INFINITY", "max({0}, {1})")}
"""Operations on all units of a row: the first value, and how it goes on."""
DEAR = ("sigmoid", "tanh", "np.")
"""What is kept for the derivative rather than computed again."""
FILLED = {aten.zeros_like.default: "ZERO", aten.new_zeros.default: "ZERO", aten.ones_like.default: "ONE"}
SAME = (aten.expand.default, aten.view.default, aten._unsafe_view.default)

Place = tuple[str, str]
"""Where a value lies: the text of one row of it, and of the rows of the slice as a matrix."""


def width(node: Node) -> int:
    """Return the units of a row; raises `NotImplementedError` for what is no row for each sample."""
    shape = node.meta["val"].shape
    if len(shape) != 2:
        raise NotImplementedError(f"{node.target} makes a tensor of {len(shape)} axes")
    return int(shape[1])


def located(node: Node) -> tuple[Node, int]:
    """Return what a view shows, and from which unit."""
    offset = 0
    while True:
        if node.target is operator.getitem:
            split, number = node.args
            if split.target is not aten.split_with_sizes.default or split.args[2:] not in ((1,), (-1,)):
                raise NotImplementedError(f"parts of {split.target}")
            offset, node = offset + sum(split.args[1][:number]), split.args[0]
        elif node.target is aten.slice.Tensor:
            if len(node.args) > 4 or (node.args[1] == 0 and node.meta["val"].shape != node.args[0].meta["val"].shape):
                raise NotImplementedError("a slice of the batch, or with gaps")
            first = node.args[2] or 0
            offset += (first + width(node.args[0]) if first < 0 else first) if node.args[1] else 0
            node = node.args[0]
        elif node.target in SAME:
            if width(node) != width(node.args[0]):
                if node.target is not aten.expand.default:
                    raise NotImplementedError("rows that are folded")
                offset = 0  # All units show the same one.
            node = node.args[0]
        else:
            return node, offset
