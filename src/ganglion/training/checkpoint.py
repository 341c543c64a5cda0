"""Checkpoints: all state as safetensors and JSON, hashed, written so that a kill at any moment loses nothing.

A checkpoint is a folder `step-000400` holding one `.safetensors` file for each part of the state that has tensors,
`state.json` with everything else, and `manifest.json` with the size and SHA-256 of every file. It is written under
another name, flushed to the disk, read back, renamed, and only then are older ones removed. What is large and never
changes again, such as the older part of a replay memory, lies in segments beside the checkpoints that name them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from ganglion.core import Segment
from ganglion.errors import CheckpointError, DataError
from ganglion.files import MOST_JSON_BYTES, parse_json, read_bytes, read_json
from ganglion.training import segments
from ganglion.training.durable import sha256, sync_folder, write_bytes_synced
from ganglion.training.migration import migrated
from ganglion.training.packing import digest as digest
from ganglion.training.packing import pack, separate, size, unpack

FORMAT = 2
MANIFEST = "manifest.json"
STRUCTURE = "state.json"
DAMAGE = (DataError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError)
"""What comes of contents that ganglion never writes, although their digests are right."""


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write `state` as the checkpoint of `step` below `folder` and return its path.

    A checkpoint gets its name only once every byte of it is on the disk and was read back. `folder` may be new, but
    not the folder it is in: a run that was removed while it trained must not come back as a folder without a run.
    """
    final = folder / f"step-{step:06d}"
    draft = folder / f".draft-{step:06d}-{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        draft.mkdir()
        named = _write_parts(draft, state)
        files = {path.name: {"size": path.stat().st_size, "sha256": sha256(path)} for path in sorted(draft.iterdir())}
        contents = {"format": FORMAT, "step": step, "files": files} | ({"segments": named} if named else {})
        write_bytes_synced(draft / MANIFEST, _manifest(contents).encode())
        sync_folder(draft)
        verify(draft, final.name)
        if final.exists():  # one that was damaged, or made before its evaluation, that training has come to again
            final.rename(folder / f".replaced-{final.name}")
        draft.rename(final)
        sync_folder(folder)
    except OSError as error:
        raise CheckpointError(
            f"cannot save the checkpoint of step {step}",
            where=str(folder),
            expected=f"room for {size(state):,} bytes",
            found=f"{error.strerror or error}; {shutil.disk_usage(_existing(folder)).free:,} bytes free",
            remedy="make room or make the folder writable, then `ganglion resume` from the previous checkpoint",
        ) from error
    finally:
        tidy(folder)
    return final


def tidy(folder: Path) -> None:
    """Clear away what a save or a removal that was cut short left behind, and put back what it was about to replace."""
    with suppress(OSError):
        for replaced in folder.glob(".replaced-*"):
            original = folder / replaced.name.removeprefix(".replaced-")
            if not original.exists():
                replaced.rename(original)
    for pattern in (".draft-*", ".removed-*", ".replaced-*"):
        for leftover in folder.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)
    _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove segments that no checkpoint names; none as long as a checkpoint cannot say what it names."""
    if (folder / segments.FOLDER).is_dir():
        with suppress(CheckpointError, TypeError):
            named = [_read_manifest(path, path.name).get("segments", ()) for path in steps(folder)]
            segments.sweep(folder, {digest for digests in named for digest in digests})


def preflight(folder: Path, need: int) -> None:
    """Write, flush and remove a file below `folder`, and look for `need` free bytes, before anything depends on it."""
    probe = folder / f".draft-probe-{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        probe.mkdir()
        write_bytes_synced(probe / "probe", b"probe")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise CheckpointError(
            "cannot write checkpoints",
            where=str(folder),
            found=error.strerror or str(error),
            remedy="make it a folder that can be written, or choose another --out",
        ) from error
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    if free < need:
        raise CheckpointError(
            "the disk has no room for the checkpoints of this run",
            where=str(folder),
            expected=f"{need:,} bytes free",
            found=f"{free:,} bytes free",
            remedy="make room, or choose --out on another disk",
        )


def _write_parts(draft: Path, state: dict[str, Any]) -> list[str]:
    """Write the files of a checkpoint, and return the digests of the segments that it names."""
    structure, named = {}, []

    def keep(segment: Segment, path: str) -> dict[str, str]:
        named.append(segments.keep(draft.parent, segment))
        return {"__segment__": named[-1]}

    for part, value in state.items():
        tensors: dict[str, Tensor] = {}
        structure[part] = pack(value, tensors, keep=keep)
        if tensors:
            # Not `save_file`, which leaves a file that only its owner can read.
            write_bytes_synced(draft / f"{part}.safetensors", safetensors.torch.save(separate(tensors)))
    write_bytes_synced(draft / STRUCTURE, json.dumps(structure).encode())
    return sorted(set(named))


def load(path: Path, parts: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Verify a checkpoint and return its state, or only the named parts of it, whichever format it was written in."""
    manifest = verify(path)
    try:
        structure = read_json(path / STRUCTURE, finite=False)
        state, named = {}, []

        def fetch(digest: str) -> Segment:
            named.append(digest)
            return segments.fetch(path.parent, digest)

        for part in parts or tuple(structure):
            file = path / f"{part}.safetensors"
            state[part] = unpack(structure[part], safetensors.torch.load_file(file) if file.exists() else {}, fetch)
        if not set(named) <= set(manifest.get("segments", ())):
            raise CheckpointError(
                f"{path.name} is damaged: it needs segments that its manifest does not name",
                where=str(path / MANIFEST),
                remedy="use another checkpoint, or train again",
            )
        segments.verify(path.parent, named, path.name)
        return migrated(state, manifest["format"])
    except (*DAMAGE, SafetensorError) as error:
        raise _nonsense(path.name, path, error) from error


def verify(path: Path, name: str = "") -> dict[str, Any]:
    """Return the manifest of a checkpoint if every file is the one that was written as checkpoint `name`.

    Raises `CheckpointError`, naming the file, otherwise.
    """
    name = name or path.name
    manifest = _read_manifest(path, name)
    try:
        _verify_contents(path, name, manifest)
    except OSError as error:
        found = error.strerror or str(error)
        raise CheckpointError(
            f"{name} cannot be read",
            where=str(error.filename),
            found=found,
            remedy="look at its rights and at the disk",
        ) from error
    except DAMAGE as error:
        raise _nonsense(name, path / MANIFEST, error) from error
    return manifest


def _nonsense(name: str, where: Path, error: Exception) -> CheckpointError:
    found = f"{type(error).__name__}: {error}"
    return CheckpointError(
        f"{name} is damaged: it holds what ganglion never writes",
        where=str(where),
        found=found,
        remedy="use another checkpoint, or train again",
    )


def _verify_contents(path: Path, name: str, manifest: dict[str, Any]) -> None:
    if manifest["format"] > FORMAT:
        raise CheckpointError(f"{name} was written by a newer ganglion", where=str(path), remedy="upgrade ganglion")
    if f"step-{manifest['step']:06d}" != name:
        raise CheckpointError(f"{name} is another checkpoint renamed", found=f"step {manifest['step']}")
    expected: dict[str, dict[str, Any]] = manifest["files"]
    found = {file.name for file in path.iterdir()} - {MANIFEST}
    if found != set(expected):
        names = ", ".join(sorted(found ^ set(expected)))
        raise CheckpointError(
            f"{name} has missing or extra files",
            where=str(path),
            found=names,
            expected="the files that its manifest names",
        )
    for file, entry in expected.items():
        _verify_file(path / file, entry, name)


def _read_manifest(path: Path, name: str) -> dict[str, Any]:
    try:
        text = read_bytes(path / MANIFEST, MOST_JSON_BYTES).decode("utf-8")
        manifest: dict[str, Any] = parse_json(text)
        del manifest["sha256"]
        intact = text == _manifest(manifest)
    except (DataError, ValueError, KeyError, TypeError) as error:
        found = error.found if isinstance(error, DataError) else "no manifest of ganglion"
        raise CheckpointError(
            f"{name} has no readable {MANIFEST}",
            where=str(path / MANIFEST),
            found=found,
            remedy="use another checkpoint, or train again",
        ) from error
    if not intact:
        raise CheckpointError(
            f"{name} is damaged: {MANIFEST} was changed",
            where=str(path / MANIFEST),
            remedy="use another checkpoint, or train again",
        )
    return manifest


def _verify_file(file: Path, entry: dict[str, Any], name: str) -> None:
    if not file.is_file():  # A device would be read without end.
        raise CheckpointError(f"{name} is damaged: {file.name} is no file", where=str(file), expected="a plain file")
    if (length := file.stat().st_size) != entry["size"]:
        raise CheckpointError(
            f"{name} is damaged: {file.name} has another size",
            where=str(file),
            expected=f"{entry['size']:,} bytes",
            found=f"{length:,} bytes",
        )
    if (digest := sha256(file)) != entry["sha256"]:
        raise CheckpointError(
            f"{name} is damaged: {file.name} has another content",
            where=str(file),
            expected=f"SHA-256 {entry['sha256'][:12]}",
            found=f"SHA-256 {digest[:12]}",
        )


def steps(folder: Path) -> list[Path]:
    """Return the checkpoints below `folder`, newest first; drafts do not count."""
    named = [path for path in folder.glob("step-*") if path.name[5:].isdecimal()]
    return sorted(named, key=lambda path: int(path.name[5:]), reverse=True)


def load_newest(
    folder: Path, parts: tuple[str, ...] | None = None, strict: bool = False
) -> tuple[Path, dict[str, Any], list[str]]:
    """Return the newest checkpoint that verifies, its state, and a sentence for each newer one that does not.

    With `strict` the newest one must verify.
    """
    complaints: list[str] = []
    for path in steps(folder):
        try:
            state = load(path, parts)
        except CheckpointError as error:
            if strict:
                raise
            complaints.append(sentence(error))
        else:
            return path, state, [f"{complaint}; using {path.name} instead" for complaint in complaints]
    raise CheckpointError(
        "no usable checkpoint",
        where=str(folder),
        found="; ".join(complaints) or "there is none",
        remedy="copy the whole run again if this is a copy, or start a new run",
    )


@contextmanager
def fitting() -> Iterator[None]:
    """Raise `CheckpointError` when a state turns out not to be one of what takes it over."""
    try:
        yield
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError) as error:
        raise CheckpointError(
            "the checkpoint does not fit this run",
            found=" ".join(f"{type(error).__name__}: {error}".split()),
            remedy="its config.json was changed, or another version of ganglion wrote it: start a new run",
        ) from error


def sentence(error: CheckpointError) -> str:
    """Return what is wrong with a checkpoint on one line."""
    sizes = ", ".join(f"{word} {text}" for word, text in (("expected", error.expected), ("found", error.found)) if text)
    return f"{error.what} ({sizes})" if sizes else error.what


def set_aside(folder: Path, after: Path) -> None:
    """Rename damaged checkpoints newer than the one in use: they must not count among those that are kept."""
    for path in steps(folder):
        if path == after:
            return
        target = path.with_name(f"damaged-{path.name}")
        shutil.rmtree(target, ignore_errors=True)
        path.rename(target)


def prune(folder: Path, keep: int, protected: set[str]) -> None:
    """Remove all but the `keep` newest checkpoints and the protected ones."""
    for path in steps(folder)[keep:]:
        if path.name not in protected:
            condemned = path.with_name(f".removed-{path.name}")
            path.rename(condemned)  # never a half-deleted checkpoint under a good name
            shutil.rmtree(condemned, ignore_errors=True)
    _sweep(folder)


def _manifest(contents: dict[str, Any]) -> str:
    """Return the text of a manifest, which carries the SHA-256 of its own contents."""
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
    return json.dumps(contents | {"sha256": digest}, indent=1)


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())
