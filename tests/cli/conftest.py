"""Running commands in this process, and small runs to ask questions of."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganglion.cli import main
from tests.cli.outcome import Command, Outcome


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command line in this process, on a terminal of 80 columns that is none."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: object) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


TINY = {
    "perceptron": ["--epochs", "2"],
    "lstm-forecaster": ["--steps", "2", "--hidden-features", "4", "--num-layers", "1", "--window", "10"],
    "denoiser": ["--steps", "2", "--batch-size", "4", "--depth", "3", "--channels", "4"],
    "gan": ["--steps", "2", "--limit", "64", "--generator-features", "8", "--discriminator-features", "8"],
    "dqn": ["--steps", "4", "--learning-starts", "32", "--hidden-features", "8", "--evaluate-every", "4"],
    "lenet5": ["--steps", "2", "--limit", "64", "--data", "digits"],
    "unet": ["--steps", "2", "--batch-size", "2", "--width", "2", "--depth", "1"],
}


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a tiny finished run of a system, trained when it is first asked for."""
    root = tmp_path_factory.mktemp("runs")

    def folder(name: str) -> Path:
        path = root / name
        if not path.exists():
            assert main(["train", name, *TINY[name], "--out", str(path), "--quiet", "--debug"]) == 0
        return path

    return folder
