"""Settings of reading, obeyed or refused, for data that does not come from a table of text."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.roles import NO_TARGET
from ganglion.data.in_groups import InGroups
from ganglion.data.mixed_rows import MixedRows
from ganglion.data.settings import WRITTEN, DataSettings
from ganglion.errors import UsageError
from ganglion.settings import unknown_name

OF_TEXT = (*WRITTEN, "text", "numbers", "index")
"""Settings that only files of text obey."""
OF_IMAGES = ("labels", "pixels")
OF_COLUMNS = ("columns", "drop")
OF_RATINGS = ("titles",)
OF_PANELS = ("key", "known", "calendar")
OF_SOUNDS = ("test_files", "resample")


def obeyed(dataset: Dataset, settings: DataSettings, is_text: bool) -> Dataset:
    """Return the data with the columns that were asked for; raise `UsageError` for settings that it cannot obey.

    Args:
        is_text: Whether it was read from a file of text, whose reader obeys what is said of its columns.
    """
    is_image = any(field.kind == "images" for field in dataset.fields.values())
    others = () if is_text else (*OF_TEXT, *(() if dataset.kind == "tabular" or is_image else OF_COLUMNS))
    if dataset.kind == "image" and not is_text:  # folders or arrays say what pictures show, not columns
        others = (*others, "drop", "columns", *(() if settings.target == NO_TARGET else ("target",)))
    elif is_image and not is_text:
        others = (*others, "drop")
    others = others if dataset.kind == "ratings" else (*others, *OF_RATINGS)
    others = others if dataset.kind == "panel" else (*others, *OF_PANELS)
    is_sound = any(field.kind == "waveforms" for field in dataset.fields.values())
    others = others if is_sound else (*others, *OF_SOUNDS)
    if settings.labels == "folders":  # as every run of earlier versions says, whatever it learnt from
        settings = replace(settings, labels="auto")
    of_images = () if is_image else ("pixels",) if is_sound else OF_IMAGES
    for name in settings.given((*others, *of_images)):
        raise UsageError(
            "this data has nothing that could be read so",
            where=f"--{name}",
            found=f"{dataset.kind} data that is not read from text" if not is_image else "images",
            remedy="leave it out",
        )
    if is_text or is_image or dataset.kind != "tabular" or not (settings.columns or settings.drop):
        return dataset
    if (dataset.source.lower().endswith(".parquet") and settings.drop) or isinstance(dataset.inputs, InGroups):
        return dataset  # whose reader has done so
    return _only(dataset, settings)


def _only(dataset: Dataset, settings: DataSettings) -> Dataset:
    """Return rows with the columns that were asked for."""
    names = dataset.fields["inputs"].names
    for name in (*settings.columns, *settings.drop):
        if name not in names:
            raise unknown_name("column", name, list(names), where=dataset.source or dataset.name)
    kept = [name for name in settings.columns or names if name not in settings.drop]
    if not kept:
        raise UsageError("no column is left to learn from", where="--drop", remedy="drop fewer")
    places = [names.index(name) for name in kept]

    def narrowed(fields: Mapping[str, Field]) -> dict[str, Field]:
        inputs = fields["inputs"]
        return {**fields, "inputs": replace(inputs, values=_rows(inputs)[:, places], names=tuple(kept))}

    test = narrowed(dataset.test_fields) if dataset.test_fields else {}
    fingerprint, first = dataset.fingerprint, dataset.first_fingerprint
    return replace(
        dataset,
        fields=narrowed(dataset.fields),
        test_fields=test,
        fingerprint=_of_columns(fingerprint, places),
        first_fingerprint=first and partial(_first_of_columns, first, places),
    )


def _rows(inputs: Field) -> Any:
    return inputs.values if isinstance(inputs.values, MixedRows) else np.asarray(inputs.values)


def _first_of_columns(first: Callable[[], str], places: Sequence[int]) -> str:
    return _of_columns(first(), places)


def _of_columns(fingerprint: str, places: Sequence[int]) -> str:
    return hashlib.sha256(f"{fingerprint} {places}".encode()).hexdigest()
