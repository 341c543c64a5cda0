"""Words that nobody has spoken: buzz and hiss, shaped by the resonances of a throat, in several voices.

A voice is a source, pulses at its pitch or noise, times what a tube of resonances lets through (Fant, Acoustic theory
of speech production, 1960). Vowels differ in the first three resonances, the formants; voices differ in pitch and in
how long the tube is, which moves all formants together.
"""

from dataclasses import dataclass

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field

RATE = 8000
"""Amplitudes a second, as on a telephone."""
SIZE, HOP = 256, 64
"""Amplitudes of a frame, and from frame to frame."""
WORDS = ("kina", "tina", "lumi", "limu", "mana", "nama", "nana", "sata", "tasa", "tata")
"""Some differ in one sound only, some in the order of their sounds."""
VOWELS, CONSONANTS = "aeiou", "klmnst"
WIDTHS = (80.0, 110.0, 160.0)
"""Hertz that the formants are wide."""


@dataclass(frozen=True)
class Phone:
    """How a sound of speech is made."""

    formants: tuple[float, float, float]
    """Hertz, of a man's voice: Peterson and Barney, Control methods used in a study of the vowels (1952)."""
    seconds: float
    buzz: float = 0.0
    """Strength of the pulses."""
    hiss: float = 0.0
    """Strength of the noise."""
    centre: float = 0.0
    """Hertz around which the noise is strongest."""


PHONES = {
    "a": Phone((730, 1090, 2440), 0.13, buzz=1.0),
    "e": Phone((530, 1840, 2480), 0.12, buzz=0.9),
    "i": Phone((270, 2290, 3010), 0.11, buzz=0.8),
    "o": Phone((570, 840, 2410), 0.13, buzz=0.9),
    "u": Phone((300, 870, 2240), 0.12, buzz=0.8),
    "l": Phone((360, 1300, 2700), 0.07, buzz=0.5),
    "m": Phone((250, 900, 2200), 0.09, buzz=0.6),
    "n": Phone((250, 1800, 2700), 0.09, buzz=0.6),
    "s": Phone((300, 1700, 2600), 0.10, hiss=0.6, centre=3600),
    "k": Phone((300, 1500, 2400), 0.03, hiss=0.8, centre=1800),
    "t": Phone((300, 1700, 2600), 0.02, hiss=0.9, centre=3000),
    " ": Phone((500, 1500, 2500), 0.05),
}
STOPS = "kt"
"""Before these the mouth is closed for a moment."""


@dataclass(frozen=True)
class Voice:
    """Somebody who speaks."""

    pitch: float
    """Hertz."""
    tract: float
    """How much higher the formants lie than a man's."""
    pace: float
    """Length of the sounds beside the usual one."""
    breath: float
    """Noise that comes with every vowel."""


VOICES = (
    Voice(98, 0.96, 1.10, 0.03),
    Voice(112, 1.00, 0.95, 0.06),
    Voice(125, 1.03, 1.00, 0.02),
    Voice(140, 1.05, 0.85, 0.08),
    Voice(185, 1.13, 1.05, 0.05),
    Voice(205, 1.16, 0.90, 0.10),
    Voice(225, 1.19, 1.00, 0.04),
    Voice(260, 1.28, 1.15, 0.06),
)


def voices(random: np.random.Generator, count: int | None) -> Dataset:
    """Made-up words, each spoken many times by eight synthetic voices; which word it is is the class."""
    classes = random.permutation(np.arange(count or 1000) % len(WORDS))
    sounds = [spoken(WORDS[number], VOICES[random.integers(len(VOICES))], random) for number in classes]
    fields = {
        "inputs": Field(kind="waveforms", values=sounds, rate=RATE),
        "targets": Field(kind="classes", values=classes.astype(np.int64), names=WORDS, called="word"),
    }
    return Dataset(name="", fields=fields)


def syllables(random: np.random.Generator, count: int | None) -> Dataset:
    """Strings of two to four syllables such as kalumi, spoken by the same voices, and how they are spelled."""
    texts = [
        "".join(random.choice(list(CONSONANTS)) + random.choice(list(VOWELS)) for _ in range(random.integers(2, 5)))
        for _ in range(count or 1200)
    ]
    sounds = [spoken(text, VOICES[random.integers(len(VOICES))], random) for text in texts]
    fields = {
        "inputs": Field(kind="waveforms", values=sounds, rate=RATE),
        "texts": Field(kind="texts", values=texts, called="spelling"),
    }
    return Dataset(name="", fields=fields)


def spoken(word: str, voice: Voice, random: np.random.Generator) -> np.ndarray:
    """Return a word in a voice, (time,) int16, a little different each time.

    >>> spoken("mama", VOICES[0], np.random.default_rng(0)).dtype
    dtype('int16')
    """
    from scipy.signal import istft, stft

    said = "".join(f" {letter}" if letter in STOPS else letter for letter in word)
    letters = _silence(random) + said + _silence(random)
    pace = voice.pace * random.uniform(0.85, 1.15)
    frames = [max(1, round(PHONES[one].seconds * pace * random.uniform(0.7, 1.4) * RATE / HOP)) for one in letters]
    phones = [PHONES[letter] for letter, length in zip(letters, frames, strict=True) for _ in range(length)]
    samples = len(phones) * HOP
    pitch = voice.pitch * random.uniform(0.93, 1.07) * np.linspace(1.06, 0.88, samples)
    turns = np.cumsum(pitch / RATE * (1 + 0.01 * random.standard_normal(samples)))
    pulses = np.diff(np.floor(turns), prepend=0.0) * 6
    noise = random.standard_normal(samples)
    hertz = np.fft.rfftfreq(SIZE, 1 / RATE)
    buzz, hiss = (_smooth(np.array([getattr(one, name) for one in phones])) for name in ("buzz", "hiss"))
    formants = _smooth(np.array([one.formants for one in phones])) * voice.tract * random.uniform(0.97, 1.03)
    tube = _through(hertz, formants)  # (frames, frequencies)
    centre = np.array([one.centre for one in phones])[:, None] * min(voice.tract, 1.1)
    hissing = hiss[:, None] * np.exp(-(((hertz - centre) / 900) ** 2)) + voice.breath * buzz[:, None] * tube
    buzzing = buzz[:, None] * tube / (1 + hertz / 500)
    spectra = np.zeros((len(hertz), len(phones)), dtype=complex)
    for source, envelope in ((pulses, buzzing), (noise, hissing)):
        spectra += stft(source, nperseg=SIZE, noverlap=SIZE - HOP)[2][:, : len(phones)] * envelope.T
    sound = istft(spectra, nperseg=SIZE, noverlap=SIZE - HOP)[1]
    sound = sound / np.abs(sound).max() * random.uniform(0.3, 0.9)
    sound = sound + random.standard_normal(len(sound)) * 10 ** random.uniform(-2.8, -2.0)
    made: np.ndarray = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
    return made


def _silence(random: np.random.Generator) -> str:
    """Return the silence before or after a word, as long as it happens to be."""
    return " " * int(random.integers(1, 5))


def _through(hertz: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Return how much a tube lets through, (frames, frequencies): the product of its resonances (frames, 3)."""
    passed = np.ones((len(formants), len(hertz)))
    for place, width in enumerate(WIDTHS):
        peak = formants[:, place : place + 1]
        passed = passed * peak**2 / np.hypot(peak**2 - hertz**2, width * hertz + 1.0)
    return passed


def _smooth(values: np.ndarray) -> np.ndarray:
    """Return values (frames, ...) that go over into each other within five frames, as a mouth moves."""
    padded = np.concatenate([values[:1], values[:1], values, values[-1:], values[-1:]])
    return np.asarray(sum(padded[start : start + len(values)] for start in range(5)) / 5)
