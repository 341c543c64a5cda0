"""Dialogues that nobody answered, and files of none."""

import zipfile
from pathlib import Path

from tests.hostile.case import accepted, put, refused

TALK = "".join(f"Hello, {name}. __eou__ Hi! __eou__\n" for name in "abcdefghijkl")


@accepted("dialogues", "turns with __eou__ behind them", "12 dialogues of 2.0 turns", wanted="dialogues")
def _(folder: Path) -> Path:
    return put(folder / "talk.txt", TALK)


@refused("dialogues", "one turn alone", "1 dialogues have one turn", "line 13: Hello?", wanted="dialogues")
def _(folder: Path) -> Path:
    return put(folder / "talk.txt", TALK + "Hello? __eou__\n")


@refused("dialogues", "only dialogues of one turn", "there is no dialogue here", "3 dialogues of", wanted="dialogues")
def _(folder: Path) -> Path:
    return put(folder / "talk.txt", "Hello? __eou__\n" * 3)


@refused("dialogues", "an empty file", "no dialogue here", wanted="dialogues")
def _(folder: Path) -> Path:
    return put(folder / "talk.jsonl", "")


@refused("dialogues", "a line of JSON that is no dialogue", "talk.jsonl, line 2", "no dialogue", wanted="dialogues")
def _(folder: Path) -> Path:
    return put(folder / "talk.jsonl", '{"turns": ["a", "b"]}\n{"turns": [1, 2]}\n')


@refused("dialogues", "YAML of another kind", "talk.yml, line 3", wanted="dialogues")
def _(folder: Path) -> Path:
    return put(folder / "talk.yml", "conversations:\n- - Hello.\n &anchor [x]\n")


@refused("dialogues", "two texts in one archive", "does not hold one text", wanted="dialogues")
def _(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "talk.zip", "w") as archive:
        archive.writestr("a.txt", "Hello.")
        archive.writestr("b.txt", "Hi.")
    return folder / "talk.zip"
