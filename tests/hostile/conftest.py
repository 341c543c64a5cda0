"""Tiny finished runs to ask, and to damage."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ganglion

TINY = {
    "mlp": {"data": "iris", "hidden_features": (4,), "epochs": 1},
    "lenet5": {"data": "digits", "steps": 2, "limit": 64},
    "lstm-forecaster": {"data": "sine", "steps": 2, "hidden_features": 4, "num_layers": 1, "window": 10},
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a tiny finished run of a system, trained when it is first asked for."""
    root = tmp_path_factory.mktemp("runs")

    def folder(name: str) -> Path:
        if not (root / name).exists():
            ganglion.train(name, out=root / name, **TINY[name])
        return root / name

    return folder
