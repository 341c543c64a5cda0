"""The whole design on one page: a learning rule steps on batches, a loader yields them, and both can be saved.

A network of the canon is a plain `torch.nn.Module`. What makes a family a family is its *learning rule*: how a batch
changes the networks. The trainer drives any rule with any loader and can name neither.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Batch = dict[str, Tensor]
"""Named tensors whose first axis is the sample: `inputs`, `targets`, and `index`, the samples' places in the set."""


class LearningRule(ABC):
    """How batches change networks. Every concrete rule is final and assigns all four fields when it is built.

    `networks` by role; the first is the one a user takes home. `optimizers` by role, never by index. `counters` are
    whole numbers that steer the rule (steps since the target network was copied, the layer a deep belief net is at).
    `tensors` are the rest of its state (the persistent chains of a Boltzmann machine).
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    counters: dict[str, int]
    tensors: dict[str, Tensor]

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Learn from one batch and return its measurements as scalars that stay on the device."""

    @property
    def network(self) -> nn.Module:
        """The network a user takes home."""
        return next(iter(self.networks.values()))

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": {role: network.state_dict() for role, network in self.networks.items()},
            "optimizers": {role: optimizer.state_dict() for role, optimizer in self.optimizers.items()},
            "counters": dict(self.counters),
            "tensors": dict(self.tensors),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for role, network in self.networks.items():
            network.load_state_dict(state["networks"][role])
        for role, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][role])
            _lay_out_like_parameters(optimizer)
        self.counters.update(state["counters"])
        for name, tensor in state["tensors"].items():
            self.tensors[name] = tensor.to(self.tensors[name].device if name in self.tensors else tensor.device)


def _lay_out_like_parameters(optimizer: Optimizer) -> None:
    """Give loaded moments the memory layout of their parameters, which torch's fused steps take for granted."""
    for parameter, moments in optimizer.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter, dtype=moment.dtype).copy_(moment)


class Loader(Protocol):
    """A source of batches whose place can be saved; the order of an epoch is a function of (seed, epoch) alone."""

    epoch: int
    """Epochs completed so far."""
    batches_per_epoch: int | None
    """None for a source without epochs, such as a replay memory."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield what is left of the current epoch; the place is advanced before each batch is handed out."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
