"""Processes that die without a word, at any moment, continue bit for bit."""

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.children import fork, wait
from tests.faults.conftest import Record
from tests.faults.families import VARIANTS
from tests.faults.toy import At, finish, outcome, toy
from tests.warm import WarmProcess

FAMILIES = Counter(name for name, _, _ in VARIANTS.values())
SHORT = [(variant, -(-3 // FAMILIES[name])) for variant, (name, _, _) in VARIANTS.items()]
"""At least 3 kills for each family, shared among its variants."""
FULL = [pytest.param(variant, 200, marks=pytest.mark.full) for variant in VARIANTS]


@pytest.mark.parametrize(("variant", "kills"), [*SHORT, *FULL])
def test_kills_at_random_moments(variant: str, kills: int, place: Path, warm: WarmProcess, survived: Record) -> None:
    for seed in range(4):
        (place / str(seed)).mkdir()
        killed = warm.run("tests.faults.nursery:kill_at_random", variant, kills, seed, place / str(seed), limit=7200)
        assert killed.status == 0, killed.errors
        result = killed.value
        assert not result["failures"], result["failures"]
        if result["begun"]:  # moments that all lie before the first checkpoint would prove nothing
            break
    assert result["begun"] > 0
    how = f"a checkpoint every step, {result['begun']} after the first, {result['in_save']} in the middle of one"
    survived(f"SIGKILL at a random moment, {variant}", how, result["kills"], result["survived"])


OPERATIONS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.scandir", "os.listdir")
"""Audit events of file operations; flushes to the disk have none and are counted apart."""


def die_at(operation: int) -> Callable[[], int]:
    """Kill this process at the given file operation from now on; the returned function tells how many there were."""
    count = 0

    def happened(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == operation:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, _: tuple[Any, ...]) -> None:
        if event in OPERATIONS:
            happened()

    sync = os.fsync
    os.fsync = lambda descriptor: (happened(), sync(descriptor))[1]  # type: ignore[assignment]
    sys.addaudithook(audit)
    return lambda: count


def test_kills_at_every_file_operation_of_a_save(place: Path, survived: Record) -> None:
    whole, begun, killed = place / "whole", place / "begun", place / "killed"
    finish(whole)
    assert wait(fork(lambda: toy(begun, (At(15, lambda: os._exit(7)),)).fit())) == 7

    def save(operation: int) -> None:
        trainer = toy(killed, steps=15)
        trainer._next(iter(trainer.loader))  # what is read lazily is read now
        trainer = toy(killed, steps=15)
        told = die_at(operation)
        trainer.fit()
        (place / "count").write_text(str(told()))

    shutil.copytree(begun, killed)
    assert wait(fork(lambda: save(-1))) == 0
    operations, good = int((place / "count").read_text()), 0
    assert operations > 40
    for operation in range(1, operations + 1):
        shutil.rmtree(killed)
        shutil.copytree(begun, killed)
        status = wait(fork(lambda operation=operation: save(operation)))
        assert status in (-signal.SIGKILL, 0)  # the child's own count of operations may vary by one or two
        finish(killed)
        drafts = [path for path in killed.rglob(".*") if not path.name.startswith(".lock")]
        good += outcome(killed) == outcome(whole) and not drafts
    how = "at every open, flush, mkdir, rename, remove and truncate from one checkpoint to the next"
    survived("SIGKILL at every file operation of a save", how, operations, good)


def test_a_checkpoint_that_replaces_one_is_never_missing(place: Path, survived: Record) -> None:
    """A step is saved again when its evaluation was interrupted; a kill in between must leave one of the two."""
    from ganglion.training import checkpoint

    state = {"trainer": {"iteration": 1}}

    def replace(operation: int) -> None:
        told = die_at(operation)
        checkpoint.save(place, 1, state)
        (place.parent / f"{place.name}-count").write_text(str(told()))

    counter = place.parent / f"{place.name}-count"
    checkpoint.save(place, 1, state)
    assert wait(fork(lambda: replace(-1))) == 0
    operations, good = int(counter.read_text()), 0
    counter.unlink()
    for operation in range(1, operations + 1):
        wait(fork(lambda operation=operation: replace(operation)))
        counter.unlink(missing_ok=True)
        checkpoint.tidy(place)
        good += [path.name for path in place.iterdir()] == ["step-000001"]
        checkpoint.verify(place / "step-000001")
    survived("SIGKILL while a checkpoint is replaced", "at every file operation", operations, good)
