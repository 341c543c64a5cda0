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
from ganglion.runs.export.interface import BATCH, HEIGHT, TIME, WIDTH, Input, Sizes
from ganglion.runs.export.parts import Tried, parts_of, tensors_in
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
    """A network with what is computed around it.

    Of one that reads on, the states are further inputs and outputs; of one whose methods are asked, their arguments
    and results.

    Args:
        inputs: what the network itself reads, and states.
        states: before the first step.
    """

    def __init__(self, network: nn.Module, around: Around, inputs: Sequence[Input], states: States = ()) -> None:
        super().__init__()
        self.network, self.scaling, self.units = network, around.scaling, around.units
        self.ending, self._begun, self._read = around.ending, states, len(inputs)
        self.parts: list[Tried] = []
        if not states:
            with torch.no_grad():
                given = self._given([one.example for one in inputs])
                self.parts = [Tried.of(part, network, given) for part in parts_of(network)]

    def _given(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return what the network reads of what goes in."""
        first = inputs[0] if self.scaling is None else self.scaling(inputs[0])
        return first, *inputs[1 : self._read]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return what the network answers, what that means, the states after the last step, and the results of its
        parts, (batch, ...) each.
        """
        given = self._given(inputs)
        if self._begun:
            assert isinstance(self.network, Reader)
            answer, after = self.network.read(given[0], like_states(given[1:], self._begun))
            return answer, *(part for state in after for part in state)
        arguments = iter(inputs[self._read :])
        results = [tensor for part in self.parts for tensor in part(self.network, arguments)]
        return *self._answer(given), *results

    def _answer(self, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        found = self.network(*given)
        outputs: tuple[Tensor, ...] = (found,) if isinstance(found, Tensor) else tuple(found)
        if self.ending == "probabilities":
            return *outputs, probabilities(outputs[0])
        if self.units is not None:
            return *outputs, self.units.inverse(outputs[0])
        return outputs

    def drawn(self, inputs: Sequence[Input], sizes: Sizes, generator: torch.Generator) -> list[Tensor]:
        """Return random values of all that goes in, (batch, ...) each, whose axes of these kinds have such lengths.

        Arguments of parts are made of what the network itself might be given. Axes that have nothing to do with each
        other are of different lengths; all have the usual ones where no sizes are given.
        """
        read = [one for one in inputs if not one.part]
        values = [one.drawn(self._lengths(read, sizes, 0), generator) for one in read]
        for place in range(len(self.parts)):
            values += self._arguments(place, read, self._lengths(read, sizes, 1 + place), generator)
        return values

    def _arguments(self, place: int, read: Sequence[Input], lengths: Sizes, generator: torch.Generator) -> list[Tensor]:
        """Return the tensors that a part is given, where axes of what the network reads have these lengths."""
        with torch.no_grad():
            given = self._given([one.drawn(lengths, generator) for one in read])
            found = tensors_in(self.parts[place].part.arguments(self.network, *given))
        return [one.contiguous() for one in found]

    @staticmethod
    def _lengths(read: Sequence[Input], sizes: Sizes, place: int) -> Sizes:
        """Return the lengths of all named axes, which differ from place to place."""
        usual = {name: one.example.shape[axis] for one in read for axis, name in one.axes.items()}
        if not sizes:
            return usual
        found = {}
        for number, name in enumerate(usual):
            length = sizes.get(name.partition("_of_")[0], usual[name])
            apart = place * len(usual) + (number if name.startswith(TIME) else 0)
            found[name] = length * (1 + place) if name in (HEIGHT, WIDTH) else length + apart
        return found

    def with_parts(self, inputs: Sequence[Input]) -> list[Input]:
        """Return inputs and the arguments of all parts: an axis may have any length where it follows one that may."""
        generator, usual = torch.Generator().manual_seed(0), self._lengths(inputs, {}, 0)
        arguments = []
        for place, tried in enumerate(self.parts):
            blank = self._arguments(place, inputs, usual, generator)
            axes: list[dict[int, str]] = [{} for _ in blank]
            for named, length in usual.items():
                longer = self._arguments(place, inputs, usual | {named: 2 * length}, generator)
                for own, one, other in zip(axes, blank, longer, strict=True):
                    follows = [axis for axis in range(one.dim()) if one.shape[axis] != other.shape[axis]]
                    own |= dict.fromkeys(follows, f"{named}_of_{tried.part.method}")
            for name, one, own in zip(tried.names, blank, axes, strict=True):
                own = {0: name} if one.dim() == 1 and 0 in own and not own[0].startswith(BATCH) else own  # a number
                arguments.append(Input(name, torch.zeros_like(one), own, part=tried.part.method))
        return [*inputs, *arguments]

    def results(self) -> list[str]:
        """Return the names of what all parts return."""
        return [name for tried in self.parts for name in tried.outputs]


def like_states(parts: Sequence[Tensor], like: States) -> States:
    """Return tensors as states of the same kinds as others."""
    remaining = iter(parts)
    taken = [(type(state), [next(remaining) for _ in state]) for state in like]
    return tuple(kind(*values) if hasattr(kind, "_fields") else tuple(values) for kind, values in taken)
