"""What each lever brings: `python -m benchmarks.levers [WORKLOAD ...]` switches them off one at a time.

Results go to `results/<machine>-levers.json`, as the throughput with everything on and the ratio to it of each trial.
"""

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.peers import RESULTS, ROOT, machine, machine_name
from benchmarks.workloads import WORKLOADS, Workload
from ganglion.cli.levers import LEVERS

ROUNDS = 3
SHOWN_ON = ("convnet", "mlp", "lstm-forecaster")


def main(names: list[str]) -> None:
    path = RESULTS / f"{machine_name()}-levers.json"
    measured: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    measured["machine"] = machine()
    for name in names or SHOWN_ON:
        measured[name] = ablation(WORKLOADS[name])
        path.write_text(json.dumps(measured, indent=1) + "\n")
        print(name, json.dumps(measured[name]))


def ablation(workload: Workload) -> dict[str, float]:
    """Return the throughput with every lever on, and by how much each makes it higher than without."""
    levers = [lever for lever in LEVERS if lever.device == "cpu"]  # where the contestants train
    trials: dict[str, dict[str, str]] = {"": {}} | {lever.name: {lever.variable: lever.off} for lever in levers}
    trials["all of them"] = {lever.variable: lever.off for lever in levers}
    speeds: dict[str, list[float]] = {name: [] for name in trials}
    for _ in range(ROUNDS):
        for name, switched in trials.items():
            command = [sys.executable, "-m", "benchmarks.contestant", "ganglion", workload.name]
            done = subprocess.run(
                command, cwd=ROOT, env=os.environ | switched, capture_output=True, text=True, check=True
            )
            speeds[name].append(json.loads(done.stdout.splitlines()[-1])["throughput"])
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    whole = medians.pop("")
    return {"throughput": round(whole, 1)} | {name: round(whole / value, 3) for name, value in medians.items()}


if __name__ == "__main__":
    main(sys.argv[1:])
