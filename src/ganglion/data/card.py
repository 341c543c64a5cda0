"""What was read, in plain words: a line for each column or field, so that a user sees what a network will see."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.field_cards import EXAMPLES, field_line
from ganglion.data.formats.tables import is_numeric, missing_in
from ganglion.data.mixed_rows import MixedRows

MOST_DESCRIBED = 100_000
"""Samples that columns are described by where samples stay on disk."""
MOST_LINES = 12
"""Columns that a note before training describes one by one."""


def card(dataset: Dataset) -> list[dict[str, str]]:
    """Return a row for each column of a table or series, or else for each field: name, type, range, gaps, examples.

    >>> rows = np.array([[1.5, "red"], [None, "blue"], [4.0, "red"]], dtype=object)
    >>> for row in card(Dataset.of(name="pets", kind="tabular", inputs=rows, column_names=("size", "colour"))):
    ...     print(row)
    {'column': 'size', 'type': 'numbers', 'range': '1.5 to 4', 'missing': '1', 'examples': '1.5, 4'}
    {'column': 'colour', 'type': 'texts', 'range': '2 different', 'missing': '', 'examples': 'red, blue'}
    """
    dataset = dataset.in_memory(MOST_DESCRIBED)
    head = "column" if dataset.kind in ("tabular", "series") else "field"
    lines: list[dict[str, str]] = []
    for name, field in dataset.fields.items():
        if field.kind in ("rows", "series"):
            rows = field.values if isinstance(field.values, MixedRows) else np.asarray(field.values)
            names = field.names or tuple(f"column {number + 1}" for number in range(rows.shape[1]))
            lines += [_line(called, typed(column)) for called, column in zip(names, rows.T, strict=True)]
        elif field.kind == "values" and dataset.kind == "tabular":
            targets = np.asarray(field.values).reshape(len(field), -1)
            names = field.names or tuple([field.called or name] * len(targets.T))
            lines += [
                _line(called, column) | {"type": "quantity to predict"}
                for called, column in zip(names, targets.T, strict=True)
            ]
        else:
            line = {head: field.called or name, **field_line(field)}
            lines.append(line | {"type": name} if dataset.kind == "ratings" and field.kind == "classes" else line)
    return lines


def card_notes(dataset: Dataset) -> tuple[str, ...]:
    """Return the card as sentences; of many columns only how many there are."""
    lines = card(dataset)
    columns = [line for line in lines if "column" in line]
    if not columns:
        return tuple(map(_sentence, lines))
    rows = f"{len(dataset)} {'steps' if dataset.kind == 'series' else 'rows'}"
    if len(columns) > MOST_LINES:
        kinds = Counter(line["type"] for line in columns)
        said = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
        return (f"{rows}; columns: {said}; `ganglion data check` shows each",)
    return (rows, *map(_sentence, lines))


def _sentence(line: dict[str, str]) -> str:
    called, kind, span, missing, examples = line.values()
    gaps = f", {missing} missing" if missing else ""
    return f"{called}: {kind}, {span}{gaps}" + (f", such as {examples}" if examples else "")


def typed(column: np.ndarray) -> np.ndarray:
    """Return a column of objects, (rows,), as numbers if it holds none but these and gaps."""
    if column.dtype != object or any(isinstance(cell, str) for cell in column):
        return column
    return np.array([np.nan if cell is None else cell for cell in column], dtype=np.float64)


def _line(name: str, column: np.ndarray) -> dict[str, str]:
    missing = missing_in(column)
    present = column[~missing]
    gaps = str(int(missing.sum())) if missing.any() else ""
    if is_numeric(column):
        span = f"{present.min():.6g} to {present.max():.6g}" if len(present) else "nothing"
        return {"column": name, "type": "numbers", "range": span, "missing": gaps, "examples": _some(present)}
    texts = [text for text, _ in Counter(present.tolist()).most_common()]
    shown = ", ".join(f"{text:.20}" for text in texts[:EXAMPLES])
    return {"column": name, "type": "texts", "range": f"{len(texts)} different", "missing": gaps, "examples": shown}


def _some(numbers: Sequence[float] | np.ndarray) -> str:
    return ", ".join(f"{number:.6g}" for number in list(dict.fromkeys(np.asarray(numbers[:50]).tolist()))[:EXAMPLES])
