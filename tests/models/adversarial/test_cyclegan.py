"""Both ways without pairs: published counts, the cycle's losses by hand, pools of both games, answers of both ways."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from ganglion.core import LearningRule, Players
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.models.adversarial.cyclegan import TINY, Config, Generator, build
from ganglion.rules.adversarial.cycle import CycleRule
from ganglion.rules.descend import Descent
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.domains import Domains
from tests.contract.rows import Row
from tests.tasks.asking import ask

SIDE = 16


def lamps() -> dict[str, torch.Tensor]:
    """Return dark pictures with bright squares, and bright ones with dark squares, without pairs, (40, 1, 16, 16)."""
    squares = torch.rand(80, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.2
    pictures = squares.float().repeat_interleave(4, 2).repeat_interleave(4, 3)
    return {"inputs": pictures[:40], "targets": 1 - pictures[40:]}


def brightness(rule: LearningRule) -> float:
    """Return minus how far both ways are from the brightness of what they should make."""
    pictures = lamps()
    rule.home.eval()
    with torch.no_grad():
        there, back = (rule.networks[way](pictures[name]) for way, name in (("there", "inputs"), ("back", "targets")))
    rule.home.train()
    errors = there.mean() - pictures["targets"].mean(), back.mean() - pictures["inputs"].mean()
    return -float(max(map(abs, errors)))


ROW = Row(
    loader=lambda: InMemoryLoader(lamps(), batch_size=8, seed=0),
    steps=30,
    measure=brightness,
    threshold=-0.2,
    data=generate("drawn-facades", count=16),
    options={"batch_size": 4, "evaluate_every": 24, "sample_every": "off"},
    counts=(
        ({}, "there", 11_378_179),
        ({"blocks": 6}, "back", 7_837_699),
        ({}, "judge_of_targets", 2_764_737),
        ({}, "judge_of_sources", 2_764_737),
    ),
)


def rule_of(**changes: Any) -> CycleRule:
    torch.manual_seed(0)
    rule = build(replace(TINY, **changes))
    assert isinstance(rule, CycleRule)
    return rule


def test_the_generators_pay_the_published_sum() -> None:
    rule = rule_of()
    batch = {name: values[:4] for name, values in lamps().items()}
    x, y = batch["inputs"], batch["targets"]
    g, f = rule.networks["there"], rule.networks["back"]
    d_y, d_x = rule.networks["judge_of_targets"], rule.networks["judge_of_sources"]
    with torch.no_grad():
        expected = ((d_y(g(x)) - 1) ** 2).mean() / 2 + ((d_x(f(y)) - 1) ** 2).mean() / 2
        expected = expected + 10 * (functional.l1_loss(f(g(x)), x) + functional.l1_loss(g(f(y)), y))
        expected = expected + 5 * (functional.l1_loss(g(y), y) + functional.l1_loss(f(x), x))
    measured = rule.step(batch)
    torch.testing.assert_close(measured["loss"], expected)
    assert {"generator_loss", "cycle", "identity", "discriminator_loss", "real_score"} <= set(measured)


def test_both_games_keep_pools_of_their_own_that_a_state_holds() -> None:
    rule, batch = rule_of(pool_size=6), {name: values[:4] for name, values in lamps().items()}
    for _ in range(3):
        rule.step(batch)
    assert rule.counters["pooledtargets"] == rule.counters["pooledinputs"] == 6
    pools = rule.tensors["pool.targets.generated"], rule.tensors["pool.inputs.generated"]
    assert pools[0].shape == (6, 1, SIDE, SIDE) and not torch.equal(*pools)
    other = rule_of(pool_size=6)
    other.load_state_dict(deepcopy(rule.state_dict()))
    torch.manual_seed(5)
    first = rule.step(batch)
    torch.manual_seed(5)
    second = other.step(batch)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_micro_batches_make_the_same_update_of_the_generators() -> None:
    batch = {name: values[:4] for name, values in lamps().items()}
    plain = Descent(optimizer="sgd", learning_rate=0.1)
    whole, parts = (rule_of(pool_size=0, generator_descent=plain) for _ in range(2))
    parts.descent = replace(parts.descent, accumulate=2)
    whole.step(batch)
    parts.step(batch)
    for one, other in zip(whole.home.parameters(), parts.home.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_doctor_sees_the_way_there() -> None:
    rule, batch = rule_of(), {name: values[:4] for name, values in lamps().items()}
    assert isinstance(rule, Players)
    assert rule.sample(batch).shape == rule.real(batch).shape
    assert rule.discriminate(rule.sample(batch), batch).shape[0] == 4


@pytest.mark.parametrize("size", [(16, 16), (18, 33)])
def test_any_size_comes_back(size: tuple[int, int]) -> None:
    assert Generator(3, 2, 1)(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def unpaired() -> Dataset:
    random = np.random.default_rng(0)
    dark, bright = random.integers(0, 99, (30, 20, 24, 1)), random.integers(150, 255, (41, 20, 24, 3))
    fields = {
        "source": Field(kind="images", values=dark.astype(np.uint8), paired=False),
        "target": Field(kind="images", values=bright.astype(np.uint8), paired=False),
    }
    return Dataset(name="domains", fields=fields, source="domains")


def test_two_sets_of_different_sizes_and_channels_are_learnt_judged_and_answered() -> None:
    settings = DataSettings(batch_size=4)
    task = Domains.prepare(unpaired(), TINY, settings, seed=0)
    rule = build(task.config)
    batch = next(iter(task.loader(rule, seed=0)))
    assert batch["inputs"].shape == batch["targets"].shape == (4, 3, 16, 16)
    rule.step(batch)
    assert set(task.evaluate(rule, "test")) == set(task.baseline()) == {"frechet_distance", "cycle_error"}
    assert task.baseline()["cycle_error"] == 0
    assert set(task.figures(rule)) == {"there", "back"} and task.sheet(rule.home).ndim == 3
    restored = Domains.restore(task.state(), task.config)
    photo = np.zeros((20, 24, 3), np.uint8)
    there = ask(restored, rule.home, "predict", inputs=[photo])
    back = ask(restored, rule.home, "predict", inputs=[photo], direction="back")
    assert there.shape == back.shape == (1, 16, 16, 3) and not np.array_equal(there, back)


def test_pairs_are_measured_by_and_other_data_refused() -> None:
    settings = DataSettings(batch_size=4)
    task = Domains.prepare(generate("drawn-facades", count=20), TINY, settings, seed=0)
    found = task.evaluate(build(task.config), "test")
    assert set(found) == {"frechet_distance", "cycle_error", "l1"} and 0 < found["l1"] < 1
    with pytest.raises(DataError, match="two sets of pictures"):
        Domains.prepare(generate("faces", count=10), TINY, settings, seed=0)


def test_configuration_survives_json() -> None:
    assert from_dict(Config, to_dict(TINY)) == TINY
    assert (Config().blocks, Config().pool_size, Config().game.loss) == (9, 50, "least-squares")
