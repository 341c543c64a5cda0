"""The dialect of a table of text: which lines stand before it, what separates its cells, whether they are quoted."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganglion.data.formats.tables.spelling import is_number
from ganglion.errors import DataError, UsageError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
SAMPLE_LINES = 200
"""Lines by which delimiters are compared; every line is then held against what was chosen."""
MOSTLY = 0.9
"""Share of the lines that must have the same number of cells for a delimiter to come into question."""
SAMPLE_ROWS = 50
SAMPLE_CELLS = 100
"""Rows, and cells of each, that are looked into."""
COMMENTS = ("#", "%", "//")
MOST_BEFORE = 20
"""Lines of comments and titles that may stand before a table."""


@dataclass(frozen=True)
class Dialect:
    """How the lines of a file become cells."""

    delimiter: str
    quoted: bool = True
    escaped: bool = False
    """A quotation mark within quotes stands behind a backslash instead of being doubled."""

    def cells(self, lines: Iterable[str]) -> Any:
        """Return a reader of rows that raises `csv.Error` for a quotation mark out of place, also at the end.

        >>> list(Dialect(";").cells(['a; "b;c"', '1;2']))
        [['a', 'b;c'], ['1', '2']]
        """
        if self.delimiter == " ":
            lines = (line.strip(" ") for line in lines)
        form: dict[str, Any] = {"quoting": csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE}
        if self.escaped:
            form |= {"escapechar": "\\", "doublequote": False}
        return csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True, strict=True, **form)


def named_delimiter(asked: str) -> str:
    r"""Return the character that a user means by a delimiter: itself, or what it is called.

    >>> named_delimiter("tab"), named_delimiter(";")
    ('\t', ';')
    """
    called = {name: sign for sign, name in DELIMITERS.items()} | {"\\t": "\t"}
    sign = called.get(asked, asked)
    if len(sign) != 1 or sign in '"\r\n':
        raise UsageError(
            "a delimiter is one character",
            where="--delimiter",
            expected=f"one character, or {', '.join(DELIMITERS.values())}",
            found=repr(asked),
        )
    return sign


def lines_before(lines: Sequence[str]) -> tuple[int, str, str]:
    """Return how many lines stand before the table, the delimiter that one of them names, and a commented header.

    Spreadsheets write `sep=;` first; tools write comments that begin with `#`, the last of which may be the header.

    >>> lines_before(["# made by hand", "a,b", "1,2"])
    (1, '', '# made by hand')
    >>> lines_before(["sep=;", "a;b"])
    (1, ';', '')
    """
    count, delimiter, comment = 0, "", ""
    for line in lines[:MOST_BEFORE]:
        text = line.strip("\r\n").lstrip("\ufeff")
        if not count and text.lower().startswith("sep=") and len(text) == 5:
            delimiter = text[4]
        elif text.startswith(COMMENTS):
            comment = text
        elif text.strip():
            break
        count += 1
    return (count, delimiter, comment) if delimiter or comment else (0, "", "")


def title_lines(lines: Sequence[str], dialect: Dialect) -> int:
    """Return how many lines of a title stand above a table: lines of one cell that a blank line parts from it."""
    rows = _rows(lines[: MOST_BEFORE + 2], dialect)
    if rows is None or dialect.delimiter == " ":
        return 0
    width = [sum(map(bool, map(str.strip, row))) for row in rows]
    first = next((place for place, filled in enumerate(width) if filled > 1), 0)
    return first if first and 0 in width[:first] else 0


def find_dialect(lines: Sequence[str], path: Path, asked: str | None) -> Dialect:
    """Return the dialect that cuts the first lines most evenly into clean cells.

    Cells are clean where no other delimiter stands in them unless as a part of a number.

    Raises:
        DataError: two delimiters cut the lines equally well.
    """
    lines = [line for line in lines if line.strip()][:SAMPLE_LINES]
    if asked is not None:
        return Dialect(asked)
    ranks = {sign: rank for sign in DELIMITERS if (rank := _rank(lines, sign)) is not None}
    wide = {sign: rank for sign, rank in ranks.items() if sign != " "}
    if wide:
        best = max(wide, key=lambda sign: wide[sign])
        equal = [sign for sign in wide if wide[sign] == wide[best]]
        if len(equal) > 1:
            raise DataError(
                "the cells of this table could be separated in two ways",
                where=str(path),
                expected="one delimiter that cuts all lines alike",
                found=" and ".join(DELIMITERS[sign] for sign in equal),
                remedy=f"say which with --delimiter {DELIMITERS[best]}",
            )
        return Dialect(best)
    # Words between spaces are no columns unless every row agrees; the comma also for a table of one column.
    return Dialect(" " if ranks and ranks[" "][1] else ",")


def _rank(lines: Sequence[str], sign: str) -> tuple[bool, bool, float, float, int] | None:
    """Return how well a delimiter cuts lines.

    From what says most: quotation marks fit, all lines are cut alike, share of lines with clean cells only, share of
    cells that are numbers, cells in a line.
    """
    quoted = _rows(lines, Dialect(sign))
    rows = quoted or _rows(lines, Dialect(sign, quoted=False))
    if not rows:
        return None
    counts = Counter(map(len, rows))
    width, often = counts.most_common(1)[0]
    if sign == " " and len(rows[0]) == width - 1 > 1 and _are_numbers(rows[1:], width):
        often = len(rows)  # as R writes a table, with names of rows that the header does not name
    if width < 2 or often < MOSTLY * len(rows):
        return None
    others = [other for other in DELIMITERS if other not in (sign, " ")]
    clean = numbers = cells = 0
    for row in rows[:SAMPLE_ROWS]:
        said = [(cell.strip(), is_number(cell)) for cell in row[:SAMPLE_CELLS]]
        numbers += sum(number for _, number in said)
        cells += len(said)
        clean += all(number or not any(other in cell for other in others) for cell, number in said)
    shares = round(clean / len(rows[:SAMPLE_ROWS]), 3), round(numbers / cells, 3)
    return quoted is not None, often == len(rows), *shares, width


def _are_numbers(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether all rows have as many cells, and numbers in all but the first of them."""
    return all(len(row) == width and all(map(is_number, row[1:])) for row in rows)


def _rows(lines: Sequence[str], dialect: Dialect) -> list[list[str]] | None:
    """Return the cells of some lines, the last of which may be within quotes; None where they do not fit."""
    rows = []
    try:
        rows.extend(dialect.cells(lines))
    except csv.Error as error:
        if "unexpected end" not in str(error):
            return None
    return rows
