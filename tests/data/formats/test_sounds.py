"""Sounds in files: every width, rate and number of channels, what says their classes, and what is refused."""

import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from ganglion.data.catalogue import read
from ganglion.data.formats.sounds.files import mixed, read_sound, resampled
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, GanglionError, UsageError

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2000) / RATE)
WIDTHS: dict[str, Any] = {
    "16 bits": (TONE * 32767).astype(np.int16),
    "32 bits": (TONE * (2**31 - 1)).astype(np.int32),
    "8 bits": (TONE * 127 + 128).astype(np.uint8),
    "fractions": TONE.astype(np.float32),
    "fractions of 64 bits": TONE,
}


def write(path: Path, amplitudes: np.ndarray = WIDTHS["16 bits"], rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, amplitudes)
    return path


def fractions(path: Path) -> np.ndarray:
    amplitudes = read_sound(path).amplitudes
    return amplitudes / 32768 if amplitudes.dtype == np.int16 else amplitudes


@pytest.mark.parametrize("amplitudes", WIDTHS.values(), ids=WIDTHS)
def test_reads_every_width(amplitudes: np.ndarray, tmp_path: Path) -> None:
    np.testing.assert_allclose(fractions(write(tmp_path / "t.wav", amplitudes)), TONE, atol=0.02)


def test_reads_24_bits(tmp_path: Path) -> None:
    whole = (TONE * (2**23 - 1)).astype("<i4")
    with wave.open(str(tmp_path / "t.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(RATE)
        file.writeframes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    np.testing.assert_allclose(fractions(tmp_path / "t.wav"), TONE, atol=1e-6)


@pytest.mark.parametrize("channels", [2, 8])
def test_channels_become_their_mean(channels: int, tmp_path: Path) -> None:
    several = np.stack([TONE * place for place in range(channels)], axis=1) / channels
    found = read_sound(write(tmp_path / "t.wav", several.astype(np.float32)))
    assert found.channels == channels
    np.testing.assert_allclose(found.amplitudes, several.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(("ending", "off"), [(".flac", 1e-4), (".mp3", 0.1)])
def test_reads_compressed_sounds(ending: str, off: float, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / f"t{ending}"
    codec = {".flac": "flac", ".mp3": "libmp3lame"}[ending]
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=16000, layout="mono")
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
        frame = av.AudioFrame.from_ndarray((tone * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.rate = 16000
        for packet in (*stream.encode(frame), *stream.encode()):
            file.mux(packet)
    found = read_sound(path)
    assert found.rate == 16000 and abs(len(found.amplitudes) - 16000) < 3000
    spectrum = np.abs(np.fft.rfft(found.amplitudes[2000:14000]))
    assert abs(spectrum.argmax() * 16000 / 12000 - 440) < 2
    if off < 0.01:
        np.testing.assert_allclose(found.amplitudes, tone, atol=off)


def test_another_rate_keeps_the_pitch() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
    found = resampled(tone, 44100, 8000)
    assert len(found) == 8000 and abs(np.abs(np.fft.rfft(found)).argmax() - 440) <= 1
    assert resampled(tone, 8000, 8000) is tone


def damaged(name: str, folder: Path) -> Path:
    path = write(folder / "t.wav")
    content = path.read_bytes()
    changed = {
        "empty": b"",
        "cut off": content[:-1000],
        "text": b"these are words and no sound",
        "only its name": content[:12],
        "nothing in it": content[:40] + struct.pack("<I", 0),
        "law of telephones": content[:20] + struct.pack("<H", 7) + content[22:],
        "no rate": content[:24] + struct.pack("<I", 0) + content[28:],
        "no channel": content[:22] + struct.pack("<H", 0) + content[24:],
    }
    path.write_bytes(changed[name])
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("empty", "is empty"),
        ("cut off", "cut off"),
        ("text", "no WAV file"),
        ("only its name", "cut off|cannot be read|no length"),
        ("nothing in it", "no length"),
        ("law of telephones", "cannot be read"),
        ("no rate", "cannot be read"),
        ("no channel", "cannot be read|no length"),
    ],
)
def test_refuses_damaged_files(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said) as refusal:
        read_sound(damaged(name, tmp_path))
    assert "t.wav" in refusal.value.where


def test_refuses_no_numbers_and_other_kinds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no numbers"):
        mixed(np.array([0.0, np.nan]))
    (tmp_path / "t.mid").write_bytes(b"MThd")
    with pytest.raises(DataError, match="not read as sound"):
        read_sound(tmp_path / "t.mid")
    pytest.importorskip("av")
    (tmp_path / "t.mp3").write_bytes(b"#EXTM3U\nfile:///etc/passwd\n" * 50)
    with pytest.raises(DataError, match=r"cannot be decoded|no length"):
        read_sound(tmp_path / "t.mp3")


# Folders.


def noise(seed: int, length: int = 400) -> np.ndarray:
    return (np.random.default_rng(seed).normal(0, 3000, length)).astype(np.int16)


def sounds(folder: Path, *names: str) -> Path:
    for place, name in enumerate(names):
        write(folder / name, noise(place))
    return folder


def test_folders_are_classes(tmp_path: Path) -> None:
    data = read(
        sounds(tmp_path, *(f"{word}/{take}.wav" for word in ("no", "yes") for take in range(3))), DataSettings()
    )
    assert (data.kind, data.label_names, data.main.rate) == ("sounds", ("no", "yes"), RATE)
    assert data.targets is not None and data.targets.tolist() == [0, 0, 0, 1, 1, 1]


def test_folders_of_parts_are_parts(tmp_path: Path) -> None:
    names = [f"{part}/{word}/{take}.wav" for part in ("train", "test") for word in ("no", "yes") for take in range(2)]
    data = read(sounds(tmp_path, *names), DataSettings())
    assert len(data) == 4 and data.test_targets is not None and data.test_targets.tolist() == [0, 0, 1, 1]


def test_names_are_guessed_to_begin_with_the_class(tmp_path: Path) -> None:
    names = [f"{digit}_{voice}_{take}.wav" for digit in (0, 7, 10) for voice in ("ann", "bob") for take in range(2)]
    data = read(sounds(tmp_path, *names), DataSettings())
    assert data.label_names == ("0", "7", "10")
    assert any("guessed" in note and "0_ann_0.wav is of class '0'" in note for note in data.notes)


def test_a_pattern_says_which_files_are_the_test_part(tmp_path: Path) -> None:
    names = [f"{digit}_{voice}_{take}.wav" for digit in (0, 7) for voice in ("ann", "bob") for take in range(2)]
    folder = sounds(tmp_path, *names)
    data = read(folder, DataSettings(test_files="*_bob_*"))
    assert len(data) == 4 and len(data.test_fields["inputs"]) == 4
    for pattern, said in (("*_eve_*", "no file has such a name"), ("*", "divides nothing")):
        with pytest.raises(DataError, match=said):
            read(folder, DataSettings(test_files=pattern))


@pytest.mark.parametrize(
    ("column", "kind"), [("word", "sounds"), ("transcript", "transcripts"), ("sentence", "transcripts")]
)
def test_a_table_says_what_is_heard(column: str, kind: str, tmp_path: Path) -> None:
    folder = sounds(tmp_path, *(f"clips/{place}a.wav" for place in range(6)))
    rows = [f"clips/{place}a.wav,{'yes' if place % 2 else 'no'}" for place in range(6)]
    (folder / "labels.csv").write_text("\n".join([f"path,{column}", *rows]))
    data = read(folder, DataSettings())
    assert data.kind == kind
    if kind == "sounds":
        assert data.label_names == ("no", "yes")
    else:
        assert list(data.fields["texts"].values) == ["no", "yes"] * 3
    assert any(f"from the column '{column}' of labels.csv" in note for note in data.notes)


def test_sounds_without_a_row_are_left_out_and_told_of(tmp_path: Path) -> None:
    folder = sounds(tmp_path, *(f"{place}a.wav" for place in range(6)))
    rows = [f"{place}a.wav,{'yes' if place % 2 else 'no'}" for place in range(5)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]))
    data = read(folder, DataSettings())
    (finding,) = data.findings
    assert (len(data), finding.name, finding.level, finding.where) == (5, "sounds-without-row", "stop", ("5a.wav",))


def test_rates_and_channels_are_brought_together(tmp_path: Path) -> None:
    folder = sounds(tmp_path, *(f"{word}/{take}.wav" for word in ("no", "yes") for take in range(3)))
    write(folder / "no" / "high.wav", noise(9, 2205), 44100)
    write(folder / "yes" / "wide.wav", np.stack([noise(8)] * 8, axis=1))
    data = read(folder, DataSettings())
    assert data.main.rate == RATE and len(data.inputs[3]) == 400
    assert any("44,100 amplitudes a second are resampled to 8,000" in note for note in data.notes)
    assert any("1 sounds of 8 channels are mixed to one" in note for note in data.notes)
    assert read(folder, DataSettings(resample=4000)).main.rate == 4000


def test_high_rates_come_down_to_what_speech_needs(tmp_path: Path) -> None:
    for place, word in enumerate(["no", "yes"] * 2):
        write(tmp_path / word / f"{place}.wav", noise(place, 4410), 44100)
    assert read(tmp_path, DataSettings()).main.rate == 16000


def test_damaged_sounds_are_left_out_and_told_of(tmp_path: Path) -> None:
    folder = sounds(tmp_path, *(f"{word}/{take}.wav" for word in ("no", "yes") for take in range(3)))
    (folder / "no" / "bad.wav").write_bytes(b"RIFF")
    data = read(folder, DataSettings())
    (finding,) = data.findings
    assert (len(data), finding.name, finding.level) == (6, "damaged-sounds", "stop")
    assert "bad.wav" in finding.where[0]
    for path in folder.rglob("*.wav"):
        path.write_bytes(b"RIFF")
    with pytest.raises(DataError, match="no sound can be read"):
        read(folder, DataSettings())


def test_refuses_folders_that_say_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing says what is heard"):
        read(sounds(tmp_path / "one", "a.wav", "b.wav"), DataSettings())
    with pytest.raises(DataError, match="beside the folders"):
        read(sounds(tmp_path / "two", "no/a.wav", "yes/b.wav", "c.wav"), DataSettings())
    (tmp_path / "three").mkdir()
    with pytest.raises(DataError, match="no sounds in this folder"):
        read(tmp_path / "three", DataSettings(), kind="sounds")


def test_other_data_refuses_settings_of_sounds() -> None:
    for options in ({"resample": 8000}, {"test_files": "*"}):
        with pytest.raises(UsageError):
            read("iris", DataSettings(**options))
    with pytest.raises(GanglionError):
        DataSettings(resample=3)
