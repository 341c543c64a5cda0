"""Pictures with sentences that say what is in them: a table, JSON lines or COCO's JSON beside them, a text for each."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.folder_layout import Folder, describes, folders_in, parts_of, readable, walk
from ganglion.data.formats.images.folders import read_found
from ganglion.data.formats.images.label_tables import names_of, picture_named, tables_in
from ganglion.data.formats.images.labelled import stop
from ganglion.data.formats.tables import SUFFIXES, read_table
from ganglion.data.formats.text import read_text
from ganglion.data.formats.texts.documents import JSON_LINES, cell_text, json_rows
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.files import parse_json
from ganglion.settings import unknown_name

CAPTION_NAMES = (
    "caption",
    "captions",
    "text",
    "sentence",
    "sentences",
    "description",
    "descriptions",
    "raw",
    "comment",
)
"""What a column of captions is called, where several hold text."""
NUMBERED = re.compile(r"#\d+$")
"""What stands behind the name of a picture that has several rows, as in Flickr's lists."""
NAMED = 5
"""Files or lines that a finding names."""
Columns = dict[str, list[tuple[str, ...]]]
"""The texts in each cell; most cells hold one, or none."""


@dataclass
class _Said:
    """What the files beside pictures say of them."""

    captions: dict[Path, list[str]] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    """Lines that name no picture."""
    blank: list[str] = field(default_factory=list)
    """Lines that say nothing of theirs."""
    notes: list[str] = field(default_factory=list)


def read_captions(place: Path, settings: DataSettings) -> Dataset:
    """Read pictures and their captions from a folder, or from the file in it that holds the captions.

    A row names a picture and says one thing of it; a picture may have several. Folders called train, val and test are
    the parts. Rows without a picture and pictures without a caption are findings, which stop a training.

    Raises:
        DataError: there are no captions, or no picture that one is of.
    """
    folder = place if place.is_dir() else place.parent
    files, _ = walk(folder)
    said = _Said()
    for path in _caption_files(folder) if place.is_dir() else [place]:
        _read(path, files, settings, said)
    if not said.captions and not said.strangers:
        for path in files:
            beside = path.with_suffix(".txt")
            if beside.is_file():
                lines = [line.strip() for line in read_text(beside, settings.encoding).split("\n") if line.strip()]
                if lines:
                    said.captions[path] = lines
        said.notes += ["captions from the text file beside each picture"] if said.captions else []
    if not said.captions:
        raise DataError(
            "no picture in this folder has a caption",
            where=str(place),
            expected="a table or JSON lines with the name of a picture and a text in each row, as metadata.csv",
            found=f"{len(files)} pictures and {len(said.strangers)} rows that name none of them"
            + (f", as {said.strangers[0]}" if said.strangers else ""),
            remedy="name the pictures as their files are called; --target NAME says which column holds the captions",
        )
    return _dataset(folder, files, said, settings)


def _caption_files(folder: Path) -> list[Path]:
    """Return the files of a folder, of its parts and of `annotations`, that may hold captions."""
    places = [folder, *(path for name, path in folders_in(folder).items() if name == "annotations")]
    found = tables_in(folder)
    for place in places:
        for path in sorted(place.iterdir()):
            by_name = path.suffix.lower() in (*JSON_LINES, ".json") or path.name.lower().endswith(
                ("captions.txt", "token.txt")
            )
            if path.is_file() and by_name and not describes(path.name) and path not in found:
                found.append(path)
    for part in folders_in(folder).values():
        found += [path for path in sorted(part.glob("*.jsonl")) if path.is_file() and path not in found]
    captioned = [path for path in found if "caption" in path.name.lower()]
    return captioned or found


def _read(path: Path, files: Sequence[Path], settings: DataSettings, said: _Said) -> None:
    """Add what a file says of pictures; nothing where it holds something else."""
    columns = _columns(path, settings)
    root = path.parent if any(file.is_relative_to(path.parent) for file in files) else path.parent.parent
    known = names_of([file for file in files if file.is_relative_to(root)], root)
    found = {
        name: [picture_named(NUMBERED.sub("", cell[0].strip()), known) if cell else None for cell in cells]
        for name, cells in columns.items()
    }
    naming = max(found, key=lambda name: sum(file is not None for file in found[name]), default=None)
    others = [name for name in columns if name != naming and any(columns[name])]
    if naming is None or not others:
        return
    told = _told(others, columns, settings, str(path))
    for number, (file, texts) in enumerate(zip(found[naming], columns[told], strict=True), 1):
        line = f"{readable(path.name)}, row {number}"
        lines = [" ".join(text.split()) for text in texts if text.strip()]
        if not lines:
            said.blank.append(line)
        elif file is None:
            said.strangers.append(f"{line}: {''.join(columns[naming][number - 1][:1]) or 'no name'}")
        else:
            said.captions.setdefault(file, []).extend(lines)
    said.notes.append(f"captions from {told!r} of {readable(path.name)}, pictures by {naming!r}")


def _told(others: Sequence[str], columns: Columns, settings: DataSettings, where: str) -> str:
    """Return the column of the captions: the one asked for, one that is called so, or the one of the longest texts."""
    if settings.target is not None:
        if settings.target not in others:
            raise unknown_name("column", settings.target, list(others), where=where)
        return settings.target
    named = next((name for known in CAPTION_NAMES for name in others if name.lower() == known), None)
    return named or max(others, key=lambda name: sum(len(text) for cell in columns[name] for text in cell))


def _columns(path: Path, settings: DataSettings) -> Columns:
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        rows = json_rows(read_text(path, settings.encoding), path)
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: [_texts(row.get(name)) for row in rows] for name in names}
    if suffix == ".json":
        return _coco(path)
    if suffix not in SUFFIXES and path.name.lower().endswith("token.txt"):
        lines = [line.partition("\t") for line in read_text(path, settings.encoding).split("\n") if line.strip()]
        return {"image": [(first,) for first, _, _ in lines], "caption": [(last,) for _, _, last in lines]}
    table = read_table(path, settings, as_text=True)
    return {name: [_texts(cell_text(cell)) for cell in table[name].tolist()] for name in table.names}


def _texts(value: object) -> tuple[str, ...]:
    """Return the texts of a JSON value: a text, a list of texts, or objects that hold one each."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(text for one in value for text in _texts(one))
    if isinstance(value, dict):
        named = next((name for name in CAPTION_NAMES if isinstance(value.get(name), str)), None)
        return (value[named],) if named else ()
    return ()


def _coco(path: Path) -> Columns:
    """Read COCO's file of captions: pictures by number, and captions of these numbers; nothing of another file."""
    try:
        content = parse_json(read_text(path))
        if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
            return {}
        pictures = {one["id"]: str(one["file_name"]) for one in content["images"]}
        said = [(pictures[one["image_id"]], one.get("caption")) for one in content["annotations"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "this file of captions cannot be read",
            where=str(path),
            expected="COCO's JSON: images with id and file_name, annotations with image_id and caption",
            found=f"{type(error).__name__}: {error}",
        ) from error
    return {"file_name": [(name,) for name, _ in said], "caption": [_texts(text) for _, text in said]}


def _dataset(folder: Path, files: Sequence[Path], said: _Said, settings: DataSettings) -> Dataset:
    found = Folder(notes=said.notes)
    without = []
    for part, _, paths in parts_of(folder, list(files), found.notes):
        described = [path for path in paths if path in said.captions]
        without += [path for path in paths if path not in said.captions]
        (found.test if part == "test" else found.train).extend(described)
        if part == "validation":
            found.validation.update(described)
    counts = [len(captions) for captions in said.captions.values()]
    if max(counts) > 1:
        found.notes.append(f"{sum(counts):,} captions of {len(counts):,} pictures; each epoch shows one of a picture's")
    pictures = read_found(found, folder, settings, lambda _: {})  # found then lacks what is damaged
    findings = [
        stop(name, f"{len(items)} {message}", items[:NAMED])
        for name, message, items in (
            ("captions-without-picture", "captions are of no picture that is there", said.strangers),
            ("rows-without-caption", "rows hold no caption", said.blank),
            ("pictures-without-caption", "pictures have no caption", [readable(path.name) for path in without]),
        )
        if items
    ]
    texts = [["\n".join(said.captions[path]) for path in paths] for paths in (found.train, found.test)]
    return replace(
        pictures,
        fields=dict(_fields(pictures.fields["inputs"], texts[0])),
        test_fields=dict(_fields(pictures.test_fields["inputs"], texts[1])) if pictures.test_fields else {},
        fingerprint=fingerprint(pictures.fingerprint, *texts),
        findings=(*pictures.findings, *findings),
    )


def _fields(pictures: Field, captions: list[str]) -> Iterator[tuple[str, Field]]:
    yield "inputs", pictures
    yield "captions", Field(kind="texts", values=captions, called="caption")
