"""`python -m tests.faults.table [--full]`: run the faults, and write docs/fault-table.md from what came of them.

The full faults take hours. Run in pieces, with a file named by GANGLION_FAULT_RESULTS, they leave their lines there;
`python -m tests.faults.table FILE ...` makes the table of those: of two lines about one fault, that with more tries.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "fault-table.md"
HEAD = """# Faults that a run survives

Made by `python -m tests.faults.table`; each line is a test in `tests/faults`. *Survived* means, wherever a run is
continued afterwards, that the SHA-256 of all its final state and of its metric log are those of a run that was left
alone; wherever it is refused, that the message says what, where, and what to do, and that nothing was saved. What the
faults uncovered in ganglion is in [defects.md](defects.md).

| fault | injected | tries | survived | seconds |
|---|---|---:|---:|---:|
"""


def rows(full: bool) -> list[dict[str, Any]]:
    """Run the tests and return what they recorded."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "tests/faults"]
        environment = os.environ | {"GANGLION_FAULT_RESULTS": str(results), "OMP_NUM_THREADS": "1"}
        marks = [] if full else ["-m", "not full"]
        status = subprocess.run([*command, *marks], cwd=ROOT, env=environment).returncode
        if status:
            raise SystemExit(status)
        return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]


def merged(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one line for each fault, in the order in which they came: that with the most tries."""
    lines: dict[str, dict[str, Any]] = {}
    for row in found:
        known = lines.setdefault(row["fault"], row)
        if row["tries"] >= known["tries"]:
            lines[row["fault"]] = row
    return list(lines.values())


def table(found: list[dict[str, Any]]) -> str:
    lines = [
        f"| {row['fault']} | {row['how']} | {row['tries']:,} | {row['survived']:,} | {row['seconds']:.1f} |"
        for row in found
    ]
    tries, survived = (sum(row[name] for row in found) for name in ("tries", "survived"))
    seconds = sum(row["seconds"] for row in found)
    total = f"| **all** | | **{tries:,}** | **{survived:,}** | **{seconds:.0f}** |"
    return HEAD + "\n".join([*lines, total]) + "\n"


if __name__ == "__main__":
    files = [Path(word) for word in sys.argv[1:] if word != "--full"]
    lines = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    TABLE.write_text(table(merged(lines or rows("--full" in sys.argv))), encoding="utf-8")
