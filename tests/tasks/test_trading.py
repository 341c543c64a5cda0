"""Trading: parts by time, nothing of the future, what is said beside buying and holding, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.data.dataset import Dataset
from ganglion.data.environments.market import Market
from ganglion.data.markets import prices as reading
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, ConfigurationError, DataError
from ganglion.models.reinforcement.trader import TINY, build
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.shared.acting import greedy
from ganglion.tasks.trading import RANDOM_TRADERS, Play, Trading


def task(source: str = "swinging-prices", **fields: object) -> Trading:
    return Trading.prepare(source, dataclasses.replace(TINY, **fields), DataSettings(batch_size=32, validation=0.2), 0)


def file_of(values: np.ndarray, folder: Path) -> str:
    path = folder / "prices.csv"
    path.write_text("\n".join(["price", *(repr(float(value)) for value in values)]))
    return str(path)


def noise(count: int = 300) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.02, count)))


def test_parts_follow_one_another_in_time() -> None:
    made = task()
    assert [made._stretch(part) for part in ("train", "validation", "test")] == [(4, 2399), (2400, 3199), (3200, 3999)]
    assert len(made.loader(build(made.config), 0).environments.environments[0].unwrapped.prices) == 2400


def test_what_is_seen_decides_what_the_network_looks_like() -> None:
    assert (task().config.in_features, task().config.num_actions) == (4, 3)
    config = task(window=64, short=False).config
    assert (config.in_features, config.num_actions) == (8, 2)


@pytest.mark.parametrize("now", [3200, 3201, 3500, 3998])
def test_changing_the_future_changes_no_position_before(now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    rule, made = build(task().config), task()
    before = made._walk(rule.home, "test").positions
    values = made.prices.values.copy()
    values[now + 1 :] *= np.random.default_rng(now).uniform(0.1, 10, len(values) - now - 1)
    other = task()
    other.prices = dataclasses.replace(made.prices, values=values)
    after = other._walk(rule.home, "test").positions
    np.testing.assert_array_equal(before[: now + 1 - 3200], after[: now + 1 - 3200])


def test_training_knows_nothing_of_what_comes_after_the_training_part() -> None:
    def batches(made: Trading) -> list[dict]:
        torch.manual_seed(0)
        loader = made.loader(build(made.config), 0)
        return [batch for batch, _ in zip(loader, range(30), strict=False)]

    made, other = task(), task()
    values = made.prices.values.copy()
    values[2400:] = 1.0
    other.prices = dataclasses.replace(made.prices, values=values)
    for one, two in zip(batches(made), batches(other), strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_walk_is_what_acting_in_the_market_earns() -> None:
    torch.manual_seed(0)
    made, rule = task(), build(task().config)
    walk = made._walk(rule.home.eval(), "validation")
    first, last = made._stretch("validation")
    market = Market(made.prices.values[: last + 1], window=4, length=last - first, cost=made.config.cost, short=True)
    market.reset(seed=0)
    market.time = market.begun = first
    act, rewards, positions = greedy(rule.home), [], []
    while market.time < last:
        action = int(act(torch.from_numpy(market._show())[None])[0])
        rewards.append(market.step(action)[1])
        positions.append(market.position)
    np.testing.assert_array_equal(walk.positions, positions)
    np.testing.assert_allclose(100 * walk.growths, rewards)


def test_holding_is_the_baseline_and_earns_what_the_price_does() -> None:
    made = task()
    values, cost = made.prices.values, made.config.cost
    assert made.baseline()["gain"] == pytest.approx((1 - cost) * values[-1] / values[3200] - 1)
    assert made.baseline()["trades"] == 1


def test_play_shows_three_strategies_and_says_plainly_which_is_better() -> None:
    made = task()
    answer = made.ask("play", build(made.config).home.eval(), Play())
    assert [row["strategy"] for row in answer.rows] == [
        "the network", "buying and holding", f"by chance, mean of {RANDOM_TRADERS}"
    ]  # fmt: skip
    assert answer.rows[2]["gain"] < 0, "trades by chance cost more than they bring"
    assert "buying and holding" in answer.notes[0]


@pytest.mark.parametrize(
    ("gain", "sharpe", "said"),
    [
        (0.5, 1.5, "beat buying and holding"),
        (0.1, 0.5, "did not beat"),
        (0.5, 0.5, "gained more than buying and holding, at a lower"),
        (0.1, 1.5, "gained less than buying and holding, at a higher"),
        (0.2, 1.0, "did not beat"),
    ],
)
def test_the_sentence_is_plain(gain: float, sharpe: float, said: str) -> None:
    assert said in task()._sentence({"gain": gain, "sharpe": sharpe}, {"gain": 0.2, "sharpe": 1.0})


def test_a_restored_task_trades_like_the_prepared_one() -> None:
    made, home = task(), build(task().config).home.eval()
    restored = Trading.restore(made.state(), from_dict(type(TINY), to_dict(made.config)))
    assert restored.state() == made.state()
    assert restored.ask("play", home, Play(part="validation")) == made.ask("play", home, Play(part="validation"))
    for damage in ({"borders": [1, 2]}, {"prices": "x"}, {"prices": [1.0, 2.0]}):
        with pytest.raises(CheckpointError, match="what was traded"):
            Trading.restore(made.state() | damage, made.config)


def test_figures_show_wealth_and_returns() -> None:
    made, rule = task(), build(task().config)
    assert list(made.figures(rule)) == ["wealth"]
    made.loader(rule, 0)
    assert list(made.figures(rule)) == ["wealth", "returns"]


def test_what_cannot_be_traded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="trades in prices"):
        Trading.prepare(Dataset.of(name="x", kind="tabular", inputs=np.zeros((3, 1))), TINY, DataSettings(), 0)
    with pytest.raises(ConfigurationError, match="batch_size"):
        Trading.prepare("swinging-prices", TINY, DataSettings(batch_size="all"), 0)
    with pytest.raises(DataError, match="too few prices"):
        task(file_of(noise(60), tmp_path))
    assert len(task(file_of(noise(), tmp_path)).prices) == 300
    assert reading.LONGEST_GAP == 10
