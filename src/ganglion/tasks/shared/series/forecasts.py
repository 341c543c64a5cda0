"""What kinds of forecasting share: levels of quantiles, their calibration, and judging beside naive methods."""

from abc import abstractmethod
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.rules.losses import LOSS
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.bands import COVERAGE, UNCALIBRATED_COVERAGE, bands, margins, widened
from ganglion.tasks.measures.series import MAE, MASE, NAIVE_MASE, RMSE
from ganglion.tasks.shared.series.onward import Onward, kept_errors

STEPS = 10
"""Steps that are forecast where neither the user nor the data says how many."""


class Forecasts(Task):
    """Forecasts of a horizon from each of many places, of which the target column is judged.

    With quantiles the median is judged. After training each band is widened by how far the truth lay outside on the
    validation part, at each step ahead on its own.
    """

    measures = (MASE, MAE, RMSE, LOSS, COVERAGE, UNCALIBRATED_COVERAGE, *NAIVE_MASE)
    next_step = "ganglion forecast {run}"

    target: int
    """Place of the column that is judged."""
    season: int
    """Steps of a season; 1 where there is none."""
    judged: dict[Part, np.ndarray]
    """Places `(places,)` of each part from which the target is known over a whole horizon; none once restored."""
    margins: Tensor | None = None
    """By how much bands are widened `(horizon, columns, bands)`, scaled; None until calibrated."""
    errors: Tensor | None = None
    """Errors of some places of the validation part `(places, horizon, columns)`, scaled."""

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.target, task.season = state["target"], state["season"]
        for name in ("margins", "errors"):
            if state.get(name) is not None:
                setattr(task, name, torch.tensor(state[name], dtype=torch.float32))
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "target": self.target,
            "season": self.season,
            "margins": None if self.margins is None else self.margins.tolist(),
            "errors": None if self.errors is None else self.errors.tolist(),
        }

    @abstractmethod
    def forecasts(self, network: nn.Module, places: np.ndarray) -> Tensor:
        """Return scaled forecasts (places, horizon, columns, levels), each from the true values before its place."""

    @abstractmethod
    def scaled_truth(self, places: np.ndarray) -> Tensor:
        """Return the true values (places, horizon, columns) from each place on, scaled; gaps are filled in."""

    @abstractmethod
    def truth(self, places: np.ndarray) -> np.ndarray:
        """Return the true values of the target (places, horizon) from each place on, in the units of the data."""

    @abstractmethod
    def in_units(self, scaled: Tensor, places: np.ndarray) -> np.ndarray:
        """Return the target column of (places, horizon, columns, levels) in the units of the data."""

    @abstractmethod
    def naive(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Return the forecasts (places, horizon) of naive methods by their names."""

    @abstractmethod
    def measured(self, predicted: np.ndarray, places: np.ndarray) -> dict[str, float]:
        """Return the errors of forecasts of the target (places, horizon)."""

    def scaled_where_known(self, places: np.ndarray) -> Tensor:
        """Return what bands are calibrated by (places, horizon, columns), NaN where nobody knows."""
        return self.scaled_truth(places)

    @property
    def columns(self) -> tuple[str, ...]:
        """What the columns are called."""
        names: tuple[str, ...] = self.preprocessing["inputs"].names
        return names

    @property
    def point(self) -> int:
        """The place of the forecast proper among the levels: the median's, or that of the only one."""
        quantiles = self.config.quantiles
        return quantiles.index(0.5) if quantiles else 0

    def levels(self, outputs: Tensor) -> Tensor:
        """Return outputs of the network as (rows, horizon, columns, levels)."""
        return outputs.reshape(len(outputs), self.config.horizon, len(self.columns), -1)

    def calibrated(self, forecasts: Tensor) -> Tensor:
        """Return forecasts (..., horizon, columns, levels) with the bands widened, if they have been calibrated."""
        return forecasts if self.margins is None else widened(forecasts, self.margins, self.config.quantiles)

    def onward(self, network: nn.Module) -> Onward:
        """Return how the network goes on after the end of series."""

        def shaped(outputs: Tensor) -> Tensor:
            return self.calibrated(self.levels(outputs))

        return Onward(network, self.config.horizon, shaped, self.config.quantiles, self.errors)

    def calibrate(self, rule: LearningRule) -> None:
        places = self.judged["validation"]
        if not len(places):
            return
        levels, truth = self.forecasts(rule.home, places), self.scaled_where_known(places)
        self.errors = kept_errors(levels[..., self.point], truth)
        if bands(self.config.quantiles):
            found = margins(levels.numpy(), truth.numpy(), self.config.quantiles)
            self.margins = torch.from_numpy(found).float()

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Walk forward through a part and judge the forecasts; on the test part beside those of the naive methods."""
        places = self.judged[part]
        forecasts = self.forecasts(rule.home, places)
        loss = float(functional.mse_loss(forecasts[..., self.point], self.scaled_truth(places)))
        measures = {"loss": loss, **self.measured(self.in_units(forecasts, places)[..., self.point], places)}
        if self.config.quantiles:
            measures["coverage"] = self._coverage(self.calibrated(forecasts), places)
        if self.margins is not None:
            measures["uncalibrated_coverage"] = self._coverage(forecasts, places)
        if part == "test":
            naive = {name: self.measured(it, places)["mase"] for name, it in self.naive(places).items()}
            measures |= {f"{name.replace(' ', '_')}_mase": error for name, error in naive.items()}
        return measures

    def _coverage(self, forecasts: Tensor, places: np.ndarray) -> float:
        """Return how often the truth lies between the outer quantiles."""
        levels, truth = self.in_units(forecasts, places), self.truth(places)
        return float(np.mean((levels[..., 0] <= truth) & (truth <= levels[..., -1])))

    def baseline(self) -> dict[str, float]:
        """Return the errors of the best of the naive methods."""
        places = self.judged["test"]
        judged = (self.measured(values, places) for values in self.naive(places).values())
        return min(judged, key=lambda measures: measures[self.score])
