"""From raw samples to what a network takes: preprocessing fitted to data and configuration, kept with the run."""

import dataclasses
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.data.splits import Samples
from ganglion.errors import DataError
from ganglion.settings import from_dict, to_dict

Preprocessing = ImagePreprocessing | TabularPreprocessing
PREPROCESSING: dict[str, type[Preprocessing]] = {"image": ImagePreprocessing, "tabular": TabularPreprocessing}


def adapt(config: Any, **found: Any) -> Any:
    """Return `config` with those of the `found` values that it has fields for."""
    fields = {one.name for one in dataclasses.fields(config)}
    return dataclasses.replace(config, **{name: value for name, value in found.items() if name in fields})


def input_sizes(preprocessing: Preprocessing) -> dict[str, int]:
    """Return the sizes of a preprocessed sample under the names that configurations have for them."""
    if isinstance(preprocessing, TabularPreprocessing):
        return {"in_features": len(preprocessing.features)}
    height, width = preprocessing.size
    return {
        "in_features": preprocessing.channels * height * width,
        "in_channels": preprocessing.channels,
        "image_size": height,
    }


def fit_preprocessing(dataset: Dataset, train: Samples, config: Any) -> tuple[Preprocessing, tuple[str, ...]]:
    """Return the preprocessing that suits data and network, and what the user should know of it.

    A configuration whose class has a constant `image_size` or `in_channels` gets images converted to that, one with
    such a field is fitted to the data unless the user changed the field. Square images within `smallest_image` and
    `largest_image` and pixels in `image_range` are further constants that a configuration may have.
    """
    looks = hasattr(config, "image_size")
    if dataset.kind == "tabular":
        if looks:
            raise DataError(
                "this system looks at images",
                where=dataset.source,
                found="rows of numbers",
                remedy="give images, or choose a system for rows, such as mlp",
            )
        rows = np.asarray(train.inputs)
        return TabularPreprocessing.fit(rows, dataset.column_names), ()
    low, high = getattr(config, "image_range", (0.0, 1.0))
    as_found = ImagePreprocessing.fit(train.inputs, low=low, high=high)
    if not looks:
        return as_found, ()
    side = min(max(*as_found.size, config.smallest_image), config.largest_image) if _open(config, "image_size") else 0
    size = side or config.image_size
    channels = as_found.channels if _open(config, "in_channels") else config.in_channels
    converted = dataclasses.replace(as_found, image_size=size, channels=channels)
    note = f"images of {as_found.size[0]} x {as_found.size[1]} are resized to {size} x {size}"
    return converted, (note,) if as_found.size != converted.size else ()


def _open(config: Any, name: str) -> bool:
    """Whether the data may decide a field: it exists, and the user left it at its default."""
    return any(one.name == name and getattr(config, name) == one.default for one in dataclasses.fields(config))


def save_preprocessing(preprocessing: Preprocessing) -> dict[str, Any]:
    kind = next(kind for kind, cls in PREPROCESSING.items() if isinstance(preprocessing, cls))
    return {"kind": kind, "preprocessing": to_dict(preprocessing)}


def load_preprocessing(state: dict[str, Any]) -> Preprocessing:
    return from_dict(PREPROCESSING[state["kind"]], state["preprocessing"], where="preprocessing")
