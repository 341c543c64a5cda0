"""What a run folder says of itself, believed only as far as it fits together."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ganglion import tasks
from ganglion.core import LearningRule
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, ConfigurationError, GanglionError
from ganglion.models import System
from ganglion.runs.migration import FORMAT, migrated
from ganglion.settings import from_dict
from ganglion.tasks.base import Task
from ganglion.training.machine.memory import machine_memory


@dataclass(frozen=True, kw_only=True)
class Description:
    """The parts of `config.json` that are needed to open a run."""

    format: int
    system: str
    task: str
    data: str
    fingerprint: str
    config: dict[str, Any]
    trainer: dict[str, Any]
    data_settings: dict[str, Any]
    state: dict[str, Any]


def checked(description: dict[str, Any]) -> dict[str, Any]:
    """Return the contents of `config.json` in the present format, if every part is there and of its kind."""
    names = {field.name for field in fields(Description)}
    known = from_dict(Description, {name: description[name] for name in names & set(description)}, where="config.json")
    if known.format > FORMAT:
        raise CheckpointError(
            "this run was written by a newer ganglion",
            expected=f"format {FORMAT}",
            found=f"format {known.format}",
            remedy="upgrade ganglion",
        )
    with _describing():
        return migrated(description)


def restored(description: dict[str, Any], config: Any) -> Task:
    """Return the task that a run describes, without its data."""
    with _describing():
        task = tasks.find(description["task"]).restore(description["state"], config)
        task.settings = from_dict(DataSettings, description["data_settings"], where="config.json")
        return task


@contextmanager
def _describing() -> Iterator[None]:
    """Raise `CheckpointError` where what is said of a task cannot be read."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CheckpointError(
            "config.json does not describe how the data was prepared",
            where="state",
            found=f"{type(error).__name__}: {error}",
            remedy="put the original file back, or train again",
        ) from error


def build(system: System, config: Any) -> LearningRule:
    """Build a system, unless the memory of this machine could not hold it.

    Raises:
        ConfigurationError: the networks are too large or have layers of nothing; found out without allocating any.
    """
    try:
        networks = without_numbers(system, config)[0].networks.values()
        size = sum(
            tensor.numel() * tensor.element_size()
            for network in networks
            for tensor in chain(network.parameters(), network.buffers())
        )
        _refuse_hollow(system, networks)
    except GanglionError:
        raise
    except (RuntimeError, OverflowError, MemoryError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"no such {system.name} can be built",
            found=str(error),
            remedy=f"`ganglion info {system.name}` lists its settings",
        ) from error
    if size > machine_memory():
        raise ConfigurationError(
            f"this {system.name} does not fit into the memory of this machine",
            expected=f"at most {machine_memory() / 2**30:.1f} GiB",
            found=f"{size / 2**30:,.1f} GiB of weights",
            remedy="choose smaller sizes",
        )
    return system.load().build(config)


def without_numbers(system: System, config: Any) -> tuple[LearningRule, dict[str, tuple[Tensor, ...]]]:
    """Build a system on the meta device, where tensors have shapes and no memory; return it with its blank inputs."""
    module = system.load()
    with torch.device("meta"), _Undrawn(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch remarks on layers without units
        return module.build(config), module.examples(config)


class _Undrawn(TorchFunctionMode):
    """Leaves weights without memory undrawn: torch would import its compiler, as slowly as itself, to draw them."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if function is nn.init.normal_:  # where a mode is on, torch hands over the whole function, with names
            return named.get("tensor", *args[:1])
        return args[0] if function is Tensor.normal_ else function(*args, **named)


def _refuse_hollow(system: System, networks: Iterable[nn.Module]) -> None:
    """Raise `ConfigurationError` for a layer of no units, through which nothing can be learnt.

    One of no inputs is none: it lives on its state.
    """
    hollow = [name for network in networks for name, weight in network.named_parameters() if weight.shape[:1] == (0,)]
    if hollow:
        raise ConfigurationError(
            f"a layer of this {system.name} has no units",
            where=hollow[0].rpartition(".")[0],
            found="a size of 0",
            remedy="choose sizes of at least 1",
        )


def fill(network: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Put saved weights, by name and of the same shapes, into a network.

    Raises `CheckpointError` where they are those of another one.
    """
    try:
        network.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            "the weights of this run do not fit the network that its config.json describes",
            where=where,
            found=str(error),
            remedy="put the original config.json back, or train again",
        ) from error
