"""The trader: a market whose best positions are known, and the row."""

import numpy as np
import torch

from ganglion.core import LearningRule
from ganglion.data.environments.market import Market
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.environments.vector import Environments
from ganglion.models.reinforcement.trader import TINY, build
from tests.contract.rows import Row

TIDES = 100 * np.exp(0.01 * np.cumsum(np.repeat([1.0, -1.0] * 40, 4)))
"""A price that rises by 1 % four times, and falls four times."""


def tides() -> Market:
    return Market(TIDES, window=4, length=32, cost=0.0, short=True)


def random_play() -> ReplayLoader:
    """Prices do not care what is done, so that acting at random shows all there is."""
    return ReplayLoader(
        Environments(tides, 4, seed=0),
        lambda shown: torch.zeros(len(shown), dtype=torch.int64),
        capacity=2000,
        batch_size=64,
        seed=0,
        epsilon=lambda _: 1.0,
        discount=TINY.discount,
        learning_starts=200,
    )


@torch.no_grad()
def share_of_best_positions(rule: LearningRule) -> float:
    """How often the position is that of the next change, which four changes before tell."""
    market, right = tides(), []
    market.reset(seed=0)
    for time in range(market.window, len(TIDES) - 1):
        market.time = time
        for held in (-1, 0, 1):
            market.position = held
            action = rule.home(torch.from_numpy(market._show())[None]).argmax().item()
            right.append(market.positions[action] == np.sign(TIDES[time + 1] - TIDES[time]))
    return float(np.mean(right))


ROW = Row(
    loader=random_play,
    steps=400,
    measure=share_of_best_positions,
    threshold=0.95,
    counts=(({}, "network", (8 * 64 + 64) + (64 * 64 + 64) + (64 + 1) + (3 * 64 + 3)),),
    frozen=tuple(
        f"target.{layer}.{name}"
        for layer in ("hidden.0", "head.value", "head.advantage")
        for name in ("weight", "bias")
    ),
    data="swinging-prices",
)


def test_both_networks_are_of_one_form_and_begin_alike() -> None:
    rule = build(TINY)
    own, target = (rule.networks[role].state_dict() for role in ("network", "target"))
    assert own.keys() == target.keys() and all(torch.equal(own[name], target[name]) for name in own)
