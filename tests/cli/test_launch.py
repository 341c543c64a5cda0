"""`ganglion launch`: scripts for other machines, judged by what they would do and not by their text."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ganglion.cli import main
from ganglion.errors import UsageError
from ganglion.runs.launch_scripts import launched

HOSTILE = 'runs/it\'s $(touch gone) `touch gone`; "x" & rm -rf *'


def script(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["launch", *words]) == 0
    return capsys.readouterr().out


def bash(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = folder / "script.sh"
    path.write_text(text)
    checked = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    return subprocess.run(
        ["bash", str(path)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **environment},
    )


def stand_ins(folder: Path, *names: str, body: str = "") -> None:
    """Put programs into `folder/bin` that write down each word they are called with."""
    (folder / "bin").mkdir(exist_ok=True)
    for name in names:
        path = folder / "bin" / name
        path.write_text(
            f'#!/bin/bash\nprintf "%s\\0" {name} "$@" >> "{folder}/called"\nprintf "\\n" >> "{folder}/called"\n{body}\n'
        )
        path.chmod(0o755)


def called(folder: Path) -> list[list[str]]:
    lines = (folder / "called").read_text().split("\n")
    return [line.split("\0")[:-1] for line in lines if line]


@pytest.mark.parametrize("out", ["runs/plain", HOSTILE])
def test_slurm_trains_and_then_resumes(capsys: pytest.CaptureFixture[str], tmp_path: Path, out: str) -> None:
    text = script(
        capsys, "slurm", "--hours", "1.5", "--gpus", "2", "--", "train", "mlp", "--data", "my iris", "--out", out
    )
    asked = dict(
        line.removeprefix("#SBATCH --").partition("=")[::2] for line in text.split("\n") if line.startswith("#SB")
    )
    assert asked["time"] == "01:30:00" and asked["gpus-per-node"] == "2" and "requeue" in asked
    assert asked["signal"].startswith("B:USR1@") and int(asked["signal"].partition("@")[2]) >= 60
    assert asked["open-mode"] == "append"
    stand_ins(tmp_path, "ganglion", "scontrol")
    assert bash(text, tmp_path).returncode == 0
    (tmp_path / out).mkdir(parents=True)
    (tmp_path / out / "config.json").touch()
    assert bash(text, tmp_path).returncode == 0
    assert called(tmp_path) == [
        ["ganglion", "train", "mlp", "--data", "my iris", "--out", out],
        ["ganglion", "resume", out],
    ]
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(("number", "requeued"), [(signal.SIGUSR1, True), (signal.SIGTERM, False)])
def test_slurm_saves_and_is_requeued(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, number: signal.Signals, requeued: bool
) -> None:
    """Ahead of the limit the training is told to stop, waited for, and the job is put back into the queue."""
    text = script(capsys, "slurm", "--", "train", "mlp", "--out", "r")
    stand_ins(
        tmp_path,
        "ganglion",
        body='trap "echo saved >> saved; exit 143" TERM; touch began; while true; do sleep 0.1; done',
    )
    stand_ins(tmp_path, "scontrol")
    (tmp_path / "job.sh").write_text(text)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "SLURM_JOB_ID": "77"}
    job = subprocess.Popen(["bash", "job.sh"], cwd=tmp_path, env=environment)
    while not (tmp_path / "began").exists():
        time.sleep(0.05)
    job.send_signal(number)
    assert job.wait(30) == 143 and (tmp_path / "saved").exists()
    assert (["scontrol", "requeue", "77"] in called(tmp_path)) == requeued


def test_slurm_on_several_machines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = script(
        capsys, "slurm", "--nodes", "4", "--processes", "8", "--gpus", "8", "--", "train", "vgg", "--out", HOSTILE
    )
    stand_ins(tmp_path, "torchrun")
    stand_ins(tmp_path, "scontrol", body="echo first; echo second")
    stand_ins(tmp_path, "srun", body='shift; exec "$@"')
    done = bash(text, tmp_path, SLURM_JOB_ID="5", SLURM_NNODES="4", SLURM_JOB_NODELIST="n[1-4]")
    assert done.returncode == 0, done.stderr
    words = next(one for one in called(tmp_path) if one[0] == "torchrun")
    assert {"--nnodes=4", "--nproc-per-node=8", "--rdzv-id=5"} <= set(words)
    assert any(word.startswith("--rdzv-endpoint=first:") for word in words)
    assert words[words.index("-m") :] == ["-m", "ganglion", "train", "vgg", "--out", HOSTILE]


@pytest.mark.parametrize("out", ["runs/plain", HOSTILE])
def test_skypilot(capsys: pytest.CaptureFixture[str], tmp_path: Path, out: str) -> None:
    text = script(
        capsys, "skypilot", "--gpus", "8", "--processes", "8", "--nodes", "2", "--", "train", "vgg", "--out", out
    )
    task = yaml.safe_load(text)
    assert (
        task["num_nodes"] == 2 and task["resources"]["accelerators"] == "L4:8" and task["resources"]["use_spot"] is True
    )
    stand_ins(tmp_path, "torchrun")
    ips = {"SKYPILOT_NUM_NODES": "2", "SKYPILOT_NODE_RANK": "1", "SKYPILOT_NODE_IPS": "10.0.0.1\n10.0.0.2"}
    done = bash(task["run"], tmp_path, **ips)
    assert done.returncode == 0, done.stderr
    (words,) = called(tmp_path)
    assert {"--nnodes=2", "--node-rank=1", "--master-addr=10.0.0.1", "--nproc-per-node=8"} <= set(words)
    assert words[-4:] == ["train", "vgg", "--out", out]
    kept = yaml.safe_load(script(capsys, "skypilot", "--bucket", "mine", "--", "train", "vgg", "--out", out))
    assert kept["file_mounts"]["/runs"] == {"name": "mine", "mode": "MOUNT"} and "/runs/" in kept["run"]


@pytest.mark.parametrize("out", ["runs/plain", HOSTILE])
def test_ssh(capsys: pytest.CaptureFixture[str], tmp_path: Path, out: str) -> None:
    """`ssh` stands in as a shell in a folder for each host."""
    text = script(capsys, "ssh", "--hosts", "me@one", "two", "--restarts", "1", "--", "train", "vgg", "--out", out)
    stand_ins(tmp_path, "ssh", body='mkdir -p "$1"; cd "$1"; exec bash -c "$2"')
    stand_ins(tmp_path, "torchrun")
    done = bash(text, tmp_path)
    assert done.returncode == 0, done.stderr
    for _ in range(200):
        runs = [one for one in called(tmp_path) if one[0] == "torchrun"]
        if len(runs) == 2:
            break
        time.sleep(0.05)
    assert sorted(word for one in runs for word in one if "rank" in word) == ["--node-rank=0", "--node-rank=1"]
    assert all("--master-addr=one" in one and one[-4:] == ["train", "vgg", "--out", out] for one in runs)
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["slurm"],
        ["slurm", "--", "predict", "run", "x"],
        ["slurm", "--", "train", "mlp", "--out", "a\nb"],
        ["slurm", "--partition", "x; rm", "--", "train", "mlp"],
        ["slurm", "--processes", "4", "--gpus", "2", "--", "train", "mlp"],
        ["ssh", "--", "train", "mlp"],
        ["ssh", "--hosts", "-oProxyCommand=x", "--", "train", "mlp"],
        ["clouds", "--", "train", "mlp"],
    ],
    ids=" ".join,
)
def test_what_is_refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    try:
        code = main(["launch", *words])
    except SystemExit as error:
        code = int(str(error.code))
    said = capsys.readouterr()
    assert code == 2 and "Traceback" not in said.err and not said.out


def test_a_folder_is_named_where_none_is_given() -> None:
    assert launched(["train", "mlp"]).out == "runs/mlp"
    with pytest.raises(UsageError):
        launched(["train", "mlp", "--out"])


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from ganglion.cli import main\n"
        "try: main(['launch', 'slurm', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "--hours" in done.stdout, done.stderr


def test_quoting_is_that_of_a_shell() -> None:
    assert shlex.split(shlex.quote(HOSTILE)) == [HOSTILE]
