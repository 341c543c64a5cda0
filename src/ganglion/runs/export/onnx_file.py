"""A run as one ONNX file, which is kept only once it was proven."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.errors import UsageError
from ganglion.nn.adversarial.stages import Painter
from ganglion.nn.images.pyramid import PyramidSampler
from ganglion.nn.language.next_token import NextToken
from ganglion.nn.recurrent import States
from ganglion.runs.export.card import KEY, Card, card_of, with_proof
from ganglion.runs.export.graph import to_onnx
from ganglion.runs.export.interface import BATCH, HEIGHT, Input, inputs_of
from ganglion.runs.export.proof import Proof, proven
from ganglion.runs.export.runtime import Runtime, require
from ganglion.runs.export.whole import Around, Scaling, Whole
from ganglion.runs.run import Run

if TYPE_CHECKING:
    import onnx

MOST_BYTES = 1_900_000_000
"""Of weights: a file of ONNX holds less than two gigabytes."""
Examples = dict[str, tuple[Tensor, ...]]
"""Blank inputs of each network of a system, by its role."""


@dataclass(frozen=True)
class Exported:
    """A graph in bytes, and what it was tried on."""

    content: bytes
    card: Card
    proof: Proof


def export_onnx(run: Run, path: Path, role: str | None = None) -> Exported:
    """Write the best weights of a run as an ONNX file that answers as its network does.

    Args:
        path: the file; one that is there is replaced once the new one was proven.
        role: which network, where a run has several to take home; the first if not given.

    Raises:
        MissingExtraError: the packages of the extra `onnx` are not installed.
        UsageError: the network cannot be exported; the error says why.
        ExportError: the file would not answer as the network does. It is not kept.
    """
    require("onnx", "onnxscript", "onnxruntime")
    home = run.network
    if role is None and isinstance(home, nn.ModuleDict):
        role = next(iter(home))
    network, examples = taken_home(home, run.system.load().examples(run.config), role)
    around, task = Around.of(run.task), run.task
    inputs = inputs_of(network, examples, run.config)
    if around.scaling is not None:
        inputs = [_raw(inputs[0], task.preprocessing["inputs"], around.scaling), *inputs[1:]]

    def card(inputs: Sequence[Input], outputs: dict[str, Tensor]) -> Card:
        found = card_of(run.description, task, inputs, outputs, raw=around.scaling is not None)
        return found if role is None else {"role": role, **found}

    exported = exported_network(network, inputs, around, card)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(exported.content)
    os.replace(beside, path)
    return exported


def taken_home(home: nn.Module, examples: Examples, role: str | None = None) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return the network to export of those that a run takes home, with blank inputs of it.

    Raises:
        UsageError: there is none of that role.
    """
    if isinstance(home, nn.ModuleDict):
        if role is not None and role not in home:
            raise UsageError("this run has no such network", where=f"--role {role}", expected=" or ".join(home))
        role = role or next(iter(home))
        return home[role], examples[role]
    if role is not None:
        raise UsageError("this run has one network only", where=f"--role {role}", remedy="leave --role out")
    if isinstance(home, PyramidSampler):
        return home, (torch.zeros(1, sum(home.noises)),)
    if isinstance(home, Painter):
        return home, (torch.zeros(1, sum(home.noise_features)), *examples["texts"])
    return home, next(iter(examples.values()))


def exported_network(
    network: nn.Module,
    inputs: Sequence[Input],
    around: Around = Around(),  # noqa: B008
    card: Callable[[Sequence[Input], dict[str, Tensor]], Card] = lambda inputs, outputs: {},
) -> Exported:
    """Return a network as a graph that was proven.

    Args:
        network: in evaluation mode.
        inputs: what goes in, as `around` takes it.
        around: what is computed before and after the network.
        card: what the file says of itself, from its inputs and from examples of its outputs by their names.
    """
    _refuse_large(network)
    states = _first_states(network, inputs)
    inputs = [*inputs, *_state_inputs(states)]
    whole = Whole(network, around, inputs, states).eval()
    try:
        every, outputs, model = _graph(whole, inputs)
    except UsageError:
        if not any(HEIGHT in one.axes.values() for one in inputs):
            raise
        of_one_size = [replace(one, axes={0: BATCH}) for one in inputs]
        every, outputs, model = _graph(whole, of_one_size)
    file, names = Runtime(model.SerializeToString()), [one.name for one in every]
    proof = proven(lambda given: file.asked(dict(zip(names, given, strict=True))), whole, every)
    known = with_proof(card(every, outputs), proof, every, whole.parts)
    model.metadata_props.add(key=KEY, value=json.dumps(known))
    return Exported(model.SerializeToString(), known, proof)


def _graph(whole: Whole, inputs: Sequence[Input]) -> tuple[list[Input], dict[str, Tensor], "onnx.ModelProto"]:
    """Return all that goes in, parts included, examples of all that comes out by their names, and the graph."""
    every = whole.with_parts(inputs)
    outputs = _outputs(whole, every)
    return every, outputs, to_onnx(whole, every, list(outputs))


def _raw(one: Input, preprocessing: Any, scaling: Scaling) -> Input:
    """Return an input as it stands in the data."""
    if isinstance(preprocessing, ImagePreprocessing):
        if one.example.dim() == 2:  # a network that flattens pictures is given them as they are
            one = replace(one, example=preprocessing.blank)
        return replace(one, raw=scaling)
    return replace(one, example=one.example.double(), raw=scaling)


def _first_states(network: nn.Module, inputs: Sequence[Input]) -> States:
    """Return the states before the first step of a network that reads on; none for any other."""
    if not isinstance(network, NextToken):
        return ()
    with torch.inference_mode():
        return network.read(inputs[0].example)[1]


def _state_inputs(states: States) -> list[Input]:
    inputs = []
    for number, state in enumerate(states, start=1):
        names = getattr(state, "_fields", ("hidden",))
        inputs += [
            Input(f"state_{number}_{name}", torch.zeros_like(part), {0: BATCH})
            for name, part in zip(names, state, strict=True)
        ]
    return inputs


def _outputs(whole: Whole, inputs: Sequence[Input]) -> dict[str, Tensor]:
    """Return examples of what comes out, by their names."""
    with torch.inference_mode():
        found = whole(*whole.drawn(inputs, {}, torch.Generator().manual_seed(0)))
    named = [whole.ending] if whole.ending else []
    named += [f"next_{one.name}" for one in inputs if one.name.startswith("state_")] + whole.results()
    count = len(found) - len(named)
    own = ["outputs", *(f"outputs_{number}" for number in range(2, count + 1))]
    return dict(zip((*own, *named), found, strict=True))


def _refuse_large(network: nn.Module) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size > MOST_BYTES:
        raise UsageError(
            "this network is too large for one ONNX file",
            expected=f"at most {MOST_BYTES / 1e9:g} GB of weights",
            found=f"{size / 1e9:.2f} GB",
            remedy="ganglion export RUN safetensors takes its weights out",
        )
