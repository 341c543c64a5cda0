"""Whether scores suffer from products of sixteen-bit numbers: `python -m benchmarks.precision [SYSTEM ...]`.

Every system is trained on its default data with the same seeds in fp32 and in bf16. It may be marked `bf16_is_safe`,
so that `--precision auto` uses bf16, unless it scores worse by more than two standard errors of the paired
differences. Results go to `results/precision.json`, and as a table to `results/precision.md`.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers import RESULTS

SEEDS = range(5)
OPTIONS: dict[str, dict[str, Any]] = {
    "convnet": {"epochs": 10},
    "lenet5": {"epochs": 10},
    "mlp": {},
    "autoencoder": {},
    "gan": {},
    "dcgan": {},
    "rbm": {},
    "lstm-forecaster": {},
    "char-rnn": {},
    "sentiment": {},
    "elman-tagger": {},
    "jordan": {},
}
"""Systems, each with what is set for these trials."""


def main(names: list[str]) -> None:
    path = RESULTS / "precision.json"
    measured: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in names or OPTIONS:
        measured[name] = measure(name)
        path.write_text(json.dumps({name: measured[name] for name in OPTIONS if name in measured}, indent=1) + "\n")
        path.with_suffix(".md").write_text(table(measured) + "\n")
        print(name, json.dumps(measured[name]), flush=True)


def measure(name: str) -> dict[str, Any]:
    """Return the scores over the seeds in both formats."""
    from ganglion.models import find
    from ganglion.runs.session import train

    row: dict[str, Any] = {"data": find(name).data, "fp32": [], "bf16": []}
    for seed in SEEDS:
        for precision in ("fp32", "bf16"):
            with tempfile.TemporaryDirectory() as folder:
                run = train(name, out=Path(folder) / "run", seed=seed, precision=precision, **OPTIONS[name])
                row[precision].append(run.result["score"])
                row |= {"score": run.result["score_name"], "higher_is_better": run.result["higher_is_better"]}
    return row


def is_safe(row: dict[str, Any]) -> bool:
    """Say whether bf16 scores no worse than chance explains.

    >>> is_safe({"fp32": [0.90, 0.92, 0.91], "bf16": [0.91, 0.91, 0.91], "higher_is_better": True})
    True
    >>> is_safe({"fp32": [0.90, 0.92, 0.91], "bf16": [0.80, 0.82, 0.81], "higher_is_better": True})
    False
    """
    sign = 1 if row["higher_is_better"] else -1
    gains = [sign * (half - full) for half, full in zip(row["bf16"], row["fp32"], strict=True)]
    return statistics.mean(gains) >= -2 * statistics.stdev(gains) / len(gains) ** 0.5


def table(measured: dict[str, Any]) -> str:
    lines = ["| system | data | score | fp32 | bf16 | bf16 is safe |", "|---|---|---|---|---|---|"]
    for name in (name for name in OPTIONS if name in measured):
        row = measured[name]
        scores = [
            f"{statistics.mean(row[kind]):.4g} ({min(row[kind]):.4g} to {max(row[kind]):.4g})"
            for kind in ("fp32", "bf16")
        ]
        cells = (name, row["data"], row["score"].replace("_", " "), *scores, "yes" if is_safe(row) else "no")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
