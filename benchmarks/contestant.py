"""One side in one process: `python -m benchmarks.contestant torch convnet` prints throughput and score as JSON."""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks.sides.outcome import Outcome
from benchmarks.workloads import WORKLOADS, arrays

SIDES: dict[str, tuple[str, dict[str, Any]]] = {
    "ganglion": ("ganglion", {}),
    "torch": ("plain", {}),
    "compile": ("plain", {"compiled": True}),
    "keras-jax": ("keras", {}),
    "keras-torch": ("keras", {}),
    "lightning": ("lightning", {}),
    "scikit-learn": ("scikit", {}),
    "stable-baselines3": ("baselines", {}),
}
"""Module and arguments of every side."""
ACTING = {
    ("dqn", "ganglion"): "acting",
    ("dqn", "stable-baselines3"): "baselines",
    ("pong", "ganglion"): "playing",
    ("pong", "stable-baselines3"): "arcade",
}
"""Module of every side that acts, by workload."""


def main(side: str, name: str) -> None:
    workload = WORKLOADS[name]
    if side.startswith("keras"):
        os.environ["KERAS_BACKEND"] = side.removeprefix("keras-")
    module, arguments = SIDES[side]
    if workload.system == "dqn":
        module = ACTING[workload.name, side]
    run: Callable[..., Outcome] = partial(import_module(f"benchmarks.sides.{module}").run, **arguments)
    outcome = run(workload, {} if workload.system == "dqn" else arrays(workload))
    print(json.dumps({"throughput": workload.samples / outcome.seconds, "score": outcome.score}))


if __name__ == "__main__":
    main(*sys.argv[1:])
