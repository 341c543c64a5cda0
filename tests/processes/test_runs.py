"""Whole runs in several processes: the same bits, signals, deaths, and another number of processes."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.processes.conftest import Record
from tests.warm import WarmProcess

KILLED = int(signal.SIGKILL)
STEADY = {"steps": 6, "epochs": None, "optimizer": "sgd", "optimizer_arguments": (), "learning_rate": 0.01}
"""Short runs in which rounding does not grow."""
AGENT = {"epochs": None, "steps": 8, "batch_size": 8, "learning_starts": 40, "train_every": 4, "num_environments": 2}


def test_slices_of_a_fixed_number_give_the_same_bits_in_1_2_and_4_processes(warm: WarmProcess, place: Path) -> None:
    arguments = (str(place), [1, 2, 4], "mlp", "iris", {"exact_world": 4, "dropout": 0.2, "batch_norm": True})
    outcome = warm.run("tests.processes.runs:alike", *arguments)
    assert outcome.status == 0, outcome.errors
    one, two, four = outcome.value
    assert one == two == four


@pytest.mark.full
@pytest.mark.parametrize("system", ["resnet", "elman-tagger", "char-rnn", "gan", "vae", "rbm", "dqn"])
def test_slices_of_a_fixed_number_give_the_same_bits_for_rules_of_every_kind(
    warm: WarmProcess, place: Path, system: str
) -> None:
    options = {"exact_world": 4, "epochs": None, "steps": 4, **(AGENT if system == "dqn" else {})}
    outcome = warm.run("tests.processes.runs:alike", str(place), [1, 2, 4], system, None, options)
    assert outcome.status == 0, outcome.errors
    one, two, four = outcome.value
    assert one == two == four


def test_a_killed_run_goes_on_in_another_number_of_processes(warm: WarmProcess, place: Path) -> None:
    whole = warm.run("tests.processes.runs:alike", str(place), [1], "mlp", "iris", {"exact_world": 2})
    assert whole.status == 0, whole.errors
    arguments = (str(place / "killed"), "mlp", "iris", {"exact_world": 2}, 3, KILLED, [2, 1])
    outcome = warm.run("tests.processes.runs:killed_and_resumed", *arguments)
    assert outcome.status == 0, outcome.errors
    first, second = outcome.value["ends"]
    assert second["status"] == -KILLED
    assert first["status"] == 1 and "has ended" in first["errors"] and first["seconds"] < 30, first
    assert outcome.value["left"] == ["step-000002"]
    assert {name: outcome.value[name] for name in whole.value[0]} == whole.value[0]


def test_a_signal_to_one_process_stops_all_with_a_checkpoint(warm: WarmProcess, place: Path) -> None:
    arguments = (str(place / "run"), "mlp", "iris", {}, 3, int(signal.SIGTERM), [2, 2])
    outcome = warm.run("tests.processes.runs:killed_and_resumed", *arguments)
    assert outcome.status == 0, outcome.errors
    assert [one["status"] for one in outcome.value["ends"]] == [128 + signal.SIGTERM] * 2, outcome.value["ends"]
    assert outcome.value["left"][0] == "step-000003"
    assert [one["status"] for one in outcome.value["later"]] == [0, 0], outcome.value["later"]


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("CartPole-v1", {"priority": 0.6, "hidden_features": [8]}),
        pytest.param("tests.games:ganglion-test/Maps-v0", {"network": "minatar"}, marks=pytest.mark.full, id="maps"),
    ],
)
def test_an_agent_that_is_killed_goes_on_with_its_memory(
    warm: WarmProcess, seen: Record, place: Path, data: str, options: dict[str, Any]
) -> None:
    options = AGENT | options
    whole = warm.run("tests.processes.runs:alike", str(place), [2], "dqn", data, options)
    assert whole.status == 0, whole.errors
    arguments = (str(place / "killed"), "dqn", data, options, 5, KILLED, [2, 2])
    outcome = warm.run("tests.processes.runs:killed_and_resumed", *arguments)
    assert outcome.status == 0, outcome.errors
    other, killed = outcome.value["ends"]
    assert (other["status"], killed["status"]) == (1, -KILLED), outcome.value["ends"]
    assert outcome.value["left"] == ["step-000004", "step-000002"]
    assert [one["status"] for one in outcome.value["later"]] == [0, 0], outcome.value["later"]
    same = {name: outcome.value[name] for name in whole.value[0]} == whole.value[0]
    seen("killed while an agent plays", data=data, seconds=other["seconds"] - killed["seconds"], same=same)
    assert same


@pytest.mark.full
@pytest.mark.parametrize("step", range(1, 11))
@pytest.mark.parametrize("rank", [0, 1])
def test_every_death_is_recovered_from(warm: WarmProcess, seen: Record, place: Path, step: int, rank: int) -> None:
    whole = warm.run("tests.processes.runs:alike", str(place), [2], "mlp", "iris", {"epochs": 3})
    assert whole.status == 0, whole.errors
    outcome = warm.run("tests.processes.runs:dies", str(place / "killed"), "mlp", "iris", rank, step)
    assert outcome.status == 0, outcome.errors
    killed, other = outcome.value["ends"][rank], outcome.value["ends"][1 - rank]
    assert killed["status"] == -KILLED
    assert other["status"] == 1 and other["seconds"] < 30
    same = {name: outcome.value[name] for name in whole.value[0]} == whole.value[0]
    seen("killed after a step", rank=rank, step=step, seconds=other["seconds"] - killed["seconds"], same=same)
    assert same


@pytest.mark.full
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_hangs_is_given_up(warm: WarmProcess, seen: Record, place: Path, rank: int) -> None:
    whole = warm.run("tests.processes.runs:alike", str(place), [2], "mlp", "iris", {"epochs": 3})
    assert whole.status == 0, whole.errors
    arguments = (str(place / "hung"), "mlp", "iris", rank, 4, int(signal.SIGSTOP), 40.0)
    outcome = warm.run("tests.processes.runs:dies", *arguments)
    assert outcome.status == 0, outcome.errors
    hung, other = outcome.value["ends"][rank], outcome.value["ends"][1 - rank]
    assert hung["status"] == -KILLED  # by us, long after the other one has ended
    assert other["status"] == 1 and "has not answered" in other["errors"] and other["seconds"] < 30, other
    same = {name: outcome.value[name] for name in whole.value[0]} == whole.value[0]
    seen("halted after a step", rank=rank, seconds=other["seconds"], same=same)
    assert same


@pytest.mark.full
@pytest.mark.parametrize(
    ("system", "data", "options"),
    [
        ("resnet", "digits", STEADY),
        ("elman-tagger", "tagged-sentences", {**STEADY, "dropout": 0.0}),
    ],
)
def test_spread_weights_learn_as_whole_ones(
    warm: WarmProcess, place: Path, system: str, data: str, options: dict[str, Any]
) -> None:
    outcome = warm.run("tests.processes.runs:spread", str(place), system, data, options, 3)
    assert outcome.status == 0, outcome.errors
    assert outcome.value["ends"][0]["status"] == 1, outcome.value["ends"]
    assert [one["status"] for one in outcome.value["later"]] == [0, 0], outcome.value["later"]
    assert outcome.value["apart"] < 1e-6, outcome.value
    assert {"manifest.json", "weights.safetensors"} <= set(outcome.value["files"])
