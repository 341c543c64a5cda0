"""Stacks of dense layers."""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from operator import attrgetter

from torch import nn
from torch.nn.modules import module as shared
from torch.utils.hooks import RemovableHandle

from ganglion.fast.perceptron import Dense, Function
from ganglion.nn.activations import ActivationName, activation
from ganglion.nn.initialisers import InitialiserName, initialise
from ganglion.nn.linear import Linear


def dense_layers(
    widths: Sequence[int],
    *,
    activation_name: ActivationName = "relu",
    initialiser_name: InitialiserName = "he-normal",
    dropout: float = 0.0,
    pieces: int = 2,
) -> list[nn.Module]:
    """Return the layers h_l = f(W_l h_(l-1) + b_l), the last without f.

    Args:
        widths: features of the input, of every hidden layer, and of the output.
        activation_name: f.
        initialiser_name: how the W start; the b start at zero.
        dropout: share of hidden features that is dropped while training.
        pieces: linear functions that each feature of a maxout layer is the largest of.

    >>> nn.Sequential(*dense_layers([4, 3, 2], dropout=0.5))
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ReLU()
      (2): Dropout(p=0.5, inplace=False)
      (3): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    layers: list[nn.Module] = []
    group = pieces if activation_name == "maxout" else 1
    for before, after in pairwise(widths[:-1]):
        layers += [Linear(before, after * group), activation(activation_name, pieces)]
        layers += [nn.Dropout(dropout)] if dropout else []
    layers.append(Linear(widths[-2], widths[-1]))
    for layer in layers:
        if isinstance(layer, nn.Linear):
            initialise(layer, initialiser_name)
    return layers


FUSED: dict[type[nn.Module], Function] = {nn.ReLU: "relu", nn.Tanh: "tanh", nn.Sigmoid: "sigmoid"}
"""Activations that belong to the layer before them."""


def as_dense(modules: Iterable[nn.Module]) -> list[Dense] | None:
    """Return what modules compute one after the other, where they are dense layers and nobody listens to their calls.

    Args:
        modules: layers, each with or without an activation behind it.

    >>> [layer.function for layer in as_dense([nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)])]
    ['relu', 'linear']
    >>> as_dense([nn.Conv1d(1, 1, 1)]) is None
    True
    """
    layers: list[Dense] = []
    modules = tuple(modules)
    for module in modules:
        kind = type(module)
        if kind in (Linear, nn.Linear):
            weights = module._parameters
            layers.append(Dense(weights["weight"], weights["bias"], "linear"))  # type: ignore[arg-type]
        elif kind in FUSED and layers and layers[-1].function == "linear":
            layers[-1] = layers[-1]._replace(function=FUSED[kind])
        else:
            return None
    return layers if are_unwatched(modules) else None


def is_unwatched(module: nn.Module) -> bool:
    """Return whether calling a module is nothing but the forward of its class: no hooks, nothing put in its place."""
    return are_unwatched((module,))


def are_unwatched(modules: Sequence[nn.Module]) -> bool:
    """Return whether calling each of these modules is nothing but the forward of its class."""
    return not any(chain(_EVERYWHERE, *map(_HOOKS, modules))) and call_their_class(modules)


def call_their_class(modules: Sequence[nn.Module]) -> bool:
    """Return whether no module has had another function put in the place of the forward of its class."""
    return not any("forward" in own for own in map(vars, modules))


def hooks_so_far() -> int:
    """Return a number that changes whenever a hook is registered anywhere."""
    return RemovableHandle.next_id


_HOOKS = attrgetter("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_EVERYWHERE = (
    shared._global_forward_hooks, shared._global_forward_pre_hooks, shared._global_backward_hooks,
    shared._global_backward_pre_hooks,
)  # fmt: skip
"""Hooks of all modules."""
