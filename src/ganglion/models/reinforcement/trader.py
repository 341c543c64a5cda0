"""Trader: a deep Q-network that goes long, flat or short in one price, and pays for every change.

Idea:
    A market is an environment: what is seen are the changes of a price until now, an action is the position until the
    next price, the reward is what the wealth grows by after costs. Nothing that is seen, and nothing that inputs are
    scaled by, comes from later prices; the network learns on the first stretch of time, the best weights are chosen on
    the next, and judged on the last.

Equations:
    s_t = (log p_t / p_t-1, log p_t / p_t-2, log p_t / p_t-4, ..., position)
    W_t+1 / W_t = (1 - c |a_t - a_t-1|) (1 + a_t (p_t+1 / p_t - 1)),  a in {-1, 0, 1}
    r_t = 100 log W_t+1 / W_t
    Q(s, a) -> y = r + γ max_a' Q'(s', a')
    Sharpe ratio = mean / deviation of the steps' returns, times sqrt(steps a year)

Networks:
    `DenseQNetwork`: dense layers with ReLU on the standardised observation, one output for each position, with separate
    streams for the value of the state and of positions.

Learning rule:
    `ganglion.rules.reinforcement.q_learning.QLearning` from a replay memory, as `dqn`.

Data it expects:
    A CSV file with a column of dates and one of prices (`--data prices.csv`, `--target COLUMN` where it is not clear
    which), or the generated `swinging-prices` and `geometric-brownian-motion`. Prices that are missing or not above
    zero, and dates in no order or with long gaps, are refused.

What to expect:
    `swinging-prices`, which swing about a trend, can be foretold a little: Sharpe ratio 0.97 to 1.69 over seeds 0 to 2
    after costs on the last 800 of 4,000 steps, where buying and holding has 0.23, in 5 s on a CPU. In
    `geometric-brownian-motion` nothing can be foretold: -0.71, -0.70 and 0.24. Of real prices, a few past changes tell
    little or nothing: Apple's of 1980 to 2018, seed 0, ended at -0.51, where buying and holding has 0.94. `ganglion
    play RUN` says so plainly.

Departures from the paper:
    1. There is no paper: this is deep Q-learning as `dqn` has it, in a market of one price.
    2. Wealth is put into one position wholly or not at all, without interest and without moving the price.
    3. Short positions are set anew at each step, so that they are always as large as the wealth.

References:
    Mnih et al. (2015), Human-level control through deep reinforcement learning, Nature 518.
    Moody and Saffell (2001), Learning to trade via direct reinforcement, IEEE Transactions on Neural Networks 12.
    Sharpe (1994), The Sharpe ratio, Journal of Portfolio Management 21.
"""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.reinforcement.action_values import DenseQNetwork
from ganglion.rules.descend import Descent
from ganglion.rules.reinforcement.q_learning import QLearning
from ganglion.rules.reinforcement.settings import Exploration, Probability, QLearningSettings, Steps, TargetRate
from ganglion.settings import Count, Search, Widths, above, at_least, between, settings


@settings
class MarketSettings:
    """What is seen of a market, what trading costs, and what the network is made of."""

    window: Annotated[int, at_least(2)] = 64
    """Steps into the past: prices are compared with those 1, 2, 4, ... up to so many steps ago."""
    cost: Annotated[float, between(0, 0.5)] = 0.001
    """Share of what changes hands that a trade costs."""
    short: bool = True
    """Whether it may bet on falling prices."""
    episode_length: Count = 128
    """Steps of a training episode, which begins anywhere in the training part."""
    hidden_features: Widths = (64, 64)
    """Widths of the hidden layers."""
    dueling: bool = True
    """Estimate the value of the state and the advantage of each position separately."""
    in_features: Count = 8
    """Numbers in an observation; the window decides."""
    num_actions: Count = 3
    """Positions to choose from; `short` decides."""


@settings
class Config(QLearningSettings, MarketSettings):  # fields of the last base come first
    """What is seen of a market, what trading costs, and how a deep Q-network learns to."""

    discount: Annotated[float, between(0, 1), Search(low=0.8, high=0.999, usual=True)] = 0.95
    double: bool = True
    """Let the network choose the next position and the target network judge it."""
    threshold: Annotated[float, above(0)] = 10.0
    target_every: Count = 1
    target_rate: TargetRate = 0.01
    replay_capacity: Count = 50_000
    importance_steps: Steps = 50_000
    learning_starts: Steps = 2000
    train_every: Count = 8
    num_environments: Count = 16
    exploration: Exploration = "epsilon"
    """Random positions with probability ε, or weights that noise shakes as much as it pays, and no ε."""
    epsilon_start: Probability = 1.0
    """Probability of a random position at the beginning."""
    epsilon_end: Probability = 0.2
    """Probability of a random position once exploration has fallen."""
    epsilon_steps: Steps = 20_000
    descent: Descent = Descent(learning_rate=3e-4)


SMALL = Config()
TINY = replace(
    SMALL,
    window=4,
    in_features=4,
    episode_length=32,
    hidden_features=(16,),
    replay_capacity=2000,
    learning_starts=100,
    train_every=2,
    num_environments=4,
    epsilon_steps=1000,
    discount=0.5,
    descent=Descent(learning_rate=3e-3),
)


def make_network(config: Config) -> nn.Module:
    noisy = config.exploration == "noise"
    return DenseQNetwork(config.in_features, config.num_actions, config.hidden_features, config.dueling, noisy)


def build(config: Config) -> LearningRule:
    return QLearning.of(config, make_network(config), make_network(config))


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    observations = torch.zeros(1, config.in_features)
    return {"network": (observations,), "target": (observations,)}
