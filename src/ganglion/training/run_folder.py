"""A run is a folder that people can read and copy: configuration, environment, metric log, checkpoints, figures."""

import datetime
import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any

import filelock
import numpy as np
import torch

from ganglion.errors import CheckpointError, UsageError
from ganglion.files import named, parse_json, read_json
from ganglion.findings import Finding, worst_first
from ganglion.training import checkpoint
from ganglion.training.durable import replace_synced, write_synced
from ganglion.training.not_a_run import not_a_run

SECONDS_BETWEEN_CHECKS = 2.0
METRICS = "metrics.jsonl"
FINDINGS = "findings.json"
HOLDER = ".lock-holder.json"
TIMING = ("seconds", "samples_per_second")
"""Fields of the metric log that differ from run to run."""


Newest = tuple[Path, dict[str, Any], list[str]]
"""A checkpoint, its state, and a sentence for each newer one that cannot be used."""


class RunFolder:
    """The files of one run; everything that is written into it goes through here."""

    writes = True
    """Whether this process writes it; of several that train one model only the first does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(path / ".lock")
        self._next_check = 0.0
        self._made = False
        """Whether this process made the folder."""

    @classmethod
    def create(cls, out: str | Path | None, name: str, config: dict[str, Any]) -> "RunFolder":
        """Make a new folder, `out` itself where given, lock it, and write its configuration and environment."""
        path = Path("runs") if out is None else named(out)
        made = out is None or not path.exists()
        try:
            if out is not None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path = new_folder(path, f"{datetime.datetime.now().strftime('%Y-%m-%d_%H%M%S')}_{name}")
            run = cls(path)
            run._made = made
            run.lock()
            run._begin(config)
        except OSError as error:
            raise UsageError(
                "cannot write the run folder",
                where=str(path),
                found=error.strerror or str(error),
                remedy="choose --out",
            ) from error
        return run

    def _begin(self, config: dict[str, Any]) -> None:
        """Write what makes the folder a run. The configuration comes last: with it, the run can be resumed."""
        try:
            if (self.path / "config.json").exists():
                raise UsageError(
                    "the folder already holds a run",
                    where=str(self.path),
                    remedy=f"`ganglion resume {quote(str(self.path))}` continues it; a new one needs another --out",
                )
            self.tidy()
            self.checkpoints.mkdir(exist_ok=True)
            write_synced(self.path / "environment.json", json.dumps(environment(), indent=1))
            write_synced(self.path / "config.json", json.dumps(config, indent=1))
        except BaseException:
            self.unlock()
            raise

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        path = named(path)
        if not (path / "config.json").is_file():
            raise not_a_run(path)
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def exists(self) -> bool:
        return (self.path / "config.json").exists()

    def check(self) -> None:
        """Raise `CheckpointError` when the folder has vanished."""
        if not self.exists:
            raise CheckpointError(
                "the run folder has vanished while training", where=str(self.path), remedy="start again"
            )

    def check_now_and_then(self) -> None:
        """Check if it is some time ago that this was last done; cheap enough for every step."""
        if (now := time.monotonic()) >= self._next_check:
            self._next_check = now + SECONDS_BETWEEN_CHECKS
            self.check()

    def preflight(self, checkpoint_size: int, keep: int) -> None:
        """Refuse a folder that cannot be written, or a disk without room for the best, a draft and those kept."""
        more = keep + 2 - len(checkpoint.steps(self.checkpoints))
        checkpoint.preflight(self.checkpoints, checkpoint_size * max(2, more))

    def lock(self) -> None:
        """Keep other trainers out until this process ends or `unlock` is called.

        The system forgets the lock of a process that dies; who held it is only told to those who are kept out.
        """
        if self._lock.is_locked:
            return
        holder = self.path / HOLDER
        try:
            with self._writing("the lock"):
                self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise CheckpointError(
                "the run is in use by another trainer",
                where=str(self.path),
                found=_text(holder) or "an unknown process",
                remedy="wait for it or stop it",
            ) from None
        started = datetime.datetime.now().isoformat(timespec="seconds")
        with self._writing(HOLDER):
            write_synced(holder, f"process {os.getpid()} on {socket.gethostname()} since {started}")

    def unlock(self) -> None:
        if self._lock.is_locked:
            with suppress(OSError):
                (self.path / HOLDER).unlink(missing_ok=True)
            self._lock.release()

    def withdraw(self) -> None:
        """Take a run back that was refused before it learnt anything; a folder that was there before stays."""
        if self._made and not checkpoint.steps(self.checkpoints):
            shutil.rmtree(self.path, ignore_errors=True)

    def tidy(self) -> None:
        """Clear away what a process that was killed left half written."""
        checkpoint.tidy(self.checkpoints)
        for draft in (*self.path.glob(".draft-*"), *self.path.glob("samples/.draft-*")):
            draft.unlink(missing_ok=True)

    def adopt(self, path: Path, best_step: int) -> None:
        """Go on from a checkpoint: newer ones, which are damaged, step aside, `last` names it and `best` its best.

        A kill between a checkpoint and the pointers to it would be felt otherwise.
        """
        checkpoint.set_aside(self.checkpoints, path)
        self.point("last", path)
        best = self.checkpoints / f"step-{best_step:06d}"
        if best_step and best.exists():
            self.point("best", best)

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """Turn what keeps a file from being written into an error that says so."""
        try:
            yield
        except filelock.Timeout:  # which is an OSError
            raise
        except OSError as error:
            raise CheckpointError(
                f"cannot write {name} of the run",
                where=str(self.path),
                found=error.strerror or str(error),
                remedy="make room or make the folder writable, then `ganglion resume`"
                if self.exists
                else "the folder of the run is gone: put it back, or start again",
            ) from error

    def write(self, name: str, value: dict[str, Any]) -> None:
        with self._writing(name):
            write_synced(self.path / name, json.dumps(value, indent=1))

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; `name` may have a folder in it."""
        path = self.path / name
        with self._writing(name):
            path.parent.mkdir(exist_ok=True)
            replace_synced(path, content)

    def read(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the run; raises `CheckpointError` when it is missing or unreadable."""
        try:
            # A metric may have come out as no number; of a setting that cannot be.
            return read_json(self.path / name, finite=name != "result.json")
        except ValueError as error:
            raise CheckpointError(
                f"cannot read {name} of the run",
                where=str(self.path),
                found=str(error),
                remedy="put the original file back, or start a new run",
            ) from error

    def point(self, pointer: str, target: Path) -> None:
        """Let the pointer file `best` or `last` name a checkpoint."""
        with self._writing(pointer):
            write_synced(self.path / pointer, target.name)

    def pointed(self, pointer: str) -> Path | None:
        """Return the checkpoint that a pointer file names, None where there is none of that name."""
        name = _text(self.path / pointer).strip()
        return next((path for path in checkpoint.steps(self.checkpoints) if path.name == name), None)

    def unpoint(self, pointer: str) -> None:
        """Remove a pointer file."""
        with self._writing(pointer):
            (self.path / pointer).unlink(missing_ok=True)

    def save(self, step: int, state: dict[str, Any], *, is_best: bool, keep: int) -> None:
        """Write a checkpoint, point to it, and remove all others but the best and the `keep` newest."""
        path = checkpoint.save(self.checkpoints, step, state)
        if is_best:
            self.point("best", path)
        self.point("last", path)
        best = self.pointed("best")
        checkpoint.prune(self.checkpoints, keep, {best.name} if best else set())

    def newest(self, strict: bool = False) -> Newest | None:
        """Return the newest usable checkpoint, with `strict` the newest; None where there is none."""
        return checkpoint.load_newest(self.checkpoints, strict=strict) if checkpoint.steps(self.checkpoints) else None

    def best_weights(self) -> tuple[dict[str, Any] | None, str]:
        """Return the weights that `best` names, or None and a sentence that says what is wrong with them."""
        best, name = self.pointed("best"), _text(self.path / "best").strip()
        if best is None:
            return None, f"the best checkpoint, {name}, is missing" if name else ""
        try:
            return checkpoint.load(best, ("weights",))["weights"], ""
        except CheckpointError as error:
            return None, f"the best checkpoint cannot be used: {checkpoint.sentence(error)}"

    def usable_weights(self) -> tuple[dict[str, Any], list[str]]:
        """Return the best weights, or the newest usable ones with sentences that say why not the best.

        Where no file says which are best, as in a copy that was cut short, the newest checkpoint does.
        """
        weights, complaint = self.best_weights()
        if weights is not None:
            return weights, []
        path, state, others = checkpoint.load_newest(self.checkpoints, ("weights", "trainer"))
        trainer = state["trainer"]
        step = trainer.get("best_step") if isinstance(trainer, dict) else None
        if not complaint and isinstance(step, int) and step and (name := f"step-{step:06d}") != path.name:
            if (self.checkpoints / name).is_dir():
                try:
                    return checkpoint.load(self.checkpoints / name, ("weights",))["weights"], []
                except CheckpointError as error:
                    complaint = f"the best checkpoint cannot be used: {checkpoint.sentence(error)}"
            else:
                complaint = f"the best checkpoint, {name}, is missing"
        said = [f"{complaint}; using {path.name} instead"] if complaint else []
        return state["weights"], said + [one for one in others if one not in "".join(said)]

    def log(self, text: str) -> None:
        stamp = datetime.datetime.now().isoformat(timespec="seconds")
        with (
            self._writing("log.txt"),
            open(self.path / "log.txt", "a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(f"{stamp} {text}\n")

    def append_metrics(self, row: dict[str, Any]) -> None:
        with self._writing(METRICS), open(self.path / METRICS, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def settle_metrics(self) -> int:
        """Flush the metric log to the disk, so that a checkpoint may rely on it, and return its size."""
        file = self.path / METRICS
        if not file.exists():
            return 0
        with self._writing(METRICS), open(file, "rb") as log:
            os.fsync(log.fileno())
        return file.stat().st_size

    def cut_metrics(self, size: int) -> None:
        """Forget reports made after the checkpoint that training continues from, and a line that was cut short."""
        file = self.path / METRICS
        if not file.exists():
            return
        with self._writing(METRICS):
            kept = file.read_bytes()[:size]
            os.truncate(file, kept.rfind(b"\n") + 1)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metric log; lines that were cut short are left out."""
        rows = []
        for line in _text(self.path / METRICS).splitlines():
            try:
                row = parse_json(line, finite=False)
            except ValueError:
                continue
            if isinstance(row, dict):
                rows.append(row)
        return rows

    def write_findings(self, found: Iterable[Finding]) -> None:
        """Write what was found out; no file where that is nothing and was nothing."""
        listed = [one.to_dict() for one in found]
        if listed or (self.path / FINDINGS).exists():
            self.write(FINDINGS, {"findings": listed})

    def findings(self) -> list[Finding]:
        """Return what was found out about the run, the worst first."""
        try:
            listed = self.read(FINDINGS)["findings"] if (self.path / FINDINGS).exists() else []
            return worst_first(map(Finding.from_dict, listed))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"cannot read {FINDINGS} of the run",
                where=str(self.path),
                found=str(error),
                remedy="remove that file: it says nothing that training depends on",
            ) from error

    def metrics_digest(self) -> str:
        """Return the SHA-256 of the metric log without its timings."""
        rows = [{key: value for key, value in row.items() if key not in TIMING} for row in self.metrics()]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def environment() -> dict[str, Any]:
    """Return what the machine and the libraries are, for whoever reads the run later."""
    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "command": sys.argv,
    }


def _text(file: Path) -> str:
    """Return what a small text file of a run says, nothing where there is none."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CheckpointError(
            f"cannot read {file.name} of the run",
            where=str(file.parent),
            found=error.strerror or str(error),
            remedy="put the original file back, or start a new run",
        ) from error


def new_folder(parent: Path, name: str) -> Path:
    """Make a folder of that name, with a number where another process has just made it.

    What a shell would take for more than a letter becomes a stroke, and a long name is cut.
    """
    name = re.sub(r"[^\w.+]+", "-", name)[:100].strip("-.")
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        return path
    raise AssertionError
