"""How cost grows, and what else costs: `python -m benchmarks.curves` writes `results/<machine>-curves.json` and `.png`.

Seconds of an epoch against the size of the set, and of a step against batch, width and time; peak memory beside plain
PyTorch; what checkpoints every hundred steps and the progress line cost; and how much of the machine's peak is used.
"""

import dataclasses
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peers import RESULTS, ROOT, machine, machine_name
from benchmarks.sides.ganglion import build
from benchmarks.workloads import WORKLOADS, Workload
from ganglion.cli.progress import Lines, Progress
from ganglion.core import Batch, LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.training.callback import Callback
from ganglion.training.machine.allocator import keep_big_blocks
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer

SIZES = (1000, 4000, 16_000, 60_000)
BATCHES = (8, 32, 128, 512, 1024)
WIDTHS = (64, 256, 1024, 2048)
TIMES = (10, 30, 100, 300, 1000)
MEMORY = ("convnet", "mlp", "lstm-forecaster", "dcgan")
PEAK = ("convnet", "convnet-bf16", "mlp", "lenet5", "lstm-forecaster", "autoencoder", "dcgan", "rbm")
STEPS, CHECKPOINT_EVERY = 300, 100


def main() -> None:
    keep_big_blocks()
    parts: dict[str, Callable[[], Any]] = {
        "epoch_seconds_by_size": by_size,
        "step_milliseconds_by_batch": by_batch,
        "step_milliseconds_by_width": by_width,
        "step_milliseconds_by_time": by_time,
        "peak_memory_ratio_to_torch": lambda: {name: memory_ratio(name) for name in MEMORY},
        "share_of_peak": lambda: {name: share_of_peak(WORKLOADS[name]) for name in PEAK},
        "cost": costs,
    }
    path = RESULTS / f"{machine_name()}-curves.json"
    measured: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in sys.argv[1:] or parts:
        measured |= {"machine": machine(), name: parts[name]()}
        print(name, json.dumps(measured[name]), flush=True)
        path.write_text(json.dumps(measured, indent=1) + "\n")
    draw(measured, path.with_suffix(".png"))


def samples_of(workload: Workload, count: int, time_steps: int = 60) -> Batch:
    """Return random samples of a workload's shape; how fast they are learnt from does not depend on what they are."""
    shapes = {
        "images": (1, 28, 28), "images32": (1, 32, 32), "rows": (784,), "binary": (784,), "windows": (time_steps, 1),
        "photographs": (3, 32, 32)
    }  # fmt: skip
    targets = torch.rand(count, 1) if workload.data == "windows" else torch.randint(10, (count,))
    return {"inputs": torch.rand(count, *shapes[workload.data]), "targets": targets}


def step_seconds(rule: LearningRule, batch: Batch, batch_size: int, steps: int, **settings: Any) -> float:
    """Return the seconds of a step under the trainer, after some to warm up."""
    loader = InMemoryLoader(batch, batch_size, seed=0)
    Trainer(rule, loader, TrainerSettings(steps=3, device="cpu", **settings)).fit()
    trainer = Trainer(rule, loader, TrainerSettings(steps=steps, device="cpu", **settings))
    started = time.perf_counter()
    trainer.fit()
    return (time.perf_counter() - started) / steps


def by_size() -> dict[int, float]:
    workload = WORKLOADS["mlp"]
    return {
        size: round(step_seconds(build(workload), samples_of(workload, size), 128, steps) * steps, 4)
        for size in SIZES
        for steps in [-(-size // 128)]
    }


def by_batch() -> dict[int, float]:
    workload = WORKLOADS["convnet"]
    return {
        size: round(1e3 * step_seconds(build(workload), samples_of(workload, 2 * size), size, 20), 3)
        for size in BATCHES
    }


def by_width() -> dict[int, float]:
    workload = WORKLOADS["mlp"]
    widened = {width: workload.fields | {"hidden_features": (width, width)} for width in WIDTHS}
    return {
        width: round(
            1e3 * step_seconds(build(dataclasses.replace(workload, fields=fields)), samples_of(workload, 512), 128, 20),
            3,
        )
        for width, fields in widened.items()
    }


def by_time() -> dict[int, float]:
    workload = WORKLOADS["lstm-forecaster"]
    return {
        length: round(1e3 * step_seconds(build(workload), samples_of(workload, 64, length), 64, 3), 3)
        for length in TIMES
    }


def memory_ratio(name: str) -> float:
    """Return Ganglion's peak memory over that of the plain loop, both in processes of their own."""
    # Not `getrusage`: what it says of a process begins with the peak of the one that started it.
    code = (
        "import re, sys; from benchmarks.contestant import main; main(*sys.argv[1:]); "
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    peaks = []
    for side in ("ganglion", "torch"):
        command = [sys.executable, "-c", code, side, name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    return round(peaks[0] / peaks[1], 3)


def share_of_peak(workload: Workload) -> float:
    """Return the operations of matrix products and convolutions in a step over those that a large product could do."""
    rule, batch = build(workload), samples_of(workload, workload.batch_size)
    os.environ["GANGLION_FAST"] = "0"  # The counter sees operations of torch and no kernels of ours.
    with FlopCounterMode(display=False) as counter:
        rule.step(batch)
    del os.environ["GANGLION_FAST"]
    bf16 = workload.settings.get("precision") == "bf16"
    seconds = step_seconds(build(workload), batch, workload.batch_size, 60, **workload.settings)
    return round(counter.get_total_flops() / seconds / product_speed(torch.bfloat16 if bf16 else torch.float32), 3)


def product_speed(kind: torch.dtype, side: int = 2048) -> float:
    """Return operations per second of a large square matrix product."""
    left, right = torch.randn(side, side).to(kind), torch.randn(side, side).to(kind)
    spent = []
    for _ in range(8):
        started = time.perf_counter()
        left @ right
        spent.append(time.perf_counter() - started)
    return 2 * side**3 / min(spent)


def costs() -> dict[str, float]:
    """Return the shares of the training time that checkpoints and the progress line take."""
    spent: dict[str, list[float]] = {"plain": [], "checkpoints": [], "progress": []}
    for _ in range(5):
        for name, values in spent.items():
            values.append(cost_trial(name))
    plain = statistics.median(spent.pop("plain"))
    return {name: round(statistics.median(values) / plain - 1, 4) for name, values in spent.items()}


def cost_trial(what: str) -> float:
    """Return the seconds of a training run of the convolutional network with one extra or none."""
    workload = WORKLOADS["convnet"]
    loader = InMemoryLoader(samples_of(workload, 128 * 20), 128, seed=0)
    callbacks: list[Callback] = [Progress(Lines(io.StringIO()))] if what == "progress" else []
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder.create(Path(folder) / "run", "run", {}) if what == "checkpoints" else None
        every = {"checkpoint_every": CHECKPOINT_EVERY, "report_every": STEPS if what != "progress" else 10}
        settings = TrainerSettings(steps=STEPS, device="cpu", **every)
        trainer = Trainer(build(workload), loader, settings, run=run, callbacks=callbacks)
        started = time.perf_counter()
        trainer.fit()
        return time.perf_counter() - started


def draw(measured: dict[str, Any], path: Path) -> None:
    """Draw the curves with both axes logarithmic, so that work that grows in proportion is a line of slope one."""
    from matplotlib.figure import Figure

    curves = {name: values for name, values in measured.items() if "_by_" in name}
    figure = Figure(figsize=(12, 3), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True):
        what, _, against = name.partition("_by_")
        places = [int(place) for place in values]
        axes.loglog(places, list(values.values()), "o-")
        first = next(iter(values.values()))
        axes.loglog(places, [first * place / places[0] for place in places], ":", color="grey")
        axes.set(xlabel=against, title=what.replace("_", " "))
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
