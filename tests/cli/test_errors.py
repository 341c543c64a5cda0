"""Wrong usage: one clear error, the right exit code, no traceback."""

from pathlib import Path

import pytest

import ganglion.cli
from ganglion.cli import main
from tests.cli.outcome import Command

WRONG = [
    (["trian"], "did you mean 'train'"),
    (["lenet5"], "ganglion train lenet5"),
    (["train", "lnet5"], "did you mean 'lenet5'"),
    (["info", "lstm-forecast"], "did you mean 'lstm-forecaster'"),
    (["train", "--epochs", "3"], "name the system"),
    (["train", "mlp", "--epoch", "3"], "--epochs"),
    (["train", "mlp", "epoch=3"], "--epochs"),
    (["train", "mlp", "--epochs", "three"], "three"),
    (["train", "mlp", "--epochs", "0"], "epochs must be at least 1"),
    (["train", "mlp", "--epochs", "1", "--steps", "1"], "epochs, steps or minutes"),
    (["train", "mlp", "--activation", "rellu"], "rellu"),
    (["train", "mlp", "--data", "digit"], "did you mean 'digits'"),
    (["list", "--jsn"], "--json"),
    (["runs"], "list"),
    (["runs", "lst"], "lst"),
    (["runs", "compare", "a"], "at least two"),
    (["inspect", "backpropagation"], "--example"),
    (["inspect", "summary", "nothing"], "not a run folder"),
    *(
        ([verb, "nowhere"], "not a run folder")
        for verb in ("resume", "evaluate", "generate", "forecast", "play", "chat")
    ),
    (["predict", "nowhere", __file__], "not a run folder"),
    (["predict", "nowhere"], "not a run folder"),
    (["predict"], "name the run"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_usage_is_answered_in_words(
    words: list[str], said: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command(*words)
    assert done.code == 2
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err and "defect" not in done.err
    assert not list(tmp_path.rglob("config.json"))


def test_failures_that_are_not_usage_exit_with_one(command: Command, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{broken", encoding="utf-8")
    done = command("evaluate", tmp_path)
    assert done.code == 1 and "cannot read config.json" in done.err


def test_a_defect_is_named_as_one(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(words: list[str]) -> int:
        raise ZeroDivisionError("division by\nzero")

    monkeypatch.setattr(ganglion.cli, "_dispatch", broken)
    done = command("list")
    assert done.code == 1
    assert done.err.splitlines()[0] == "error: this is a defect in ganglion: ZeroDivisionError: division by zero"
    assert "--debug" in done.err
    with pytest.raises(ZeroDivisionError):
        main(["list", "--debug"])


def test_an_interruption_exits_with_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(words: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(ganglion.cli, "_dispatch", interrupted)
    done = command("list")
    assert done.code == 130 and done.err == "interrupted\n"


def test_a_run_that_is_refused_leaves_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep me")
    for out in ([], ["--out", "new"], ["--out", "mine"]):
        done = command("train", "mlp", "--data", "xor", "--monitor", "beauty", *out)
        assert done.code == 2 and "cannot monitor 'beauty'" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (mine / "notes.txt").exists()
