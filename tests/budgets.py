"""How much of the processor the tests of a system may take: a session in which one takes thrice that fails.

Counted are seconds of the processor, in this process and its children, rather than of a clock, which goes on while
others work. They are seconds of a machine that needs `REFERENCE` for a fixed piece of work, done beside each test: a
machine that is slower, or whose cores are shared, is allowed more. The tests of a system are those with the system
among their parameters, and those of its own file. Not counted are imports and compilations, which the first test pays
for all others, and tests marked `full`. `GANGLION_TEST_BUDGETS=1` lists what was spent.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganglion.models import System, names
from tests import warm

BUDGET = 8.0
"""Seconds of `make test` that a system may take; what takes more is listed."""
HEADROOM = 3.0
"""How many times that fails a session: work beside it slows a core down by more than the piece of work shows."""
REFERENCE = 0.015
"""Seconds of the processor for `fixed_work` on a quiet core of the machine that the budget was made for."""
STARTED = pytest.StashKey[float]()
SPENT = "seconds of a system"


def system_of(item: pytest.Item) -> str | None:
    """Return the name of the system that a test belongs to, if any."""
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    found = {value.name for value in parameters.values() if isinstance(value, System)}
    found |= {parameters.get("name")} & set(names())
    stem = Path(item.path).stem.removeprefix("test_").replace("_", "-")
    if not found and "models" in item.path.parts:
        found = {stem} & set(names())
    return found.pop() if found and not item.get_closest_marker("full") else None


class Compilations:
    """Adds up what Numba's compiling takes, which is kept on disk for the next session."""

    def __init__(self) -> None:
        self.seconds, self._depth, self._begun = 0.0, 0, 0.0

    def listen(self) -> None:
        try:
            from numba.core.event import Listener, register
        except ImportError:
            return
        methods = {"on_start": self._start, "on_end": self._end}
        register("numba:compile", type("CompilationListener", (Listener,), methods)())

    def _start(self, *event: object) -> None:
        if not self._depth:
            self._begun = time.thread_time()
        self._depth += 1

    def _end(self, *event: object) -> None:
        self._depth -= 1
        if not self._depth:
            self.seconds += time.thread_time() - self._begun


def fixed_work() -> float:
    """Return how many seconds of the processor a fixed piece of work takes."""
    begun, total = time.process_time(), 0
    for number in range(200_000):
        total += number * number
    numbers = np.linspace(-1, 1, 100_000)
    for _ in range(4):
        np.tanh(numbers)
    return time.process_time() - begun


@cache
def slowness() -> float:
    """Return how many times as long as usual this machine takes for a fixed piece of work, at least 1."""
    return max(1.0, min(fixed_work() for _ in range(3)) / REFERENCE)


class Budgets:
    """The plugin: counts what tests take, collects the counts of all workers, and fails a session above a budget."""

    def __init__(self, budget: float = BUDGET, work: Callable[[], float] = fixed_work) -> None:
        self.budget, self.work = budget, work
        self.spent: dict[str, dict[str, float]] = defaultdict(dict)
        self.compilations: Compilations | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if system_of(item) is not None:
            if self.compilations is None:
                self.compilations = Compilations()
                self.compilations.listen()
                warm.warm_up()
            item.stash[STARTED] = self.seconds()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        if call.when == "call" and STARTED in item.stash:  # tearing down may be of all that the session shares
            taken = self.seconds() - item.stash[STARTED]
            pace = self.work() / REFERENCE if taken > 0.1 else 1.0
            item.user_properties.append((SPENT, (system_of(item), taken / max(1.0, pace))))
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        spent: dict[str, Any] = dict(report.user_properties)  # which travels from a worker with the result
        if report.when == "teardown" and SPENT in spent:
            name, seconds = spent[SPENT]
            self.spent[name][report.nodeid] = seconds

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.above(HEADROOM * self.budget) and not hasattr(session.config, "workerinput"):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for name, tests in self.spent.items():
            if name in self.above(self.budget) or os.environ.get("GANGLION_TEST_BUDGETS"):
                taken = sum(tests.values())
                terminalreporter.write_line(f"{name}: {taken:.1f} s of the processor; {self.budget:g} s are allowed")
                for test in sorted(tests, key=tests.__getitem__, reverse=True)[:5]:
                    terminalreporter.write_line(f"    {tests[test]:.1f} s  {test}")
        if failed := self.above(HEADROOM * self.budget):
            terminalreporter.write_line(f"FAILED budgets of {', '.join(failed)}", red=True)

    def above(self, seconds: float) -> list[str]:
        """Return the systems whose tests took longer."""
        return [name for name, tests in self.spent.items() if sum(tests.values()) > seconds]

    def seconds(self) -> float:
        """Return what this process, its children and those of the warm process have taken, without compilations."""
        compiling = self.compilations.seconds if self.compilations is not None else 0.0
        return sum(os.times()[:4]) + warm.seconds_of_children - compiling
