"""In which encoding a text is: by its mark, as valid UTF-8, or by how likely the letters are that its bytes would be.

A text names its encoding only where it begins with a mark. UTF-8 tells itself by its form: other texts hardly ever
have it by chance. Encodings of one byte a letter take any bytes, so each candidate is judged by what the text would
then say: common letters of its script beside letters of their own kind are likely, and rare signs between plain letters
are not. (A library for this, charset-normalizer, reads `£5` as Chinese and Spanish as Polish where a file holds few
such letters, as tables do.)
"""

import codecs
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import IO

from ganglion.data.formats.texts.alphabets import ALPHABETS
from ganglion.errors import DataError, UsageError
from ganglion.files import regular, unreadable

MOST_BYTES = 256 << 20
"""Largest file of text."""
BLOCK = 1 << 20
SAMPLE = 1 << 16
"""Bytes of lines with letters beyond ASCII that a guess looks at."""
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
RUBBISH = frozenset([*range(9), *range(14, 27), *range(28, 32)])
"""Control characters that no text has."""
SWITCHES = (b"\x1b$B", b"\x1b$@")
"""What begins Japanese letters in mail and old files; all bytes are plain ones there."""
ZEROS = 0.3
"""Share of zero bytes at every second place that makes bytes UTF-16 without a mark."""
RARE = math.log(1e-7)
"""What a letter costs that an alphabet does not have."""
MIXED = -3.0
"""What two neighbours cost that no word has beside each other, such as a Latin and a Cyrillic letter."""
JOINING = "’‘·–—…\xad"
"""Signs that may stand between two letters."""
TORN = -6.0
"""What a sign within a word costs, and a letter within a number."""
WELL_FORMED = 4
"""Times that valid letters of UTF-8 outnumber broken ones in a text that was meant as UTF-8 and is damaged."""
NOISE = -6.0
"""Log-likelihood of a byte below which bytes are no text in any encoding; that of texts is above -4.5."""
CLEAR = 8.0
"""Difference of log-likelihoods from which on a reading needs no doubt."""


@dataclass(frozen=True)
class Encoding:
    """An encoding and how it was found."""

    name: str
    """As Python knows it."""
    reason: str = ""
    """What was guessed, for the user; empty where nothing was."""
    others: tuple[str, ...] = ()
    """What else it could be that would read it otherwise."""

    @property
    def said(self) -> str:
        """What people call it."""
        return SAID.get(self.name, self.name)


SAID = {"utf-8-sig": "utf-8"}


@contextmanager
def guesses() -> Iterator[list[str]]:
    """Collect what is guessed of the encodings of files meanwhile, whoever reads them, for the user to see.

    What is collected within another collection is not part of that.
    """
    said: list[str] = []
    token = _SAID.set(said)
    try:
        yield said
    finally:
        _SAID.reset(token)


_SAID: ContextVar[list[str] | None] = ContextVar("said", default=None)


def find_encoding(path: Path, most: int = MOST_BYTES, asked: str | None = None) -> Encoding:
    """Return what a text file is encoded in, from all of its bytes.

    Args:
        most: bytes that the file may have.
        asked: the encoding that the user named, which is then only tried.

    Raises:
        DataError: this is no plain file, one of more than `most` bytes, no text, or text of no known encoding.
        UsageError: `asked` is no encoding.
    """
    try:
        with regular(path, most).open("rb") as file:
            return _find(file, path, asked)
    except OSError as error:
        raise unreadable(path, error) from error


def decode_text(path: Path, most: int = MOST_BYTES, asked: str | None = None) -> tuple[str, Encoding]:
    """Return the text of a file and the encoding it was in; see `find_encoding`."""
    encoding = find_encoding(path, most, asked)
    try:
        with path.open(encoding=encoding.name, newline="") as file:
            return file.read(), encoding
    except OSError as error:
        raise unreadable(path, error) from error


def decode_bytes(raw: bytes, path: Path, asked: str | None = None) -> tuple[str, Encoding]:
    """Return the text of bytes that were unpacked from a file, and the encoding they were in; see `find_encoding`."""
    encoding = _find(io.BytesIO(raw), path, asked)
    return raw.decode(encoding.name), encoding


def _find(file: IO[bytes], path: Path, asked: str | None) -> Encoding:
    if asked is not None:
        name = _known(asked)
        if not reads(file, name):
            raise DataError(
                f"this file is not {asked}",
                where=f"{path}, {_broken(file, name)}",
                expected="bytes of this encoding",
                remedy="name another one with --encoding, or none, to have it found out",
            )
        return Encoding(name)
    start = file.read(BLOCK)
    marked = next((name for mark, name in MARKS if start.startswith(mark)), None)
    for name in [marked] if marked else [*_switching(start), "utf-8", *_wide(start)]:
        if reads(file, name):
            _refuse_rubbish(file, name, path)
            return Encoding(name)
    if marked:
        raise DataError(
            "this is not a text file", where=str(path), expected="UTF-8 or UTF-16", found=f"broken {marked}",
            remedy="save the text again, or name its encoding with --encoding",
        )  # fmt: skip
    return _guessed(file, path)


def _guessed(file: IO[bytes], path: Path) -> Encoding:
    """Return the likeliest encoding of bytes that are no UTF-8."""
    sample = telling(file)
    ranked = [] if 0 in sample else ranking(sample)
    if not ranked or ranked[0][1] < NOISE * len(sample):
        raise DataError(
            "this is not a text file", where=str(path), expected="text",
            found="control characters" if 0 in sample else "bytes that make no words in any encoding that is known",
            remedy="give a file of plain text, or name its encoding with --encoding",
        )  # fmt: skip
    _refuse_damaged(sample, file, path)
    for place, (name, score) in enumerate(ranked):
        if reads(file, name):
            _refuse_rubbish(file, name, path)
            text = _read_as(sample, name)
            others = [other for other, less in ranked[place + 1 :] if score - less < CLEAR]
            others = [other for other in others if _read_as(sample, other) != text]
            doubt = f", though it could be {' or '.join(others[:2])}" if others else ""
            reason = f"read as {name}{doubt}: {example(text)!r}; --encoding decides"
            if (said := _SAID.get()) is not None:
                said.append(reason)
            return Encoding(name, reason, tuple(others))
    raise DataError(
        "this is text of no encoding that is known",
        where=f"{path}, {_broken(file, 'utf-8')}",
        expected=f"UTF-8, UTF-16 or one of {', '.join(ALPHABETS)}",
        remedy="save it as UTF-8, or name its encoding with --encoding",
    )


def ranking(sample: bytes) -> list[tuple[str, float]]:
    """Return the encodings that can read some bytes, the likeliest first, each with its log-likelihood.

    >>> ranking("отзыв;оценка".encode("cp1251"))[0][0], ranking("price;£5".encode("cp1252"))[0][0]
    ('cp1251', 'cp1252')
    """
    scores = []
    for name, alphabet in ALPHABETS.items():
        try:
            text = sample.decode(name)
        except UnicodeDecodeError:
            continue
        scores.append((name, _likelihood(text, name) + alphabet.prior))
    return sorted(scores, key=lambda pair: -pair[1])


def _likelihood(text: str, name: str) -> float:
    """Return the log-likelihood of a text in an encoding, where plain letters cost what they cost in all of them."""
    likely, alphabet = _costs(name), ALPHABETS[name]
    total = sum(likely.get(letter, RARE) for letter in text if letter > "\x7f")
    total += sum(PLAIN for letter in text if letter <= "\x7f")
    run = 0
    for left, right in pairwise(text):
        beyond = right > "\x7f" and right.isalpha()
        run = run + 1 if beyond else 0
        if alphabet.latin:
            total += MIXED * (run > 1) + MIXED * (beyond and right.isupper() and left.islower())
        elif left.isalpha() and right.isalpha() and (left > "\x7f") != (right > "\x7f"):
            total += MIXED
    if alphabet.block is None:
        total += TORN * sum(map(_is_torn, text, text[1:], text[2:]))
    return total


def _is_torn(left: str, sign: str, right: str) -> bool:
    """Whether a letter stands between two digits, or another sign than apostrophes, dots and dashes between letters."""
    if sign <= "\x7f":
        return False
    if sign.isalpha():
        return left.isdecimal() and right.isdecimal()
    return sign not in JOINING and left.isalpha() and right.isalpha()


PLAIN = math.log(1 / 40)
"""What a plain letter costs."""


@cache
def _costs(name: str) -> dict[str, float]:
    alphabet = ALPHABETS[name]
    costs: dict[str, float] = {}
    for letters, share in alphabet.tiers():
        for letter in letters:
            costs.setdefault(letter, math.log(share / len(letters)))
    return costs


def telling(file: IO[bytes]) -> bytes:
    """Return the lines with bytes beyond ASCII, as many as a guess needs."""
    file.seek(0)
    lines: list[bytes] = []
    size = 0
    while size < SAMPLE and (line := file.readline(SAMPLE)):
        if not line.isascii():
            lines.append(line)
            size += len(line)
    return b"".join(lines)


def _read_as(sample: bytes, name: str) -> str:
    return sample.decode(name, "replace")


def example(text: str) -> str:
    """Return a word of a text that shows how it was read."""
    words = text.replace(",", " ").replace(";", " ").split()
    return next((word for word in words if not word.isascii()), text)[:20]


def _switching(start: bytes) -> list[str]:
    """Return the encoding of plain bytes that escape signs switch to Japanese letters, where they do."""
    return ["iso2022_jp"] if any(sign in start for sign in SWITCHES) and start.isascii() else []


def _wide(start: bytes) -> list[str]:
    """Return the order of UTF-16 without a mark, which plain letters give a zero in every second byte."""
    if not start or len(start) % 2:
        start = start[:-1]
    half = max(1, len(start) // 2)
    if start[1::2].count(0) > ZEROS * half:
        return ["utf-16-le"]
    return ["utf-16-be"] if start[::2].count(0) > ZEROS * half else []


def _refuse_damaged(sample: bytes, file: IO[bytes], path: Path) -> None:
    """Refuse UTF-8 in which a few bytes are broken: read as anything else all of it would be nonsense."""
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    well = sum(letter > "\x7f" for letter in text) - broken
    if well > WELL_FORMED * broken:
        raise DataError(
            "this is UTF-8 with broken bytes in it",
            where=f"{path}, {_broken(file, 'utf-8')}",
            expected="bytes of one encoding throughout",
            found=f"{broken} broken letters beside {well} whole ones",
            remedy="mend that place, or name the encoding with --encoding",
        )


def _refuse_rubbish(file: IO[bytes], name: str, path: Path) -> None:
    for text in _decoded(file, name):
        if any(text.find(chr(code)) >= 0 for code in RUBBISH):
            raise DataError(
                "this is not a text file", where=str(path), expected="text", found="control characters",
                remedy="give a file of plain text",
            )  # fmt: skip


def reads(file: IO[bytes], name: str) -> bool:
    """Whether all bytes of a file can be read in an encoding, and those of UTF-16 hold no zeros."""
    try:
        return all("\0" not in text or not name.startswith("utf-") for text in _decoded(file, name))
    except (UnicodeDecodeError, UnicodeError):
        return False


def _decoded(file: IO[bytes], name: str) -> Iterator[str]:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(name)()
    while block := file.read(BLOCK):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _broken(file: IO[bytes], name: str) -> str:
    """Return the line in which the first bytes stand that an encoding does not know."""
    file.seek(0)
    for number, line in enumerate(iter(lambda: file.readline(BLOCK), b""), start=1):
        try:
            line.decode(name)
        except UnicodeDecodeError as error:
            return f"line {number}, byte {error.start + 1}"
        except UnicodeError:
            break
    return "at its end"


def _known(name: str) -> str:
    try:
        info = codecs.lookup(name.strip())
    except LookupError as error:
        raise _no_encoding(name) from error
    if not getattr(info, "_is_text_encoding", True):  # base64 and the like turn bytes to bytes
        raise _no_encoding(name)
    return info.name


def _no_encoding(name: str) -> UsageError:
    return UsageError(
        "there is no such encoding",
        where="--encoding",
        found=name,
        expected="a name that Python knows, such as utf-8, utf-16, cp1252, cp1251, gb18030, shift_jis",
        remedy="leave it out, and it is found out",
    )
