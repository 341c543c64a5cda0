"""A run is a folder that people can read and copy: configuration, environment, metric log, checkpoints, figures."""

import datetime
import hashlib
import json
import os
import platform
import socket
import sys
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch

from ganglion.errors import CheckpointError, UsageError
from ganglion.training.checkpoint import write_synced

TIMING = ("seconds", "samples_per_second")
"""Fields of the metric log that differ from run to run."""


class RunFolder:
    """The files of one run; everything that is written into it goes through here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = filelock.FileLock(path / ".lock")

    @classmethod
    def create(cls, out: str | Path | None, name: str, config: dict[str, Any]) -> "RunFolder":
        """Make a new folder, `out` itself where given, and write its configuration and environment."""
        stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H%M%S")
        path = Path(out) if out else Path("runs") / f"{stamp}_{name}"
        if not out:
            path = next(free for free in _numbered(path) if not free.exists())
        if (path / "config.json").exists():
            raise UsageError(
                "the folder already holds a run",
                where=str(path),
                remedy=f"`ganglion resume {path}` continues it; choose another --out for a new one",
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
            run = cls(path)
            run.write("config.json", config)
            run.write("environment.json", environment())
        except OSError as error:
            raise UsageError(
                "cannot write the run folder",
                where=str(path),
                found=error.strerror or str(error),
                remedy="choose --out",
            ) from error
        return run

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        path = Path(path)
        if not (path / "config.json").is_file():
            raise UsageError(
                "not a run folder",
                where=str(path),
                expected="a folder with config.json in it",
                found="no such folder" if not path.exists() else "no config.json",
                remedy="`ganglion runs list` shows the runs below ./runs",
            )
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    def lock(self) -> None:
        """Keep other trainers out until this process ends or `unlock` is called."""
        holder = self.path / ".lock-holder.json"
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            who = holder.read_text(encoding="utf-8") if holder.exists() else "an unknown process"
            raise CheckpointError(
                "the run is in use by another trainer", where=str(self.path), found=who, remedy="wait for it or stop it"
            ) from None
        started = datetime.datetime.now().isoformat(timespec="seconds")
        write_synced(holder, f"process {os.getpid()} on {socket.gethostname()} since {started}")

    def unlock(self) -> None:
        (self.path / ".lock-holder.json").unlink(missing_ok=True)
        self._lock.release()

    def write(self, name: str, value: dict[str, Any]) -> None:
        write_synced(self.path / name, json.dumps(value, indent=1))

    def read(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the run; raises `CheckpointError` when it is missing or unreadable."""
        try:
            return dict(json.loads((self.path / name).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise CheckpointError(f"cannot read {name} of the run", where=str(self.path), found=str(error)) from error

    def point(self, pointer: str, checkpoint: Path) -> None:
        """Let the pointer file `best` or `last` name a checkpoint."""
        write_synced(self.path / pointer, checkpoint.name)

    def pointed(self, pointer: str) -> Path | None:
        file = self.path / pointer
        path = self.checkpoints / file.read_text(encoding="utf-8").strip() if file.exists() else None
        return path if path and path.parent == self.checkpoints and path.is_dir() else None

    def log(self, text: str) -> None:
        with open(self.path / "log.txt", "a", encoding="utf-8") as file:
            file.write(f"{datetime.datetime.now().isoformat(timespec='seconds')} {text}\n")

    def append_metrics(self, row: dict[str, Any]) -> None:
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def metrics_size(self) -> int:
        file = self.path / "metrics.jsonl"
        return file.stat().st_size if file.exists() else 0

    def cut_metrics(self, size: int) -> None:
        """Forget reports made after the checkpoint that training continues from."""
        if self.metrics_size() > size:
            os.truncate(self.path / "metrics.jsonl", size)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metric log; a torn last line is left out."""
        file = self.path / "metrics.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        rows = []
        for line in lines:
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return rows

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


def _numbered(path: Path) -> Any:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.name}-{number}")
        number += 1
