"""One table, three ways: on a terminal, as plain text, and as static, escaped HTML in a notebook or a report."""

import html
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import rich.box
import rich.table
from rich.console import Group
from rich.text import Text

from ganglion.errors import printable
from ganglion.findings import Finding, worst_first


@dataclass(frozen=True)
class Table:
    """A header and rows of text. Columns named in `words` are aligned to the left, all others to the right.

    >>> print(Table(("layer", "parameters"), [("dense", "650")], words=("layer",), footer="650 in all"))
    layer  parameters
    -----------------
    dense         650
    650 in all
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    footer: str = ""
    words: Sequence[str] = field(default=())

    def __rich__(self) -> rich.table.Table:
        table = rich.table.Table(
            title=Text(self.title, "bold") if self.title else None,
            caption=Text(self.footer) if self.footer else None,
            title_justify="left",
            caption_justify="left",
            box=rich.box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for name in self.header:
            table.add_column(Text(name), justify="left" if name in self.words else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        return table

    def __str__(self) -> str:
        header, *rows = [[printable(cell) for cell in cells] for cells in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [self._line(header, widths), "-" * (sum(widths) + 2 * (len(widths) - 1))]
        lines += [self._line(row, widths) for row in rows]
        return "\n".join(filter(None, [self.title, *lines, self.footer]))

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = (
            cell.ljust(width) if name in self.words else cell.rjust(width)
            for name, cell, width in zip(self.header, cells, widths, strict=True)
        )
        return "  ".join(padded).rstrip()

    def _repr_html_(self) -> str:
        """Return the table as HTML without script or outside style; every text is escaped."""
        sides = ["left" if name in self.words else "right" for name in self.header]
        head = "".join(_cell("th", name, side) for name, side in zip(self.header, sides, strict=True))
        body = "".join(
            "<tr>" + "".join(_cell("td", cell, side) for cell, side in zip(row, sides, strict=True)) + "</tr>"
            for row in self.rows
        )
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        footer = f"<p>{html.escape(self.footer)}</p>" if self.footer else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{footer}"


class Tabled(ABC):
    """Something that is shown as tables, wherever it is shown."""

    @abstractmethod
    def tables(self) -> Sequence[Table]:
        """Return the tables from top to bottom."""

    def __rich__(self) -> Group:
        return Group(*self.tables())

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables()))

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables())


def size_text(count: float) -> str:
    """Return a number of bytes in the largest fitting unit.

    >>> size_text(640), size_text(5_300_000), size_text(128 * 2**30)
    ('640 B', '5.1 MiB', '128 GiB')
    """
    units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1024 and len(units) > 1:
        count, units = count / 1024, units[1:]
    unit = units[0]
    return f"{count:,.0f} {unit}" if count >= 100 or unit == "B" else f"{count:.1f} {unit}"


def _cell(tag: str, text: str, side: str) -> str:
    return f'<{tag} style="text-align:{side}">{html.escape(text)}</{tag}>'


def confusion_matrix(matrix: Sequence[Sequence[float]], labels: Sequence[object]) -> Table:
    """Return counts `(classes, classes)`, truth by row, as a table with the share of right answers in each row.

    >>> print(confusion_matrix([[9, 1], [0, 5]], ["cat", "dog"]))
    truth  cat  dog  right
    ----------------------
    cat      9    1  90.0%
    dog      0    5   100%
    """
    names = [str(label) for label in labels]
    rows = []
    for place, (name, counts) in enumerate(zip(names, matrix, strict=True)):
        total = sum(counts)
        share = counts[place] / total if total else float("nan")
        right = "-" if not total else "100%" if share == 1 else f"{share:.1%}"
        rows.append((name, *(f"{count:g}" for count in counts), right))
    return Table(("truth", *names, "right"), rows, words=("truth",))


def findings(found: Iterable[Finding]) -> Table:
    """Return findings, the worst first, as a table with what was measured and what to do.

    >>> print(findings([Finding(name="dead", level="warn", message="half of c1 is dead", value=0.5, threshold=0.4)]))
    level  finding             measure  value  threshold  since  try
    ----------------------------------------------------------------
    warn   half of c1 is dead             0.5        0.4
    """
    rows = [
        (
            one.level,
            one.message + (f" ({', '.join(one.where)})" if one.where else ""),
            one.measure,
            *("" if number is None else f"{number:.4g}" for number in (one.value, one.threshold)),
            "" if one.since is None else f"{one.since:,}",
            one.remedy,
        )
        for one in worst_first(found)
    ]
    words = ("level", "finding", "measure", "try")
    return Table(("level", "finding", "measure", "value", "threshold", "since", "try"), rows, words=words)
