"""Pictures of several generators beside real ones, as two classes, with one generator left out of what is learnt."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.errors import DataError, UsageError
from ganglion.settings import unknown_name

REAL, GENERATED = 0, 1
NAMES = ("real", "generated")
SOURCE = "source"
"""Field that says who made a picture: class 0 is real, the others are generators."""


@dataclass(frozen=True)
class Sources:
    """Real and generated pictures in three parts, and who the generators are."""

    dataset: Dataset
    """With targets real and generated, and the field `SOURCE`."""
    settings: DataSettings
    """By which this is not divided again."""
    generators: tuple[str, ...]
    left_out: str
    """Of the generators, the one that is only tested on; empty where none is."""


def by_source(dataset: Dataset, real: str, left_out: str, settings: DataSettings, seed: int) -> Sources:
    """Return a data set of classes as real and generated pictures, and divide it.

    Args:
        real: the class of real pictures; all others are generators.
        left_out: the generator that is not learnt from. Of N folds, which must be as many as there are generators,
            each leaves out one.
    """
    where, targets = dataset.source or dataset.name, dataset.fields["targets"]
    names = targets.names or tuple(str(number) for number in range(int(np.max(targets.values)) + 1))
    known = _real_class(names, real, where)
    generators = tuple(name for name in names if name != known)
    if not generators:
        raise DataError(
            "there are no generated pictures to tell from real ones",
            where=where,
            expected=f"a folder {known} and one for each generator, or --generators RUN ...",
            found=f"only {known}",
        )
    left_out = _of_fold(settings, generators) or left_out
    if left_out and left_out not in generators:
        raise unknown_name("generator", left_out, list(generators), where="leave_out")
    if left_out and len(generators) < 2:
        raise UsageError(
            "the only generator cannot be left out",
            where="leave_out",
            found=left_out,
            remedy="leave leave_out and folds out, or give pictures of another generator, too",
        )
    whole = replace(settings, folds=None, fold=None)
    parts = split(dataset, whole, seed)
    published = bool(dataset.test_fields)
    number = {name: REAL if name == known else 1 + generators.index(name) for name in names}
    numbers = np.array([number[name] for name in names])
    kept = {part: _kept(np.asarray(one.targets), one.index, names, left_out) for part, one in parts.items()}
    train, validation, test = kept["train"], kept["validation"], parts["test"].index
    own = np.concatenate([train, validation])
    made = replace(
        dataset,
        fields=_taken(dataset.fields, own, numbers, generators),
        test_fields=_taken(dataset.test_fields if published else dataset.fields, test, numbers, generators),
        validation=np.arange(len(train), len(own)) if len(validation) else None,
        notes=(*dataset.notes, *_said(known, generators, left_out)),
    )
    _refuse_missing(made, known, where)
    undivided = replace(whole, validation=settings.validation if len(validation) else 0.0, limit=None)
    return Sources(made, undivided, generators, left_out)


def _real_class(names: tuple[str, ...], real: str, where: str) -> str:
    """Return the class of real pictures: the one of that name, however it is written, or with a number before it."""
    for name in names:
        if name == real or name.lower().lstrip("0123456789_- ") == real.lower():
            return name
    raise DataError(
        "no class of this data is that of real pictures",
        where=where,
        expected=f"one that is called {real}",
        found=", ".join(names[:8]) + (" and more" if len(names) > 8 else ""),
        remedy="name it with --real, or, where all pictures are real, name runs that generate others by --generators",
    )


def _of_fold(settings: DataSettings, generators: tuple[str, ...]) -> str:
    """Return the generator that a fold leaves out; nothing where there are no folds."""
    if settings.folds is None:
        return ""
    if settings.folds != len(generators):
        raise UsageError(
            "each fold leaves out one generator",
            expected=f"--folds {len(generators)}, for {', '.join(generators)}",
            found=f"{settings.folds} folds",
        )
    return generators[(settings.fold or 1) - 1]


def _kept(targets: np.ndarray, places: np.ndarray, names: tuple[str, ...], left_out: str) -> np.ndarray:
    """Return the places (samples,) of a part that are not those of the generator that is left out."""
    return places[targets != names.index(left_out)] if left_out else places


def _taken(
    fields: Mapping[str, Field], places: np.ndarray, numbers: np.ndarray, generators: tuple[str, ...]
) -> dict[str, Field]:
    """Return pictures at some places, whether each is generated, and by whom."""
    source = numbers[np.asarray(fields["targets"].values)[places]]
    return {
        "inputs": fields["inputs"].take(places),
        "targets": Field(kind="classes", values=(source != REAL).astype(np.int64), names=NAMES),
        SOURCE: Field(kind="classes", values=source, names=(NAMES[REAL], *generators)),
    }


def _said(known: str, generators: tuple[str, ...], left_out: str) -> list[str]:
    of = f"{len(generators)} generators" if len(generators) > 1 else "one generator"
    found = [f"real pictures are those of {known}; all others are those of {of}: {', '.join(generators)}"]
    return [*found, f"{left_out} is left out: it is not learnt from, and tested on"] if left_out else found


def _refuse_missing(dataset: Dataset, known: str, where: str) -> None:
    """Raise where the training or the test part has only real or only generated pictures."""
    for part, fields in (("training", dataset.fields), ("test", dataset.test_fields)):
        count = np.bincount(np.asarray(fields["targets"].values), minlength=2)
        if not count.all():
            raise DataError(
                f"the {part} part lacks {NAMES[int(count.argmin())]} pictures",
                where=where,
                expected=f"some of {known} and some of generators",
                found=f"{count[REAL]} real and {count[GENERATED]} generated",
                remedy="give more pictures, or other --test and --validation shares",
            )
