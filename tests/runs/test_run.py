"""A run that is opened again."""

from pathlib import Path

import numpy as np
import pytest

from ganglion import figures
from ganglion.core import LearningRule, Phase
from ganglion.data.formats.arrays import from_arrays
from ganglion.runs import run as runs
from ganglion.runs.session import train


def test_a_rule_with_phases_is_judged_in_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    run = train("autoencoder", from_arrays(images, None, kind="image"), out=tmp_path / "run", steps=4, threads=1)
    told: list[str] = []
    build = runs.build

    def phased(*arguments: object) -> LearningRule:
        rule = build(*arguments)  # type: ignore[arg-type]
        rule.phases = (Phase(name="first"), Phase(name="last"))
        rule.begin = lambda phase: told.append(phase.name)  # type: ignore[method-assign]
        return rule

    monkeypatch.setattr(runs, "build", phased)
    judged = runs.open_run(run.folder).evaluate()
    assert told == ["last"]
    assert judged == pytest.approx(run.metrics)


@pytest.mark.parametrize(("epochs", "axis"), [((0.5, 1.0), "epoch"), ((50.0, 100.0), "step")])
def test_curves_of_a_run_without_epochs_are_along_steps(epochs: tuple[float, float], axis: str) -> None:
    log = [{"step": step, "epoch": epoch, "loss": 1.0} for step, epoch in zip((50, 100), epochs, strict=True)]
    assert figures.curves(log).axes[0].get_xlabel() == axis
