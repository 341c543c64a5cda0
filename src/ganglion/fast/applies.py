"""When each compiled path is taken in place of operations of torch, one function for each, and why not elsewhere.

Every path computes what operations of torch compute, to rounding; where its function here says no, those run. What all
of them ask for:

- Kernels can be compiled here and are wanted (`enabled`).
- Nobody follows the operations one by one (`is_followed`, `is_observed`): what they do not see they would get wrong.
- Tensors are nothing but numbers in main memory (`is_plain`): kernels read memory and know no other layout or type.

What a path asks for beyond that stands at its function. All of it depends on kinds and sizes alone, never on numbers
and never on a stopwatch: a run that is resumed in another process has to repeat its bits.
"""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from operator import attrgetter
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.optim import Optimizer
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

MOST_DENSE_OPERATIONS = 2**24
"""Multiplications in a pass through dense layers beyond which products are most of the time, and torch's use all
threads for them."""
LEAST_COMPILED_INPUTS = 2**14
"""Numbers in the projected inputs of a user's own cell below which a scan is over before a compiler has started."""
MOST_FORCED_OUTPUTS = 128
"""Outputs up to which classes fed back are written out as one-hot vectors for one product; more are looked up."""
MOST_CHANNELS = 8
"""Input channels up to which compiled convolutions are faster; torch's use all of a processor only beyond."""
MOST_PLACES = 2**7
"""Places of a pooling window up to which its winner is noted in seven bits."""
MOST_POSITIONS = 16
"""Positions of a kernel on an image up to which the pixels under it are laid out for one product."""
LEAST_ONEDNN_OPERATIONS = 2**22
"""Multiplications below which handing a product to oneDNN costs more than it can bring."""
_ORDINARY = (nn.Parameter, Tensor)
_HOOKS_OF_OPTIMIZERS = _global_optimizer_pre_hooks, _global_optimizer_post_hooks


class DenseStack(Protocol):
    """Dense layers one after the other, as far as their sizes matter here."""

    features: int
    """Width of the first layer's inputs."""
    operations: int
    """Multiplications a sample; 0 where the layers are not plain or do not fit together."""
    trained: bool
    """Whether every weight and bias asks for a gradient."""
    limit: float
    """Deviations beyond which a standardised input is cut off."""

    def refreshed(self) -> "DenseStack":
        """Return the same after a look at the tensors, which those who follow operations must not see."""


class Pooling(Protocol):
    """A convolution with the pooling after it, as far as their sizes matter here."""

    @property
    def window(self) -> tuple[int, int]:
        """Height and width of the windows."""

    @property
    def window_stride(self) -> tuple[int, int]:
        """Steps of the windows, down and across."""

    def map_size(self, images: Tensor, weight: Tensor) -> tuple[int, int]:
        """Return (height, width) of the maps after pooling; below 1 if something does not fit."""


@dataclass(frozen=True)
class Path:
    """One compiled path, in words."""

    name: str
    does: str
    where: str
    """Beside what all paths ask for."""
    compiled: bool = True
    """Whether it needs kernels."""

    @property
    def standing(self) -> str:
        """Say what it does and where, or why it is not taken on this machine."""
        off = reason_disabled() if self.compiled else ""
        return off or f"{self.does} ({self.where})"


PATHS = (
    Path("recurrent scans", "all steps of Elman, LSTM and GRU layers in one call", "32 or 16 bits, in main memory"),
    Path("custom cells", "all steps of a cell of your own in one call", f"{LEAST_COMPILED_INPUTS} inputs or more"),
    Path("teacher forcing", "all steps of Jordan's network as one product", "its true outputs are fed back", False),
    Path("convolution stages", "convolution, pooling and rectifier in one call", "few input channels, 32 bits"),
    Path("convolutions as products", "maps of few positions as one product of matrices", "32 bits, in main memory"),
    Path("products by oneDNN", "large products by the library that is faster here", "AMD's 512-bit processors", False),
    Path("dense layers", "small networks behind a running standardisation in one call", "no gradient is wanted"),
    Path("q-learning", "loss and gradient of deep Q-learning in one call", "both networks small and dense"),
    Path("gradient norm", "norm and sum of a gradient in one pass over all tensors", "32 bits, in main memory"),
    Path("adam", "an update of Adam or AdamW in one pass over all tensors", "32 bits, no hooks, from the second on"),
    Path("equalising", "shades of many windows of pictures ranked in one pass", "32 bits, in main memory"),
    Path("dropout", "four decisions of dropout from one random number", "32 or 16 bits, in main memory", False),
)
"""All of them, as `ganglion doctor` shows them."""


# The paths


def to_scans(*tensors: Tensor | None) -> bool:
    """Say whether all steps of a recurrent layer over these tensors, of any shape, may run in one compiled call."""
    return enabled() and not is_followed() and all(is_plain(tensor) for tensor in tensors if tensor is not None)


def to_custom_cells(inputs: Tensor, *tensors: Tensor | None) -> bool:
    """Say whether compiling the steps of a user's own cell is worth its while.

    Args:
        inputs: projected inputs of all steps, (time, batch, width).
        tensors: states, mask, parameters and buffers.
    """
    return to_scans(inputs, *tensors) and inputs.numel() >= LEAST_COMPILED_INPUTS  # an export asks for no size


def to_torch_scans(*tensors: Tensor | None) -> bool:
    """Say whether torch's own fused recurrent kernels (cuDNN's on a GPU) may run all steps, where ours do not.

    Whatever shape the tensors have. On a processor without vectors of 512 bits these kernels cannot compute in bf16.
    """
    if torch.is_autocast_enabled("cpu") and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    listened = torch._C._len_torch_dispatch_stack() > 0 or torch._C._are_functorch_transforms_active()
    return is_wanted() and not listened and not to_scans(*tensors)


def to_teacher_forcing(*tensors: Tensor | None, out_features: int) -> bool:
    """Say whether all steps of Jordan's network, told its outputs, may be one product with a gradient of its own.

    Args:
        tensors: inputs, (time, batch, width), and weights.
        out_features: K.
    """
    return out_features <= MOST_FORCED_OUTPUTS and to_scans(*tensors) and not torch.is_autocast_enabled("cpu")


def to_convolution_stages(images: Tensor, weight: Tensor, bias: Tensor | None, stage: Pooling) -> bool:
    """Say whether convolution, pooling and rectifier may be one compiled call, and are faster so.

    Args:
        images: (batch, channels, height, width).
        weight: (features, channels, kernel height, kernel width).
        bias: (features,).
        stage: steps, borders and windows, which must not overlap.
    """
    return (
        images.dim() == 4
        and images.shape[0] > 0  # `len` would fix the batch of an exported network
        and images.shape[1] == weight.shape[1] <= MOST_CHANNELS
        and stage.window[0] * stage.window[1] <= MOST_PLACES
        and all(window <= step for window, step in zip(stage.window, stage.window_stride, strict=True))
        and _are_single(images, weight, bias)
        and min(stage.map_size(images, weight)) > 0
    )


def to_convolution_products(images: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Say whether a convolution without border and with steps of one is better laid out as one product.

    It is where the kernel has few positions and there are more weights than pixels, beside which laying out the pixels
    takes little. The shapes are those of `to_convolution_stages`.
    """
    if images.dim() != 4 or images.shape[0] == 0 or images.shape[1] != weight.shape[1]:
        return False
    down, across = images.shape[2] - weight.shape[2] + 1, images.shape[3] - weight.shape[3] + 1
    few = min(down, across) > 0 and down * across <= MOST_POSITIONS
    return few and weight.numel() > images.numel() and _are_single(images, weight, bias)


def to_grown_pixels(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Say whether a transposed convolution without border takes maps of one pixel, so that it is a product.

    Args:
        inputs: (batch, channels, 1, 1).
        weight: (channels, features, height, width).
        bias: (features,).
    """
    return inputs.dim() == 4 and inputs.shape[1:] == (len(weight), 1, 1) and _are_single(inputs, weight, bias)


def to_onednn_products(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> bool:
    """Say whether a product may be handed to oneDNN, where that is the faster library, with a gradient of its own.

    Args:
        inputs: (..., depth).
        weight: (width, depth).
        bias: (width).
    """
    return (
        weight.dim() == 2
        and inputs.shape[-1] == weight.shape[1]
        and (bias is None or bias.shape == weight.shape[:1])
        and is_large_product(inputs, weight)
        and all(is_float32(tensor) for tensor in (inputs, weight, bias) if tensor is not None)
        and not is_followed()
        and not torch.is_autocast_enabled("cpu")
    )


def is_large_product(left: Tensor, right: Tensor) -> bool:
    """Return whether left right^T is worth handing to oneDNN: (rows, depth) and (columns, depth)."""
    return left.numel() > 0 and left.numel() * len(right) >= LEAST_ONEDNN_OPERATIONS


def _are_single(*tensors: Tensor | None) -> bool:
    """Return whether all are plain numbers of single precision, and what is computed of them stays so."""
    single = all(tensor is None or tensor.dtype is torch.float32 for tensor in tensors)
    return single and not torch.is_autocast_enabled("cpu") and to_scans(*tensors)


def to_dense_layers(layers: DenseStack, inputs: Tensor) -> bool:
    """Say whether a pass of inputs, (batch, features), through small dense layers may be one compiled call."""
    return enabled() and not is_observed() and _fit(layers.refreshed(), inputs)


def to_q_learning(network: DenseStack, target: DenseStack, batch: dict[str, Tensor], *discounts: Tensor) -> bool:
    """Say whether an update of deep Q-learning, but for the descent, may be one compiled call.

    Both networks are small dense ones of the same form, all of Q learns, and transitions are of the usual types and
    lengths: kernels look at no bounds.

    Args:
        network, target: Q and Q'.
        batch: as `ganglion.rules.reinforcement.q_learning.QLearning` takes it.
        discounts: of each transition, (batch,), where they differ.
    """
    return (
        enabled()
        and not is_observed()
        and _fit(network.refreshed(), batch["observations"])
        and _fit(target.refreshed(), batch["next_observations"])
        and network.trained
        and network.limit == target.limit
        and _are_usual(batch, discounts)
    )


def _fit(layers: DenseStack, inputs: Tensor) -> bool:
    fitting = is_float32_array(inputs) and inputs.dim() == 2 and inputs.shape[1] == layers.features
    return fitting and 0 < layers.operations * len(inputs) <= MOST_DENSE_OPERATIONS


def _are_usual(batch: dict[str, Tensor], discounts: tuple[Tensor, ...]) -> bool:
    observations, actions, terminated = batch["observations"], batch["actions"], batch["terminated"]
    numbers = batch["rewards"], *discounts
    kinds = actions.dtype is torch.int64 and terminated.dtype is torch.bool
    places = all(tensor.is_cpu and tensor.is_contiguous() for tensor in (actions, terminated))
    lengths = all(tensor.shape == observations.shape[:1] for tensor in (actions, terminated, *numbers))
    alike = batch["next_observations"].shape == observations.shape
    return kinds and places and lengths and alike and all(map(is_float32_array, numbers))


def to_dropout(inputs: Tensor) -> bool:
    """Say whether dropout of inputs, of any shape, may draw four decisions from one random number."""
    return is_plain(inputs) and not is_followed()


def to_equalising(windows: Tensor) -> bool:
    """Say whether the shades of windows (windows, pixels) may be ranked in one compiled pass."""
    return enabled() and not is_observed() and not windows.requires_grad and is_float32_array(windows)


def to_sums(tensors: Sequence[Tensor]) -> bool:
    """Say whether the norm or the sum of a gradient, tensors of any shapes, may be one compiled pass over all."""
    return bool(tensors) and enabled() and all(map(lie_alike, tensors))


def to_adam(optimizer: Optimizer) -> bool:
    """Say whether an update of Adam or AdamW may be one compiled pass, as far as the optimizer decides that.

    Its weights, gradients and moments have to `lie_alike` as well, and the first update is torch's, which makes the
    moments.
    """
    hooked = optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks or any(_HOOKS_OF_OPTIMIZERS)
    held_back = getattr(optimizer, "found_inf", None) is not None  # by a gradient scaler or a guard
    return not hooked and not held_back and enabled() and not any(map(_is_unusual, optimizer.param_groups))


def _is_unusual(group: dict[str, Any]) -> bool:
    return bool(group["amsgrad"] or group["maximize"] or group["capturable"] or group["differentiable"])


# What they have in common


def is_wanted() -> bool:
    """Return whether compiled paths are wanted at all: the environment variable `GANGLION_FAST=0` says no."""
    return os.environ.get("GANGLION_FAST") != "0"


def enabled() -> bool:
    """Return whether kernels can be compiled here and are wanted."""
    return is_wanted() and _has_compiler()


def reason_disabled() -> str:
    """Return why no kernel is compiled here; empty where they are."""
    if not is_wanted():
        return "switched off by GANGLION_FAST=0"
    if find_spec("numba") is None:
        return "numba is not installed"
    return "" if _has_compiler() else "the processor has no fused multiply-add"


@cache
def _has_compiler() -> bool:
    """Return whether Numba is there; processors of PC kind that cannot multiply and add in one go would emulate it."""
    capability = torch.backends.cpu.get_cpu_capability()
    emulated = platform.machine() in ("x86_64", "AMD64") and capability in ("DEFAULT", "NO AVX")
    return find_spec("numba") is not None and not emulated


def is_followed() -> bool:
    """Return whether something follows the operations of torch one by one.

    Transforms of functions (`torch.func`), forward-mode derivatives, tracing, compilation and counters of operations
    do, and have to be given operations that they know.
    """
    return (
        torch._C._len_torch_dispatch_stack() > 0
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()
    )


def is_observed() -> bool:
    """Return whether something follows the operations of torch, or stands in their place, as autocast does."""
    return is_followed() or torch._C._len_torch_function_stack() > 0 or torch.is_autocast_enabled("cpu")


def is_plain(tensor: Tensor) -> bool:
    """Return whether a tensor of any shape is nothing but numbers of 32 or 16 bits in main memory."""
    return type(tensor) in _ORDINARY and tensor.is_cpu and tensor.dtype in (torch.float32, torch.bfloat16)


def is_float32(tensor: Tensor) -> bool:
    """Return whether a tensor of any shape is nothing but numbers of single precision in main memory."""
    return type(tensor) in _ORDINARY and tensor.dtype is torch.float32 and tensor.is_cpu


def is_float32_array(tensor: Tensor) -> bool:
    """Return whether a tensor of any shape is numbers of single precision in main memory, one after the other."""
    return is_float32(tensor) and tensor.is_contiguous()


def lie_alike(*tensors: Tensor) -> bool:
    """Return whether these are of one shape, plain single precision without gaps, and in the same order in memory."""
    layout = torch.contiguous_format if tensors[0].is_contiguous() else torch.channels_last
    alike = all(tensor.shape == tensors[0].shape for tensor in tensors)
    return alike and all(is_float32(tensor) and _has_no_gaps(tensor, layout) for tensor in tensors)


def _has_no_gaps(tensor: Tensor, layout: torch.memory_format) -> bool:
    whole = layout is torch.contiguous_format or tensor.dim() == 4  # torch knows channels last of images alone
    return whole and tensor.is_contiguous(memory_format=layout)


def layout_of(tensors: Sequence[Tensor]) -> list[Any]:
    """Return all that kernels take for granted of tensors, which an assignment to `data` or a move changes.

    >>> weight = torch.zeros(2, 2)
    >>> before = layout_of([weight])
    >>> weight += 1
    >>> layout_of([weight]) == before
    True
    >>> weight.data = weight.double()
    >>> layout_of([weight]) == before
    False
    """
    return [*map(Tensor.data_ptr, tensors), *map(Tensor.stride, tensors), *map(_KIND, tensors)]


_KIND = attrgetter("dtype", "shape", "is_cpu", "requires_grad")
