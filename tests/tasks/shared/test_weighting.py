"""Samples and classes that count more or less in the loss: from every reader, in every task, or refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, GanglionError
from ganglion.runs import session
from ganglion.tasks.shared.prepared import Prepared

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(90, 2))
KINDS = np.array(["rare", "often", "often"])[np.arange(90) % 3]
WEIGHTS = np.round(RANDOM.random(90) * 3, 2)
CHOSEN = {"inputs": "inputs", "targets": "targets"}


def table(folder: Path) -> Path:
    lines = [f"{a},{weight},{b},{kind}" for (a, b), weight, kind in zip(ROWS, WEIGHTS, KINDS, strict=True)]
    (folder / "t.csv").write_text("a,size,b,kind\n" + "\n".join(lines) + "\n")
    return folder / "t.csv"


def weights_of(dataset: Dataset, **settings: Any) -> np.ndarray:
    """Return the weights of the samples, by their places in the data set."""
    data = Prepared.of(dataset, CHOSEN, None, DataSettings(batch_size="all", **settings), seed=0)
    (batch,) = data.loader(0)
    found = np.full(len(dataset), np.nan)
    found[batch["index"].numpy()] = batch["weights"].numpy()
    assert "weights" not in next(iter(data.batches("validation")))
    return found


def test_a_column_weighs_the_rows_that_it_stands_in_and_is_not_learnt_from(tmp_path: Path) -> None:
    dataset = read(table(tmp_path), DataSettings(weights="size"))
    assert dataset.column_names == ("a", "b")
    found = weights_of(dataset, weights="size")
    trained = np.isfinite(found)
    np.testing.assert_allclose(found[trained], WEIGHTS[trained] / WEIGHTS[trained].mean(), rtol=1e-6)


def test_other_weights_are_other_data(tmp_path: Path) -> None:
    path = table(tmp_path)
    first = read(path, DataSettings(weights="size")).fingerprint
    path.write_text(path.read_text().replace(f",{WEIGHTS[0]},", ",9,", 1))
    assert read(path, DataSettings(weights="size")).fingerprint != first


def test_array_files_and_texts_have_weights_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=ROWS, y=KINDS, size=WEIGHTS)
    from_arrays = read(tmp_path / "a.npz", DataSettings(weights="size"))
    np.testing.assert_array_equal(from_arrays.fields["weights"].values, WEIGHTS)
    rows = [{"text": f"word {n}", "label": KINDS[n], "size": WEIGHTS[n]} for n in range(len(KINDS))]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "t.jsonl").write_text("\n".join([*lines, '{"text": "", "label": "often", "size": 1}']))
    texts = read(tmp_path / "t.jsonl", DataSettings(weights="size"), "documents")
    np.testing.assert_array_equal(texts.fields["weights"].values, WEIGHTS)


def test_balanced_classes_are_those_of_scikit_learn(tmp_path: Path) -> None:
    found = weights_of(read(table(tmp_path), DataSettings(drop=("size",))), class_weight=("balanced",))
    trained = np.isfinite(found)
    said = dict(
        zip(
            ["often", "rare"],
            compute_class_weight("balanced", classes=np.array(["often", "rare"]), y=KINDS[trained]),
            strict=True,
        )
    )
    expected = np.array([said[kind] for kind in KINDS[trained]])
    np.testing.assert_allclose(found[trained], expected / expected.mean(), rtol=1e-6)


def test_named_classes_multiply_the_weights_of_their_samples(tmp_path: Path) -> None:
    found = weights_of(read(table(tmp_path), DataSettings(weights="size")), weights="size", class_weight=("rare=4",))
    trained = np.isfinite(found)
    expected = (WEIGHTS * np.where(KINDS == "rare", 4, 1))[trained]
    np.testing.assert_allclose(found[trained], expected / expected.mean(), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"weights": "kind", "target": "a"}, DataError, "cannot be weights"),
        ({"weights": "a"}, DataError, "cannot be weights"),  # some are negative
        ({"weights": "sise"}, GanglionError, "did you mean 'size'"),
        ({"class_weight": ("rare=-1",)}, ConfigurationError, "no weight of a class"),
        ({"class_weight": ("rare",)}, ConfigurationError, "no weight of a class"),
        ({"class_weight": ("rear=2",)}, ConfigurationError, "did you mean 'rare'"),
        ({"class_weight": ("balanced",), "target": "a"}, DataError, "only classes can be weighted"),
    ],
)
def test_what_cannot_weigh_is_refused(
    tmp_path: Path, settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        session.prepare("mlp", table(tmp_path), out=tmp_path / "run", epochs=1, **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["lstm-forecaster", "autoencoder", "char-rnn", "elman-tagger"])
def test_systems_without_classes_or_values_refuse_weights(name: str, tmp_path: Path) -> None:
    with pytest.raises(GanglionError, match="only samples with a class or with values"):
        session.prepare(name, out=tmp_path / "run", weights="size")


def test_a_run_with_weights_keeps_them_and_finds_the_rare_class(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    kinds = np.where(np.arange(600) % 12 == 0, "rare", "often")
    rows = random.normal(size=(600, 2)) + np.where(kinds == "rare", 1.2, 0.0)[:, None]
    found = {}
    for weight in ("none", "balanced"):
        settings = {"epochs": 15, "class_weight": (weight,), "threads": 1, "learning_rate": 0.01}
        run = session.train("mlp", (rows, kinds), out=tmp_path / weight, **settings)
        answers = [row["label"] for row in run.predict(rows)]
        found[weight] = np.mean(np.array(answers)[kinds == "rare"] == "rare")
        assert json.loads((tmp_path / weight / "config.json").read_text())["data_settings"]["class_weight"] == [weight]
    assert found["balanced"] > found["none"] + 0.3
