"""Dialogues: JSON lines, lines with `__eou__` behind each turn, YAML of chatterbot-corpus, or turns line by line."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.folder_layout import describes, readable
from ganglion.data.formats.images.labelled import stop
from ganglion.data.formats.texts.packed import PACKED, read_lines, without_packing
from ganglion.data.formats.texts.pairs import by_part
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.files import parse_json

ENDINGS = (".txt", ".jsonl", ".ndjson", ".json", ".yml", ".yaml", ".tsv")
END_OF_TURN = "__eou__"
TURNS = ("dialogue", "dialog", "turns", "messages", "conversation", "conversations", "utterances", "text", "data")
"""What the list of turns is called in an object of JSON, and below what a turn says."""
SAYS = ("text", "content", "value", "utterance", "message", "body")
SPEAKER = re.compile(r"^[^\s:][^:]{0,24}:\s+")
"""Who speaks, before what is said."""
APART = re.compile(r"\s+([,.;:!?)\]}…，。！？])")
SHORTENED = re.compile(r"\s*['’]\s*(s|t|re|ve|ll|d|m)\b", re.IGNORECASE)
"""Signs, and ends of words such as 's, that corpora write with spaces before them."""
GLUED = re.compile(r"(?<=[a-z][.!?])(?=[A-Z])")
"""Between two sentences without a space."""
KEY = re.compile(r"\w[\w ]*:")
TURN = re.compile(r"(?P<first>- (?:- ?)?)?(?(first)|  -(?: |$))(?P<text>.*)$")
"""The first turn of a conversation in YAML, or another one."""
MOSTLY = 0.7
"""Share of the full stops, commas and question marks that must stand apart."""
NAMED = 5
Turns = list[str]


@dataclass
class _Read:
    """Dialogues of a file, and which of them have one turn."""

    dialogues: list[Turns] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    """Where those stand."""
    notes: list[str] = field(default_factory=list)


def read_dialogues(place: Path, settings: DataSettings) -> Dataset:
    """Read dialogues from a file, or from a folder of files, of which those called train, val and test are the parts.

    Dialogues of one turn, which nobody answered, are a finding that stops a training.

    Raises:
        DataError: there is no dialogue of two turns, or a line cannot be read.
    """
    files = [place] if place.is_file() else _files(place)
    parts = by_part({without_packing(path).partition(".")[0]: path for path in files})
    if "train" not in parts:
        parts = {}
    read: dict[str, _Read] = {}
    for part, paths in ({part: [path] for part, path in parts.items()} or {"train": files}).items():
        read[part] = _Read()
        for path in paths:
            _add(path, settings, read[part])
    if not read["train"].dialogues:
        alone = sum(len(one.alone) for one in read.values())
        raise DataError(
            "there is no dialogue here",
            where=str(place),
            expected="two turns or more: JSON lines, `__eou__` behind each turn, YAML, or a turn on each line and an "
            "empty line between dialogues",
            found=f"{alone} dialogues of one turn, as in {read['train'].alone[0]}" if alone else "no turn",
        )
    return _dataset(place, read)


def _files(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and not describes(path.name)]
    return [path for path in found if without_packing(path).lower().endswith(ENDINGS) or path.suffix in PACKED]


def _add(path: Path, settings: DataSettings, read: _Read) -> None:
    """Add the dialogues of a file."""
    lines = read_lines(path, settings.encoding, holding=END_OF_TURN.encode())
    name = without_packing(path).lower()
    if name.endswith((".jsonl", ".ndjson", ".json")):
        found = _json(lines, path, whole=name.endswith(".json"))
    elif name.endswith((".yml", ".yaml")):
        found = _yaml(lines, path)
    elif any(END_OF_TURN in line for line in lines):
        found = ((number, line.split(END_OF_TURN)) for number, line in enumerate(lines, 1))
    else:
        found = _by_line(lines, read.notes)
    for number, turns in found:
        said = [" ".join(turn.split()) for turn in turns if turn.strip()]
        if len(said) > 1:
            read.dialogues.append(said)
        elif said:
            read.alone.append(f"{readable(path.name)}, line {number}: {said[0][:60]}")


def _json(lines: Sequence[str], path: Path, whole: bool) -> Iterator[tuple[int, Turns]]:
    """Yield the dialogues of JSON lines, or of one list of them."""
    for number, line in enumerate(["\n".join(lines)] if whole else lines, 1):
        if not line.strip():
            continue
        where = str(path) if whole else f"{path}, line {number}"
        try:
            values = parse_json(line)
        except ValueError as error:
            raise DataError("this is no JSON", where=where, found=str(error), expected="a dialogue") from error
        for value in values if whole and isinstance(values, list) else [values]:
            yield number, _turns(value, where)


def _turns(value: object, where: str) -> Turns:
    """Return the turns of a JSON value: a list of texts or of objects that hold one, or an object that holds a list."""
    if isinstance(value, dict):
        named = next((value[name] for name in TURNS if isinstance(value.get(name), list)), None)
        value = named if named is not None else value
    if isinstance(value, list):
        said = [
            next((one[name] for name in SAYS if name in one), None) if isinstance(one, dict) else one for one in value
        ]
        texts = [one for one in said if isinstance(one, str)]
        if len(texts) == len(said):
            return texts
    raise DataError(
        "a line holds no dialogue",
        where=where,
        expected='a list of turns, as {"dialogue": ["Hello.", "Hi!"]}',
        found=f"{value!r:.80}",
    )


def _by_line(lines: Sequence[str], notes: list[str]) -> Iterator[tuple[int, Turns]]:
    """Yield dialogues of which each turn has a line, or of which each has a line with tabs between its turns."""
    if any("\t" in line for line in lines):
        yield from ((number, line.split("\t")) for number, line in enumerate(lines, 1))
        return
    if all(SPEAKER.match(line) for line in lines if line.strip()):
        lines = [SPEAKER.sub("", line) for line in lines]
        notes.append("who speaks stands before each turn, and is left out")
    first, turns = 1, list[str]()
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            turns.append(line)
            continue
        if turns:
            yield first, turns
        first, turns = number + 1, []


def _yaml(lines: Sequence[str], path: Path) -> Iterator[tuple[int, Turns]]:
    """Yield the conversations of a file of chatterbot-corpus: lists in a list, of texts as YAML writes them.

    Of YAML only what these files have is read; anything else is an error that names its line.
    """
    inside, texts = False, list[tuple[int, str, list[str]]]()  # line, what stands behind the dash, how it goes on
    for number, line in enumerate([*lines, "end:"], 1):
        begun = TURN.match(line) if inside else None
        if texts and ((begun and begun["first"]) or KEY.match(line)):
            yield texts[0][0], [_scalar(*one, path) for one in texts]
            texts = []
        if begun and (texts or begun["first"]):
            texts.append((number, begun["text"], []))
        elif KEY.match(line):
            inside = line.startswith("conversations")
        elif inside and texts and (line.startswith("    ") or not line.strip()):
            texts[-1][2].append(line[4:])
        elif inside and line.strip() and not line.startswith("#"):
            raise DataError(
                "this line is no part of a list of conversations",
                where=f"{path}, line {number}",
                expected="`- - a turn`, `  - an answer`, or a text that goes on, indented by four",
                found=line[:80],
            )


def _scalar(number: int, begun: str, more: list[str], path: Path) -> str:
    """Return a text as YAML writes it: plain, within quotation marks, or line by line behind `|` or `>`."""
    begun = begun.strip()
    if begun[:1] in ("|", ">"):
        return " ".join(more)
    whole = " ".join([begun, *(line.strip() for line in more)]).strip()
    if whole[:1] in ("'", '"'):
        if len(whole) < 2 or whole[-1] != whole[0]:
            raise DataError(
                "a quotation mark is not closed", where=f"{path}, line {number}", found=whole[:80], expected=whole[0]
            )
        inner = whole[1:-1]
        return inner.replace("''", "'") if whole[0] == "'" else inner.replace('\\"', '"').replace("\\\\", "\\")
    return whole


def _dataset(place: Path, read: dict[str, _Read]) -> Dataset:
    every = [dialogue for one in read.values() for dialogue in one.dialogues]
    apart = _stand_apart(every)
    texts = {
        part: ["\n".join(_together(turn) if apart else turn for turn in turns) for turns in one.dialogues]
        for part, one in read.items()
    }
    alone = [where for one in read.values() for where in one.alone]
    notes = [f"{len(every):,} dialogues of {np.mean([len(one) for one in every]):.1f} turns"]
    notes += list(dict.fromkeys(note for one in read.values() for note in one.notes))
    notes += (
        ["signs that stand apart from their words are put to them: `Hello , Ann .` is `Hello, Ann.`"] if apart else []
    )
    held = texts.get("validation", []) if "test" in texts else []
    train, test = texts["train"] + held, texts.get("test") or texts.get("validation", [])
    found = Dataset(
        name=place.name.split(".")[0],
        fields={"dialogues": Field(kind="texts", values=train)},
        test_fields={"dialogues": Field(kind="texts", values=test)} if test else {},
        source=str(place),
        fingerprint=fingerprint(train, test),
        notes=tuple(notes),
        findings=(stop("dialogues-of-one-turn", f"{len(alone)} dialogues have one turn", alone[:NAMED]),)
        if alone
        else (),
    )
    return replace(found, validation=np.arange(len(train) - len(held), len(train))) if held else found


def _stand_apart(dialogues: Sequence[Turns]) -> bool:
    """Whether most signs have a space before them, as corpora that were cut into words write them."""
    some = " ".join(turn for turns in dialogues[:1000] for turn in turns)
    signs = len(re.findall(r"[,.!?]", some))
    return signs > 0 and len(re.findall(r"\s[,.!?]", some)) > MOSTLY * signs


def _together(turn: str) -> str:
    """Return a turn with its signs where they belong.

    >>> _together("Hello , Ann . It ’ s late , isn ’ t it ?Yes")
    "Hello, Ann. It's late, isn't it? Yes"
    """
    return GLUED.sub(" ", SHORTENED.sub(r"'\1", APART.sub(r"\1", turn)))
