"""The benchmarks are run by hand; here they are at least what they import of the package."""

import json
import statistics
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks import exports, serving, sharing, streaming, tuning
from benchmarks.pages import results_in
from ganglion.models import INDEX
from ganglion.runs.export.proof import TOLERANCE
from ganglion.runs.tuning.trial import Assignment
from tests.processes import table


@pytest.mark.parametrize("side", ["acting", "ganglion", "outcome", "plain", "scikit"])
def test_a_side_can_be_imported(side: str) -> None:
    assert import_module(f"benchmarks.sides.{side}").__doc__


def test_a_trial_of_tuning_is_trained_without_a_run(tmp_path: Path) -> None:
    options = {"epochs": 2, "hidden_features": (4,), "threads": 1}
    outcome = tuning.bare(Assignment(system="mlp", data="iris", folder=str(tmp_path / "trial"), options=options))
    assert (outcome.state, len(outcome.reports)) == ("finished", 2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", [exports, serving, sharing, streaming, table, tuning], ids=lambda one: one.__name__)
def test_a_page_says_what_was_found(script: Any) -> None:
    assert script.PAGE.read_text(encoding="utf-8") == script.page()


def test_joining_requests_keeps_what_it_promises() -> None:
    found = json.loads(serving.RESULTS.read_text(encoding="utf-8"))
    joined, alone = ([one["per second"] for one in found["rounds"][side]] for side in ("joined", "alone"))
    assert statistics.median(joined) > serving.LIMITS["times"] * statistics.median(alone)
    spreads = [one["p99"] / one["p50"] for one in found["rounds"]["joined"]]
    assert statistics.median(spreads) < serving.LIMITS["p99 through p50"]
    assert not sum(one["wrong"] for one in found["rounds"]["joined"])
    held = [one["memory"] for one in found["overload"]]
    assert held[-1] < 1.1 * held[0] and not sum(one["failed"] for one in found["overload"])


def test_every_system_was_exported_and_proven() -> None:
    found = json.loads(exports.RESULTS.read_text(encoding="utf-8"))["systems"]
    assert set(found) == {system.name for system in INDEX}
    assert max(row["difference"] for row in found.values()) <= TOLERANCE


def test_ten_million_rows_are_streamed_in_less_than_a_gigabyte() -> None:
    assert results_in(streaming.RESULTS)["10000000"]["most_memory_mib"] < 1e9 / 2**20


def test_what_was_seen_of_several_processes_is_of_every_system() -> None:
    rows = table.rows_in(table.RESULTS)
    for size in (2, 4):
        of_size = {row["system"]: row for row in rows if row["kind"] == "gradients" and row["processes"] == size}
        assert set(of_size) == {system.name for system in INDEX}
        assert max(row[kind] for row in of_size.values() for kind in ("gradient", "measure", "statistic")) < 1e-6
    deaths = [row for row in rows if row["kind"] == "killed after a step"]
    assert len(deaths) == 20 and all(row["same"] for row in deaths)


def test_looking_for_good_settings_beats_chance() -> None:
    for name in tuning.TASKS:
        found = tuning.known(name)
        assert len(found) == len(tuning.HOW) * tuning.SEEDS
        sign = -1 if found["seed 0, proposed"]["higher"] else 1
        proposed, chance = (
            statistics.median(sign * found[f"seed {seed}, {how}"]["best"][-1] for seed in range(tuning.SEEDS))
            for how in tuning.HOW
        )
        assert proposed < chance, name
