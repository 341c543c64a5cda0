"""A hostile or odd input: how it is made, and what is to be said of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.dataset import Kind

Through = Callable[..., tuple[str, ...]]
"""How an input comes in: what it is called with, and what kind is wanted, to the notes on it."""
Make = Callable[[Path], Path | str]
CASES: list["Case"] = []


@dataclass(frozen=True)
class Case:
    """One input of a kind. `said` are words of the error; an input that is accepted has words of its notes."""

    kind: str
    name: str
    said: tuple[str, ...]
    accepted: bool
    make: Make
    wanted: Kind | None = None
    """What the input is read as, where that does not follow from what lies there."""
    through: Through | None = None
    """Where the input comes in, if not as data that is read and looked at."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


def refused(
    kind: str, name: str, *said: str, wanted: Kind | None = None, through: Through | None = None
) -> Callable[[Make], Make]:
    """Register what `make` writes into a folder as an input that is refused with these words."""

    def register(make: Make) -> Make:
        CASES.append(Case(kind, name, said, False, make, wanted, through))
        return make

    return register


def accepted(
    kind: str, name: str, *said: str, wanted: Kind | None = None, through: Through | None = None
) -> Callable[[Make], Make]:
    """Register what `make` writes into a folder as an input that is read, with these words in its notes."""

    def register(make: Make) -> Make:
        CASES.append(Case(kind, name, said, True, make, wanted, through))
        return make

    return register


def refused_all(kind: str, said: str, contents: dict[str, bytes], file: str) -> None:
    """Register a file of this name with each of the contents, by the name of the case."""
    for name, content in contents.items():
        refused(kind, name, said)(lambda folder, content=content: put(folder / file, content))


def put(path: Path, content: bytes | str) -> Path:
    """Write a file, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
