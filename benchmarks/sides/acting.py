"""Ganglion's deep Q-learning with the hyper-parameters that stable-baselines3 is given."""

import statistics
import time
from functools import partial

import numpy as np
import torch

from benchmarks.sides.outcome import Outcome
from benchmarks.workloads import Workload
from ganglion.data.environments.replay import ReplayLoader, linear_schedule
from ganglion.data.environments.vector import Environments, make_environment, play_episodes
from ganglion.models.reinforcement.dqn import Config, build
from ganglion.nn.modes import evaluation_mode
from ganglion.rules.descend import Descent
from ganglion.tasks.shared.acting import greedy
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer

LEARNING_STARTS, TRAIN_EVERY, BATCH = 1000, 2, 64
EPISODES = 20
CONFIG = Config(
    network="mlp",
    num_actions=2,
    hidden_features=(256, 256),
    double=False,
    threshold=1.0,
    steps_ahead=1,
    target_every=128,
    target_rate=1.0,
    replay_capacity=100_000,
    learning_starts=LEARNING_STARTS,
    train_every=TRAIN_EVERY,
    num_environments=8,
    epsilon_end=0.04,
    epsilon_steps=8000,
    descent=Descent(learning_rate=2.3e-3, clip_norm=10.0),
)


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    torch.manual_seed(0)
    make, rule = partial(make_environment, workload.data), build(CONFIG)
    loader = ReplayLoader(
        Environments(make, CONFIG.num_environments, seed=0),
        greedy(rule.home),
        capacity=CONFIG.replay_capacity,
        batch_size=BATCH,
        seed=0,
        epsilon=linear_schedule(CONFIG.epsilon_start, CONFIG.epsilon_end, CONFIG.epsilon_steps),
        discount=CONFIG.discount,
        steps_ahead=CONFIG.steps_ahead,
        train_every=CONFIG.train_every,
        learning_starts=CONFIG.learning_starts,
    )
    rule.home.eval()  # Takes observations as they are, as theirs does; standardised ones want smaller steps.
    steps = (workload.samples - LEARNING_STARTS) // TRAIN_EVERY
    trainer = Trainer(rule, loader, TrainerSettings(steps=steps, device="cpu", threads=1))
    started = time.perf_counter()
    trainer.fit()
    outcome = Outcome([time.perf_counter() - started])
    with evaluation_mode(rule.home):
        outcome.score = statistics.mean(play_episodes(make, greedy(rule.home), range(EPISODES)))
    return outcome
