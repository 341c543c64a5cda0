"""How long it takes until something happens: `python -m benchmarks.start` fails where a limit is passed."""

import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 5
LIMITS = {
    "import ganglion": (["-c", "import ganglion"], 0.1),
    "ganglion --help": (["-m", "ganglion", "--help"], 0.3),
    "ganglion list": (["-m", "ganglion", "list"], 0.3),
    "ganglion info convnet": (["-m", "ganglion", "info", "convnet"], 0.3),
}
"""What is run, and the seconds that it may take beyond starting Python."""
FIRST_STEP = 1.0
"""Seconds from torch's import to the first step of training."""
TRAIN = """
import sys, time
started = time.perf_counter()
import torch
imported = time.perf_counter()
import ganglion
from ganglion.training.callback import Callback
class First(Callback):
    def on_step(self, trainer):
        if trainer.iteration == 1:
            print(time.perf_counter() - imported, imported - started)
ganglion.train(sys.argv[1], "digits", steps=2, out=sys.argv[2] + "/run", callbacks=[First()])
"""


def main() -> None:
    empty = statistics.median(seconds(["-c", "pass"]) for _ in range(RUNS))
    late = []
    for name, (arguments, limit) in LIMITS.items():
        spent = statistics.median(seconds(arguments) for _ in range(RUNS)) - empty
        late += [name] * (spent > limit)
        print(f"{name:28} {spent:6.3f} s beyond Python's own {empty:.3f} s (at most {limit})")
    for system in ("mlp", "convnet"):
        steps, imports = zip(*(first_step(system) for _ in range(3)), strict=True)
        spent = statistics.median(steps)
        late += [system] * (spent > FIRST_STEP)
        print(
            f"{'first step of ' + system:28} {spent:6.3f} s beyond torch's own {statistics.median(imports):.3f} s "
            f"(at most {FIRST_STEP})"
        )
    sys.exit(f"too late: {', '.join(late)}" if late else 0)


def seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def first_step(system: str) -> tuple[float, float]:
    """Return the seconds from torch's import to the first step, and those of that import."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", TRAIN, system, folder], check=True, capture_output=True, text=True)
    step, imported = done.stdout.split()[:2]
    return float(step), float(imported)


if __name__ == "__main__":
    main()
