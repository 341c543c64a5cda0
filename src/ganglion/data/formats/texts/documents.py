"""Texts with labels: tables and JSON lines with a column of each, folders of classes, files of classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.roles import NO_TARGET, TARGET_NAMES
from ganglion.data.formats.tables import SUFFIXES, read_table
from ganglion.data.formats.targets import BETWEEN_LABELS, MOST_CLASSES
from ganglion.data.formats.text import MOST_BYTES, read_text
from ganglion.data.formats.texts.encodings import decode_text
from ganglion.data.formats.weights import array_of_weights
from ganglion.data.leaks import leak_findings
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.files import parse_json
from ganglion.findings import Finding
from ganglion.settings import unknown_name

TEXT_NAMES = ("text", "sentence", "review", "comment", "content", "body", "message", "document", "description", "title")
LABEL_NAMES = (*TARGET_NAMES, "sentiment", "polarity", "category", "topic", "labels")
JSON_LINES = (".jsonl", ".ndjson")
JSON = (*JSON_LINES, ".json")
EXAMPLES = 3
"""Places and labels that are named of many."""
Columns = dict[str, list[str | None]]
"""The cells of every column as text, None where one is missing."""


def read_documents(path: Path, settings: DataSettings) -> Dataset:
    """Read labelled texts from a table, from JSON lines, or from lines that begin with their label.

    The column of texts is the one named with `columns`, or called text, sentence, review and the like, or the one of
    the longest cells; that of labels the one named with `target`, or called label, class, sentiment and the like, or
    the one of the fewest classes. Rows that lack one of them are left out.
    """
    if settings.target == NO_TARGET:
        return read_unlabelled(path, settings)
    columns, said = _columns(path, settings)
    label = _label_column(columns, settings, str(path))
    text = _text_column(columns, label, settings, str(path))
    notes = [f"texts from the column {text!r}, labels from {label!r}", *said]
    if others := [name for name in columns if name not in (text, label, settings.weights)]:
        notes.append(f"left out, for texts come from one column: {', '.join(others[:10])}; --columns chooses another")
    kept = [
        place
        for place, (words, name) in enumerate(zip(columns[text], columns[label], strict=True))
        if (words or "").strip() and name
    ]
    rows = [(str(columns[text][place]).strip(), str(columns[label][place])) for place in kept]
    findings = _left_out(kept, len(columns[text]))
    if not rows:
        raise DataError("no row has a text and a label", where=str(path), remedy="name other columns")
    names = sorted({name for _, name in rows}, key=by_number)
    if len(names) > max(MOST_CLASSES, len(rows) // 2):
        raise DataError(
            f"the column {label!r} hardly recurs, so it is no class",
            where=str(path),
            found=f"{len(names)} different values in {len(rows)} rows, such as {names[0][:40]!r}",
            remedy="choose another one with --target",
        )
    weights = None if settings.weights is None else array_of_weights(columns, settings.weights, path)[kept]
    dataset = dataset_of(path, names, rows, [], notes, (text,), weights)
    findings += [*_shared_cells(names), *leak_findings({}, np.asarray(dataset.targets), order=True)]
    return replace(dataset, findings=tuple(findings))


def _left_out(kept: Sequence[int], count: int) -> list[Finding]:
    """Return the finding that rows lack a text or a label, as that of a table is."""
    lacking = sorted(set(range(count)) - set(kept))
    if not lacking:
        return []
    return [
        Finding(
            name="rows-without-target",
            level="stop",
            message=f"{len(lacking)} rows without a text or a label are left out",
            measure="rows",
            value=float(len(lacking)),
            where=tuple(f"row {place + 1}" for place in lacking[:EXAMPLES]),
            remedy="complete them or remove them; --allow-problems goes on without them",
        )
    ]


def _shared_cells(names: Sequence[str]) -> list[Finding]:
    """Return the finding that labels share a cell, each combination of which is a class of its own."""
    for sign in BETWEEN_LABELS:
        parts = Counter(part.strip() for name in names for part in name.split(sign))
        together = [name for name in names if sign in name]
        if together and "" not in parts and len(parts) < len(names):
            message = f"labels that share a cell are classes of their own: {len(together)}"
            where, remedy = tuple(together[:EXAMPLES]), "texts are of one class each: keep one label in each cell"
            return [Finding(name="shared-cells", level="warn", message=message, where=where, remedy=remedy)]
    return []


def read_unlabelled(path: Path, settings: DataSettings) -> Dataset:
    """Read texts that belong to no class: from a column of a table or of JSON lines, or one from each line of text."""
    if path.suffix.lower() not in (*SUFFIXES, *JSON):
        called, texts = "", [text.strip() for text in read_text(path, settings.encoding).split("\n")]
    else:
        columns, _ = _columns(path, settings)
        called = _text_column(columns, NO_TARGET, settings, str(path))
        texts = [(text or "").strip() for text in columns[called]]
    kept = [text for text in texts if text]
    notes = [f"texts from the column {called!r}" if called else "a text from each line", "they have no labels"]
    if len(kept) < len(texts):
        notes.append(f"{len(texts) - len(kept)} empty ones left out")
    return unlabelled(path, kept, notes, called)


def unlabelled(path: Path, texts: list[str], notes: list[str], called: str = "") -> Dataset:
    """Return texts without classes as a data set."""
    if not texts:
        raise DataError("there are no texts here", where=str(path), expected="texts", remedy="name another file")
    return Dataset.of(
        name=path.stem,
        kind="documents",
        inputs=texts,
        column_names=(called,) if called else (),
        source=str(path),
        fingerprint=fingerprint(texts),
        notes=tuple(notes),
    )


def read_texts_of(path: Path, column: str, settings: DataSettings) -> list[tuple[int, str]]:
    """Return the texts to answer for, each with the number of its row or line from 1 on; empty ones are left out.

    They are those of a column of a table or of JSON lines, or the lines of a text file.
    """
    if path.suffix.lower() not in (*SUFFIXES, *JSON):
        texts: Sequence[str | None] = read_text(path, settings.encoding).split("\n")
    else:
        columns, _ = _columns(path, settings)
        if column not in columns and len(columns) > 1:
            raise unknown_name("column", column, list(columns), where=str(path))
        texts = columns.get(column) or next(iter(columns.values()))
    found = [(number, text.strip()) for number, text in enumerate(texts, start=1) if text and text.strip()]
    if not found:
        raise DataError("there are no texts in this file", where=str(path), expected="a text in each line or row")
    return found


def _columns(path: Path, settings: DataSettings) -> tuple[Columns, list[str]]:
    """Return the cells of a file of texts, and what is to be said of how they were read."""
    if path.suffix.lower() in JSON:
        return _json_columns(path, settings.encoding), []
    if path.suffix.lower() not in SUFFIXES:
        lines = labelled_lines(path, settings.encoding)
        return {"text": [text for text, _ in lines], "label": [label for _, label in lines]}, []
    table = read_table(path, settings, as_text=True)
    return {name: [cell_text(cell) for cell in table.inputs(name).tolist()] for name in table.names}, list(table.notes)


def labelled_lines(path: Path, encoding: str | None = None) -> list[tuple[str, str]]:
    """Return the texts and labels of lines that begin with their label, as `1 a fine film` or `__label__good fine`.

    Raises:
        DataError: the first words of the lines hardly recur, or stand alone.
    """
    lines = [line.strip() for line in read_text(path, encoding).split("\n")]
    parts = [line.split(maxsplit=1) for line in lines if line]
    labels = {part[0] for part in parts}
    if not parts or len(labels) > min(MOST_CLASSES, len(parts) // 2) or any(len(part) < 2 for part in parts):
        raise DataError(
            "labelled texts cannot be read from a file of this kind",
            where=str(path),
            expected=f"a file ending in {', '.join((*SUFFIXES, *JSON))}, lines that begin with their label, or a "
            "folder of classes",
            found=f"{len(parts)} lines that begin with {len(labels)} different words",
        )
    return [(part[1], part[0].removeprefix("__label__")) for part in parts]


def cell_text(cell: object) -> str | None:
    """Return the cell of a table as text, without the fraction of a whole number; None where it is missing."""
    if isinstance(cell, float):
        return None if cell != cell else str(int(cell)) if cell == int(cell) else str(cell)
    return None if cell is None else str(cell)


def _json_columns(path: Path, encoding: str | None) -> Columns:
    """Read one JSON object a line."""
    rows = json_rows(decode_text(path, MOST_BYTES, encoding)[0], path)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [_json_cell(row.get(name)) for row in rows] for name in names}


def json_rows(text: str, path: Path) -> list[dict]:
    """Return the JSON objects of which one stands in a line, or all in a list. Raises `DataError` for others."""
    if text.lstrip().startswith("["):
        return _listed(text, path)
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except ValueError as error:
            raise DataError(
                "this line is no JSON", where=f"{path}, line {number}", found=str(error), expected="one object a line"
            ) from error
        if not isinstance(row, dict):
            raise DataError(
                "a line is no object", where=f"{path}, line {number}", expected='{"text": ..., "label": ...}'
            )
        rows.append(row)
    if not rows:
        raise DataError("this file is empty", where=str(path), expected="one JSON object a line")
    return rows


def _listed(text: str, path: Path) -> list[dict]:
    try:
        rows = parse_json(text)
    except ValueError as error:
        raise DataError("this is no JSON", where=str(path), found=str(error), expected="a list of objects") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError("this is no list of objects", where=str(path), expected='[{"text": ..., "label": ...}, ...]')
    return list(rows)


def _json_cell(value: object) -> str | None:
    if value is None or isinstance(value, list | dict):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text_column(columns: Columns, label: str, settings: DataSettings, where: str) -> str:
    if settings.columns:
        if len(settings.columns) > 1:
            raise UsageError("texts are read from one column", found=", ".join(settings.columns), remedy="name one")
        if settings.columns[0] not in columns:
            raise unknown_name("column", settings.columns[0], list(columns), where=where)
        return settings.columns[0]
    others = [name for name in columns if name not in (label, settings.weights)]
    if not others:
        raise DataError("there is no column of texts", where=where, found=label, expected="one beside the labels")
    named = next((name for known in TEXT_NAMES for name in others if name.lower() == known), None)
    return named or max(others, key=lambda name: sum(len(cell or "") for cell in columns[name]))


def _label_column(columns: Columns, settings: DataSettings, where: str) -> str:
    if settings.target is not None:
        if settings.target not in columns:
            raise unknown_name("column", settings.target, list(columns), where=where)
        return settings.target
    others = [name for name in columns if name not in (*settings.columns, settings.weights)]
    if not others or len(columns) < 2:
        raise DataError("there is no column of labels", where=where, found=", ".join(columns), expected="two columns")
    named = next((name for known in LABEL_NAMES for name in others if name.lower() == known), None)
    return named or min(others, key=lambda name: len(set(columns[name])))


def by_number(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() else 1 << 62, name)


def dataset_of(
    path: Path,
    names: Sequence[str],
    rows: list[tuple[str, str]],
    test: list[tuple[str, str]],
    notes: list[str],
    columns: tuple[str, ...],
    weights: np.ndarray | None = None,
) -> Dataset:
    """Return texts and test texts with their labels, which are among `names`, and weights (samples,) as a data set."""
    numbers = {name: number for number, name in enumerate(names)}
    texts, targets = [text for text, _ in rows], np.array([numbers[name] for _, name in rows], dtype=np.int64)
    test_texts, test_targets = [text for text, _ in test], np.array([numbers[name] for _, name in test], dtype=np.int64)
    return Dataset.of(
        name=path.stem,
        kind="documents",
        inputs=texts,
        targets=targets,
        test_inputs=test_texts if test else None,
        test_targets=test_targets if test else None,
        label_names=tuple(names),
        column_names=columns,
        weights=weights,
        source=str(path),
        fingerprint=fingerprint(texts, targets, test_texts, test_targets, weights),
        notes=tuple(notes),
    )
