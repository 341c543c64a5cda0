"""Ganglion's deep Q-learning of Pong with the hyper-parameters that stable-baselines3 is given."""

import statistics
import time
from dataclasses import replace

import numpy as np
import torch

from benchmarks.sides.outcome import Outcome
from benchmarks.workloads import Workload
from ganglion.data.settings import DataSettings
from ganglion.models.reinforcement.dqn import FORMS, build
from ganglion.rules.descend import Descent
from ganglion.tasks.control import Control
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer

LEARNING_STARTS, TRAIN_EVERY, BATCH, CAPACITY = 1000, 4, 32, 10_000
CONFIG = replace(
    FORMS["atari"],
    double=False,
    steps_ahead=1,
    target_every=1000 // TRAIN_EVERY,
    replay_capacity=CAPACITY,
    learning_starts=LEARNING_STARTS,
    train_every=TRAIN_EVERY,
    epsilon_steps=2000,
    descent=Descent(learning_rate=1e-4, clip_norm=10.0),
)


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    torch.manual_seed(0)
    task = Control.prepare(workload.data, CONFIG, DataSettings(batch_size=BATCH), 0)
    rule = build(task.config)
    loader = task.loader(rule, 0)
    trainer = Trainer(rule, loader, TrainerSettings(steps=(workload.samples - LEARNING_STARTS) // TRAIN_EVERY))
    started = time.perf_counter()
    trainer.fit()
    outcome = Outcome([time.perf_counter() - started])
    finished = [reward for _, reward in loader.returns]
    outcome.score = statistics.mean(finished) if finished else 0.0
    return outcome
