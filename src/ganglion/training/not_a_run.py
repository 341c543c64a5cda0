"""What a path is that was taken for a run, and where the run may be that was meant."""

from itertools import islice
from pathlib import Path
from shlex import quote

from ganglion.errors import UsageError

MOST_ENTRIES = 1_000
"""Entries of a folder among which runs are looked for."""
ABOVE = 3
"""Folders above a path that may be its run: of a file of a checkpoint, the third."""


def not_a_run(path: Path) -> UsageError:
    """Return the error for a path that is no run, with the run that was likely meant.

    >>> not_a_run(Path("/nowhere")).found
    'no such folder'
    """
    found, remedy = "no config.json", "`ganglion runs list` shows the runs below ./runs"
    if not path.exists():
        found = "no such folder"
    elif path.is_file():
        found = "a file"
    if path.is_file() and path.suffix == ".onnx":
        remedy = f"`ganglion predict {quote(str(path))} INPUT` asks it; all else needs the run that it was taken from"
    elif above := next((one for one in list(path.absolute().parents)[:ABOVE] if _is_run(one)), None):
        remedy = f"name the run itself: {quote(str(above))}"
    elif within := _runs_within(path):
        found = f"a folder of {len(within)} {'run' if len(within) == 1 else 'runs'}"
        remedy = f"name one of them, such as {quote(str(within[0]))}"
    return UsageError(
        "not a run folder", where=str(path), expected="a folder with config.json in it", found=found, remedy=remedy
    )


def _is_run(folder: Path) -> bool:
    return (folder / "config.json").is_file() and (folder / "checkpoints").is_dir()


def _runs_within(folder: Path) -> list[Path]:
    """Return the runs in a folder, or one folder below it, in order."""
    try:
        near = [one for one in islice(folder.iterdir(), MOST_ENTRIES) if one.is_dir()]
        further = [one for parent in near if not _is_run(parent) for one in islice(parent.iterdir(), MOST_ENTRIES)]
    except OSError:  # no folder, or one that may not be read
        return []
    return sorted(one for one in (*near, *further) if _is_run(one))
