"""Run folders made to harm: headers of tensors that lie, JSON that chokes readers, settings that cannot be, links."""

import ast
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ganglion
from ganglion.errors import GanglionError
from ganglion.training import checkpoint
from tests.hostile.bounded import attempt, attempt_bounded
from tests.hostile.entries import contents, refusals

Runs = Callable[[str], Path]


@pytest.fixture
def folder(runs: Runs, tmp_path: Path) -> Path:
    """Return a copy of a finished run that may be damaged."""
    shutil.copytree(runs("mlp"), tmp_path / "run")
    return tmp_path / "run"


def use(folder: Path) -> Any:
    """Do what people do with a run."""
    run = ganglion.open_run(folder)
    run.result, run.history, run.figures  # noqa: B018
    run.task, run.network  # noqa: B018
    answers = run.predict([[5.0, 3.0, 1.5, 0.2]])
    return answers, run._repr_html_(), ganglion.runs.report.run_report(folder)


def command_of(folder: Path, *words: str) -> int:
    from ganglion.cli import main

    return main([word.replace("RUN", str(folder)) for word in words])


def refused(folder: Path, *said: str) -> GanglionError:
    """Use a run, and return the error with which that is refused, within bounds and without a trace."""
    before = contents(folder.parent)
    outcome = attempt_bounded(use, folder)
    assert not outcome.defect, outcome.defect
    assert outcome.is_bounded(), f"{outcome.seconds:.1f} s, {outcome.bytes >> 20} MB"
    assert outcome.error is not None, f"accepted: {outcome.value}"
    assert all(words in str(outcome.error) for words in said), str(outcome.error)
    assert contents(folder.parent) == before
    return outcome.error


def spoken(folder: Path, *words: str) -> tuple[str, str]:
    outcome = attempt(command_of, folder, *words)
    assert not outcome.defect, outcome.defect
    assert "Traceback" not in outcome.output and "defect" not in outcome.output, outcome.output
    return outcome.value, outcome.output


def newest(folder: Path) -> Path:
    return checkpoint.steps(folder / "checkpoints")[0]


def resign(folder: Path) -> None:
    """Write a manifest that says that the files of every checkpoint are right as they are."""
    for path in checkpoint.steps(folder / "checkpoints"):
        files = {
            file.name: {"size": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
            for file in sorted(path.iterdir())
            if file.name != checkpoint.MANIFEST
        }
        manifest = {"format": checkpoint.FORMAT, "step": int(path.name[5:]), "files": files}
        (path / checkpoint.MANIFEST).write_text(checkpoint._manifest(manifest))


def header(**tensors: Any) -> bytes:
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text


def tensor(kind: str = "F32", shape: Any = (2, 2), offsets: Any = (0, 16)) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": offsets}


DATA = bytes(16)
SAFETENSORS = {
    "nothing": b"",
    "a header of 2^62 bytes": struct.pack("<Q", 1 << 62) + b"{}",
    "a header of 4 GB": struct.pack("<Q", 1 << 32) + b"{}" + DATA,
    "a header cut off": header(weight=tensor())[:20],
    "a header of rubbish": struct.pack("<Q", 16) + b"\xff" * 16 + DATA,
    "a header that is a list": struct.pack("<Q", 2) + b"[]" + DATA,
    "a header 100,000 deep": struct.pack("<Q", 200_000) + b"[" * 100_000 + b"]" * 100_000,
    "tensors that overlap": header(a=tensor(), b=tensor()) + DATA,
    "a hole": header(a=tensor(offsets=(8, 24))) + DATA + DATA,
    "offsets backwards": header(a=tensor(offsets=(16, 0))) + DATA,
    "offsets below zero": header(a=tensor(offsets=(-16, 0))) + DATA,
    "offsets beyond the end": header(a=tensor(offsets=(0, 1 << 40))) + DATA,
    "a shape that overflows": header(a=tensor(shape=(1 << 62, 1 << 62))) + DATA,
    "a shape below zero": header(a=tensor(shape=(-2, -2))) + DATA,
    "a shape that does not fit": header(a=tensor(shape=(3, 3))) + DATA,
    "a type that is none": header(a=tensor("O64")) + DATA,
    "bytes left over": header(a=tensor()) + DATA + DATA,
    "a name twice": (lambda text: struct.pack("<Q", len(text)) + text + DATA)(
        header(a=tensor())[8:-1] + b", " + header(a=tensor())[9:]
    ),
    "no tensors": struct.pack("<Q", 2) + b"{}",
    "20,000 tensors": header(**{f"t{n}": tensor(shape=(0,), offsets=(0, 0)) for n in range(20_000)}),
    "tensors of other names": header(strange=tensor()) + DATA,
    "a pickle": b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R.",
}


@pytest.mark.parametrize("content", SAFETENSORS.values(), ids=SAFETENSORS)
def test_tensors_whose_headers_lie(content: bytes, folder: Path) -> None:
    for path in (folder / "checkpoints").glob("step-*/weights.safetensors"):
        path.write_bytes(content)
    resign(folder)
    refused(folder)
    assert spoken(folder, "resume", "RUN", "--epochs", "3")[0] == "1"


DEEP = "[" * 100_000 + "]" * 100_000
BROKEN = {
    "nothing": "",
    "rubbish": "\x00\x01\x02",
    "a list": "[]",
    "a number": "1",
    "100,000 deep": DEEP,
    "100,000 deep inside": '{"state": ' + DEEP + "}",
    "a number of a million digits": '{"format": ' + "9" * 1_000_000 + "}",
    "NaN": '{"format": NaN}',
    "Infinity": '{"format": -Infinity}',
    "a number beyond floating point": '{"format": 1e999}',
    "a key twice": '{"format": 1, "format": 1}',
    "half a character": '{"system": "\\ud800"}',
    "no UTF-8": b"\xff\xfe\xfd",
    "cut off": '{"format": 1, ',
}


def used_with(folder: Path, raw: bytes) -> dict[str, str]:
    """Put the same text into every JSON file of a run in turn, and return what was not refused in words."""
    wrong: dict[str, str] = {}
    for pattern in (
        "config.json",
        "result.json",
        f"checkpoints/*/{checkpoint.STRUCTURE}",
        f"*/*/{checkpoint.MANIFEST}",
    ):
        kept = {path: path.read_bytes() for path in folder.rglob(checkpoint.MANIFEST)}
        kept |= {path: path.read_bytes() for path in folder.glob(pattern)}
        for path in folder.glob(pattern):
            path.write_bytes(raw)
        if checkpoint.STRUCTURE in pattern:
            resign(folder)
        calls = {"use": lambda: use(folder), "resume": lambda: ganglion.resume(folder, epochs=3)}
        if pattern == "result.json":
            del calls["resume"]  # which does not read it
        wrong |= {f"{pattern}, {name}": what for name, what in refusals(calls).items()}
        if command_of(folder, "runs", "list", "RUN") != 0:
            wrong[f"{pattern}, runs list"] = "failed"
        for path, content in kept.items():
            path.write_bytes(content)
    return wrong


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_json(content: str | bytes, folder: Path) -> None:
    outcome = attempt(used_with, folder, content if isinstance(content, bytes) else content.encode())
    assert not outcome.defect and outcome.error is None, (outcome.defect, outcome.error)
    # A metric of a result may have come out as no number.
    wrong = {
        key: what
        for key, what in ast.literal_eval(outcome.value).items()
        if not (key == "result.json, use" and "format" in str(content))
    }
    assert not wrong
    assert outcome.is_bounded(attempts=4), f"{outcome.seconds:.1f} s, {outcome.bytes >> 20} MB"


def changed(folder: Path, **values: Any) -> None:
    """Write other values into config.json; names are dotted with double underscores."""
    description = json.loads((folder / "config.json").read_text())
    for name, value in values.items():
        *path, last = name.split("__")
        target = description
        for step in path:
            target = target[step]
        target[last] = value
    (folder / "config.json").write_text(json.dumps(description))


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a system that is code": ({"system": "os:system"}, "unknown system 'os:system'"),
    "a system that is a path": ({"system": "../../etc/passwd"}, "unknown system"),
    "a system that is no text": ({"system": ["mlp"]}, "config.json.system"),
    "a system that is misspelt": ({"system": "mpl"}, "did you mean 'mlp'"),
    "a task that is code": ({"task": "os.system"}, "unknown task"),
    "a task that is another module": ({"task": "report"}, "unknown task 'report'"),
    "a task that is a path": ({"task": "..cli"}, "unknown task"),
    "a class path": ({"config___target_": "os.system"}, "unknown field '_target_'"),
    "a misspelt setting": ({"config__hiden_features": [4]}, "did you mean 'hidden_features'"),
    "a setting of another type": ({"config__hidden_features": "many"}, "config.json.hidden_features"),
    "widths that are code": ({"config__hidden_features": ["__import__('os')"]}, "hidden_features"),
    "a width below zero": ({"config__hidden_features": [-4]}, ""),
    "a width of no size": ({"config__hidden_features": [0]}, ""),
    "a width of a terabyte": ({"config__hidden_features": [1 << 40]}, "memory of this machine"),
    "a width that overflows": ({"config__hidden_features": [1 << 62]}, ""),
    "a width of a hundred digits": ({"config__hidden_features": [10**39]}, "hidden_features"),
    "other widths than the weights": ({"config__hidden_features": [5]}, "do not fit the network"),
    "an activation that is code": ({"config__activation": "os.system"}, "activation"),
    "settings that are no object": ({"config": [1, 2]}, "config.json.config"),
    "no state": ({"state": {}}, "how the data was prepared"),
    "state of another kind": ({"state__fields__inputs__kind": "os"}, "no preprocessing of a field"),
    "state of a field that is not read": ({"state__fields__inputs__kind": "series"}, ""),
    "state that is deep": ({"state__fields__inputs__settings": {"means": {"a": {}}}}, ""),
    "means that are text": ({"state__fields__inputs__settings__means": ["a"] * 4}, "means"),
    "fewer means than columns": ({"state__fields__inputs__settings__means": [0.0]}, ""),
    "a newer format": ({"format": 99}, "newer ganglion"),
    "a format of text": ({"format": "1"}, "config.json.format"),
}


@pytest.mark.parametrize(("values", "said"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_cannot_be(values: dict[str, Any], said: str, folder: Path) -> None:
    changed(folder, **values)
    refused(folder, said)


@pytest.mark.parametrize("name", ["format", "system", "task", "data", "config", "trainer", "data_settings", "state"])
def test_parts_that_are_missing(name: str, folder: Path) -> None:
    description = json.loads((folder / "config.json").read_text())
    del description[name]
    (folder / "config.json").write_text(json.dumps(description))
    refused(folder, "settings are missing", name)


@pytest.mark.parametrize(
    "pointer", ["../../../etc", "/etc", "..", ".", "", "step-1/../../..", "a\0b", "x" * 10_000, "\n"]
)
def test_pointers_lead_nowhere_else(pointer: str, folder: Path) -> None:
    (folder / "best").write_text(pointer)
    (folder / "last").write_text(pointer)
    outcome = attempt(use, folder)  # It falls back to the newest checkpoint.
    assert not outcome.defect or "Warning" in outcome.defect, outcome.defect
    assert "/etc" not in outcome.value


def test_links_out_of_the_folder(folder: Path) -> None:
    path = newest(folder) / "weights.safetensors"
    path.unlink()
    path.symlink_to("/dev/zero")
    refused(folder, "no usable checkpoint")
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to("/dev/zero")
    refused(folder, "not a run folder")
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    refused(folder, "not a run folder")


def test_checkpoints_with_strange_names(folder: Path) -> None:
    for name in ("step-", "step-x", "step-²", "step--1", "step-" + "9" * 200, "step-1 2"):
        (folder / "checkpoints" / name).mkdir()
    outcome = attempt(use, folder)
    assert not outcome.defect and outcome.error is None, (outcome.defect, outcome.error)
    assert spoken(folder, "runs", "list", "RUN")[0] == "0"


def test_a_log_of_rubbish_is_skipped(folder: Path) -> None:
    (folder / "metrics.jsonl").write_bytes(
        b'{"step": 1}\n' + DEEP.encode() + b"\n\xff\xfe\n[1]\n" + b"9" * 10_000 + b"\n"
    )
    outcome = attempt(use, folder)
    assert not outcome.defect and outcome.error is None, (outcome.defect, outcome.error)


DAMAGED_DATA = {
    "nothing": b"",
    "rubbish": b"PK\x03\x04" + bytes(100),
    "a pickle": b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R.",
}


@pytest.mark.parametrize("content", DAMAGED_DATA.values(), ids=DAMAGED_DATA)
def test_stored_data_that_is_damaged(content: bytes, folder: Path) -> None:
    changed(folder, data="data.npz")
    (folder / "data.npz").write_bytes(content)
    assert spoken(folder, "evaluate", "RUN")[0] == "1"
