"""Disks that are full, read-only or gone."""

import os
import resource
import shutil
import time
from pathlib import Path

import pytest

from ganglion.errors import CheckpointError, UsageError
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder
from tests.faults.children import fork, wait
from tests.faults.conftest import Record
from tests.faults.toy import At, finish, outcome, toy


def message_of(action: object) -> tuple[int, str]:
    """Do something in a child and return its exit status and the message of its error."""
    source, sink = os.pipe()

    def act() -> None:
        try:
            action()  # type: ignore[operator]
        except BaseException as error:
            os.write(sink, str(error).encode())
            raise

    status = wait(fork(act))
    os.close(sink)
    with open(source, encoding="utf-8") as file:
        return status, file.read()


@pytest.mark.parametrize("limits", [25, pytest.param(100, marks=pytest.mark.full)])
def test_a_full_disk(limits: int, place: Path, survived: Record) -> None:
    whole, begun, full = place / "whole", place / "begun", place / "full"
    finish(whole)
    assert wait(fork(lambda: toy(begun, (At(15, lambda: os._exit(7)),)).fit())) == 7
    largest = max(path.stat().st_size for path in (begun / "checkpoints").rglob("*") if path.is_file())

    def train(limit: int) -> None:
        trainer = toy(full)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        trainer.fit()

    good = 0
    for part in range(limits):
        shutil.copytree(begun, full)
        limit = largest * part // limits
        status, message = message_of(lambda limit=limit: train(limit))
        newest, _, complaints = checkpoint.load_newest(full / "checkpoints")
        assert status == 1 and newest.name >= "step-000014" and not complaints
        assert str(full) in message and "File too large" in message, message
        if "cannot save" in message:
            assert "expected: room for" in message and "bytes free" in message
        finish(full)
        hidden = [path for path in full.rglob(".*") if not path.name.startswith(".lock")]
        good += outcome(full) == outcome(whole) and not hidden
        shutil.rmtree(full)
    survived("disk full during a save", f"RLIMIT_FSIZE, {limits} limits below the largest file", limits, good)


def test_a_disk_without_room_is_refused_before_the_first_step(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = toy(place / "run")
    usage = shutil.disk_usage(place)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CheckpointError, match="no room") as caught:
        trainer.fit()
    assert trainer.iteration == 0 and caught.value.found == "1,000 bytes free"


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
@pytest.mark.parametrize("existing", [False, True])
def test_a_read_only_folder_is_refused(existing: bool, place: Path, survived: Record) -> None:
    folder, stepped = place / "run", place / "stepped"
    place.chmod(0o777)
    folder.mkdir()
    if existing:
        assert wait(fork(lambda: toy(folder, (At(7, lambda: os._exit(7)),)).fit())) == 7
        (folder / ".lock").chmod(0o444)
    folder.chmod(0o555)

    def train() -> None:
        if os.getuid() == 0:
            os.setuid(65534)  # for root, nothing is read-only
        toy(folder, (At(1, stepped.touch), At(7, stepped.touch))).fit()

    status, message = message_of(train)
    folder.chmod(0o755)
    refused = status in (1, 2) and "Permission denied" in message and str(folder) in message
    kind = "continued" if existing else "new"
    survived(f"read-only run folder, {kind}", "file rights", 1, int(refused and not stepped.exists()))


def test_a_file_in_the_place_of_the_folder_is_refused(place: Path) -> None:
    (place / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write the run folder"):
        RunFolder.create(place / "file", "line", {})


def test_a_vanished_folder_is_noticed_between_two_saves(place: Path, survived: Record) -> None:
    folder = place / "run"
    rarely = {"steps": 10**7, "checkpoint_every": 10**7, "report_every": 10**7, "evaluate_every": 10**7}
    trainer = toy(folder, (At(100, lambda: shutil.rmtree(folder)),), **rarely)
    started = time.monotonic()
    with pytest.raises(CheckpointError, match="vanished"):
        trainer.fit()
    survived("run folder vanishes between saves", "removed while training", 1, int(time.monotonic() - started < 5))


def test_a_vanished_folder_is_noticed_at_a_save_and_not_made_again(place: Path, survived: Record) -> None:
    good = 0
    for step in range(5, 15):
        folder = place / str(step)
        trainer = toy(folder, (At(step, lambda folder=folder: shutil.rmtree(folder)),))
        with pytest.raises(CheckpointError) as caught:
            trainer.fit()
        good += str(folder) in str(caught.value) and not folder.exists()
    survived("run folder vanishes before a save", "removed after 10 different steps", 10, good)


def test_a_folder_that_vanishes_during_a_save(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "run"
    trainer = toy(folder)
    write = checkpoint._write_parts
    monkeypatch.setattr(checkpoint, "_write_parts", lambda draft, state: (shutil.rmtree(folder), write(draft, state)))
    with pytest.raises(CheckpointError, match="cannot save the checkpoint of step 2"):
        trainer.fit()
    assert not folder.exists()
