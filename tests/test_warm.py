"""The process that forks children to be killed answers for each of them, whatever happens to it."""

import os
import signal
import threading

from tests.warm import WarmProcess


def doubled(number: int) -> int:
    return 2 * number


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failing() -> None:
    print("on its way")
    raise ConnectionResetError("lost")


def sleeping() -> None:
    threading.Event().wait()


def process() -> int:
    return os.getppid()


def test_children_return_fail_die_and_are_ended(warm: WarmProcess) -> None:
    assert warm.run("tests.test_warm:doubled", 4).value == 8
    failed = warm.run("tests.test_warm:failing")
    assert failed.status == 1 and "lost" in failed.errors and "on its way" in failed.errors
    assert warm.run("tests.test_warm:killed").status == -signal.SIGKILL
    assert warm.run("tests.test_warm:sleeping", limit=0.1).status == -signal.SIGKILL
    assert warm.run("tests.test_warm:process").value == warm.run("tests.test_warm:process").value != os.getpid()
