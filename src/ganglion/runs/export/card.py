"""What an exported file says of itself, as JSON among its metadata: what goes in and comes out, and what it means."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

import ganglion
from ganglion.data.preprocessing import (
    ImagePreprocessing,
    SeriesPreprocessing,
    ShortSeriesPreprocessing,
    TabularPreprocessing,
    TextPreprocessing,
)
from ganglion.data.preprocessing.texts import TokenPreprocessing
from ganglion.errors import DataError
from ganglion.runs.export.interface import NOISE, Input
from ganglion.runs.export.parts import Tried
from ganglion.runs.export.proof import Proof
from ganglion.tasks.base import Task

KEY = "ganglion"
"""Of the card among the metadata of a file."""
FORMAT = 1
OUTPUTS = {
    "outputs": "what the network answers with, before it is given a meaning",
    "probabilities": "of each class, in the order of `classes`",
    "values": "in the units of the data, in the order of `values`",
}
Card = dict[str, Any]


def card_of(
    description: dict[str, Any], task: Task, inputs: Sequence[Input], outputs: dict[str, Tensor], raw: bool
) -> Card:
    """Return the card of a file that is exported from a run.

    Args:
        description: the run's `config.json`.
        outputs: examples by their names.
        raw: whether the first input is as it stands in the data, and not as the network reads it.
    """
    kept = ("format", "system", "task", "fingerprint", "config", "data_settings", "state")
    run = {name: description[name] for name in kept}
    # Where the data lay is nobody else's business.
    run |= {"data": Path(str(description["data"])).name, "trainer": {}}
    preprocessing = task.preprocessing
    first, *rest = (one for one in inputs if not one.part)
    targets = preprocessing.get("targets")
    labels, names = getattr(targets, "labels", None), getattr(targets, "names", None)
    return {
        "format": FORMAT,
        "ganglion": ganglion.__version__,
        "system": description["system"],
        "task": description["task"],
        "inputs": [
            described(first, _meaning(first, preprocessing.get("inputs"), raw)),
            *(described(one, _meaning(one, None, False)) for one in rest),
        ],
        "outputs": [
            {"name": name, "type": str(example.dtype).removeprefix("torch."), "meaning": _output_meaning(name)}
            for name, example in outputs.items()
        ],
        **({"classes": list(labels)} if labels else {}),
        **({"values": list(names)} if names and not labels else {}),
        "run": run,
    }


def with_proof(card: Card, proof: Proof, inputs: Sequence[Input], parts: Sequence[Tried]) -> Card:
    """Return a card that says what its file was tried on, and which methods of the network it has beside."""
    if not parts:
        return card | {"proof": asdict(proof)}
    methods = {
        tried.part.method: {
            "inputs": [described(one, "need not be given") for one in inputs if one.part == tried.part.method],
            "outputs": tried.outputs,
            "result": tried.result,
        }
        for tried in parts
    }
    return card | {"proof": asdict(proof), "parts": methods}


def read_card(metadata: dict[str, str], where: str) -> Card:
    """Return the card among the metadata of a file.

    Raises:
        DataError: there is none that this version reads.
    """
    try:
        card = json.loads(metadata.get(KEY, ""))
    except ValueError:
        card = None
    if not isinstance(card, dict) or card.get("format") != FORMAT or not isinstance(card.get("run"), dict):
        raise DataError(
            "this file does not say how it is to be asked",
            where=where,
            expected=f"a card of format {FORMAT} among its metadata, as `ganglion export RUN onnx` writes it",
            found="none" if not isinstance(card, dict) else f"format {card.get('format')}",
            remedy="ask the run itself, or export it again",
        )
    return card


def described(one: Input, meaning: str) -> dict[str, Any]:
    shape = [one.axes.get(axis, length) for axis, length in enumerate(one.example.shape)]
    kind = str(one.example.dtype).removeprefix("torch.")
    return {"name": one.name, "type": kind, "shape": shape, "meaning": meaning}


def _meaning(one: Input, preprocessing: Any, raw: bool) -> str:
    """Return what an input is, in words."""
    if one.name.startswith("state_"):
        return "what was returned after the steps before; zeros at the beginning"
    if one.name in NOISE:
        return "standard normal numbers"
    match preprocessing:
        case ImagePreprocessing():
            black, white = ("0", "255") if raw else (_numbers(preprocessing.black), _numbers(preprocessing.white))
            height, width = preprocessing.size
            colours = "grey" if preprocessing.channels == 1 else "red, green and blue"
            fitted = f"brought to {height} x {width} ({preprocessing.resize})"
            return f"{colours} pixels, black {black} and white {white}, {fitted}"
        case TabularPreprocessing():
            how = "numbers in their own units, NaN where one is missing" if raw else "numbers, standardised"
            return f"{how}; of categories 1 for the one that it is and 0 else: {', '.join(preprocessing.features)}"
        case SeriesPreprocessing() | ShortSeriesPreprocessing():
            names = ", ".join(getattr(preprocessing, "names", ())) or "channels"
            return f"{names} at every step, {'in their own units' if raw else 'standardised'}"
        case TextPreprocessing() | TokenPreprocessing():
            return "numbers of tokens as in `run.state.fields`, 0 past the end"
    return "numbers from 0 on" if not one.example.is_floating_point() else "as the network reads it"


def _output_meaning(name: str) -> str:
    method, is_result, _ = name.partition(".result")
    if is_result:
        return f"what `{method}` of the network returns"
    return OUTPUTS.get(name, "what the next steps are to be given" if name.startswith("next_") else "see the system")


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in dict.fromkeys(values))
