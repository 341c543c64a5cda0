"""Children that are forked to be harmed."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any


def fork(action: Callable[[], Any]) -> int:
    """Do something in a child, quietly, and return its process number; its exit status is that of a command."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        action()
        status = 0
    except BaseException as error:
        status = getattr(error, "exit_code", 1)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait(child: int) -> int:
    """Return the exit status of a child, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def is_alive(child: int) -> bool:
    """Return whether a child still runs; what it ends with is kept for `wait`."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
