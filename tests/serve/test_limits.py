"""Too much, too many, too long: each is refused at once, by its own status, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.serve.serving import Held, service_of, together

ROW = {"inputs": [[0.0, 1.0]]}


def test_bodies_that_are_too_large() -> None:
    service = service_of("mlp", largest_body=1000)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 600

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        long = client.post("/predict", json={"inputs": [[0.0, 1.0]] * 300})
        unsaid = client.post("/predict", content=endless(), headers={"Content-Type": "application/json"})
        return [await long, await unsaid]

    assert [answer.status_code for answer in together(service, talk)] == [413, 413]
    assert service.bytes == service.under_way == 0


def test_a_full_server_refuses_and_then_answers_all_that_it_took() -> None:
    service = service_of("mlp", queue=8)
    held = Held(service)

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        waiting = [asyncio.create_task(client.post("/predict", json=ROW)) for _ in range(80)]
        while sum(one.done() for one in waiting) < 72:
            await asyncio.sleep(0.01)
        held.go.set()
        return await asyncio.gather(*waiting)

    answers = together(service, talk)
    assert sorted({answer.status_code for answer in answers}) == [200, 429]
    assert sum(answer.status_code == 200 for answer in answers) == 8
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 429)
    assert service.under_way == 0


def test_a_server_that_stops_answers_what_it_took_and_refuses_the_rest() -> None:
    service = service_of("mlp")
    held = Held(service)

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        early = asyncio.create_task(client.post("/predict", json=ROW))
        while not service.under_way:
            await asyncio.sleep(0.01)
        service.is_draining = True
        late, ready = await client.post("/predict", json=ROW), await client.get("/ready")
        held.go.set()
        return [await early, late, ready]

    early, late, ready = together(service, talk)
    assert (early.status_code, late.status_code, ready.status_code) == (200, 503, 503)
    assert late.headers["Retry-After"] and ready.json()["status"] == "stopping"


def test_answers_and_bodies_that_come_too_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    service = service_of("mlp", timeout=0.3)
    held = Held(service)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(2)

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        table = {"Content-Type": "application/x-npy"}
        answers = [
            await client.post("/predict", json=ROW),
            await client.post("/predict", content=b"no array", headers=table),
            await client.post("/predict", content=slow(), headers={"Content-Type": "application/json"}),
        ]
        held.go.set()
        return answers

    assert [answer.status_code for answer in together(service, talk)] == [504, 422, 408]
    assert service.under_way == service.bytes == 0 and list(tmp_path.iterdir()) == []


def test_whoever_has_gone_is_not_answered() -> None:
    service = service_of("mlp")
    held = Held(service)

    async def talk(client: httpx.AsyncClient) -> None:
        first = asyncio.create_task(client.post("/predict", json=ROW))
        gone = [asyncio.create_task(client.post("/predict", json=ROW)) for _ in range(5)]
        while len(service.model._jobs) < 6:
            await asyncio.sleep(0.01)
        for one in gone:
            one.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        held.go.set()
        await first

    together(service, talk)
    assert held.samples == [1, 1] and service.under_way == 0
