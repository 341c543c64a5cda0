"""Tables that are larger than the memory that training takes: `python -m benchmarks.streaming [ROWS ...]|write`.

Writes rows of 20 numbers and a class as Parquet, learns from them with `ganglion.train` in a process of its own, and
notes the time, the rows a second and the most memory that it held, files that it mapped included. From
`benchmarks/results/streaming.json` docs/scale.md is written.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pages import results_in, with_part

RESULTS = Path(__file__).parent / "results" / "streaming.json"
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- streaming: written by benchmarks/streaming.py -->", "<!-- end of streaming -->"
ROWS = (1_000, 1_000_000, 10_000_000)
COLUMNS, CLASSES, FILE, GROUP = 20, 3, 500_000, 100_000
TRAIN = """
import json, resource, sys, time
import ganglion
start = time.time()
run = ganglion.train("mlp", sys.argv[1], out=sys.argv[2], stream="yes", batch_size=4096, epochs=1, seed=0)
print(json.dumps({
    "seconds": time.time() - start,
    "most_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "accuracy": run.result["score"],
}))
"""


def write(folder: Path, rows: int) -> None:
    """Write so many rows: the class is that of the largest of three noisy sums."""
    import pyarrow
    from pyarrow import parquet

    draw = np.random.default_rng(0)
    weights = draw.normal(size=(COLUMNS, CLASSES))
    for number, first in enumerate(range(0, rows, FILE)):
        x = draw.standard_normal((min(FILE, rows - first), COLUMNS), dtype=np.float32)
        classes = (x @ weights + draw.gumbel(size=(len(x), CLASSES))).argmax(axis=1)
        columns = {f"x{column}": x[:, column] for column in range(COLUMNS)} | {"class": classes}
        parquet.write_table(pyarrow.table(columns), folder / f"part-{number:05d}.parquet", row_group_size=GROUP)


def measured(rows: int) -> dict[str, Any]:
    """Return what learning from so many rows took."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "rows")
        folder.mkdir()
        write(folder, rows)
        size = sum(path.stat().st_size for path in folder.iterdir())
        command = [sys.executable, "-c", TRAIN, str(folder), str(Path(place, "run"))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.strip().split("\n")[-1])
        return {"rows": rows, "file_mib": size / 2**20, "rows_a_second": rows / found["seconds"], **found}


def page() -> str:
    """Return the page of documentation with its table anew."""
    return with_part(PAGE.read_text(encoding="utf-8"), BEGIN, END, f"\n\n{table()}\n\n")


def table() -> str:
    """Return what was measured as a table of Markdown."""
    lines = [
        "| rows of 20 numbers | files | seconds | rows a second | most memory | accuracy |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for one in sorted(results_in(RESULTS).values(), key=lambda found: found["rows"]):
        sizes = f"{one['file_mib']:,.0f} MiB | {one['seconds']:.1f} | {one['rows_a_second']:,.0f}"
        lines.append(f"| {one['rows']:,} | {sizes} | {one['most_memory_mib']:,.0f} MiB | {one['accuracy']:.3f} |")
    return "\n".join(lines)


def main() -> None:
    words = sys.argv[1:] or list(map(str, ROWS))
    for rows in [] if words == ["write"] else [int(float(word)) for word in words]:
        found = measured(rows)
        print(json.dumps(found), flush=True)
        kept = results_in(RESULTS) | {str(rows): found}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
