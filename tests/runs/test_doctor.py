"""The doctor beside a real training: what it sees of a broken one, what it does, and that it disturbs nothing."""

from pathlib import Path
from typing import Any

import pytest

from ganglion.errors import CollapseError, UsageError
from ganglion.models.adversarial import gan
from ganglion.runs.doctor import check_up
from ganglion.runs.run import open_run
from ganglion.runs.session import train
from ganglion.runs.tuning.trial import Assignment, run_trial
from ganglion.settings import to_dict

SHORT: dict[str, Any] = {
    **{name: value for name, value in to_dict(gan.TINY).items() if value is not None and name != "in_channels"},
    "steps": 500,
    "batch_size": 32,
    "limit": 400,
    "sample_every": "off",
    "evaluate_every": 100,
}
COLLAPSING = {"discriminator_descent.learning_rate": 0.0, "generator_descent.learning_rate": 0.01}
"""A discriminator that never changes: the generator draws the one picture that pleases it most."""


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doctor") / "collapsed"
    train("gan", "digits", out=folder, **SHORT, **COLLAPSING)
    return folder


def test_a_collapse_is_found_with_the_run_and_told(collapsed: Path) -> None:
    found = {one.name: one for one in open_run(collapsed).findings}
    assert "collapse" in found and found["collapse"].since in (100, 200, 300)
    checkup = check_up(open_run(collapsed))
    assert checkup.verdict == "collapse" and len(checkup.looks) == 5
    assert checkup.samples is not None
    generated, real, noise = (checkup.samples.rows[name] for name in ("generated", "real", "noise"))
    assert real["frechet_distance"] < min(generated["frechet_distance"], noise["frechet_distance"])
    assert generated["recall"] < 0.2 < 0.8 < real["recall"]
    assert checkup.agreement is not None and checkup.agreement[0] == "frechet_distance"
    said = str(checkup)
    assert "collapse" in said and "--game.penalty" in said
    assert set(checkup.to_dict()) == {"verdict", "findings", "looks", "samples", "agreement"}


def test_it_stops_where_asked_to(tmp_path: Path) -> None:
    with pytest.raises(CollapseError, match="same thing"):
        train("gan", "digits", out=tmp_path / "run", **SHORT, **COLLAPSING, on_collapse="stop")


def test_a_trial_of_a_study_that_collapses_is_given_up(tmp_path: Path) -> None:
    options = {**SHORT, **COLLAPSING, "evaluate_every": 1000}
    outcome = run_trial(Assignment(system="gan", data="digits", folder=str(tmp_path / "trial"), options=options))
    assert (outcome.state, outcome.steps) == ("pruned", 300)
    assert "same thing" in outcome.reason


def test_it_rolls_back_with_a_lower_rate_and_gives_up_in_the_end(tmp_path: Path) -> None:
    with pytest.raises(CollapseError):
        train("gan", "digits", out=tmp_path / "run", **SHORT, **COLLAPSING, on_collapse="roll-back")
    log = (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")
    assert "learning rate divided by 2" in log and "learning rate divided by 32" in log


def test_runs_without_players_have_no_doctor(tmp_path: Path) -> None:
    train("perceptron", "exam-marks", out=tmp_path / "run", steps=5)
    with pytest.raises(UsageError, match="no generator"):
        check_up(open_run(tmp_path / "run"))
