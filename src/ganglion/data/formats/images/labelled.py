"""A folder of pictures with a table beside them that says what each shows: a class, a number, or several numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.formats.folder_layout import PART_NAMES, Folder, parts_of, readable, walk
from ganglion.data.formats.images.folders import read_found
from ganglion.data.formats.images.label_tables import LabelTable, find_label_tables, tables_in
from ganglion.data.formats.roles import TARGET_NAMES, names_rows, only_counts
from ganglion.data.formats.tables import Table, is_numeric, missing_in, read_table
from ganglion.data.formats.tabular import held_in, labels_in, several_targets, truth_in, types_of
from ganglion.data.formats.targets import read_targets
from ganglion.data.formats.weights import weights_in
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.findings import Finding

LABEL_NAMES = (*TARGET_NAMES, "labels", "category", "categories", "class_name", "class_id", "classname", "tag")
NAMED = 5
"""Files or columns that are named in a note."""


@dataclass(frozen=True)
class Labels:
    """What the pictures show, by the rows of one table."""

    table: Table
    rows: dict[Path, int]
    """The row of each picture."""
    blank: frozenset[Path]
    """Pictures whose rows say nothing, which are told of."""


def find_labelled(folder: Path, settings: DataSettings) -> Dataset | None:
    """Read pictures with a table beside them, if there is one that names them and folders do not say more clearly.

    Raises:
        DataError: The folders could be the classes as well as a column, it is open which column says what the pictures
            show, or the table and the pictures do not fit together.
    """
    if settings.labels in ("folders", "names") or not tables_in(folder):
        return None
    files, _ = walk(folder)
    broken: list[DataError] = []
    tables = find_label_tables(folder, files, settings, broken) if files else []
    classes = _classes_of_folders(folder, files)
    first = next(iter(broken), None)
    if isinstance(first, DataError) and not tables and not classes:
        raise first
    if not tables or (settings.labels == "auto" and _folders_say_it(folder, classes, tables, settings)):
        return None
    return _read(folder, files, tables, settings)


def _classes_of_folders(folder: Path, files: list[Path]) -> dict[Path, str]:
    """Return the folder that each picture lies in, where there are several and each picture lies in one."""
    classes = {}
    for _, root, paths in parts_of(folder, files, []):
        for path in paths:
            steps = path.relative_to(root).parts
            classes[path] = readable(steps[0]) if len(steps) > 1 else ""
    return classes if len(set(classes.values())) > 1 and "" not in classes.values() else {}


def _folders_say_it(folder: Path, classes: dict[Path, str], tables: list[LabelTable], settings: DataSettings) -> bool:
    """Whether folders of classes say what a column says. Raises where they say something else and none is asked for."""
    if not classes:
        return False
    first = tables[0]
    columns = read_table(first.path, settings, as_text=True)
    named = [(place, file) for place, file in enumerate(first.files) if file is not None]
    for name in columns.names:
        if name != first.column and all(str(columns[name][place]) == classes[file] for place, file in named):
            return True
    if settings.target is not None or settings.columns:
        return False
    raise DataError(
        "what these pictures show could be the names of their folders or a column of a table",
        where=str(first.path),
        expected="folders of classes, or a table of labels",
        found=f"folders {_few(sorted(set(classes.values())))}; columns {_few(columns.names)}",
        remedy=f"say which with --labels folders or --labels {quote(readable(str(first.path.relative_to(folder))))}",
    )


def _read(folder: Path, files: list[Path], tables: list[LabelTable], settings: DataSettings) -> Dataset:
    parts = sorted({table.part for table in tables})
    if len(parts) < len(tables):
        raise DataError(
            "several tables name these pictures",
            where=str(folder),
            expected="one table, or one for each part",
            found=", ".join(readable(table.path.name) for table in tables),
            remedy=f"say which with --labels {quote(readable(str(tables[0].path.relative_to(folder))))}",
        )
    tables = sorted(tables, key=lambda table: ["", "train", "validation", "test"].index(table.part))
    found, findings = Folder(), list[Finding]()
    main = read_table(tables[0].path, settings, {tables[0].column: "text"})
    found.notes += main.notes[:1]
    found.notes.append(f"pictures by the column {tables[0].column!r} of {readable(tables[0].path.name)}")
    split = None if _in_parts(folder, files) else _split_column(main, tables[0].column)
    targets = _target_columns(main, {tables[0].column, *([split] if split else [])}, settings, found.notes)
    every = [_labels(main, tables[0], targets, findings)]
    for other in tables[1:]:
        table = read_table(other.path, settings, {**types_of(main), other.column: "text"})
        if set(targets) <= set(table.names):
            every.append(_labels(table, other, targets, findings))
        else:
            found.notes.append(f"{readable(other.path.name)} has no {_few(targets)}: its pictures are a question")
            asked = {file for file in other.files if file is not None}
            files = [path for path in files if path not in asked]
    _divide(found, folder, files, every, split, findings)
    if not found.train:
        raise DataError(
            "no picture that is learnt from has a row with an answer",
            where=str(tables[0].path),
            expected=f"rows of pictures with {_few(targets)}",
            found=f"{len(found.test)} pictures of the test part with such rows",
            remedy="complete the table, or choose another column with --target",
        )
    dataset = read_found(found, folder, settings, lambda kept: _told(kept, every, targets, settings))
    return replace(dataset, findings=(*dataset.findings, *findings))


def _in_parts(folder: Path, files: list[Path]) -> bool:
    return len(parts_of(folder, files, [])) > 1


def _split_column(table: Table, naming: str) -> str | None:
    """Return the column that says which part each picture belongs to: `train`, `val`, `test`."""
    known = {name for names in PART_NAMES.values() for name in names}
    for name, column in zip(table.names, table.columns, strict=True):
        if name != naming and not is_numeric(column) and not missing_in(column).any():
            said = {str(cell).lower() for cell in column}
            if len(said) > 1 and said <= known and said & set(PART_NAMES["train"]):
                return name
    return None


def _target_columns(table: Table, others: set[str], settings: DataSettings, notes: list[str]) -> list[str]:
    """Return the column that says what pictures show, or several of numbers."""
    asked = [*(several_targets(table, settings) or filter(None, [settings.target]))] or list(settings.columns)
    if asked:
        for name in asked:
            table[name]
        if set(asked) & others:
            raise UsageError(
                "the names of the files cannot be learnt from the pictures",
                where="--target",
                found=", ".join(asked),
                remedy="name another column",
            )
        return asked
    others |= {*settings.drop, *filter(None, [settings.index, settings.weights])}
    left = [name for name in table.names if name not in others]
    columns = {name: table.columns[table.names.index(name)] for name in left}
    named = [name for known in LABEL_NAMES for name in left if name.lower() == known]
    if len(left) > 1 and not named:
        left = [name for name in left if not (names_rows(name) or only_counts(name, columns[name]))] or left
    said = {name: truth_in(columns[name]) for name in left}
    flags = [name for name in left if is_numeric(said[name]) and np.isin(said[name], (0, 1)).all()]
    if len(left) == 1 or (len(flags) == len(left) > 1):
        chosen = left
    elif named:
        chosen = named[:1]
    else:
        raise DataError(
            "which column says what these pictures show is open" if left else "no column says what these pictures show",
            where=table.source,
            expected="one column beside the names of the files, or several of 0 and 1",
            found=", ".join(left) or "only the names of the files",
            remedy="say which with --target NAME, or several with commas between them" if left else "add one",
        )
    notes.append(f"what they show is read from {'the column' if len(chosen) == 1 else 'the columns'} {_few(chosen)}")
    return chosen


def _labels(table: Table, named: LabelTable, targets: list[str], findings: list[Finding]) -> Labels:
    """Return the row of each picture; rows without a picture or an answer are findings."""
    missing = np.any([missing_in(table[name]) for name in targets], axis=0)
    rows: dict[Path, int] = {}
    absent, gaps, blank = [], [], set[Path]()
    for place, file in enumerate(named.files):
        if file is None:
            absent.append(place)
        elif missing[place]:
            gaps.append(place)
            blank.add(file)
        elif file in rows and any(table[name][place] != table[name][rows[file]] for name in targets):
            raise DataError(
                "a picture stands in several rows that say different things of it",
                where=f"{named.path}, line {table.line(place)}",
                expected="one row for each picture",
                found=f"{readable(file.name)} in line {table.line(rows[file])}, too",
                remedy="keep one row of each; boxes are read from Pascal VOC or COCO files",
            )
        else:
            rows.setdefault(file, place)
    for places, name, message in (
        (absent, "rows-without-picture", "name no picture"),
        (gaps, "rows-without-target", f"have nothing in {_few(targets)}"),
    ):
        if places:
            where = [f"line {table.line(place)}: {table[named.column][place]}" for place in places[:NAMED]]
            findings.append(stop(name, f"{len(places)} rows of {readable(named.path.name)} that {message}", where))
    return Labels(table, rows, frozenset(blank))


def stop(name: str, message: str, where: Sequence[str]) -> Finding:
    remedy = "complete or remove them; --allow-problems goes on without them"
    return Finding(name=name, level="stop", message=message, where=tuple(where), remedy=remedy)


def _divide(
    found: Folder, folder: Path, files: list[Path], every: list[Labels], split: str | None, findings: list[Finding]
) -> None:
    """Put the pictures that have a row into the parts, by their folders or a column; others are told of."""
    known = {path: labels for labels in every for path in labels.rows}
    unknown: list[Path] = []
    for part, root, paths in parts_of(folder, files, found.notes):
        with_rows = [path for path in paths if path in known]
        without = [path for path in paths if path not in known and not any(path in one.blank for one in every)]
        if part != "train" and not with_rows:
            found.notes.append(f"{len(paths)} pictures in {readable(root.name)} have no row: they are a question")
            continue
        unknown += without
        for path in with_rows:
            labels = known[path]
            said = part if split is None else _role(str(labels.table[split][labels.rows[path]]))
            (found.test if said == "test" else found.train).append(path)
            if said == "validation":
                found.validation.add(path)
    if split is not None:
        if not found.test:  # as with folders, a validation part alone is the test part
            found.test = [path for path in found.train if path in found.validation]
            found.train = [path for path in found.train if path not in found.validation]
            found.validation = set()
        found.notes.append(f"parts by the column {split!r}")
    if unknown:
        where = [readable(str(path)) for path in unknown[:NAMED]]
        findings.append(stop("pictures-without-row", f"{len(unknown)} pictures have no row with an answer", where))


def _role(text: str) -> str:
    return next(part for part, names in PART_NAMES.items() if text.lower() in names)


def _told(found: Folder, every: list[Labels], names: list[str], settings: DataSettings) -> dict[str, Any]:
    """Return what the pictures of both parts show, as a data set is told it."""
    known = {path: (labels.table, row) for labels in every for path, row in labels.rows.items()}
    where = f"{every[0].table.source}, {_few(names)}"
    parts = [_cells([known[path] for path in paths], names) for paths in (found.train, found.test)]
    labels = labels_in(parts[0], settings.task) if len(names) == 1 else None
    if labels:
        parts = [held_in(part, labels, where) for part in parts]
    read = read_targets(parts[0], parts[1] if found.test else None, where=where, called=_few(names), task=settings.task)
    hot = len(names) > 1 and bool(read.labels)
    found.notes.append(read.note)
    weights = None
    if settings.weights is not None:
        cells = [table[settings.weights][row] for table, row in (known[path] for path in found.train)]
        weights = weights_in(cells, settings.weights, every[0].table.source)
    return {
        "targets": read.values,
        "test_targets": read.test_values if found.test else None,
        "label_names": tuple(names[int(label)] for label in read.labels) if hot else read.labels,
        "target_names": ("label",) if hot else labels.names if labels else tuple(names),
        "weights": weights,
    }


def _cells(rows: Sequence[tuple[Table, int]], names: list[str]) -> np.ndarray:
    """Return the cells of some columns `(rows,)`, or `(rows, columns)` of several."""
    columns = [_column([table[name][row] for table, row in rows]) for name in names]
    return columns[0] if len(columns) == 1 else np.stack([truth_in(column) for column in columns], axis=1)


def _column(cells: list[Any]) -> np.ndarray:
    return np.array(cells, dtype=object) if any(isinstance(cell, str) for cell in cells) else np.array(cells)


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:NAMED])) + (", ..." if len(names) > NAMED else "")
