"""Codes of a user's samples for whatever comes after: files of numbers, and what a linear probe makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ganglion.data.catalogue import describe, read
from ganglion.data.settings import DataSettings
from ganglion.errors import UsageError
from ganglion.inspect.representation import Call, representation
from ganglion.settings import settings
from ganglion.tasks.answers import Arrays, Rows
from ganglion.tasks.measures.probes import probed
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.inputs import Asked, asked

FOLDERS = "folders"


@settings
class Features:
    """Give what the network makes of samples before it answers: codes for another method, as numbers in a file."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, arrays, or the name of a data set."""
    classes: str | None = None
    """Column that says the class of each row, or `folders` for the folder of each picture; found out for folders when
    not given. Where classes are known, a linear probe of the codes stands beside one of the raw values."""


def features_of(
    network: nn.Module, preprocessing: Any, question: Features, data: DataSettings, adapt: Call | None = None
) -> Rows:
    """Return the codes of samples, (samples, features), as rows and arrays, and what a linear probe makes of them.

    Args:
        preprocessing: of the inputs that the network was trained on.
        data: what the user said of the training data, by which tables are read.
        adapt: makes of prepared samples what the network takes, where that is something else.
    """
    found, samples, classes = _read(question, preprocessing, data)
    samples = adapt(samples) if adapt else samples
    said, call = representation(network, samples[:1].to(next(network.parameters()).device))
    codes = ask(network, samples, by=call).numpy()
    return codes_as_answer(found, codes, samples.numpy(), classes, said)


def codes_as_answer(found: Asked, codes: np.ndarray, raw: np.ndarray, classes: Sequence[str] | None, said: str) -> Rows:
    """Return codes (samples, features) as rows and arrays, and what a linear probe makes of them.

    Args:
        found: what was asked about.
        raw: the values that a probe stands beside, (samples, ...).
        classes: of the samples, where they are known.
        said: what the codes are.
    """
    notes = [*found.notes, f"{codes.shape[1]} numbers each: {said}"]
    arrays: dict[str, np.ndarray] = {"codes": codes}
    if classes is not None:
        arrays["classes"] = np.array(classes)
        notes += _probes(codes, raw, classes)
    if any(found.names):
        arrays["inputs"] = np.array([" ".join(map(str, name.values())) for name in found.names])
    rows = [{**name, "code": code} for name, code in zip(found.names, codes.tolist(), strict=True)]
    beside = found.own or [dict(name) or {"row": number} for number, name in enumerate(found.names, 1)]
    if classes is not None and not found.own:
        beside = [{**one, "class": name} for one, name in zip(beside, classes, strict=True)]
    return Rows(rows, notes=tuple(notes), also=(Arrays(arrays),), beside=beside)


def _read(question: Features, preprocessing: Any, data: DataSettings) -> tuple[Asked, Tensor, Sequence[str] | None]:
    """Return what is asked about, the same prepared, and the classes of the samples where they are known."""
    first = question.inputs[0]
    if len(question.inputs) == 1 and isinstance(first, str) and not Path(first).exists() and _is_set(first):
        dataset = read(first, data)
        samples = preprocessing(dataset.inputs)
        targets = dataset.targets if dataset.is_classification else None
        names = dataset.label_names
        classes = None if targets is None else [names[number] if names else str(number) for number in targets.tolist()]
        return Asked(dataset.inputs, [{"row": row} for row in range(1, 1 + len(samples))]), samples, classes
    found, samples = asked(question.inputs, preprocessing, data)
    return found, samples, _classes(found, question.classes)


def _is_set(name: str) -> bool:
    return any(entry.name == name for entry in describe())


def _classes(found: Asked, wanted: str | None) -> list[str] | None:
    """Return the class of each sample: what stands in a column, or the folder of its file."""
    if wanted is not None and wanted != FOLDERS:
        known = list(found.own[0]) if found.own else []
        if wanted not in known:
            raise UsageError(
                "there is no such column",
                where=f"classes {wanted}",
                expected=", ".join(known[:12]) or "a table",
                found=wanted,
            )
        return [str(row[wanted]) for row in found.own]
    folders = [str(Path(name["input"]).parent.name) for name in found.names if "input" in name and "row" not in name]
    several = len(folders) == len(found.names) and len(set(folders)) > 1
    return folders if several and (wanted or len(set(folders)) <= len(folders) // 2) else None


def _probes(codes: np.ndarray, raw: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Return a sentence on what a linear probe makes of codes, raw values and principal components, if it can."""
    numbers = np.unique(classes, return_inverse=True)[1]
    scores = probed(codes, raw, numbers)
    if not scores:
        return ["too few samples of each class for a linear probe"]
    mine, plain, linear = scores.values()
    return [
        f"a linear probe finds the class of {mine:.1%} by the codes, of {plain:.1%} by the raw values, "
        f"of {linear:.1%} by as many principal components"
    ]
