"""Parameters that many commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import tyro

from ganglion.errors import UsageError


def _positional(kind: Any, metavar: str) -> Any:
    return Annotated[kind, tyro.conf.Positional, tyro.conf.arg(metavar=metavar, help_behavior_hint="")]


def _optional(kind: Any, metavar: str) -> Any:
    """Return a flag whose default, None, says nothing to a reader."""
    return Annotated[kind | None, tyro.conf.arg(metavar=metavar, help_behavior_hint="")]


if TYPE_CHECKING:  # a type checker sees plain types, tyro what makes its help short
    Switch: TypeAlias = bool
    Name: TypeAlias = str
    Names: TypeAlias = tuple[str, ...]
    Numbers: TypeAlias = tuple[int, ...]
    Shares: TypeAlias = tuple[float, ...]
    Settings: TypeAlias = tuple[str, ...]
    Folder: TypeAlias = str
    Folders: TypeAlias = tuple[str, ...]
    Functions: TypeAlias = tuple[str, ...]
    Image: TypeAlias = str
    Images: TypeAlias = tuple[str, ...]
    Photo: TypeAlias = str
    Inputs: TypeAlias = tuple[str, ...]
    InputText: TypeAlias = str
    OptionalCount: TypeAlias = int | None
    OptionalFile: TypeAlias = Path | None
    OptionalFolder: TypeAlias = str | None
    OptionalRate: TypeAlias = float | None
    OptionalText: TypeAlias = str | None
    OptionalKind: TypeAlias = str | None
else:
    Switch = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")]
    Name = _positional(str, "NAME")
    Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...", help_behavior_hint="")]
    Numbers = Annotated[tuple[int, ...], tyro.conf.arg(metavar="N ...", help_behavior_hint="")]
    Shares = Annotated[tuple[float, ...], tyro.conf.arg(metavar="X ...", help_behavior_hint="")]
    Folder = _positional(str, "DIR")
    Folders = _positional(tuple[str, ...], "DIR ...")
    Functions = _positional(tuple[str, ...], "NAME ...")
    Image = _positional(str, "IMAGE")
    Images = _positional(tuple[str, ...], "IMAGE")
    Settings = _positional(tuple[str, ...], "NAME=VALUE ...")
    Photo = _positional(str, "PHOTO")
    Inputs = _positional(tuple[str, ...], "INPUT ...")
    InputText = _positional(str, "INPUT")
    OptionalCount = _optional(int, "N")
    OptionalFile = _optional(Path, "FILE")
    OptionalFolder = _optional(str, "DIR")
    OptionalRate = _optional(float, "X")
    OptionalText = _optional(str, "TEXT")
    OptionalKind = Annotated[str | None, tyro.conf.arg(name="as", metavar="KIND", help_behavior_hint="")]


def refuse_unwritable(path: Path, may_be_folder: bool = False) -> None:
    """Refuse a place that cannot be written before any work is done."""
    is_folder = path.is_dir() and not may_be_folder
    if is_folder or not path.resolve().parent.is_dir():
        problem = "a folder" if is_folder else "its folder does not exist"
        raise UsageError("cannot write the file", where=str(path), found=problem, remedy="choose another path")
