"""Run folders as they come from copying, moving and tidying: parts missing, data moved, other things in place."""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganglion
from ganglion.cli import main
from ganglion.errors import CheckpointError, DataError, UsageError
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder

QUESTION = [[1.0, 0.5, -1.0]]


def table(path: Path, classes: tuple[str, ...] = ("red", "green", "blue")) -> str:
    random = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{b:.3f},{c:.3f},{classes[number % 3]}\n"
        for number, (a, b, c) in enumerate(random.normal(size=(90, 3)).tolist())
    ]
    path.write_text("size,weight,length,kind\n" + "".join(rows))
    return path.read_text()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a table and a run on it, whose best checkpoint is not its newest."""
    home = tmp_path_factory.mktemp("copies")
    table(home / "t.csv")
    ganglion.train("mlp", home / "t.csv", out=home / "run", epochs=2, learning_rate=0.01)
    files = RunFolder.open(home / "run")
    newest, older = checkpoint.steps(files.checkpoints)[:2]
    state = checkpoint.load(newest)
    state["trainer"]["best_step"] = int(older.name[5:])
    checkpoint.save(files.checkpoints, int(newest.name[5:]), state)
    files.point("best", older)
    return home


@pytest.fixture
def home(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder, on a path with spaces and letters of other scripts."""
    shutil.copytree(finished, tmp_path / "ein Läufer, 走")
    (folder,) = tmp_path.iterdir()
    config = json.loads((folder / "run" / "config.json").read_text())
    (folder / "run" / "config.json").write_text(json.dumps(config | {"data": str(folder / "t.csv")}))
    return folder


def answer(run: Path) -> float:
    return float(ganglion.open_run(run).predict(QUESTION)[0]["probability"])


def spoken(*words: object) -> tuple[int, str]:
    """Return the exit code of a command, and what it says; what it raises is a defect."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main([str(word) for word in words])
    assert "Traceback" not in said.getvalue() and "defect" not in said.getvalue(), said.getvalue()
    return code, said.getvalue()


def test_where_the_pointers_are_lost_the_best_weights_still_answer(home: Path) -> None:
    expected = answer(home / "run")
    for pointer in ("best", "last"):
        (home / "run" / pointer).unlink()
    assert answer(home / "run") == expected
    older = checkpoint.steps(home / "run" / "checkpoints")[1]
    shutil.rmtree(older)
    with pytest.warns(UserWarning, match=f"the best checkpoint, {older.name}, is missing; using step-"):
        assert answer(home / "run") != expected


def test_what_is_wrong_with_a_checkpoint_is_said_once(home: Path) -> None:
    newest = checkpoint.steps(home / "run" / "checkpoints")[0]
    RunFolder.open(home / "run").point("best", newest)
    (newest / "weights.safetensors").write_bytes(b"half")
    with pytest.warns(UserWarning, match="damaged") as said:
        answer(home / "run")
    assert [str(one.message).count("damaged") for one in said] == [1]


def test_a_finished_run_without_checkpoints_does_not_begin_anew_in_silence(home: Path) -> None:
    shutil.rmtree(home / "run" / "checkpoints")
    before = (home / "run" / "result.json").read_bytes()
    with pytest.raises(CheckpointError, match="none of its checkpoints is left"):
        ganglion.resume(home / "run", epochs=3)
    assert (home / "run" / "result.json").read_bytes() == before
    with pytest.raises(CheckpointError) as caught:
        answer(home / "run")
    assert caught.value.found == "there is none" and "copy the whole run" in str(caught.value.remedy)
    (home / "run" / "result.json").unlink()
    session = ganglion.runs.session.prepare_resume(home / "run", epochs=1)
    assert isinstance(session, ganglion.runs.session.Session)
    session.files.unlock()
    assert any("it begins from the start" in note for note in session.notes)


@pytest.mark.parametrize("name", ["environment.json", "result.json", "metrics.jsonl", "log.txt", "figures", ".lock"])
def test_a_copy_without_what_no_answer_needs(name: str, home: Path) -> None:
    expected = answer(home / "run")
    path = home / "run" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert answer(home / "run") == expected
    assert spoken("runs", "list", home / "run")[0] == 0


def test_a_copy_of_manifests_alone_is_refused_with_a_way_out(home: Path) -> None:
    for path in (home / "run" / "checkpoints").glob("step-*/*.safetensors"):
        path.unlink()
    code, said = spoken("predict", home / "run", home / "t.csv")
    assert code == 1 and "missing or extra files" in said and "copy the whole run again" in said


CHANGED: dict[str, tuple[Callable[[str], str], str]] = {
    "a row more": (lambda text: text + "1,2,3,red\n", "91 samples"),
    "a row fewer": (lambda text: text[: text.rstrip().rindex("\n") + 1], "89 samples"),
    "the rows in another order": (
        lambda text: "\n".join([text.split("\n")[0], *text.split("\n")[:0:-1]]),
        "90 samples",
    ),
    "one cell": (lambda text: text.replace("\n0", "\n1", 1).replace("\n-0", "\n-1", 1), "90 samples"),
    "a class of another name": (lambda text: text.replace("red", "rosy"), "'rosy'"),
    "columns that changed their names": (lambda text: text.replace("size,weight", "weight,size"), "'weight'"),
}


@pytest.mark.parametrize(("change", "said"), CHANGED.values(), ids=CHANGED)
def test_data_that_was_changed_is_refused(change: Callable[[str], str], said: str, home: Path) -> None:
    text = (home / "t.csv").read_text()
    (home / "t.csv").write_text(change(text))
    calls: tuple[Callable[[], Any], ...] = (
        lambda: ganglion.open_run(home / "run").evaluate(),
        lambda: ganglion.resume(home / "run", epochs=3),
    )
    for call in calls:
        with pytest.raises(CheckpointError) as caught:
            call()
        assert said in str(caught.value.found), str(caught.value)
    assert (home / "run" / "result.json").exists()


def test_moved_data_that_says_the_same_goes_on(home: Path) -> None:
    score = ganglion.open_run(home / "run").evaluate()
    text = (home / "t.csv").read_text()
    (home / "t.csv").unlink()
    with pytest.raises(DataError) as caught:
        ganglion.open_run(home / "run").evaluate()
    assert f"ganglion resume '{home / 'run'}' --data PATH" in str(caught.value.remedy)
    (home / "neu").mkdir()
    (home / "neu" / "u.csv").write_text(text.replace("kind", "Kind").replace("\n", "\r\n"), newline="")
    assert ganglion.open_run(home / "run").evaluate(data=home / "neu" / "u.csv") == score


def test_a_clock_that_was_set_back(home: Path) -> None:
    for seconds in (4e9, -5):
        for path in (home / "run").rglob("*"):
            os.utime(path, (seconds, seconds))
        assert spoken("runs", "list", home)[0] == 0
        assert ganglion.resume(home / "run").folder == home / "run"


@pytest.mark.parametrize(
    "change", [lambda lines: [*lines, lines[-1]], lambda lines: [lines[0][:20], *lines[1:]]], ids=["doubled", "cut"]
)
def test_a_metric_log_with_a_line_too_many_or_cut(change: Callable[[list[str]], list[str]], home: Path) -> None:
    log = home / "run" / "metrics.jsonl"
    steps = [row["step"] for row in ganglion.open_run(home / "run").history]
    log.write_text("\n".join(change(log.read_text().splitlines())) + "\n")
    assert spoken("runs", "list", home)[0] == 0
    assert {row["step"] for row in ganglion.open_run(home / "run").history} <= set(steps)


def test_the_settings_of_another_run(home: Path, runs: Callable[[str], Path]) -> None:
    shutil.copy(runs("mlp") / "config.json", home / "run" / "config.json")
    code, said = spoken("predict", home / "run", home / "t.csv")
    assert code == 1 and "put the original config.json back" in said


def no_run(home: Path) -> dict[str, tuple[Path, str]]:
    (home / "net.onnx").write_bytes(b"\x08\x08")
    return {
        "an exported network": (home / "net.onnx", "asks it; all else needs the run"),
        "a table": (home / "t.csv", "found: a file"),
        "a file of the run": (home / "run" / "config.json", f"name the run itself: '{home / 'run'}'"),
        "a checkpoint": (checkpoint.steps(home / "run" / "checkpoints")[0], f"name the run itself: '{home / 'run'}'"),
        "a folder with a run, as of a study or of folds": (home, f"name one of them, such as '{home / 'run'}'"),
        "nothing": (home / "nowhere", "found: no such folder"),
    }


VERBS = {
    "evaluate": ("evaluate", "PATH"),
    "predict": ("predict", "PATH", "t.csv"),
    "resume": ("resume", "PATH"),
    "summary": ("inspect", "summary", "PATH"),
    "compare": ("runs", "compare", "PATH", "PATH"),
    "export": ("export", "PATH", "onnx"),
    "serve": ("serve", "PATH"),
}


@pytest.mark.parametrize("words", VERBS.values(), ids=VERBS)
def test_what_is_no_run_is_told_from_one(words: tuple[str, ...], home: Path) -> None:
    for path, said in no_run(home).values():
        if words[0] == "predict" and path.suffix == ".onnx":  # which may be asked
            continue
        code, output = spoken(*(str(path) if word == "PATH" else word for word in words))
        assert code == 2 and "not a run folder" in output and said in output, output


def test_a_run_where_something_else_is_wanted(home: Path) -> None:
    code, said = spoken("info", home / "run")
    assert code == 2 and "`info` explains systems" in said and "ganglion inspect summary" in said
    for words in (("data", "check", home / "run"), ("train", "mlp", "--data", home / "run", "--out", home / "new")):
        code, said = spoken(*words)
        assert code in (1, 2) and "this is the folder of a run, and no data" in said, said
    assert not (home / "new").exists()
    with pytest.raises(UsageError, match="already holds a run"):
        ganglion.train("mlp", home / "t.csv", out=home / "run", steps=1)
