"""Who may ask: every route by every method refuses other hosts, pages of others, and whoever lacks the token."""

import subprocess

import pytest
from starlette.testclient import TestClient

from ganglion.errors import UsageError
from ganglion.serve.application import application
from ganglion.serve.server import Token, names_of, token_of
from tests.serve.serving import LOCAL, service_of, serving

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")
FOREIGN = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example:8000",
    "localhost@evil.example",
    "192.168.0.1",
    "[::2]",
    "",
    "localhost, evil.example",
    "0.0.0.0",
    "localhost:80:80",
    "::1",
)
TOKEN = "a-token-of-some-length"


def test_every_route_by_every_method_refuses_foreign_hosts() -> None:
    service = service_of("lenet5")
    app = application(service, token=TOKEN)
    paths = [route.path for route in app.routes] + ["/", "/nothing", "/docs", "/predict/", "//"]  # type: ignore[attr-defined]
    with TestClient(app, LOCAL) as client:
        right = {"Authorization": f"Bearer {TOKEN}"}
        for path in paths:
            for method in METHODS:
                for host in FOREIGN if path == "/predict" else FOREIGN[:2]:
                    answer = client.request(method, path, headers={"Host": host, **right})
                    assert answer.status_code == 421, (method, path, host)
        for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:9"):
            assert client.get("/schema", headers={"Host": host, **right}).status_code == 200


def test_no_route_but_those_named_and_no_other_method() -> None:
    with serving("lenet5") as client:
        allowed = {(path, method) for path in ("/predict", "/features") for method in ("POST",)}
        allowed |= {
            (path, m) for path in ("/schema", "/openapi.json", "/health", "/ready", "/metrics") for m in ("GET", "HEAD")
        }
        for path in (
            "/predict",
            "/features",
            "/schema",
            "/openapi.json",
            "/health",
            "/ready",
            "/metrics",
            "/search",
            "/x",
        ):
            for method in METHODS:
                status = client.request(method, path).status_code
                assert (status not in (404, 405)) == ((path, method) in allowed), (path, method, status)
        assert client.put("/predict").headers["Allow"] == "POST"
        assert "POST" in client.put("/predict").json()["error"]["expected"]


def test_token_and_pages_of_others() -> None:
    with serving("lenet5", token=TOKEN) as client:
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        for wrong in ("", "Bearer", "Bearer x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff"):
            answer = client.get("/schema", headers={"Authorization": wrong.encode("latin-1")})
            assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == "Bearer", wrong
        right = {"Authorization": f"bearer {TOKEN}"}
        assert client.get("/schema", headers=right).status_code == 200
        for origin in ("http://evil.example", "null", "file://", "http://[", "https://localhost.evil.example"):
            assert client.get("/schema", headers={**right, "Origin": origin}).status_code == 403, origin
        assert client.get("/schema", headers={**right, "Origin": "http://localhost:8000"}).status_code == 200


def test_where_the_token_comes_from(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("GANGLION_TOKEN", raising=False)
    assert len(str(token_of(None, False).value)) >= 32 and token_of(None, False) != token_of(None, False)
    assert token_of(None, True).value is None
    monkeypatch.setenv("GANGLION_TOKEN", TOKEN)
    assert token_of(None, False) == Token(TOKEN, "$GANGLION_TOKEN")
    monkeypatch.setenv("GANGLION_TOKEN", "short")
    with pytest.raises(UsageError, match="no safe token"):
        token_of(None, False)
    path = tmp_path / "my token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others can read") as refused:
        token_of(path, False)
    subprocess.run(str(refused.value.remedy), shell=True, check=True)
    found = token_of(path, False)
    said = subprocess.run(f'printf %s "{found.shell}"', shell=True, capture_output=True, text=True)
    assert found.value == said.stdout == TOKEN


def test_addresses_that_others_reach() -> None:
    token, none = Token(TOKEN, ""), Token(None, "")
    assert "net.example" in names_of("0.0.0.0", ("net.example",), token)
    for host, allowed, one in (("0.0.0.0", (), token), ("192.168.0.1", (), none), ("0.0.0.0", ("a",), none)):
        with pytest.raises(UsageError):
            names_of(host, allowed, one)
