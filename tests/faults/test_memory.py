"""Memory that runs out."""

import resource
from pathlib import Path

import pytest
import torch

from ganglion.training import checkpoint
from tests.faults.conftest import Record
from tests.faults.test_disk import message_of
from tests.faults.toy import finish, outcome, toy


@pytest.mark.parametrize("where", ["a step", "an evaluation", "loading"])
def test_memory_runs_out(where: str, place: Path, survived: Record) -> None:
    whole, folder = place / "whole", place / "run"
    finish(whole)

    def train() -> None:
        trainer = toy(folder)
        objective, judge, loader = trainer.rule.objective, trainer._evaluate, trainer.loader  # type: ignore[attr-defined]

        def want(here: str) -> None:
            if where == here and trainer.iteration >= 9:
                torch.ones(10**10)

        trainer.rule.objective = lambda batch: (want("a step"), objective(batch))[1]  # type: ignore[attr-defined]
        trainer._evaluate = lambda rule: (want("an evaluation"), judge(rule))[1]  # type: ignore[misc]
        iterate = type(loader).__iter__
        type(loader).__iter__ = lambda self: (want("loading") or batch for batch in iterate(self))  # type: ignore
        used = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
        trainer.fit()

    status, message = message_of(train)
    newest, _, complaints = checkpoint.load_newest(folder / "checkpoints")
    assert status == 1 and newest.name >= "step-000008" and not complaints
    assert "memory ran out" in message and "MiB in use" in message and "accumulate" in message, message
    if where == "a step":
        assert "batch of 4 samples" in message
    finish(folder)
    survived(f"out of memory in {where}", "RLIMIT_AS", 1, int(outcome(folder) == outcome(whole)))
