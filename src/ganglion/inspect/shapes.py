"""What a network says of an input that does not fit: the layer that cannot take it, and the shape that would."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganglion.errors import ShapeError

Shape = tuple[int, ...]


def with_clear_shapes(network: nn.Module, sample_shape: Shape, dtype: torch.dtype | None = None) -> nn.Module:
    """Let `network` refuse inputs that do not fit with an error that names the layer, and return it.

    Inputs of the usual shape cost one comparison. Others are first sent through a copy of the network that has shapes
    but no numbers, so that a network that can take several sizes still does.

    Args:
        sample_shape: a shape that fits, without the axis of the batch.
        dtype: the type of the inputs, where that is not the type of the parameters.

    >>> network = with_clear_shapes(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (4,))
    >>> network(torch.zeros(5, 6))
    Traceback (most recent call last):
    ganglion.errors.ShapeError: this network cannot take inputs of shape (5, 6)
      where: layer 0 (Linear)
      expected: (5, 4) there
      found: (5, 6) there
      try: give inputs of shape (batch, 4)
    """
    hook = partial(_examine, sample_shape=tuple(sample_shape), dtype=dtype, accepted=set())
    network.register_forward_pre_hook(hook)
    return network


def _examine(
    network: nn.Module, arguments: tuple[Any, ...], *, sample_shape: Shape, dtype: torch.dtype | None, accepted: set
) -> None:
    """Raise `ShapeError` where the network would fail on inputs of this shape and type but not on the usual ones."""
    inputs = arguments[0] if arguments else None
    usual_type = dtype or next((weight.dtype for weight in network.parameters()), torch.float32)
    if not isinstance(inputs, Tensor):
        raise ShapeError(
            "a network takes a tensor",
            expected=f"{usual_type} of shape {_batch_of(sample_shape)}",
            found=type(inputs).__name__,
            remedy="convert arrays with torch.as_tensor, or let Run.predict convert raw inputs",
        )
    known = (inputs.shape[1:], inputs.dtype, usual_type)
    if inputs.is_meta or known == (sample_shape, usual_type, usual_type) or known in accepted:
        return
    _refuse_type(network, inputs, usual_type, sample_shape)
    _refuse_shape(network, inputs, sample_shape)
    accepted.add(known)


def _refuse_type(network: nn.Module, inputs: Tensor, usual: torch.dtype, sample_shape: Shape) -> None:
    if inputs.dtype == usual or torch.is_autocast_enabled(inputs.device.type):
        return
    # Floating point of another width never fits; whole numbers may be what the network converts itself.
    if (
        inputs.is_floating_point()
        or _Trial(network, blank=False).run((1, *sample_shape), inputs.dtype).failed is not None
    ):
        raise ShapeError(
            "this network cannot take numbers of this type",
            expected=str(usual),
            found=str(inputs.dtype),
            remedy=f"convert them with inputs.to({usual})",
        )


def _refuse_shape(network: nn.Module, inputs: Tensor, sample_shape: Shape) -> None:
    given = _Trial(network).run(inputs.shape, inputs.dtype)
    if given.failed is None:
        return
    usual = _Trial(network).run((inputs.shape[0] if inputs.ndim else 1, *sample_shape), inputs.dtype)
    if usual.failed is not None or given.failed not in usual.shapes:
        return  # It is not the shape that is wrong: let the network say what is.
    kind = type(network.get_submodule(given.failed)).__name__
    raise ShapeError(
        f"this network cannot take inputs of shape {tuple(inputs.shape)}",
        where=f"layer {given.failed} ({kind})" if given.failed else kind,
        expected=f"{usual.shapes[given.failed]} there",
        found=f"{given.shapes[given.failed]} there",
        remedy=f"give inputs of shape {_batch_of(sample_shape)}",
    )


def _batch_of(sample_shape: Shape) -> str:
    return f"(batch, {', '.join(map(str, sample_shape))})"


@dataclass
class _Trial:
    """A pass through a copy of a network: without any numbers, on the meta device, where it is `blank`."""

    network: nn.Module
    blank: bool = True
    shapes: dict[str, Shape] = field(default_factory=dict)
    """What each layer was given, by its path."""
    failed: str | None = None
    """The innermost layer that was running when something went wrong."""

    def run(self, shape: Shape, kind: torch.dtype) -> "_Trial":
        running: list[str] = []

        def enter(path: str) -> Callable[..., None]:
            def hook(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
                running.append(path)
                if arguments and isinstance(arguments[0], Tensor):
                    self.shapes[path] = tuple(arguments[0].shape)

            return hook

        def leave(layer: nn.Module, arguments: tuple[Any, ...], outputs: Any) -> None:
            running.pop()

        hooks = [layer.register_forward_pre_hook(enter(path)) for path, layer in self.network.named_modules()]
        hooks += [layer.register_forward_hook(leave) for layer in self.network.modules()]
        copy = partial(torch.empty_like, device="meta") if self.blank else torch.clone
        state = chain(self.network.named_parameters(), self.network.named_buffers())
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                copied = {name: copy(tensor) for name, tensor in state}
                device = "meta" if self.blank else next(iter(copied.values())).device
                functional_call(self.network, copied, (torch.zeros(shape, dtype=kind, device=device),))
        except Exception:  # Layers raise whatever they like.
            self.failed = next((path for path in reversed(running) if path in self.shapes), None)
        finally:
            for hook in hooks:
                hook.remove()
        return self
