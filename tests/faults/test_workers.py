"""Processes that read data and die, fail or hang; and their number, which must not matter."""

import gc
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from ganglion.data.formats.images.folders import ImageFiles
from ganglion.data.loaders.streaming import StreamingLoader
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.errors import DataError
from ganglion.runs.session import Session, prepare, prepare_resume
from ganglion.training.trainer import Interrupted, Trainer
from tests.budgets import slowness
from tests.contract.test_contract import final_digests
from tests.faults.conftest import Record
from tests.faults.families import request
from tests.faults.toy import At


@pytest.fixture
def pictures(place: Path) -> Path:
    """Return a folder of forty small pictures in two classes."""
    random = np.random.default_rng(0)
    for number in range(40):
        folder = place / "pictures" / ("dark" if number % 2 else "light")
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 128, (9, 9, 3), dtype=np.uint8) + 127 * (number % 2 == 0)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return place / "pictures"


class Harm:
    """A preparation of pictures that turns on its worker when it meets the picture in the middle of the set."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act
        self.prepare = ImagePreprocessing(image_size=9, channels=3)

    def __call__(self, raw: np.ndarray) -> Tensor:
        if raw.mean() > 150:
            self.act()
        return self.prepare(raw)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ZeroDivisionError("a defect in the preparation")


def hang() -> None:
    time.sleep(60)


@pytest.mark.parametrize(
    ("act", "timeout"), [(die, 60.0), (fail, 60.0), pytest.param(hang, 4.0, marks=pytest.mark.full)]
)
def test_a_worker_in_trouble_is_named(
    act: Callable[[], None], timeout: float, pictures: Path, survived: Record
) -> None:
    paths = tuple(sorted(pictures.rglob("*.png"), key=lambda path: int(path.stem)))
    files = ImageFiles(paths, (9, 9), 3)
    order = sorted(range(40), key=lambda number: (number == 20, number % 2 == 0))
    files = ImageFiles(tuple(paths[number] for number in order if number % 2 or number == 20), (9, 9), 3)
    loader = StreamingLoader(files, Harm(act), {}, 1, seed=0, workers=2, shuffle=False, timeout=timeout)
    gc.collect()  # a loader of the test before, which waits for its workers
    started = time.monotonic()
    with pytest.raises(DataError) as caught:
        list(loader)
    quick = time.monotonic() - started < 5 * slowness() + (timeout if act is hang else 0)
    named = all(word in caught.value.where for word in ("20.png", "sample 20", "worker"))
    survived(f"data-loader worker: {act.__name__}", "2 workers, at one file", 1, int(quick and named))


def streamed(pictures: Path, folder: Path, workers: int, callbacks: tuple[At, ...] = ()) -> Session:
    name, _, options = request("convnet, augmented")
    del options["limit"]
    options |= {"stream": "yes", "workers": workers, "batch_size": 4, "steps": 18, "checkpoint_every": 3}
    if not (folder / "config.json").exists():
        return prepare(name, pictures, out=folder, callbacks=callbacks, **options)
    description = json.loads((folder / "config.json").read_text())
    description["data_settings"]["workers"] = workers
    (folder / "config.json").write_text(json.dumps(description))
    session = prepare_resume(folder, callbacks=callbacks, exact=True)
    assert isinstance(session, Session)
    return session


def stop_at(step: int) -> tuple[At, ...]:
    return (At(step, lambda: os.kill(os.getpid(), signal.SIGTERM)),)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")  # than there are processors
def test_the_number_of_workers_may_change_between_resumes(pictures: Path, place: Path, survived: Record) -> None:
    streamed(pictures, place / "whole", 0).trainer.fit()
    for step, workers in ((4, 0), (11, 4)):
        session = streamed(pictures, place / "run", workers, stop_at(step))
        with pytest.raises(Interrupted):
            session.fit()
    streamed(pictures, place / "run", 0).trainer.fit()
    same = final_digests(place / "run") == final_digests(place / "whole")
    survived("workers 0, then 4, then 0", "between two resumes", 1, int(same))


def test_a_run_whose_worker_was_killed_continues_exactly(pictures: Path, place: Path, survived: Record) -> None:
    streamed(pictures, place / "whole", 0).trainer.fit()

    def kill_worker() -> None:
        trainer: Trainer = session.trainer
        workers = trainer.loader._source._iterator._workers  # type: ignore[attr-defined]
        os.kill(workers[0].pid, signal.SIGKILL)

    session = streamed(pictures, place / "run", 2, (At(7, kill_worker),))
    with pytest.raises(DataError, match="died"):
        session.fit()
    streamed(pictures, place / "run", 2).trainer.fit()
    same = final_digests(place / "run") == final_digests(place / "whole")
    survived("data-loader worker killed while training", "then resumed", 1, int(same))


def test_a_stop_that_reaches_the_workers_too_still_saves(pictures: Path, place: Path, survived: Record) -> None:
    """A job system sends SIGTERM to every process of the job."""
    streamed(pictures, place / "whole", 0).trainer.fit()
    good = 0
    for number in (signal.SIGTERM, signal.SIGINT):
        folder = place / number.name

        def stop_all(number: int = number) -> None:
            for worker in session.trainer.loader._source._iterator._workers:  # type: ignore[attr-defined]  # noqa: B023
                os.kill(worker.pid, number)
            time.sleep(0.2)
            os.kill(os.getpid(), number)

        session = streamed(pictures, folder, 2, (At(7, stop_all),))
        with pytest.raises(Interrupted) as caught:
            session.fit()
        assert caught.value.saved
        streamed(pictures, folder, 2).trainer.fit()
        good += final_digests(folder) == final_digests(place / "whole")
    survived("a stop that reaches workers and trainer", "SIGTERM and SIGINT to all of them", 2, good)
