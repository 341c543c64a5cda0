"""An answer about one thing does not depend, bit for bit, on what else is asked with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.data.sources.generators import generate
from ganglion.runs.run import Run, open_run
from ganglion.runs.session import train
from ganglion.tasks.shared import evaluation

KEPT = Path(__file__).parents[1] / "fixtures" / "runs" / "format-1"
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (150, 8, 8, 1)).astype(np.uint8)
TEXTS = [" ".join(["good", "bad", "film", "the", "."][: 1 + number % 5] * (1 + number // 5)) for number in range(40)]


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("mlp", IMAGES[:, 0, :2, 0].astype(np.float32)),
        *((name, IMAGES) for name in ("lenet5", "convnet", "autoencoder", "rbm")),
        *((name, TEXTS) for name in ("sentiment", "elman-tagger", "jordan", "char-rnn")),
    ],
)
def test_predictions(name: str, inputs: Any) -> None:
    run = open_run(KEPT / name)
    together = run.predict(inputs)
    for place in (0, 7, len(inputs) - 1):
        assert run.predict(inputs[place : place + 1]) == together[place : place + 1]
    assert run.predict(inputs[3:5]) == together[3:5]


@pytest.mark.parametrize("name", ["gan", "dcgan", "rbm", "autoencoder"])
def test_drawings(name: str) -> None:
    run = open_run(KEPT / name)
    assert np.array_equal(run.generate(3, seed=5), run.generate(70, seed=5)[:3])


def test_episodes() -> None:
    run = open_run(KEPT / "dqn")
    assert run.play(1) == run.play(4)[:1]


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("mlp", "diabetes", steps=3, out=tmp_path_factory.mktemp("runs") / "regression")


@pytest.fixture(scope="module")
def denoising(tmp_path_factory: pytest.TempPathFactory) -> Run:
    small: dict[str, Any] = {"steps": 2, "limit": 10, "batch_size": 4}
    return train("denoiser", "photographs", out=tmp_path_factory.mktemp("runs") / "denoising", **small)


def test_values(regression: Run) -> None:
    rows = np.random.default_rng(0).normal(size=(140, 10)).astype(np.float32)
    together = regression.predict(rows)
    assert [regression.predict(rows[place : place + 1])[0] for place in (0, 5, 139)] == [
        together[place] for place in (0, 5, 139)
    ]
    assert regression.predict(rows[3:5]) == together[3:5]


def test_pictures(denoising: Run) -> None:
    pictures = [RANDOM.integers(0, 256, size, dtype=np.uint8) for size in ((40, 30, 3), (64, 64, 3), (9, 50, 3))]
    together = denoising.predict(pictures)
    for place, picture in enumerate(pictures):
        assert np.array_equal(denoising.predict([picture])[0], together[place])
    assert all(map(np.array_equal, denoising.predict(pictures[1:]), together[1:]))


def test_forecasts() -> None:
    run = open_run(KEPT / "lstm-forecaster")
    series = np.asarray(generate("sine", count=200).main.values)
    window, together = run.config.window, run.predict(series)
    for place in (0, 1, 150):  # the row after so many
        (*_, alone) = run.predict(series[place : place + window])
        assert alone["predicted"] == together[place]["predicted"]
    *_, first, second = run.predict(series[: window + 1])
    assert [first["predicted"], second["predicted"]] == [row["predicted"] for row in together[:2]]
    assert run.forecast(3) == run.forecast(9)[:3]


def _in_portions(in_blocks: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Ask for one sample, for two, and for all others."""

    def ask(call: Any, inputs: Tensor, size: int, device: torch.device, places: Tensor | None = None) -> Tensor:
        asked = torch.arange(len(inputs)) if places is None else places
        portions = [part for part in (asked[:1], asked[1:3], asked[3:]) if len(part)]
        return torch.cat([in_blocks(call, inputs, size, device, part) for part in portions])

    return ask


JUDGED = ["mlp", "lenet5", "autoencoder", "gan", "rbm", "sentiment", "elman-tagger", "lstm-forecaster"]


@pytest.mark.parametrize("name", [*JUDGED, "regression", "denoising"])
def test_judgements(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    run: Run = open_run(KEPT / name) if name in JUDGED else request.getfixturevalue(name)
    whole = run.evaluate("test")
    monkeypatch.setattr(evaluation, "in_blocks", _in_portions(evaluation.in_blocks))
    assert run.evaluate("test") == whole
