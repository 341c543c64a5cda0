"""The places where inputs of others come in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganglion.cli import main
from ganglion.data.catalogue import read
from ganglion.data.check import check, other_kind
from ganglion.data.dataset import Kind
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError


def read_and_judge(source: Path | str, wanted: Kind | None = None) -> tuple[str, ...]:
    """Do what training does with data before anything is built, and return the notes and warnings."""
    dataset = read(source, DataSettings(), wanted)
    findings = [*other_kind(dataset, wanted), *check(dataset)]
    stops = [finding for finding in findings if finding.level == "stop"]
    if stops:
        raise DataError(stops[0].message, where=dataset.source, found=", ".join(stops[0].where))
    return (*dataset.notes, *(finding.message for finding in findings))


def tell_and_judge(source: Path | str, wanted: Kind | None = None) -> tuple[str, ...]:
    """Look at data through the command line, whose exit code is printed on a line, then as training does."""
    status = command("data", "check", str(source), *(("--as", wanted) if wanted else ()))
    print(f"exit code {status}")
    return read_and_judge(source, wanted)


def command(*words: str) -> int:
    """Run a command line and return its exit code; what it says is printed."""
    return main(list(words))


def refusals(calls: dict[str, Callable[[], Any]]) -> dict[str, str]:
    """Call everything, and return what was wrong with the way in which each call failed."""
    from ganglion.errors import GanglionError

    wrong = {}
    for name, call in calls.items():
        try:
            result = call()
        except GanglionError as error:
            if len(str(error).splitlines()) < 2:
                wrong[name] = f"says too little: {error}"
        except BaseException as error:
            wrong[name] = f"{type(error).__name__}: {error}"
        else:
            wrong[name] = f"accepted: {result!r:.200}"
    return wrong


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what lies in a folder, to see whether anything was written into it."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns if path.is_file() else 0)
    return found
