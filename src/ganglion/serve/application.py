"""The routes of a server: each verb of the run, and what describes and watches it. None changes anything."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ganglion.errors import RequestError, UsageError
from ganglion.runs.run import Run
from ganglion.serve import description, example, metrics, refusal
from ganglion.serve.answering import body_of
from ganglion.serve.asking import Asker, Question
from ganglion.serve.guard import LOOPBACK, Guard
from ganglion.serve.limits import Limits
from ganglion.serve.media import JSON, plain
from ganglion.serve.model_thread import ModelThread
from ganglion.serve.refusal import refused
from ganglion.tasks.answers import Answer, Rows

READERS = 2
"""Threads that read bodies and write answers."""
SHORT, FEW = 4096, 16
"""Bytes of a body of JSON, and rows of an answer, that are read and written sooner than a thread would begin to."""
FOLDERS = ("search",)
"""Verbs that are not served: they look through folders of this machine."""
GONE = 499
"""Status of a request whose sender did not wait: nobody sees it but the counters."""

Handler = Callable[[Request], Awaitable[Response]]


@final
class Service:
    """One run being served: what is under way, what waits, and whether more may come."""

    def __init__(self, run: Run, limits: Limits) -> None:
        self.run, self.limits, self.asker = run, limits, Asker(run, limits)
        self.verbs = tuple(verb for verb in run.task.questions if verb not in FOLDERS)
        if not self.verbs:
            raise UsageError(
                "nothing of this run can be served",
                expected="more to ask than to search",
                found=", ".join(run.task.questions),
            )
        self.metrics = metrics.Metrics()
        self.model = ModelThread(run, limits, self.metrics, list(self._first()))
        self.readers = ThreadPoolExecutor(READERS, "ganglion-reader")
        self.under_way, self.bytes, self.is_draining = 0, 0, False

    def _first(self) -> Iterator[Question]:
        """Yield a question like those that will come."""
        sample = example.body("predict", self.asker) if "predict" in self.verbs else None
        if sample is not None:
            yield self.asker.read("predict", *sample, ())

    @asynccontextmanager
    async def running(self, app: Starlette) -> AsyncIterator[None]:
        """Work as long as the server does."""
        self.model.start()
        try:
            yield
        finally:
            self.is_draining = True
            await asyncio.to_thread(self.model.stop, self.limits.grace)
            self.readers.shutdown(wait=False, cancel_futures=True)
            self.asker.close()

    async def answer(self, verb: str, request: Request) -> Response:
        """Answer a question over HTTP."""
        media = plain(request.headers.get("content-type", JSON))
        known = self.asker.media(verb)
        if media not in known:
            remedy = f"--header 'Content-Type: {next(iter(known))}'"
            kinds = ", ".join(known)
            problem = RequestError(
                "bodies of this type are not read", where="Content-Type", expected=kinds, found=media, remedy=remedy
            )
            raise refused(415, problem)
        end = time.monotonic() + self.limits.timeout
        held = [0]
        try:
            body = await self._body(request, held)
            read = partial(self.asker.read, verb, media, body, request.query_params.multi_items())
            is_short = media == JSON and len(body) <= SHORT
            question = read() if is_short else await self._elsewhere(read)
            answer = await self._answered(request, question, end)
            write = partial(body_of, answer, request.headers.get("accept", ""))
            is_short = isinstance(answer, Rows) and len(answer.rows) <= FEW
            content, form, headers = write() if is_short else await self._elsewhere(write)
        finally:
            self.bytes -= held[0]
        return Response(content, headers=headers, media_type=form)

    async def _body(self, request: Request, held: list[int]) -> bytes:
        """Return the body, refusing what is too long as soon as that is known; `held` counts its bytes."""
        most = self.limits.largest_body
        announced = request.headers.get("content-length", "0")
        if len(announced) > 15 or not announced.isdecimal() or int(announced) > most:
            raise _too_large(most, announced)
        parts = []
        try:
            async with asyncio.timeout(self.limits.timeout):
                async for part in request.stream():
                    held[0] += len(part)
                    self.bytes += len(part)
                    if held[0] > most:
                        raise _too_large(most, f"{held[0]} and more")
                    if self.bytes > self.limits.all_bodies:
                        raise _too_much("bodies of all requests together are too large")
                    parts.append(part)
        except TimeoutError as error:
            problem = RequestError("the body did not come in time", expected=f"{self.limits.timeout:g} s")
            raise refused(408, problem) from error
        return b"".join(parts)

    async def _answered(self, request: Request, question: Question, end: float) -> Answer:
        """Return the answer of the network, unless it comes too late or nobody waits for it any more."""
        answer = self.model.submit(question)
        gone = asyncio.ensure_future(_left(request))
        try:
            left = max(0.0, end - time.monotonic())
            both: set[asyncio.Future[Any]] = {answer, gone}
            await asyncio.wait(both, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            if gone.done():
                raise _gone()
            late = RequestError(
                "there was no answer in time", expected=f"{self.limits.timeout:g} s", remedy="ask for less"
            )
            raise refused(504, late)
        finally:
            gone.cancel()
            answer.cancel()

    async def _elsewhere(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.readers, work)

    def admitted(self, verb: str) -> Handler:
        """Return what handles a verb: it answers if there is room, and counts what it did."""

        async def handle(request: Request) -> Response:
            started, status = time.monotonic(), GONE
            try:
                response = await self._with_room(partial(self.answer, verb), request)
                status = response.status_code
            finally:  # also where the server cancels this, since whoever asked has gone
                self.metrics.answered(verb, status, time.monotonic() - started)
            return response

        return handle

    async def _with_room(self, answer: Handler, request: Request) -> Response:
        try:
            if self.is_draining:
                problem = RequestError("this server is stopping", remedy="ask again in some seconds")
                raise refused(503, problem, {"Retry-After": "5"})
            if self.under_way >= self.limits.queue:
                raise _too_much("too many requests are waiting")
            self._count(1)
            try:
                return await answer(request)
            finally:
                self._count(-1)
        except ClientDisconnect:
            return refusal.response(_gone())
        except Exception as error:
            return refusal.response(error)

    def _count(self, more: int) -> None:
        self.under_way += more
        self.metrics.under_way(self.under_way)

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        if self.model.failure is not None:
            return refusal.response(self.model.failure)
        status = "stopping" if self.is_draining else "ready" if self.model.is_ready.is_set() else "loading"
        return JSONResponse({"status": status}, 200 if status == "ready" else 503)

    async def schema(self, request: Request) -> Response:
        return JSONResponse(description.schema(self.run, self.asker, self.verbs, self.limits))

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(description.openapi(self.run, self.asker, self.verbs, self.limits))

    async def counters(self, request: Request) -> Response:
        return Response(self.metrics.text(), headers={"Content-Type": metrics.MEDIA})


def application(service: Service, hosts: Collection[str] = LOOPBACK, token: str | None = None) -> Starlette:
    """Return the application of a service.

    Args:
        hosts: names by which it may be asked.
        token: what every request but those for its health must show; None for a server that anybody may ask.
    """
    routes = [Route(f"/{verb}", service.admitted(verb), methods=["POST"]) for verb in service.verbs]
    watching = {
        "/schema": service.schema,
        "/openapi.json": service.openapi,
        "/health": service.health,
        "/ready": service.ready,
        "/metrics": service.counters,
    }
    routes += [Route(path, handler, methods=["GET"]) for path, handler in watching.items()]
    paths = [route.path for route in routes]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, hosts=hosts, token=token)],
        exception_handlers={HTTPException: partial(_no_route, paths)},
        lifespan=service.running,
    )


async def _no_route(paths: list[str], request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = "this route takes another method" if error.status_code == 405 else "there is no such route"
    expected = (error.headers or {}).get("Allow", "") if error.status_code == 405 else ", ".join(paths)
    found = f"{request.method} {request.url.path}"
    problem = RequestError(what, expected=expected, found=found)
    return refusal.response(refused(error.status_code, problem, error.headers))


async def _left(request: Request) -> None:
    """Return when whoever asked has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_large(most: int, found: str) -> RequestError:
    remedy = "ask about less at once, or start the server with --largest-body"
    expected = f"at most {most} bytes"
    return refused(
        413, RequestError("the body is too large", where="body", expected=expected, found=found, remedy=remedy)
    )


def _too_much(what: str) -> RequestError:
    return refused(429, RequestError(what, remedy="ask again a little later"), {"Retry-After": "1"})


def _gone() -> RequestError:
    return refused(GONE, RequestError("whoever asked has gone", remedy="wait for the answer"))
