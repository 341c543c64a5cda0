"""Trading: a network chooses positions in one price, and is judged by what they earn on days that it never saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np
import torch
from torch import nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.environments.market import Market
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.environments.vector import Environments, episode_seed
from ganglion.data.markets.prices import Prices, read_prices
from ganglion.data.markets.wealth import POSITIONS, judged, lags, shown, walked, wealth_of
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, DataError
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.shared.acting import replay_batch_size, replay_loader
from ganglion.tasks.shared.evaluation import block_size, evaluating, in_blocks
from ganglion.tasks.shared.fitting import adapt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RANDOM_TRADERS = 100
"""Traders by chance whose mean is shown beside."""
FEWEST = 20
"""Steps that each part must have beyond what is looked back at."""

SHARPE = Measure(
    name="sharpe",
    higher_is_better=True,
    meaning="Mean of a step's return over its deviation, after costs, times the root of the steps in a year.",
)
GAIN = Measure(
    name="gain",
    higher_is_better=True,
    meaning="What was gained over the whole part, after costs, as a share of the wealth at its beginning.",
)
DRAWDOWN = Measure(
    name="drawdown",
    higher_is_better=False,
    meaning="Largest fall of the wealth from a peak, as a share of that peak.",
)
TRADES = Measure(name="trades", higher_is_better=False, meaning="How often the position was changed.")


@settings
class Play:
    """Trade through a part of the prices, beside buying and holding and trading by chance."""

    part: Literal["train", "validation", "test"] = "test"
    """Stretch of time to trade in."""
    seed: int = 0
    """Decides what the traders by chance do."""


@final
@dataclass(frozen=True)
class Walk:
    """What a strategy did in a part and what came of it."""

    positions: np.ndarray
    """(steps,)."""
    growths: np.ndarray
    """log W' / W of each step (steps,)."""

    @property
    def wealth(self) -> np.ndarray:
        """Wealth at each price (steps + 1,), which begins with 1."""
        return wealth_of(self.growths)


@final
class Trading(Task):
    """Positions in one price, judged by the Sharpe ratio after costs on the last stretch of time.

    Parts follow one another in time: training, validation, test. `window`, `cost` and `short` of the configuration say
    what is seen, what trades cost, and whether prices may be bet against.
    """

    name = "trading"
    reads = ()
    takes = "swinging-prices, geometric-brownian-motion, or a CSV file with dates and a column of prices"
    fields: ClassVar = {}
    measures = (SHARPE, GAIN, DRAWDOWN, TRADES)
    captions: ClassVar = {
        "wealth": "Wealth over the test part, after costs, beside buying and holding and trading by chance",
        "returns": "Return of every training episode, in percent",
    }
    verbs: ClassVar = {"play": Play}
    next_step = "ganglion play {run}"

    prices: Prices
    borders: tuple[int, int]
    """Steps at which the validation part and the test part begin."""
    batch_size: int
    _loader: ReplayLoader | None = None

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        problem = "this system trades in prices over time, not in stored samples"
        source = cls.source_name(source, problem, "name a file or a series with --data")
        batch_size = replay_batch_size(settings)
        prices = read_prices(source, settings)
        task = cls(_fitted(config), {})
        count = len(prices)
        test = count - round(settings.test * count)
        task.prices, task.borders = prices, (test - round(settings.validation * count), test)
        task.notes, task.fingerprint, task.batch_size = prices.notes, prices.fingerprint, batch_size
        task.has_validation = task.borders[0] < task.borders[1]
        task._refuse_short_parts(source)
        return task

    def _refuse_short_parts(self, source: str) -> None:
        needed = self.config.window + FEWEST
        for part in ("train", "validation", "test"):
            first, last = self._stretch(part)
            if last - first + 1 < FEWEST or last < needed:
                raise DataError(
                    "there are too few prices to learn to trade from",
                    where=source,
                    expected=f"at least {needed} in the training part, and {FEWEST} in the validation and test parts",
                    found=f"{last - first + 1} in the {part} part of {len(self.prices)}",
                    remedy="give a longer series, or a shorter --window",
                )

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = cls(config, {})
        try:
            values = np.array(state["prices"], dtype=np.float64)
            days = (str(state["days"][0]), str(state["days"][1])) if state["days"] else None
            task.prices = Prices(str(state["name"]), values, float(state["steps_a_year"]), days)
            task.borders = int(state["borders"][0]), int(state["borders"][1])
            if values.ndim != 1 or not config.window < task.borders[0] <= task.borders[1] < len(values):
                raise DataError("prices and borders must fit together", found=f"{values.shape}, {task.borders}")
        except (KeyError, TypeError, ValueError, IndexError, DataError) as error:
            raise CheckpointError(
                "this run does not say what was traded",
                where="state.prices of config.json",
                expected="prices, and where the parts begin",
                found=f"{type(error).__name__}: {error}",
                remedy="put the original file back, or train again",
            ) from error
        return task

    def state(self) -> dict[str, Any]:
        prices = self.prices
        return {
            "name": prices.name,
            "prices": prices.values.tolist(),
            "steps_a_year": prices.steps_a_year,
            "days": list(prices.days or ()),
            "borders": list(self.borders),
        }

    def _stretch(self, part: Part) -> tuple[int, int]:
        """Return the first and the last price at which positions of a part are taken or end."""
        validation, test = self.borders
        begins = {"train": self.config.window, "validation": validation, "test": test}
        ends = {"train": validation, "validation": test, "test": len(self.prices)}
        return begins[part], ends[part] - 1

    def loader(self, rule: LearningRule, seed: int) -> ReplayLoader:
        config = self.config
        make = partial(
            Market,
            self.prices.values[: self.borders[0]],
            window=config.window,
            length=config.episode_length,
            cost=config.cost,
            short=config.short,
        )
        self._loader = replay_loader(
            rule, config, Environments(make, config.num_environments, seed), self.batch_size, seed
        )
        return self._loader

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        return self._judged(self._walk(rule.home, part))

    def baseline(self) -> dict[str, float]:
        return self._judged(self._holding("test"))

    def _judged(self, walk: Walk) -> dict[str, float]:
        return judged(walk.growths, walk.positions, self.prices.steps_a_year)

    @cached_property
    def _views(self) -> np.ndarray:
        """What is seen at each price `(time, lags)`, each computed from the prices until then."""
        window, values = self.config.window, self.prices.values
        back = lags(window)
        views = np.zeros((len(values), len(back)), np.float32)
        for time in range(window, len(values)):
            views[time] = shown(values[: time + 1], back)
        return views

    @property
    def _positions(self) -> np.ndarray:
        return np.array(POSITIONS[self.config.short])

    def _walk(self, network: nn.Module, part: Part) -> Walk:
        """Take the best position at each price of a part, beginning with none."""
        first, last = self._stretch(part)
        views, positions = self._views[first:last], self._positions
        with evaluating(network) as device:
            best = {}
            for held in positions.tolist():
                seen = torch.from_numpy(np.column_stack([views, np.full(len(views), held, np.float32)]))
                values = in_blocks(network, seen, block_size(network, seen[0]), device)
                best[held] = positions[values.argmax(1).numpy()]
        held, taken = 0, np.zeros(len(views), np.int64)
        for step in range(len(views)):
            held = taken[step] = int(best[held][step])
        return self._following(taken, part)

    def _following(self, positions: np.ndarray, part: Part) -> Walk:
        first, last = self._stretch(part)
        return Walk(positions, walked(self.prices.values[first : last + 1], positions, self.config.cost))

    def _holding(self, part: Part) -> Walk:
        first, last = self._stretch(part)
        return self._following(np.ones(last - first, np.int64), part)

    def _by_chance(self, part: Part, seed: int) -> list[Walk]:
        """Return traders that take any position at each step."""
        first, last = self._stretch(part)
        source = np.random.default_rng(episode_seed("chance", seed))
        return [self._following(source.choice(self._positions, last - first), part) for _ in range(RANDOM_TRADERS)]

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        own, held, chance = self._walk(rule.home, "test"), self._holding("test"), self._by_chance("test", 0)
        first, last = self._stretch("test")
        drawn = {
            "wealth": figures.wealth(
                self.prices.values[first : last + 1],
                own.positions,
                {"the network": own.wealth, "buying and holding": held.wealth},
                np.stack([walk.wealth for walk in chance]),
                self._sentence(self._judged(own), self._judged(held)),
            )
        }
        if self._loader is not None:
            drawn["returns"] = figures.returns([reward for _, reward in self._loader.returns])
        return drawn

    def play(self, network: nn.Module, question: Play) -> Rows:
        """Return how the network traded in a part, beside holding and the mean of traders by chance."""
        part = question.part
        own, held = (self._judged(walk) for walk in (self._walk(network, part), self._holding(part)))
        several = [self._judged(walk) for walk in self._by_chance(part, question.seed)]
        chance = {name: float(np.mean([one[name] for one in several])) for name in own}
        named = {"the network": own, "buying and holding": held, f"by chance, mean of {RANDOM_TRADERS}": chance}
        rows = [{"strategy": name, **measured} for name, measured in named.items()]
        return Rows(rows, notes=(self._sentence(own, held) + ".",))

    def _sentence(self, own: Mapping[str, float], held: Mapping[str, float]) -> str:
        """Say plainly whether the network beat buying and holding."""
        better = [name for name in ("gain", "sharpe") if own[name] > held[name]]
        gains = f"{own['gain']:+.1%} against {held['gain']:+.1%}"
        ratios = f"Sharpe {own['sharpe']:.2f} against {held['sharpe']:.2f}"
        if len(better) == 2:
            return f"It beat buying and holding after costs: {gains}, {ratios}"
        if not better:
            return f"It did not beat buying and holding: {gains}, {ratios}"
        other = "gained more than buying and holding, at a lower Sharpe ratio"
        if better == ["sharpe"]:
            other = "gained less than buying and holding, at a higher Sharpe ratio"
        return f"It {other}: {gains}, {ratios}"


def _fitted(config: Any) -> Any:
    """Fill in the fields that what is seen and what can be done decide."""
    return adapt(config, in_features=len(lags(config.window)) + 1, num_actions=len(POSITIONS[config.short]))


TASK = Trading
