"""The points task: rows drawn like those of a table, their numbers, and what is shown of one, two and more columns."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.models.adversarial import gan, wgan
from ganglion.tasks.points import Points
from tests.tasks.asking import ask


def table(columns: int, rows: int = 120) -> Dataset:
    inputs = np.random.default_rng(0).normal(5, 2, (rows, columns)).astype(np.float32)
    names = tuple("abcdef"[:columns])
    return Dataset.of(name="table", kind="tabular", inputs=inputs, column_names=names, source="table")


def prepared(data: Dataset, system: object = gan) -> Points:
    return Points.prepare(data, system.TINY, DataSettings(batch_size=16), seed=0)  # type: ignore[attr-defined]


class Drawer:
    """A system whose network draws from given rows: which one, the noise decides."""

    def __init__(self, rows: np.ndarray) -> None:
        self.home = torch.nn.Module()
        self.home.rows = torch.nn.Parameter(torch.from_numpy(rows))
        self.home.forward = lambda latent: self.home.rows[  # type: ignore[method-assign]
            (torch.special.ndtr(latent[:, 0]) * len(rows)).long().clamp(max=len(rows) - 1)
        ]


def test_scores_order_a_perfect_a_collapsed_and_a_trivial_generator() -> None:
    task = prepared(generate("8-gaussians"))
    training = task._some("train")
    perfect, collapsed = (task.evaluate(Drawer(rows), "test") for rows in (training, training[:1]))  # type: ignore[arg-type]
    trivial = task.baseline()
    assert perfect["modes"] == 8 and perfect["quality"] > 0.97
    assert collapsed["modes"] == 1 and collapsed["coverage"] < 0.1
    assert perfect["sliced_wasserstein"] < 0.06 < trivial["sliced_wasserstein"] < collapsed["sliced_wasserstein"]
    assert trivial["quality"] < 0.1


@pytest.mark.parametrize("system", [gan, wgan])
@pytest.mark.parametrize(("columns", "drawn"), [(1, "densities"), (2, "points"), (3, "points")])
def test_rows_of_any_width_are_learnt_drawn_and_shown(system: object, columns: int, drawn: str) -> None:
    task = prepared(table(columns), system)
    rule = system.build(task.config)  # type: ignore[attr-defined]
    rule.step(next(iter(task.loader(rule, seed=0))))
    shown = task.figures(rule)
    assert set(shown) == {drawn} and all(isinstance(one, Figure) for one in shown.values())
    sheet = task.sheet(rule.home)
    assert (sheet is None) == (columns == 1) and (sheet is None or sheet.shape == (320, 320, 3))
    assert set(task.evaluate(rule)) == {"sliced_wasserstein", "frechet_distance", "density", "coverage"}
    restored = Points.restore(task.state(), task.config)
    rows = ask(restored, rule.home, "generate", count=4, seed=1)
    assert [set(row) for row in rows] == [{"sample", *"abc"[:columns]}] * 4
    assert abs(np.mean([row["a"] for row in rows]) - 5) < 8  # in the units of the table


def test_which_rows_are_drawn_does_not_depend_on_how_many() -> None:
    task = prepared(table(2))
    home = gan.build(task.config).home
    assert ask(task, home, "generate", count=2) == ask(task, home, "generate", count=5)[:2]


def test_rows_are_advised_of_the_form_for_points_and_images_refused(tmp_path: Path) -> None:
    assert any("--form points" in note for note in prepared(table(2)).notes)
    settings = DataSettings(batch_size=16)
    assert not any("--form" in note for note in Points.prepare(table(2), wgan.TINY, settings, 0).notes)
    with pytest.raises(DataError, match="not for points"):
        Points.prepare("digits", gan.TINY, settings, 0)
