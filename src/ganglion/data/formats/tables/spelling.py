"""How numbers are spelt: decimal signs, groups of digits, signs of money and percent, brackets for what is owed."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

CURRENCIES = frozenset(
    [
        *("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "RUB", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "AUD"),
        *("CAD", "BRL", "MXN", "KRW", "ZAR", "TRY", "Rs", "kr", "zł", "Kč", "Ft", "Fr", "lei"),
    ]
)
SPACES = "\u00a0\u2009\u202f\u2007 "
APOSTROPHES = "'\u2019\u02bc"
MINUS = "-\u2212\u2013\ufe63\uff0d"
_CORE = rf"\d(?:[\d.,{SPACES}{APOSTROPHES}]*[\d.,])?(?:[eE][-+]?\d+)?|[.,]\d+(?:[eE][-+]?\d+)?"
PARTS = re.compile(rf"([^\d.,]*?)({_CORE})([^\d.,]*)")
"""What stands before a number, its digits and the signs between them, and what stands behind."""
UNIT = re.compile(r"[^\W\d_]{1,4}[²³]?|[%‰°]\w?")
WORDS = frozenset({"nan", "inf", "+inf", "-inf", "infinity", "-infinity"})


@dataclass(frozen=True)
class Style:
    """What parts a number from its fraction, and thousands from each other; nothing where digits are not grouped."""

    decimal: str
    thousands: str = ""

    def value(self, core: str) -> float:
        """Return the number that digits and signs of this style make."""
        for sign in _signs(self.thousands):
            core = core.replace(sign, "")
        return float(core.replace(self.decimal, "."))

    def __str__(self) -> str:
        names = {"": "", " ": "spaces", "'": "apostrophes", ",": "commas", ".": "points", "lakh": "Indian commas"}
        grouped = f" and thousands grouped by {names[self.thousands]}" if self.thousands else ""
        return f"decimal {'points' if self.decimal == '.' else 'commas'}{grouped}"


def _signs(thousands: str) -> str:
    return {" ": SPACES, "'": APOSTROPHES, "lakh": ","}.get(thousands, thousands)


def _form(style: Style) -> re.Pattern[str]:
    """Return what a number of a style looks like."""
    fraction = rf"(?:[{style.decimal}]\d*)?(?:[eE][-+]?\d+)?"
    if not style.thousands:
        return re.compile(rf"\d+{fraction}|[{style.decimal}]\d+(?:[eE][-+]?\d+)?")
    sign = rf"[{_signs(style.thousands)}]"
    grouped = rf"[1-9]\d?(?:{sign}\d\d)*{sign}\d{{3}}"
    if style.thousands != "lakh":
        grouped = rf"[1-9]\d{{0,2}}(?:{sign}\d{{3}})+"
    return re.compile(rf"(?:{grouped}|\d+){fraction}|[{style.decimal}]\d+")


STYLES = tuple(
    Style(decimal, thousands)
    for decimal in ".,"
    for thousands in ("", "," if decimal == "." else ".", " ", "'", *(("lakh",) if decimal == "." else ()))
)
"""From the plainest on."""
FORMS = {style: _form(style) for style in STYLES}
SHAPE = str.maketrans("23456789", "1" * 8)
"""What makes numbers alike that can be of the same styles: only a zero in front is another digit than the others."""


@dataclass(frozen=True)
class Spelt:
    """A number as it stands in a cell."""

    core: str
    """Its digits and the signs between them."""
    negative: bool
    unit: str
    """A currency, `%`, another unit; nothing for most."""
    styles: frozenset[Style]
    """The styles it can be of."""

    def value(self, style: Style) -> float:
        number = style.value(self.core)
        return -number if self.negative else number


def spelt(cell: str) -> Spelt | None:
    """Return the number in a cell, or None where there is none.

    >>> found = spelt("(1'234.50 CHF)")
    >>> found.unit, [found.value(style) for style in found.styles]
    ('CHF', [-1234.5])
    >>> spelt("1_000"), spelt("12 Main Street"), spelt("<5")
    (None, None, None)
    """
    text = cell.strip()
    owed = text.startswith("(") and text.endswith(")")
    match = PARTS.fullmatch(text[1:-1].strip() if owed else text)
    if match is None:
        return None
    before, core, after = match.groups()
    before, first = _without_sign(before)
    after, last = _without_sign(after)
    if (before and not _is_money(before)) or (after and not (_is_money(after) or UNIT.fullmatch(after))):
        return None
    styles = _styles(core.translate(SHAPE))
    if not styles or (before and after) or (owed + bool(first) + bool(last) > 1) or last == "+":
        return None
    return Spelt(core, owed or bool({first, last} & set(MINUS)), before or after, styles)


@lru_cache(maxsize=4096)
def _styles(core: str) -> frozenset[Style]:
    return frozenset(style for style, form in FORMS.items() if form.fullmatch(core))


def _without_sign(text: str) -> tuple[str, str]:
    """Return what stands beside a number without its plus or minus, and that.

    >>> _without_sign(" -$")
    ('$', '-')
    """
    text = text.strip()
    for place in (0, -1):
        if text and text[place] in f"+{MINUS}":
            return (text[1:] if place == 0 else text[:-1]).strip(), text[place]
    return text, ""


def is_number(cell: str) -> bool:
    """Whether a cell holds a number of any style, of money or percent perhaps, but of no other unit."""
    found = spelt(cell)
    return cell.strip().lower() in WORDS or (found is not None and is_common(found.unit))


def _is_money(text: str) -> bool:
    return text in CURRENCIES or text.endswith("$") or (len(text) == 1 and unicodedata.category(text) == "Sc")


def is_currency(unit: str) -> bool:
    """Whether a unit is one of money, by its sign or its abbreviation."""
    return bool(unit) and _is_money(unit)


def is_common(unit: str) -> bool:
    """Whether a unit can stand beside some numbers of a column only: none, percent or money."""
    return unit in ("", "%") or _is_money(unit)


def styles_of(numbers: Iterable[Spelt]) -> list[Style]:
    """Return the styles that all numbers can be of, from the plainest on."""
    possible = set(STYLES)
    for number in numbers:
        possible &= number.styles
    return [style for style in STYLES if style in possible]
