"""`bench`: a short speed check of this machine, and of ganglion against a plain loop."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from ganglion.cli.arguments import Switch
from ganglion.cli.levers import LEVERS, Lever
from ganglion.cli.output import answer, note, print_table, text
from ganglion.core import Batch
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models import find
from ganglion.rules.supervised import Supervised
from ganglion.training.machine.allocator import keep_big_blocks
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer

SIDE = 1024
"""Rows and columns of the multiplied matrices."""
SAMPLES, BATCH = 1024, 32
LEVER_BATCH = 128
"""Where levers show: those on memory do nothing for little of it."""
GUESSES = {"cpu": (3,), "cuda": (3, 100)}
"""Steps by which the speed is guessed, the last one; on a GPU, libraries set themselves up in the first."""
ROUNDS = 3
SHAPES = {"mlp": (784,), "lenet5": (1, 32, 32), "convnet": (1, 28, 28)}
"""Systems that are timed, with the shape of a sample."""
WINDOW = (60, 1)
"""Shape of a sample of the forecaster, by which levers are shown."""


def bench(*, seconds: float = 1.0, json: Switch = False) -> None:
    """Measure the peak of matrix products, training beside a plain loop of the same network, and what levers bring.

    Args:
        seconds: Time for each measurement.
        json: Print one JSON object.
    """
    standing = sum(lever.standing.startswith("on") for lever in LEVERS)
    about = 2 * seconds + len(SHAPES) * 2 * ROUNDS * seconds + standing * 4 * (seconds + 2)
    note(f"measuring for about {about:.0f} seconds ...")
    products = {
        str(kind).removeprefix("torch."): product_speed(kind, seconds) for kind in (torch.float32, torch.bfloat16)
    }
    training = {name: training_speed(name, shape, seconds) for name, shape in SHAPES.items()}
    levers = {lever.name: lever_gain(lever, seconds) for lever in LEVERS}
    threads = torch.get_num_threads()
    document = {"threads": threads, "gigaflops": products, "steps_per_second": training, "levers": levers}

    def show() -> None:
        print_table(("matrix product", "GFLOP/s"), list(products.items()), right=("GFLOP/s",))
        print()
        columns = ("system", "ganglion", "plain loop", "ratio")
        rows = [
            (name, *(text(speed[key]) for key in ("ganglion", "plain_loop", "ratio")))
            for name, speed in training.items()
        ]
        print_table(columns, rows, right=columns[1:])
        print(f"\nsteps per second with batches of {BATCH} on {threads} threads\n")
        gains = [(lever.name, lever.standing, lever.shown_by, text(levers[lever.name])) for lever in LEVERS]
        print_table(("lever", "", "shown by", "times faster"), gains, right=("times faster",))

    answer(document, json, show)


def product_speed(kind: torch.dtype, seconds: float) -> float:
    """Return billions of floating-point operations per second of a square matrix product."""
    left, right = (torch.randn(SIDE, SIDE).to(kind) for _ in range(2))
    return round(repeat(lambda: left @ right, seconds) * 2 * SIDE**3 / 1e9, 1)


def training_speed(name: str, shape: tuple[int, ...], seconds: float) -> dict[str, float]:
    """Return steps per second of a system under the trainer and of its network in a plain loop, as medians in turn."""
    batch = {"inputs": torch.rand(SAMPLES, *shape), "targets": torch.randint(10, (SAMPLES,))}
    ours, plain = [], []
    for _ in range(ROUNDS):
        plain.append(plain_loop(build(name), batch, seconds))
        ours.append(with_trainer(build(name), batch, steps=max(1, round(plain[-1] * seconds))))
    speed = {"ganglion": statistics.median(ours), "plain_loop": statistics.median(plain)}
    return {
        **{key: round(value, 1) for key, value in speed.items()},
        "ratio": round(speed["ganglion"] / speed["plain_loop"], 3),
    }


def lever_gain(lever: Lever, seconds: float) -> float | None:
    """Return how many times faster a system trains with a lever than without; None where it is not on.

    Each trial runs in a process of its own, since most of this is settled once for a process.
    """
    if not lever.standing.startswith("on"):
        return None
    code = f"from ganglion.cli.bench import trial; print(trial({lever.shown_by!r}, {seconds}, {lever.device!r}))"
    speeds: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(2):
        for on in speeds:
            environment = os.environ | ({} if on else {lever.variable: lever.off})
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
            if done.returncode:
                return None
            speeds[on].append(float(done.stdout))
    return round(max(speeds[True]) / max(speeds[False]), 2)


def trial(name: str, seconds: float, device: str = "cpu") -> float:
    """Return steps per second of a system under the trainer."""
    keep_big_blocks()
    values = name == "lstm-forecaster"
    targets = torch.rand(SAMPLES, 1) if values else torch.randint(10, (SAMPLES,))
    batch = {"inputs": torch.rand(SAMPLES, *(WINDOW if values else SHAPES[name])), "targets": targets}
    for steps in GUESSES[device]:
        pace = with_trainer(build(name), batch, steps, LEVER_BATCH, device)
    return with_trainer(build(name), batch, max(steps, round(pace * seconds)), LEVER_BATCH, device)


def build(name: str) -> Supervised:
    module = find(name).load()
    rule = module.build(module.Config())
    assert isinstance(rule, Supervised)
    return rule


def plain_loop(rule: Supervised, batch: Batch, seconds: float) -> float:
    """Return steps per second of what everybody writes first."""
    network, inputs, targets = rule.home, batch["inputs"], batch["targets"]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    order = iter(torch.empty(0))

    def step() -> None:
        nonlocal order
        chosen = next(order, None)
        if chosen is None:
            order = iter(torch.randperm(SAMPLES).split(BATCH))
            chosen = next(order)
        optimizer.zero_grad()
        loss = rule.loss(network(inputs[chosen]), targets[chosen])
        loss.backward()
        optimizer.step()

    return repeat(step, seconds)


def with_trainer(rule: Supervised, batch: Batch, steps: int, batch_size: int = BATCH, device: str = "cpu") -> float:
    """Return steps per second of the same rule under the trainer, which ends with a look at the measurements."""
    settings = TrainerSettings(steps=steps, device=device, deterministic=False)
    trainer = Trainer(rule, InMemoryLoader(batch, batch_size, seed=0), settings)
    started = time.perf_counter()
    trainer.fit()
    return steps / (time.perf_counter() - started)


def repeat(action: Callable[[], Any], seconds: float) -> float:
    """Return how often per second `action` can be done, after one time to warm up."""
    action()
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        action()
        count += 1
    return count / spent
