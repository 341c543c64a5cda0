"""Checkpoints: every byte is watched, and a kill at any file operation leaves the one before."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ganglion.errors import CheckpointError
from ganglion.training import checkpoint
from tests.training.full_disk import FullDisk

STATE = {
    "networks": {"line": {"weight": torch.arange(6.0).view(2, 3), "steps": torch.tensor(3)}},
    "optimizers": {"line": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"betas": (0.9, 0.999)}]}},
    "trainer": {"iteration": 4, "best": None, "sums": {}, "name": "é"},
}

plain = some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text()
nested = some.recursive(
    plain,
    lambda inner: some.lists(inner) | some.dictionaries(some.text() | some.integers(), inner) | some.tuples(inner),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # others may work beside it
@given(nested)
def test_packing_is_undone_by_unpacking(state: Any) -> None:
    tensors: dict[str, torch.Tensor] = {}
    structure = json.loads(json.dumps(checkpoint.pack(state, tensors)))
    assert checkpoint.unpack(structure, tensors) == state


def test_what_cannot_be_saved_is_named() -> None:
    with pytest.raises(CheckpointError, match="cannot save a set") as caught:
        checkpoint.pack({"a": [{1}]}, {})
    assert caught.value.where == "a.0"


def test_a_saved_state_comes_back(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 4, STATE)
    assert checkpoint.digest(checkpoint.load(path)) == checkpoint.digest(STATE)
    assert set(checkpoint.load(path, ("networks",))) == {"networks"}


def test_files_can_be_read_by_whom_the_user_lets_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = checkpoint.save(tmp_path, 1, STATE)
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in path.iterdir()} == {0o644}


def test_tied_tensors_are_saved(tmp_path: Path) -> None:
    weight = torch.randn(3, 3)
    state = {"networks": {"a": weight, "b": weight, "c": weight.T, "empty": torch.empty(0)}}
    loaded = checkpoint.load(checkpoint.save(tmp_path, 1, state))["networks"]
    assert torch.equal(loaded["a"], weight) and torch.equal(loaded["b"], weight) and torch.equal(loaded["c"], weight.T)


def test_every_flipped_bit_and_every_truncation_is_noticed(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 4, STATE)
    for file in sorted(path.iterdir()):
        content = file.read_bytes()
        for place in range(0, len(content), max(1, len(content) // 40)):
            for damaged in (content[:place], content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]):
                file.write_bytes(damaged)
                if file.name == checkpoint.MANIFEST and _same_json(damaged, content):
                    continue
                with pytest.raises(CheckpointError, match=r"step-000004"):
                    checkpoint.verify(path)
        file.write_bytes(content)
    checkpoint.verify(path)


def _same_json(left: bytes, right: bytes) -> bool:
    """White space may differ without changing what a manifest says."""
    try:
        return bool(json.loads(left) == json.loads(right))
    except ValueError:
        return False


@pytest.mark.parametrize("change", ["missing", "extra", "swapped", "renamed"])
def test_a_folder_with_other_files_is_refused(change: str, tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, 4, STATE)
    if change == "missing":
        (path / "optimizers.safetensors").unlink()
    elif change == "extra":
        (path / "more.safetensors").write_bytes(b"")
    elif change == "swapped":
        shutil.copy(path / "networks.safetensors", path / "optimizers.safetensors")
    else:
        path = path.rename(tmp_path / "step-000009")
    with pytest.raises(CheckpointError):
        checkpoint.load(path)


def test_a_failure_at_any_file_operation_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, 1, STATE)
    disk = FullDisk(monkeypatch, ("fsync", "rename", "open"))
    failures = 0
    for number in range(1, 40):
        disk.fail_at(number)
        try:
            checkpoint.save(tmp_path, 2, STATE)
        except CheckpointError as error:
            failures += 1
            assert "No space left on device" in error.found and "bytes free" in error.found
            disk.fail_at(0)
            newest, state, complaints = checkpoint.load_newest(tmp_path)
            assert newest.name in ("step-000001", "step-000002") and not complaints
            assert checkpoint.digest(state) == checkpoint.digest(STATE)
            assert not list(tmp_path.glob(".*"))
        else:
            break
        shutil.rmtree(tmp_path / "step-000002", ignore_errors=True)
    assert failures >= 6


def test_pruning_keeps_the_newest_and_the_protected(tmp_path: Path) -> None:
    for step in range(1, 6):
        checkpoint.save(tmp_path, step, STATE)
    checkpoint.prune(tmp_path, 2, {"step-000002"})
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-000005", "step-000004", "step-000002"]


def test_no_checkpoint_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoint.load_newest(tmp_path)
