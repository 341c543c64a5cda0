"""Known tables written in random dialects: what is read back is equal, or refused."""

import csv
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.data.formats.tables import read_table
from ganglion.errors import DataError

WORDS = ("red", "green", "dark blue", "O'Neil", 'say "hi"', "Ångström", "a, b", "x; y", "two\nlines", "none")


@dataclass(frozen=True)
class Dialect:
    """How a table is written. Nobody parts cells with commas and whole numbers' thousands with points (1.234,5.678)."""

    delimiter: str
    decimal: str
    thousands: str
    encoding: str
    line_end: str
    quote_all: bool
    header: bool
    digits: int

    def number(self, value: float) -> str:
        whole = f"{value:,.{self.digits}f}".replace(",", "\0").replace(".", self.decimal)
        return whole.replace("\0", self.thousands)


DIALECTS = st.builds(
    Dialect,
    delimiter=st.sampled_from(",;\t|"),
    decimal=st.sampled_from(".,"),
    thousands=st.sampled_from(["", ",", ".", " ", "\u00a0", "'"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    quote_all=st.booleans(),
    header=st.booleans(),
    digits=st.integers(0, 4),
).filter(lambda one: one.thousands != one.decimal and (one.delimiter, one.thousands, one.digits) != (",", ".", 0))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    dialect=DIALECTS,
    cents=st.lists(st.integers(-(10**9), 10**9), min_size=12, max_size=40),
    words=st.lists(st.sampled_from(WORDS), min_size=3, max_size=6).filter(lambda words: set(words) != {"none"}),
)
def test_a_table_is_read_back_equal_or_refused(dialect: Dialect, cents: list[int], words: list[str]) -> None:
    numbers = [round(value / 10**dialect.digits, dialect.digits) for value in cents]
    texts = [words[place % len(words)] for place in range(len(numbers))]
    rows = [[dialect.number(number), text] for number, text in zip(numbers, texts, strict=True)]
    written = io.StringIO()
    quoting = csv.QUOTE_ALL if dialect.quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(written, delimiter=dialect.delimiter, quoting=quoting, lineterminator=dialect.line_end)
    writer.writerows([["amount", "word"]] * dialect.header + rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(written.getvalue().encode(dialect.encoding, "replace"))
        try:
            table = read_table(path)
            amount, word = table[table.names[0]], table[table.names[1]]
        except DataError as error:
            assert error.remedy
            return
    assert table.named == dialect.header
    assert np.array_equal(amount, numbers)
    assert word.tolist() == texts


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    dialect=DIALECTS,
    cents=st.lists(st.integers(-(10**8), 10**8), min_size=30, max_size=40, unique=True),
)
def test_what_leaves_no_doubt_is_not_refused(dialect: Dialect, cents: list[int]) -> None:
    """Numbers with two digits behind the decimal sign and groups before it can be read in one way only."""
    numbers = [value / 100 for value in cents]
    dialect = Dialect(**{**vars(dialect), "digits": 2})
    written = io.StringIO()
    writer = csv.writer(written, delimiter=dialect.delimiter, lineterminator=dialect.line_end)
    writer.writerows(
        [["amount", "word"], *([dialect.number(number), "xyz"[n % 3]] for n, number in enumerate(numbers))]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(written.getvalue().encode(dialect.encoding))
        assert np.array_equal(read_table(path)["amount"], numbers)
