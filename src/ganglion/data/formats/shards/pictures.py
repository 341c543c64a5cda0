"""Pictures in tar archives, with their classes, values or captions beside them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.folder_layout import Folder
from ganglion.data.formats.images.captions import CAPTION_NAMES
from ganglion.data.formats.images.folders import read_found
from ganglion.data.formats.images.labelled import LABEL_NAMES, stop
from ganglion.data.formats.shards.archives import Archive, Sample, read_archive
from ganglion.data.formats.shards.layout import TAR, find_shards
from ganglion.data.formats.targets import MOST_CLASSES, MOST_TEXT_CLASSES, read_targets
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.files import parse_json
from ganglion.settings import unknown_name

NAMED = 5
"""Members that a finding names."""


def read_tar_set(path: Path, settings: DataSettings, kind: Kind | None) -> Dataset:
    """Read a tar archive, a folder of them, or those that fit a pattern, as pictures with what is said of them.

    Raises:
        DataError: an archive is damaged or unsafe, holds no pictures, or says other things of them than the others.
    """
    shards = find_shards(path, TAR)
    parts = {part: [read_archive(file) for file in files] for part, files in shards.parts.items()}
    every = [archive for archives in parts.values() for archive in archives]
    samples = [sample for archive in every for sample in archive.samples]
    pictures = [sample for sample in samples if sample.picture is not None]
    if not pictures:
        raise DataError(
            "there are no pictures in these archives",
            where=str(path),
            expected="members such as 000001.png and 000001.cls",
            found=f"{len(samples)} keys without a picture" if samples else "no files",
        )
    notes = [*shards.notes, f"read from {len(every)} tar archives: {len(pictures):,} pictures"]
    if others := sum(archive.others for archive in every):
        notes.append(f"{others:,} other files in them are left out")
    form = _form(pictures, kind, settings, str(path))
    _refuse_other_schema(every, form)
    said = {sample.picture: _said(sample, form) for sample in pictures}
    without = [str(picture) for picture, one in said.items() if one is None]
    found = Folder(notes=notes)
    for part, archives in parts.items():
        kept = [
            one.picture
            for archive in archives
            for one in archive.samples
            if one.picture and said[one.picture] is not None
        ]
        members = cast("list[Path]", kept)  # which open as paths do
        (found.test if part == "test" else found.train).extend(members)
        if part == "validation":
            found.validation.update(members)
    if not found.train:
        raise DataError("no picture has what is to be learnt", where=str(path), expected=f"a {form} with each")
    captions = form == "captions"
    dataset = read_found(found, path, settings, lambda kept: {} if captions else _told(kept, said, form, settings))
    findings = [stop("pictures-without-label", f"{len(without)} pictures lack their {form}", without[:NAMED])]
    dataset = replace(dataset, findings=(*dataset.findings, *(findings if without else [])))
    return _with_captions(dataset, found, said) if captions else dataset


def _form(samples: Sequence[Sample], kind: Kind | None, settings: DataSettings, where: str) -> str:
    """Return what is learnt of pictures: `cls`, the name of a JSON value as `json:NAME`, `captions` or `nothing`."""
    forms = {name for sample in samples for name in sample.said}
    first = next((sample for sample in samples if "json" in sample.said), None)
    names = [name for name, value in _json(first).items() if not isinstance(value, dict)] if first else []
    if settings.target == "none" or not forms:
        return "nothing"
    if kind == "captions":
        caption = next((name for name in CAPTION_NAMES if name in names), None)
        return "captions" if "txt" in forms or caption is None else f"json:{caption}"
    if settings.target in forms:
        return "txt" if settings.target == "txt" else str(settings.target)
    if settings.target is not None:
        if settings.target not in names:
            raise unknown_name("value", settings.target, [*sorted(forms), *names], where=where)
        return f"json:{settings.target}"
    if "cls" in forms:
        return "cls"
    label = next((name for known in LABEL_NAMES for name in names if name.lower() == known), None)
    if label or len(names) == 1:
        return f"json:{label or names[0]}"
    if "txt" in forms:
        different = {sample.said["txt"] for sample in samples if "txt" in sample.said}
        return "captions" if len(different) > max(MOST_CLASSES, MOST_TEXT_CLASSES * len(samples)) else "txt"
    raise DataError(
        "what is to be learnt of these pictures is open",
        where=where,
        expected="a .cls beside each, or one value in its .json",
        found=", ".join(names[:10]) or "empty JSON",
        remedy="say which with --target NAME, or --target none",
    )


def _json(sample: Sample) -> dict[str, Any]:
    try:
        value = parse_json(sample.said["json"].decode("utf-8"))
    except ValueError as error:
        raise DataError(
            "this is no JSON", where=f"{sample.picture}, its .json", found=str(error), remedy="write it again"
        ) from error
    return value if isinstance(value, dict) else {"json": value}


def _said(sample: Sample, form: str) -> Any:
    """Return what is said of a picture in a form; None where nothing is."""
    if form == "nothing":
        return ""
    if form.startswith("json:"):
        value = _json(sample).get(form.removeprefix("json:")) if "json" in sample.said else None
        return value if isinstance(value, str | int | float | list) else None
    content = sample.said.get("txt" if form == "captions" else form)
    if content is None:
        return None
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise DataError(
            "what is said of a picture is no text",
            where=f"{sample.picture}, its .{form}",
            found=str(error),
            remedy="write it as UTF-8",
        ) from error
    if form == "cls":
        return int(text) if text.lstrip("-").isdecimal() else text or None
    return text or None


def _refuse_other_schema(archives: Sequence[Archive], form: str) -> None:
    """Raise where one archive says nothing of what all others say of their pictures."""
    if form == "nothing":
        return
    name = "json" if form.startswith("json:") else "txt" if form == "captions" else form
    silent = [one for one in archives if one.samples and not any(name in sample.said for sample in one.samples)]
    if silent:
        found = sorted({kind for sample in silent[0].samples for kind in sample.said})
        raise DataError(
            "this shard says other things of its pictures than the others",
            where=str(silent[0].path),
            expected=f"a .{name} with each picture",
            found=", ".join(f".{kind}" for kind in found) or "pictures alone",
            remedy="write it again, or give a folder without it",
        )


def _told(found: Folder, said: dict[Any, Any], form: str, settings: DataSettings) -> dict[str, Any]:
    """Return what the pictures of both parts show, as a data set is told it."""
    if form == "nothing":
        return {}
    parts = [[said[path] for path in paths] for paths in (found.train, found.test)]
    texts = any(isinstance(value, str) for part in parts for value in part)
    arrays = [np.array([str(value) for value in part], dtype=object) if texts else np.array(part) for part in parts]
    called = form.removeprefix("json:")
    task = "classification" if form in ("cls", "txt") and settings.task == "auto" else settings.task
    where = f"{called} of the pictures"
    read = read_targets(
        arrays[0], arrays[1] if found.test else None, where=where, called=called, task=task, pictures=True
    )
    found.notes.append(read.note)
    return {
        "targets": read.values,
        "test_targets": read.test_values if found.test else None,
        "label_names": read.labels,
        "target_names": (called,),
    }


def _with_captions(dataset: Dataset, found: Folder, said: dict[Any, Any]) -> Dataset:
    """Return pictures with their captions beside them."""
    texts = [[str(said[path]) for path in paths] for paths in (found.train, found.test)]

    def beside(pictures: Field, captions: list[str]) -> dict[str, Field]:
        return {"inputs": pictures, "captions": Field(kind="texts", values=captions, called="caption")}

    return replace(
        dataset,
        fields=beside(dataset.fields["inputs"], texts[0]),
        test_fields=beside(dataset.test_fields["inputs"], texts[1]) if dataset.test_fields else {},
        fingerprint=fingerprint(dataset.fingerprint, *texts),
    )
