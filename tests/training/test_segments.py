"""Segments of checkpoints: written once, found again, missed and mistrusted where they are not what they were."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganglion.core import Segment
from ganglion.errors import CheckpointError
from ganglion.training import checkpoint
from tests.training.full_disk import FullDisk

ROWS = [{"frames": torch.full((4, 3), number, dtype=torch.uint8)} for number in range(6)]


def state(*numbers: int, digests: dict[int, Segment] | None = None) -> dict[str, Any]:
    kept = digests if digests is not None else {}
    segments = [kept.setdefault(number, Segment(lambda number=number: ROWS[number])) for number in numbers]
    return {"weights": {"w": torch.ones(2)}, "loader": {"memory": [{"stop": 4, "rows": one} for one in segments]}}


def files(folder: Path) -> set[str]:
    return {file.name for file in (folder / "segments").iterdir()}


def test_a_segment_is_written_once_and_read_by_whoever_names_it(tmp_path: Path) -> None:
    kept: dict[int, Segment] = {}
    reads = []
    kept[0] = Segment(lambda: (reads.append(0), ROWS[0])[1])
    checkpoint.save(tmp_path, 1, state(0, 1, digests=kept))
    first = files(tmp_path)
    checkpoint.save(tmp_path, 2, state(0, 1, 2, digests=kept))
    assert len(reads) == 1 and len(first) == 2 and first < files(tmp_path) and len(files(tmp_path)) == 3
    for step, numbers in ((1, (0, 1)), (2, (0, 1, 2))):
        found = checkpoint.load(tmp_path / f"step-{step:06d}")
        assert checkpoint.digest(found) == checkpoint.digest(state(*numbers))
        for each, number in zip(found["loader"]["memory"], numbers, strict=True):
            assert torch.equal(each["rows"].read()["frames"], ROWS[number]["frames"])


def test_equal_contents_share_a_file_and_states_without_segments_have_no_folder(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, {"weights": {"w": torch.ones(2)}})
    assert not (tmp_path / "segments").exists()
    checkpoint.save(tmp_path, 2, state(3) | {"other": Segment(lambda: ROWS[3])})
    assert len(files(tmp_path)) == 1


def test_what_no_checkpoint_names_is_removed_and_what_one_names_stays(tmp_path: Path) -> None:
    for step in range(1, 6):
        checkpoint.save(tmp_path, step, state(step - 1, step))
        checkpoint.prune(tmp_path, 2, {"step-000001"})
    assert len(files(tmp_path)) == 5  # 0 and 1 of the first, 3 to 5 of the last two
    for path in checkpoint.steps(tmp_path):
        checkpoint.load(path)


def test_nothing_is_removed_while_a_checkpoint_cannot_say_what_it_names(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, state(0))
    (tmp_path / "step-000001" / "manifest.json").write_text("{")
    before = files(tmp_path)
    checkpoint.save(tmp_path, 2, state(1))
    assert before < files(tmp_path)


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "swapped"])
def test_a_damaged_segment_is_named_and_the_weights_are_still_read(tmp_path: Path, damage: str) -> None:
    path = checkpoint.save(tmp_path, 1, state(0, 1))
    one, other = sorted((tmp_path / "segments").iterdir())
    content = bytearray(one.read_bytes())
    if damage == "missing":
        one.unlink()
    elif damage == "swapped":
        one.write_bytes(other.read_bytes())
    elif damage == "cut":
        one.write_bytes(content[:-3])
    else:
        content[-1] ^= 4
        one.write_bytes(content)
    with pytest.raises(CheckpointError, match="segment of its memory") as caught:
        checkpoint.load(path)
    assert one.name in caught.value.where
    assert torch.equal(checkpoint.load(path, ("weights",))["weights"]["w"], torch.ones(2))
    checkpoint.save(tmp_path, 2, state(2))
    assert checkpoint.load_newest(tmp_path)[0].name == "step-000002"


def test_a_newest_checkpoint_with_a_damaged_segment_is_passed_over(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, state(0))
    old = files(tmp_path)
    checkpoint.save(tmp_path, 2, state(0, 1))
    (new,) = files(tmp_path) - old
    (tmp_path / "segments" / new).write_bytes(b"")
    path, _, complaints = checkpoint.load_newest(tmp_path)
    assert path.name == "step-000001" and "step-000002" in complaints[0]


@pytest.mark.parametrize("digest", ["../../../../etc/passwd", "", "A" * 64, "0" * 63])
def test_a_segment_that_is_named_wrongly_is_refused(tmp_path: Path, digest: str) -> None:
    from ganglion.training import segments

    with pytest.raises(CheckpointError, match="names a segment wrongly"):
        segments.fetch(tmp_path, digest)


def test_a_failure_at_any_file_operation_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, 1, state(0, 1))
    disk = FullDisk(monkeypatch, ("fsync", "rename", "replace", "open"))
    failures = 0
    for number in range(1, 60):
        disk.fail_at(number)
        try:
            checkpoint.save(tmp_path, 2, state(1, 2))
        except CheckpointError as error:
            failures += 1
            assert "No space left on device" in error.found
            disk.fail_at(0)
            newest, found, complaints = checkpoint.load_newest(tmp_path)
            assert not complaints
            numbers = (0, 1) if newest.name == "step-000001" else (1, 2)
            assert checkpoint.digest(found) == checkpoint.digest(state(*numbers))
            if newest.name == "step-000002":
                checkpoint.prune(tmp_path, 1, set())
                checkpoint.save(tmp_path, 1, state(0, 1))
                for path in checkpoint.steps(tmp_path):
                    if path.name == "step-000002":
                        path.rename(tmp_path / ".removed-step-000002")
                checkpoint.tidy(tmp_path)
            assert len(files(tmp_path)) == 2, "nothing is left of what was cut short"
        else:
            break
    assert failures >= 10
