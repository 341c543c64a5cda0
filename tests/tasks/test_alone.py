"""An answer about one thing does not depend, bit for bit, on what else is asked with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganglion.runs.run import open_run

KEPT = Path(__file__).parents[1] / "fixtures" / "runs" / "format-1"
IMAGES = np.random.default_rng(0).integers(0, 256, (150, 8, 8, 1)).astype(np.uint8)
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
