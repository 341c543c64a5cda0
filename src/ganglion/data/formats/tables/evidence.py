"""What the cells of one column say about themselves, before any reading of them is taken."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ganglion.data.formats.tables.spelling import WORDS, Spelt, Style, is_common, spelt, styles_of

MOST_CATEGORIES = 50
"""Different texts of a column of categories; more are names, sentences, identifiers."""
MOST_CODES = 20
"""Different numbers beside words that recur which make a column one of codes."""
EXAMPLES = 3
LEADING_ZERO = re.compile(r"0\d+")
EXPONENT_CODE = re.compile(r"\d+[eE]\d+")
EXACT_DIGITS = 15
"""Digits that a number holds for certain."""
MEASURES = frozenset(
    [
        *("k", "K", "M", "Mio", "Mrd", "mn", "bn", "kg", "g", "mg", "lb", "lbs", "oz", "t", "km", "m", "cm", "mm"),
        *("ft", "in", "yd", "mi", "s", "ms", "min", "h", "hr", "hrs", "kB", "KB", "MB", "GB", "TB", "kW", "MW", "Hz"),
        *("kHz", "MHz", "GHz", "mV", "mA", "°C", "°F"),
    ]
)
"""Units that one number of a column may have and another may not."""
DIGITS = re.compile(r"\d+")
FRACTION = re.compile(r"\d+\.\d+")


@dataclass(frozen=True)
class Evidence:
    """The different cells of a column, sorted by what they can be."""

    counts: Counter[str]
    """How often each text occurs, blank ones and words for missing left out."""
    missing: Counter[str]
    """How often each text occurs that stands for a missing value, the blank one among them."""
    numbers: dict[str, Spelt] = field(default_factory=dict)
    strange: tuple[str, ...] = ()
    """Texts that are no numbers."""
    styles: tuple[Style, ...] = ()
    """Styles that all numbers can be of, from the plainest on."""

    @classmethod
    def of(cls, cells: Iterable[str], words: frozenset[str]) -> "Evidence":
        """Sort the cells of a column.

        >>> found = Evidence.of(["1,5", "NA", "many"], frozenset({"", "na"}))
        >>> dict(found.missing), list(found.numbers), found.strange, str(found.styles[0])
        ({'NA': 1}, ['1,5'], ('many',), 'decimal commas')
        """
        every = Counter(cells)
        missing = Counter({text: count for text, count in every.items() if text.lower() in words})
        counts = Counter({text: count for text, count in every.items() if text not in missing})
        numbers = {text: found for text in counts if (found := spelt(text)) is not None}
        for text in [] if _are_measures(numbers, len(counts)) else _of_odd_units(numbers, len(counts)):
            del numbers[text]
        strange = tuple(text for text in counts if text not in numbers and text.lower() not in WORDS)
        return cls(counts, missing, numbers, strange, tuple(styles_of(numbers.values())))

    @property
    def infinite(self) -> list[str]:
        """Words for numbers that are none: infinities, and what is no number."""
        return [text for text in self.counts if text.lower() in WORDS]

    @property
    def proven(self) -> str:
        """The decimal sign, if these numbers leave no doubt of it."""
        signs = {style.decimal for style in self.styles}
        speaks = any(not number.core.isdigit() for number in self.numbers.values())
        return signs.pop() if len(signs) == 1 and speaks and not self.strange else ""

    @property
    def units(self) -> set[str]:
        return {number.unit for number in self.numbers.values()}

    def code(self) -> str:
        """Return why these numbers are names rather than quantities, or nothing.

        Zeros stand before them, letters look like exponents, or two of them differ in a zero at their end only, as
        the versions 1.1 and 1.10 do.

        >>> Evidence.of(["007", "12"], frozenset()).code(), Evidence.of(["1e3", "2e3"], frozenset()).code()
        ("zeros stand before some, such as '007'", "they look like exponents, such as '1e3'")
        """
        if self.units - {""}:
            return ""
        cores = {number.core: None for number in self.numbers.values()}
        padded = [core for core in cores if LEADING_ZERO.fullmatch(core)]
        if padded:
            return f"zeros stand before some, such as {padded[0]!r}"
        exponents = [core for core in cores if EXPONENT_CODE.fullmatch(core)]
        if exponents and all(DIGITS.fullmatch(core) or EXPONENT_CODE.fullmatch(core) for core in cores):
            return f"they look like exponents, such as {exponents[0]!r}"
        whole = {core for core in cores if len(core) > EXACT_DIGITS and DIGITS.fullmatch(core)}
        if whole and len(set(map(float, whole))) < len(whole):
            return f"a number does not hold all their digits, such as those of {min(whole)!r}"
        if len(cores) <= MOST_CATEGORIES:
            twins = next((core for core in cores if FRACTION.fullmatch(core) and f"{core}0" in cores), None)
            if twins:
                return f"{twins!r} and {twins + '0'!r} both occur"
        return ""

    def doubt(self) -> bool:
        """Whether this is a column of numbers with something else in it, rather than one of texts.

        Texts beside numbers are categories where all of them recur and few numbers stand beside them (1, 2, 3, A, B);
        they are names where there are many different ones (12a, A/5 21171, 113803).
        """
        numbers = sum(self.counts[text] for text in self.numbers)
        strange = sum(self.counts[text] for text in self.strange)
        if not self.strange or numbers < strange:
            return False
        if len(self.numbers) <= MOST_CODES and min(self.counts.values()) >= 2 and strange >= 5 * len(self.strange):
            return False
        return len(self.strange) <= max(EXAMPLES, 0.1 * len(self.numbers)) or strange < 0.1 * numbers

    def said(self, texts: Sequence[str], first: Callable[[str], int], lines: np.ndarray) -> str:
        """Return some texts with how often each occurs and where first.

        Args:
            first: Which row a text stands in first.
            lines: The line that each row ends at `(rows,)`.
        """
        ordered = sorted(texts, key=lambda text: -(self.counts[text] + self.missing[text]))[:EXAMPLES]
        parts = []
        for text in ordered:
            count = self.counts[text] + self.missing[text]
            line = f" from line {lines[first(text)]} on" if count > 1 else f" in line {lines[first(text)]}"
            parts.append(f"{text!r:.60}{f' {count} times' if count > 1 else ''}{line}")
        return ", ".join(parts) + (", ..." if len(texts) > EXAMPLES else "")


def _are_measures(numbers: dict[str, Spelt], texts: int) -> bool:
    """Whether all cells are numbers of known units, of which there are several: `900`, `1.2k`, `3M`."""
    units = {number.unit for number in numbers.values()}
    return len(units) > 1 and len(numbers) == texts and all(unit in MEASURES or is_common(unit) for unit in units)


def _of_odd_units(numbers: dict[str, Spelt], texts: int) -> list[str]:
    """Return the numbers that stand beside letters, unless all cells of the column have the same ones (`12 kg`)."""
    odd = [text for text, number in numbers.items() if not is_common(number.unit)]
    alike = len({numbers[text].unit for text in odd}) == 1 and len(odd) == texts and len(odd) > 1
    return [] if alike else odd
