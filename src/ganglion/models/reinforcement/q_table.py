"""Q-learning and SARSA with a table: an agent that learns what its actions are worth by trying them.

Idea:
    Nothing is known of the world but what happens. After every action its value is moved a little towards the reward
    and what the next state seems to be worth. Q-learning takes the best next action for that, SARSA the one that the
    agent really takes, with its exploration: beside a cliff SARSA therefore keeps away from the edge.

Equations:
    Q(s, a) <- Q(s, a) + α (y - Q(s, a))
    Q-learning      y = r + γ max_a' Q(s', a')              no second term where the episode ended
    SARSA           y = r + γ Q(s', a'), with the next action a'
    expected SARSA  y = r + γ sum over a' of π(a' | s') Q(s', a')
    action = any with probability ε, otherwise argmax_a Q(s, a)
    rate            α = rate / (1 + n / rate_visits) after n updates of Q(s, a)

Networks:
    `ActionTable`: Q as one table, from the numbers of states to the values of their actions.

Learning rule:
    `ganglion.rules.reinforcement.tabular.TabularLearning`, an episode at each step.

Data it expects:
    What `mdp` takes: Gymnasium's FrozenLake-v1, Taxi-v4 and CliffWalking-v1, a preset, or a CSV or JSON file. Their
    table is acted in and not looked into; the judge solves it and says how far the agent's policy is from the best.

What to expect:
    Q-learning, small form, 6,000 episodes, seed 0, in half a minute on a CPU: the optimum on FrozenLake-v1 (0.542 from
    the start at γ = 0.99), Taxi-v4 (6.33) and CliffWalking-v1 (-12.25): `regret` 0. SARSA comes to 0.533, 6.17 and,
    since it has learnt to walk away from the cliff and does not unlearn that when exploration ends, -15.71.

Departures from the paper:
    1. Episodes are drawn from the table of the environment, which is what its `step` does.
    2. The rate falls with the visits of an action, and exploration with the episodes; Watkins asks for as much, in
       the limit.

References:
    Watkins: Learning from delayed rewards, thesis (1989).
    Watkins and Dayan: Q-learning. Machine Learning 8 (1992).
    Rummery and Niranjan: On-line Q-learning using connectionist systems (1994).
    Sutton and Barto: Reinforcement learning: an introduction, chapter 6 (2018).
"""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.reinforcement.action_table import ActionTable
from ganglion.rules.reinforcement.tabular import Method, TabularLearning
from ganglion.settings import Count, Search, Share, above, at_least, between, settings


@settings
class Config:
    """A table of values and how it is learnt."""

    num_states: Count = 16
    """States; the environment decides."""
    num_actions: Count = 4
    """Actions; the environment decides."""
    method: Method = "q-learning"
    """What the value of an action moves towards."""
    discount: Share = 0.99
    """Worth γ of a reward one step later."""
    rate: Annotated[float, above(0), Search(low=0.05, high=1.0, usual=True)] = 0.5
    """How far a value moves towards what it should be, at first."""
    rate_visits: Annotated[int, at_least(0)] = 0
    """Updates of an action's value after which it moves half as far; 0 for always as far."""
    initial_value: float = 0.0
    """What every action seems worth at first; more than it can be makes the agent try everything."""
    epsilon_start: Annotated[float, between(0, 1)] = 0.1
    """Probability of a random action at the beginning."""
    epsilon_end: Annotated[float, between(0, 1)] = 0.1
    """Probability of a random action once exploration has fallen."""
    epsilon_episodes: Annotated[int, at_least(0)] = 0
    """Episodes over which exploration falls."""
    longest: Count = 200
    """Actions after which an episode is cut off."""


SMALL = Config(rate_visits=100, epsilon_start=1.0, epsilon_end=0.0, epsilon_episodes=3000)
TINY = replace(SMALL, num_states=11, num_actions=4, discount=0.9, epsilon_episodes=200, longest=40)


def build(config: Config) -> LearningRule:
    return TabularLearning(
        ActionTable(config.num_states, config.num_actions, config.initial_value),
        discount=config.discount,
        method=config.method,
        rate=config.rate,
        rate_visits=config.rate_visits,
        epsilon_start=config.epsilon_start,
        epsilon_end=config.epsilon_end,
        epsilon_episodes=config.epsilon_episodes,
        longest=config.longest,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"table": (torch.zeros(1, dtype=torch.int64),)}
