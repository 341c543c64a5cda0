"""The process around the routes: a socket, a token, and an end without losing what is under way."""

import logging
import os
import secrets
import signal
import socket
import stat
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import final

import uvicorn

from ganglion.errors import UsageError
from ganglion.files import read_bytes
from ganglion.serve.application import Service, application
from ganglion.serve.guard import LOOPBACK

VARIABLE = "GANGLION_TOKEN"
SHORTEST = 16
LONGEST_TOKEN_FILE = 1 << 12
CONNECTIONS = 512
"""Open connections beyond which further ones are turned away at once."""
IDLE = 75
"""Seconds that a connection is kept without a request."""


@final
@dataclass(frozen=True)
class Token:
    """What whoever asks must know, and how a shell writes it without showing it where that can be helped."""

    value: str | None
    shell: str


def token_of(path: Path | None, without: bool) -> Token:
    """Return the token: of a file, of the environment, or a new one.

    Raises `UsageError` for one that is too short or that others on this machine can read.
    """
    if without:
        return Token(None, "")
    if path is not None:
        content = read_bytes(path, LONGEST_TOKEN_FILE).decode("utf-8", "replace").strip()
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            remedy = f"chmod 600 {quote(str(path))}"
            raise UsageError("others can read the file of the token", where=str(path), remedy=remedy)
        return Token(_checked(content, str(path)), f"$(cat {quote(str(path))})")
    if VARIABLE in os.environ:
        return Token(_checked(os.environ[VARIABLE], VARIABLE), f"${VARIABLE}")
    drawn = secrets.token_urlsafe(24)
    return Token(drawn, drawn)


def _checked(token: str, where: str) -> str:
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        expected = f"{SHORTEST} letters, digits and signs at least, without blanks"
        raise UsageError("this is no safe token", where=where, expected=expected, found=f"{len(token)} characters")
    return token


def names_of(host: str, allowed: Collection[str], token: Token) -> tuple[str, ...]:
    """Return the names by which a server on an address may be asked; raise `UsageError` for one that is not safe."""
    if host in LOOPBACK:
        return (*LOOPBACK, *allowed)
    if token.value is None:
        raise UsageError(
            "a server that others can reach needs a token",
            where="--without-token",
            found=f"--host {host}",
            remedy="leave it out",
        )
    if host in ("0.0.0.0", "::") and not allowed:
        raise UsageError(
            "nobody knows by which name this server will be asked",
            where=f"--host {host}",
            remedy="say it with --allow-host NAME, once for each",
        )
    return (*LOOPBACK, host, *allowed)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise `UsageError` where that cannot be."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(
            "cannot listen there",
            where=f"--host {host} --port {port}",
            found=str(error),
            remedy="choose another port, or 0",
        ) from error


@final
class Server(uvicorn.Server):
    """Uvicorn, told to stop in two steps: questions under way are answered and new ones get 503, then it ends."""

    def __init__(self, config: uvicorn.Config, service: Service, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self.service, self.on_start = service, on_start
        self.stopped_by: int | None = None
        self._end = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.stopped_by is not None and sig == signal.SIGINT:  # a second Ctrl-C does not wait
            self.should_exit = self.force_exit = True
        if self.stopped_by is not None:
            return
        self.stopped_by = sig
        self.service.is_draining = True
        self._end = time.monotonic() + self.service.limits.grace

    async def on_tick(self, counter: int) -> bool:
        if self.stopped_by is not None and (not self.service.under_way or time.monotonic() > self._end):
            self.should_exit = True
        return await super().on_tick(counter)


def serve(
    service: Service, listening: socket.socket, hosts: Collection[str], token: Token, on_start: Callable[[], None]
) -> int:
    """Serve until told to stop, and return the signal that said so."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    config = uvicorn.Config(
        application(service, hosts, token.value),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=1,
    )
    server = Server(config, service, on_start)
    server.run([listening])
    return server.stopped_by or 0
