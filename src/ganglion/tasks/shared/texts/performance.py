"""Tunes as they sound: melody and an accompaniment made of the chords above it, as MIDI and as samples."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from ganglion.data.formats.abc import Note, Tune
from ganglion.data.formats.abc.keys import LETTERS

BEATS_A_MINUTE = 108
PAUSE = Fraction(1)
"""Between tunes, in whole notes."""
QUALITIES = {
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "": (0, 4, 7),
}
"""Half tones above the root, by the beginning of what stands behind it."""
CHORD = re.compile(r"(?P<root>[A-G])(?P<sign>[#b]?)(?P<quality>[^/]*)")
TICKS = 480
"""Of a quarter note in a MIDI file."""
FLUTE, GUITAR = 73, 24
"""Instruments of General MIDI, counted from 0."""
RATE = 22_050
HARMONICS = 10
ATTACK, RELEASE = 0.012, 0.09
"""Seconds in which a note comes and goes."""
LOUDEST = 0.9
BASS, MIDDLE = 36, 48
"""Where the roots of chords sound, and the other notes."""


@dataclass(frozen=True)
class Sounding:
    """A note at its time, in whole notes from the beginning."""

    start: Fraction
    length: Fraction
    pitch: int
    loudness: float
    """From 0 to 1."""


@dataclass(frozen=True)
class Performance:
    """What is heard of a tune, or of several one after the other."""

    melody: Sequence[Sounding]
    accompaniment: Sequence[Sounding]
    seconds: float
    """That a whole note lasts."""


def perform(tunes: Sequence[Tune]) -> Performance:
    """Return tunes as they are played, repeats followed, chords as bass notes and after-beats."""
    melody: list[Sounding] = []
    accompaniment: list[Sounding] = []
    begin = Fraction(0)
    for tune in tunes:
        tied: dict[int, int] = {}
        name = ""
        for bar in tune.played():
            for note in bar.notes:
                _add(melody, tied, note, begin)
            places = [(Fraction(0), name), *bar.chords, (bar.length, "")]
            for (at, name), (end, _) in pairwise(places):
                accompaniment += _after_beats(name, begin + at, end - at, tune.beats)
            begin += bar.length
        begin += PAUSE
    beats = tunes[0].beats if tunes else Fraction(1, 4)
    return Performance(melody, accompaniment, 60 / BEATS_A_MINUTE / float(beats))


def _add(melody: list[Sounding], tied: dict[int, int], note: Note, begin: Fraction) -> None:
    """Add a note of a bar that begins there, to one of its pitch that was tied to it if there is one."""
    start = begin + note.start
    place = tied.pop(note.pitch, None)
    if place is not None and melody[place].start + melody[place].length == start:
        melody[place] = replace(melody[place], length=melody[place].length + note.length)
    else:
        place = len(melody)
        melody.append(Sounding(start, note.length, note.pitch, 0.8))
    if note.tied:
        tied[note.pitch] = place


def _after_beats(name: str, start: Fraction, length: Fraction, beat: Fraction) -> list[Sounding]:
    """Return a chord as a bass note on its first beat and every other, and its notes on those between."""
    tones = chord_tones(name)
    if not tones:
        return []
    sounding = []
    for number in range(-(-length // beat)):
        at, lasts = start + number * beat, min(beat, length - number * beat)
        if number % 2 == 0:
            sounding.append(Sounding(at, lasts, BASS + tones[0], 0.5))
        else:
            sounding += [Sounding(at, lasts / 2, MIDDLE + tone, 0.28) for tone in tones]
    return sounding


def chord_tones(name: str) -> list[int]:
    """Return the notes of a chord above C in half tones, its root first; none for what names no chord.

    >>> chord_tones("G"), chord_tones("Bm"), chord_tones("D7/f+"), chord_tones("slowly")
    ([7, 11, 14], [11, 14, 18], [2, 6, 9, 12], [])
    """
    found = CHORD.match(name)
    if found is None:
        return []
    root = (LETTERS[found["root"]] + {"#": 1, "b": -1, "": 0}[found["sign"]]) % 12
    above = next(tones for begin, tones in QUALITIES.items() if found["quality"].startswith(begin))
    return [root + tone for tone in above]


def midi(performance: Performance) -> bytes:
    """Return a Standard MIDI File of format 1: a track for time, one for the melody, one for the accompaniment.

    Source: MIDI Manufacturers Association, Standard MIDI Files 1.0.
    """
    tempo = round(performance.seconds / 4 * 1_000_000)  # microseconds a quarter note
    parts = [
        _track([(0, b"\xff\x51\x03" + tempo.to_bytes(3, "big"))]),
        *(
            _track([(0, bytes((0xC0 | channel, program))), *_messages(notes, channel)])
            for channel, (program, notes) in enumerate(
                ((FLUTE, performance.melody), (GUITAR, performance.accompaniment))
            )
        ),
    ]
    head = b"MThd" + struct.pack(">IHHH", 6, 1, len(parts), TICKS)
    return head + b"".join(parts)


def _messages(notes: Sequence[Sounding], channel: int) -> list[tuple[int, bytes]]:
    """Return the beginnings and ends of notes with their times in ticks; an end before a beginning at its time."""
    found = []
    for note in notes:
        begin, end = (round(4 * TICKS * at) for at in (note.start, note.start + note.length))
        found.append((begin, 1, bytes((0x90 | channel, note.pitch % 128, round(127 * note.loudness)))))
        found.append((max(begin + 1, end), 0, bytes((0x80 | channel, note.pitch % 128, 0))))
    return [(at, message) for at, _, message in sorted(found)]


def _track(messages: Sequence[tuple[int, bytes]]) -> bytes:
    """Return a track of messages at their times."""
    content, now = b"", 0
    for at, message in (*messages, (max((at for at, _ in messages), default=0), b"\xff\x2f\x00")):
        content += _variable(at - now) + message
        now = at
    return b"MTrk" + struct.pack(">I", len(content)) + content


def _variable(number: int) -> bytes:
    """Return a number in groups of seven bits, all but the last marked.

    >>> _variable(0), _variable(200)
    (b'\\x00', b'\\x81H')
    """
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def sound(performance: Performance) -> np.ndarray:
    """Return the samples of a performance (time,) from -1 to 1, at `RATE` a second.

    Each note is a sum of harmonics k of the strength k^-s, the higher ones dying away faster, as of a plucked string.
    """
    voices = ((performance.melody, 1.2, 2.2), (performance.accompaniment, 1.8, 3.5))
    last = max((note.start + note.length for notes, *_ in voices for note in notes), default=Fraction(0))
    samples = np.zeros(int(RATE * (float(last) * performance.seconds + RELEASE)) + 1)
    for notes, softness, dying in voices:
        for note in notes:
            begin = int(RATE * performance.seconds * float(note.start))
            tone = _tone(note, performance.seconds * float(note.length), softness, dying)
            samples[begin : begin + len(tone)] += tone[: len(samples) - begin]
    return samples * (LOUDEST / max(1e-9, np.abs(samples).max()))


def _tone(note: Sounding, seconds: float, softness: float, dying: float) -> np.ndarray:
    """Return the samples of a note (time,) of so many seconds and what is left ringing after it."""
    time = np.arange(int(RATE * (seconds + RELEASE))) / RATE
    frequency = 440 * 2 ** ((note.pitch - 69) / 12)
    order = np.arange(1, max(2, min(HARMONICS, int(RATE / 2 / frequency)) + 1))[:, None]
    waves = np.sin(2 * np.pi * frequency * order * time) * order**-softness * np.exp(-dying * order**0.5 * time)
    gate = np.minimum(1, time / ATTACK) * np.clip((seconds + RELEASE - time) / RELEASE, 0, 1)
    tone: np.ndarray = note.loudness * gate * waves.sum(0)
    return tone
