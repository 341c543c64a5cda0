"""What it costs that every process makes the whole batch: `python -m benchmarks.sharing [measure]`.

Trains one network in one process and in two, of one thread each, on data that cost little and on data that cost much to
make a batch of, and times how long a batch takes to make. What two processes gain is written beside what they can gain
at most, (batch + step) / (batch + step / 2). From `benchmarks/results/sharing.json` docs/scale.md is written.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from shlex import split
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.pages import results_in, with_part
from ganglion.runs.command_lines import train_line
from ganglion.runs.session import prepare

RESULTS = Path(__file__).parent / "results" / "sharing.json"
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- sharing: written by benchmarks/sharing.py -->", "<!-- end of sharing -->"
ROUNDS, STEPS, REPORTED, SEEN = 3, 60, 10, 40
"""Rounds that alternate, steps of a training, steps of a report, batches that are made without a step."""


def rows(folder: Path) -> Path:
    """Write a table of 4,000 rows of 64 numbers and a class."""
    draw = np.random.default_rng(0)
    values, classes = draw.normal(size=(4000, 64)), draw.integers(0, 10, 4000)
    np.savez(folder / "rows.npz", inputs=values.astype(np.float32), targets=classes)
    return folder / "rows.npz"


def pictures(folder: Path, count: int, width: int, height: int, suffix: str) -> Path:
    """Write pictures of noise that is smooth, as photographs are, in folders of four classes."""
    draw = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(draw.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8))
        path = folder / f"class {number % 4}" / f"{number}{suffix}"
        path.parent.mkdir(exist_ok=True)
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
    return folder


Source = Callable[[Path], Path]
SMALL = {"image_size": 32, "batch_size": 64}
ALWAYS = {"threads": 1, "seed": 0, "steps": STEPS, "report_every": REPORTED, "evaluate_every": STEPS}
WORKLOADS: dict[str, tuple[str, Source, dict[str, Any]]] = {
    "rows in memory": ("mlp", rows, {"hidden_features": (512, 512), "batch_size": 256}),
    "pictures of 32 x 32 in memory": ("resnet", lambda folder: pictures(folder, 600, 32, 32, ".png"), SMALL),
    "pictures of 32 x 32 in memory, statistics of each process": (
        "resnet",
        lambda folder: pictures(folder, 600, 32, 32, ".png"),
        {**SMALL, "batch_statistics": "per-process"},
    ),
    "photographs of 500 x 375 decoded each time, likewise": (
        "resnet",
        lambda folder: pictures(folder, 200, 500, 375, ".jpg"),
        {"image_size": 32, "batch_size": 32, "stream": "yes", "batch_statistics": "per-process"},
    ),
}
"""A system, what writes its data, and options."""


def trained(name: str, data: Path, out: Path, processes: int) -> float:
    """Train in so many processes and return the samples a second, the median of all reports but the first."""
    system, _, options = WORKLOADS[name]
    words = split(train_line(system, str(data), {**options, **ALWAYS, "out": out}))
    launch = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "-m", *words]
    surroundings = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *launch], check=True, capture_output=True, env=surroundings)
    logged = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return statistics.median([row["samples_per_second"] for row in logged if "samples_per_second" in row][1:])


def seconds_of_a_batch(name: str, data: Path, out: Path) -> float:
    """Return how long one thread takes to make a batch, the median."""
    system, _, options = WORKLOADS[name]
    loader = prepare(system, str(data), out=out, **options, **ALWAYS).trainer.loader
    spent, begun = [], time.perf_counter()
    while len(spent) < SEEN:
        for _ in islice(loader, SEEN - len(spent)):
            spent.append(time.perf_counter() - begun)
            begun = time.perf_counter()
    return statistics.median(spent)


def measured(name: str) -> dict[str, Any]:
    """Return what a workload takes in one process and in two."""
    with tempfile.TemporaryDirectory() as place:
        source = Path(place, "data")
        source.mkdir()
        data = WORKLOADS[name][1](source)
        found: dict[str, Any] = {"1": [], "2": []}
        for turn in range(ROUNDS):
            for count in ("1", "2"):
                found[count].append(trained(name, data, Path(place, f"run-{count}-{turn}"), int(count)))
        found["seconds of a batch"] = seconds_of_a_batch(name, data, Path(place, "looked at"))
    return {"samples of a batch": WORKLOADS[name][2]["batch_size"], **found}


def page() -> str:
    """Return the page of documentation with its table anew."""
    return with_part(PAGE.read_text(encoding="utf-8"), BEGIN, END, f"\n\n{table()}\n\n")


def table() -> str:
    """Return what was measured as a table of Markdown."""
    lines = [
        "| each batch | makes it, ms | learns from it, ms | two processes: times as fast | at most |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, one in results_in(RESULTS).items():
        alone, both = statistics.median(one["1"]), statistics.median(one["2"])
        batch = one["seconds of a batch"]
        step = one["samples of a batch"] / alone - batch
        what = f"{one['samples of a batch']} {name}"
        most = (batch + step) / (batch + step / 2)
        lines.append(f"| {what} | {1e3 * batch:.1f} | {1e3 * step:.1f} | {both / alone:.2f} | {most:.2f} |")
    return "\n".join(lines)


def main() -> None:
    if sys.argv[1:] == ["measure"]:
        for name in WORKLOADS:
            found = measured(name)
            print(name, json.dumps(found), flush=True)
            RESULTS.write_text(json.dumps(results_in(RESULTS) | {name: found}, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
