import copy
import dataclasses
import itertools
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganglion.data.dataset import Dataset
from ganglion.data.environments.rendering import DRAWINGS, WIDTH, record_episode
from ganglion.data.environments.vector import make_environment
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, MissingExtraError
from ganglion.models.reinforcement.dqn import TINY, build
from ganglion.runs.writing import write
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.control import Control, Play
from ganglion.tasks.shared.acting import greedy
from ganglion.training.checkpoint import digest
from tests.environments import LENGTH, Chain, Endless, chain_values
from tests.tasks.asking import ask

gymnasium.register("ganglion-test/Chain-v0", Chain, max_episode_steps=40)
gymnasium.register("ganglion-test/Endless-v0", Endless, kwargs={"still": True})


def task(environment: str = "CartPole-v1", seed: int = 0, **fields: object) -> Control:
    config = dataclasses.replace(TINY, **fields)
    return Control.prepare(environment, config, DataSettings(batch_size=32), seed)


class Balance(nn.Module):
    """Pushes the cart to where the pole falls: enough to keep CartPole up for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0, 0.2, 1.0, 1.0]))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        push = observations @ self.weight
        return torch.stack([-push, push], 1)


def test_the_environment_decides_what_the_network_looks_like() -> None:
    config = task("Acrobot-v1").config
    assert (config.in_features, config.num_actions) == (6, 3)
    assert build(config).home(torch.zeros(2, 6)).shape == (2, 3)
    assert task("FrozenLake-v1").config.in_features == 16


def test_stored_data_and_whole_batches_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="learns by acting"):
        Control.prepare(Dataset.of(name="digits", kind="image", inputs=np.zeros((1, 8, 8))), TINY, DataSettings(), 0)
    with pytest.raises(ConfigurationError, match="batch_size"):
        Control.prepare("CartPole-v1", TINY, DataSettings(batch_size="all"), 0)


def test_evaluation_repeats_itself_and_leaves_the_random_state_and_the_mode_alone() -> None:
    control, rule = task(), build(TINY)
    rule.home.train()
    before = torch.get_rng_state()
    first, second = control.evaluate(rule), control.evaluate(rule)
    assert first == second
    assert torch.equal(before, torch.get_rng_state()) and rule.home.training
    assert control.evaluate(rule, "test") != first


def test_the_baseline_is_random_play_of_the_test_episodes() -> None:
    baseline = task().baseline()
    assert baseline == task().baseline()
    assert 15 < baseline["mean_return"] < 30  # random play of CartPole is known to last about 22 steps
    assert set(baseline) <= set(task().evaluate(build(TINY), "test"))


def test_a_restored_task_judges_and_plays_like_the_prepared_one() -> None:
    control, rule = task(seed=3), build(TINY)
    config = from_dict(type(TINY), to_dict(control.config))
    restored = Control.restore(control.state(), config)
    assert restored.state() == control.state()
    assert restored.evaluate(rule, "test") == control.evaluate(rule, "test")
    assert ask(restored, rule.home, "play", episodes=3, seed=1) == ask(control, rule.home, "play", episodes=3, seed=1)


def test_play_returns_one_return_an_episode_and_writes_an_animation(tmp_path: Path) -> None:
    path = tmp_path / "cart.gif"
    answer = task().ask("play", Balance(), Play(episodes=3, animation=path))
    returns = [row["return"] for row in answer.value]
    assert len(returns) == 3 and min(returns) > 50
    write(answer, path)
    with Image.open(path) as animation:
        shown = 0
        for frame in range(animation.n_frames):  # equal pictures are stored once, and shown longer
            animation.seek(frame)
            shown += animation.info["duration"]
        assert shown == pytest.approx(20 * returns[0], abs=100)  # 50 steps a second
    assert answer.value == ask(task(), Balance(), "play", episodes=3, seed=0)


def test_figures_show_the_training_returns_and_an_episode() -> None:
    control, rule = task(learning_starts=200), build(TINY)
    assert list(control.figures(rule)) == ["episode"]
    next(iter(control.loader(rule, 0)))
    assert list(control.figures(rule)) == ["returns", "episode"]


def test_an_environment_without_pictures_still_has_its_curve_and_a_clear_error_on_play(tmp_path: Path) -> None:
    control, rule = task("ganglion-test/Chain-v0"), build(TINY)
    control.loader(rule, 0)
    assert list(control.figures(rule)) == ["returns"]
    with pytest.raises((ConfigurationError, MissingExtraError), match="cannot be drawn"):
        ask(control, rule.home, "play", episodes=1, seed=0, animation=tmp_path / "chain.gif")


@pytest.mark.parametrize("name", ["CartPole-v1", "MountainCar-v0", "Acrobot-v1"])
def test_classic_control_is_drawn_and_moves(name: str) -> None:
    pictures, rate = record_episode(
        partial(make_environment, name), lambda shown: torch.zeros(len(shown), dtype=torch.int64), seed=0, limit=20
    )
    assert pictures.dtype == np.uint8 and pictures.ndim == 4 and rate > 0
    assert gymnasium.spec(name).name in DRAWINGS
    assert (pictures[0] != pictures[-1]).any()


def test_the_cart_is_drawn_where_it_is_and_the_pole_leans_to_its_side() -> None:
    def centre(picture: np.ndarray, rows: slice) -> float:
        return float(np.nonzero((picture[rows] < 230).any(-1))[1].mean())

    draw = DRAWINGS["CartPole"]
    left, right = (draw(np.array([position, 0.0, 0.2, 0.0])) for position in (-1.0, 1.0))
    pole = slice(0, 90)
    assert centre(right, pole) - centre(left, pole) == pytest.approx(WIDTH * 2 / 4.8, abs=2)
    assert (
        centre(draw(np.array([0.0, 0.0, 0.2, 0.0])), pole) > 120 > centre(draw(np.array([0.0, 0.0, -0.2, 0.0])), pole)
    )


def test_an_endless_task_is_learnt_although_only_a_time_limit_ends_it() -> None:
    """Truncation must not look like an end: with discount γ every state is then worth 1 / (1 - γ)."""
    control = task("ganglion-test/Endless-v0", discount=0.5, learning_starts=50, target_every=10)
    torch.manual_seed(0)
    rule = build(control.config)
    for batch in itertools.islice(control.loader(rule, 0), 600):
        rule.step(batch)
    values = rule.home.eval()(batch["observations"])
    torch.testing.assert_close(values, torch.full_like(values, 2.0), rtol=0, atol=0.05)


def test_the_chain_is_solved_like_value_iteration_by_acting_in_it() -> None:
    control = task("ganglion-test/Chain-v0", discount=0.8, learning_starts=200, target_every=20, epsilon_end=0.5)
    torch.manual_seed(0)
    rule = build(control.config)
    for batch in itertools.islice(control.loader(rule, 0), 1500):
        rule.step(batch)
    exact = torch.tensor(chain_values(0.8), dtype=torch.float32)
    rule.home.eval()
    torch.testing.assert_close(rule.home(torch.eye(LENGTH)).detach(), exact, rtol=0, atol=0.05)
    assert control.evaluate(rule, "test")["mean_return"] > control.baseline()["mean_return"]


@pytest.mark.parametrize("fields", [{}, {"priority": 0.6}, {"exploration": "noise"}, {"dueling": True}])
def test_rule_and_loader_resume_together_bit_for_bit(fields: dict) -> None:
    def run(steps: int, state: dict | None = None) -> tuple[dict, list]:
        control = task(learning_starts=20, **fields)
        torch.manual_seed(0)
        rule = build(control.config)
        loader = control.loader(rule, 0)
        if state:
            rule.load_state_dict(state["rule"])
            loader.load_state_dict(state["loader"])
            torch.set_rng_state(state["random"])  # as the trainer does; noisy layers draw from it
        measured = [rule.step(batch) for batch in itertools.islice(loader, steps)]
        state = {"rule": rule.state_dict(), "loader": loader.state_dict(), "random": torch.get_rng_state()}
        return copy.deepcopy(state), measured

    whole, _ = run(40)
    half, _ = run(20)
    resumed, _ = run(20, half)
    assert digest(resumed) == digest(whole) != digest(half)


@pytest.mark.parametrize("fields", [{"priority": 0.6, "importance_steps": 4000}, {"exploration": "noise"}])
def test_the_chain_is_solved_with_priorities_and_with_noise(fields: dict) -> None:
    control = task(
        "ganglion-test/Chain-v0", discount=0.8, learning_starts=200, target_every=20, epsilon_end=0.5, **fields
    )
    torch.manual_seed(0)
    rule = build(control.config)
    for batch in itertools.islice(control.loader(rule, 0), 400):
        rule.step(batch)
    rule.home.eval()
    best = torch.tensor(chain_values(0.8)).argmax(1)
    assert torch.equal(rule.home(torch.eye(LENGTH)).argmax(1), best)


def test_a_noisy_network_acts_without_epsilon() -> None:
    control = task(exploration="noise")
    assert control.loader(build(control.config), 0).epsilon(0) == 0


def test_greedy_takes_the_action_of_highest_value() -> None:
    assert greedy(nn.Linear(3, 3, bias=False).requires_grad_(False))(torch.zeros(2, 3)).tolist() == [0, 0]
    identity = nn.Linear(3, 3, bias=False)
    nn.init.eye_(identity.weight)
    assert greedy(identity)(torch.eye(3)).tolist() == [0, 1, 2]
