"""Measure what the README claims, and write its table from what was measured.

`python benchmarks/claims.py measure [CLAIM ...]` trains and writes `benchmarks/results/claims.json`;
`python benchmarks/claims.py write` puts the table between the markers of README.md. Sets that are neither bundled nor
generated are read from the folder named by GANGLION_DATA.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "claims.json"
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- claims: written by benchmarks/claims.py -->", "<!-- end of claims -->"


@dataclass(frozen=True)
class Claim:
    """One row: a command, over some seeds, and what the literature or a trivial method reaches."""

    system: str
    data: str
    options: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    published: str = ""

    @property
    def name(self) -> str:
        return f"{self.system}/{self.data}"

    @property
    def command(self) -> str:
        flags = "".join(f" --{name.replace('_', '-')} {value}" for name, value in self.options.items())
        return f"ganglion train {self.system} --data {self.data}{flags}"


CLAIMS = (
    Claim("lenet5", "digits", seeds=(0, 1, 2)),
    Claim(
        "lenet5",
        "mnist",
        {"epochs": 10, "augment": "none", "batch_size": 32},
        published="LeCun et al. 1998: 0.9905 (0.992 with distortions)",
    ),
    Claim("convnet", "mnist", {"epochs": 10}),
    Claim("mlp", "digits", seeds=(0, 1, 2)),
    Claim("lstm-forecaster", "mackey-glass"),
    Claim("char-rnn", "tinyshakespeare"),
    Claim("sentiment", "rt-polarity", seeds=(0, 1, 2)),
    Claim("elman-tagger", "tagged-sentences"),
    Claim("jordan", "lift"),
    Claim("autoencoder", "digits"),
    Claim("gan", "digits"),
    Claim("dcgan", "digits"),
    Claim("rbm", "digits"),
    Claim("dqn", "CartPole-v1", seeds=(0, 1, 2, 3, 4), published="solved at 475"),
)


def measure(claim: Claim) -> dict[str, Any]:
    """Train over the seeds and return the row."""
    from ganglion.runs.session import train

    results = []
    for seed in claim.seeds:
        with tempfile.TemporaryDirectory() as folder:
            run = train(claim.system, claim.data, out=Path(folder) / "run", seed=seed, **claim.options)
            results.append(run.result)
            print(f"{claim.name} seed {seed}: {run.result['score_name']} {run.result['score']:.4f}", flush=True)
    return {
        "system": claim.system,
        "data": claim.data,
        "score_name": results[0]["score_name"],
        "higher_is_better": results[0]["higher_is_better"],
        "scores": [result["score"] for result in results],
        "baseline": statistics.median(result["baseline"] for result in results),
        "seconds": statistics.median(result["seconds"] for result in results),
        "parameters": results[0]["parameters"],
        "published": claim.published,
        "command": claim.command,
    }


def table(measured: dict[str, Any]) -> str:
    """Return the Markdown table and the line that says where it was measured."""
    lines = [
        "| system | data | test score | trivial baseline | published | training | parameters |",
        "|---|---|---|---|---|---:|---:|",
    ]
    for row in measured["rows"].values():
        scores = row["scores"]
        name = row["score_name"].replace("_", " ") + ("" if row["higher_is_better"] else " (lower is better)")
        score = f"{name} **{statistics.median(scores):.4g}**"
        if len(scores) > 1:
            score += f" (median of {len(scores)} seeds, {min(scores):.4g} to {max(scores):.4g})"
        cells = (row["system"], row["data"], score, f"{row['baseline']:.4g}", row["published"] or "–")
        lines.append(f"| {' | '.join(cells)} | {row['seconds']:.0f} s | {row['parameters']:,} |")
    machine = measured["machine"]
    where = f"{machine['cores']} cores ({machine['processor']}), torch {machine['torch']}"
    return "\n".join([*lines, "", f"Measured on {where}, by `benchmarks/claims.py`, which also holds the commands."])


def machine() -> dict[str, Any]:
    import torch

    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    return {"processor": model, "cores": os.cpu_count(), "torch": torch.__version__.split("+")[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("measure", "write"))
    parser.add_argument("claims", nargs="*", help="names such as lenet5/mnist; all when none is given")
    arguments = parser.parse_args()
    measured = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"rows": {}}
    if arguments.verb == "measure":
        for claim in CLAIMS:
            if not arguments.claims or claim.name in arguments.claims:
                measured["rows"][claim.name] = measure(claim)
                measured["machine"] = machine()
                measured["rows"] = {
                    name: measured["rows"][name] for name in (each.name for each in CLAIMS) if name in measured["rows"]
                }
                RESULTS.parent.mkdir(exist_ok=True)
                RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    before, rest = README.read_text().split(BEGIN)
    README.write_text(f"{before}{BEGIN}\n{table(measured)}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
