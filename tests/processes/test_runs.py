"""Whole runs in several processes: the same bits, signals, deaths, and another number of processes."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.warm import WarmProcess

KILLED = int(signal.SIGKILL)
STEADY = {"steps": 6, "epochs": None, "optimizer": "sgd", "optimizer_arguments": (), "learning_rate": 0.01}
"""Short runs in which rounding does not grow."""


def test_slices_of_a_fixed_number_give_the_same_bits_in_1_2_and_4_processes(warm: WarmProcess, place: Path) -> None:
    arguments = (str(place), [1, 2, 4], "mlp", "iris", {"exact_world": 4, "dropout": 0.2, "batch_norm": True})
    outcome = warm.run("tests.processes.runs:alike", *arguments)
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


@pytest.mark.full
@pytest.mark.parametrize("step", range(1, 11))
@pytest.mark.parametrize("rank", [0, 1])
def test_every_death_is_recovered_from(warm: WarmProcess, place: Path, step: int, rank: int) -> None:
    whole = warm.run("tests.processes.runs:alike", str(place), [2], "mlp", "iris", {"epochs": 3})
    assert whole.status == 0, whole.errors
    outcome = warm.run("tests.processes.runs:dies", str(place / "killed"), "mlp", "iris", rank, step)
    assert outcome.status == 0, outcome.errors
    assert outcome.value["ends"][rank]["status"] == -KILLED
    assert outcome.value["ends"][1 - rank]["status"] == 1 and outcome.value["ends"][1 - rank]["seconds"] < 30
    assert {name: outcome.value[name] for name in whole.value[0]} == whole.value[0]


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
    assert outcome.value["apart"] < 1e-4, outcome.value
    assert {"manifest.json", "weights.safetensors"} <= set(outcome.value["files"])
