"""The benchmarks are run by hand; here they are at least what they import of the package."""

import statistics
from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import tuning
from ganglion.runs.tuning.trial import Assignment


@pytest.mark.parametrize("side", ["acting", "ganglion", "outcome", "plain", "scikit"])
def test_a_side_can_be_imported(side: str) -> None:
    assert import_module(f"benchmarks.sides.{side}").__doc__


def test_a_trial_of_tuning_is_trained_without_a_run(tmp_path: Path) -> None:
    options = {"epochs": 2, "hidden_features": (4,), "threads": 1}
    outcome = tuning.bare(Assignment(system="mlp", data="iris", folder=str(tmp_path / "trial"), options=options))
    assert (outcome.state, len(outcome.reports)) == ("finished", 2)
    assert not list(tmp_path.iterdir())


def test_the_page_of_tuning_says_what_was_found_and_that_it_beats_chance() -> None:
    assert tuning.PAGE.read_text(encoding="utf-8") == tuning.page()
    for name in tuning.TASKS:
        found = tuning.known(name)
        assert len(found) == len(tuning.HOW) * tuning.SEEDS
        sign = -1 if found["seed 0, proposed"]["higher"] else 1
        proposed, chance = (
            statistics.median(sign * found[f"seed {seed}, {how}"]["best"][-1] for seed in range(tuning.SEEDS))
            for how in tuning.HOW
        )
        assert proposed < chance, name
