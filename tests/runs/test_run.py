"""A run that is opened again."""

from pathlib import Path

import numpy as np
import pytest

from ganglion import figures
from ganglion.core import LearningRule, Phase
from ganglion.data.formats.arrays import from_arrays
from ganglion.errors import DataError
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


def test_a_file_is_asked_about_as_the_flags_of_training_say(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.integers(1000, 9000, 40)[np.arange(120) % 40] / 1000
    lines = [f"{value:.3f};{-999 if n % 9 == 0 else n % 5};{'ab'[n % 2]}" for n, value in enumerate(values)]
    (tmp_path / "t.csv").write_text("size;age;kind\n" + "\n".join(lines) + "\n")
    flags = {"decimal": ",", "missing": ("-999",), "allow_problems": True}
    run = train("mlp", str(tmp_path / "t.csv"), out=tmp_path / "run", steps=2, threads=1, **flags)
    (tmp_path / "asked.csv").write_text("size;age\n1.234;-999\n5.678;3\n")
    said = [row["probability"] for row in runs.open_run(run.folder).predict(tmp_path / "asked.csv")]
    meant = run.predict(np.array([[1234.0, np.nan], [5678.0, 3.0]]))
    assert said == [row["probability"] for row in meant]


def test_a_series_is_asked_about_as_the_flags_of_training_say(tmp_path: Path) -> None:
    rows = "".join(f"{1 + n % 9}.{100 + n % 800}\n" for n in range(120))
    (tmp_path / "t.tsv").write_text("heat\n" + rows)
    run = train("lstm-forecaster", str(tmp_path / "t.tsv"), out=tmp_path / "run", steps=2, threads=1, decimal=",")
    values = [[float(row.replace(".", ""))] for row in rows.split()]
    assert run.predict(tmp_path / "t.tsv") == run.predict(values)


def test_a_question_has_no_flags_of_its_own_and_says_whose_they_are(tmp_path: Path) -> None:
    lines = [f"{n % 7}.5;{'ab'[n % 2]}" for n in range(60)]
    (tmp_path / "t.csv").write_text("size;kind\n" + "\n".join(lines) + "\n")
    run = train("mlp", str(tmp_path / "t.csv"), out=tmp_path / "run", steps=2, threads=1, allow_problems=True)
    (tmp_path / "asked.csv").write_text("size;kind\n1.234;a\n5.678;b\n")
    with pytest.raises(DataError, match="two ways") as caught:
        run.predict(tmp_path / "asked.csv")
    assert "train again: say which with --decimal" in caught.value.remedy


@pytest.mark.parametrize(("epochs", "axis"), [((0.5, 1.0), "epoch"), ((50.0, 100.0), "step")])
def test_curves_of_a_run_without_epochs_are_along_steps(epochs: tuple[float, float], axis: str) -> None:
    log = [{"step": step, "epoch": epoch, "loss": 1.0} for step, epoch in zip((50, 100), epochs, strict=True)]
    assert figures.curves(log).axes[0].get_xlabel() == axis
