"""Measure what joining requests brings: `python -m benchmarks.serving measure|overload|write`, for docs/serving.md.

A run of LeNet-5 is served in a process of its own, by 64 connections of another process that each ask again as soon as
they are answered, about one picture at a time. Three servers are measured in turn: `joined` as `ganglion serve` is,
`alone` the same with `--batch 1`, and `plain`, the same library around `network(picture)` in a thread of its own, as
one would write it without Ganglion: its answers depend on nothing, but are not those of `predict` to the last bit.
The network has one thread of the processor, so that the other core is left to the client. `overload` lets ten times as
many connections as a server takes requests ask it, and looks at how much memory it holds after each round.
"""

import asyncio
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import ganglion
from benchmarks.peers import machine_name

RESULTS = Path(__file__).parent / "results" / "serving.json"
PAGE = Path(__file__).parents[1] / "docs" / "serving.md"
BEGIN, END = "<!-- measured: written by benchmarks/serving.py -->", "<!-- end of measured -->"
CONNECTIONS, SECONDS, ROUNDS, PICTURES = 64, 4.0, 3, 200
QUEUE, OVERLOAD, LONG, PAUSE = 8, 10, 8.0, 0.02
"""Requests that the overloaded server takes, how many times as many connections ask it, for how many seconds a round,
and seconds after which who was refused asks again, although told to wait longer."""
SIDES: dict[str, list[str]] = {"joined": [], "alone": ["--batch", "1"], "plain": []}
FULL = {"full": ["--queue", str(QUEUE)]}
"""The server that is overloaded."""
LIMITS = {"times": 5.0, "p99 through p50": 3.0}
"""Least ratio of throughputs, and most of latencies."""
HEAD = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n"


def main() -> None:
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "measure":
        measured = measure()
        RESULTS.write_text(json.dumps(known() | measured, indent=1) + "\n")
    elif what == "overload":
        found = {"queue": QUEUE, "overload_seconds": LONG, "overload": overloaded()}
        RESULTS.write_text(json.dumps(known() | found, indent=1) + "\n")
    elif what != "write":
        sys.exit(__doc__)
    PAGE.write_text(page(), encoding="utf-8")


def known() -> dict[str, Any]:
    """Return what was measured so far."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def page() -> str:
    """Return the page of documentation with what was measured anew."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n\n{table(known())}\n\n{END}{rest.split(END)[1]}"


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        run = ganglion.train("lenet5", "digits", steps=200, out=f"{place}/run")
        bodies = pictures(Path(place))
        paths = [str(path) for path in sorted(Path(place).glob("*.png"))]
        wanted = [row["probability"] for row in run.predict(paths)]
        rounds: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        with ExitStack() as stack, multiprocessing.get_context("spawn").Pool(1) as clients:
            servers = {side: stack.enter_context(server(side, f"{place}/run")) for side in SIDES}
            for number in range(ROUNDS + 1):
                for side, (port, process) in servers.items():
                    before = processor_time(process)
                    found = clients.apply(load, (port, bodies, wanted, side != "plain", SECONDS if number else 1.0))
                    found["processor"] = (processor_time(process) - before) / found.pop("answers")
                    if number:  # the first is for warming up
                        rounds[side].append(found)
                        print(side, found, flush=True)
    return {"machine": machine_name(), "connections": CONNECTIONS, "seconds": SECONDS, "rounds": rounds}


def pictures(place: Path) -> list[bytes]:
    """Write digits as PNG files, and return their contents in the order of their names."""
    from PIL import Image

    from ganglion.data.catalogue import read
    from ganglion.data.settings import DataSettings

    images = read("digits", DataSettings()).inputs[:PICTURES]
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(place / f"{number:03}.png")
    return [path.read_bytes() for path in sorted(place.glob("*.png"))]


@contextmanager
def server(side: str, run: str) -> Iterator[tuple[int, int]]:
    """Start a server in a process of its own, give its port and the number of the process, and stop it."""
    plain = [sys.executable, "-m", "benchmarks.sides.plain_server", run]
    ours = [
        sys.executable,
        "-m",
        "ganglion",
        "serve",
        run,
        "--port",
        "0",
        "--without-token",
        "--json",
        *(SIDES | FULL)[side],
    ]
    process = subprocess.Popen(
        plain if side == "plain" else ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        text = ""
        while not text.rstrip().endswith("}"):
            line = process.stdout.readline()
            if not line:
                sys.exit(f"the server {side} did not start")
            text += line
        yield int(json.loads(text)["address"].rpartition(":")[2]), process.pid
    finally:
        process.terminate()
        process.wait(60)


def processor_time(process: int) -> float:
    """Return the seconds of a processor that a process has taken, which do not grow while it waits for one."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def overloaded() -> list[dict[str, float]]:
    """Return of each round how many requests were answered, refused and failed, and the MiB that the server held."""
    with tempfile.TemporaryDirectory() as place:
        ganglion.train("lenet5", "digits", steps=200, out=f"{place}/run")
        bodies = pictures(Path(place))
        found = []
        with server("full", f"{place}/run") as (port, process), multiprocessing.get_context("spawn").Pool(1) as clients:
            for _ in range(ROUNDS):
                statuses = Counter(clients.apply(overload, (port, bodies, LONG)))
                held = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
                kinds = {"answered": statuses.pop(200, 0), "refused": statuses.pop(429, 0), "failed": statuses.total()}
                found.append({**kinds, "memory": held})
                print(found[-1], flush=True)
        return found


def overload(port: int, bodies: list[bytes], seconds: float) -> list[int]:
    """Ask for some seconds over more connections than requests are taken, and return the statuses of all answers."""

    async def connection(number: int, end: float) -> list[int]:
        found: list[int] = []
        while time.perf_counter() < end:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            body = bodies[number % len(bodies)]
            writer.write(HEAD.format(len(body)).encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            writer.close()
            found.append(int(head.split(b" ", 2)[1]))
            await asyncio.sleep(PAUSE if found[-1] == 429 else 0)
        return found

    async def all_of_them() -> list[list[int]]:
        end = time.perf_counter() + seconds
        return await asyncio.gather(*(connection(number, end) for number in range(OVERLOAD * QUEUE)))

    return [status for part in asyncio.run(all_of_them()) for status in part]


def load(port: int, bodies: list[bytes], wanted: list[float], exact: bool, seconds: float) -> dict[str, float]:
    """Ask for some seconds over all connections, and return what came back, how fast, and how much of it was wrong."""
    found = asyncio.run(_load(port, bodies, wanted, exact, seconds))
    times = sorted(took for took, _ in found)
    return {
        "answers": len(found),
        "per second": len(found) / seconds,
        "p50": statistics.quantiles(times, n=100)[49],
        "p99": statistics.quantiles(times, n=100)[98],
        "wrong": sum(not right for _, right in found),
    }


async def _load(
    port: int, bodies: list[bytes], wanted: list[float], exact: bool, seconds: float
) -> list[tuple[float, bool]]:
    end = time.perf_counter() + seconds
    parts = await asyncio.gather(*(_connection(port, bodies, wanted, exact, end, n) for n in range(CONNECTIONS)))
    return [one for part in parts for one in part]


async def _connection(
    port: int, bodies: Sequence[bytes], wanted: Sequence[float], exact: bool, end: float, number: int
) -> list[tuple[float, bool]]:
    """Ask about one picture after the other, and return of each how long the answer took, and whether it was right."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    while (started := time.perf_counter()) < end:
        body = bodies[number % len(bodies)]
        head = HEAD.format(len(body))
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        content = await reader.readexactly(length)
        took = time.perf_counter() - started
        said = json.loads(content)["rows"][0]["probability"] if answer.startswith(b"HTTP/1.1 200") else None
        right = said == wanted[number % len(wanted)]
        found.append((took, right or (not exact and said is not None)))
        number += CONNECTIONS
    writer.close()
    return found


def table(measured: dict[str, Any]) -> str:
    """Return the table of what was measured, and what it comes to."""
    rounds = measured["rounds"]
    medians = {
        side: {name: statistics.median(one[name] for one in several) for name in several[0]}
        for side, several in rounds.items()
    }
    wrong = sum(one["wrong"] for side in rounds for one in rounds[side])
    lines = [
        "| server | answers a second | p50 | p99 | p99 through p50 | processor time of an answer |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for side, found in medians.items():
        spread = statistics.median(one["p99"] / one["p50"] for one in rounds[side])
        times = f"{1000 * found['p50']:.1f} ms | {1000 * found['p99']:.1f} ms | {spread:.2f}"
        lines.append(f"| {side} | {found['per second']:,.0f} | {times} | {1000 * found['processor']:.2f} ms |")
    ratios = {
        side: statistics.median(
            ours["per second"] / other["per second"] for ours, other in zip(rounds["joined"], rounds[side], strict=True)
        )
        for side in ("alone", "plain")
    }
    said = (
        f"`joined` answers {ratios['alone']:.1f} times as many requests as `alone` (aim {LIMITS['times']:g}) and "
        f"{ratios['plain']:.1f} times as many as `plain`, as medians of {len(rounds['joined'])} rounds of "
        f"{measured['seconds']:g} s in turn; {wrong} answers were lost, refused or other than those of `predict`. "
        f"p99 is to be under {LIMITS['p99 through p50']:g} times p50."
    )
    where = f"{measured['connections']} connections; {measured['machine']}, client and server on the same two cores."
    full = measured["overload"]
    answered, refused, failed = (sum(one[name] for one in full) for name in ("answered", "refused", "failed"))
    sizes = ", ".join(f"{one['memory']:.0f}" for one in full)
    asked = OVERLOAD * measured["queue"]
    flat = (
        f"A server that takes {measured['queue']} requests, asked by {asked} connections, held {sizes} MiB after "
        f"rounds of {measured['overload_seconds']:g} s; it answered {answered:,}, refused {refused:,} with 429, and "
        f"failed {failed} times."
    )
    return "\n".join([*lines, "", said, "", where, "", flat])


if __name__ == "__main__":
    main()
