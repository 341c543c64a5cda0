"""Deep Q-learning from what games show: it learns, it resumes, and what does not fit is refused."""

import importlib.util
import itertools
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.cli import main
from ganglion.data.environments.frame_memory import FrameMemory
from ganglion.data.environments.vector import Environments
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, UsageError
from ganglion.models import find
from ganglion.models.reinforcement.dqn import FORMS, TINY, Config, build
from ganglion.rules.descend import Descent
from ganglion.rules.reinforcement.settings import FrameSettings
from ganglion.runs.options import settle
from ganglion.tasks.control import Control
from ganglion.training import checkpoint
from tests.games import Script
from tests.tasks.asking import ask

QUICK = Config(
    network="nature",
    frames=FrameSettings(no_ops=0, skip=1, size=36, stack=2),
    double=True,
    discount=0.9,
    target_every=50,
    replay_capacity=3000,
    learning_starts=200,
    num_environments=4,
    epsilon_steps=1500,
    descent=Descent(learning_rate=1e-3),
)


def task(environment: str, config: Config, batch_size: int = 32) -> Control:
    return Control.prepare(environment, config, DataSettings(batch_size=batch_size), 0)


@pytest.mark.parametrize("network", ["nature", "minatar"])
def test_a_falling_thing_is_caught_from_what_is_seen_of_it(network: str) -> None:
    config = replace(QUICK, network=network)
    control = task("ganglion-test/Catch-v0" if network == "nature" else "ganglion-test/Maps-v0", config)
    torch.manual_seed(0)
    rule = build(control.config)
    loader = control.loader(rule, 0)
    assert isinstance(loader.memory, FrameMemory)
    for batch in itertools.islice(loader, 400 if network == "nature" else 800):
        rule.step(batch)
    assert control.baseline()["mean_return"] < 0
    assert control.evaluate(rule, "test")["mean_return"] > 0.9


def test_the_environment_decides_what_the_networks_look_at() -> None:
    config = task("ganglion-test/Catch-v0", QUICK).config
    assert (config.in_channels, config.num_actions) == (2, 3)
    assert task("ganglion-test/Maps-v0", replace(QUICK, network="minatar")).config.in_channels == 2


@pytest.mark.parametrize(
    ("environment", "network", "says"),
    [
        ("CartPole-v1", "nature", "CartPole-v1 shows no pictures"),
        ("CartPole-v1", "minatar", "CartPole-v1 does not show what the network of MinAtar looks at"),
        ("ganglion-test/Catch-v0", "minatar", "does not show what the network of MinAtar looks at"),
        ("ganglion-test/Maps-v0", "nature", "shows no pictures"),
        ("MountainCarContinuous-v0", "nature", "discrete action space|cannot act in"),
    ],
)
def test_what_does_not_fit_the_network_is_refused_with_both_sides_named(
    environment: str, network: str, says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        task(environment, replace(QUICK, network=network))
    assert caught.value.exit_code == 2 and caught.value.found and caught.value.expected
    assert any(one in caught.value.what for one in says.split("|"))


def test_a_memory_that_the_machine_cannot_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="replay memory would not fit") as caught:
        task("ganglion-test/Catch-v0", replace(QUICK, replay_capacity=10**12))
    assert "--replay-capacity" in caught.value.remedy


def test_the_form_follows_from_the_name_of_the_data_unless_it_is_named() -> None:
    system = find("dqn")
    for data, network in (
        ("ALE/Pong-v5", "nature"),
        ("PongNoFrameskip-v4", "nature"),
        ("MinAtar/Freeway-v1", "minatar"),
    ):
        config, trainer, batches = settle(system, {}, data)
        assert config.network == network and config == FORMS["atari" if network == "nature" else "minatar"]
        assert trainer.steps != settle(system, {})[1].steps and batches.batch_size < 128
    assert settle(system, {}, "CartPole-v1")[0].network == settle(system, {}, None)[0].network == "mlp"
    assert settle(system, {"form": "published"}, "ALE/Pong-v5")[0] == Config()
    assert settle(system, {"steps": 5}, "ALE/Pong-v5")[1].steps == 5


def counted(**flags: bool) -> dict[str, list]:
    environments = Environments(
        lambda: Script(lives={0: 3, 2: 2, 3: 1}, rewards={1: 4.0, 2: -2.5, 4: 7.0}, end=4, shape=(4,)), 1, 0, **flags
    )
    rows = [environments.step(torch.zeros(1, dtype=torch.int64)) for _ in range(8)]
    kept = {name: [row[name].item() for row in rows] for name in ("rewards", "terminated", "ended")}
    return kept | {"returns": [reward for _, reward in environments.returns]}


def test_scores_stay_those_of_the_game_whatever_is_learnt_from() -> None:
    assert counted()["rewards"] == [4.0, -2.5, 0.0, 7.0] * 2
    signs = counted(sign_of_rewards=True)
    assert signs["rewards"] == [1.0, -1.0, 0.0, 1.0] * 2
    assert signs["returns"] == counted()["returns"] == [8.5, 8.5]


def test_the_loss_of_a_life_ends_what_counts_and_not_the_episode() -> None:
    def make() -> gymnasium.Env:
        from ganglion.data.environments.frames import StandardFrames

        game = Script(lives={0: 3, 2: 2, 3: 1}, end=4, shape=(40, 40))
        return StandardFrames(game, no_ops=0, skip=1, size=36, stack=2)

    for flag in (False, True):
        environments = Environments(make, 1, 0, life_is_end=flag)
        rows = [environments.step(torch.zeros(1, dtype=torch.int64)) for _ in range(4)]
        assert [row["terminated"].item() for row in rows] == [False, flag, flag, True]
        assert [row["ended"].item() for row in rows] == [False, False, False, True]
        assert len(environments.returns) == 1


def options() -> dict:
    quick = {name: getattr(QUICK, name) for name in ("double", "target_every", "replay_capacity", "num_environments")}
    frames = {f"frames.{name}": value for name, value in (("no_ops", 5), ("skip", 1), ("size", 36), ("stack", 2))}
    return {
        "form": "published", "optimizer": "adam", "optimizer_arguments": (), "learning_rate": 1e-3,
        "learning_starts": 100, "epsilon_steps": 500, "batch_size": 16, "threads": 1, "seed": 3,
        "evaluate_every": 12, "report_every": 12, "checkpoint_every": 10, "schedule": "constant", **quick, **frames,
    }  # fmt: skip


def test_what_is_saved_halfway_goes_on_to_the_same_bits_from_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.data.environments.frame_memory.SEGMENT_BYTES", 64 * 36 * 36)

    def run(steps: int, state: dict | None = None) -> dict:
        control = task("ganglion-test/Catch-v0", replace(QUICK, steps_ahead=2, learning_starts=80), batch_size=8)
        torch.manual_seed(0)
        rule = build(control.config)
        loader = control.loader(rule, 0)
        if state:
            rule.load_state_dict(state["rule"])
            loader.load_state_dict(state["loader"])
        for batch in itertools.islice(loader, steps):
            rule.step(batch)
        return {"rule": rule.state_dict(), "loader": loader.state_dict()}

    whole = run(40)
    path = checkpoint.save(tmp_path, 20, run(20))
    assert len(list((tmp_path / "segments").iterdir())) == 156 // 64 + 1
    assert checkpoint.digest(run(20, checkpoint.load(path))) == checkpoint.digest(whole)


@pytest.mark.full
def test_a_run_that_is_stopped_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    train = partial(ganglion.train, "dqn", "ganglion-test/Catch-v0", **options())
    train(out=tmp_path / "whole", steps=24)
    train(out=tmp_path / "parts", steps=12)
    ganglion.resume(tmp_path / "parts", steps=24)
    states = [checkpoint.load_newest(tmp_path / run / "checkpoints")[1] for run in ("whole", "parts")]
    for part in ("networks", "optimizers", "loader", "random"):
        assert checkpoint.digest(states[0][part]) == checkpoint.digest(states[1][part])


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> ganglion.Run:
    """A run of an agent that sees maps."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return ganglion.train("dqn", "ganglion-test/Maps-v0", out=out, steps=2, **options() | {"network": "minatar"})


def test_a_run_of_maps_plays_and_reports_where_it_looks(seeing: ganglion.Run) -> None:
    assert len(ask(seeing.task, seeing.network, "play", episodes=2, seed=0)) == 2
    assert (seeing.folder / "figures" / "looks.png").exists()


def test_where_an_agent_looks_is_drawn_from_the_command_line(
    seeing: ganglion.Run, tmp_path: Path, capsys: pytest.CaptureFixture, laid_out: None
) -> None:
    picture = tmp_path / "looks.png"
    assert main(["inspect", "saliency", str(seeing.folder), "--moments", "2", "--out", str(picture), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["moments"]) == 2 and np.array(found["moments"][0]["gradient"]).shape == (10, 10)
    with Image.open(picture) as drawn:
        assert min(drawn.size) > 300
    assert main(["inspect", "saliency", str(seeing.folder), "--moments", "0"]) == 2


def test_an_agent_that_sees_no_pictures_says_so() -> None:
    control = Control.prepare("CartPole-v1", TINY, DataSettings(batch_size=8), 0)
    with pytest.raises(UsageError, match="does not look at images"):
        control.looks(build(control.config).home, 4, 0)


@pytest.mark.full
@pytest.mark.skipif(importlib.util.find_spec("ale_py") is None, reason="needs the extra atari")
def test_pong_starts_saves_resumes_to_equal_bits_and_is_filmed(tmp_path: Path) -> None:
    few = {
        "learning_starts": 40, "replay_capacity": 2000, "batch_size": 8, "evaluate_every": 1000, "report_every": 5,
        "checkpoint_every": 5, "threads": 1, "num_environments": 2,
    }  # fmt: skip
    control = partial(ganglion.train, "dqn", "ALE/Pong-v5", **few)
    import ganglion.tasks.control as module

    brief = {"train": 1, "validation": 1, "test": 1}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "LONG_EPISODES", brief)
        patched.setattr(module, "LONGEST", 240)
        control(out=tmp_path / "whole", steps=10)
        run = control(out=tmp_path / "parts", steps=5)
        ganglion.resume(tmp_path / "parts", steps=10)
        rows = run.task.ask("play", run.network, module.Play(episodes=1, animation=tmp_path / "pong.gif"))
    states = [checkpoint.load_newest(tmp_path / name / "checkpoints")[1] for name in ("whole", "parts")]
    for part in ("networks", "optimizers", "loader"):
        assert checkpoint.digest(states[0][part]) == checkpoint.digest(states[1][part])
    film = rows.also[0].frames
    assert film.shape[1:] == (210, 160, 3) and 40 < len(film) <= 61
    assert isinstance(Image.fromarray(film[0]), Image.Image)
