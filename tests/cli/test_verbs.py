"""Questions to runs: flags from facts alone, answers in the form that the file's ending asks for, clear refusals."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.cli.ask import VERBS, offered
from tests.cli.outcome import Command
from tests.cli.test_start import SCRIPT

Runs = Callable[[str], Path]


def test_help_is_shown_at_once_and_without_torch(runs: Runs) -> None:
    """As `tests.cli.test_start`, for verbs with and without a run."""
    for words in (["generate", "--help"], ["generate", str(runs("gan")), "--help"]):
        before = sum(os.times()[2:4])
        done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert "--count" in done.stdout and "Decides what is drawn" in done.stdout
        assert max(map(len, done.stdout.splitlines()[1:])) <= 80  # after the line of usage, which is never folded
        assert sum(os.times()[2:4]) - before < 0.9


def test_only_verbs_that_a_task_answers_are_commands(command: Command) -> None:
    shown = command("--help").out
    assert {verb for verb in VERBS if f"\n  {verb} " in shown} == set(offered()) <= set(VERBS)


def test_flags_are_accepted_in_any_order_and_as_names_with_values(command: Command, runs: Runs, tmp_path: Path) -> None:
    run, out = runs("gan"), tmp_path / "one.npz"
    spellings = (["--count", "3", run, "--seed=5"], [run, "count=3", "seed=5"], ["--seed", "5", run, "count=3"])
    drawn = []
    for words in spellings:
        assert command("generate", *words, "--out", out).code == 0
        drawn.append(np.load(out)["images"])
    assert len(drawn[0]) == 3
    assert all(np.array_equal(drawn[0], other) for other in drawn[1:])


def test_a_thousand_pictures_are_a_thousand_files(command: Command, runs: Runs, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    done = command("generate", runs("gan"), "--count", "1000", "--seed", "7", "--out", f"{folder}/")
    assert done.code == 0 and done.out.strip() == f"{folder}/"
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 1000 and names[0] == "0000-seed7.png" and names[-1] == "0999-seed7.png"


def test_json_has_one_row_for_each_picture_that_two_are_made_of(command: Command, runs: Runs, tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / f"{number}.png")
    found = command("predict", runs("unet"), tmp_path, "--json", "--out", tmp_path / "masks.png").json
    assert [row["input"] for row in found["rows"]] == [str(tmp_path / f"{number}.png") for number in range(2)]


def test_a_sheet_says_how_many_of_how_many_are_on_it(
    command: Command, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.runs.writing.LARGEST_SHEET", 200)
    done = command("generate", runs("gan"), "--count", "16", "--out", tmp_path / "sheet.png")
    assert "9 of 16 pictures" in done.err
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert max(sheet.size) <= 200 + 2


def test_without_a_name_pictures_go_to_the_usual_file(
    command: Command, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs("gan").resolve()
    monkeypatch.chdir(tmp_path)
    document = command("generate", run, "--count", "4", "--json").json
    assert document == {"run": str(run), "count": 4, "out": "generated.png"}
    assert (tmp_path / "generated.png").exists()


def test_rows_of_files_are_named_in_tables_json_and_csv(command: Command, runs: Runs, tmp_path: Path) -> None:
    marks, one = tmp_path / "marks.csv", tmp_path / "one.csv"
    header = "id,first mark,second mark,third mark\n"
    marks.write_text(f"{header}A7,90,90,90\nB2,5,5,5\n", encoding="utf-8")
    one.write_text(f"{header}C3,50,60,70\n", encoding="utf-8")
    out = tmp_path / "answers.csv"
    rows = command("predict", runs("perceptron"), marks, one, "--json", "--out", out).json
    assert [(row["input"], row["row"], row["id"]) for row in rows] == [
        (str(marks), 1, "A7"), (str(marks), 2, "B2"), (str(one), 1, "C3"),
    ]  # fmt: skip
    with out.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [(row["id"], row["label"]) for row in written] == [(row["id"], row["label"]) for row in rows]
    assert [row["first mark"] for row in written] == ["90", "5", "50"], "the user's own columns come first"
    (alone,) = command("predict", runs("perceptron"), one, "--json").json
    assert "row" not in alone and alone["id"] == "C3"


def test_every_picture_of_a_folder_is_named(command: Command, runs: Runs, tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.full((8, 8), 80 * number, dtype=np.uint8)).save(folder / f"{number}.png")
    rows = command("predict", runs("lenet5"), folder, "--json").json
    assert [row["input"] for row in rows] == [str(folder / f"{number}.png") for number in range(3)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generate", "gan", "--count", "0"], "count must be at least 1"),
        (["generate", "gan", "--out", "x.csv"], "cannot be written to such a file"),
        (["generate", "gan", "--out", "no/such/folder/x.png"], "its folder does not exist"),
        (["generate", "gan", "--prompt", "a"], "--prompt"),
        (["forecast", "lstm-forecaster", "--steps", "many"], "many"),
        (["predict", "perceptron"], "inputs must be at least one"),
        (["play", "dqn", "--animation", "."], "a folder"),
        (["play", "gan"], "expected: generate"),
    ],
)
def test_what_cannot_be_answered_is_refused(words: list[str], said: str, command: Command, runs: Runs) -> None:
    verb, name, *rest = words
    done = command(verb, runs(name), *rest)
    assert done.code == 2 and said in done.err and "Traceback" not in done.err


def test_a_run_for_a_task_that_is_not_known_is_refused(command: Command, tmp_path: Path) -> None:
    for name in ("base", "../../evil", None, ["control"]):
        (tmp_path / "config.json").write_text(json.dumps({"task": name}))
        done = command("predict", tmp_path, "x")
        assert done.code == 1 and "unknown task" in done.err


def test_warnings_are_one_plain_line(runs: Runs, tmp_path: Path) -> None:
    run = shutil.copytree(runs("perceptron"), tmp_path / "run")
    weights = run / "checkpoints" / (run / "best").read_text().strip() / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    asked = [sys.executable, "-m", "ganglion", "evaluate", str(run)]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("note: the best checkpoint cannot be used") and "Warning" not in line
