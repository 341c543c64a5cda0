"""Pictures with quantities and with several labels: learnt by every network that tells what a picture shows."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, NonFiniteError
from ganglion.models import INDEX, find
from ganglion.models.convolutional import convnet, googlenet, lenet5, resnet
from ganglion.rules.descend import Descent
from ganglion.rules.losses import squared_error
from ganglion.settings import to_dict
from ganglion.tasks.classification import Classification
from ganglion.tasks.labelling import Labelling
from ganglion.tasks.regression import Regression

LOOKING = [
    system.name for system in INDEX if "classification" in system.tasks and hasattr(system.load().TINY, "image_size")
]
"""Systems that look at a picture as a whole."""
NAMES = ("radius", "across")


def discs(count: int, side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures `(count, side, side)` of a disc, and the radius in pixels and the place of each, `(count, 2)`."""
    random = np.random.default_rng(seed)
    radius, across, down = (random.uniform(low, high, (count, 1, 1)) for low, high in ((2, 5), (0, 1), (0, 1)))
    rows, columns = np.mgrid[:side, :side]
    x, y = (radius + place * (side - 1 - 2 * radius) for place in (across, down))
    distance = np.hypot(rows - y, columns - x)
    pictures = (255 * np.clip(radius + 0.5 - distance, 0, 1)).astype(np.uint8)
    return pictures, np.column_stack([radius.ravel(), x.ravel()]).astype(np.float32)


def measured(count: int, side: int) -> Dataset:
    pictures, values = discs(count, side)
    return Dataset.of(name="discs", kind="image", inputs=pictures, targets=values, target_names=NAMES)


def labelled(count: int, side: int) -> Dataset:
    pictures, values = discs(count, side)
    targets = np.column_stack([values[:, 0] > 3.5, values[:, 1] > side / 2])
    return Dataset.of(name="discs", kind="image", inputs=pictures, targets=targets, target_names=("large", "right"))


@pytest.mark.parametrize("name", LOOKING)
def test_every_network_that_looks_at_pictures_learns_quantities_and_labels(name: str) -> None:
    system = find(name)
    assert {"regression", "labelling"} <= set(system.tasks)
    module = system.load()
    side = module.TINY.image_size if isinstance(module.TINY.image_size, int) else 30
    tasks = (
        Regression.prepare(measured(24, side), module.TINY, DataSettings(batch_size=8), seed=0),
        Labelling.prepare(labelled(24, side), module.TINY, DataSettings(batch_size=8), seed=0),
    )
    for task in tasks:
        assert (task.config.num_classes, task.config.out_features) == (None, 2)
        torch.manual_seed(0)
        rule = module.build(task.config)
        loader = task.loader(rule, 0)
        before = [parameter.detach().clone() for parameter in rule.home.parameters()]
        losses = rule.step(next(iter(loader)))
        assert torch.isfinite(losses["loss"]) and losses["loss"] > 0
        assert any(not torch.equal(one, now) for one, now in zip(before, rule.home.parameters(), strict=True))
        found = task.evaluate(rule, "test")
        assert np.isfinite(list(found.values())).all() and set(task.baseline()) <= set(found)


def test_a_convnet_learns_a_radius_and_a_place_from_pictures_and_names_files(tmp_path: Path) -> None:
    pictures, values = discs(500, 24)
    lines = ["file,radius,across"]
    for number, (picture, (radius, across)) in enumerate(zip(pictures, values, strict=True)):
        Image.fromarray(picture).save(tmp_path / f"disc{number:03}.png")
        lines.append(f"disc{number:03}.png,{radius * 10 + 300:.3f},{across:.3f}")
    (tmp_path / "sizes.csv").write_text("\n".join(lines) + "\n")
    run = ganglion.train(
        "convnet", str(tmp_path), target="radius,across", epochs=15, seed=0, image_size=24, out=tmp_path / "run"
    )
    result = json.loads((run.folder / "result.json").read_text())
    assert run.metrics["r2"] > 0.95 > 0.1 > result["baseline"]
    assert {"predictions", "best", "worst", "filters"} <= {Path(figure).stem for figure in run.figures}
    (row,) = run.predict([str(tmp_path / "disc007.png")])
    assert row["radius"] == pytest.approx(10 * values[7, 0] + 300, abs=5) and "disc007.png" in str(row.values())
    assert row["across"] == pytest.approx(values[7, 1], abs=2)


def test_pictures_move_at_random_where_that_changes_no_answer() -> None:
    settings = DataSettings(augment="auto")
    assert Regression.settled(settings).augment == "none"
    assert Classification.settled(settings).augment == Labelling.settled(settings).augment == "shift"
    assert Regression.settled(DataSettings(augment="flip")).augment == "flip"


def test_steps_of_quantities_have_a_bound_where_the_user_sets_none() -> None:
    config = replace(resnet.TINY, descent=Descent(optimizer="sgd", learning_rate=0.1))
    task = Regression.prepare(measured(20, 8), config, DataSettings(), seed=0)
    assert task.config.descent.clip_norm == 1 and "--clip-norm" in task.notes[-1]
    own = replace(config, descent=replace(config.descent, clip_norm=3.0))
    assert Regression.prepare(measured(20, 8), own, DataSettings(), seed=0).config.descent.clip_norm == 3


def test_answers_that_are_no_numbers_are_told_of() -> None:
    task = Regression.prepare(measured(20, 8), resnet.TINY, DataSettings(), seed=0)
    rule = resnet.build(task.config)
    torch.nn.init.constant_(rule.home.output.weight, torch.inf)  # type: ignore[union-attr,arg-type]
    with pytest.raises(NonFiniteError, match="not finite") as caught:
        task.evaluate(rule, "test")
    assert "learning rate" in caught.value.remedy


def test_further_heads_learn_by_the_same_loss() -> None:
    config = replace(googlenet.TINY, num_classes=None, out_features=2, dropout=0.0, auxiliary_dropout=0.0)
    rule = googlenet.build(config)
    inputs, targets = torch.rand(5, 1, 8, 8), torch.randn(5, 2)
    network: Any = rule.home
    first, *further = network.heads(inputs)
    expected = squared_error(first, targets) + 0.3 * sum(squared_error(head, targets) for head in further)
    assert len(further) == 2
    torch.testing.assert_close(rule.step({"inputs": inputs, "targets": targets})["loss"], expected.detach())


@pytest.mark.parametrize(("task", "targets"), [(Regression, measured), (Labelling, labelled)])
def test_a_loss_that_does_not_fit_is_refused(task: Any, targets: Any) -> None:
    config = replace(convnet.TINY, loss="cross-entropy")
    with pytest.raises(ConfigurationError, match="are learnt by") as caught:
        task.prepare(targets(20, 18), config, DataSettings(), seed=0)
    assert "cross-entropy" in str(caught.value) and "--task" in str(caught.value)


def test_classes_keep_their_codes_and_values_have_none() -> None:
    assert "output.weight" not in dict(lenet5.build(lenet5.TINY).home.named_parameters())
    values = lenet5.build(replace(lenet5.TINY, num_classes=None, out_features=3)).home
    assert dict(values.named_parameters())["output.weight"].shape == (3, 84)
    assert "num_classes" in to_dict(lenet5.TINY)


def test_worst_pictures_stand_under_their_largest_error() -> None:
    task = Regression.prepare(measured(40, 18), convnet.TINY, DataSettings(batch_size=8), seed=0)
    truth = np.array([[3.0, 9.0]] * 8)
    said = truth + np.array([[0.1 * n, 0] for n in range(7)] + [[0, 80.0]])
    drawn = task._best_and_worst(truth, said)
    words = {name: [one.get_text() for one in figure.axes[0].texts] for name, figure in drawn.items()}
    assert words["worst"][1].splitlines() == ["across", "9 → 89"] and words["best"][1].splitlines() == [
        "radius",
        "3 → 3",
    ]
