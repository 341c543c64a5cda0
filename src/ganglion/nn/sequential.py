"""Layers one after the other; small dense ones in one compiled call where nobody wants a gradient."""

from collections.abc import Iterable
from typing import NamedTuple, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ganglion.fast import applies
from ganglion.fast.calls import Snapshot, are_unhooked
from ganglion.fast.dense.layers import MODULES, DenseLayer, Streams
from ganglion.fast.dense.q_learning import StandardisedLayers
from ganglion.nn.inputs import FlatInputs, RunningStandardisation
from ganglion.nn.linear import Linear
from ganglion.nn.reinforcement.dueling import DuelingHead


class Sequential(nn.Sequential):
    """f_n(... f_2(f_1(x))): `torch.nn.Sequential`, whose place it takes.

    Where no gradient is recorded, small dense layers behind a running standardisation are one compiled call.

    >>> Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))(torch.zeros(5, 4)).shape
    torch.Size([5, 2])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        layers = None if torch.is_grad_enabled() else standardised_layers(self)
        if layers is None:
            return cast(Tensor, super().forward(inputs))
        first = next(iter(self._modules.values()))
        rows = first.forward(inputs) if type(first) is FlatInputs else inputs
        if applies.to_dense_layers(layers, rows):
            return layers.values(rows)
        return cast(Tensor, super().forward(inputs))


def standardised_layers(network: nn.Module) -> StandardisedLayers | None:
    """Return what a call of a network computes: dense layers behind a running standardisation, (batch, features).

    None where it is anything else, or where somebody listens to the calls of its layers or has replaced a forward. What
    was found is kept with the network, as long as all parts of it are the same.

    >>> network = Sequential(RunningStandardisation(3), Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    >>> [layer.activation for layer in standardised_layers(network).layers]
    ['relu', 'linear']
    >>> standardised_layers(nn.Sequential(nn.Linear(3, 2))) is None
    True
    """
    known = _KNOWN.get(network)
    if known is None or not known.snapshot.still_shows(network) or known.layers.limit != known.scaling.LIMIT:
        known = _found_out(network)
        if known is None:
            _KNOWN.pop(network, None)
            return None
        _KNOWN[network] = known
    return known.layers


class _Known(NamedTuple):
    """What is known of a network; the network itself is no part of it, so that it can be let go."""

    layers: StandardisedLayers
    snapshot: Snapshot
    scaling: RunningStandardisation


_KNOWN: WeakKeyDictionary[nn.Module, _Known] = WeakKeyDictionary()


def _found_out(network: nn.Module) -> _Known | None:
    modules = _unfolded(network) if _is_sequence(network) else []
    layers = [module for module in modules if not _is_sequence(module)]
    if layers and type(layers[0]) is FlatInputs:  # changes nothing of the rows that kernels take
        layers = layers[1:]
    head = layers[-1] if layers and type(layers[-1]) is DuelingHead else None
    if head:
        layers.pop()
        modules += head.children()
    if not layers or type(layers[0]) is not RunningStandardisation or not are_unhooked(network, *modules):
        return None
    scaling = layers[0]
    dense, streams = dense_layers_of(layers[1:]), _streams_of(head)
    if dense is None or (head and streams is None):
        return None
    if streams:
        dense.append(DenseLayer(streams.weight, streams.bias, "linear"))
    found = StandardisedLayers(dense, scaling.mean, scaling.variance, scaling.count, scaling.LIMIT, streams)
    return _Known(found, Snapshot(network, modules), scaling)


def _streams_of(head: nn.Module | None) -> Streams | None:
    """Return the streams of a dueling head where each is one dense layer."""
    if not isinstance(head, DuelingHead) or any(
        type(stream) not in (Linear, nn.Linear) for stream in (head.value, head.advantage)
    ):
        return None
    value, advantage = ((stream.weight, stream.bias) for stream in (head.value, head.advantage))
    return None if value[1] is None or advantage[1] is None else Streams(value, advantage)  # type: ignore[arg-type]


def _is_sequence(module: nn.Module) -> bool:
    """Return whether calling a module is calling its layers one after the other."""
    kind = type(module)
    return kind.forward in (nn.Sequential.forward, Sequential.forward) and kind.__call__ is nn.Module.__call__


def _unfolded(network: nn.Module) -> list[nn.Module]:
    """Return the modules below a sequence, each sequence followed by what is in it."""
    found: list[nn.Module] = []
    for module in network.children():
        found.append(module)
        if _is_sequence(module):
            found += _unfolded(module)
    return found


def dense_layers_of(modules: Iterable[nn.Module]) -> list[DenseLayer] | None:
    """Return what modules compute one after the other, if all are dense layers, with or without activation behind them.

    >>> [layer.activation for layer in dense_layers_of([nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)])]
    ['relu', 'linear']
    >>> dense_layers_of([nn.Conv1d(1, 1, 1)]) is None
    True
    """
    layers: list[DenseLayer] = []
    for module in modules:
        kind = type(module)
        if kind in (Linear, nn.Linear):
            weights = module._parameters
            layers.append(DenseLayer(weights["weight"], weights["bias"], "linear"))  # type: ignore[arg-type]
        elif kind in MODULES and layers and layers[-1].activation == "linear":
            layers[-1] = layers[-1]._replace(activation=MODULES[kind])
        else:
            return None
    return layers
