"""Processes that are started together by forking a warm one, and what they are asked to do."""

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

LIMIT = 120.0


def run(size: int, call: str, *arguments: Any) -> list[Any]:
    """Call `module:function` in so many processes that are one world, and return what each returns.

    To be called in a process that may be forked. Raises `RuntimeError` with what they said if one of them fails.
    """
    module, _, name = call.partition(":")
    function = getattr(import_module(module), name)
    found = ended(size, lambda: function(*arguments))
    if failed := [one for one in found if one["status"]]:
        raise RuntimeError("\n".join(f"status {one['status']}: {one['errors']}" for one in failed))
    return [one["value"] for one in found]


def ended(size: int, action: Callable[[], Any], limit: float = LIMIT, killed: dict[int, float] | None = None) -> Any:
    """Do something in so many processes that are one world, and return how each ended.

    Args:
        killed: after how many seconds which are killed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    files = [(tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")) for _ in range(size)]  # noqa: SIM115
    children = {}
    for rank, (errors, value) in enumerate(files):
        child = os.fork()
        if not child:
            os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            _do(action, errors, value)
        children[child] = rank
    begun, found = time.monotonic(), [{} for _ in range(size)]
    while children:
        spent = time.monotonic() - begun
        for child, rank in list(children.items()):
            if killed and spent > killed.get(rank, spent):
                os.kill(child, signal.SIGKILL)
            if spent > limit:
                os.kill(child, signal.SIGKILL)
            process, status = os.waitpid(child, os.WNOHANG)
            if process:
                del children[child]
                errors, value = files[rank]
                errors.seek(0), value.seek(0)
                said = value.read()
                found[rank] = {
                    "status": os.waitstatus_to_exitcode(status),
                    "value": json.loads(said) if said else None,
                    "errors": errors.read(),
                    "seconds": spent,
                }
        time.sleep(0.005)
    return found


def _do(action: Callable[[], Any], errors: Any, value: Any) -> None:
    """Do something in this process, which is a child, and end it."""
    import traceback

    status = 1
    try:
        for stream in (1, 2):
            os.dup2(errors.fileno(), stream)
        json.dump(action(), value, default=str)
        value.flush()
        status = 0
    except BaseException as error:
        status = getattr(error, "exit_code", 1)
        traceback.print_exc()
    finally:
        joining = import_module("ganglion.training.processes.joining")
        if (member := joining.member()) is not None:
            member.heart.stop()
        os._exit(status)
