"""Checkpoints: all state as safetensors and JSON, hashed, written so that a kill at any moment loses nothing.

A checkpoint is a folder `step-000400` holding one `.safetensors` file for each part of the state that has tensors,
`state.json` with everything else, and `manifest.json` with the size and SHA-256 of every file. It is written under
another name, flushed to the disk, read back, renamed, and only then are older ones removed.
"""

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ganglion.errors import CheckpointError, DataError
from ganglion.files import MOST_JSON_BYTES, parse_json, read_bytes, read_json

FORMAT = 1
MANIFEST = "manifest.json"
STRUCTURE = "state.json"
DAMAGE = (DataError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OverflowError)
"""What comes of contents that ganglion never writes, although their digests are right."""


def pack(state: Any, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Return `state` as JSON values, moving its tensors into `tensors` under their paths.

    >>> tensors = {}
    >>> pack({"exp_avg": torch.zeros(2), "betas": (0.9, 0.99), "state": {0: "a"}}, tensors)
    {'exp_avg': {'__tensor__': 'exp_avg'}, 'betas': {'__tuple__': [0.9, 0.99]}, 'state': {'__items__': [[0, 'a']]}}
    >>> unpack(_, tensors)["betas"]
    (0.9, 0.99)
    """
    if isinstance(state, Tensor):
        tensors[path] = state
        return {"__tensor__": path}
    if isinstance(state, dict):
        if all(isinstance(key, str) and not key.startswith("__") for key in state):
            return {key: pack(value, tensors, f"{path}.{key}" if path else key) for key, value in state.items()}
        return {"__items__": [[key, pack(value, tensors, f"{path}.{key}")] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        items = [pack(value, tensors, f"{path}.{place}") for place, value in enumerate(state)]
        return items if isinstance(state, list) else {"__tuple__": items}
    if state is None or isinstance(state, bool | int | float | str):
        return state
    raise CheckpointError(f"cannot save a {type(state).__name__}", where=path, expected="tensors, numbers, text, lists")


def unpack(structure: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `pack`."""
    if isinstance(structure, list):
        return [unpack(item, tensors) for item in structure]
    if not isinstance(structure, dict):
        return structure
    if "__tensor__" in structure:
        return tensors[structure["__tensor__"]]
    if "__tuple__" in structure:
        return tuple(unpack(item, tensors) for item in structure["__tuple__"])
    if "__items__" in structure:
        return {key: unpack(value, tensors) for key, value in structure["__items__"]}
    return {key: unpack(value, tensors) for key, value in structure.items()}


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
        _write_parts(draft, state)
        files = {path.name: {"size": path.stat().st_size, "sha256": _sha256(path)} for path in sorted(draft.iterdir())}
        _write_synced(draft / MANIFEST, _manifest({"format": FORMAT, "step": step, "files": files}).encode())
        _sync_folder(draft)
        verify(draft, final.name)
        if final.exists():  # one that was damaged, or made before its evaluation, that training has come to again
            final.rename(folder / f".replaced-{final.name}")
        draft.rename(final)
        _sync_folder(folder)
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


def preflight(folder: Path, need: int) -> None:
    """Write, flush and remove a file below `folder`, and look for `need` free bytes, before anything depends on it."""
    probe = folder / f".draft-probe-{os.getpid()}"
    try:
        folder.mkdir(exist_ok=True)
        probe.mkdir()
        _write_synced(probe / "probe", b"probe")
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


def size(state: Any) -> int:
    """Return the bytes that the tensors of a state take."""
    tensors: dict[str, Tensor] = {}
    pack(state, tensors)
    return sum(tensor.nbytes for tensor in tensors.values())


def _write_parts(draft: Path, state: dict[str, Any]) -> None:
    structure = {}
    for part, value in state.items():
        tensors: dict[str, Tensor] = {}
        structure[part] = pack(value, tensors)
        if tensors:
            # Not `save_file`, which leaves a file that only its owner can read.
            _write_synced(draft / f"{part}.safetensors", safetensors.torch.save(_separate(tensors)))
    _write_synced(draft / STRUCTURE, json.dumps(structure).encode())


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous tensors on the CPU that share no memory, as safetensors asks for."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        separate[name] = plain.clone() if storage in seen and plain.numel() else plain
        seen.add(storage)
    return separate


def load(path: Path, parts: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Verify a checkpoint and return its state, or only the named parts of it."""
    verify(path)
    try:
        structure = read_json(path / STRUCTURE, finite=False)
        state = {}
        for part in parts or tuple(structure):
            file = path / f"{part}.safetensors"
            state[part] = unpack(structure[part], safetensors.torch.load_file(file) if file.exists() else {})
        return state
    except (*DAMAGE, SafetensorError) as error:
        raise _nonsense(path.name, path, error) from error


def verify(path: Path, name: str = "") -> None:
    """Raise `CheckpointError`, naming the file, unless every file is the one that was written as checkpoint `name`."""
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
    if (digest := _sha256(file)) != entry["sha256"]:
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
        found="; ".join(complaints) or "none was written",
        remedy="start a new run",
    )


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


def write_synced(path: Path, text: str) -> None:
    """Replace a text file so that a reader sees the old or the new content, never a part, also after a power cut."""
    draft = path.with_name(f".draft-{path.name}-{os.getpid()}")
    try:
        _write_synced(draft, text.encode("utf-8", "backslashreplace"))  # a path may hold bytes that are no text
        os.replace(draft, path)
        _sync_folder(path.parent)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _write_synced(path: Path, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(contents: dict[str, Any]) -> str:
    """Return the text of a manifest, which carries the SHA-256 of its own contents."""
    digest = hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()
    return json.dumps(contents | {"sha256": digest}, indent=1)


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def digest(state: Any) -> str:
    """Return the SHA-256 of all tensors and values of a state, in a fixed order."""
    tensors: dict[str, Tensor] = {}
    total = hashlib.sha256(json.dumps(pack(state, tensors), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
