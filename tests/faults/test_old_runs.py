"""Run folders of earlier formats stay usable: one small run of every system is kept, and never made again.

Each was stopped at step 20 of 40 after its checkpoint. `expected.json` holds the SHA-256 of its best weights and what
those scored on the test part then.
"""

import json
import math
import shutil
from pathlib import Path

import pytest

from ganglion.runs.run import open_run
from ganglion.runs.session import Session, prepare_resume
from ganglion.training import checkpoint

KEPT = Path(__file__).parents[1] / "fixtures" / "runs" / "format-1"
EXPECTED = json.loads((KEPT / "expected.json").read_text(encoding="utf-8"))
TOLERANCE = 2e-3
"""Relative: another processor rounds differently, and a sampler may then take another turn."""
DRAWN = {"log_likelihood", "frechet_distance", "density", "coverage"}
"""Measures of samples, which differ by more than rounding where random numbers are drawn otherwise."""


@pytest.mark.parametrize("name", EXPECTED)
def test_opens_and_gives_the_same_network(name: str, tmp_path: Path) -> None:
    run = open_run(shutil.copytree(KEPT / name, tmp_path / name))
    assert checkpoint.digest(run.network.state_dict()) == EXPECTED[name]["weights"]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_fitted_then_is_what_is_fitted_now(name: str) -> None:
    run = open_run(KEPT / name)
    assert run.task.preprocessing == run.prepared_task().preprocessing


@pytest.mark.parametrize("name", EXPECTED)
def test_evaluates_to_the_same_scores(name: str, tmp_path: Path) -> None:
    measured = open_run(shutil.copytree(KEPT / name, tmp_path / name)).evaluate("test")
    for measure, value in EXPECTED[name]["metrics"].items():
        if measure in measured and measure not in DRAWN:
            assert math.isclose(measured[measure], value, rel_tol=TOLERANCE, abs_tol=TOLERANCE), measure


@pytest.mark.parametrize("name", EXPECTED)
def test_resumes_to_its_end(name: str, tmp_path: Path) -> None:
    session = prepare_resume(shutil.copytree(KEPT / name, tmp_path / name))
    assert isinstance(session, Session) and session.trainer.iteration == 20
    session.trainer.fit()
    session.files.unlock()
    assert open_run(tmp_path / name).history[-1]["step"] == 40


SAID_LATER = {"data_settings": {"labels": "folders"}}
"""What every run said of settings that came later, and that have other defaults by now."""


@pytest.mark.parametrize("name", EXPECTED)
def test_settings_whose_default_has_changed_are_no_wishes_of_the_user(name: str, tmp_path: Path) -> None:
    path = shutil.copytree(KEPT / name, tmp_path / name) / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {part: config[part] | said for part, said in SAID_LATER.items()}))
    run = open_run(tmp_path / name)
    assert run.task.preprocessing == run.prepared_task().preprocessing


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] * (name != "lenet5")) for name in EXPECTED]
)
def test_writes_its_report(name: str, tmp_path: Path) -> None:
    session = prepare_resume(shutil.copytree(KEPT / name, tmp_path / name))
    assert isinstance(session, Session)
    assert math.isfinite(session.fit().result["score"])
    assert (tmp_path / name / "report.html").exists()
