"""Files of sound: cut off, empty, mislabelled, of many channels, silent."""

import struct
from pathlib import Path

from tests.hostile.case import accepted, put, refused


def wave(
    frames: bytes, channels: int = 1, bits: int = 16, kind: int = 1, rate: int = 8000, size: int | None = None
) -> bytes:
    """Return a WAV file whose header says what it is told."""
    block = channels * bits // 8
    header = struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits)
    data = struct.pack("<4sI", b"data", len(frames) if size is None else size) + frames
    body = b"WAVE" + struct.pack("<4sI", b"fmt ", len(header)) + header + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def noise(seed: int, count: int = 800) -> bytes:
    import numpy as np

    return np.random.default_rng(seed).normal(0, 3000, count).astype("<i2").tobytes()


def among_others(folder: Path, odd: bytes, name: str = "no/odd.wav") -> Path:
    """Write a folder of two words with one more file among them."""
    for place in range(12):
        put(folder / ("yes", "no")[place % 2] / f"{place}.wav", wave(noise(place)))
    put(folder / name, odd)
    return folder


@refused("sound", "no bytes", "cannot be read", "empty")
def _(folder: Path) -> Path:
    return among_others(folder, b"")


@refused("sound", "no length", "cannot be read", "no length")
def _(folder: Path) -> Path:
    return among_others(folder, wave(b""))


@refused("sound", "cut off", "cannot be read", "cut off")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99))[:-700])


@refused("sound", "says that it holds 2 GB", "cannot be read", "cut off")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99), size=2_000_000_000))


@refused("sound", "no WAV inside", "cannot be read", "no WAV file")
def _(folder: Path) -> Path:
    return among_others(folder, b"ID3\x03 this is another kind of file")


@refused("sound", "only a header", "cannot be read")
def _(folder: Path) -> Path:
    return among_others(folder, b"RIFF\x00\x00\x00\x00WAVE")


@refused("sound", "30,000 channels", "cannot be read")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99), channels=30_000))


@refused("sound", "compressed by A-law", "cannot be read", "WAV")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99), kind=6, bits=8))


@refused("sound", "3 bits", "cannot be read")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99), bits=3))


@refused("sound", "an MP3 that is a list of addresses", "cannot be read")
def _(folder: Path) -> Path:
    return among_others(folder, b"#EXTM3U\nfile:///etc/passwd\n" * 30, "no/odd.mp3")


@refused("sound", "half a number in fractions", "cannot be read", "no numbers")
def _(folder: Path) -> Path:
    return among_others(folder, wave(struct.pack("<800f", *[float("nan")] * 800), kind=3, bits=32))


@refused("sound", "beside the folders of words", "beside the folders")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99)), "odd.wav")


@accepted("sound", "8 channels", "1 sounds of 8 channels are mixed to one")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99, 8 * 800), channels=8))


@accepted("sound", "silence", "silent throughout: 1")
def _(folder: Path) -> Path:
    return among_others(folder, wave(bytes(1600)))


@accepted("sound", "another rate", "resampled to 8,000")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99, 4410), rate=44100))


@accepted("sound", "of unknown length, as programs write it into a pipe", "only 13 samples")
def _(folder: Path) -> Path:
    return among_others(folder, wave(noise(99), size=0xFFFFFFFF))
