"""Going on after the end of series, each horizon from the forecasts before it; or on many ways, each with chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.data.places import evenly
from ganglion.errors import UsageError
from ganglion.tasks.shared.evaluation import ask

MOST_ERRORS = 100
"""Places of the validation part whose errors are kept with a run."""
USUAL_LEVELS = (0.1, 0.5, 0.9)
"""Quantiles of drawn ways where the network has none of its own."""


@final
@dataclass(frozen=True)
class Onward:
    """How a network goes on after windows (series, window, columns), told (series, window + steps, told) beside them.

    Source: Hyndman and Athanasopoulos, Forecasting: principles and practice, 3rd edition, section 5.5, for ways on with
    errors that are drawn anew.
    """

    network: nn.Module
    horizon: int
    shaped: Callable[[Tensor], Tensor]
    """Brings outputs to (series, horizon, columns, levels)."""
    quantiles: tuple[float, ...]
    """Of the levels; none where there is one only."""
    errors: Tensor | None = None
    """Made where the truth was known (places, horizon, columns)."""

    @property
    def point(self) -> int:
        """Place of the level that is fed back: of the median, or of the only one."""
        return self.quantiles.index(0.5) if self.quantiles else 0

    def answer(
        self, values: Tensor, told: Tensor, steps: int, samples: int | None, seed: int
    ) -> tuple[Tensor, tuple[float, ...]]:
        """Return forecasts (series, steps, columns, levels) and their quantiles, of drawn ways if asked for."""
        if samples is None:
            return self.steps(values, told, steps), self.quantiles
        if self.errors is None:
            raise UsageError(
                "this run has no errors of a validation part to draw from",
                where="--samples",
                remedy="train with a --validation share above 0, or leave it out",
            )
        quantiles = self.quantiles or USUAL_LEVELS
        generator = torch.Generator().manual_seed(seed)
        each = [part.repeat_interleave(samples, dim=0) for part in (values, told)]
        ways = self.steps(each[0], each[1], steps, generator)[..., 0].unflatten(0, (len(values), samples))
        found = ways.quantile(torch.tensor(quantiles, dtype=ways.dtype), dim=1)  # (levels, series, steps, columns)
        return found.movedim(0, -1), quantiles

    def steps(self, values: Tensor, told: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
        """Return forecasts (series, steps, columns, levels), each horizon from the points of those before it.

        With a generator, each horizon of each series has the errors of a place of chance, and there is one level.
        """
        window, parts = values.shape[1], []
        blocks = -(-steps // self.horizon)
        told = torch.cat((told, told[:, -1:].expand(-1, blocks * self.horizon - steps, -1)), dim=1)
        for begin in range(0, blocks * self.horizon, self.horizon):
            inputs = values
            if told.shape[2]:
                to_come = values.new_zeros(len(values), self.horizon, values.shape[2])
                about = told[:, begin : begin + window + self.horizon]
                inputs = torch.cat((torch.cat((values, to_come), dim=1), about), dim=2)
            levels = self.shaped(ask(self.network, inputs))
            point = levels[..., self.point]
            if generator is not None and self.errors is not None:
                point = point + self.errors[torch.randint(len(self.errors), (len(values),), generator=generator)]
                levels = point[..., None]
            parts.append(levels)
            values = torch.cat((values, point), dim=1)[:, -window:]
        return torch.cat(parts, dim=1)[:, :steps]


def kept_errors(forecasts: Tensor, truth: Tensor) -> Tensor:
    """Return how far the truth lay from forecasts (places, horizon, columns) both, of some places evenly over all.

    A value that nobody knows, NaN, is as it was forecast.
    """
    places = evenly(len(truth), MOST_ERRORS)
    return (truth - forecasts)[torch.from_numpy(places)].nan_to_num(0.0)


def named_levels(levels: np.ndarray, quantiles: Sequence[float], name: str, prefix: str = "") -> dict[str, float]:
    """Return a forecast by its name, and the quantiles beside the median, (levels,) all, by their numbers.

    >>> named_levels(np.array([1.0, 2.0, 4.0]), (0.1, 0.5, 0.9), "sales", "sales ")
    {'sales': 2.0, 'sales 0.1': 1.0, 'sales 0.9': 4.0}
    """
    point = list(quantiles).index(0.5) if quantiles else 0
    named = zip(quantiles, levels.tolist(), strict=False)
    return {name: float(levels[point]), **{f"{prefix}{one:g}": value for one, value in named if one != 0.5}}
