"""A run of a line through points: 20 steps, a checkpoint every other step, in hundredths of a second."""

from pathlib import Path

from ganglion.training import checkpoint
from ganglion.training.machine.seeding import seed_all
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Callback, Trainer
from tests.training.toys import Line, Points, error

STEPS = 20


def toy(folder: Path, callbacks: tuple[Callback, ...] = (), strict: bool = False, **fields: object) -> Trainer:
    """Return a trainer of the run in `folder`, continued where there is one; lock and folder are the caller's."""
    known = (folder / "config.json").exists()
    run = RunFolder.open(folder) if known else RunFolder.create(folder, "line", {"system": "line"})
    # One thread: a fork beside a pool of threads, which another test may have started, would wait for it for ever.
    settings = {
        "steps": STEPS,
        "threads": 1,
        "checkpoint_every": 2,
        "report_every": 3,
        "evaluate_every": 5,
        "ema_decay": 0.9,
    }
    seed_all(0)
    trainer = Trainer(Line(), Points(), TrainerSettings(**settings | fields), evaluate=error, run=run)
    trainer.callbacks = callbacks
    if known:
        trainer.resume(strict=strict)
    return trainer


def finish(folder: Path, **fields: object) -> None:
    toy(folder, **fields).fit()


def outcome(folder: Path) -> tuple[str, str]:
    """Return the SHA-256 of the last state and of the metric log, both without timings."""
    files = RunFolder.open(folder)
    last = files.pointed("last")
    assert last is not None
    state = checkpoint.load(last)
    for name in ("seconds", "reported", "metrics_size"):
        del state["trainer"][name]
    return checkpoint.digest(state), files.metrics_digest()


class At(Callback):
    """Does something after a step."""

    def __init__(self, step: int, action: object) -> None:
        self.step, self.action = step, action

    def on_step(self, trainer: Trainer) -> None:
        if trainer.iteration == self.step:
            self.action()  # type: ignore[operator]
