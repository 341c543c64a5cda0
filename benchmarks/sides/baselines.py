"""stable-baselines3: its DQN with the hyper-parameters that its zoo found for CartPole."""

import time

import numpy as np
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.evaluation import evaluate_policy

from benchmarks.sides.outcome import Outcome
from benchmarks.workloads import Workload


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    torch.set_num_threads(1)  # faster for networks of this size, here too
    agent = DQN(
        "MlpPolicy",
        workload.data,
        learning_rate=2.3e-3,
        batch_size=64,
        buffer_size=100_000,
        learning_starts=1000,
        gamma=0.99,
        target_update_interval=10,
        train_freq=256,
        gradient_steps=128,
        exploration_fraction=8000 / workload.samples,
        exploration_final_eps=0.04,
        policy_kwargs={"net_arch": [256, 256]},
        seed=0,
        device="cpu",
    )
    started = time.perf_counter()
    agent.learn(workload.samples)
    outcome = Outcome([time.perf_counter() - started])
    outcome.score = float(evaluate_policy(agent, agent.get_env(), n_eval_episodes=20)[0])
    return outcome
