"""Which library multiplies matrices of single precision in main memory: MKL or oneDNN.

torch hands these products to MKL, which is as fast as anything on processors of its own maker, and takes half the speed
of AMD's with 512-bit vectors; oneDNN, which torch carries too, takes all of it. The choice follows from the processor
and from the shapes, never from a stopwatch: the two round differently, and a run that is resumed in another process has
to repeat its bits.

Both give a row of a product the same bits whatever the other rows are, as long as the shape stays the same.
"""

import os
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import _disable_current_modes

from ganglion.errors import ConfigurationError
from ganglion.fast.applies import is_large_product, to_onednn_products
from ganglion.fast.autocast import without_autocast

Library = Literal["mkl", "onednn"]


@cache
def library() -> Library:
    """Return what multiplies here: `GANGLION_PRODUCTS` is mkl, onednn, or auto, the rule for this processor.

    Raises `ConfigurationError` for any other value.
    """
    wanted = os.environ.get("GANGLION_PRODUCTS", "auto")
    if wanted not in ("auto", *get_args(Library)):
        raise ConfigurationError(
            "GANGLION_PRODUCTS names no library", expected="auto, mkl or onednn", found=wanted, remedy="unset it"
        )
    if wanted == "mkl" or not _has_onednn():
        return "mkl"
    amd = _vendor() == "AuthenticAMD" and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return "onednn" if wanted == "onednn" or (amd and torch.backends.mkl.is_available()) else "mkl"


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return inputs weight^T + bias as `torch.nn.functional.linear` does, by the library that is faster here.

    Derivatives of any order exist. Whoever is told of every operation of torch is told of this one.

    Args:
        inputs: (..., depth).
        weight: (width, depth).
        bias: (width).
    """
    if library() == "onednn" and to_onednn_products(inputs, weight, bias):
        product: Tensor = _Product.apply(inputs.reshape(-1, inputs.shape[-1]), weight, bias)
        return product.view(*inputs.shape[:-1], len(weight))
    return functional.linear(inputs, weight, bias)


def product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return left right^T + bias for the inside of an operation that has a gradient of its own.

    What comes out is memory of its own and never a view: what such an operation returns may be changed in place.

    Args:
        left: (rows, depth).
        right: (columns, depth), of the same type as `left`.
        bias: (columns).
    """
    if library() == "onednn" and left.dtype is torch.float32 and is_large_product(left, right):
        return _by_onednn(left, right, bias)
    return functional.linear(left, right, bias)


class _Product(torch.autograd.Function):
    """left right^T + bias. Its gradient is made of products of the same kind, so it has derivatives of any order."""

    @staticmethod
    @without_autocast
    def forward(ctx: Any, left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(left, right)
        return _by_onednn(left, right, bias)

    @staticmethod
    @without_autocast
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        left, right = ctx.saved_tensors
        needs_left, needs_right, needs_bias = ctx.needs_input_grad
        return (
            _Product.apply(slope, right.t(), None) if needs_left else None,
            _Product.apply(slope.t(), left.t(), None) if needs_right else None,
            slope.sum(0) if needs_bias else None,
        )


def _by_onednn(left: Tensor, right: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(_packed(left), _packed(right), bias, "none", [], "")
    return product


def _packed(matrix: Tensor) -> Tensor:
    """Return a matrix without gaps between its rows or columns, with which oneDNN would take many times as long."""
    return matrix if matrix.is_contiguous() or matrix.t().is_contiguous() else matrix.contiguous()


@cache
def _has_onednn() -> bool:
    """Return whether the operator is there and does what it did when this was written."""
    try:
        with torch.no_grad(), _disable_current_modes():  # Somebody may be following a step on shapes alone.
            left, right = torch.eye(3), torch.arange(6.0).view(2, 3)
            return torch.equal(_by_onednn(left, right, torch.ones(2)), right.t() + 1)
    except (AttributeError, RuntimeError, TypeError):
        return False


def _vendor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(r"^vendor_id\s*:\s*(\S+)", text, re.MULTILINE)
    return found[1] if found else ""
