"""What it costs that every process makes the whole batch: `python -m benchmarks.sharing measure|write`.

In one process, the time to make a batch and the time to learn from it, as medians over steps. The first is repeated by
each of N processes, the second is shared, so N of them are at most (batch + step) / (batch + step / N) times as fast,
exchange not counted. From `benchmarks/results/sharing.json` docs/scale.md is written.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import machine_name

RESULTS = Path(__file__).parent / "results" / "sharing.json"
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- sharing: written by benchmarks/sharing.py -->", "<!-- end of sharing -->"
STEPS, PROCESSES = 15, (2, 4, 8, 64)
PICTURES, SIZE = 200, (375, 500)
TASKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mlp, digits in memory": ("mlp", "digits", {}),
    "resnet, digits in memory": ("resnet", "digits", {}),
    "char-rnn, a text in memory": ("char-rnn", "tales", {}),
    "mlp, rows of Parquet read while training": ("mlp", "rows", {"stream": "yes", "batch_size": 4096}),
    "vgg, JPEG of 500 x 375 decoded while training": ("vgg", "pictures", {"stream": "yes", "batch_size": 32}),
}
"""What is learnt by its name: the system, the data (some of which are made here), and options."""


def course(name: str) -> dict[str, float]:
    """Return the seconds that a batch and a step take."""
    from ganglion.runs.session import prepare

    system, data, options = TASKS[name]
    with tempfile.TemporaryDirectory() as place:
        source = {"rows": made_rows, "pictures": made_pictures}.get(data, lambda place: data)(Path(place))
        session = prepare(system, source, out=Path(place) / "run", threads=1, **options)
        session.files.unlock()
        rule, loader = session.rule, session.trainer.loader
        batches, making, learning, samples = iter(loader), [], [], 0
        while len(making) < STEPS:
            begun = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                batches = iter(loader)
                continue
            made = time.perf_counter()
            rule.step(batch)
            making.append(made - begun)
            learning.append(time.perf_counter() - made)
            samples = max(samples, len(next(iter(batch.values()))))
        seconds = {"batch": statistics.median(making[3:]), "step": statistics.median(learning[3:])}
        return {"samples": samples, "mean_batch": statistics.mean(making[3:]), **seconds}


def made_rows(place: Path) -> str:
    """Write rows as Parquet, and return their folder."""
    from benchmarks.streaming import write

    folder = place / "rows"
    folder.mkdir()
    write(folder, 300_000)
    return str(folder)


def made_pictures(place: Path) -> str:
    """Write smooth pictures of two classes as JPEG files, and return their folder."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for number in range(PICTURES):
        small = draw.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        folder = place / "pictures" / ("even", "odd")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(small).resize(SIZE[::-1], Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:03}.jpg", quality=90)
    return str(place / "pictures")


def page() -> str:
    """Return the page of documentation with its table anew."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    measured = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    return f"{before}{BEGIN}\n\n{measured}\n\n{END}{rest.split(END)[1]}"


def table(measured: dict[str, Any]) -> str:
    """Return what was measured as a table of Markdown."""
    most = "".join(f" {number} processes |" for number in PROCESSES)
    lines = [f"| learnt | batch of | made in | learnt in |{most}", "|---|---:|---:|---:|" + "---:|" * len(PROCESSES)]
    for name, one in measured["courses"].items():
        batch, step = one["mean_batch"], one["step"]
        faster = "".join(f" {(batch + step) / (batch + step / number):.1f} |" for number in PROCESSES)
        lines.append(f"| {name} | {one['samples']} | {1000 * batch:.2f} ms | {1000 * step:.1f} ms |{faster}")
    return "\n".join([*lines, "", f"One thread of {measured['machine']}."])


def main() -> None:
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "measure":
        courses = {}
        for name in TASKS:
            courses[name] = course(name)
            print(name, courses[name], flush=True)
        kept = {"machine": machine_name(), "courses": courses}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    elif what != "write":
        sys.exit(__doc__)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
