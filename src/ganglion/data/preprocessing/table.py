"""Which preprocessing is whose: by the kind of a field, fitted to one, and as JSON values of a run."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from ganglion.data.fields import Field, FieldKind, Values
from ganglion.data.in_groups import InGroups
from ganglion.data.preprocessing.boxes import BoxPreprocessing
from ganglion.data.preprocessing.classes import ClassPreprocessing, LabelPreprocessing, StepClassPreprocessing
from ganglion.data.preprocessing.films import FilmPreprocessing
from ganglion.data.preprocessing.images import ImagePreprocessing
from ganglion.data.preprocessing.masks import MaskPreprocessing
from ganglion.data.preprocessing.numbers import RatingPreprocessing, SeriesPreprocessing, WeightPreprocessing
from ganglion.data.preprocessing.panel import PanelPreprocessing
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.preprocessing.rows import TabularPreprocessing
from ganglion.data.preprocessing.short_series import ShortSeriesPreprocessing
from ganglion.data.preprocessing.sounds import WaveformPreprocessing
from ganglion.data.preprocessing.strokes import StrokePreprocessing
from ganglion.data.preprocessing.tagged import TaggedPreprocessing
from ganglion.data.preprocessing.texts import TextPreprocessing, TokenPreprocessing
from ganglion.errors import ConfigurationError, DataError
from ganglion.settings import from_dict, to_dict


class Preprocessing(Protocol):
    """Raw values of a field to a tensor of one row a sample; a frozen dataclass of what was fitted.

    Where answers come back in the user's units, `inverse` brings them there.
    """

    def __call__(self, raw: Any) -> Tensor | Ragged:
        """Convert raw values, one for each sample."""


PREPROCESSING: dict[FieldKind, type[Preprocessing]] = {
    "images": ImagePreprocessing,
    "masks": MaskPreprocessing,
    "boxes": BoxPreprocessing,
    "classes": ClassPreprocessing,
    "labels": LabelPreprocessing,
    "values": SeriesPreprocessing,
    "rows": TabularPreprocessing,
    "ratings": RatingPreprocessing,
    "text": TextPreprocessing,
    "texts": TextPreprocessing,
    "tokens": TokenPreprocessing,
    "tagged": TaggedPreprocessing,
    "waveforms": WaveformPreprocessing,
    "strokes": StrokePreprocessing,
    "films": FilmPreprocessing,
    "step-classes": StepClassPreprocessing,
    "series": SeriesPreprocessing,
    "short-series": ShortSeriesPreprocessing,
    "panel": PanelPreprocessing,
    "weights": WeightPreprocessing,
}
"""Closed: a saved run can name these kinds and nothing else."""


def fit(field: Field, **options: Any) -> Preprocessing:
    """Fit the preprocessing of a field's kind to the training part of the field.

    Args:
        options: what the kind's own `fit` takes beside values: `image_size`, `unit`, `window`, ...

    >>> import numpy as np
    >>> fit(Field(kind="classes", values=np.array([0, 1]), names=("cat", "dog"))).names
    ('cat', 'dog')
    """
    described: dict[str, Any] = {}
    if field.kind in ("classes", "labels", "step-classes", "masks", "boxes", "values", "series", "panel"):
        described = {"names": field.names}
    elif field.kind in ("rows", "short-series"):
        described = {"columns": field.names}
    elif field.kind == "waveforms":
        described = {"rate": field.rate}
    preprocessing: Any = PREPROCESSING[field.kind]
    if isinstance(field.values, InGroups) and field.values.measured is not None:
        return preprocessing.of(field.values.measured, *described.values(), **options)
    return preprocessing.fit(field.values, **described, **options)


def to_state(preprocessing: Mapping[str, Preprocessing]) -> dict[str, Any]:
    """Return the settings of the preprocessing of each field, as JSON values.

    >>> to_state({"targets": ClassPreprocessing(num_classes=2)})
    {'targets': {'kind': 'classes', 'settings': {'num_classes': 2, 'names': []}}}
    """
    return {name: {"kind": _kind(one), "settings": to_dict(one)} for name, one in preprocessing.items()}


def from_state(state: Mapping[str, Any]) -> dict[str, Preprocessing]:
    """Return what `to_state` described. Raises a `GanglionError` where the state is damaged."""
    return {name: _restored(one, f"preprocessing of {name}") for name, one in state.items()}


def _kind(preprocessing: Preprocessing) -> FieldKind:
    return next(kind for kind, cls in PREPROCESSING.items() if type(preprocessing) is cls)


def _restored(state: Any, where: str) -> Preprocessing:
    kind = state.get("kind") if isinstance(state, dict) else None
    if kind not in PREPROCESSING or not isinstance(state.get("settings"), dict):
        raise ConfigurationError(
            "this is no preprocessing of a field",
            where=where,
            expected=f"settings of one of the kinds {', '.join(PREPROCESSING)}",
            found=f"{state!r:.100}",
        )
    return from_dict(PREPROCESSING[kind], state["settings"], where=where)


def apply(preprocessing: Mapping[str, Preprocessing], fields: Mapping[str, Field]) -> dict[str, Tensor | Ragged]:
    """Return the tensors of those fields that have a preprocessing, by their names.

    Raises `DataError` naming the field whose values cannot be prepared.
    """
    return {name: _applied(one, fields[name].values, name) for name, one in preprocessing.items() if name in fields}


def _applied(preprocessing: Preprocessing, values: Values, name: str) -> Tensor | Ragged:
    try:
        return preprocessing(values)
    except DataError as error:
        error.where = ", ".join(filter(None, (f"field {name}", error.where)))
        raise
