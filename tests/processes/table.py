"""`python -m tests.processes.table`: run the tests of several processes in full, and write what they saw.

It goes to `benchmarks/results/processes.jsonl`, and from there to docs/scale.md; `write` does only the latter. Run in
pieces, with a file named by GANGLION_PROCESS_RESULTS, tests leave their lines there: `add FILE ...` takes them over.
Of two lines about one thing the later one counts.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.pages import with_part
from ganglion.models import INDEX

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "processes.jsonl"
PAGE = ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- processes: written by tests/processes/table.py -->", "<!-- end of processes -->"
MEASURED = ("kind", "seconds", "same", "gradient", "measure", "statistic")
"""What a line says of the thing that its other entries name."""
Row = dict[str, Any]


def run() -> list[Row]:
    """Run the tests and return what they saw."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        environment = os.environ | {"GANGLION_PROCESS_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
        status = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:xdist", "tests/processes"], cwd=ROOT, env=environment
        )
        if status.returncode:
            raise SystemExit(status.returncode)
        return rows_in(results)


def rows_in(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def merged(rows: list[Row]) -> list[Row]:
    """Return one line for each thing."""
    last = {json.dumps([row["kind"], *(row[name] for name in row if name not in MEASURED)]): row for row in rows}
    return list(last.values())


def page() -> str:
    """Return the page of documentation with its tables anew."""
    return with_part(PAGE.read_text(encoding="utf-8"), BEGIN, END, f"\n\n{tables(rows_in(RESULTS))}\n\n")


def tables(rows: list[Row]) -> str:
    """Return what was seen as tables of Markdown."""
    return "\n\n".join([ends(rows), gradients(rows)])


def ends(rows: list[Row]) -> str:
    """Return the table of processes that were lost."""
    lines = [
        "| one process of two | tries | went on to the same bits | the other had ended after |",
        "|---|---:|---:|---:|",
    ]
    for kind in ("killed after a step", "halted after a step", "killed under torchrun", "killed while an agent plays"):
        found = [row for row in rows if row["kind"] == kind]
        if found:
            longest = max(row["seconds"] for row in found)
            lines.append(f"| {kind} | {len(found)} | {sum(row['same'] for row in found)} | at most {longest:.1f} s |")
    return "\n".join(lines)


def gradients(rows: list[Row]) -> str:
    """Return the table of how far gradients are from those of one process."""
    found = {(row["system"], row["processes"]): row for row in rows if row["kind"] == "gradients"}
    sizes = sorted({processes for _, processes in found})
    heads = [f"{kind}, {size} processes" for size in sizes for kind in ("gradient", "measures", "statistics")]
    lines = [f"| system | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for system in INDEX:
        cells = [_cells(found.get((system.name, size))) for size in sizes]
        lines.append(f"| {system.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(row: Row | None) -> str:
    values = [None] * 3 if row is None else [row[name] for name in ("gradient", "measure", "statistic")]
    return " | ".join("" if value is None else f"{value:.0e}" if value else "0" for value in values)


if __name__ == "__main__":
    what, *files = sys.argv[1:] or [""]
    if what not in ("", "write", "add"):
        sys.exit(__doc__)
    if what != "write":
        more = [row for file in files for row in rows_in(Path(file))] if what else run()
        kept = merged([*rows_in(RESULTS), *more])
        RESULTS.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
