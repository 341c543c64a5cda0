"""From what a user names as data to a task that is ready to train on it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganglion import tasks
from ganglion.data.card import card_notes
from ganglion.data.check import check
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.arrays import from_arrays, named_arrays
from ganglion.data.formats.folder_layout import NAMES_FLAG
from ganglion.data.formats.stored import STORED, stored
from ganglion.data.formats.weights import array_of_weights
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.findings import Finding
from ganglion.models import System
from ganglion.tasks.base import Task
from ganglion.tasks.shared.prepared import Prepared

Source = str | Path | Dataset | tuple[Any, Any] | Any


def as_source(system: System, data: Source, settings: DataSettings) -> str | Dataset:
    """Return data as a name, a path or a data set."""
    if isinstance(data, str | Path):
        return str(data)
    if isinstance(data, Dataset):
        return dataclasses.replace(data, source=STORED)
    weights = None
    if isinstance(data, Mapping):
        weights = None if settings.weights is None else array_of_weights(data, settings.weights, "data")
        data = named_arrays(data)
    inputs, targets = data if isinstance(data, tuple) else (data, None)
    kind = _wanted([tasks.find(name) for name in system.tasks], settings)
    return from_arrays(inputs, targets, kind=kind, task=settings.task, pixels=settings.pixels, weights=weights)


def prepare_task(
    system: System, source: str | Dataset, config: Any, settings: DataSettings, seed: int, folder: Path | None = None
) -> Task:
    """Read the data, refuse what makes training meaningless, and return the first task of the system that takes it."""
    kinds = [tasks.find(name) for name in system.tasks]
    if source == STORED and folder:
        source = stored(folder)
    _refuse_weights(kinds, settings)
    if not kinds[0].reads:  # it acts in an environment
        if settings.folds:
            raise UsageError(
                "only samples can be divided into folds",
                found=f"{system.name} acts in an environment",
                remedy="leave folds out",
            )
        return kinds[0].prepare(source, config, settings, seed)
    first = kinds[0]
    dataset = source if isinstance(source, Dataset) else first.read(source, settings, _wanted(kinds, settings))
    if settings.folds:
        _refuse_folds(dataset, settings)
    chosen = next((kind for kind in kinds if kind.refusal(dataset) is None), kinds[0])
    if refusal := chosen.refusal(dataset):
        if offer := next((note for note in dataset.notes if NAMES_FLAG in note), ""):
            refusal.remedy = offer
        raise refusal
    doubts = _doubts(dataset, settings, seed)
    task = chosen.prepare(dataset, config, settings, seed)
    task.notes, task.findings = (*task.notes, *card_notes(dataset)), doubts
    return task


def _wanted(kinds: Sequence[type[Task]], settings: DataSettings) -> Kind | None:
    """Return what a file that could be several things is read as: what the user says, by the first task, or, where
    classes are asked for, by the first that tells some apart.
    """
    if settings.read_as != "auto":
        return settings.read_as
    if settings.task == "classification":
        return next((kind for kind in kinds if "classes" in kind.fields.get("targets", ())), kinds[0]).wanted()
    return kinds[0].wanted()


def _refuse_weights(kinds: Sequence[type[Task]], settings: DataSettings) -> None:
    """Raise where samples shall be weighted that have no classes or values of their own."""
    given = [name for name in ("weights", "class_weight") if getattr(settings, name)]
    if given and not any({"classes", "labels", "values"} & set(kind.fields.get("targets", ())) for kind in kinds):
        raise UsageError(
            "only samples with a class or with values of their own can be weighted",
            where=" and ".join(given),
            expected="a system for classification, regression or categorisation",
            found=f"one for {kinds[0].name}",
            remedy="leave that out",
        )


def _refuse_folds(dataset: Dataset, settings: DataSettings) -> None:
    if dataset.main.is_running:
        raise UsageError(
            "only samples can be divided into folds",
            where=dataset.source,
            found=f"one {dataset.kind}",
            remedy="leave folds out",
        )
    if settings.fold is None:
        raise UsageError("a run holds back one of the folds", remedy="give fold, or call ganglion.cross_validate")


def _doubts(dataset: Dataset, settings: DataSettings, seed: int) -> tuple[Finding, ...]:
    """Return what the data check finds; what it calls a stop is raised unless problems are allowed."""
    findings = tuple(check(dataset, seed))
    stops = [finding for finding in findings if finding.level == "stop"]
    if stops and not settings.allow_problems:
        worst = stops[0]
        said = f"`ganglion data check {dataset.source}` lists all findings"
        anyway = "" if "--allow-problems" in worst.remedy else "; --allow-problems trains anyway"
        raise DataError(
            worst.message,
            where=dataset.source,
            found=", ".join(worst.where),
            remedy=f"{worst.remedy}; {said}{anyway}" if worst.remedy else f"{said}{anyway}",
        )
    return findings


def samples_of(task: Task) -> int | None:
    """Return how many samples the data of a task has, beside a published test part; None where it keeps no data."""
    data = getattr(task, "data", None)
    return len(data.dataset) if isinstance(data, Prepared) else None


def other_names(known: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first column or class that is called otherwise now, then and now; None where there is none.

    >>> def fields(*names: str) -> dict:
    ...     return {"fields": {"targets": {"kind": "classes", "settings": {"names": names}}}}
    >>> other_names(fields("cat", "dog"), fields("Cat", "wolf")), other_names(fields("cat"), fields("Cat"))
    (("'dog'", "'wolf'"), None)
    """
    for name, field in known.get("fields", {}).items():
        now = found.get("fields", {}).get(name, {}).get("settings", {})
        for key in ("columns", "names"):
            for then, other in zip(field.get("settings", {}).get(key) or (), now.get(key) or (), strict=False):
                if str(then).casefold() != str(other).casefold():
                    return repr(then), repr(other)
    return None
