"""Servers in this process, to ask over HTTP without a socket."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2 as httpx
from starlette.testclient import TestClient

from ganglion.runs.run import open_run
from ganglion.serve.application import Service, application
from ganglion.serve.limits import Limits

KEPT = Path(__file__).parents[1] / "fixtures" / "runs" / "format-1"
LOCAL = "http://localhost"
Result = TypeVar("Result")


def service_of(name: str, **limits: Any) -> Service:
    """Return the service of a run that is kept for tests."""
    return Service(open_run(KEPT / name), Limits(**limits))


@contextmanager
def serving(name: str, *, token: str | None = None, **limits: Any) -> Iterator[TestClient]:
    """Serve a run that is kept for tests, by the name of localhost."""
    service = service_of(name, **limits)
    with TestClient(application(service, token=token), LOCAL) as client:
        assert service.model.is_ready.wait(60)
        yield client


def together(service: Service, talk: Callable[[httpx.AsyncClient], Awaitable[Result]]) -> Result:
    """Let many ask at once, in one event loop, and return what came of it."""

    async def run() -> Result:
        app = application(service)
        async with (
            service.running(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=LOCAL, timeout=60) as client,
        ):
            return await talk(client)

    return asyncio.run(run())


class Held:
    """A service whose network waits with its very first question, that of the server itself, until it is let go."""

    def __init__(self, service: Service) -> None:
        run = service.run
        self.answer = run.answer
        self.go, self.samples = threading.Event(), []  # type: ignore[var-annotated]
        run.answer = self._answer  # type: ignore[method-assign]

    def _answer(self, verb: str, **question: Any) -> Any:
        assert self.go.wait(60)
        self.samples.append(len(question.get("inputs", ())))
        return self.answer(verb, **question)
