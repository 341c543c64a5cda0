"""stable-baselines3: its DQN of Atari games with the hyper-parameters of its zoo, but for a shorter beginning."""

import statistics
import time

import ale_py
import gymnasium
import numpy as np
from stable_baselines3 import DQN
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import VecFrameStack

from benchmarks.sides.outcome import Outcome
from benchmarks.sides.playing import BATCH, CAPACITY, LEARNING_STARTS, TRAIN_EVERY
from benchmarks.workloads import Workload


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    gymnasium.register_envs(ale_py)
    games = VecFrameStack(make_atari_env(workload.data, n_envs=1, seed=0), n_stack=4)
    agent = DQN(
        "CnnPolicy",
        games,
        learning_rate=1e-4,
        batch_size=BATCH,
        buffer_size=CAPACITY,
        learning_starts=LEARNING_STARTS,
        target_update_interval=1000,
        train_freq=TRAIN_EVERY,
        gradient_steps=1,
        exploration_fraction=2000 / workload.samples,
        exploration_final_eps=0.01,
        seed=0,
        device="cpu",
    )
    started = time.perf_counter()
    agent.learn(workload.samples)
    outcome = Outcome([time.perf_counter() - started])
    finished = [episode["r"] for episode in agent.ep_info_buffer or ()]
    outcome.score = statistics.mean(finished) if finished else 0.0
    return outcome
