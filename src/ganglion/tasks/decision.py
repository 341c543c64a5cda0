"""Decision: what every action is worth in every state of a finite decision process, judged against its solution."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.decisions.presets import PRESETS
from ganglion.data.decisions.process import DecisionProcess, Grid, WholeProcess
from ganglion.data.decisions.reading import read_process
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, DataError, GanglionError
from ganglion.nn.reinforcement.action_table import ActionTable
from ganglion.rules.reinforcement.decisions import allowed_actions, always, backup, best_values, policy_values
from ganglion.settings import at_least, settings, unknown_name
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import evaluating
from ganglion.tasks.shared.fitting import adapt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWABLE = 12
"""States of the largest graph."""

VALUE = Measure(
    name="value",
    higher_is_better=True,
    meaning="Expected discounted return from the start when the best actions of the table are taken, solved exactly.",
)
REGRET = Measure(
    name="regret",
    higher_is_better=False,
    meaning="By how much the best policy there is has a higher value; 0 is perfect.",
)
VALUE_ERROR = Measure(
    name="value_error",
    higher_is_better=False,
    meaning="Largest difference of a state's value in the table from the exact one.",
)
BELLMAN_ERROR = Measure(
    name="bellman_error",
    higher_is_better=False,
    meaning="Largest difference of an action's value from the reward and the value of what follows.",
)


@settings
class Predict:
    """Say what is best in states, and what each of their actions is worth."""

    inputs: Given
    """Names of states, or `all`."""


@settings
class Play:
    """Play episodes, always taking the best action of the table."""

    episodes: Annotated[int, at_least(1)] = 10
    """Episodes to play."""
    seed: int = 0
    """Decides what happens."""
    longest: Annotated[int, at_least(1)] = 100
    """Actions after which an episode is cut off."""


@final
class Decision(Task):
    """A finite decision process: a table of values, judged by the value of the policy that follows from it.

    The judge solves the process exactly, by policy iteration with linear solves, whatever the table was learnt by.
    """

    name = "decision"
    reads = ()
    takes = f"{', '.join(PRESETS)}, a JSON or CSV file of transitions, or an environment such as FrozenLake-v1"
    fields: ClassVar = {}
    measures = (VALUE, REGRET, VALUE_ERROR, BELLMAN_ERROR)
    captions: ClassVar = {
        "graph": "States with their values, actions, and what follows from them",
        "grid": "What states are worth, and which way is best",
        "action_values": "What each action is worth in each state; the best is red",
        "returns": "Return of every training episode",
    }
    verbs: ClassVar = {"predict": Predict, "play": Play}
    next_step = "ganglion predict {run} all"

    process: DecisionProcess

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        problem = "this system needs a decision process, not stored samples"
        process = read_process(cls.source_name(source, problem, "name one with --data"))
        sizes = {"num_states": len(process.states), "num_actions": len(process.actions)}
        task = cls(adapt(config, **sizes), {})
        task.process, task.notes, task.fingerprint = process, process.notes, process.fingerprint
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = cls(config, {})
        try:
            task.process = _from_state(state["process"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, GanglionError) as error:
            raise CheckpointError(
                "this run does not say what was decided about",
                where="state.process of config.json",
                expected="states, actions and transitions",
                found=f"{type(error).__name__}: {error}",
                remedy="put the original file back, or train again",
            ) from error
        return task

    def state(self) -> dict[str, Any]:
        process = self.process
        grid = process.grid and {
            "panels": {title: [list(row) for row in rows] for title, rows in process.grid.panels.items()},
            "directions": {str(action): list(step) for action, step in process.grid.directions.items()},
            "letters": list(process.grid.letters),
        }
        return {
            "process": {
                "name": process.name,
                "states": list(process.states),
                "actions": list(process.actions),
                "columns": {name: values.tolist() for name, values in process.columns.items()},
                "starts": process.starts.tolist(),
                "grid": grid,
            }
        }

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return WholeProcess(self.process)

    @cached_property
    def _best(self) -> Tensor:
        """The exact value of every state, (states,)."""
        return best_values(self.process.batch(), self.config.discount, len(self.process.actions))

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        table = _table(rule.home)
        policy = always(table.policy(), len(self.process.actions))
        return self._judge(policy, table.values.detach().cpu(), table.state_values().detach().cpu())

    def baseline(self) -> dict[str, float]:
        """Return what choosing any action by lot is worth."""
        batch, actions = self.process.batch(), len(self.process.actions)
        allowed = allowed_actions(batch, actions).double()
        policy = allowed / allowed.sum(1, keepdim=True).clamp_min(1)
        values = policy_values(batch, policy, self.config.discount)
        return self._judge(policy, backup(batch, values, self.config.discount, actions), values)

    def _judge(self, policy: Tensor, table: Tensor, values: Tensor) -> dict[str, float]:
        """Measure a policy, (states, actions), beside a table, (states, actions), and values, (states,)."""
        batch, discount, actions = self.process.batch(), self.config.discount, len(self.process.actions)
        worth = policy_values(batch, policy.cpu(), discount)
        allowed = allowed_actions(batch, actions)
        error = (backup(batch, values, discount, actions) - table)[allowed]
        value, best = (float(one @ batch["starts"]) for one in (worth, self._best))
        return {
            "value": value,
            "regret": max(0.0, best - value),
            "value_error": float((values - self._best).abs().max()),
            "bellman_error": float(error.abs().max()),
        }

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        table, process = _table(rule.home), self.process
        worth = table.action_values().detach().cpu().numpy()
        values, best = table.state_values().detach().cpu().numpy(), table.policy().cpu().tolist()
        drawn = {}
        if len(process.states) <= DRAWABLE:
            columns = [process.columns[name].tolist() for name in _OUTCOME]
            choice = {state: best[state] for state in set(columns[0])}
            outcomes = [one for one in zip(*columns, strict=True) if one[3] > 0]
            if process.grid is None:
                drawn["graph"] = figures.decision_graph(process.states, process.actions, outcomes, values, choice)
            drawn["action_values"] = figures.action_values(worth, process.states, process.actions, best)
        if grid := process.grid:
            there = process.reached(acting_there=True)
            panels = {title: np.array(rows) for title, rows in grid.panels.items()}
            panels = {title: np.where((rows >= 0) & there[rows], rows, -1) for title, rows in panels.items()}
            drawn["grid"] = figures.decision_grid(panels, values, worth, grid.directions, process.actions, grid.letters)
        if "returns" in rule.tensors:
            drawn["returns"] = figures.returns(rule.tensors["returns"].tolist())
        return drawn

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every state its best action, its value, and what each action is worth."""
        process, worths = self.process, self._worths(network)
        asked = [str(one) for one in question.inputs]
        names = list(process.states) if asked == ["all"] else asked
        known = {name: number for number, name in enumerate(process.states)}
        rows = []
        for name in names:
            if name not in known:
                raise unknown_name("state", name, list(process.states)[:DRAWABLE])
            worth = worths[known[name]].tolist()
            allowed = {process.actions[action]: one for action, one in enumerate(worth) if one > -np.inf}
            best = max(allowed, key=lambda action: allowed[action]) if allowed else ""
            rows.append({"state": name, "action": best, "value": allowed.get(best, 0.0), **allowed})
        return Rows([{**row, **{action: row.get(action) for action in process.actions}} for row in rows])

    def _worths(self, network: nn.Module) -> Tensor:
        """Return what every action is worth in every state, (states, actions)."""
        with evaluating(network) as device:
            worths: Tensor = network(torch.arange(len(self.process.states), device=device))
            return worths.cpu()

    def play(self, network: nn.Module, question: Play) -> Rows:
        """Return of each episode its return, its length and how it ended."""
        policy, process = self._worths(network).argmax(1).tolist(), self.process
        chance, rows = np.random.default_rng(question.seed), []
        returns: list[float] = []
        columns = process.columns
        by_pair: dict[tuple[int, int], list[int]] = {}
        for row, pair in enumerate(zip(columns["states"].tolist(), columns["actions"].tolist(), strict=True)):
            by_pair.setdefault(pair, []).append(row)
        for number in range(1, question.episodes + 1):
            state = int(chance.choice(len(process.states), p=process.starts))
            total, length, ended = 0.0, 0, False
            while not ended and length < question.longest and (state, policy[state]) in by_pair:
                rows_of = by_pair[state, policy[state]]
                weights = columns["probabilities"][rows_of]
                row = int(chance.choice(rows_of, p=weights / weights.sum()))
                total, length = total + float(columns["rewards"][row]), length + 1
                state, ended = int(columns["next_states"][row]), bool(columns["ends"][row])
            returns.append(total)
            rows.append({"episode": number, "return": total, "length": length, "last_state": process.states[state]})
        return Rows(rows, {"mean": float(np.mean(returns)), "standard_deviation": float(np.std(returns))})


_OUTCOME = ("states", "actions", "next_states", "probabilities", "rewards")


def _from_state(state: Mapping[str, Any]) -> DecisionProcess:
    kinds: dict[str, Any] = {"probabilities": np.float64, "rewards": np.float64, "ends": bool}
    columns = {name: np.array(state["columns"][name], dtype=kinds.get(name, np.int64)) for name in (*_OUTCOME, "ends")}
    states, actions = tuple(map(str, state["states"])), tuple(map(str, state["actions"]))
    limits = {"states": len(states), "next_states": len(states), "actions": len(actions)}
    for name, limit in limits.items():
        if columns[name].min() < 0 or columns[name].max() >= limit:
            raise DataError(f"numbers of {name} are out of range", expected=f"0 to {limit - 1}")
    if len({len(values) for values in columns.values()}) > 1 or len(state["starts"]) != len(states):
        raise DataError("columns differ in length", expected="one entry for each transition")
    kept = state["grid"]
    grid = kept and Grid(
        {title: tuple(map(tuple, rows)) for title, rows in kept["panels"].items()},
        {int(action): (int(step[0]), int(step[1])) for action, step in kept["directions"].items()},
        tuple(kept["letters"]),
    )
    return DecisionProcess(str(state["name"]), states, actions, columns, np.array(state["starts"], np.float64), grid)


def _table(network: nn.Module) -> ActionTable:
    return cast(ActionTable, network)


TASK = Decision
