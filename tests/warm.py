"""A warm process that forks a child for each task it is given, so that a child costs no imports and may be killed.

`python -m tests.warm` reads requests, `{"call": "tests.module:function", "arguments": [...], "limit": 300}`,
one a line, and answers each with a line, `{"status": 0, "value": ..., "errors": "", "seconds": 0.1}`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self, final

from ganglion import tasks

ROOT = Path(__file__).parents[1]
SHARED = (
    "ganglion.runs.session",
    "ganglion.runs.tour",
    "torch.export",
    "matplotlib.pyplot",
    "scipy.ndimage",
    "scipy.stats",
    "sklearn.decomposition",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.pipeline",
)
"""Modules that many tests need."""
LIMIT = 300.0
"""Seconds after which a child is killed."""
seconds_of_children = 0.0
"""What all children of warm processes have taken of the processor."""


@dataclass(frozen=True)
class Outcome:
    """How a child ended: exit status (negative: the signal that ended it), what was returned, what went to stderr, and
    the seconds of the processor that it took."""

    status: int
    value: Any
    errors: str
    seconds: float


@final
class WarmProcess:
    """A process that has imported what is needed and lets its children do the work.

    It never computes itself: a child that is forked beside a pool of threads waits for them for ever.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._process.communicate()

    def run(self, call: str, *arguments: Any, limit: float = LIMIT) -> Outcome:
        """Call `module:function` in a child; arguments and what it returns are JSON values, paths become text."""
        if self._process is None:
            self._process = self._start()
        assert self._process.stdin is not None and self._process.stdout is not None
        request = {"call": call, "arguments": arguments, "limit": limit}
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the warm process has died"
        outcome = Outcome(**json.loads(answer))
        global seconds_of_children
        seconds_of_children += outcome.seconds
        return outcome

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.warm"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


FRESH = """import sys, time
from importlib import import_module
from tests.budgets import Compilations
function = getattr(import_module(sys.argv[1]), sys.argv[2])
imports, compilations = time.process_time(), Compilations()
compilations.listen()
function(*sys.argv[3:])
print(imports + compilations.seconds)
"""


def run_fresh(call: str, *arguments: object, limit: float = LIMIT) -> None:
    """Call `module:function` with texts in a process of its own, whose imports and compilations are not counted."""
    command = [sys.executable, "-c", FRESH, *call.split(":"), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit)
    assert done.returncode == 0, done.stderr
    global seconds_of_children
    seconds_of_children -= float(done.stdout.splitlines()[-1])


def warm_up() -> None:
    """Do once what the first test, or each child, would pay for: imports, and Numba's tables of what it can compile."""
    for module in SHARED:
        import_module(module)
    for task in tasks.names():
        tasks.find(task)
    if find_spec("numba") is not None:
        from numba.core.registry import cpu_target

        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


def draw_drafts() -> None:
    """Let this process draw pictures small and as they lie: laying them out takes half of the time of a tiny run.

    They are drawn as they are for users by the tests of figures, and by those that start a process of their own.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from ganglion.figures import style

    class Draft(FigureCanvasAgg):
        def print_png(self, *arguments: Any, **options: Any) -> None:
            self.figure.set_layout_engine("none")
            self.figure.set_dpi(30)
            super().print_png(*arguments, **options)

    style.FigureCanvasAgg = Draft  # type: ignore[misc]


def serve() -> None:
    """Answer requests until there are no more."""
    warm_up()
    draw_drafts()
    for line in sys.stdin:
        request = json.loads(line)
        module, _, name = request["call"].partition(":")
        function = getattr(import_module(module), name)
        print(json.dumps(_answer(lambda: function(*request["arguments"]), request["limit"])), flush=True)  # noqa: B023


def _answer(action: Any, limit: float) -> dict[str, Any]:
    """Do something in a child and return how it ended."""
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as value:
        child = os.fork()
        if not child:
            _do(action, errors, value)
        status, seconds = _ended(child, limit)
        errors.seek(0), value.seek(0)
        returned = value.read()
        found = json.loads(returned) if returned else None
        return {"status": status, "value": found, "errors": errors.read(), "seconds": seconds}


def _do(action: Any, errors: Any, value: Any) -> None:
    """Do something in this process, which is a child, and end it."""
    status = 1
    try:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(errors.fileno(), stream.fileno())
        os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
        json.dump(action(), value, default=str)
        value.flush()
        status = 0
    except BaseException as error:
        status = getattr(error, "exit_code", 1)
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)


def _ended(child: int, limit: float) -> tuple[int, float]:
    """Wait for a child, killing it if it takes too long.

    Return its exit status, negative where a signal ended it, and the seconds of the processor that it took.
    """
    deadline = time.monotonic() + limit
    process, status, usage = os.wait4(child, os.WNOHANG)
    while not process and time.monotonic() < deadline:
        time.sleep(0.002)
        process, status, usage = os.wait4(child, os.WNOHANG)
    if not process:
        os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    serve()
