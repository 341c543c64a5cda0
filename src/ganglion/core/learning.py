"""Learning rules, loaders, and what goes between them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Batch = dict[str, Tensor]
"""Named tensors whose first axis is the sample: `inputs`, `targets`, and `index`, the samples' places in the set."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that says how good something is, and which way is better.

    >>> Measure(name="perplexity", higher_is_better=False).is_better(20.0, than=30.0)
    True
    """

    name: str
    higher_is_better: bool
    meaning: str = ""
    """One sentence for those who meet it for the first time, with its unit."""

    def is_better(self, value: float, than: float) -> bool:
        """Return whether `value` is better; equal is not, and neither is a value that is no number."""
        return value > than if self.higher_is_better else value < than


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a run in which a rule trains some of its networks: a layer, a stage, a size of pictures.

    When a phase begins, optimizers, schedule, average, best score and patience start anew.
    """

    name: str
    share: float = 1.0
    """Length: this phase's part of the run's iterations, in proportion to the shares of the others."""
    roles: tuple[str, ...] = ()
    """Networks that are trained; all of them when empty."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """What the loader is told of the data's size in this phase, such as `image_size`."""


class LearningRule(ABC):
    """How batches change networks. Every concrete rule is final and assigns the first four fields when it is built.

    `networks` by role. `optimizers` by role, never by index. `counters` are whole numbers that steer the rule (steps
    since the target network was copied, the layer a deep belief net is at). `tensors` are the rest of its state (the
    persistent chains of a Boltzmann machine). `home_roles` are the networks that are averaged, judged, chosen by the
    best evaluation, saved and taken home together; the first of `networks` when empty. `phases` are the stretches
    that training is made of, in order; none where it is the same throughout.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    counters: dict[str, int]
    tensors: dict[str, Tensor]
    home_roles: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    weighs: ClassVar[bool] = False
    """Whether samples count in the loss as `batch["weights"]` says, where that is there."""
    shards: ClassVar[bool] = False
    """Whether its networks are only called as they are, so that their weights may be spread over processes."""
    freezes: ClassVar[bool] = True
    """Whether parts can be kept as they start: those that only a gradient changes can."""

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Learn from one batch and return its measurements as scalars that stay on the device."""

    @property
    def home(self) -> nn.Module:
        """What a user takes home: one network, or an `nn.ModuleDict` of several by role."""
        roles = self.home_roles or tuple(self.networks)[:1]
        if len(roles) == 1:
            return self.networks[roles[0]]
        return nn.ModuleDict({role: self.networks[role] for role in roles})

    def begin(self, phase: Phase) -> None:
        """Get ready for a phase: freeze and thaw networks, and make the optimizers of those that it trains anew.

        Called when a phase begins, on a rule that has been through those before it; and on one that was just built,
        in order to load a state of that phase. `ganglion.rules.roles` does what most rules need.
        """
        raise TypeError(f"{type(self).__name__} declares phases, and not how {phase.name} begins")

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


def is_under(name: str, prefix: str) -> bool:
    """Say whether the dotted name of a part of a network is a prefix, or begins with it and a dot.

    >>> is_under("layers.0.weight", "layers.0"), is_under("layers.10.weight", "layers.1")
    (True, False)
    """
    return name == prefix or name.startswith(f"{prefix}.")


class Loader(Protocol):
    """A source of batches whose place can be saved; the order of an epoch is a function of (seed, epoch) alone."""

    epoch: int
    """Epochs completed so far."""
    batches_per_epoch: int | None
    """None for a source without epochs, such as a replay memory."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield what is left of the current epoch; the place is advanced before each batch is handed out."""

    def begin(self, phase: Phase) -> None:
        """Hand out data of the sizes that a phase asks for from the next `iter` on; the place stays the same."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...
