"""A network with the arithmetic around it: raw numbers in, and out what they mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import Reader
from ganglion.data.preprocessing import (
    ImagePreprocessing,
    SeriesPreprocessing,
    ShortSeriesPreprocessing,
    TabularPreprocessing,
)
from ganglion.nn import probabilities
from ganglion.nn.recurrent import States
from ganglion.tasks.base import Task

READ_RAW = (
    *("classification", "labelling", "regression", "forecasting", "series_classification", "segmentation"),
    "image_to_image",
)
"""Kinds of task whose networks are given the inputs of the data as their preprocessing makes them, and nothing else."""
TOLD_APART = (
    *("classification", "series_classification", "categorisation", "sound_classification", "film_classification"),
)
"""Kinds of task whose networks answer with a logit for each class."""
WHITE = 255.0
"""In pixels of a file that is exported."""


class Scaling(nn.Module):
    """x' = (x - mean) / deviation by the column or channel; what is missing becomes 0.

    Rows and series are computed in double precision, since a column of large numbers with a small spread would lose
    it in single precision.
    """

    means: Tensor
    deviations: Tensor

    def __init__(self, means: Tensor, deviations: Tensor) -> None:
        super().__init__()
        self.register_buffer("means", means)
        self.register_buffer("deviations", deviations)

    def forward(self, raw: Tensor) -> Tensor:
        """Return what a network reads, float32, of raw values of the same shape."""
        scaled = (raw - self.means) / self.deviations
        return torch.where(scaled.isnan(), torch.zeros_like(scaled), scaled).float()

    def inverse(self, scaled: Tensor) -> Tensor:
        """Return raw values of the same shape."""
        return scaled.to(self.means.dtype) * self.deviations + self.means

    @classmethod
    def of(cls, preprocessing: Any) -> "Scaling | None":
        """Return the arithmetic of a preprocessing; None where it is not of that kind."""
        if isinstance(preprocessing, ImagePreprocessing):
            black, white = preprocessing.ends
            deviations = WHITE / (white - black)
            return cls(-black * deviations, deviations)
        if isinstance(preprocessing, TabularPreprocessing):
            kinds = preprocessing.categories or ((),) * len(preprocessing.means)
            repeats = torch.tensor([len(texts) or 1 for texts in kinds])
            return cls(*(part.repeat_interleave(repeats) for part in _columns(preprocessing)))
        if isinstance(preprocessing, SeriesPreprocessing | ShortSeriesPreprocessing):
            return cls(*_columns(preprocessing))
        return None


def _columns(preprocessing: TabularPreprocessing | SeriesPreprocessing | ShortSeriesPreprocessing) -> list[Tensor]:
    """Return the mean and the deviation of every column."""
    return [torch.tensor(values, dtype=torch.float64) for values in (preprocessing.means, preprocessing.deviations)]


@dataclass(frozen=True)
class Around:
    """What is computed in a file before and after its network."""

    scaling: Scaling | None = None
    """From raw inputs to what the network reads."""
    ending: str = ""
    """`probabilities` of classes, `values` in their own units, or nothing."""
    units: Scaling | None = None
    """From values in their own units to what the network answers with."""

    @classmethod
    def of(cls, task: Task) -> "Around":
        """Return what a kind of task computes around its network that is arithmetic."""
        scaling = Scaling.of(task.preprocessing.get("inputs")) if task.name in READ_RAW else None
        if task.name in TOLD_APART:
            return cls(scaling, "probabilities")
        if task.name == "regression":
            return cls(scaling, "values", Scaling.of(task.preprocessing["targets"]))
        return cls(scaling)


class Whole(nn.Module):
    """A network with what is computed around it; of one that reads on, the states are further inputs and outputs."""

    def __init__(self, network: nn.Module, around: Around, states: States = ()) -> None:
        super().__init__()
        self.network, self.scaling, self.units = network, around.scaling, around.units
        self.ending, self._begun = around.ending, states

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return what the network answers, what that means, and the states after the last step, (batch, ...) each."""
        first = inputs[0] if self.scaling is None else self.scaling(inputs[0])
        if self._begun:
            assert isinstance(self.network, Reader)
            answer, after = self.network.read(first, like_states(inputs[1:], self._begun))
            return answer, *(part for state in after for part in state)
        found = self.network(first, *inputs[1:])
        outputs: tuple[Tensor, ...] = (found,) if isinstance(found, Tensor) else tuple(found)
        if self.ending == "probabilities":
            return *outputs, probabilities(outputs[0])
        if self.units is not None:
            return *outputs, self.units.inverse(outputs[0])
        return outputs


def like_states(parts: Sequence[Tensor], like: States) -> States:
    """Return tensors as states of the same kinds as others."""
    remaining = iter(parts)
    taken = [(type(state), [next(remaining) for _ in state]) for state in like]
    return tuple(kind(*values) if hasattr(kind, "_fields") else tuple(values) for kind, values in taken)
