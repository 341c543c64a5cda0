"""Faults leave a line in the table of faults, where one is being made, and use memory for a disk."""

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

Record = Callable[..., None]


@pytest.fixture(autouse=True, scope="session")
def _nothing_ignored() -> None:
    """Take back what a shell lets its background jobs ignore, which training would rightly go on ignoring."""
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture
def survived(request: pytest.FixtureRequest) -> Record:
    """Return what records a fault, how often it was injected, and how often it was survived, and checks the latter."""
    started = time.perf_counter()

    def record(fault: str, how: str, tries: int, successes: int) -> None:
        row = {"fault": fault, "how": how, "tries": tries, "survived": successes}
        if results := os.environ.get("GANGLION_FAULT_RESULTS"):
            with open(results, "a", encoding="utf-8") as file:
                file.write(json.dumps(row | {"seconds": time.perf_counter() - started}) + "\n")
        assert successes == tries, row

    return record
