"""Ganglion beside its peers: `python -m benchmarks.peers [WORKLOAD ...]` measures, checks and records.

Every side trains in a process of its own, since an allocator or a thread pool would be shared otherwise; sides take
turns, and each round adds one throughput to what was measured before, until `--rounds` of them are there.
"""

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.workloads import WORKLOADS, Workload
from ganglion.cli.doctor import processor

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
ROUNDS = 5
ATTEMPTS, MOST_DISTURBANCE = 3, 0.1
"""How often a trial is repeated during which other processes took more than this share of one processor."""
WORSE = 0.9
"""Share of the recorded ratio below which a result has got worse."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", choices=[[], *WORKLOADS], default=[], metavar="WORKLOAD")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="throughputs wanted of every side")
    parser.add_argument("--anew", action="store_true", help="forget what was measured of these workloads before")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a ratio fell by a tenth")
    arguments = parser.parse_args()
    chosen = [WORKLOADS[name] for name in arguments.workloads or WORKLOADS]
    if arguments.check:
        sys.exit(check(chosen, arguments.rounds))
    path = RESULTS / f"{machine_name()}.json"
    measured = json.loads(path.read_text()) if path.exists() else {}
    measured["machine"] = machine()
    for workload in chosen:
        row = {} if arguments.anew else measured.get(workload.name, {})
        while rounds(workload, row) < arguments.rounds:
            add_round(workload, row)
            measured[workload.name] = row
            path.write_text(json.dumps(measured, indent=1) + "\n")
        print(summary(workload, row), flush=True)


def sides(workload: Workload) -> list[str]:
    return ["ganglion", *workload.targets]


def rounds(workload: Workload, row: dict[str, Any]) -> int:
    """Return how often every side has been measured."""
    return min(len(row.get(side, {}).get("throughputs", ())) for side in sides(workload))


def add_round(workload: Workload, row: dict[str, Any]) -> None:
    """Let every side train once, in turn."""
    for side in sides(workload):
        result = trial(side, workload)
        kept = row.setdefault(side, {"throughputs": [], "scores": []})
        kept["throughputs"].append(round(result["throughput"], 1))
        kept["scores"].append(round(result["score"], 5))


def trial(side: str, workload: Workload) -> dict[str, float]:
    """Let a side train; again if other processes took much of the machine meanwhile."""
    command = [sys.executable, "-m", "benchmarks.contestant", side, workload.name]
    for _ in range(ATTEMPTS):
        started, others = time.perf_counter(), work_of_others()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{workload.name} of {side} failed:\n{done.stderr[-2000:]}")
        if work_of_others() - others < MOST_DISTURBANCE * (time.perf_counter() - started):
            break
    return json.loads(done.stdout.splitlines()[-1])


def work_of_others() -> float:
    """Return the seconds that the processors have worked so far for anybody but our children; 0 where unknown."""
    try:
        numbers = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *others = map(int, numbers)
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = user + nice + system + sum(others[:3])
    return busy / os.sysconf("SC_CLK_TCK") - ours.ru_utime - ours.ru_stime


def ratios(row: dict[str, Any], side: str) -> list[float]:
    """Return how many times faster Ganglion was than a peer, pair by pair."""
    pairs = zip(row["ganglion"]["throughputs"], row[side]["throughputs"], strict=False)
    return [ours / theirs for ours, theirs in pairs]


def scores_agree(workload: Workload, row: dict[str, Any]) -> bool:
    medians = [statistics.median(row[side]["scores"]) for side in sides(workload)]
    return max(medians) - min(medians) <= workload.tolerance


def summary(workload: Workload, row: dict[str, Any]) -> str:
    parts = [f"{workload.name}: {statistics.median(row['ganglion']['throughputs']):,.0f}/s"]
    for side, target in workload.targets.items():
        values = ratios(row, side)
        parts.append(f"{statistics.median(values):.2f}x {side} ({min(values):.2f} to {max(values):.2f}, aim {target})")
    return ", ".join(parts) + ("" if scores_agree(workload, row) else "; THE SCORES DIFFER")


def check(chosen: list[Workload], rounds: int) -> int:
    """Measure anew and compare with what is recorded of this machine; return the exit status."""
    path = RESULTS / f"{machine_name()}.json"
    if not path.exists():
        raise SystemExit(f"nothing is recorded of this machine in {path}; run `make bench` first")
    recorded, status = json.loads(path.read_text()), 0
    for workload in (workload for workload in chosen if workload.name in recorded):
        row: dict[str, Any] = {}
        for _ in range(rounds):
            add_round(workload, row)
        for side in workload.targets:
            now, then = (statistics.median(ratios(each, side)) for each in (row, recorded[workload.name]))
            fell = now < WORSE * then
            print(f"{'WORSE' if fell else 'ok':5}  {workload.name} against {side}: {now:.2f}, recorded {then:.2f}")
            status |= fell
    return status


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    from importlib.metadata import version

    packages = ("torch", "keras", "jax", "lightning", "scikit-learn", "stable-baselines3")
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: version(name) for name in packages},
        "data": "MNIST" if os.environ.get("GANGLION_DATA") else "scikit-learn's digits, enlarged",
    }


def machine_name() -> str:
    """Return a name for the file of results: processor and cores.

    >>> re.fullmatch("[a-z0-9-]+", machine_name()) is not None
    True
    """
    name = re.sub(r"\(r\)|\(tm\)|processor|cpu|@.*", "", processor().casefold())
    return re.sub("[^a-z0-9]+", "-", f"{name} {os.cpu_count()} cores").strip("-")


if __name__ == "__main__":
    main()
