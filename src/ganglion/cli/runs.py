"""`runs list`, `compare` and `clean`, from the JSON files of the run folders alone."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from ganglion.cli.arguments import Folders, Switch
from ganglion.cli.output import answer, duration, note, print_table
from ganglion.cli.wording import number, words
from ganglion.errors import GanglionError, UsageError
from ganglion.files import read_json
from ganglion.tables import size_text

TOGETHER = ("study.json", "folds.json")
"""The files that make one thing of the runs in a folder."""


@dataclass(frozen=True)
class Found:
    """A run folder that was found, with its configuration and, once it has finished, its result."""

    folder: Path
    config: dict[str, Any]
    result: dict[str, Any]

    @property
    def state(self) -> str:
        if self.result:
            return "finished"
        return "running" if self.is_locked else f"stopped at {self.last_step}"

    @property
    def is_locked(self) -> bool:
        lock = filelock.FileLock(self.folder / ".lock")
        try:
            with lock.acquire(timeout=0):
                return False
        except filelock.Timeout:
            return True
        except OSError:  # a folder that cannot be written, in which nobody trains
            return False

    @property
    def last_step(self) -> int:
        names = [path.name.removeprefix("step-") for path in (self.folder / "checkpoints").glob("step-*")]
        return max((int(name) for name in names if name.isdigit()), default=0)

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def document(self) -> dict[str, Any]:
        description = {"run": str(self.folder), "system": self.config["system"], "data": self.config.get("data")}
        return {**description, "state": self.state, **self.result}


def find_runs(root: str) -> list[Found]:
    """Return the runs in a folder and its sub-folders, oldest name first."""
    base = Path(root)
    if base.is_file():
        raise UsageError(
            "a file has no runs", where=root, expected="a folder with runs", remedy="name the folder of the run"
        )
    files = [base / "config.json", *base.glob("*/config.json"), *base.glob("*/*/config.json")]
    read = (open_folder(file.parent) for file in sorted(files))
    return [run for run in read if run]


def open_folder(folder: Path) -> Found | None:
    """Return the run in a folder, None where there is none."""
    config = _read(folder / "config.json")
    return Found(folder, config, _read(folder / "result.json")) if "system" in config else None


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_json(file, finite=False)
    except (GanglionError, ValueError):
        return {}


def list_runs(root: Folders = ("runs",), *, json: Switch = False) -> None:
    """List runs: what was trained on what, and how well it did.

    Args:
        root: Folders to look in.
        json: Print a list of JSON objects.
    """
    found = [run for folder in root for run in find_runs(folder)]

    def show() -> None:
        if not found:
            note(f"no runs in {' '.join(root)}; `ganglion train lenet5` makes one")
            return
        columns = ("run", "score", "baseline", "time", "state")
        rows = [(str(run.folder), *_score(run), run.state) for run in found]
        print_table(columns, rows, right=columns[1:4])

    answer([run.document() for run in found], json, show)


def _score(run: Found) -> tuple[str, str, str]:
    result = run.result
    if not result:
        return "", "", ""
    try:
        baseline = "" if result["baseline"] is None else number(result["baseline"])
        return f"{words(result['score_name'])} {number(result['score'])}", baseline, duration(result["seconds"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return "unreadable result.json", "", ""


def compare(folders: Folders, *, json: Switch = False) -> None:
    """Set runs side by side: their scores, and the settings in which they differ.

    Args:
        folders: Folders of the runs.
        json: Print one JSON object.
    """
    if len(folders) < 2:
        raise UsageError("name at least two runs", remedy="`ganglion runs list` shows them")
    found = []
    for folder in folders:
        run = open_folder(Path(folder))
        if run is None:
            from ganglion.training.not_a_run import not_a_run

            raise not_a_run(Path(folder))
        found.append(run)
    metrics = _union(run.result.get("metrics", {}) for run in found)
    settings = [_flat({key: run.config.get(key) for key in ("config", "trainer", "data_settings")}) for run in found]
    shared = [name for name in settings[0] if all(name in values for values in settings)]
    differing = [name for name in shared if len({str(values[name]) for values in settings}) > 1]
    rows = [
        *((key, *(run.document().get(key) for run in found)) for key in ("system", "data", "state")),
        *((key, *(run.result.get(key) for run in found)) for key in ("seconds", "steps", "best_step", "parameters")),
        *((name, *(run.result.get("metrics", {}).get(name) for run in found)) for name in metrics),
        *((name, *(values.get(name) for values in settings)) for name in differing),
    ]
    names = [run.folder.name for run in found]
    document = {
        "runs": [run.document() for run in found],
        "differences": {name: [values.get(name) for values in settings] for name in differing},
    }
    answer(document, json, lambda: print_table(("", *names), rows))


def _union(parts: Any) -> list[str]:
    """Return all keys of some dicts in the order in which they first occur."""
    return list(dict.fromkeys(key for part in parts for key in part))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def clean(root: Folders = ("runs",), *, yes: Switch = False, json: Switch = False) -> None:
    """Remove runs that were stopped and never finished; without --yes only say which.

    Trials of a study and folds of a cross-validation belong to it and stay.

    Args:
        root: Folders to look in.
        yes: Really remove them.
        json: Print a list of JSON objects.
    """
    unfinished = [run for folder in root for run in find_runs(folder) if not run.result and not run.is_locked]
    stale = [run for run in unfinished if not any((run.folder.parent / name).exists() for name in TOGETHER)]
    rows: list[dict[str, Any]] = [
        {"run": str(run.folder), "state": run.state, "bytes": run.size, "removed": yes} for run in stale
    ]
    if yes:
        for run in stale:
            shutil.rmtree(run.folder)

    def show() -> None:
        if not stale:
            note(f"nothing to clean in {' '.join(root)}")
            return
        print_table(
            ("run", "state", "size"),
            [(row["run"], row["state"], size_text(row["bytes"])) for row in rows],
            right=("size",),
        )
        note("removed" if yes else "nothing was removed; --yes removes these, `ganglion resume DIR` continues one")

    answer(rows, json, show)


RUNS = {"list": list_runs, "compare": compare, "clean": clean}
