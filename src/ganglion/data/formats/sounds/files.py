"""One file of sound of any kind as amplitudes over time, of one channel."""

import io
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np

from ganglion.errors import DataError
from ganglion.files import files_below, named, read_bytes

WAVES = (".wav", ".wave")
PACKED = {
    ".mp3": "mp3", ".flac": "flac", ".ogg": "ogg", ".oga": "ogg", ".opus": "ogg", ".m4a": "mov", ".aac": "aac",
    ".aif": "aiff", ".aiff": "aiff", ".au": "au",
}  # fmt: skip
"""Endings that need PyAV, and the form that it reads each as, so that no file chooses its own."""
SUFFIXES = (*WAVES, *PACKED)
MOST_BYTES = 512 << 20
MOST_AMPLITUDES = 1 << 28
"""That may come out of a compressed file: an hour and a half at 48,000 a second."""
RATES = (1_000, 768_000)
"""Amplitudes a second that are believed, least and most."""
ENDLESS = 0x7FFF_0000
"""Bytes of sound from which on a file was written by who did not know how many there would be."""


@dataclass(frozen=True)
class Recording:
    """What a file of sound holds, mixed to one channel."""

    amplitudes: np.ndarray
    """Whole numbers of 16 bits as they stand in the file, or fractions from -1 to 1, (time,) int16 or float32."""
    rate: int
    """Amplitudes a second."""
    channels: int = 1
    """That there were in the file."""


def is_sound(name: str) -> bool:
    """Judge by its name whether a file is a sound; hidden files are none."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def sound_files(path: Path) -> list[Path]:
    """Return a file, or all files of sound in a folder by name; raises `DataError` where it has none."""
    if not named(path).is_dir():
        return [path]
    found = sorted(child for child in files_below(path) if is_sound(child.name))
    if not found:
        raise DataError("there are no sounds in this folder", where=str(path), expected="files that end in .wav")
    return found


def read_sound(path: Path) -> Recording:
    """Return the amplitudes of a file of sound.

    Raises `DataError` where it is damaged, cut off, empty, or of a kind that is not read.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            "files of this kind are not read as sound",
            where=str(path),
            expected=", ".join(SUFFIXES),
            remedy="save it as WAV",
        )
    content = read_bytes(path, MOST_BYTES)
    if not content:
        raise DataError("this file is empty", where=str(path), expected="a sound", found="0 bytes")
    amplitudes, rate = _of_wave(content, path) if suffix in WAVES else _unpacked(content, path)
    if not len(amplitudes):
        raise DataError("this sound has no length", where=str(path), expected="at least one amplitude", found="none")
    if not RATES[0] <= rate <= RATES[1]:
        raise DataError(
            "this sound has a rate that no sound has",
            where=str(path),
            expected=f"{RATES[0]:,} to {RATES[1]:,} amplitudes a second",
            found=f"{rate:,}",
        )
    channels = 1 if amplitudes.ndim == 1 else amplitudes.shape[1]
    return Recording(mixed(amplitudes, str(path)), rate, channels)


def mixed(amplitudes: np.ndarray, where: str = "") -> np.ndarray:
    """Return one channel of amplitudes (time,) or (time, channels): int16 as it is, all else from -1 to 1.

    Whole numbers count as fractions of the largest of their type; several channels are averaged.

    >>> mixed(np.array([[16384, 0], [-32768, -32768]], dtype=np.int16)).tolist()
    [0.25, -1.0]
    """
    if amplitudes.dtype == np.int16 and (amplitudes.ndim == 1 or amplitudes.shape[1] == 1):
        return amplitudes.reshape(-1)
    if amplitudes.dtype == np.uint8:  # 8-bit sound has its middle at 128
        fractions = (amplitudes.astype(np.float32) - 128) / 128
    elif amplitudes.dtype.kind == "i":
        fractions = (amplitudes / -float(np.iinfo(amplitudes.dtype).min)).astype(np.float32)
    else:
        fractions = amplitudes.astype(np.float32)
    if not np.isfinite(fractions).all():
        raise DataError("a sound has amplitudes that are no numbers", where=where, expected="finite numbers")
    return fractions if fractions.ndim == 1 else fractions.mean(axis=1)


def resampled(amplitudes: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Return amplitudes (time,) at another rate, as float32 from -1 to 1; as they are where it is the same.

    >>> tone = np.sin(np.arange(800) * 0.1).astype(np.float32)
    >>> resampled(tone, 16000, 8000).shape
    (400,)
    """
    if rate == wanted:
        return amplitudes
    from scipy.signal import resample_poly

    fractions = amplitudes.astype(np.float32) / 32768 if amplitudes.dtype == np.int16 else amplitudes
    common = gcd(rate, wanted)
    found: np.ndarray = resample_poly(fractions, wanted // common, rate // common).astype(np.float32)
    return found


def _of_wave(content: bytes, path: Path) -> tuple[np.ndarray, int]:
    """Return amplitudes (time,) or (time, channels) of a WAV file in their own type, and the rate."""
    from scipy.io import wavfile

    if content[:4] not in (b"RIFF", b"RIFX", b"RF64") or content[8:12] != b"WAVE":
        raise DataError(
            "this is no WAV file, whatever its name says",
            where=str(path),
            expected="RIFF and WAVE at its beginning",
            found=repr(content[:12]),
            remedy="save it as WAV, or give it the ending of what it is",
        )
    promised, there = _sizes(content)
    if there < promised < ENDLESS:
        raise DataError(
            "this WAV file is cut off",
            where=str(path),
            expected=f"{promised:,} bytes of sound, as it says",
            found=f"{there:,}",
            remedy="copy it again",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parts of a file that tell of its maker, and hold no sound
            rate, amplitudes = wavfile.read(io.BytesIO(content))
    except Exception as error:  # of a damaged file it raises whatever comes up
        raise DataError(
            "this WAV file cannot be read",
            where=str(path),
            expected="whole numbers of 8, 16, 24 or 32 bits, or fractions, not compressed",
            found=f"{type(error).__name__}: {error}",
            remedy="save it anew as WAV of 16 bits",
        ) from error
    return amplitudes, int(rate)


def _sizes(content: bytes) -> tuple[int, int]:
    """Return how many bytes of sound a WAV file says that it holds, and how many there are; (1, 0) where none begin."""
    order, place = (">" if content[:4] == b"RIFX" else "<"), 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from(f"{order}4sI", content, place)
        if name == b"data":
            return size, len(content) - place - 8
        place += 8 + size + size % 2
    return 1, 0


def _unpacked(content: bytes, path: Path) -> tuple[np.ndarray, int]:
    """Return amplitudes (time, channels) float32 of a compressed file, and the rate."""
    try:
        import av
    except ImportError as error:
        raise DataError(
            f"reading {path.suffix} needs PyAV",
            where=str(path),
            remedy="pip install 'ganglion[sound]', or save it as WAV",
        ) from error
    try:
        with av.open(io.BytesIO(content), "r", format=PACKED[path.suffix.lower()]) as file:
            stream = file.streams.audio[0]
            pieces = list(_pieces(file.decode(stream), path))
            return np.concatenate(pieces) if pieces else np.empty((0, 1), np.float32), int(stream.rate)
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise DataError(
            "this file of sound cannot be decoded",
            where=str(path),
            found=f"{type(error).__name__}: {error}",
            remedy="save it as WAV",
        ) from error


def _pieces(frames: Iterator, path: Path) -> Iterator[np.ndarray]:
    """Yield decoded pieces of sound (time, channels) float32."""
    import av

    resampler, total = av.AudioResampler(format="fltp"), 0
    for frame in frames:
        for piece in resampler.resample(frame):
            total += piece.samples * len(piece.layout.channels)
            if total > MOST_AMPLITUDES:
                raise DataError(
                    "this file unpacks to more sound than is read",
                    where=str(path),
                    expected=f"at most {MOST_AMPLITUDES:,} amplitudes",
                    remedy="cut it into pieces",
                )
            yield np.ascontiguousarray(piece.to_ndarray().T)
