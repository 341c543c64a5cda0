"""Tables in Parquet files, in memory where they fit, and otherwise read group by group while training."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.card import MOST_DESCRIBED
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.roles import find_inputs, find_target
from ganglion.data.formats.shards.layout import PARQUET, Shards, find_shards
from ganglion.data.formats.tables.row_groups import RowGroups
from ganglion.data.formats.tables.table import Table, is_numeric, missing_in
from ganglion.data.formats.tabular import labels_in, read_tabular, several_targets
from ganglion.data.formats.targets import MOST_CLASSES, are_classes
from ganglion.data.in_groups import Chosen, InGroups, joined
from ganglion.data.mixed_rows import MixedRows
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.findings import Finding

MOST_IN_MEMORY = 1 << 30
"""Bytes of numbers that are held in memory unless the user decides otherwise."""
EVIDENCE_ROWS = 100_000
"""Rows by which it is judged which columns are what."""
EVIDENCE_GROUPS = 16
"""Groups that these rows are from."""
MOST_TEST_BYTES = 1 << 28
"""Bytes of a published test part, which is held in memory."""


@dataclass(frozen=True)
class Columns:
    """Rows of groups as samples: some columns are inputs, one is the target."""

    groups: RowGroups
    source: str
    inputs: tuple[str, ...]
    target: str | None = None
    classes: Mapping[Any, int] | None = None
    """The number of each class by what stands in the column; None where the target is a quantity."""

    @property
    def counts(self) -> np.ndarray:
        """Rows of each group `(groups,)`."""
        return self.groups.counts

    def chunks(self, group: int, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the rows of a group in order, some at a time: `inputs`, `targets`, or both."""
        wanted = [*self.inputs] * ("inputs" in names) + [self.target or ""] * ("targets" in names)
        for chunk in self.groups.chunks(group, wanted):
            yield {name: self._inputs(chunk) if name == "inputs" else self._targets(chunk) for name in names}

    def _inputs(self, chunk: Mapping[str, np.ndarray]) -> np.ndarray | MixedRows:
        columns = [chunk[name] for name in self.inputs]
        return np.stack(columns, axis=1) if all(map(is_numeric, columns)) else MixedRows(columns)

    def _targets(self, chunk: Mapping[str, np.ndarray]) -> np.ndarray:
        column = chunk[self.target or ""]
        if self.classes is None:
            return column
        if column.dtype == object:
            return np.array([self.classes.get(cell, -1) for cell in column.tolist()], dtype=np.int64)
        known = np.array(list(self.classes))
        places = np.searchsorted(known, column).clip(max=len(known) - 1)
        return np.where(known[places] == column, places, -1)


def read_parquet_set(path: Path, settings: DataSettings) -> Dataset:
    """Read a Parquet file, a folder of them, or those that fit a pattern; raise `DataError` for what is damaged."""
    shards = find_shards(path, PARQUET)
    groups = {part: RowGroups.of(files, shards.root) for part, files in shards.parts.items()}
    size = sum(int(one.counts.sum()) for one in groups.values()) * len(groups["train"].columns) * 8
    if settings.stream == "no" or (settings.stream == "auto" and size <= MOST_IN_MEMORY):
        return _in_memory(path, shards, settings)
    return _streamed(path, shards, groups, settings, size)


def _in_memory(path: Path, shards: Shards, settings: DataSettings) -> Dataset:
    """Return all rows, as those of one table."""
    if path.is_file():
        return read_tabular(path, settings)
    tables: dict[str, Table] = {part: _whole(shards, part) for part in shards.parts}
    return read_tabular(path, settings, tables=tables, notes=(_said(shards), *shards.notes))


def _whole(shards: Shards, part: Any) -> Table:
    from ganglion.data.formats.tables.parquet import table_of

    files = shards.parts[part]
    return table_of(RowGroups.of(files, shards.root), str(files[0].parent))


def _said(shards: Shards) -> str:
    counts = ", ".join(f"{len(files)} for {part}" for part, files in shards.parts.items())
    return f"read from {len(shards.files)} Parquet files" + (f": {counts}" if len(shards.parts) > 1 else "")


def _streamed(path: Path, shards: Shards, parts: Mapping[Any, RowGroups], settings: DataSettings, size: int) -> Dataset:
    """Return rows that stay in their files."""
    groups = parts["train"]
    if "validation" in parts:
        raise UsageError(
            "a folder for validation is not used where rows are read while training",
            where=str(path),
            expected="folders for training and testing",
            found="one for validation, too",
            remedy="move its files to those for training: --validation holds a share of all back",
        )
    if not len(groups):
        raise DataError("these tables have no rows", where=str(path), found=f"{len(shards.files)} empty files")
    some = _evidence(groups, str(path))
    if several_targets(some, settings):
        raise UsageError(
            "several targets need all rows in memory",
            where="--target",
            found=str(settings.target),
            remedy="name one column, or say --stream no if the memory suffices",
        )
    target, reason = find_target(some, settings)
    notes = [_said(shards), *shards.notes, f"target column {target!r} ({reason})" if target else reason]
    inputs = tuple(find_inputs(some, target, settings, notes))
    source = Columns(groups, str(path), inputs, target)
    fields = {"inputs": Field(kind="rows", values=InGroups(Chosen(source), "inputs"), names=inputs)}
    findings: list[Finding] = []
    if target:
        source, fields = _with_targets(source, some, settings, notes, findings)
    rows = int(groups.counts.sum())
    notes.append(f"{rows:,} rows ({size >> 20:,} MiB) in {len(groups)} groups are read while training")
    if rows > MOST_DESCRIBED:
        notes.append(f"columns are described and checked by {MOST_DESCRIBED:,} rows of all")
    return Dataset(
        name=path.stem or path.name,
        fields=fields,
        test_fields=_tested(source, parts["test"], fields, notes) if "test" in parts else {},
        source=str(path),
        fingerprint=groups.fingerprint() + (parts["test"].fingerprint() if "test" in parts else ""),
        notes=tuple(notes),
        findings=tuple(findings),
    )


def _evidence(groups: RowGroups, source: str) -> Table:
    """Return rows from the beginnings of groups that are evenly spread over all."""
    chosen = np.unique(np.linspace(0, len(groups) - 1, min(EVIDENCE_GROUPS, len(groups))).round().astype(int))
    most = EVIDENCE_ROWS // len(chosen)
    firsts = [next(iter(groups.chunks(group, rows=most))) for group in chosen.tolist()]
    columns = tuple(np.concatenate([chunk[name] for chunk in firsts]) for name in groups.columns)
    return Table(groups.columns, columns, True, source)


def _with_targets(
    source: Columns, some: Table, settings: DataSettings, notes: list[str], findings: list[Finding]
) -> tuple[Columns, dict[str, Field]]:
    """Return the samples with their target as classes or a quantity, which is settled by looking at all of it."""
    target = source.target
    assert target is not None
    column = some[target]
    present = column[~missing_in(column)]
    if labels_in(column, settings.task):
        notes.append(f"labels that share a cell of {target!r} are taken together, as one class")
    as_classes = settings.task == "classification" or (
        settings.task == "auto" and (not is_numeric(column) or are_classes(present))
    )
    if settings.task == "regression" and not is_numeric(column):
        raise DataError("texts are no quantities", where=f"{source.source}, column {target}", expected="numbers")
    counts, missing = _counted(source.groups, target, as_classes, source.source)
    if missing:
        said = f"{missing:,} rows without a target in column {target!r} are left out"
        remedy = "complete them or remove them; --allow-problems goes on without them"
        findings.append(Finding(name="rows-without-target", level="stop", message=said, remedy=remedy))
    names: tuple[str, ...] = ()
    classes = None
    if as_classes:
        ordered = sorted(counts)
        classes = {value: number for number, value in enumerate(ordered)}
        names = tuple(str(int(value)) if _is_whole(value) else str(value) for value in ordered)
        notes.append(f"{target!r} is read as {len(names)} classes; --task regression makes it a quantity")
    else:
        notes.append(f"{target!r} is read as a quantity (regression)")
    source = Columns(source.groups, source.source, source.inputs, target, classes)
    chosen = Chosen(source)
    inputs = Field(kind="rows", values=InGroups(chosen, "inputs"), names=source.inputs)
    values = InGroups(chosen, "targets")
    targets = (
        Field(kind="classes", values=values, names=names, called=target)
        if as_classes
        else Field(kind="values", values=values, names=(target,))
    )
    return source, {"inputs": inputs, "targets": targets}


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _counted(groups: RowGroups, target: str, as_classes: bool, source: str) -> tuple[Counter[Any], int]:
    """Return how often each class occurs, and how many rows have none."""
    counts: Counter[Any] = Counter()
    missing = 0
    for group in range(len(groups)):
        for chunk in groups.chunks(group, [target]):
            gaps = missing_in(chunk[target])
            missing += int(gaps.sum())
            if as_classes:
                present = chunk[target][~gaps]
                if present.dtype == object:
                    counts.update(present.tolist())
                else:
                    counts.update(
                        dict(zip(*(one.tolist() for one in np.unique(present, return_counts=True)), strict=True))
                    )
        if len(counts) > MOST_CLASSES * 1000:
            raise DataError(
                "this target has too many different values to be classes",
                where=f"{source}, column {target}",
                expected=f"at most {MOST_CLASSES * 1000:,}",
                found=", ".join(map(str, list(counts)[:3])) + ", ...",
                remedy="choose another column with --target, or --task regression for a quantity",
            )
    return counts, missing


def _tested(source: Columns, groups: RowGroups, fields: Mapping[str, Field], notes: list[str]) -> dict[str, Field]:
    """Return the published test part, in memory."""
    lacking = [name for name in (*source.inputs, *filter(None, [source.target])) if name not in groups.columns]
    if lacking:
        raise DataError(
            "the test part lacks columns of the training part",
            where=str(groups.files[0].parent),
            expected=", ".join(source.inputs[:10]),
            found=f"without {', '.join(lacking[:10])}",
        )
    tested = Columns(groups, str(groups.files[0].parent), source.inputs, source.target, source.classes)
    most = MOST_TEST_BYTES // (8 * max(1, len(source.inputs)))
    parts: dict[str, list[Any]] = {name: [] for name in fields}
    share = min(1.0, most / max(1, int(groups.counts.sum())))
    for group in range(len(groups)):
        for chunk in tested.chunks(group, list(fields)):
            for name, values in chunk.items():
                parts[name].append(values[: round(len(values) * share)])
    if share < 1:
        notes.append(
            f"of the test part {share:.1%} is judged, the first rows of every group, since it is held in memory"
        )
    held = {name: joined(values) for name, values in parts.items()}
    if source.classes is not None and (held["targets"] < 0).any():
        raise DataError(
            "the test part has classes that the training part lacks, or rows without one",
            where=tested.source,
            found=f"{int((held['targets'] < 0).sum())} such rows",
            remedy="put some of them into the training part, or leave those rows out",
        )
    return {
        name: Field(kind=one.kind, values=held[name], names=one.names, called=one.called)
        for name, one in fields.items()
    }
