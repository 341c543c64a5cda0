"""Answers on stdout as text or as one JSON document; everything else on stderr."""

import json
import math
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ganglion.cli.wording import clock, words

SHOWN = 3
"""Answers of several that fit into a table."""
LONGEST_CELL = 60


def answer(document: Any, as_json: bool, show: Callable[[], None]) -> None:
    """Print `document` as JSON, or call `show` to print it for people."""
    if as_json:
        print(json.dumps(_plain(document), indent=2, allow_nan=False))
    else:
        show()


def note(text: str = "") -> None:
    """Say something that is not the answer."""
    print(text, file=sys.stderr, flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """Print rows under headings, the columns named in `right` flush right. Nothing is cut or folded."""
    from ganglion.tables import Table

    words = [column for column in columns if column not in right]
    print(Table(columns, [[text(value) for value in row] for row in rows], words=words))


def print_scores(system: str, part: str, score: str, metrics: dict[str, Any], baseline: dict[str, Any]) -> None:
    """Print the metrics of a part beside those of the baseline, the score first."""
    names = [score, *(name for name in metrics if name != score)]
    rows = [(words(name), metrics[name], baseline.get(name)) for name in names]
    print_table((f"{part} part", system, "baseline"), rows, right=(system, "baseline"))


def text(value: Any) -> str:
    """Return a value as a reader wants it: grouped whole numbers, four significant digits, a dash for nothing.

    >>> [text(value) for value in (61706, 0.98765, 0.99996, True, None, (64, 32), "digits")]
    ['61,706', '0.9877', '0.99996', 'yes', '-', '64 32', 'digits']
    """
    if value is None or value == "" or value == () or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        short = f"{value:.4g}"
        return f"{value:.6g}" if short == "1" and value < 1 else short  # what is not whole does not look it
    if isinstance(value, list | tuple):
        return " ".join(text(item) for item in value)
    return str(value)


def hanging(sentence: str) -> str:
    """Return the description of a command in lines that fit; tyro would join them if they were not indented."""
    return textwrap.fill(sentence, 80, subsequent_indent="  ")


def duration(seconds: float) -> str:
    """Return a time that something took.

    >>> duration(0.42), duration(125)
    ('0.4 s', '2:05')
    """
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def _plain(value: Any) -> Any:
    """Return `value` as JSON knows it: arrays become lists, and numbers that JSON has no word for become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy and torch, neither of which need be imported
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def print_rows(found: Any) -> None:
    columns = list(dict.fromkeys(name for row in found.rows for name in row))
    right = [name for name in columns if all(isinstance(row.get(name), int | float | None) for row in found.rows)]
    print_table(columns, [[_short(row.get(name)) for name in columns] for row in found.rows], right=right)
    if found.totals:
        print("\n" + ", ".join(f"{name.replace('_', ' ')} {text(value)}" for name, value in found.totals.items()))


def _short(value: Any) -> Any:
    """Return what a table cell can hold: the first of several answers, of many numbers how many, the ends of a text."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(" ".join(text(part) for part in one.values()) for one in value[:SHOWN])
    if isinstance(value, list) and len(value) > 2 * SHOWN:
        return f"{len(value)} values"
    if isinstance(value, str) and len(value) > LONGEST_CELL:
        return f"{value[: LONGEST_CELL // 2]} ... {value[-LONGEST_CELL // 2 :]}"
    return value
