"""Training, validation and test parts that stay put when the data grows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganglion.data.contents import digests
from ganglion.data.dataset import Dataset
from ganglion.data.images import ImageFiles
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Samples:
    """One part of a data set."""

    inputs: np.ndarray | Sequence
    targets: np.ndarray | None
    index: np.ndarray
    """Places in the whole set, or in its published test part `(samples,)` int64."""

    def __len__(self) -> int:
        return len(self.index)


def split(dataset: Dataset, settings: DataSettings, seed: int) -> dict[str, Samples]:
    """Divide samples into `train`, `validation` and `test`.

    A hash of a sample's content and of `seed` decides where it goes. So equal samples never part, and adding,
    removing or reordering samples moves no other one. Every class is divided in the same shares; where chance leaves a
    small class without a test, validation or training sample, its nearest sample by hash is moved over. A test part
    that the set was published with is used as it is.

    Raises:
        DataError: too few samples, or a class that no training sample has.

    >>> from ganglion.data.generators import generate
    >>> parts = split(generate("two-moons"), DataSettings(), seed=0)
    >>> sum(len(part) for part in parts.values()) == len(generate("two-moons"))
    True
    """
    if len(dataset) < 2:
        raise DataError("there are too few samples to train on", where=dataset.source, found=f"{len(dataset)} samples")
    published = dataset.test_inputs is not None
    shares = (settings.validation, 0.0 if published else settings.test)
    keys = digests(dataset.inputs, seed)
    part = _membership(keys, _strata(dataset), shares)
    places = [np.flatnonzero(part == number) for number in range(3)]
    if settings.limit is not None:
        places[TRAIN] = _limited(places[TRAIN], keys, _strata(dataset), settings.limit)
    samples = {name: _take(dataset, index) for name, index in zip(PARTS, places, strict=True)}
    if dataset.test_inputs is not None:
        samples["test"] = Samples(dataset.test_inputs, dataset.test_targets, np.arange(len(dataset.test_inputs)))
    _refuse_empty(dataset, samples, shares)
    _refuse_unknown_classes(dataset, samples)
    return samples


def split_series(dataset: Dataset, settings: DataSettings) -> dict[str, Samples]:
    """Cut a series into three stretches of time that do not overlap: first training, then validation, then test.

    >>> series = Dataset(name="count", kind="series", inputs=np.arange(10, dtype=np.float32)[:, None])
    >>> [part.index.tolist() for part in split_series(series, DataSettings()).values()]
    [[0, 1, 2, 3, 4, 5, 6], [7], [8, 9]]
    """
    steps = len(dataset)
    test, validation = round(steps * settings.test), round(steps * settings.validation)
    borders = [steps - test - validation, steps - test]
    index = np.split(np.arange(steps), borders)
    if settings.limit is not None:
        index[TRAIN] = index[TRAIN][-settings.limit :]  # The latest ones, so that no gap opens before validation.
    samples = {name: _take(dataset, places) for name, places in zip(PARTS, index, strict=True)}
    _refuse_empty(dataset, samples, (settings.validation, settings.test))
    return samples


def _strata(dataset: Dataset) -> np.ndarray:
    """Return the group of every sample that is divided on its own: its class, or one for all."""
    if dataset.is_classification and dataset.targets is not None:
        return dataset.targets
    return np.zeros(len(dataset), dtype=np.int64)


def _membership(keys: np.ndarray, strata: np.ndarray, shares: tuple[float, float]) -> np.ndarray:
    """Return the part of every sample: hashes from below up are test, validation, training."""
    validation, test = shares
    fraction = keys / 2.0**64
    part = np.where(fraction < test, TEST, np.where(fraction < test + validation, VALIDATION, TRAIN))
    wanted = [number for number, share in ((TRAIN, 1.0), (TEST, test), (VALIDATION, validation)) if share > 0]
    for stratum in np.unique(strata):
        own = np.flatnonzero(strata == stratum)
        for number in wanted:
            _repair(part, keys, own, number, wanted)
    return part


def _repair(part: np.ndarray, keys: np.ndarray, own: np.ndarray, number: int, wanted: list[int]) -> None:
    """Give a class without a sample in a part the nearest one by hash from a part that can spare it."""
    counts = {other: len(np.unique(keys[own][part[own] == other])) for other in wanted}
    if counts[number]:
        return
    donors = [other for other in wanted if counts[other] > 1]
    if number == TRAIN:  # Training comes first: it takes even the only sample of another part.
        donors = donors or [other for other in wanted if counts[other]]
    if donors:
        spare = own[np.isin(part[own], donors)]
        chosen = keys[spare].max() if number == TRAIN else keys[spare].min()
        part[keys == chosen] = number  # All samples of equal content move together.


def _limited(places: np.ndarray, keys: np.ndarray, strata: np.ndarray, limit: int) -> np.ndarray:
    """Return at most `limit` places, the same share of every class, chosen by hash."""
    share = np.empty(len(places))
    for stratum in np.unique(strata[places]):
        own = np.flatnonzero(strata[places] == stratum)
        ranks = np.argsort(np.argsort(keys[places][own], kind="stable"), kind="stable")
        share[own] = ranks / len(own)  # The first of every class has 0, so that each class is kept.
    return np.sort(places[np.lexsort((keys[places], share))[:limit]])


def _take(dataset: Dataset, index: np.ndarray) -> Samples:
    inputs = dataset.inputs
    if isinstance(inputs, np.ndarray):
        chosen: np.ndarray | Sequence = inputs[index]
    elif isinstance(inputs, ImageFiles):
        chosen = inputs.take(index)
    else:
        chosen = [inputs[place] for place in index]
    return Samples(chosen, None if dataset.targets is None else dataset.targets[index], index)


def _refuse_empty(dataset: Dataset, samples: dict[str, Samples], shares: tuple[float, float]) -> None:
    for name, share in zip(PARTS, (1.0, *shares), strict=True):
        if share > 0 and len(samples[name]) == 0:
            raise DataError(
                f"no sample is left for the {name} part",
                where=dataset.source or dataset.name,
                found=f"{len(dataset)} samples",
                remedy="give more data" + (f", or set {name} to 0" if name != "train" else ""),
            )


def _refuse_unknown_classes(dataset: Dataset, samples: dict[str, Samples]) -> None:
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
