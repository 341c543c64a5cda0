"""A user who means ill, or only errs: whatever is asked, the answer is in words, with exit code 1 or 2."""

import ast
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hostile.bounded import attempt
from tests.hostile.entries import command, contents

Damage = Callable[[Path], object]

WRONG_USAGE = (
    "train mlp --epochs -1",
    "train mlp --epochs 1.5",
    "train mlp --epochs 99999999999999999999999",
    "train mlp --steps 0",
    "train mlp --batch-size 0",
    "train mlp --batch-size some",
    "train mlp --learning-rate -1",
    "train mlp --learning-rate nan",
    "train mlp --learning-rate much",
    "train mlp --hidden-features 0",
    "train mlp --hidden-features 4 x",
    "train mlp --hidden-features 99999999999999",
    "train mlp --label-smoothing 5",
    "train mlp --dropout 1",
    "train mlp --clip-norm -1",
    "train mlp --clip-value 0",
    "train mlp --warmup-steps -5",
    "train mlp --schedule-every 0",
    "train mlp --schedule-floor 2",
    "train mlp --limit -3",
    "train mlp --workers -1",
    "train mlp --threads 100000",
    "train mlp --weight-decay -1",
    "train convnet --dropout 2",
    "train convnet --hidden-features 0",
    "train lstm-forecaster --window 999999999",
    "train lstm-forecaster --season 0",
    "train dqn --steps-ahead 0",
    "train dqn --hidden-features 0",
    "train dqn --batch-size all",
    "train dqn --priority 2",
    "train dqn --exploration luck",
    "train trader --window 1",
    "train trader --cost 0.9",
    "train trader --batch-size all",
    "train steering --num-directions 1",
    "train steering --augment flip",
    "train steering --data digits",
    "train steering --data TABLE",
    "train rbm --num-chains 0",
    "train gan --latent-features 0",
    "train dcgan --features 0",
    "train mlp --optimizer os.system",
    "train mlp --optimizer-arguments momentum=__import__('os')",
    "train mlp --optimizer-arguments momentum",
    "train mlp --activation ../../etc/passwd",
    "train mlp --precision fp8",
    "train mlp --device cuda:99",
    "train mlp --device toaster",
    "train mlp --threads 0",
    "train mlp --ema-decay 2",
    "train mlp --keep 1",
    "train mlp --validation 0.9 --test 0.9",
    "train mlp --validation -1",
    "train mlp --non-finite pray",
    "train mlp --nonsense",
    "train mlp --data",
    "train mlp extra",
    "train --json",
    "train mlp --out FILE",
    "train mlp --out FILE/run",
    "train mlp --out RUN",
    "train lenet5 --data TABLE",
    "train lenet5 --data iris",
    "train dqn --data CartPole-v99",
    "train dqn --data TABLE",
    "train trader --data EMPTY",
    "train trader --data digits",
    "train trader --data nowhere.csv",
    "train lstm-forecaster --data digits",
    "train rbm --data sine",
    "train mlp --data EMPTY",
    "train mlp --data nowhere/at/all.csv",
    "train mlp --data TABLE --target nothing",
    "train mlp --data TABLE --columns nothing",
    "tune nowhere",
    "tune mlp --trials 0",
    "tune mlp --workers 0",
    "tune mlp --workers many",
    "tune mlp --at-once -1",
    "tune mlp --warm-up 2",
    "tune mlp --search",
    "tune mlp --search nothing",
    "tune mlp --search=nothing",
    "tune mlp --search learning_rate=1e-1..1e-4",
    "tune mlp --search learning_rate=nan..inf",
    "tune mlp --search activation=relu,os.system",
    "tune mlp --search hidden_features=1..3x0..8",
    "tune mlp --search dropout=0..5",
    "tune mlp --search seed=1..9",
    "tune mlp --epochs 3 --search epochs=1..9",
    "tune mlp --data nowhere.csv",
    "tune mlp --data EMPTY",
    "tune mlp --data iris --monitor beauty",
    "tune mlp --out RUN",
    "tune RUN",
    "tune --trials 3",
    "data check EMPTY",
    "data check nowhere",
    "data check",
    "data get unicorns",
    "resume EMPTY",
    "resume FILE",
    "resume RUN --steps -5",
    "resume RUN --epochs many",
    "evaluate RUN --part holiday",
    "evaluate EMPTY",
    "predict RUN",
    "predict RUN nowhere.csv",
    "predict RUN EMPTY",
    "predict RUN FILE",
    "predict RUN IMAGE",
    "predict RUN OTHER",
    "generate RUN",
    "generate RUN --count 0",
    "generate RUN --count many",
    "generate RUN --out EMPTY",
    "forecast RUN",
    "forecast RUN --steps 0",
    "play RUN",
    "play RUN --episodes 0",
    "inspect backpropagation RUN --parameter nothing",
    "inspect backpropagation RUN RUN",
    "inspect backpropagation RUN --parameter 0.weight[99,99]",
    "inspect features RUN IMAGE",
    "inspect features RUN nowhere.png",
    "inspect filters nowhere.png",
    "inspect filters EMPTY",
    "inspect filters TABLE",
    "inspect filters IMAGE --filters sobel",
    "inspect filters IMAGE --out nowhere/at/all.png",
    "inspect receptive-field mlp",
    "inspect receptive-field EMPTY",
    "inspect receptive-field RUN padding=same",
    "inspect receptive-field convnet nonsense=3",
    "inspect receptive-field convnet image_size=3",
    "inspect gradient-flow EMPTY",
    "inspect summary ../..",
    "runs compare RUN",
    "runs compare RUN EMPTY",
    "runs clean nowhere --everything",
    "doctor now",
    "info ../mlp",
    "list all",
    "bench --steps -1",
    "--nonsense",
)
"""Names in capitals stand for a finished run, a table, a picture, a file of bytes and an empty folder."""


@pytest.fixture
def folder(tmp_path: Path, runs: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one of each kind of thing, in which commands are run."""
    shutil.copytree(runs("mlp"), tmp_path / "RUN")
    rows = "".join(f"{n},{n % 5},{'yes' if n % 3 else 'no'}\n" for n in range(60))
    (tmp_path / "TABLE.csv").write_text(f"a,b,cured\n{rows}")
    (tmp_path / "OTHER.csv").write_text("one,two\n1,2\n")
    (tmp_path / "FILE").write_bytes(bytes(range(256)))
    (tmp_path / "EMPTY").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / "IMAGE.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


ENDINGS = {"TABLE": ".csv", "OTHER": ".csv", "IMAGE": ".png"}


def answers(folder: Path, lines: list[str]) -> list[str]:
    """Run command lines in a folder, and return what is wrong with each of the answers."""
    os.chdir(folder)
    wrong = []
    for line in lines:
        before, said = contents(folder), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = command(*(word + ENDINGS.get(word, "") for word in line.split()))
        text = said.getvalue()
        if code not in (1, 2) or not text.strip() or len(text) > 6000 or "Traceback" in text or "defect" in text:
            wrong.append(f"{line}: {code}: {text[-1000:]}")
        if left := contents(folder).items() ^ before.items():
            wrong.append(f"{line}: changed {sorted(name for name, _ in left)[:5]}")
    return wrong


VERBS = sorted({line.split()[0] for line in WRONG_USAGE})


@pytest.mark.parametrize("verb", VERBS)
def test_what_cannot_be_done_is_refused_and_leaves_nothing(verb: str, folder: Path) -> None:
    lines = [line for line in WRONG_USAGE if line.split()[0] == verb]
    outcome = attempt(answers, folder, lines)
    assert not outcome.defect, outcome.defect
    assert outcome.value == "[]", outcome.value


def ask(folder: Path, line: str) -> tuple[str, str]:
    """Run a command line in a folder and return its exit code and all that it printed, which is no traceback."""
    outcome = attempt(in_folder, folder, line.split())
    assert not outcome.defect, outcome.defect
    assert "Traceback" not in outcome.output and "defect" not in outcome.output, outcome.output
    return outcome.value, outcome.output


def in_folder(folder: Path, words: list[str]) -> int:
    os.chdir(folder)
    return command(*words)


def test_a_metric_that_nobody_measures_is_refused_with_those_that_are(folder: Path) -> None:
    code, said = ask(folder, "train mlp --data iris --monitor happiness --steps 1")
    assert code == "2" and "expected: one of accuracy, loss" in said


def spoil_weights(run: Path) -> None:
    for path in run.glob("checkpoints/*/*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])


def spoil_setting(run: Path) -> None:
    description = json.loads((run / "config.json").read_text())
    description["trainer"]["epochs"] = "many"
    (run / "config.json").write_text(json.dumps(description))


def spoil_data(run: Path) -> None:
    description = json.loads((run / "config.json").read_text())
    description["data"] = "nowhere.csv"
    (run / "config.json").write_text(json.dumps(description))


BROKEN_RUNS: dict[str, Damage] = {
    "no checkpoints": lambda run: shutil.rmtree(run / "checkpoints"),
    "a file for the checkpoints": lambda run: (shutil.rmtree(run / "checkpoints"), (run / "checkpoints").touch()),
    "damaged weights": spoil_weights,
    "a setting of another type": spoil_setting,
    "data that has gone": spoil_data,
    "a folder for the configuration": lambda run: ((run / "config.json").unlink(), (run / "config.json").mkdir()),
    "a folder for the log": lambda run: ((run / "metrics.jsonl").unlink(), (run / "metrics.jsonl").mkdir()),
    "a folder for the pointer": lambda run: ((run / "best").unlink(), (run / "best").mkdir()),
    "a folder for the lock": lambda run: ((run / ".lock").unlink(missing_ok=True), (run / ".lock").mkdir()),
}


USES = ("evaluate RUN", "resume RUN --epochs 3", "predict RUN TABLE.csv", "runs list RUN")


def broken_answers(folder: Path, name: str) -> dict[str, tuple[int, str, bool]]:
    """Damage a run, use it, and return each exit code, what was said, and whether the run still has its result."""
    os.chdir(folder)
    answers = {}
    shutil.copytree("RUN", "WHOLE")
    for line in USES:
        shutil.rmtree("RUN")
        shutil.copytree("WHOLE", "RUN")
        BROKEN_RUNS[name](folder / "RUN")
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = command(*line.split())
        answers[line.split()[0]] = (code, said.getvalue()[-300:], (folder / "RUN" / "result.json").exists())
    return answers


@pytest.mark.parametrize("name", BROKEN_RUNS)
def test_broken_runs_are_answered_in_words(name: str, folder: Path) -> None:
    outcome = attempt(broken_answers, folder, name)
    assert not outcome.defect, outcome.defect
    answers = ast.literal_eval(outcome.value)
    for code, said, _ in answers.values():
        assert code in (0, 1, 2) and said.strip() and "Traceback" not in said and "defect" not in said, said
    assert answers["runs"][0] == 0
    if name == "damaged weights":
        assert all("no usable checkpoint" in answers[verb][1] for verb in ("evaluate", "resume", "predict"))
    if name in ("damaged weights", "a setting of another type", "data that has gone"):
        code, _, has_result = answers["resume"]
        assert code in (1, 2) and has_result  # a run that cannot go on keeps its result


@pytest.mark.parametrize("line", ["list", "info mlp", "train mlp --help", "data list", "runs list RUN", "evaluate RUN"])
def test_a_reader_that_leaves_early_is_no_error(line: str, folder: Path) -> None:
    program = f"{sys.executable} -m ganglion {line} 2>errors | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() in ("0", "141")
    assert "Traceback" not in (folder / "errors").read_text() and "Broken" not in (folder / "errors").read_text()


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a folder that not even root can write")
@pytest.mark.parametrize(
    "line",
    [
        "train mlp --data iris --epochs 1",
        "train mlp --data iris --epochs 1 --out run",
        "inspect gradient-flow RUN --out picture.png",
        "demo",
    ],
)
def test_a_folder_that_cannot_be_written_is_named(line: str, folder: Path) -> None:
    code, said = ask(Path("/proc"), line.replace("RUN", str(folder / "RUN")))
    assert code in ("1", "2") and ("write" in said or "refused a file" in said), said


@pytest.mark.parametrize("line", ["data check digits", "evaluate RUN", "train mlp --data digits --epochs 9999"])
def test_an_interruption_is_no_traceback(line: str, folder: Path) -> None:
    for delay in (0.4, 1.0, 1.6):
        child = subprocess.Popen(
            [sys.executable, "-m", "ganglion", *line.split()],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
        )  # fmt: skip
        time.sleep(delay)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
        # A command may have been quicker; CPython dies of the signal where it came while a class was being made.
        assert child.returncode in (0, 130, -signal.SIGINT), said
        assert "Traceback" not in said and "defect" not in said, said
