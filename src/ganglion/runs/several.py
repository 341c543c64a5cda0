"""The folder of several runs that belong together, as those of a cross-validation or of a study do."""

import datetime
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any

from ganglion.errors import CheckpointError, UsageError
from ganglion.files import named, read_json
from ganglion.training.run_folder import new_folder

TAKEN = {"config.json": "a run", "folds.json": "a cross-validation", "study.json": "a study"}
"""What a folder holds in which a file of that name lies."""


def folder_of_runs(out: str | Path | None, name: str) -> tuple[Path, bool]:
    """Return a folder for several runs, below `runs` where none is said, and whether it was made now."""
    if out is None:
        return new_folder(Path("runs"), f"{datetime.datetime.now().strftime('%Y-%m-%d_%H%M%S')}_{name}"), True
    folder = named(out)
    made = not folder.exists()
    for file in TAKEN:
        if (folder / file).exists():
            raise UsageError(
                f"the folder already holds {TAKEN[file]}",
                where=str(folder),
                remedy=f"`ganglion resume {quote(str(folder))}` continues it; a new one needs another --out",
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            "cannot write the folder", where=str(folder), found=str(error), remedy="choose --out"
        ) from error
    return folder, made


def read_description(
    folder: Path, file: str, newest: int, typed: Callable[[dict[str, Any]], dict[str, Any]], *, finite: bool = True
) -> dict[str, Any]:
    """Return what the file that describes several runs says.

    Args:
        folder: of the runs.
        file: its name, one of `TAKEN`.
        newest: format up to which this version can read it.
        typed: returns its contents with each value of its type, or raises where one is missing or of another type.
        finite: whether a number that is infinite or none is refused.

    Raises:
        UsageError: there is no such file.
        CheckpointError: it is damaged, or was written by a newer version.
    """
    if not (folder / file).is_file():
        raise UsageError(f"not {TAKEN[file]}", where=str(folder), expected=f"a folder with {file} in it")
    try:
        description = read_json(folder / file, finite=finite)
        if description["format"] > newest:
            raise CheckpointError(
                f"cannot read {file}",
                where=str(folder),
                expected=f"format {newest} or older",
                found=f"format {description['format']}",
                remedy="install the newer version of Ganglion that wrote it",
            )
        return typed(description)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(
            f"cannot read {file}", where=str(folder), found=str(error), remedy="put the original file back"
        ) from error
