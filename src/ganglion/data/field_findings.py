"""What is wrong with the fields of a data set, kind by kind; `check` looks at the samples as a whole."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import digests
from ganglion.data.fields import Field, FieldKind
from ganglion.findings import Finding

EXAMPLES = 5
LARGEST_OVERLAP = 0.1
"""Share of a field's test part that may also be in the training part before a score says nothing."""
LEAKING: tuple[FieldKind, ...] = ("images", "waveforms", "strokes", "films", "short-series")
"""Kinds whose values do not come twice by chance, so that one in both parts has leaked."""

_stop, _warn = partial(Finding, level="stop"), partial(Finding, level="warn")


def field_findings(dataset: Dataset) -> list[Finding]:
    """Look at the values of every field, in training and test part, and for values that stand in both.

    >>> field_findings(Dataset.of(name="notes", kind="documents", inputs=["good", " ", "bad"]))[0].message
    'texts of the field inputs that are empty: 1'
    """
    findings: list[Finding] = []
    for part, fields in (("", dataset.fields), ("test ", dataset.test_fields)):
        for name, field in fields.items():
            findings += CHECKS[field.kind](field, f"{part}field {name}".strip()) if field.kind in CHECKS else []
    findings += _same_pairs(dataset)
    for name, field in list(dataset.fields.items())[1:]:
        if name in dataset.test_fields and field.kind in LEAKING:
            findings += _leaks(field, dataset.test_fields[name], name)
    return findings


def _same_pairs(dataset: Dataset) -> Iterator[Finding]:
    """Look for pairs of pictures whose second is the first, from which nothing can be learnt."""
    if dataset.kind != "image-pairs" or len(dataset.fields["source"]) != len(dataset.fields["target"]):
        return
    same = np.flatnonzero(digests(dataset.fields["source"].values) == digests(dataset.fields["target"].values))
    if len(same):
        message = f"pairs whose two pictures are the same: {len(same)}"
        yield _warn(name="same-pairs", message=message, value=len(same), where=_samples(same))


def _leaks(field: Field, test: Field, name: str) -> Iterator[Finding]:
    """Look for values of a field beside the first that are in the training part and in the test part."""
    shared = np.flatnonzero(np.isin(digests(test.values), digests(field.values)))
    message = f"{field.kind} of the field {name} that are in the test and in the training part: {len(shared)}"
    yield from overlap(len(shared) / len(test), message, "remove them from one of the parts", _samples(shared))


def overlap(share: float, message: str, remedy: str, where: tuple[str, ...]) -> Iterator[Finding]:
    """Yield the finding that a share of the test part was learnt from; none where it is nothing."""
    if share:
        yield Finding(
            name="overlap",
            level="stop" if share > LARGEST_OVERLAP else "warn",
            message=message,
            measure="share of the test part",
            value=share,
            threshold=LARGEST_OVERLAP,
            remedy=remedy,
            where=where,
        )


def _masks(field: Field, name: str) -> Iterator[Finding]:
    """Look for masks of one class throughout."""
    flat = [place for place, mask in enumerate(_each(field)) if np.min(mask) == np.max(mask)]
    if len(flat) == len(field):
        yield _stop(name="one-class-masks", message=f"every mask of the {name} is of one class throughout")
    elif flat:
        message = f"masks of the {name} that are of one class throughout: {len(flat)}"
        yield _warn(name="flat-masks", message=message, value=len(flat), where=_samples(flat))


def _boxes(field: Field, name: str) -> Iterator[Finding]:
    """Look for boxes of no size, boxes outside their image, and images without any."""
    flat, outside, without = [], [], []
    for place, boxes in enumerate(field.values):
        left, top, right, bottom = np.asarray(boxes.corners, dtype=np.float64).reshape(-1, 4).T
        height, width = boxes.image_size
        if not len(boxes.classes):
            without.append(place)
        if ((right <= left) | (bottom <= top)).any():
            flat.append(place)
        if ((left < 0) | (top < 0) | (right > width) | (bottom > height)).any():
            outside.append(place)
    if len(without) == len(field):
        yield _stop(name="no-boxes", message=f"there is no box in the {name}")
    elif without:
        message = f"images without a box in the {name}: {len(without)}"
        yield _warn(name="images-without-boxes", message=message, value=len(without), where=_samples(without))
    if flat:
        message, remedy = f"images with boxes of no size in the {name}: {len(flat)}", "they are left out; mend the file"
        yield _warn(name="flat-boxes", message=message, value=len(flat), where=_samples(flat), remedy=remedy)
    if outside:
        message, remedy = f"images with boxes that reach outside in the {name}: {len(outside)}", "they are cut off"
        yield _warn(name="boxes-outside", message=message, value=len(outside), where=_samples(outside), remedy=remedy)


def _texts(field: Field, name: str) -> Iterator[Finding]:
    """Look for empty texts."""
    empty = [place for place, text in enumerate(field.values) if not text.strip()]
    if empty:
        message = f"texts of the {name} that are empty: {len(empty)}"
        yield _warn(name="empty-texts", message=message, value=len(empty), where=_samples(empty))


def _lengths(field: Field, name: str) -> Iterator[Finding]:
    """Look for sequences, sounds, drawings and films that have no step at all."""
    empty = [place for place, value in enumerate(field.values) if not len(value)]
    if empty:
        message = f"{field.kind} of the {name} that are empty: {len(empty)}"
        yield _stop(name="empty-samples", message=message, value=len(empty), where=_samples(empty))


def _waveforms(field: Field, name: str) -> Iterator[Finding]:
    """Look for sounds without a step, and for silence."""
    yield from _lengths(field, name)
    silent = [place for place, sound in enumerate(_each(field)) if len(sound) and np.min(sound) == np.max(sound)]
    if silent:
        message = f"waveforms of the {name} that are silent throughout: {len(silent)}"
        yield _warn(name="silence", message=message, value=len(silent), where=_samples(silent))


def _short_series(field: Field, name: str) -> Iterator[Finding]:
    """Look for series without a known value, and for such that do not change."""
    values = np.asarray(field.values, dtype=np.float64)
    known = np.isfinite(values)
    empty = np.flatnonzero(~known.any(axis=(1, 2)))
    if len(empty):
        message = f"series of the {name} without a single known value: {len(empty)}"
        yield _stop(name="empty-samples", message=message, value=len(empty), where=_samples(empty))
    spread = np.where(known, values, -np.inf).max(1) - np.where(known, values, np.inf).min(1)
    flat = np.setdiff1d(np.flatnonzero((spread <= 0).all(axis=1)), empty)
    if len(flat):
        message = f"series of the {name} that do not change: {len(flat)}"
        yield _warn(name="flat-series", message=message, value=len(flat), where=_samples(flat))


def _numbers(field: Field, name: str) -> Iterator[Finding]:
    """Look for ratings and weights that are no numbers, below 0 where they are weights, or all the same."""
    values = np.asarray(field.values, dtype=np.float64)
    odd = np.flatnonzero(~np.isfinite(values) | ((values < 0) if field.kind == "weights" else False))
    if len(odd):
        message = f"{field.kind} of the {name} that cannot be such: {len(odd)}"
        yield _stop(name="odd-numbers", message=message, value=len(odd), where=_samples(odd))
    elif field.kind == "ratings" and len(values) and (values == values[0]).all():
        yield _stop(name="constant-ratings", message=f"all ratings of the {name} are the same")
    elif field.kind == "weights" and not values.any():
        yield _stop(name="no-weight", message=f"all weights of the {name} are 0")


CHECKS: dict[FieldKind, Callable[[Field, str], Iterator[Finding]]] = {
    "masks": _masks,
    "boxes": _boxes,
    "texts": _texts,
    "tokens": _lengths,
    "strokes": _lengths,
    "films": _lengths,
    "waveforms": _waveforms,
    "short-series": _short_series,
    "panel": _lengths,
    "ratings": _numbers,
    "weights": _numbers,
}
"""Other kinds are looked at by `check`, which looks at classes, values and columns beside the samples they are of."""


def _each(field: Field) -> Iterator[np.ndarray]:
    """Yield the values one at a time, so that files are not all decoded at once."""
    return (np.asarray(field[place]) for place in range(len(field)))


def _samples(places: Sequence[int] | np.ndarray) -> tuple[str, ...]:
    return tuple(f"sample {int(place)}" for place in places[:EXAMPLES])
