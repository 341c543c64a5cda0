"""Measure what joining requests brings, and write docs/serving.md: `python -m benchmarks.serving measure|write`.

A run of LeNet-5 is served in a process of its own, by 64 connections of another process that each ask again as soon as
they are answered, about one picture at a time. Three servers are measured in turn: `joined` as `ganglion serve` is,
`alone` the same with `--batch 1`, and `plain`, the same library around `network(picture)` in a thread of its own, as
one would write it without Ganglion: its answers depend on nothing, but are not those of `predict` to the last bit.
The network has one thread of the processor, so that the other core is left to the client. Counted are answers that
came within the time of a round. Then a server that takes few requests is asked by ten times as many connections, and
how much memory it holds is looked at after each round.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ganglion
from benchmarks.pages import with_part
from benchmarks.peers import machine_name

RESULTS = Path(__file__).parent / "results" / "serving.json"
PAGE = Path(__file__).parents[1] / "docs" / "serving.md"
BEGIN, END = "<!-- measured: written by benchmarks/serving.py -->", "<!-- end of measured -->"
CONNECTIONS, SECONDS, ROUNDS, PICTURES = 64, 8.0, 3, 200
QUEUE, OVERLOAD = 8, 10
"""Requests that the overloaded server takes, and how many times as many connections ask it."""
SIDES: dict[str, list[str]] = {"joined": [], "alone": ["--batch", "1"], "plain": []}
PAUSE = 0.02
"""Seconds after which somebody who was refused asks again, who was told to wait longer."""
FULL = "full"
"""The server that is overloaded."""
LIMITS = {"times": 5.0, "p99 through p50": 3.0}
"""Least ratio of throughputs, and most of latencies."""
HEAD = "POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n"


def main() -> None:
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "measure":
        measured = measure()
        RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    elif what != "write":
        sys.exit(__doc__)
    PAGE.write_text(page(), encoding="utf-8")


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
                    found["memory"] = memory(process)
                    if number:  # the first is for warming up
                        rounds[side].append(found)
                        print(side, found, flush=True)
            port, process = stack.enter_context(server(FULL, f"{place}/run"))
            full = []
            for _ in range(ROUNDS):
                found = clients.apply(overload, (port, bodies, SECONDS))
                full.append({**found, "memory": memory(process)})
                print(FULL, full[-1], flush=True)
    return {
        "machine": machine_name(),
        "connections": CONNECTIONS,
        "seconds": SECONDS,
        "rounds": rounds,
        "queue": QUEUE,
        "overload": full,
    }


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
    flags = ["--queue", str(QUEUE)] if side == FULL else SIDES[side]
    ours = [sys.executable, "-m", "ganglion", "serve", run, "--port", "0", "--without-token", "--json", *flags]
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


def memory(process: int) -> float:
    """Return the MiB that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True)
class Answer:
    """What came back for one picture."""

    took: float
    """Seconds."""
    in_time: bool
    """Whether it came within the time of the round."""
    status: int
    probability: float | None
    """None where it was refused."""
    number: int
    """Of the picture."""


def load(port: int, bodies: list[bytes], wanted: list[float], exact: bool, seconds: float) -> dict[str, float]:
    """Ask for some seconds over all connections, and return what came back, how fast, and how much of it was wrong."""
    found = asyncio.run(_ask(port, bodies, seconds, CONNECTIONS))
    times = sorted(one.took for one in found)
    right = sum(one.probability == wanted[one.number] if exact else one.probability is not None for one in found)
    return {
        "answers": len(found),
        "per second": sum(one.in_time for one in found) / seconds,
        "p50": statistics.quantiles(times, n=100)[49],
        "p99": statistics.quantiles(times, n=100)[98],
        "wrong": len(found) - right,
    }


def overload(port: int, bodies: list[bytes], seconds: float) -> dict[str, int]:
    """Ask over more connections than the server takes requests, and return how many were answered and refused."""
    found = Counter(one.status for one in asyncio.run(_ask(port, bodies, seconds, OVERLOAD * QUEUE)))
    return {"answered": found.pop(200, 0), "refused": found.pop(429, 0), "failed": found.total()}


async def _ask(port: int, bodies: list[bytes], seconds: float, connections: int) -> list[Answer]:
    end = time.perf_counter() + seconds
    parts = await asyncio.gather(*(_connection(port, bodies, end, n, connections) for n in range(connections)))
    return [one for part in parts for one in part]


async def _connection(port: int, bodies: Sequence[bytes], end: float, number: int, step: int) -> list[Answer]:
    """Ask about one picture after the other until the end, and return what came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    while (started := time.perf_counter()) < end:
        body = bodies[number % len(bodies)]
        writer.write(HEAD.format(len(body)).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        content = await reader.readexactly(length)
        now, status = time.perf_counter(), int(head.split(b" ", 2)[1])
        said = json.loads(content)["rows"][0]["probability"] if status == 200 else None
        found.append(Answer(now - started, now <= end, status, said, number % len(bodies)))
        number += step
        if b"connection: close" in head:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if status == 429:
            await asyncio.sleep(PAUSE)
    writer.close()
    return found


def page() -> str:
    """Return the page of documentation with what was measured anew."""
    measured = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    return with_part(PAGE.read_text(encoding="utf-8"), BEGIN, END, f"\n\n{measured}\n\n")


def table(measured: dict[str, Any]) -> str:
    """Return the table of what was measured, and what it comes to."""
    rounds = measured["rounds"]
    medians = {
        side: {name: statistics.median(one[name] for one in several) for name in several[0]}
        for side, several in rounds.items()
    }
    wrong = sum(one["wrong"] for side in rounds for one in rounds[side])
    lines = [
        "| server | answers a second | p50 | p99 | p99 through p50 | processor time of an answer | memory |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for side, found in medians.items():
        spread = statistics.median(one["p99"] / one["p50"] for one in rounds[side])
        times = f"{1000 * found['p50']:.1f} ms | {1000 * found['p99']:.1f} ms | {spread:.2f}"
        held = f"{1000 * found['processor']:.2f} ms | {found['memory']:.0f} MiB"
        lines.append(f"| {side} | {found['per second']:,.0f} | {times} | {held} |")
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
    full = measured["overload"]
    answered, refused, failed = (sum(one[name] for one in full) for name in ("answered", "refused", "failed"))
    held = ", ".join(f"{one['memory']:.0f}" for one in full)
    flat = (
        f"A server that takes {measured['queue']} requests, asked by {OVERLOAD * measured['queue']} connections, held "
        f"{held} MiB after rounds of {measured['seconds']:g} s; it answered {answered:,}, refused {refused:,} with 429 "
        f"and failed {failed} times."
    )
    where = f"{measured['connections']} connections; {measured['machine']}, client and server on the same two cores."
    return "\n".join([*lines, "", said, "", flat, "", where])


if __name__ == "__main__":
    main()
