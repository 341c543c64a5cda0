"""Time and memory of reading large data, beside those who only read: `python -m benchmarks.reading --folder DIR`.

A table of a gigabyte, a folder of 50,000 pictures and a million texts are made in the folder, each is read by each
contestant in a process of its own, and all is removed at the end. Only the reading is timed, not what is imported for
it. Ganglion also finds out dialect, types and roles of columns, looks at every cell, and keeps a fingerprint.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

MEASURED = """
import json, resource, sys, time
{imports}
path = sys.argv[1]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started, worked = time.perf_counter(), time.process_time()
{reading}
spent, worked = time.perf_counter() - started, time.process_time() - worked
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({{"seconds": spent, "work": worked, "MiB": (peak - before) / 1024, "samples": count}}))
"""
OURS = "from ganglion.data.catalogue import read\nfrom ganglion.data.settings import DataSettings"
CSV = "import csv\nfrom itertools import islice"
ARROW = "import pyarrow, pyarrow.csv"
CONTESTANTS: dict[str, dict[str, tuple[str, str]]] = {
    "table": {
        "ganglion": (OURS, "count = len(read(path, DataSettings()))"),
        "pyarrow": (ARROW, "count = pyarrow.csv.read_csv(path).num_rows"),
        "pyarrow, one thread": (
            ARROW,
            "one = pyarrow.csv.ReadOptions(use_threads=False)\n"
            "count = pyarrow.csv.read_csv(path, read_options=one).num_rows",
        ),
        "pandas": ("import pandas", "count = len(pandas.read_csv(path))"),
        "csv, cells only": (
            CSV,
            "with open(path, newline='') as file: count = sum(1 for row in islice(csv.reader(file), 1, None))",
        ),
    },
    "pictures": {
        "ganglion": (OURS, "count = len(read(path, DataSettings()))"),
        "Pillow, one by one": (
            "import numpy\nfrom pathlib import Path\nfrom PIL import Image",
            "files = Path(path).rglob('*.jpg')\n"
            "count = len(numpy.stack([numpy.asarray(Image.open(one).convert('RGB')) for one in files]))",
        ),
    },
    "texts": {
        "ganglion": (OURS, "count = len(read(path, DataSettings(), 'documents'))"),
        "pyarrow": (ARROW, "count = len(pyarrow.csv.read_csv(path).to_pylist())"),
        "pandas": ("import pandas", "count = len(pandas.read_csv(path))"),
        "csv, cells only": (
            CSV,
            "with open(path, newline='') as file: rows = list(islice(csv.reader(file), 1, None))\ncount = len(rows)",
        ),
    },
}
WORDS = (
    *("the", "a", "film", "plot", "scene", "music", "was", "is", "felt", "seems", "good", "bad", "slow", "bright"),
    *("dull", "fine", "of", "and", "with", "in", "very", "quite"),
)


def make_table(folder: Path, size: int) -> Path:
    """Write a table of at least `size` bytes: eight columns of numbers, one of categories, one of classes."""
    random = np.random.default_rng(0)
    path = folder / "table.csv"
    with path.open("w") as file:
        file.write(",".join([*(f"x{number}" for number in range(8)), "colour", "kind"]) + "\n")
        while file.tell() < size:
            numbers = random.normal(0, 100, (20_000, 8)).round(4).tolist()
            colours = random.choice(["red", "green", "dark blue"], 20_000).tolist()
            kinds = random.choice(["yes", "no"], 20_000).tolist()
            rows = zip(numbers, colours, kinds, strict=True)
            file.write("".join(f"{','.join(map(str, row))},{colour},{kind}\n" for row, colour, kind in rows))
    return path


def make_pictures(folder: Path, count: int) -> Path:
    """Write JPEG files of 64 x 64 pixels in colour, in ten folders of classes."""
    random = np.random.default_rng(0)
    path = folder / "pictures"
    for number in range(10):
        (path / f"class {number}").mkdir(parents=True)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        small.resize((64, 64)).save(path / f"class {number % 10}" / f"{number:06d}.jpg", quality=85)
    return path


def make_texts(folder: Path, count: int) -> Path:
    """Write a table of texts of twenty words with their labels."""
    random = np.random.default_rng(0)
    path = folder / "texts.csv"
    with path.open("w") as file:
        file.write("text,label\n")
        for _ in range(0, count, 10_000):
            words = random.choice(WORDS, (10_000, 20)).tolist()
            labels = random.choice(["for", "against"], 10_000).tolist()
            file.write("".join(f"{' '.join(row)},{label}\n" for row, label in zip(words, labels, strict=True)))
    return path


MAKERS: dict[str, Callable[[Path, int], Path]] = {"table": make_table, "pictures": make_pictures, "texts": make_texts}


def measure(imports: str, reading: str, path: Path) -> str:
    """Return seconds, those of work, memory beyond that of the imports, and samples; or why there are none."""
    program = MEASURED.format(imports=imports, reading=reading)
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["failed"])[-1]
    found: dict[str, float] = json.loads(done.stdout)
    spent = f"{found['seconds']:8.1f} s, of work {found['work']:8.1f} s"
    return f"{spent}, {found['MiB']:8.0f} MiB, {found['samples']:>12,} samples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where the data is made and removed again")
    parser.add_argument("--bytes", type=float, default=1e9)
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--kinds", nargs="+", choices=list(MAKERS), default=list(MAKERS))
    asked = parser.parse_args()
    sizes = {"table": int(asked.bytes), "pictures": asked.pictures, "texts": asked.texts}
    for kind in asked.kinds:
        folder = asked.folder / f"reading-{kind}"
        folder.mkdir(parents=True)
        try:
            path = MAKERS[kind](folder, sizes[kind])
            for name, (imports, reading) in CONTESTANTS[kind].items():
                print(f"{kind:9} {name:20} {measure(imports, reading, path)}", flush=True)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
