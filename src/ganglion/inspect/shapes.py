"""What a network says of an input that does not fit: the layer that cannot take it, and the shape that would."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from inspect import Parameter, signature
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganglion.errors import ShapeError

Kinds = tuple[tuple[tuple[int, ...], torch.dtype], ...]
"""Shape and type of each of a network's inputs."""


def with_clear_shapes(network: nn.Module, *usual: Tensor) -> nn.Module:
    """Let `network` refuse inputs that do not fit with an error that names the layer, and return it.

    Inputs of the usual shapes cost one comparison. Others are first sent through a copy of the network that has shapes
    but no numbers, so that a network that can take several sizes still does.

    Args:
        usual: inputs that fit, of any number of samples; floating point of the type of the parameters is meant.

    >>> layers = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> with_clear_shapes(layers, torch.zeros(1, 4))(torch.zeros(5, 6))
    Traceback (most recent call last):
    ganglion.errors.ShapeError: this network cannot take inputs of shape (5, 6)
      where: layer 0 (Linear)
      expected: (5, 4) there
      found: (5, 6) there
      try: give inputs of shape (batch, 4)
    """
    needed = sum(one.default is Parameter.empty for one in signature(network.forward).parameters.values())
    kinds = tuple(map(_kind, usual))
    network.register_forward_pre_hook(partial(_examine, usual=kinds, least=min(needed, len(kinds)), accepted=set()))
    return network


def _kind(tensor: Tensor) -> tuple[tuple[int, ...], torch.dtype]:
    return tuple(tensor.shape), tensor.dtype


def _examine(network: nn.Module, arguments: tuple[Any, ...], *, usual: Kinds, least: int, accepted: set[Kinds]) -> None:
    """Raise `ShapeError` where the network would fail on inputs of these shapes and types but not on the usual ones."""
    floating = next((weight.dtype for weight in network.parameters()), torch.float32)
    usual = tuple((shape, floating if kind.is_floating_point else kind) for shape, kind in usual)
    inputs = arguments[: len(usual)]
    if len(inputs) < least or not all(isinstance(one, Tensor) for one in inputs):
        raise ShapeError(
            "a network takes tensors" if len(usual) > 1 else "a network takes a tensor",
            expected="; ".join(f"{kind} of shape {_batch_of(shape)}" for shape, kind in usual),
            found=", ".join(type(one).__name__ for one in inputs) or "NoneType",
            remedy="convert arrays with torch.as_tensor, or let Run.predict convert raw inputs",
        )
    usual = usual[: len(inputs)]
    given = tuple(map(_kind, inputs))
    known = tuple((shape[1:], kind) for shape, kind in given)
    if torch.compiler.is_compiling() or any(one.is_meta for one in inputs) or known in accepted:
        return
    if known != tuple((shape[1:], kind) for shape, kind in usual):
        accepted.add(known)  # a trial comes back here, with inputs of this kind
        try:
            for number, one in enumerate(inputs):
                _refuse_type(network, one, usual, number)
            _refuse_shape(network, given, usual)
        except ShapeError:
            accepted.discard(known)
            raise


def _refuse_type(network: nn.Module, inputs: Tensor, usual: Kinds, number: int) -> None:
    kind = usual[number][1]
    if inputs.dtype == kind or torch.is_autocast_enabled(inputs.device.type):
        return
    # Floating point of another width never fits; whole numbers may be what the network converts itself.
    changed = (*usual[:number], (usual[number][0], inputs.dtype), *usual[number + 1 :])
    if inputs.is_floating_point() or _Trial(network, blank=False).run(changed, samples=1).failed is not None:
        raise ShapeError(
            "this network cannot take numbers of this type",
            expected=str(kind),
            found=str(inputs.dtype),
            remedy=f"convert them with inputs.to({kind})",
        )


def _refuse_shape(network: nn.Module, given: Kinds, usual: Kinds) -> None:
    first = given[0][0]
    trial = _Trial(network).run(given)
    if trial.failed is None:
        return
    types = tuple((shape, kind) for (shape, _), (_, kind) in zip(usual, given, strict=True))
    fitting = _Trial(network).run(types, samples=first[0] if first else 1)
    if fitting.failed is not None or trial.failed not in fitting.shapes:
        return  # It is not the shape that is wrong: let the network say what is.
    kind = type(network.get_submodule(trial.failed)).__name__
    raise ShapeError(
        f"this network cannot take inputs of shape {', '.join(str(shape) for shape, _ in given)}",
        where=f"layer {trial.failed} ({kind})" if trial.failed else kind,
        expected=f"{fitting.shapes[trial.failed]} there",
        found=f"{trial.shapes[trial.failed]} there",
        remedy=f"give inputs of shape {' and '.join(_batch_of(shape) for shape, _ in usual)}",
    )


def _batch_of(shape: tuple[int, ...]) -> str:
    return f"(batch, {', '.join(map(str, shape[1:]))})"


@dataclass
class _Trial:
    """A pass through a copy of a network: without any numbers, on the meta device, where it is `blank`."""

    network: nn.Module
    blank: bool = True
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """What each layer was given, by its path."""
    failed: str | None = None
    """The innermost layer that was running when something went wrong."""

    def run(self, inputs: Kinds, samples: int | None = None) -> "_Trial":
        """Send blank inputs through, of as many samples where that is said."""
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
                shapes = [(shape if samples is None else (samples, *shape[1:]), kind) for shape, kind in inputs]
                blanks = tuple(torch.zeros(shape, dtype=kind, device=device) for shape, kind in shapes)
                functional_call(self.network, copied, blanks)
        except Exception:  # Layers raise whatever they like.
            self.failed = next((path for path in reversed(running) if path in self.shapes), None)
        finally:
            for hook in hooks:
                hook.remove()
        return self
