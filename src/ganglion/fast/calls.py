"""Whether calling modules is nothing but the forward of their classes: then a compiled path may stand for the call."""

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from operator import attrgetter, contains, is_
from typing import Any

from torch import nn
from torch.nn.modules import module as shared
from torch.utils.hooks import RemovableHandle

_HOOKS = attrgetter("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_HOOKS_OF_ALL = (
    shared._global_forward_hooks, shared._global_forward_pre_hooks, shared._global_backward_hooks,
    shared._global_backward_pre_hooks,
)  # fmt: skip


def are_unhooked(*modules: nn.Module) -> bool:
    """Return whether calling each of these modules is nothing but the forward of its class.

    >>> layer = nn.ReLU()
    >>> hook = layer.register_forward_hook(lambda *_: None)
    >>> are_unhooked(layer), hook.remove(), are_unhooked(layer)
    (False, None, True)
    """
    return not any(chain(_HOOKS_OF_ALL, *map(_HOOKS, modules))) and _keep_their_forward(modules)


def _keep_their_forward(modules: Iterable[nn.Module]) -> bool:
    """Return whether no module has had another function put in the place of the forward of its class."""
    return not any(map(contains, map(vars, modules), repeat("forward")))


class Snapshot:
    """A network without hooks as it was when somebody found out what calling it computes.

    Looking whether it still is so costs a few microseconds. The network itself is not kept alive.

    Args:
        network: whose parts must stay the same.
        below: all other modules whose calls have a part in its own.

    >>> network = nn.Sequential(nn.Linear(2, 2))
    >>> snapshot = Snapshot(network, list(network))
    >>> snapshot.still_shows(network)
    True
    >>> network[0].bias = None
    >>> snapshot.still_shows(network)
    False
    """

    def __init__(self, network: nn.Module, below: Sequence[nn.Module]) -> None:
        self._below, self._kinds = tuple(below), (type(network), *map(type, below))
        parts = [(module, name) for module in below for name in ("_modules", "_parameters", "_buffers")]
        parts = [(module, name) for module, name in parts if vars(module)[name] or isinstance(module, nn.Sequential)]
        self._owners = [module for module, _ in parts]
        self._names = ["_modules", *(name for _, name in parts)]
        self._dictionaries: list[dict[str, Any]] = [*map(getattr, (network, *self._owners), self._names)]
        self._values = tuple(chain.from_iterable(map(dict.values, self._dictionaries)))
        self._hooks_so_far = RemovableHandle.next_id  # grows with every hook that is registered anywhere

    def still_shows(self, network: nn.Module) -> bool:
        """Return whether the network has the same parts, and nobody listens or has replaced a forward."""
        modules, owners = (network, *self._below), (network, *self._owners)
        return (
            self._hooks_so_far == RemovableHandle.next_id
            and _keep_their_forward(modules)
            and all(map(is_, map(type, modules), self._kinds))
            and all(map(is_, map(getattr, owners, self._names), self._dictionaries))
            and sum(map(len, self._dictionaries)) == len(self._values)
            and all(map(is_, chain.from_iterable(map(dict.values, self._dictionaries)), self._values))
        )
