"""A server as a process: what it prints works when it is pasted, and it ends without losing what is under way."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

import ganglion.serve
from ganglion.cli import main
from tests.serve.serving import KEPT

ASK = {"prompt": "The ", "length": 1000, "seed": 1}


@contextmanager
def started(name: str, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Start a server on any port, and give its process and what it printed."""
    command = [sys.executable, "-m", "ganglion", "serve", str(KEPT / name), "--port", "0", "--json", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            text += line
        yield process, json.loads(text)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_line_it_prints_and_a_stop_in_the_middle_of_answers() -> None:
    with started("char-rnn") as (process, said), httpx.Client(base_url=said["address"], timeout=60) as client:
        assert said["token"] in said["example"] and said["address"].startswith("http://127.0.0.1:")
        if shutil.which("curl"):
            line = subprocess.run(said["example"], shell=True, capture_output=True, text=True, timeout=60)
            assert len(json.loads(line.stdout)["text"]) > 100
        client.headers["Authorization"] = f"Bearer {said['token']}"
        answers: list[httpx.Response] = []

        def ask() -> None:
            answers.append(httpx.post(f"{said['address']}/generate", json=ASK, headers=client.headers, timeout=60))

        asking = [threading.Thread(target=ask) for _ in range(3)]
        for one in asking:
            one.start()
        while client.get("/metrics").text.count("ganglion_requests_under_way 3.0") == 0:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        while client.get("/ready").status_code == 200:
            time.sleep(0.01)
        late = client.post("/generate", json=ASK)
        for one in asking:
            one.join(60)
        assert late.status_code == 503 and late.headers["Retry-After"]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert len({answer.text for answer in answers}) == 1
        assert process.wait(10) == 0


@pytest.mark.full
def test_a_stop_waits_no_longer_than_the_grace_time() -> None:
    with started("char-rnn", "--grace", "0.5", "--largest-number", "1000000", "--timeout", "600") as (process, said):
        headers = {"Authorization": f"Bearer {said['token']}"}
        with socket.create_connection(("127.0.0.1", int(said["address"].rpartition(":")[2]))) as connection:
            body = json.dumps({**ASK, "length": 1_000_000})
            head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "localhost", **headers}.items())
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            connection.sendall(f"POST /generate HTTP/1.1\r\n{head}\r\n{body}".encode())
            time.sleep(1)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        assert time.monotonic() - began < 8


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not say how much memory is used")
def test_memory_stays_flat_at_ten_times_overload() -> None:
    body = json.dumps({"inputs": [[0.0, 1.0]] * 2000})
    with started("mlp", "--queue", "8") as (process, said):
        headers = {"Authorization": f"Bearer {said['token']}", "Content-Type": "application/json"}
        statuses: list[int] = []

        def ask(until: float) -> None:
            with httpx.Client(base_url=said["address"], headers=headers, timeout=60) as client:
                while time.monotonic() < until:
                    statuses.append(client.post("/predict", content=body).status_code)

        sizes = []
        for _ in range(3):
            asking = [threading.Thread(target=ask, args=(time.monotonic() + 5,)) for _ in range(80)]
            for one in asking:
                one.start()
            for one in asking:
                one.join()
            sizes.append(int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096)
        assert set(statuses) == {200, 429}
        assert sizes[-1] < 1.1 * sizes[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_packages_that_are_missing_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "ganglion.serve.server", raising=False)
    monkeypatch.delattr(ganglion.serve, "server", raising=False)
    assert main(["serve", str(KEPT / "mlp")]) == 2
    assert 'pip install "ganglion[serve]"' in capsys.readouterr().err
