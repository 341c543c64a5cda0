"""What classification and regression share: labelled samples, split and encoded."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import SeriesPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.tasks.shared.parts import Parts
from ganglion.tasks.shared.preparing import fit_preprocessing


@dataclass(frozen=True)
class LabelledData:
    """A labelled data set as a supervised network takes it."""

    dataset: Dataset
    parts: Parts
    target_scale: SeriesPreprocessing | None
    """How values are standardised; None for classes."""
    notes: tuple[str, ...]

    @classmethod
    def prepare(cls, dataset: Dataset, config: Any, settings: DataSettings, seed: int) -> "LabelledData":
        """Split the data, and fit the preprocessing to the training part and to what the network takes."""
        samples = split(dataset, settings, seed)
        preprocessing, notes = fit_preprocessing(dataset, samples["train"], config)
        scale = None if dataset.is_classification else SeriesPreprocessing.fit(_rows(samples["train"].targets))
        parts = Parts(samples, preprocessing, settings, partial(encode, scale=scale))
        return cls(dataset, parts, scale, (*dataset.notes, *notes))


def encode(targets: np.ndarray | None, scale: SeriesPreprocessing | None) -> Tensor:
    """Return class numbers `(samples,)` or, with a scale, standardised values `(samples, outputs)`."""
    assert targets is not None
    return torch.from_numpy(targets.astype(np.int64)) if scale is None else scale(_rows(targets))


def _rows(values: np.ndarray | None) -> np.ndarray:
    assert values is not None
    return values.reshape(len(values), -1)
