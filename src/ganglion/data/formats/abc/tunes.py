"""A tune in ABC as music: notes with pitch and time in bars, chords above them, and in what order bars are played."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import final

from ganglion.data.formats.abc.keys import LETTERS, Key
from ganglion.data.formats.abc.syntax import FIELD, NOT_MEANT, Sign, fault, length_of, metre_of, signs, unit_of
from ganglion.errors import DataError

MIDDLE_C = 60
PARTS = re.compile(r"(?P<sign>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-g])(?P<octave>[,']*)(?P<length>\d*/*\d*)")
ALTERED = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
TUPLETS = {2: 3, 3: 2, 4: 3, 5: 2, 6: 2, 7: 2, 8: 3, 9: 2}
"""Notes of a tuplet, and of how many of them it takes the time."""
KEPT = ("K", "L", "M")
"""Fields that change how notes are read."""
LONGEST = 64
"""Whole notes of one note; more is a slip of the pen."""


@final
@dataclass(frozen=True)
class Note:
    """A note within a bar."""

    start: Fraction
    """From the beginning of its bar, in whole notes."""
    length: Fraction
    pitch: int
    """In half tones; 60 is the middle C."""
    tied: bool = False
    """Whether it sounds on into the next note of its pitch."""


@final
@dataclass
class Bar:
    """What stands between two bar lines."""

    line: int
    metre: Fraction | None
    """The length that it should have, in whole notes."""
    opens: str = ""
    """The bar line before it, nothing at the beginning."""
    closes: str = ""
    ending: str = ""
    """Number of the ending that it belongs to."""
    length: Fraction = Fraction(0)
    notes: list[Note] = field(default_factory=list)
    chords: list[tuple[Fraction, str]] = field(default_factory=list)
    """Symbols above the notes with their places."""

    @property
    def is_right(self) -> bool:
        return self.metre is None or self.length == self.metre

    @property
    def at_a_border(self) -> bool:
        """Whether a part of the tune begins or ends here, so that an upbeat or what it lacks may stand here."""
        return any(line.strip("|") != "" or line in ("", "||") for line in (self.opens, self.closes))


@final
@dataclass(frozen=True)
class Tune:
    """A tune as it was read."""

    title: str
    key: Key
    """The first."""
    bars: Sequence[Bar]
    text: str
    """What a network learns: the fields for metre, unit and key, and the lines of music."""
    beats: Fraction
    """The length that is counted by in the first metre: a dotted quarter note in 6/8."""

    @property
    def right(self) -> list[bool]:
        """Whether each bar is as long as its metre says, or an upbeat: short as the first, or at the border of a part
        where another one there makes it whole.
        """
        at_borders = [bar for bar in self.bars if bar.at_a_border]

        def is_upbeat(place: int, bar: Bar) -> bool:
            whole = any(bar.length + one.length == bar.metre for one in at_borders if one is not bar)
            return bar.at_a_border and bar.length < (bar.metre or 0) and (place == 0 or whole)

        return [bar.is_right or is_upbeat(place, bar) for place, bar in enumerate(self.bars)]

    @property
    def pitches(self) -> list[int]:
        return [note.pitch for bar in self.bars for note in bar.notes]

    def played(self) -> list[Bar]:
        """Return the bars in the order in which they are played, repeats and endings followed.

        >>> tune = read_tune(["K:C", "|:c4|[1d4:|[2e4||f4|]"])
        >>> [bar.notes[0].pitch for bar in tune.played()]
        [72, 74, 72, 76, 77]
        """
        order: list[Bar] = []
        place = first = 0
        again = False
        while place < len(self.bars):
            bar = self.bars[place]
            if not again and bar.opens not in ("|", ""):
                first = place
            if again and bar.ending.startswith("1"):
                place += 1
                continue
            order.append(bar)
            if again and bar.ending:
                again, first = False, place
            repeats = bar.closes.startswith(":")
            if repeats and not again and not (bar.ending and not bar.ending.startswith("1")):
                again, place = True, first
                continue
            if repeats:
                again, first = False, place + 1
            place += 1
        return order


def read_tune(lines: Sequence[str], first: int = 1) -> Tune:
    """Read a tune.

    Args:
        lines: all of them, fields and music.
        first: number of the first line in its file, for errors.

    Raises `DataError` naming the line of what is no ABC, of a tune without a key, or of one without notes.

    >>> tune = read_tune(["X:1", "T:Scale", "M:3/4", "K:G", "GAB cde|f6|"])
    >>> tune.key.name, tune.pitches[:2], tune.pitches[-1], tune.right
    ('G', [67, 69], 78, [True, True])
    """
    reader = _Reader()
    for number, line in enumerate(lines, first):
        try:
            reader.read(line, number)
        except DataError as error:
            if not (error.where or "").startswith("line"):
                error.where = f"line {number}"
            raise
    return reader.tune(first)


class _Reader:
    """Reads a tune line by line."""

    def __init__(self) -> None:
        self.title, self.key = "", Key.named("C")
        self.first_key: Key | None = None
        self.metre: Fraction | None = Fraction(1)
        self.metre_words, self.beat = "4/4", Fraction(1, 4)
        self.unit: Fraction | None = None
        self.kept: list[str] = []
        self.bars: list[Bar] = []
        self.bar: Bar | None = None
        self.voice, self.opens, self.ending = "", "", ""
        self.raised: dict[tuple[str, str], int] = {}
        self.tuplet: list[int] = [1, 1, 0]
        self.broken = Fraction(1)

    def read(self, line: str, number: int) -> None:
        line = re.split(r"(?<!\\)%", line)[0].strip()
        if (found := FIELD.fullmatch(line)) and (self.first_key is None or not line.startswith("|")):
            self._field(found["name"], found["words"], number)
        elif line and self.first_key is None:
            raise fault("music begins before a field K:", number, None, line[:40], "fields, of which K: is the last")
        elif line:
            music = list(signs(line.rstrip("\\$ \t"), number))
            for sign in music:
                self._sign(sign)
            self.kept.append(_tidy(music))

    def _field(self, name: str, words: str, number: int, inline: bool = False) -> None:
        words = words.strip()
        match name:
            case "T":
                self.title = self.title or words
            case "M":
                self.metre, self.metre_words = metre_of(words), words
                if not self.bars:
                    compound = re.fullmatch(r"(6|9|12)/(8|16)", words)
                    self.beat = Fraction(3, int(compound[2])) if compound else Fraction(1, 4)
            case "L":
                self.unit = unit_of(words)
            case "K":
                self.key = Key.named(words)
                if self.first_key is None:
                    self.first_key = self.key
                    self.unit = self.unit or self._usual_unit()
                    self.kept = [f"M:{self.metre_words}", f"L:{self.unit}", f"K:{self.key.name}"]
                    return
            case "V":
                self.voice = self.voice or words.split(" ")[0]
                if words.split(" ")[0] != self.voice:
                    raise fault("tunes of several voices are not read", number, None, f"V:{words}"[:40], "one voice")
        if self.first_key is not None and name in KEPT and not inline:
            self.kept.append(f"{name}:{words}")

    def _usual_unit(self) -> Fraction:
        return Fraction(1, 16 if self.metre is not None and self.metre < Fraction(3, 4) else 8)

    def _sign(self, sign: Sign) -> None:
        if sign.kind in NOT_MEANT:
            return
        if sign.kind in ("bar", "ending"):
            self._line(sign)
            return
        if sign.kind == "field":
            self._field(sign.words[1], sign.words[3:-1], sign.line, inline=True)
            return
        if self.bar is None:
            self.bar = Bar(sign.line, self.metre, self.opens, ending=self.ending)
        match sign.kind:
            case "symbol":
                self.bar.chords.append((self.bar.length, sign.words[1:-1].strip()))
            case "tuplet":
                numbers = [int(part) if part else 0 for part in sign.words[1:].split(":")] + [0, 0]
                self.tuplet = [numbers[0], numbers[1] or TUPLETS[numbers[0]], numbers[2] or numbers[0]]
            case "tie":
                if self.bar.notes:
                    self.bar.notes[-1] = replace(self.bar.notes[-1], tied=True)
            case "broken":
                self._swing(sign)
            case "rests":
                self.bar.length += (self.metre or Fraction(1)) * int(sign.words[1:] or 1)
            case _:
                self._sound(sign, self.bar)

    def _line(self, sign: Sign) -> None:
        """End a bar at a bar line, or at the number of an ending."""
        found = re.fullmatch(r"(.*?)\[?([1-9][0-9,.\-]*)?", sign.words)
        assert found is not None
        line, ending = found[1].strip("[]") or "|", found[2] or ""
        line = "||" if "]" in found[1] else line
        if sign.kind == "bar":
            self.raised.clear()
            if self.bar is not None and self.bar.length:
                self.bar.closes = line
                self.bars.append(self.bar)
                self.opens = line
            elif self.bars:  # two lines with nothing between them
                self.bars[-1].closes = self.opens = _stronger(self.bars[-1].closes, line)
            else:
                self.opens = line
            if line != "|":
                self.ending = ""
            self.bar = None
        if ending:
            self.ending = ending
            if self.bar is not None:
                self.bar.ending = ending

    def _swing(self, sign: Sign) -> None:
        """Lengthen the note before and shorten the one to come, or the other way round."""
        assert self.bar is not None
        if not self.bar.notes:
            raise fault("nothing stands before this to be lengthened", sign.line, sign.column, sign.words, "a note")
        short = Fraction(1, 2 ** len(sign.words))
        before, self.broken = (2 - short, short) if sign.words[0] == ">" else (short, 2 - short)
        last = self.bar.notes[-1]
        self.bar.length += last.length * (before - 1)
        self.bar.notes[-1] = replace(last, length=last.length * before)

    def _sound(self, sign: Sign, bar: Bar) -> None:
        """Add a note, the notes of a chord, or a rest."""
        inside, _, after = sign.words[1:].rpartition("]") if sign.kind == "chord" else ("", "", "")
        notes = list(PARTS.finditer(inside if sign.kind == "chord" else sign.words))
        words = after if sign.kind == "chord" else notes[0]["length"] if notes else sign.words[1:]
        assert self.unit is not None
        length = length_of(words) * self.unit * self.broken
        if sign.kind == "chord":
            length *= length_of(notes[0]["length"])
        self.broken = Fraction(1)
        if self.tuplet[2]:
            length *= Fraction(self.tuplet[1], self.tuplet[0])
            self.tuplet[2] -= 1
        if not 0 < length <= LONGEST:
            raise fault("this note has no length that can be played", sign.line, sign.column, sign.words)
        tied = inside.endswith("-")
        bar.notes += [Note(bar.length, length, self._pitch(note), tied) for note in notes]
        bar.length += length

    def _pitch(self, note: "re.Match[str]") -> int:
        letter, octave = note["letter"].upper(), note["octave"]
        named = (letter, note["letter"] + octave)
        if note["sign"]:
            self.raised[named] = ALTERED[note["sign"]]
        shift = self.raised.get(named, self.key.altered.get(letter, 0))
        above = note["letter"].islower() + octave.count("'") - octave.count(",")
        return MIDDLE_C + LETTERS[letter] + 12 * above + shift

    def tune(self, first: int) -> Tune:
        """Return what was read. Raises `DataError` where it has no key or no notes."""
        if self.bar is not None and self.bar.length:
            self.bars.append(self.bar)
        if self.bars:
            self.bars[-1].closes = _stronger(self.bars[-1].closes, "||")
        if self.first_key is None:
            raise fault("this tune has no field K:", first, None, self.title or "a tune", "a key, such as K:G")
        if not any(bar.notes for bar in self.bars):
            raise fault("this tune has no notes", first, None, self.title or "a tune", "lines of music after K:")
        return Tune(self.title, self.first_key, self.bars, "\n".join(self.kept) + "\n", self.beat)


def _tidy(music: Sequence[Sign]) -> str:
    """Return a line of music without those blanks that say nothing: beside bar lines, and behind the sign of a chord.

    >>> _tidy(list(signs('"G" G2  AB | [1 "D7"c2 :|', 1)))
    '"G"G2 AB|[1"D7"c2:|'
    """
    mute = ("bar", "ending", "none")
    kinds = ["none", *(sign.kind for sign in music), "none"]
    words = []
    for sign, before, after in zip(music, kinds, kinds[2:], strict=False):
        spare = before in (*mute, "symbol") or after in mute
        words.append(sign.words if sign.kind != "blank" else "" if spare else " ")
    return "".join(words)


def _stronger(one: str, two: str) -> str:
    """Return what two bar lines side by side come to.

    >>> _stronger(":|", "|:"), _stronger("|", "||")
    ('::', '||')
    """
    ends, begins = one.startswith(":"), two.endswith(":")
    if ends or begins:
        return "::" if ends and begins else ":|" if ends else "|:"
    return max(one, two, key=len)


def split_tunes(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of each tune of a text, and the number of the first: a tune begins with its field X:."""
    lines = text.split("\n")
    begins = [number for number, line in enumerate(lines) if line.startswith("X:")]
    if not begins:  # a single tune without a number
        begins = [0]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield begin + 1, lines[begin:end]
