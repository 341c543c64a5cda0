"""Who may ask: the right host, no page of somebody else's, and the token. All before a byte of a body is read."""

import hmac
from collections.abc import Collection, Iterable
from typing import Any, final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from ganglion.errors import RequestError
from ganglion.serve.refusal import refused, response

OPEN = ("/health", "/ready")
"""Routes that need no token, since they say nothing of the run."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@final
class Guard:
    """Refuses requests to every route alike, also to those that there are not.

    A page in a browser can be made to ask a server on the same machine, by a name of its own that resolves to it; it
    cannot choose what its browser says it asks for, nor where it comes from.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = LOOPBACK, token: str | None = None) -> None:
        self.app, self.hosts, self.token = app, frozenset(map(str.lower, hosts)), token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        error = self._refusal(scope) if scope["type"] == "http" else None
        app = self.app if error is None else response(error)
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> RequestError | None:
        hosts = list(_named(scope, b"host"))
        if len(hosts) != 1 or host_of(hosts[0]) not in self.hosts:
            stranger = RequestError(
                "this server has another name",
                where="Host",
                expected=", ".join(sorted(self.hosts)),
                found=", ".join(hosts) or "none",
                remedy="start the server with --allow-host NAME if it is to be reached by that name",
            )
            return refused(421, stranger)
        for origin in _named(scope, b"origin"):
            if (_hostname(origin) or "") not in self.hosts:
                expected = "none, or a page of this server"
                page = RequestError("pages of other sites may not ask", where="Origin", expected=expected, found=origin)
                return refused(403, page)
        if self.token is not None and scope["path"] not in OPEN and not self._has_token(scope):
            without = RequestError(
                "this needs the token",
                where="Authorization",
                expected="Bearer TOKEN",
                remedy="send the header that the server printed when it started",
            )
            return refused(401, without, {"WWW-Authenticate": "Bearer"})
        return None

    def _has_token(self, scope: Scope) -> bool:
        (sent, *others) = [*_named(scope, b"authorization"), ""]
        scheme, _, token = sent.partition(" ")
        right = hmac.compare_digest(token.strip().encode(), str(self.token).encode())
        return right and scheme.lower() == "bearer" and len(others) == 1


def _named(scope: Scope, name: bytes) -> Iterable[str]:
    headers: Any = scope["headers"]
    return (value.decode("latin-1") for key, value in headers if key == name)


def _hostname(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None


def host_of(value: str) -> str:
    """Return the name in a Host header, in small letters and without its port.

    >>> host_of("LOCALHOST:8000"), host_of("[::1]:8000"), host_of("127.0.0.1"), host_of("a:b:c")
    ('localhost', '::1', '127.0.0.1', '')
    """
    if value.startswith("["):
        name, end, port = value[1:].partition("]")
        known = end and (not port or (port[0] == ":" and port[1:].isdecimal()))
    else:
        name, colon, port = value.partition(":")
        known = not colon or port.isdecimal()
    return name.lower() if known else ""
