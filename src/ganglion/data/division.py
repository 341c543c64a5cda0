"""Samples that stay on disk, divided and measured in one pass: the training part stays there, the others are held."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.tables.evidence import MOST_CATEGORIES
from ganglion.data.in_groups import INDEX, Chosen, InGroups, joined, source_of
from ganglion.data.mixed_rows import MixedRows
from ganglion.data.preprocessing.numbers import Moments
from ganglion.data.settings import DataSettings
from ganglion.data.splits import TEST, TRAIN, VALIDATION, Part, Samples
from ganglion.errors import DataError, UsageError

MOST_HELD = 100_000
"""Samples of the validation part, and of the test part, at most, since both are held in memory."""
HELD_BYTES = 1 << 27
"""Bytes of each of them at most."""
NOWHERE = 3
"""Part of a sample that nothing is learnt from and nothing is judged on."""
GAPS = np.array(np.nan).view(np.uint64)
MIXED = tuple(map(np.uint64, (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)))


@dataclass(frozen=True)
class Divided:
    """The parts of samples that stay on disk."""

    samples: dict[Part, Samples]
    notes: tuple[str, ...]


def divide(dataset: Dataset, settings: DataSettings, seed: int) -> Divided:
    """Divide and measure samples on disk in one pass over them.

    A hash of a sample's content and of `seed` decides where it goes, so that equal samples never part and it does not
    matter how samples are divided into files. Validation and test part are held in memory, so they are no larger than
    `MOST_HELD` samples; who would be one too many is learnt from.

    Raises:
        DataError: nothing is left for a part, or a class is missing in the training part.
        UsageError: the settings ask for what needs all samples in memory.
    """
    source = source_of(dataset.main.values)
    assert source is not None
    _refuse_what_needs_all(dataset, settings)
    names = [name for name, one in dataset.fields.items() if isinstance(one.values, InGroups)]
    shares, notes = _shares(dataset, settings)
    limits = [np.uint64(min(share * 2.0**64, 2.0**64 - 2049)) for share in (shares[0], sum(shares))]
    wanted = 1.0 if settings.limit is None else settings.limit / max(1.0, (1 - sum(shares)) * len(dataset))
    taken = np.uint64(min(wanted * 1.1 * 2.0**64, 2.0**64 - 2049))
    measures = {name: _measuring(dataset.fields[name]) for name in names}
    held: dict[int, list[Mapping[str, Any]]] = {VALIDATION: [], TEST: []}
    bits, found = [], 0
    for group in range(len(source.counts)):
        inside = []
        for chunk in Chosen(source).chunks(group, names):
            keys = row_keys(chunk[names[0]], seed)
            part = np.where(keys < limits[0], VALIDATION, np.where(keys < limits[1], TEST, TRAIN))
            part[_without_target(chunk)] = NOWHERE
            if settings.limit is not None:
                part[(part == TRAIN) & (_mixed(keys) > taken)] = NOWHERE
                part[np.flatnonzero(part == TRAIN)[max(0, settings.limit - found) :]] = NOWHERE
            trained = np.flatnonzero(part == TRAIN)
            found += len(trained)
            for name in names:
                measures[name].add(chunk[name][trained])
            for number, kept in held.items():
                if len(own := np.flatnonzero(part == number)):
                    kept.append({name: chunk[name][own] for name in (*names, INDEX)})
            inside.append(part == TRAIN)
        bits.append(np.packbits(np.concatenate(inside)))
    chosen = Chosen(source, tuple(bits))
    training = {
        name: replace(dataset.fields[name], values=InGroups(chosen, name, measures[name].measured)) for name in names
    }
    samples: dict[Part, Samples] = {"train": Samples(training, InGroups(chosen, INDEX))}
    for part_name, number in (("validation", VALIDATION), ("test", TEST)):
        samples[part_name] = _held(dataset, held[number], names)  # type: ignore[index]
    if dataset.test_fields:
        tested = len(next(iter(dataset.test_fields.values())))
        samples["test"] = Samples(dataset.test_fields, np.arange(tested))
    _refuse_empty(dataset, samples, settings)
    _refuse_unknown_classes(dataset, samples, measures)
    return Divided(samples, notes)


def row_keys(rows: np.ndarray | MixedRows, seed: int) -> np.ndarray:
    """Return one uint64 for each row that depends on its content and on `seed` alone `(rows,)`.

    SplitMix64's finaliser of every column in turn. Source: Steele, Lea and Flood, Fast splittable pseudorandom number
    generators, 2014.

    >>> keys = row_keys(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -0.0]]), seed=0)
    >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
    (True, False)
    """
    columns = rows.T
    state = np.full(len(rows), np.uint64(seed & (1 << 64) - 1))
    for column in columns:
        state = _mixed((state ^ _words(column)) + MIXED[0])
    return state


def _words(column: np.ndarray) -> np.ndarray:
    """Return what is in a column (rows,) as whole numbers of 64 bits."""
    if column.dtype != object:
        numbers = column.astype(np.float64) + 0.0  # minus zero equals zero
        return np.where(np.isnan(numbers), GAPS, numbers.view(np.uint64))
    known = {text: _word(text) for text in set(column.tolist())}
    return np.fromiter((known[text] for text in column.tolist()), dtype=np.uint64, count=len(column))


def _word(text: object) -> int:
    from hashlib import blake2b

    return int.from_bytes(blake2b(repr(text).encode(), digest_size=8).digest(), "little")


def _mixed(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * MIXED[1]
    state = (state ^ (state >> np.uint64(27))) * MIXED[2]
    return state ^ (state >> np.uint64(31))


def _refuse_what_needs_all(dataset: Dataset, settings: DataSettings) -> None:
    given = settings.given(("folds", "weights", "class_weight"))
    if settings.batch_size == "all":
        given.append("batch_size")
    if given:
        name = given[0].replace("_", "-")
        raise UsageError(
            "this needs all samples in memory, and there are too many",
            where=f"--{name}",
            found=f"{len(dataset)} samples of {dataset.source}, which are read while training",
            remedy=f"leave --{name} out, or say --stream no if the memory suffices",
        )


def _shares(dataset: Dataset, settings: DataSettings) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Return the shares of validation and test part, no larger than can be held, and that in words."""
    wanted = (settings.validation, 0.0 if dataset.test_fields else settings.test)
    width = max(1, np.asarray(dataset.main.values[0:1]).size) * 8 + 8
    most = min(MOST_HELD, HELD_BYTES // width)
    shares = tuple(min(share, most / len(dataset)) for share in wanted)
    if shares == wanted:
        return wanted, ()
    said = f"validation and test part are about {most:,} samples each, since they are held in memory; all others are "
    return (shares[0], shares[1]), (said + "learnt from",)


def _without_target(chunk: Mapping[str, Any]) -> np.ndarray:
    """Return which samples lack a target (rows,)."""
    targets = chunk.get("targets")
    if targets is None:
        return np.zeros(len(chunk[INDEX]), dtype=bool)
    return targets < 0 if targets.dtype.kind == "i" else ~np.isfinite(targets).reshape(len(targets), -1).all(axis=1)


class _Columns:
    """Measures rows and values."""

    def __init__(self, field: Field, source: str) -> None:
        self.kind, self.names, self.source = field.kind, field.names, source
        self.numbers: list[Moments] = []
        self.texts: list[set[str]] = []

    def add(self, rows: np.ndarray | MixedRows) -> None:
        columns = rows.T if rows.ndim > 1 else (rows,)
        if not self.numbers:
            self.numbers, self.texts = [Moments() for _ in columns], [set() for _ in columns]
        for place, column in enumerate(columns):
            if column.dtype == object:
                self.texts[place].update(cell for cell in set(column.tolist()) if isinstance(cell, str))
                self._refuse_many(place)
            else:
                self.numbers[place].add(column)

    @property
    def measured(self) -> list[Any]:
        found = [one.moments for one in self.numbers]
        if self.kind != "rows":
            return found
        return [
            (*((0.0, 1.0) if texts else pair), tuple(sorted(texts)))
            for pair, texts in zip(found, self.texts, strict=True)
        ]

    def _refuse_many(self, place: int) -> None:
        if len(self.texts[place]) > MOST_CATEGORIES:
            name = self.names[place] if place < len(self.names) else f"column {place + 1}"
            raise DataError(
                "a column has too many different texts to tell them apart",
                where=f"{self.source}, column {name}",
                expected=f"at most {MOST_CATEGORIES}",
                found=", ".join(f"{text:.20}" for text in sorted(self.texts[place])[:3]) + ", ...",
                remedy=f"leave it out with --drop {name}",
            )


class _Classes:
    """Counts classes; their preprocessing needs their names alone."""

    measured = None

    def __init__(self, field: Field) -> None:
        self.counts = np.zeros(max(1, len(field.names)), dtype=np.int64)

    def add(self, classes: np.ndarray) -> None:
        self.counts += np.bincount(classes, minlength=len(self.counts))


def _measuring(field: Field) -> Any:
    assert isinstance(field.values, InGroups)
    return _Classes(field) if field.kind == "classes" else _Columns(field, field.values.chosen.source.source)


def _held(dataset: Dataset, kept: list[Mapping[str, Any]], names: list[str]) -> Samples:
    """Return samples in memory."""
    none = {name: dataset.fields[name].values[0:0] for name in names} | {INDEX: np.arange(0)}
    values = {name: joined([one[name] for one in kept]) if kept else none[name] for name in (*names, INDEX)}
    return Samples({name: replace(dataset.fields[name], values=values[name]) for name in names}, values[INDEX])


def _refuse_empty(dataset: Dataset, samples: dict[Part, Samples], settings: DataSettings) -> None:
    for name, share in (("train", 1.0), ("validation", settings.validation), ("test", settings.test)):
        if share > 0 and not len(samples[name]):  # type: ignore[index]
            raise DataError(
                f"no sample is left for the {name} part",
                where=dataset.source,
                found=f"{len(dataset)} samples",
                remedy="give more data" + (f", or set {name} to 0" if name != "train" else ""),
            )


def _refuse_unknown_classes(dataset: Dataset, samples: dict[Part, Samples], measures: Mapping[str, Any]) -> None:
    if not dataset.is_classification:
        return
    for name in ("validation", "test"):
        targets = samples[name].targets
        unknown = [] if targets is None else np.setdiff1d(targets, np.flatnonzero(measures["targets"].counts)).tolist()
        if unknown:
            raise DataError(
                f"the {name} part has classes that no training sample has",
                where=dataset.source,
                found=", ".join(dataset.label_names[label] for label in unknown[:10]),
                remedy="give training samples of these classes, a higher limit, or leave the classes out",
            )
