"""Pairs of texts: lines with a tab between the two, JSON lines, tables, or two files whose lines belong together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.folder_layout import PART_NAMES, describes
from ganglion.data.formats.tables import read_table
from ganglion.data.formats.texts.documents import JSON_LINES, cell_text, json_rows
from ganglion.data.formats.texts.packed import read_lines, without_packing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.settings import unknown_name

NAMES = (("source", "target"), ("src", "tgt"), ("src", "trg"), ("input", "output"), ("question", "answer"), ("x", "y"))
"""What the two sides are called, what is given before what is wanted."""
CELLS = (".csv", ".parquet", ".xlsx", ".xlsm")
"""Endings of tables; other files are lines with tabs."""
Rows = list[tuple[str | None, str | None]]
"""Both sides of every pair."""


def read_pairs(path: Path, settings: DataSettings) -> Dataset:
    """Read pairs from a file: lines with a tab between source and target, JSON lines, or two columns of a table.

    The columns are the two named with `columns`, or those called source and target and the like, or the first two.
    `target` alone names the side that is to be written. Pairs that lack a side are left out.
    """
    names, rows = _read(path, settings)
    return _dataset(path, names, {"train": rows}, [])


def read_pair_folder(folder: Path, settings: DataSettings) -> Dataset:
    """Read pairs from a folder: two files of lines that belong together, as `train.de` and `train.en`, or one of pairs.

    Files called train, val and test are the parts. Of several languages two are named with `columns`.

    Raises:
        UsageError: there are several sets, or several languages and none is named.
        DataError: two files differ in their number of lines, or there is nothing.
    """
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    files = [path for path in files if not describes(path.name)]
    sides: dict[str, dict[str, Path]] = {}
    for path in files:
        stem, _, language = without_packing(path).removesuffix(".txt").rpartition(".")
        sides.setdefault(stem, {})[language] = path
    aligned = {stem: by_name for stem, by_name in sides.items() if stem and len(by_name) > 1}
    named = {without_packing(path).partition(".")[0].lower(): path for path in files}
    pair = next((pair for pair in NAMES if set(pair) <= set(named)), None)
    if pair is not None:
        aligned = {"": {name: named[name] for name in pair}}
    if aligned:
        return _aligned(folder, aligned, settings)
    parts = by_part({without_packing(path).partition(".")[0]: path for path in files})
    if not parts and len(files) == 1:
        return read_pairs(files[0], settings)
    if "train" not in parts:
        raise DataError(
            "there are no pairs of texts in this folder",
            where=str(folder),
            expected="two files of lines, as train.de and train.en, or one file of pairs for each part, as train.tsv",
            found=", ".join(path.name for path in files[:10]) or "no files",
        )
    found = {part: _read(path, settings) for part, path in parts.items()}
    return _dataset(folder, found["train"][0], {part: rows for part, (_, rows) in found.items()}, [])


def read_sources(path: Path, column: str, settings: DataSettings) -> list[tuple[int, str]]:
    """Return the texts to answer for, numbered from 1 on: each line of a file, empty ones too, or those of a column."""
    if without_packing(path).lower().endswith((*CELLS, *JSON_LINES)):
        columns = _columns(path, settings)
        if column not in columns and len(columns) > 1:
            raise unknown_name("column", column, list(columns), where=str(path))
        texts = columns.get(column) or next(iter(columns.values()))
        return [(number, text or "") for number, text in enumerate(texts, 1)]
    return list(enumerate((line.partition("\t")[0] for line in read_lines(path, settings.encoding)), 1))


def _read(path: Path, settings: DataSettings) -> tuple[tuple[str, str], Rows]:
    """Return what the two sides of a file are called, and its pairs."""
    if without_packing(path).lower().endswith((*CELLS, *JSON_LINES)):
        columns = _columns(path, settings)
        names = _sides(list(columns), settings, str(path))
        return names, list(zip(columns[names[0]], columns[names[1]], strict=True))
    lines = [line.split("\t") for line in read_lines(path, settings.encoding)]
    width = max(map(len, lines), default=0)
    if width < 2:
        raise DataError(
            "these lines hold no pairs",
            where=str(path),
            expected="a tab between source and target on each line",
            found=f"{len(lines)} lines without tabs",
            remedy="put a tab between the two sides, or give a folder with a file of each side, as train.de, train.en",
        )
    cells = [one + [""] * (width - len(one)) for one in lines]
    head = [cell.strip().lower() for cell in cells[0]]
    headed = settings.header != "none" and (
        set(settings.columns) <= set(head) if settings.columns else any(set(pair) <= set(head) for pair in NAMES)
    )
    places = head if headed else [str(number) for number in range(1, width + 1)]
    names = _sides(places, settings, str(path))
    first, second = (places.index(name) for name in names)
    called = names if headed else ("source", "target")
    return called, [(one[first], one[second]) for one in cells[headed:]]


def _columns(path: Path, settings: DataSettings) -> dict[str, list[str | None]]:
    if path.suffix.lower() in CELLS:
        table = read_table(path, settings, as_text=True)
        return {name: [cell_text(cell) for cell in table[name].tolist()] for name in table.names}
    rows = [_flat(row) for row in json_rows("\n".join(read_lines(path, settings.encoding)), path)]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [value if isinstance(value := row.get(name), str) else None for row in rows] for name in names}


def _flat(row: dict) -> dict:
    """Return the pair of a row that holds it in an object of its own: `{"translation": {"de": ..., "en": ...}}`."""
    inner = [value for value in row.values() if isinstance(value, dict)]
    return inner[0] if len(inner) == 1 and len(inner[0]) > 1 else row


def _sides(columns: Sequence[str], settings: DataSettings, where: str) -> tuple[str, str]:
    """Return the names of the source and of the target among those of columns or languages."""
    for name in (*settings.columns, *filter(None, [settings.target])):
        if name not in columns:
            raise unknown_name("column", name, list(columns), where=where)
    if len(settings.columns) > 2 or len(columns) < 2:
        raise UsageError(
            "pairs have two sides",
            where=where,
            expected="two columns, source and target",
            found=", ".join(settings.columns or columns),
            remedy="name two with --columns",
        )
    named = next((pair for pair in NAMES if set(pair) <= set(columns)), None)
    if len(settings.columns) == 2:
        first, second = settings.columns
    else:
        first, second = named or (columns[0], columns[1])
    if settings.target in (None, second):
        return first, second
    assert settings.target is not None
    return second if settings.target == first else first, settings.target


def by_part(files: dict[str, Path]) -> dict[str, Path]:
    """Return the file of each part, by stems such as train, val and test_2016; of several the first."""
    found: dict[str, Path] = {}
    for part, names in PART_NAMES.items():
        stems = [stem for stem in files if stem.lower().replace("-", "_").split("_")[0] in names]
        if stems:
            found[part] = files[min(stems, key=lambda stem: (stem.lower() not in names, stem))]
    return found


def _aligned(folder: Path, aligned: dict[str, dict[str, Path]], settings: DataSettings) -> Dataset:
    """Read the files of two languages by part."""
    stems = by_part({stem: next(iter(by_name.values())) for stem, by_name in aligned.items()})
    parts = {part: next(one for one in aligned.values() if path in one.values()) for part, path in stems.items()}
    if "train" not in parts:
        if len(aligned) > 1:
            raise UsageError(
                "this folder holds several sets of pairs",
                where=str(folder),
                found=", ".join(sorted(aligned)[:10]),
                remedy="call the files of the training part train, as train.de and train.en",
            )
        parts = {"train": next(iter(aligned.values()))}
    languages = list(parts["train"])
    if len(languages) > 2 and len(settings.columns) < 2:
        raise UsageError(
            "this folder holds more than two languages",
            where=str(folder),
            found=", ".join(languages),
            remedy=f"name source and target with --columns {languages[0]} {languages[1]}",
        )
    names = _sides(languages, settings, str(folder))
    notes, rows = [], {}
    for part, files in parts.items():
        if not set(names) <= set(files):
            raise DataError(
                f"the {part} part lacks one side",
                where=str(folder),
                expected=" and ".join(names),
                found=", ".join(path.name for path in files.values()),
            )
        sides = [read_lines(files[name], settings.encoding) for name in names]
        _refuse_uneven(sides, [files[name] for name in names])
        rows[part] = list(zip(*sides, strict=True))
        notes.append(f"{part} from {' and '.join(files[name].name for name in names)}")
    read = {path for files in parts.values() for path in files.values()}
    left_out = sorted(stem for stem, files in aligned.items() if not read & set(files.values()))
    if left_out:
        notes.append(f"left out: {', '.join(left_out[:5])}")
    return _dataset(folder, names, rows, notes)


def _refuse_uneven(sides: list[list[str]], paths: list[Path]) -> None:
    first, second = map(len, sides)
    if first != second:
        raise DataError(
            "two files whose lines belong together differ in their number of lines",
            where=" and ".join(map(str, paths)),
            expected="as many lines in each, line by line the same",
            found=f"{first:,} and {second:,} lines; from line {_shifted(*sides)} on they seem to be shifted",
            remedy="find the line that is missing or doubled, and put it right",
        )


def _shifted(source: list[str], target: list[str]) -> int:
    """Return the line, from 1 on, from which on lengths agree better once the longer side is moved up."""
    longer, shorter = (source, target) if len(source) > len(target) else (target, source)
    gap = len(longer) - len(shorter)
    lengths = [np.log1p([len(line) for line in side]) for side in (longer, shorter)]
    ratio = np.median(lengths[0][: len(shorter)]) - np.median(lengths[1]) if len(shorter) else 0.0
    straight = np.abs(lengths[0][: len(shorter)] - lengths[1] - ratio)
    moved = np.abs(lengths[0][gap:] - lengths[1] - ratio)
    costs = np.concatenate([[0.0], straight.cumsum()]) + np.concatenate([moved[::-1].cumsum()[::-1], [0.0]])
    return int(costs.argmin()) + 1


def _dataset(path: Path, names: tuple[str, str], parts: dict[str, Rows], notes: list[str]) -> Dataset:
    kept = {part: _kept(rows) for part, rows in parts.items()}
    left_out = sum(map(len, parts.values())) - sum(map(len, kept.values()))
    if not kept["train"]:
        raise DataError(
            "no line has both sides of a pair",
            where=str(path),
            expected=f"{names[0]} and {names[1]} on each line",
            found=f"{len(parts['train'])} lines with one side at most",
        )
    said = [f"from {names[0]} to {names[1]}", *notes]
    said += [f"{left_out:,} pairs without one of their sides left out"] if left_out else []
    held = kept.get("validation", []) if "test" in kept else []
    train, test = kept["train"] + held, kept.get("test") or kept.get("validation", [])
    fields = _fields(train, names)
    found = Dataset(
        name=path.name.split(".")[0],
        fields=fields,
        test_fields=_fields(test, names) if test else {},
        source=str(path),
        fingerprint=fingerprint(*(side for rows in (train, test) for side in zip(*rows, strict=True))),
        notes=tuple(said),
    )
    return replace(found, validation=np.arange(len(kept["train"]), len(train))) if held else found


def _kept(rows: Rows) -> list[tuple[str, str]]:
    stripped = [((source or "").strip(), (target or "").strip()) for source, target in rows]
    return [(source, target) for source, target in stripped if source and target]


def _fields(rows: list[tuple[str, str]], names: tuple[str, str]) -> dict[str, Field]:
    sides = zip(("source", "target"), names, zip(*rows, strict=True), strict=True)
    return {side: Field(kind="texts", values=list(values), called=name) for side, name, values in sides}
