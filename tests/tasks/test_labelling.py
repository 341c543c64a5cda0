"""Several labels a sample: read in every form, learnt, measured against scikit-learn and by hand, asked about."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, GanglionError
from ganglion.models import INDEX, find
from ganglion.rules.losses import accuracy, binary_cross_entropy, cross_entropy
from ganglion.tasks.labelling import _measured

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(400, 4))
HELD = np.stack([X[:, 0] > 0, X[:, 1] > 0.3, X[:, 0] + X[:, 2] > 0.5], axis=1)
NAMES = ("comedy", "drama", "short")


def table(path: Path, cells: Any, head: str) -> Path:
    numbers = (",".join(f"{value:.4f}" for value in row) for row in X)
    path.write_text(f"a,b,c,d,{head}\n" + "".join(f"{row},{cell}\n" for row, cell in zip(numbers, cells, strict=True)))
    return path


def joined(sign: str) -> list[str]:
    return [sign.join(name for name, holds in zip(NAMES, row, strict=True) if holds) or "none" for row in HELD]


def test_several_columns_of_a_table(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [",".join(str(int(holds)) for holds in row) for row in HELD], ",".join(NAMES))
    data = read(path, DataSettings(target="comedy, drama, short"))
    assert data.fields["targets"].kind == "labels" and data.target_names == NAMES
    assert (data.targets == HELD).all() and data.column_names == ("a", "b", "c", "d")
    values = read(path, DataSettings(target="comedy,drama,short", task="regression"))
    assert values.fields["targets"].kind == "values" and values.target_names == NAMES
    with pytest.raises(GanglionError, match="unknown column"):
        read(path, DataSettings(target="comedy,dramma"))


def test_truth_values_in_columns(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", [",".join(map(str, row)) for row in HELD.tolist()], ",".join(NAMES))
    assert (read(path, DataSettings(target="comedy,drama,short")).targets == HELD).all()


@pytest.mark.parametrize("sign", ["|", ";", " | "])
def test_labels_that_share_a_cell(tmp_path: Path, sign: str) -> None:
    data = read(table(tmp_path / "t.csv", joined(sign), "genres"), DataSettings())
    assert data.target_names == (*NAMES[:2], "none", "short")
    targets = np.asarray(data.targets)
    assert (targets[:, [0, 1, 3]] == HELD).all() and (targets[:, 2] == ~HELD.any(axis=1)).all()
    assert any("4 labels, of which any number may hold" in note for note in data.notes)
    together = read(tmp_path / "t.csv", DataSettings(task="classification"))
    assert len(together.label_names) == 8


def test_names_with_a_bar_that_never_recur_in_parts_stay_classes(tmp_path: Path) -> None:
    cells = ["north|7" if n % 2 else "south" for n in range(400)]
    cells[5] = "south|8"
    assert read(table(tmp_path / "t.csv", cells, "place"), DataSettings()).label_names == (
        "north|7",
        "south",
        "south|8",
    )


def test_a_test_part_is_cut_where_the_training_part_is(tmp_path: Path) -> None:
    """Of samples that happen to have one label each, a semicolon within a label parts nothing."""
    kinds = ("comedy; black", "drama", "war")
    table(tmp_path / "train.csv", ["|".join(kinds[k] for k in {n % 3, n // 3 % 3}) for n in range(400)], "genres")
    table(tmp_path / "test.csv", [kinds[n % 3] for n in range(400)], "genres")
    data = read(tmp_path, DataSettings())
    assert data.target_names == kinds
    np.testing.assert_array_equal(data.test_fields["targets"].values, np.eye(3)[np.arange(400) % 3])


def test_a_column_that_is_false_everywhere_is_a_label(tmp_path: Path) -> None:
    lines = [f"{n / 7:.3f},{n % 2 == 0},False" for n in range(60)]
    (tmp_path / "t.csv").write_text("x,wet,dry\n" + "\n".join(lines) + "\n")
    targets = read(tmp_path / "t.csv", DataSettings(target="wet,dry")).fields["targets"]
    assert targets.kind == "labels" and targets.values.sum(axis=0).tolist() == [30, 0]


def test_arrays_and_one_rule_for_all(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=X, y=HELD.astype(np.float32))
    assert read(tmp_path / "t.npz", DataSettings()).fields["targets"].kind == "labels"
    np.savez(tmp_path / "hot.npz", x=X, y=np.eye(3)[RANDOM.integers(0, 3, 400)])
    assert read(tmp_path / "hot.npz", DataSettings()).fields["targets"].kind == "classes"


def test_measures_by_hand() -> None:
    truth = np.array([[1, 0], [1, 1], [0, 0]], dtype=bool)
    likely = np.array([[0.9, 0.6], [0.8, 0.7], [0.1, 0.2]])
    found = _measured(truth, likely)  # said: 2 of 2 right, 1 of 2; one too many
    assert found["f1"] == pytest.approx(2 * 3 / (4 + 3))
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["exact"] == pytest.approx(2 / 3) and found["average_precision"] == pytest.approx(1.0)


def test_the_loss_takes_each_label_by_itself() -> None:
    outputs, targets = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.tensor([[True, False], [True, True]])
    expected = torch.nn.functional.binary_cross_entropy(outputs.sigmoid(), targets.float())
    torch.testing.assert_close(cross_entropy(outputs, targets), expected)
    torch.testing.assert_close(cross_entropy(outputs, targets), binary_cross_entropy(outputs, targets))
    assert accuracy(outputs, ~targets).item() == 0


def test_a_table_is_learnt_and_asked_about(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", joined("|"), "genres")
    run = ganglion.train("mlp", data=str(path), epochs=20, seed=0, out=tmp_path / "run")
    assert run.metrics["f1"] > 0.9 and run.metrics["exact"] > 0.7
    assert run.metrics["average_precision"] > 0.95
    rows = run.predict(str(path))
    said = np.array([[name in row["labels"].split("|") for name in NAMES] for row in rows])
    assert (said == HELD).mean() > 0.93
    assert all((row[name] >= 0.5) == (name in row["labels"].split("|")) for row in rows[:50] for name in NAMES)
    inputs = np.random.default_rng(1).normal(size=(50, run.config.in_features)).astype(np.float32)
    assert [run.predict(one[None])[0] for one in inputs] == run.predict(inputs)  # to the bit


def test_pictures_are_learnt(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)  # of its own, whatever tests ran before
    held = draw.integers(0, 2, (160, 2)).astype(bool)
    lines = ["file,bar,post"]
    for number, (bar, post) in enumerate(held.tolist()):
        picture = draw.integers(0, 40, (20, 20), dtype=np.uint8)
        picture[4:7, 2:18] = np.maximum(picture[4:7, 2:18], 200 * bar)
        picture[2:18, 9:12] = np.maximum(picture[2:18, 9:12], 200 * post)
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{int(bar)},{int(post)}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    run = ganglion.train("convnet", data=str(tmp_path), epochs=24, augment="none", seed=0, out=tmp_path / "run")
    assert run.metrics["f1"] > 0.9


OFFERED = [system.name for system in INDEX if "labelling" in system.tasks]
QUICK = ("mlp", "resnet")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.full) for name in OFFERED]
)
def test_every_system_that_offers_it_trains_goes_on_evaluates_and_answers(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    held = random.integers(0, 2, (96, 2)).astype(bool)
    pictures = random.integers(0, 40, (96, 20, 20), dtype=np.uint8)
    pictures[:, 4:7] += (200 * held[:, :1, None]).astype(np.uint8)
    pictures[:, :, 9:12] //= np.where(held[:, 1:, None], 1, 40).astype(np.uint8)
    np.savez(tmp_path / "bars.npz", x=pictures, y=held)
    tiny = vars(find(name).load().TINY)
    decided = ("num_classes", "in_channels", "in_features", "out_features", "image_size", "descent", "loss")
    options = {field: value for field, value in tiny.items() if field not in decided and value is not None}
    options |= {"learning_rate": tiny["descent"].learning_rate, "schedule": "constant", "seed": 0, "batch_size": 16}
    options["validation"] = 0  # the last weights are the best ones, however often it was looked
    begun = ganglion.train(name, str(tmp_path / "bars.npz"), steps=4, out=tmp_path / "begun", **options)
    gone_on, whole = (
        ganglion.resume(begun.folder, steps=8),
        ganglion.train(name, str(tmp_path / "bars.npz"), steps=8, out=tmp_path / "whole", **options),
    )
    measured = gone_on.evaluate("test")
    assert {"f1", "loss", "macro_f1", "average_precision", "exact"} <= set(measured)
    assert measured == whole.evaluate("test") and np.isfinite(list(measured.values())).all()
    rows = gone_on.predict(pictures)
    assert rows == whole.predict(pictures) and len(rows) == 96
    names = [key for key in rows[0] if isinstance(rows[0][key], float)]
    assert len(names) == 2
    assert all((row[label] >= 0.5) == (label in row["labels"].split("|")) for row in rows for label in names)


def test_another_loss_and_systems_without_labels_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=X, y=HELD)
    with pytest.raises(ConfigurationError, match="binary cross-entropy"):
        ganglion.train("mlp", data=str(tmp_path / "t.npz"), loss="squared-error", steps=1, out=tmp_path / "run")
    with pytest.raises(DataError, match="needs values"):
        ganglion.train("approximator", data=str(tmp_path / "t.npz"), steps=1, out=tmp_path / "run")
