"""A table that is larger than the memory that training takes: python -m benchmarks.streaming [rows].

Writes rows of 20 numbers and a class as Parquet, learns from them with `ganglion.train` in a process of its own, and
prints the time, the rows a second and the most memory that it took.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

COLUMNS, CLASSES, SHARD = 20, 3, 500_000
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
    draw = np.random.default_rng(0)
    weights = draw.normal(size=(COLUMNS, CLASSES))
    for number, first in enumerate(range(0, rows, SHARD)):
        x = draw.standard_normal((min(SHARD, rows - first), COLUMNS), dtype=np.float32)
        classes = (x @ weights + draw.gumbel(size=(len(x), CLASSES))).argmax(axis=1)
        columns = {f"x{column}": x[:, column] for column in range(COLUMNS)} | {"class": classes}
        parquet.write_table(pyarrow.table(columns), folder / f"part-{number:05d}.parquet", row_group_size=100_000)


def main() -> None:
    rows = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "rows")
        folder.mkdir()
        write(folder, rows)
        size = sum(path.stat().st_size for path in folder.iterdir())
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, str(folder), str(Path(place, "run"))],
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout.strip().split("\n")[-1])
        print(json.dumps({"rows": rows, "file_mib": size / 2**20, "rows_a_second": rows / found["seconds"], **found}))


if __name__ == "__main__":
    main()
