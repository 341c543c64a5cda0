"""What tests of several floors share."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Tests run beside each other, and networks are so small that a second thread of each only waits for the processor.
# Before torch is imported, and for processes that tests start; routes and layers are tested with two threads as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from ganglion.fast import applies, matrix_library
from ganglion.figures import style
from tests.budgets import Budgets
from tests.warm import WarmProcess, draw_drafts


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Budgets())


@pytest.fixture(scope="session", autouse=True)
def _drafts() -> None:
    draw_drafts()


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw pictures as they are for users."""
    monkeypatch.setattr(style, "FigureCanvasAgg", FigureCanvasAgg)


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmProcess]:
    """Return a warm process, started when it is first used, in whose children one may be killed."""
    with WarmProcess() as process:
        yield process


@pytest.fixture(params=["mkl", "onednn"])
def product_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test twice: with matrices multiplied by MKL, and by oneDNN whatever their sizes."""
    if request.param == "onednn" and not matrix_library._has_onednn():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(matrix_library, "library", lambda: request.param)
    monkeypatch.setattr(applies, "LEAST_ONEDNN_OPERATIONS", 0)
    return str(request.param)


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a new folder, in memory where there is such a disk: what kills a process does not reach the disk."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="ganglion-tests-", dir=memory))
    yield path
    shutil.rmtree(path, ignore_errors=True)
