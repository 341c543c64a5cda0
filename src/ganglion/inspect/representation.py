"""What a network makes of a sample before it answers: the code of an encoder, or what its last layer is given."""

from collections.abc import Callable
from itertools import chain
from typing import Any

from torch import Tensor, nn

from ganglion.core import CentredUnits, DensityModel, Encoder, LatentModel
from ganglion.errors import UsageError
from ganglion.inspect.untouched import first_tensor
from ganglion.inspect.watched import layers_called

Call = Callable[[Tensor], Tensor]


def representation(network: nn.Module, inputs: Tensor) -> tuple[str, Call]:
    """Return in words what a network makes of samples, and what gives it, (batch, features), of inputs (batch, ...).

    It is the code of an encoder, the mean of latents, the hidden units of a machine, the responses of radial units,
    and for all other networks what the last layer with weights is given.

    Args:
        inputs: some samples, by which the last layer is found.

    Raises `UsageError` where the first layer is the last one, or where nothing has weights.

    >>> import torch
    >>> network = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> said, call = representation(network, torch.zeros(1, 4))
    >>> said, call(torch.zeros(5, 4)).shape
    ('what layer 2 is given', torch.Size([5, 3]))
    """
    if isinstance(network, Encoder):
        return "the code", network.encode
    if isinstance(network, LatentModel):
        return "the mean of the latents", _means_of(network)
    if isinstance(network, DensityModel):
        return "the probabilities of the hidden units", lambda samples: network.hidden_probabilities(samples.flatten(1))
    if isinstance(network, CentredUnits):
        return "the responses of the units", lambda samples: network.responses(samples.flatten(1))
    name = _last_layer(network, inputs)
    return f"what layer {name} is given", _given_to(network, network.get_submodule(name))


def _means_of(network: LatentModel) -> Call:
    if network.condition_features:
        raise UsageError(
            "the code of this network depends on a class, too",
            expected="a network that knows no classes",
            found="a conditional one",
            remedy="train it without --conditional",
        )
    return lambda samples: network.posterior(samples)[0]


def _last_layer(network: nn.Module, inputs: Tensor) -> str:
    """Return the dotted name of the layer with weights of its own that is called last; not the first one."""
    called = [name for name in layers_called(network, inputs) if _has_weights(network.get_submodule(name))]
    if len(called) < 2:
        raise UsageError(
            "this network makes nothing of its inputs before it answers",
            where=type(network).__name__,
            expected="an encoder, or several layers with weights",
            found=", ".join(called) or "none",
            remedy="give a run of an autoencoder or of a deeper network",
        )
    return called[-1]


def _has_weights(layer: nn.Module) -> bool:
    return any(one.dim() > 1 for one in chain(layer.parameters(recurse=False), layer.buffers(recurse=False)))


def _given_to(network: nn.Module, layer: nn.Module) -> Call:
    """Return what gives the inputs of a layer, (batch, features), for inputs of the network (batch, ...)."""

    def call(samples: Tensor) -> Tensor:
        found: list[Tensor] = []

        def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
            given = first_tensor(arguments)
            if given is not None:
                found.append(given.flatten(1).clone())

        hook = layer.register_forward_pre_hook(note)
        try:
            network(samples)
        finally:
            hook.remove()
        return found[-1]

    return call
