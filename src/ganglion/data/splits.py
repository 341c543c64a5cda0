"""Training, validation and test parts: the same shares of every class, whatever the order of the samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import digests, single
from ganglion.data.fields import Field, Values
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

Part = Literal["train", "validation", "test"]
TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS: tuple[Part, ...] = ("train", "validation", "test")
FEW_DISTINCT = 0.5
"""Share of different rows below which rows of a table are divided one by one."""
FEWEST_TO_DIVIDE = 100
"""Rows from which on they are."""


@dataclass(frozen=True)
class Samples:
    """One part of a data set."""

    fields: Mapping[str, Field]
    index: Any
    """Places in the whole set, or in its published test part `(samples,)` int64; `InGroups` of samples on disk."""
    unpaired_index: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Places of the values of each field without pairs, which has its own number of them."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def inputs(self) -> Values:
        """The raw values of the first field."""
        return next(iter(self.fields.values())).values

    @property
    def targets(self) -> np.ndarray | None:
        """Class numbers or values, (samples, ...), or None."""
        return np.asarray(self.fields["targets"].values) if "targets" in self.fields else None


def split(dataset: Dataset, settings: DataSettings, seed: int) -> dict[Part, Samples]:
    """Divide samples into `train`, `validation` and `test`.

    Every class is divided in the same shares. A hash of a sample's content and of `seed` decides who goes where, so
    equal samples never part, reordering moves none, and adding or removing one moves at most its neighbours at the
    borders. Rows of a table of which few are different are divided one by one instead. All paired fields of a sample
    stay together; a field without pairs is divided on its own, in the same shares. Validation and test parts that the
    set was published with are used as they are, if there is to be a validation part at all. Of `settings.folds` the
    fold `settings.fold` is the test part; together the folds hold every sample once.

    Raises:
        DataError: too few samples, or a class that no training sample has.

    >>> from ganglion.data.sources.generators import generate
    >>> parts = split(generate("two-moons"), DataSettings(), seed=0)
    >>> sum(len(part) for part in parts.values()) == len(generate("two-moons"))
    True
    """
    if len(dataset) < 2:
        raise DataError(
            "there are too few samples to train on",
            where=dataset.source,
            expected="at least 2",
            found=f"{len(dataset)} samples",
        )
    published = bool(dataset.test_fields) and settings.fold is None
    shares = (settings.validation, 0.0 if published else settings.test)
    keys = sample_keys(dataset, seed)
    if divides_rows(dataset, keys):
        keys = _row_keys(keys, _strata(dataset))
    fold = (settings.fold or 1, settings.folds) if settings.folds else None
    if dataset.validation is not None and published and settings.validation:
        part = np.full(len(keys), TRAIN)
        part[dataset.validation] = VALIDATION
    else:
        part = _membership(keys, _strata(dataset), shares, fold)
    places = [np.flatnonzero(part == number) for number in range(3)]
    if settings.limit is not None:
        places[TRAIN] = _limited(places[TRAIN], keys, _strata(dataset), settings.limit)
    own = {name: _unpaired_places(one, shares, fold, seed) for name, one in dataset.fields.items() if not one.paired}
    samples = {
        name: _take(dataset, index, {field_name: each[number] for field_name, each in own.items()})
        for number, (name, index) in enumerate(zip(PARTS, places, strict=True))
    }
    if published:
        samples["test"] = _published(dataset)
    _refuse_empty(dataset, samples, shares)
    _refuse_unknown_classes(dataset, samples)
    return samples


def split_series(dataset: Dataset, settings: DataSettings) -> dict[Part, Samples]:
    """Cut a series into three stretches of time that do not overlap: first training, then validation, then test.

    >>> series = Dataset.of(name="count", kind="series", inputs=np.arange(10, dtype=np.float32)[:, None])
    >>> [part.index.tolist() for part in split_series(series, DataSettings()).values()]
    [[0, 1, 2, 3, 4, 5, 6], [7], [8, 9]]
    """
    steps = len(dataset)
    test, validation = round(steps * settings.test), round(steps * settings.validation)
    borders = [steps - test - validation, steps - test]
    index = np.split(np.arange(steps), borders)
    if settings.limit is not None:
        index[TRAIN] = index[TRAIN][-settings.limit :]  # The latest ones, so that no gap opens before validation.
    samples = {name: _take(dataset, places, {}) for name, places in zip(PARTS, index, strict=True)}
    _refuse_empty(dataset, samples, (settings.validation, settings.test))
    return samples


def sample_keys(dataset: Dataset, seed: int = 0) -> np.ndarray:
    """Return one uint64 per sample by which it is told apart `(samples,)`: a digest of its first paired field.

    A rating is told apart by who rated what.
    """
    if dataset.kind == "ratings":
        who, what = (np.asarray(dataset.fields[name].values) for name in ("users", "items"))
        return digests(np.stack([who, what], axis=1), seed)
    paired = (one for one in dataset.fields.values() if one.paired)
    values = next(paired, dataset.main).values
    # As they were read by earlier versions, whose runs go on with the parts they had.
    return digests(single(values) if isinstance(values, np.ndarray) else values, seed)


def divides_rows(dataset: Dataset, keys: np.ndarray) -> bool:
    """Whether rows are divided one by one, since few are different: equal rows are then other cases, not copies.

    Args:
        keys: what the samples are told apart by `(samples,)`.
    """
    many = dataset.kind == "tabular" and len(keys) >= FEWEST_TO_DIVIDE
    return many and len(np.unique(keys)) < FEW_DISTINCT * len(keys)


def _row_keys(keys: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Return keys that differ for equal samples: by their class, and by how many of it came before `(samples,)`."""
    _, group = np.unique(np.stack([keys, strata.astype(np.uint64)], axis=1), axis=0, return_inverse=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    counts = np.bincount(group.reshape(-1))
    number = np.empty(len(keys), dtype=np.uint64)
    number[order] = np.concatenate([np.arange(count, dtype=np.uint64) for count in counts])
    return digests(np.stack([keys, strata.astype(np.uint64), number], axis=1))


def _unpaired_places(
    field: Field, shares: tuple[float, float], fold: tuple[int, int] | None, seed: int
) -> list[np.ndarray]:
    """Return the places of a field without pairs in training, validation and test part."""
    part = _membership(digests(field.values, seed), np.zeros(len(field), dtype=np.int64), shares, fold)
    return [np.flatnonzero(part == number) for number in range(3)]


def _strata(dataset: Dataset) -> np.ndarray:
    """Return the group of every sample that is divided on its own: its class, or one for all."""
    if dataset.is_classification and dataset.targets is not None:
        return dataset.targets
    paired = [len(one) for one in dataset.fields.values() if one.paired]
    return np.zeros(paired[0] if paired else len(dataset.main), dtype=np.int64)


def _membership(
    keys: np.ndarray, strata: np.ndarray, shares: tuple[float, float], fold: tuple[int, int] | None
) -> np.ndarray:
    """Return the part of every sample: each class goes to test, validation and training in the order of its hashes.

    Small classes fill training first, then test, then validation. Given a fold and their number, that fold is tested.
    """
    validation, test = shares
    contents, content_of = np.unique(keys, return_inverse=True)
    stratum = np.full(len(contents), strata.max())
    np.minimum.at(stratum, content_of, strata)  # one content under several labels is still one content
    part = np.full(len(contents), TRAIN)
    for number, label in enumerate(np.unique(stratum)):
        own = np.flatnonzero(stratum == label)  # in the order of their hashes
        tested = np.arange(len(own)) < _count(len(own), test, spare=len(own) - 1)
        if fold:
            tested = _in_fold(len(own), *fold, first=number)
        rest = own[~tested]
        validated = _count(len(own), validation, spare=len(rest) - 1)
        part[own[tested]] = TEST
        part[rest[:validated]] = VALIDATION
    return part[content_of]


def _in_fold(size: int, fold: int, folds: int, first: int) -> np.ndarray:
    """Return which of the contents of a class, in the order of their hashes `(size,)`, are in a fold.

    The folds of a class differ by one content at most. Each class begins with another fold, so that the odd ones out
    of many classes do not all come together. A class of one content stays in training.
    """
    of_each = (np.arange(size) * folds // size + first) % folds
    return (of_each == fold - 1) & (size > 1)


def _count(size: int, share: float, spare: int) -> int:
    """Return how many of `size` a share is: at least one where there is a share, at most what can be spared."""
    return min(max(1, round(size * share)), spare) if share else 0


def _limited(places: np.ndarray, keys: np.ndarray, strata: np.ndarray, limit: int) -> np.ndarray:
    """Return at most `limit` places, the same share of every class, chosen by hash."""
    share = np.empty(len(places))
    for stratum in np.unique(strata[places]):
        own = np.flatnonzero(strata[places] == stratum)
        ranks = np.argsort(np.argsort(keys[places][own], kind="stable"), kind="stable")
        share[own] = ranks / len(own)  # The first of every class has 0, so that each class is kept.
    return np.sort(places[np.lexsort((keys[places], share))[:limit]])


def _take(dataset: Dataset, index: np.ndarray, own: Mapping[str, np.ndarray]) -> Samples:
    """Return the samples at some places; of fields without pairs the values at places of their own."""
    fields = {name: one.take(own.get(name, index)) for name, one in dataset.fields.items()}
    return Samples(fields, index, own)


def _published(dataset: Dataset) -> Samples:
    """Return the test part that the set was published with."""
    lengths = {name: len(one) for name, one in dataset.test_fields.items()}
    own = {name: np.arange(lengths[name]) for name, one in dataset.test_fields.items() if not one.paired}
    paired = [length for name, length in lengths.items() if name not in own]
    return Samples(dataset.test_fields, np.arange(paired[0] if paired else next(iter(lengths.values()))), own)


def _refuse_empty(dataset: Dataset, samples: dict[Part, Samples], shares: tuple[float, float]) -> None:
    for name, share in zip(PARTS, (1.0, *shares), strict=True):
        if share > 0 and not all(map(len, samples[name].fields.values())):
            raise DataError(
                f"no sample is left for the {name} part",
                where=dataset.source or dataset.name,
                found=f"{len(dataset)} samples",
                remedy="give more data" + (f", or set {name} to 0" if name != "train" else ""),
            )


def _refuse_unknown_classes(dataset: Dataset, samples: dict[Part, Samples]) -> None:
    """Raise where a class is only in parts that the network does not learn from."""
    known = samples["train"].targets
    for name in ("validation", "test"):
        targets = samples[name].targets
        if not dataset.is_classification or known is None or targets is None:
            continue
        unknown = np.setdiff1d(targets, known)
        if len(unknown):
            names = [dataset.label_names[label] if dataset.label_names else str(label) for label in unknown]
            raise DataError(
                f"the {name} part has classes that no training sample has",
                where=dataset.source or dataset.name,
                found=", ".join(map(str, names[:10])),
                remedy="give training samples of these classes, a higher limit, or leave the classes out",
            )
