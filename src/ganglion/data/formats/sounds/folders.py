"""Folders of sounds as data sets: a folder for each class, files named after their class, or a table beside them."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.folder_layout import Folder, parts_of, readable, walk
from ganglion.data.formats.images.files import in_threads
from ganglion.data.formats.roles import NO_TARGET
from ganglion.data.formats.sounds.files import Recording, is_sound, read_sound, resampled
from ganglion.data.formats.sounds.tables import SAID, Told, find_told
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.findings import Finding

MOST_RATE = 16_000
"""Amplitudes a second that are kept when nothing is asked for: there is little speech above 8,000 hertz."""
SEPARATOR = re.compile(r"[_\-. ]+")
WORD_AND_NUMBER = re.compile(r"([^\W\d_]+)\d+")
NAMED = 5
"""Damaged files that an error names."""


def read_sounds(folder: Path, settings: DataSettings) -> Dataset:
    """Read a folder of sounds, with the class of each, or with what is said in it where a table tells.

    Sounds that are damaged, or of which a table says nothing, are left out, which is a finding. Raises `DataError`
    where there are none, where nothing says what is heard, or where `settings.test_files` fits no name.
    """
    files = walk(folder, is_sound)[0]
    if not files:
        raise DataError(
            "there are no sounds in this folder",
            where=str(folder),
            expected="a folder of WAV files for each class, or WAV files and a table beside them",
            remedy="give the folder in which the sounds lie",
        )
    findings: list[Finding] = []
    found, told = _find(folder, files, settings, findings)
    _divide(found, settings, folder)
    recordings = _read(found, findings)
    rate, levels = _at_one_rate([recordings[path] for path in found.files], settings, found.notes)
    values = dict(zip(found.files, levels, strict=True))
    parts = [_fields(paths, values, rate, found, told) for paths in (found.train, found.test)]
    validation = np.flatnonzero([path in found.validation for path in found.train])
    return Dataset(
        name=readable(folder.name),
        fields=parts[0],
        test_fields=parts[1] if found.test else {},
        source=str(folder),
        fingerprint=fingerprint(*(field.values for part in parts for field in part.values())),
        validation=validation if len(validation) else None,
        notes=tuple(found.notes),
        findings=tuple(findings),
    )


def _find(
    folder: Path, files: list[Path], settings: DataSettings, findings: list[Finding]
) -> tuple[Folder, Told | None]:
    """Return the files by part, with their classes by a table, by folders or by their names, or what a table says."""
    found = Folder()
    by_table = settings.labels not in ("folders", "names")
    told = find_told(folder, files, settings, found.notes, findings) if by_table else None
    if told is not None:
        files = [path for path in files if path in told.of]
    inside: dict[Path, tuple[str, ...]] = {}
    for part, root, paths in parts_of(folder, files, found.notes):
        (found.test if part == "test" else found.train).extend(paths)
        found.validation |= set(paths) if part == "validation" else set()
        inside |= {path: path.relative_to(root).parts for path in paths}
    if told is not None and told.kind == SAID:
        return found, told
    if told is not None:
        found.labels = dict(told.of)
    elif settings.target != NO_TARGET:
        found.labels = _labels(folder, files, inside, settings, found.notes)
    return found, None


def _labels(
    folder: Path, files: list[Path], inside: Mapping[Path, tuple[str, ...]], settings: DataSettings, notes: list[str]
) -> dict[Path, str]:
    """Return the class of each sound by the folder that it lies in, or by its name.

    Args:
        inside: the folders of each within its part, and its name.
    """
    tops = Counter(steps[0] if len(steps) > 1 else "" for steps in inside.values())
    if settings.labels != "names" and len(tops) > 1:
        if tops[""]:
            stray = next(path for path, steps in inside.items() if len(steps) == 1)
            raise DataError(
                "some sounds lie beside the folders of the classes", where=str(stray), remedy="move them into a class"
            )
        return {path: readable(steps[0]) for path, steps in inside.items()}
    if settings.labels == "folders":
        raise DataError(
            "there are no folders of classes", where=str(folder), remedy="put the sounds of each class into a folder"
        )
    return _by_names(files, folder, notes)


def _by_names(files: list[Path], folder: Path, notes: list[str]) -> dict[Path, str]:
    """Return as class what each name begins with: what stands before the first separator, or a word before a number."""
    labels = {}
    for path in files:
        match = WORD_AND_NUMBER.fullmatch(path.stem)
        labels[path] = readable(match[1] if match else SEPARATOR.split(path.stem)[0])
    counts = Counter(labels.values())
    if len(counts) < 2 or max(counts.values()) < 2:
        raise DataError(
            "nothing says what is heard in these sounds",
            where=str(folder),
            expected="a folder for each class, names such as seven_anna_3.wav, or a table beside them",
            found=", ".join(readable(path.name) for path in files[:3]),
            remedy="put the sounds of each class into a folder of its name",
        )
    example = files[0]
    notes.append(
        f"there are no folders of classes, so classes are guessed from what the names begin with: "
        f"{readable(example.name)} is of class {labels[example]!r}"
    )
    return labels


def _divide(found: Folder, settings: DataSettings, folder: Path) -> None:
    """Make files whose names fit the pattern of the user the test part."""
    if settings.test_files is None:
        return
    fits = {path for path in found.files if fnmatchcase(readable(path.name), settings.test_files)}
    if not fits or len(fits) == len(found.files):
        raise DataError(
            "this pattern divides nothing" if fits else "no file has such a name",
            where=f"--test-files {settings.test_files}",
            expected="a pattern of some names, such as '*_anna_*' or '*_[0-4].wav'",
            found=f"{len(fits)} of {len(found.files)} files in {folder} fit it",
        )
    every = found.files
    found.train, found.test = ([path for path in every if (path in fits) == test] for test in (False, True))
    found.validation -= fits
    found.notes.append(f"the {len(fits)} files whose names fit {settings.test_files} are the test part")


def _read(found: Folder, findings: list[Finding]) -> dict[Path, Recording]:
    """Return what each file holds; those that are damaged are left out of the folder and told of."""
    results = dict(zip(found.files, in_threads(_attempt, found.files), strict=True))
    damaged = {path: result for path, result in results.items() if isinstance(result, DataError)}
    if damaged:
        said = [f"{readable(str(path))} ({_reason(error)})" for path, error in list(damaged.items())[:NAMED]]
        if len(damaged) == len(results):
            first = next(iter(damaged.values()))
            raise DataError("no sound can be read", where="; ".join(said), expected=first.expected, remedy=first.remedy)
        remedy = "mend or remove them; --allow-problems goes on without them"
        message = f"sounds that cannot be read: {len(damaged)}"
        findings.append(Finding(name="damaged-sounds", level="stop", message=message, where=tuple(said), remedy=remedy))
        found.train, found.test = ([path for path in part if path not in damaged] for part in (found.train, found.test))
    return {path: result for path, result in results.items() if isinstance(result, Recording)}


def _reason(error: DataError) -> str:
    return f"{error.what}, {error.found}" if error.found else error.what


def _attempt(path: Path) -> Recording | DataError:
    try:
        return read_sound(path)
    except DataError as error:
        return error


def _at_one_rate(
    recordings: Sequence[Recording], settings: DataSettings, notes: list[str]
) -> tuple[int, list[np.ndarray]]:
    """Return one rate for all sounds, that asked for or the commonest up to `MOST_RATE`, and the amplitudes at it."""
    rates = Counter(recording.rate for recording in recordings)
    rate = settings.resample or min(max(rates, key=lambda one: (rates[one], one)), MOST_RATE)
    others = sorted(set(rates) - {rate})
    if others:
        said = ", ".join(f"{one:,}" for one in others)
        notes.append(f"sounds of {said} amplitudes a second are resampled to {rate:,} (--resample)")
    channels = Counter(recording.channels for recording in recordings if recording.channels > 1)
    for number, count in sorted(channels.items()):
        notes.append(f"{count} sounds of {number} channels are mixed to one")
    return rate, [resampled(one.amplitudes, one.rate, rate) for one in recordings]


def _fields(
    paths: Sequence[Path], values: Mapping[Path, np.ndarray], rate: int, found: Folder, told: Told | None
) -> dict[str, Field]:
    fields = {"inputs": Field(kind="waveforms", values=[values[path] for path in paths], rate=rate)}
    if told is not None:
        fields["texts"] = Field(kind="texts", values=[told.of[path] for path in paths], called=told.column)
    elif found.labels:
        names = tuple(found.classes)
        numbers = np.array([names.index(found.labels[path]) for path in paths], dtype=np.int64)
        fields["targets"] = Field(kind="classes", values=numbers, names=names)
    return fields
