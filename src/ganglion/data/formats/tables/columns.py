"""Columns of cells as numbers or texts: one reading where the evidence leaves one, a doubt where it leaves two."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Literal

import numpy as np

from ganglion.data.formats.tables.column import Plain
from ganglion.data.formats.tables.evidence import Evidence
from ganglion.data.formats.tables.spelling import Style, is_currency
from ganglion.data.formats.tables.table import few
from ganglion.data.formats.tables.words import OFTEN, OFTEN_SHARE, named_for_missing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

BOOLEANS = frozenset({"true", "false"})
MANY_GROUPED = 8
"""Different numbers, all with three digits behind a sign, beside whole ones below 1000, which make it one of groups."""

ColumnType = Literal["number", "text"]


@dataclass(frozen=True)
class Read:
    """A column as it was read."""

    values: np.ndarray
    notes: tuple[str, ...] = ()
    doubt: DataError | None = None
    words: frozenset[str] = frozenset()
    """Words among texts that stand for a missing value, unless they are labels."""
    proven: str = ""
    """The decimal sign, where plain numbers leave no doubt of it."""
    measures: bool = False
    """Its numbers are written as quantities are, in a unit or in groups of digits, and so name nothing."""


@dataclass(frozen=True)
class Place:
    """Where a column stands, and what else is known of its file."""

    name: str
    source: str
    lines: np.ndarray
    """The line of the file that each row ends at `(rows,)`."""
    delimiter: str
    proven: frozenset[str]
    """Decimal signs that the columns of the file prove."""
    settings: DataSettings
    wanted: ColumnType | None = None
    """What the column must be, because the user says so or because the network learnt from such a one."""

    @property
    def where(self) -> str:
        return f"{self.source}, column {self.name!r}"


def plain_numbers(plain: Plain, place: Place) -> Read:
    """Return a column of numbers that nothing else could mean."""
    said = _said_missing(Evidence(Counter(), plain.missing), place, plain.first.__getitem__)
    if plain.decimal == ",":
        said = (*said, f"column {place.name!r}: {Style(',')}")
    return Read(plain.values, said, proven=plain.decimal if np.nan_to_num(plain.values % 1).any() else "")


def read_column(cells: np.ndarray, evidence: Evidence, place: Place) -> Read:
    """Return a column as numbers or texts.

    Args:
        cells: All cells `(rows,)`, as objects, without spaces around them.
        evidence: What they say about themselves.
    """
    if place.wanted == "text":
        return _texts(cells, evidence, place)
    if not evidence.numbers and (not evidence.strange or place.wanted == "number") and not evidence.infinite:
        if evidence.strange:
            return _doubtful(cells, evidence, place, evidence.strange)
        return Read(np.full(len(cells), np.nan), _said_missing(evidence, place, _first_in(cells)))
    if not evidence.numbers:
        return _texts(cells, evidence, place)
    if evidence.strange:
        if place.wanted == "number" or evidence.doubt():
            return _doubtful(cells, evidence, place, evidence.strange)
        return _texts(cells, evidence, place, "numbers and words occur in it, so all are text")
    reason = "" if place.wanted == "number" else evidence.code()
    return _texts(cells, evidence, place, reason) if reason else _numbers(cells, evidence, place)


def _numbers(cells: np.ndarray, evidence: Evidence, place: Place) -> Read:
    units = evidence.units
    if len(units) > 1 and not (len(units - {""}) == 1 and is_currency(*(units - {""}))):
        return _doubtful(cells, evidence, place, [_first_of(unit, evidence) for unit in sorted(units)], units=True)
    style = _style(evidence, place)
    if isinstance(style, DataError):
        return Read(_or_none(cells), doubt=style)
    values = {text: number.value(style) for text, number in evidence.numbers.items()}
    values |= {text: float(text) for text in evidence.infinite}
    values |= dict.fromkeys(evidence.missing, float("nan"))
    notes = list(_said_missing(evidence, place, _first_in(cells)))
    if (
        any(style.thousands and not number.core.isdigit() for number in evidence.numbers.values())
        or style.decimal == ","
    ):
        notes.append(f"column {place.name!r}: {style}")
    if units - {""}:
        notes.append(f"column {place.name!r}: numbers in {', '.join(sorted(units - {''}))}, read without it")
    owed = next((text for text in evidence.numbers if text.startswith("(")), None)
    if owed:
        notes.append(f"column {place.name!r}: brackets mean minus, as in {owed!r}")
    read = np.fromiter(map(values.__getitem__, cells), dtype=np.float64, count=len(cells))
    grouped = style.thousands and any(not number.core.isdigit() for number in evidence.numbers.values())
    return Read(read, tuple(notes), measures=bool(grouped or units - {""} or owed))


def _first_of(unit: str, evidence: Evidence) -> str:
    return next(text for text, number in evidence.numbers.items() if number.unit == unit)


def _style(evidence: Evidence, place: Place) -> Style | DataError:
    """Return the style of the numbers of a column, or why there is none or more than one."""
    settings, styles = place.settings, list(evidence.styles)
    if settings.decimal != "auto":
        styles = [style for style in styles if style.decimal == settings.decimal]
    if settings.thousands != "auto":
        grouped = {"none": ("",), ",": (",", "lakh")}.get(settings.thousands, (settings.thousands,))
        plain = not any(style.thousands for style in styles[:1])
        styles = [style for style in styles if style.thousands in grouped] or (styles[:1] if plain else [])
    if not styles:
        return _no_style(evidence, place)
    readings = _readings(styles, evidence)
    if len(readings) > 1 and len(place.proven) == 1:
        readings = [style for style in readings if style.decimal in place.proven] or readings
    return readings[0] if len(readings) == 1 else _between(readings, evidence, place)


def _readings(styles: Sequence[Style], evidence: Evidence) -> list[Style]:
    """Return the plainest style of each way in which the numbers can be read."""
    cores = [number.core for number in evidence.numbers.values() if not number.core.isdigit()]
    found: dict[tuple[float, ...], Style] = {}
    for style in styles:
        found.setdefault(tuple(style.value(core) for core in cores), style)
    return list(found.values())


def _between(readings: Sequence[Style], evidence: Evidence, place: Place) -> Style | DataError:
    """Decide by their form whether numbers such as 1,234 have groups of thousands or a fraction."""
    grouped = next((style for style in readings if style.thousands in (",", ".")), readings[-1])
    fraction = next((style for style in readings if style != grouped), readings[0])
    sign = fraction.decimal
    cores = dict.fromkeys(number.core for number in evidence.numbers.values())
    marked, whole = [core for core in cores if sign in core], [core for core in cores if core.isdigit()]
    if any(len(core) > 3 for core in whole):
        return fraction
    # A fraction of money has two digits; a writer of fractions with zeros at their end writes them everywhere.
    if any(map(is_currency, evidence.units)) or (
        whole and (any(core.endswith("0") for core in marked) or len(marked) >= MANY_GROUPED)
    ):
        return grouped
    # Whoever parts cells with commas has points in numbers, and so has whoever lines them up with spaces.
    if sign == "." and place.delimiter in ", ":
        return fraction
    example = next(iter(marked))
    return DataError(
        "the numbers of a column can be read in two ways",
        where=place.where,
        expected="a number that leaves no doubt, here or in another column",
        found=f"{example!r}, which is {grouped.value(example):g} or {fraction.value(example):g}",
        remedy=f"say which with --decimal '{grouped.decimal}' or --decimal '{fraction.decimal}'",
    )


def _no_style(evidence: Evidence, place: Place) -> DataError:
    name, asked = quote(place.name), place.settings.decimal != "auto" or place.settings.thousands != "auto"
    if evidence.styles and asked:
        found = few([text for text, number in evidence.numbers.items() if not number.core.isdigit()] or ["none"])
        expected = f"--decimal {place.settings.decimal} and --thousands {place.settings.thousands}"
    else:
        shown = [_written_as(decimal, evidence) for decimal in ".,"]
        found, expected = few([text for text in shown if text]), "the same decimal sign and groups in all cells"
    return DataError(
        "the numbers of a column are not written alike",
        where=place.where,
        expected=expected,
        found=found,
        remedy=f"mend them, leave the column out with --drop {name}, or take it as text with --text {name}",
    )


def _written_as(decimal: str, evidence: Evidence) -> str:
    """Return a number that can have only one of the decimal signs."""
    own = (text for text, number in evidence.numbers.items() if {style.decimal for style in number.styles} == {decimal})
    return next(own, "")


def _texts(cells: np.ndarray, evidence: Evidence, place: Place, reason: str = "") -> Read:
    """Return a column as texts; blank cells are missing, and so are words for that unless they occur often."""
    notes = [f"column {place.name!r} is text: {reason}"] if reason else []
    present = {text.lower() for text in evidence.counts}
    if place.wanted is None and present and present <= BOOLEANS:
        spelt = {text: text.capitalize() for text in evidence.counts}
        cells = np.array([spelt.get(cell, cell) for cell in cells], dtype=object)
    values = _or_none(cells)
    asked = named_for_missing(place.settings)
    if place.wanted == "text":
        return Read(values, tuple(notes), words=frozenset(text for text in evidence.missing if text.lower() in asked))
    often = max(OFTEN, OFTEN_SHARE * len(cells))
    usual = {text: count for text, count in evidence.missing.items() if text}
    words = frozenset(text for text, count in usual.items() if count < often or text.lower() in asked)
    kept = [text for text in usual if text not in words]
    if kept:
        notes.append(
            f"column {place.name!r}: {few(kept)} occurs often enough to be one of its texts; "
            f"--missing {quote(kept[0])} makes it a missing value"
        )
    return Read(values, (*notes, *_said_missing(evidence, place, _first_in(cells), words)), words=words)


def _said_missing(
    evidence: Evidence, place: Place, first: Callable[[str], int], words: frozenset[str] | None = None
) -> tuple[str, ...]:
    """Return a note on the words, not the blank cells, that count as missing."""
    texts = [text for text in evidence.missing if text and (words is None or text in words)]
    if not texts:
        return ()
    return (f"column {place.name!r}: missing where it says {evidence.said(texts, first, place.lines)}",)


def _or_none(cells: np.ndarray) -> np.ndarray:
    """Return texts `(rows,)` with None where they are blank."""
    blank = cells == ""
    if blank.any():
        cells = cells.copy()
        cells[blank] = None
    return cells


def _first_in(cells: np.ndarray) -> Callable[[str], int]:
    """Return what says in which row a text stands first."""
    return lambda text: int(np.argmax(cells == text))


def _doubtful(cells: np.ndarray, evidence: Evidence, place: Place, texts: Sequence[str], units: bool = False) -> Read:
    """Return a column that nobody can use until the user says what it is."""
    count, total = sum(evidence.counts[text] for text in texts), sum(evidence.counts.values())
    usual, name = max(texts, key=lambda text: evidence.counts[text]), quote(place.name)
    doubt = DataError(
        "a column of numbers has several units" if units else "a column of numbers has cells that are none",
        where=place.where,
        expected="numbers of one unit" if units else f"numbers, as in {total - count} of {total} cells",
        found=evidence.said(texts, _first_in(cells), place.lines) if not units else few(texts),
        remedy="give numbers, or nothing where one is missing"
        if place.wanted == "number"
        else (
            f"mend them, count them as missing with --missing {quote(usual)}, take all as text with --text {name}, "
            f"or leave the column out with --drop {name}"
        ),
    )
    return Read(_or_none(cells), doubt=doubt)
