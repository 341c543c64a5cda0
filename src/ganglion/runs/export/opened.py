"""An exported file, asked as the run that it was exported from: the file stands in for the weights."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import Reader
from ganglion.errors import UsageError
from ganglion.models import System, find
from ganglion.models.convolutional.face_detector import WindowNetwork
from ganglion.models.recurrent.sketch_rnn import SketchRNN, begun
from ganglion.nn.drawing.pen_steps import steps_of
from ganglion.nn.language.writer import Writer
from ganglion.nn.recurrent import States
from ganglion.nn.recurrent.sequences import padding
from ganglion.runs.answering import Answering
from ganglion.runs.export.card import Card, read_card
from ganglion.runs.export.parts import rebuilt, tensors_in
from ganglion.runs.export.runtime import Runtime
from ganglion.runs.export.whole import Around, Scaling, like_states
from ganglion.runs.opening import checked, restored, without_numbers
from ganglion.settings import from_dict
from ganglion.tasks.answers import Answer
from ganglion.tasks.base import Task

NOWHERE = torch.device("meta")
"""Where tensors have shapes and no numbers."""


class ExportedRun(Answering):
    """An ONNX file that `export` wrote, with its card.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        DataError: the file cannot be read, or is from elsewhere.
    """

    def __init__(self, path: str | Path) -> None:
        self.folder = Path(path).expanduser()
        self.runtime = Runtime(self.folder)
        self.card: Card = read_card(self.runtime.metadata, str(self.folder))
        self._description = checked(self.card["run"])
        self.system: System = find(self._description["system"])
        self.config: Any = from_dict(self.system.load().Config, self._description["config"], where="card")

    @cached_property
    def task(self) -> Task:
        return restored(self._description, self.config)

    @cached_property
    def network(self) -> nn.Module:
        home: Any = without_numbers(self.system, self.config)[0].home.eval().requires_grad_(False)
        role = self.card.get("role")
        whole = home if role is None else home[role]
        stand_in(whole, self.runtime, Around.of(self.task).scaling)
        _stand_in_for_parts(whole, self.runtime, self.card.get("parts", {}))
        network: nn.Module = home if role is None else nn.ModuleDict({role: whole})
        _put_in_main_memory(network)
        return network

    def answer(self, verb: str, **question: Any) -> Answer:
        """Return the answer to a question, as the run would.

        Raises:
            UsageError: answering takes more of the network than what the file computes.
        """
        try:
            return super().answer(verb, **question)
        except (NotImplementedError, RuntimeError) as error:
            if "meta" not in str(error).lower():
                raise
            raise UsageError(
                f"this file cannot answer {verb}",
                where=str(self.folder),
                found="it holds what the network answers with, and this asks for what goes on inside it",
                remedy=f"ask the run itself: ganglion {verb} RUN",
            ) from error


def stand_in(network: nn.Module, runtime: Runtime, scaling: Scaling | None) -> None:
    """Let a file answer in the place of a network without weights, whose sizes and methods stay what they are."""
    followed: Any = network.forward
    outputs = [name for name in runtime.outputs if name.startswith("outputs") and "." not in name]

    def ask(inputs: Sequence[Tensor]) -> Any:
        first, *rest = (one.detach().cpu().contiguous() for one in inputs)
        found = runtime([first if scaling is None else scaling.inverse(first), *rest], outputs)
        return found[0] if len(found) == 1 else tuple(found)

    def forward(*inputs: Tensor) -> Any:
        if any(layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules() if layer is not network):
            return followed(*(one.to(NOWHERE) for one in inputs))  # somebody looks at layers, which have sizes alone
        return ask(inputs)

    if any(name.startswith("state_") for name in runtime.inputs):
        assert isinstance(network, Reader)
        _read_on(network, runtime)
    else:
        network.forward = forward
    _put_in_main_memory(network)


def _stand_in_for_parts(network: Any, runtime: Runtime, parts: dict[str, Any]) -> None:
    """Let a file answer in the place of methods of a network, and what else they make possible follow from them."""
    for method, part in parts.items():
        setattr(network, method, _by_file(runtime, part, getattr(network, method)))
    if isinstance(network, Writer):

        def led(inputs: Tensor, targets: Tensor) -> Tensor:
            return network.read(targets[:, :-1], network.remember(inputs))[0][targets[:, 1:] != 0]

        network.led = led  # type: ignore[method-assign,assignment]
    if isinstance(network, SketchRNN):

        def led_through(moves: Tensor, lengths: Tensor, latent: Tensor | None) -> tuple[Tensor, Tensor]:
            steps = steps_of(moves, lengths)
            there = ~padding(lengths + 1, steps.shape[1]).T
            outputs, _ = network.read(begun(steps)[:, :-1], network.begin(latent, len(moves)))
            return outputs[there], steps[there]

        network.led = led_through  # type: ignore[method-assign]
    if isinstance(network, WindowNetwork):

        def everywhere(grey: Tensor, stride: int) -> Tensor:
            found: Tensor = network(grey[:, None])
            return found[:, 0, ::stride, ::stride]

        network.everywhere = everywhere  # type: ignore[method-assign]


def _by_file(runtime: Runtime, part: dict[str, Any], followed: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a file answers in the place of a method, which is still asked about what has shapes alone."""

    def method(*arguments: Any) -> Any:
        values, given = tensors_in(arguments), {}
        if any(value.is_meta for value in values):
            return followed(*arguments)
        for one, value in zip(part["inputs"], values, strict=True):
            flat = value.flatten(1) if value.dim() > len(one["shape"]) else value
            given[one["name"]] = flat.detach().cpu().contiguous()
        found = runtime.asked(given, part["outputs"])
        return rebuilt(part["result"], iter(found))

    return method


def _read_on(network: Any, runtime: Runtime) -> None:
    """Let a file read in the place of a network, from states that it returned before or from the beginning."""
    followed = network.read
    names = ["outputs", *(f"next_{name}" for name in runtime.inputs[1:])]

    def read(inputs: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        _, like = followed(inputs.to(NOWHERE))
        if states is None:
            parts = [torch.zeros(part.shape) for state in like for part in state]
        else:
            parts = [part.detach().cpu().contiguous() for state in states for part in state]
        answer, *after = runtime([inputs.detach().cpu().contiguous(), *parts], names)
        return answer, like_states(after, like)

    network.read = read


def _put_in_main_memory(network: nn.Module) -> None:
    """Let a network whose weights are nowhere be asked where the file is."""
    here = nn.Parameter(torch.zeros(0), requires_grad=False)
    network._parameters = {"here": here, **network._parameters}
