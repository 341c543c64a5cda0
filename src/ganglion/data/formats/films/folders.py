"""Folders of films: files that move or folders of frames, a folder for each class or none, maybe in parts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.films.clips import LONGEST_SIDE, VIDEOS, Clip, frame_files, in_order, moves, read_clip
from ganglion.data.formats.films.frame_labels import read_frame_labels
from ganglion.data.formats.folder_layout import parts_of, readable
from ganglion.data.formats.images.files import in_threads, is_image
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.files import walked

MOST_BYTES = 4 << 30
"""Of all frames together, which are held in memory."""
NAMED = 3


def read_film_folder(folder: Path, settings: DataSettings) -> Dataset:
    """Read the clips of a folder, with their classes by folder, or with a class at every frame by a table beside them.

    A clip is a file that moves (GIF, WebP, PNG, a video), or a folder whose pictures are its frames.

    Raises:
        DataError: there are no clips, one is damaged or has one frame, or some lie beside the folders of the classes.
    """
    paths = find_clips(folder)
    if not paths:
        raise DataError(
            "there are no films in this folder",
            where=str(folder),
            expected="animated GIF, WebP or PNG files, videos, or a folder of frames for each clip",
            remedy="give the folder in which the clips lie",
        )
    notes: list[str] = []
    parts = parts_of(folder, paths, notes)
    labels = _labels(parts)
    clips = dict(zip(paths, read_clips(paths), strict=True))
    by_frame = read_frame_labels(folder, {path: len(clip.frames) for path, clip in clips.items()}, settings)
    names = tuple(sorted(set(labels.values()))) if by_frame is None else by_frame.names
    fields: dict[str, dict[str, Field]] = {}
    held: list[Path] = []
    for use in ("train", "test"):
        uses = (use, "validation") if use == "train" else (use,)
        of_part = [path for part, _, own in parts if part in uses for path in own]
        if of_part:
            fields[use] = _fields(of_part, clips, labels, names, by_frame.of if by_frame else None)
        held += of_part if use == "train" else []
    validation = {path for part, _, own in parts if part == "validation" for path in own}
    notes += _described(list(clips.values()), labels, by_frame is not None)
    every = [field.values for part in fields.values() for field in part.values()]
    return Dataset(
        name=readable(folder.name),
        source=str(folder),
        fields=fields["train"],
        test_fields=fields.get("test", {}),
        fingerprint=fingerprint(*every),
        notes=tuple(notes),
        validation=np.flatnonzero([path in validation for path in held]) if validation else None,
    )


def read_film(path: Path) -> Dataset:
    """Return one film in a file as a data set of its own."""
    clip = read_clip(path)
    fields = _fields([path], {path: clip}, {}, (), None)
    digest = fingerprint(fields["inputs"].values)
    notes = tuple(_described([clip], {}, by_frame=False))
    return Dataset(name=path.stem, source=str(path), fields=fields, fingerprint=digest, notes=notes)


def find_clips(folder: Path) -> list[Path]:
    """Return the clips below a folder: files that move, and folders of still pictures, in the order of their names.

    Whether the pictures of a folder are its frames or clips of their own, its first one says.
    """
    found: list[Path] = []
    for root, names in walked(folder):
        pictures = frame_files(root)
        videos = [root / name for name in names if name.lower().endswith(VIDEOS) and not name.startswith(".")]
        if pictures and not videos and not moves(pictures[0]):
            found.append(root)
        else:
            found += [path for path in (*pictures, *videos) if not is_image(path.name) or moves(path)]
    return sorted(found, key=lambda path: (path.parent, in_order(path)))


def read_clips(paths: Sequence[Path]) -> list[Clip]:
    """Return all clips. Raises `DataError` where they do not fit into memory."""
    clips: list[Clip] = []
    total = 0
    for clip in in_threads(read_clip, paths, together=1):
        clips.append(clip)
        total += clip.frames.nbytes
        if total > MOST_BYTES:
            raise DataError(
                "these films are too many to be held in memory",
                where=str(paths[0].parent),
                expected=f"at most {MOST_BYTES >> 30} GiB of frames of {LONGEST_SIDE} pixels a side",
                found=f"more after {len(clips)} of {len(paths)} clips",
                remedy="give shorter clips, or fewer",
            )
    return clips


def _labels(parts: Sequence[tuple[str, Path, list[Path]]]) -> dict[Path, str]:
    """Return the class of each clip by the folder that it lies in; none where there is one folder alone."""
    inside = {path: path.relative_to(root).parts for _, root, paths in parts for path in paths}
    classes = {steps[0] for steps in inside.values() if len(steps) > 1}
    if len(classes) < 2:
        return {}
    if stray := [path for path, steps in inside.items() if len(steps) < 2]:
        raise DataError(
            "some clips lie beside the folders of the classes",
            where=str(stray[0]),
            expected=f"every clip in one of {', '.join(sorted(classes)[:NAMED])}",
            remedy="move them into a class",
        )
    return {path: readable(steps[0]) for path, steps in inside.items()}


def _fields(
    paths: Sequence[Path],
    clips: Mapping[Path, Clip],
    labels: Mapping[Path, str],
    names: tuple[str, ...],
    by_frame: Mapping[Path, np.ndarray] | None,
) -> dict[str, Field]:
    """Return the fields of one part."""
    rates = [clips[path].rate for path in paths if clips[path].rate]
    films = [clips[path].frames for path in paths]
    fields = {"inputs": Field(kind="films", values=films, rate=round(float(np.median(rates))) if rates else 0)}
    if by_frame is not None:
        values = [by_frame[path] for path in paths]
        fields["frame_labels"] = Field(kind="step-classes", values=values, names=names)
    elif labels:
        numbers = np.array([names.index(labels[path]) for path in paths], dtype=np.int64)
        fields["targets"] = Field(kind="classes", values=numbers, names=names)
    return fields


def _described(clips: Sequence[Clip], labels: Mapping[Path, str], by_frame: bool) -> list[str]:
    lengths = sorted(len(clip.frames) for clip in clips)
    frames = f"{lengths[0]}" if lengths[0] == lengths[-1] else f"{lengths[0]} to {lengths[-1]}"
    notes = [f"{len(clips)} clip{'s' * (len(clips) > 1)} of {frames} frames"]
    if max(max(clip.frames.shape[1:3]) for clip in clips) == LONGEST_SIDE:
        notes.append(f"frames are brought down to {LONGEST_SIDE} pixels along their longer side as they are read")
    if len(clips) > 1 and not labels and not by_frame:
        notes.append("there are no folders of classes: the clips have no labels")
    return notes
