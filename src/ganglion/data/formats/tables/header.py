"""Whether the first rows of a table name its columns, by what stands below them."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ganglion.data.formats.tables.spelling import is_number
from ganglion.data.formats.tables.words import MISSING
from ganglion.errors import DataError

MOST_HEADER_ROWS = 3
FEWEST_TO_RECUR = 10
"""Rows from which on it says something that a cell occurs only once in a column of few different texts."""
FEWEST_IN_STEPS = 4
"""Numbers in constant steps that make a first row a header by themselves."""
YEARS = range(1800, 2101)
RULE = re.compile(r"(?::?[-=]{3,}:?)?")
"""A cell of the line that parts a header from its table."""


def header_rows(rows: Sequence[Sequence[str]], where: str) -> int:
    """Return how many of the first rows are a header.

    Args:
        rows: The first rows of a table, the header perhaps among them, all of the same width.

    Raises:
        DataError: The first row could be a header as well as a row of data.

    >>> header_rows([["size", "kind"], ["1.5", "cat"], ["2", "dog"]], "pets.csv")
    1
    >>> header_rows([["depth", "heat"], ["m", "°C"], ["1", "5"], ["2", "6"], ["3", "7"], ["4", "8"]], "lake.csv")
    2
    >>> header_rows([["1.5", "cat"], ["2", "dog"], ["3", "cat"]], "pets.csv")
    0
    """
    if len(rows) > 2 and _is_rule(rows[1]):
        return 2
    columns = [[cell.strip() for cell in column] for column in zip(*rows, strict=True)]
    names = _rows_above_numbers(columns)
    if names:
        return names
    first = [column[0] for column in columns]
    if not any(first):
        return 0
    return int(_is_header_of_numbers(columns, first, where) if any(map(is_number, first)) else _names_texts(columns))


def _is_rule(row: Sequence[str]) -> bool:
    """Whether a row is the line between a header and its table, as Markdown draws one."""
    return any(map(str.strip, row)) and all(RULE.fullmatch(cell.strip()) for cell in row)


def _rows_above_numbers(columns: Sequence[Sequence[str]]) -> int:
    """Return how many rows of words stand above all columns of numbers."""
    numeric = [column for column in columns if _is_numeric(column[min(MOST_HEADER_ROWS, len(column) - 1) :])]
    if not numeric:
        return 0
    count = 0
    for cells in list(zip(*numeric, strict=True))[:MOST_HEADER_ROWS]:
        words = [cell for cell in cells if cell and not is_number(cell)]
        if any(map(is_number, cells)) or not words or all(word.lower() in MISSING for word in words):
            break
        count += 1
    # A single word below the names of a single column of numbers is a cell that is no number.
    return count if count < 2 or len(numeric) > 1 else 1


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether all cells that say something, and there is one, are numbers."""
    said = [cell for cell in cells if cell.lower() not in MISSING]
    return bool(said) and sum(map(is_number, said)) > 0.9 * len(said)


def _is_header_of_numbers(columns: Sequence[Sequence[str]], first: Sequence[str], where: str) -> bool:
    """Judge a first row in which numbers stand: `,0,1,2,label`, `country,2019,2020`, or data."""
    numbers = [cell for cell in first if is_number(cell)]
    steps = _in_steps(numbers)
    rows = list(zip(*columns, strict=True))[1:]
    if not rows:
        return False
    alone = steps and not any(_in_steps([cell for cell in row if is_number(cell)]) for row in rows)
    years = all(cell.isdigit() and int(cell) in YEARS for cell in numbers) and len(set(numbers)) == len(numbers)
    beyond = years and all(
        not any(below.isdigit() and int(below) in YEARS for below in column[1:])
        for cell, column in zip(first, columns, strict=True)
        if cell in numbers
    )
    if any(_speaks_against(cell, column[1:]) for cell, column in zip(first, columns, strict=True)):
        return False
    named = sum(_speaks_for(cell, column[1:]) for cell, column in zip(first, columns, strict=True))
    if beyond or named or (alone and len(numbers) >= FEWEST_IN_STEPS):
        return (beyond and len(rows) > 1) or steps or (bool(named) and _all_differ(first))
    if alone and len(numbers) == FEWEST_IN_STEPS - 1 and len(columns) == len(numbers) and numbers[0] in ("0", "1"):
        raise DataError(
            "the first row of this table may name its columns or be one of its rows",
            where=where,
            expected="a header of words",
            found=", ".join(first),
            remedy="say which with --header 1 or --header none",
        )
    return False


def _all_differ(cells: Sequence[str]) -> bool:
    return len({cell for cell in cells if cell}) == len([cell for cell in cells if cell])


def _in_steps(cells: Sequence[str]) -> bool:
    """Whether some cells are whole numbers from 0 on that grow in constant steps, at least two of them."""
    if len(cells) < 2 or not all(cell.isdecimal() and len(cell) < 10 for cell in cells):
        return False
    numbers = [int(cell) for cell in cells]
    step = numbers[1] - numbers[0]
    return step > 0 and all(after - before == step for before, after in pairwise(numbers))


def _speaks_against(cell: str, below: Sequence[str]) -> bool:
    """Whether a first cell can hardly be a name: it is a fraction, or a text that occurs again."""
    if is_number(cell):
        return not cell.isdecimal() and any(map(is_number, below))
    return bool(cell) and cell.lower() not in MISSING and cell in below


def _speaks_for(cell: str, below: Sequence[str]) -> bool:
    """Whether a first cell can hardly be data: nothing or a word above numbers, or alone among texts that recur."""
    if is_number(cell):
        return False
    if _is_numeric(below) and (not cell or cell.lower() not in MISSING):
        return True
    counts = Counter(below)
    return len(below) >= FEWEST_TO_RECUR and cell not in counts and min(counts.values()) > 1


def _names_texts(columns: Sequence[Sequence[str]]) -> bool:
    """Judge a first row of texts above texts: names, unless as many as half of them occur again below."""
    recurring = sum(column[0] in column[1:] for column in columns)
    return recurring < len(columns) / 2


def joined(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return one name for each column from one or more rows of a header; a blank one takes what stands left of it.

    >>> joined([["lake", "", "shore"], ["depth", "heat", "heat"]])
    ['lake depth', 'lake heat', 'shore heat']
    >>> joined([["", "size", "kind"], ["", "---", ":---:"]])
    ['', 'size', 'kind']
    """
    rows = [row for row in rows if not _is_rule(row)] or rows
    if len(rows) == 1:
        return [cell.strip() for cell in rows[0]]
    filled = []
    first, second = rows[0], rows[1]
    if first[0].strip() and not any(map(str.strip, first[1:])) and all(map(str.strip, second)):
        return joined(rows[1:])  # a title, which a spreadsheet writes into the first cell of a row
    for row in rows[:-1]:
        left, full = "", []
        for cell in row:
            left = cell.strip() or left
            full.append(left)
        filled.append(full)
    return [" ".join(filter(None, map(str.strip, parts))) for parts in zip(*filled, rows[-1], strict=True)]


def unique(names: Sequence[str]) -> list[str]:
    """Return the names with a number behind those that are empty or occur again.

    >>> unique(["a", "", "a"])
    ['a', 'column 2', 'a (3)']
    """
    result: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        name = name or f"column {number}"
        result[f"{name} ({number})" if name in result else name] = None
    return list(result) if len(result) == len(names) else [f"column {number + 1}" for number in range(len(names))]
