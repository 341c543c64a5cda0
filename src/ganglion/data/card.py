"""What was read, in plain words: one line for each column of a table, so that a user sees what a network will see."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.formats.tables import is_numeric, missing_in

EXAMPLES = 3
MOST_LINES = 12
"""Columns that a note before training describes one by one."""


def card(dataset: Dataset) -> list[dict[str, str]]:
    """Return a row for each column of a table: what it is called, type, range, missing values, examples.

    >>> rows = np.array([[1.5, "red"], [None, "blue"], [4.0, "red"]], dtype=object)
    >>> for row in card(Dataset.of(name="pets", kind="tabular", inputs=rows, column_names=("size", "colour"))):
    ...     print(row)
    {'column': 'size', 'type': 'numbers', 'range': '1.5 to 4', 'missing': '1', 'examples': '1.5, 4'}
    {'column': 'colour', 'type': 'texts', 'range': '2 different', 'missing': '', 'examples': 'red, blue'}
    """
    if dataset.kind != "tabular":
        return []
    rows = np.asarray(dataset.inputs)
    names = dataset.column_names or tuple(f"column {number + 1}" for number in range(rows.shape[1]))
    lines = [_line(name, typed(column)) for name, column in zip(names, rows.T, strict=True)]
    if dataset.targets is None:
        return lines
    (called,) = dataset.target_names[:1] or ("target",)
    if dataset.is_classification:
        counts = Counter(dataset.targets.tolist())
        said = [f"{_name(dataset, label)} ({count})" for label, count in counts.most_common(EXAMPLES)]
        target = {"type": "classes to predict", "range": f"{len(counts)} different", "examples": ", ".join(said)}
        return [*lines, {**dict.fromkeys(lines[0], ""), **target, "column": called, "missing": ""}]
    targets = dataset.targets.reshape(len(dataset.targets), -1)
    return [*lines, *(_line(called, column) | {"type": "quantity to predict"} for column in targets.T)]


def card_notes(dataset: Dataset) -> tuple[str, ...]:
    """Return the card of a table as sentences; of many columns only how many there are."""
    lines = card(dataset)
    if not lines:
        return ()
    if len(lines) > MOST_LINES:
        kinds = Counter(line["type"] for line in lines)
        said = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
        return (f"{len(dataset)} rows; columns: {said}; `ganglion data check` shows each",)
    return (f"{len(dataset)} rows", *map(_sentence, lines))


def _sentence(line: dict[str, str]) -> str:
    missing = f", {line['missing']} missing" if line["missing"] else ""
    return f"{line['column']}: {line['type']}, {line['range']}{missing}, such as {line['examples']}"


def _name(dataset: Dataset, label: int) -> str:
    return dataset.label_names[label] if dataset.label_names else str(label)


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
