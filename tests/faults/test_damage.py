"""What happens to files between two runs: nothing damaged is ever loaded in silence."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ganglion.errors import CheckpointError
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder
from tests.faults.children import fork, wait
from tests.faults.conftest import Record
from tests.faults.toy import At, finish, outcome, toy


@pytest.fixture
def stopped(place: Path) -> Path:
    """Return a run that died at step 15 and has checkpoints of steps 12 and 14, and the best."""
    folder = place / "stopped"
    assert wait(fork(lambda: toy(folder, (At(15, lambda: os._exit(7)),)).fit())) == 7
    return folder


def newest_and_files(folder: Path) -> tuple[Path, list[Path]]:
    newest = checkpoint.steps(folder / "checkpoints")[0]
    return newest, sorted(newest.iterdir())


def noticed(folder: Path, file: str) -> bool:
    """Whether the checkpoint before is used, with a sentence that names both the file and what is used instead."""
    used, _, (complaint,) = checkpoint.load_newest(folder / "checkpoints")
    assert used.name == "step-000012" and "using step-000012 instead" in complaint
    return file in complaint and "step-000014" in complaint


def damaged(file: Path, content: bytes) -> Iterator[None]:
    before = file.read_bytes()
    file.write_bytes(content)
    yield
    file.write_bytes(before)


def test_truncation(stopped: Path, survived: Record) -> None:
    _, files = newest_and_files(stopped)
    tries = good = 0
    for file in files:
        content = file.read_bytes()
        lengths = {len(content) * part // 50 for part in range(50)} | {len(content) - 1}
        for length in sorted(lengths):
            for _ in damaged(file, content[:length]):
                tries, good = tries + 1, good + noticed(stopped, file.name)
    survived("a file cut short", f"each of the {len(files)} files at 50 lengths from 0", tries, good)


def test_flipped_bits(stopped: Path, survived: Record) -> None:
    _, files = newest_and_files(stopped)
    places = [(file, place) for file in files for place in range(file.stat().st_size)]
    chance, good = random.Random(0), 0
    for file, place in chance.choices(places, k=1000):
        content = bytearray(file.read_bytes())
        content[place] ^= 1 << chance.randrange(8)
        for _ in damaged(file, bytes(content)):
            good += noticed(stopped, file.name)
    survived("a flipped bit", "1,000 bits anywhere in a checkpoint", 1000, good)


def test_missing_extra_swapped_and_edited_files(stopped: Path, survived: Record) -> None:
    newest, files = newest_and_files(stopped)
    older = newest.with_name("step-000012")
    kept = newest.with_name("kept")
    shutil.copytree(newest, kept)
    manifest = (newest / "manifest.json").read_text()
    changes: list[Callable[[], object]] = [
        *((lambda file=file: file.unlink()) for file in files),
        *((lambda file=file: file.rename(file.with_name("other"))) for file in files),
        *((lambda file=file: shutil.copy(older / file.name, file)) for file in files if (older / file.name).exists()),
        lambda: (newest / "more.safetensors").write_bytes(b""),
        lambda: (newest / "state.json").replace(newest / "weights.safetensors"),
        lambda: (newest / "manifest.json").write_text(manifest.replace('"step": 14', '"step": 15')),
        lambda: (newest / "manifest.json").write_text(
            manifest.replace(f'"format": {checkpoint.FORMAT}', '"format": 9')
        ),
        lambda: (newest / "manifest.json").write_text("[]"),
        lambda: (newest / "manifest.json").write_text("[" * 100_000),
        lambda: (shutil.rmtree(newest), shutil.copytree(older, newest)),
        lambda: (shutil.rmtree(newest), newest.write_bytes(b"a file")),
        lambda: (shutil.rmtree(newest), newest.mkdir()),
    ]
    good = 0
    for change in changes:
        change()
        used, _, complaints = checkpoint.load_newest(stopped / "checkpoints")
        good += used == older and len(complaints) == 1
        shutil.rmtree(newest) if newest.is_dir() else newest.unlink()
        shutil.copytree(kept, newest)
    how = "each file missing, renamed or from another step, files exchanged or added, manifest edited"
    survived("missing, extra, swapped or edited files", how, len(changes), good)


def test_a_damaged_newest_checkpoint_costs_time_and_nothing_else(place: Path, stopped: Path) -> None:
    finish(place / "whole")
    newest, _ = newest_and_files(stopped)
    (newest / "networks.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"networks\.safetensors has another size"):
        toy(stopped, strict=True)
    finish(stopped)
    assert outcome(stopped) == outcome(place / "whole")
    kept = [path.name for path in checkpoint.steps(stopped / "checkpoints")]
    assert kept == ["step-000020", "step-000018"]  # the damaged one counts for nothing, the best is the last
    assert (stopped / "checkpoints" / "damaged-step-000014").exists()


def test_several_damaged_checkpoints_do_not_push_out_good_ones(stopped: Path) -> None:
    for path in checkpoint.steps(stopped / "checkpoints")[:1]:
        for step in (16, 18, 30):
            shutil.copytree(path, path.with_name(f"step-{step:06d}"))
    finish(stopped, steps=16)
    assert [path.name for path in checkpoint.steps(stopped / "checkpoints")][:2] == ["step-000016", "step-000015"]


def test_the_best_pointer_is_right_after_a_kill_just_before_it_was_written(stopped: Path) -> None:
    files = RunFolder.open(stopped)
    best = files.pointed("best")
    files.point("best", checkpoint.steps(files.checkpoints)[0])
    finish(stopped, steps=16)
    assert files.pointed("best") == files.checkpoints / f"step-{toy_best(stopped):06d}" and best is not None


def toy_best(folder: Path) -> int:
    _, state, _ = checkpoint.load_newest(folder / "checkpoints")
    return int(state["trainer"]["best_step"])


def test_a_damaged_best_checkpoint_does_not_lose_the_run(stopped: Path) -> None:
    trainer = toy(stopped)

    def spoil() -> None:
        best = RunFolder.open(stopped).pointed("best")
        assert best is not None
        (best / "weights.safetensors").write_bytes(b"")
        trainer._evaluate = lambda rule: {"loss": 1e9}

    trainer.callbacks = (At(16, spoil),)
    trainer.fit()
    assert "weights.safetensors has another size" in (stopped / "log.txt").read_text()
    assert "using the last weights instead" in (stopped / "log.txt").read_text()


def test_torn_metric_log(place: Path, stopped: Path, survived: Record) -> None:
    log, good = stopped / "metrics.jsonl", 0
    content, torn = log.read_bytes(), place / "torn"
    for part in range(100):
        shutil.copytree(stopped, torn)
        (torn / "metrics.jsonl").write_bytes(content[: len(content) * part // 100])
        RunFolder.open(torn).metrics()
        finish(torn)
        steps = [row["step"] for row in RunFolder.open(torn).metrics()]
        good += len(steps) == len(set(steps)) == (torn / "metrics.jsonl").read_text().count("\n") and steps[-1] == 20
        shutil.rmtree(torn)
    survived("metric log cut short", "at 100 places, then continued", 100, good)


def test_nonsense_in_small_files_is_no_crash(stopped: Path) -> None:
    for name in ("best", "last", "metrics.jsonl"):
        for content in (b"", b"\xff\xfe\0", b"../../etc", b"[1, 2]\n{}\n"):
            (stopped / name).write_bytes(content)
            RunFolder.open(stopped).metrics()
            assert RunFolder.open(stopped).pointed("best") in (None, *checkpoint.steps(stopped / "checkpoints"))
    finish(stopped)
