"""Q-learning and SARSA: their updates by hand, the optimum that planning computes, and the row."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.decisions.process import DecisionProcess, Transition, WholeProcess
from ganglion.data.decisions.reading import read_process
from ganglion.models.reinforcement.q_table import SMALL, Config, build
from ganglion.nn.reinforcement.action_table import ActionTable
from ganglion.rules.reinforcement.decisions import always, best_values, policy_values
from ganglion.rules.reinforcement.tabular import TabularLearning
from tests.contract.rows import Row
from tests.models.reinforcement.test_mdp import GRID, minus_regret

ROW = Row(
    loader=lambda: WholeProcess(read_process(GRID)),
    steps=400,
    measure=minus_regret,
    threshold=-0.1,
    frozen=("table.values",),
    data=GRID,
)
LINE = [
    Transition("a", "on", "b", 1.0, 1.0),
    Transition("b", "on", "c", 1.0, 10.0),
    Transition("b", "back", "a", 1.0, 0.0),
]


def learner(process: DecisionProcess, **fields: object) -> LearningRule:
    torch.manual_seed(0)
    sizes = {"num_states": len(process.states), "num_actions": len(process.actions)}
    return build(replace(SMALL, **sizes, **fields))


@pytest.mark.parametrize("method", ["q-learning", "sarsa", "expected-sarsa"])
def test_an_episode_without_exploration_is_the_update_by_hand(method: str) -> None:
    process = DecisionProcess.of("line", LINE)
    rule = learner(process, method=method, epsilon_start=0.0, rate=0.5, rate_visits=1, discount=0.9)
    table = rule.networks["table"].values.data  # type: ignore[union-attr]
    table[1] = torch.tensor([4.0, 2.0])  # "on" is best in b
    measured = rule.step(process.batch())
    assert measured["return"] == 11 and measured["length"] == 2
    assert table[0, 0].item() == pytest.approx(0.5 * (1 + 0.9 * 4))
    assert table[1].tolist() == pytest.approx([4 + 0.5 * (10 - 4), 2])
    rule.step(process.batch())  # the second update of each goes half as far
    assert table[1, 0].item() == pytest.approx(7 + 0.25 * (10 - 7))


def test_sarsa_knows_that_it_explores_and_q_learning_does_not() -> None:
    process = read_process("CliffWalking-v1")
    edge = 2 * 12 + 5  # beside the cliff
    worth = {}
    for method in ("q-learning", "sarsa"):
        rule = learner(process, method=method, epsilon_start=0.2, epsilon_end=0.2, rate_visits=0, rate=0.2)
        for _ in range(200):
            rule.step(process.batch())
        worth[method] = float(rule.networks["table"].state_values().detach()[edge])  # type: ignore[operator]
    assert worth["q-learning"] > worth["sarsa"] + 1


def test_exploration_falls_and_any_action_is_tried_while_it_lasts() -> None:
    process = DecisionProcess.of("line", LINE)
    rule = learner(process, epsilon_start=1.0, epsilon_end=0.0, epsilon_episodes=50)
    assert isinstance(rule, TabularLearning) and rule.epsilon == 1.0
    for _ in range(50):
        rule.step(process.batch())
    assert rule.epsilon == 0.0
    tried = rule.tensors["visits"]
    assert tried[1, 1] > 5 and tried[2].sum() == 0


def test_what_follows_is_drawn_with_its_probability() -> None:
    process = DecisionProcess.of(
        "coin", [Transition("a", "toss", "end", 0.2, 1.0), Transition("a", "toss", "a", 0.8, 0.0)]
    )
    rule = learner(process, discount=0.0, rate_visits=1, rate=1.0)
    for _ in range(400):
        rule.step(process.batch())
    assert float(rule.networks["table"].values.data[0, 0]) == pytest.approx(0.2, abs=0.05)  # type: ignore[union-attr]


def regret(name: str, episodes: int, **fields: object) -> float:
    process = read_process(name)
    rule, batch, actions = learner(process, **fields), process.batch(), len(process.actions)
    for _ in range(episodes):
        rule.step(batch)
    table = rule.networks["table"]
    assert isinstance(table, ActionTable)
    values = policy_values(batch, always(table.policy(), actions), 0.99)
    return float((best_values(batch, 0.99, actions) - values) @ batch["starts"])


@pytest.mark.full
@pytest.mark.parametrize("name", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v4"])
def test_q_learning_reaches_the_optimum(name: str) -> None:
    assert regret(name, 6000) < 1e-6


@pytest.mark.full
@pytest.mark.parametrize(("name", "most"), [("FrozenLake-v1", 0.02), ("Taxi-v4", 0.2), ("CliffWalking-v1", 4.0)])
def test_sarsa_comes_near_the_optimum_and_keeps_away_from_the_cliff(name: str, most: float) -> None:
    assert regret(name, 6000, method="sarsa") < most


def test_a_table_of_the_published_form_has_one_number_for_each_pair() -> None:
    network = build(Config(num_states=500, num_actions=6)).home
    assert sum(parameter.numel() for parameter in network.parameters()) == 3000
    assert np.isfinite(network(torch.tensor([499])).detach().numpy()).all()
