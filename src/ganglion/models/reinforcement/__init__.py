"""Agents that learn from reward alone how to act."""

from ganglion.models.system import System

MINATAR = {
    "form": "minatar",
    "steps": 125_000,
    "batch_size": 64,
    "schedule": "constant",
    "evaluate_every": 2500,
    "report_every": 2500,
    "threads": 1,
}
ATARI = {
    "form": "atari",
    "steps": 500_000,
    "batch_size": 32,
    "schedule": "constant",
    "evaluate_every": 25_000,
    "report_every": 1000,
    "threads": 2,
}
"""What deep Q-learning from pictures starts from."""
FAR_GOAL = {"form": "far-goal", "evaluate_every": 3700, "report_every": 3700}
"""What it starts from where random pushes cancel each other out; `hold` is about half a swing."""

SYSTEMS = (
    System(
        name="mdp",
        module="reinforcement.mdp",
        tasks=("decision",),
        data="loss-then-gain",
        defaults={"steps": 200, "evaluate_every": 10, "report_every": 10, "monitor": "value_error", "threads": 1},
        tour={},
    ),
    System(
        name="q-table",
        module="reinforcement.q_table",
        tasks=("decision",),
        data="FrozenLake-v1",
        defaults={"steps": 6000, "evaluate_every": 200, "report_every": 100, "threads": 1},
    ),
    System(
        name="dqn",
        module="reinforcement.dqn",
        tasks=("control",),
        data="CartPole-v1",
        defaults={
            "steps": 6000,
            "batch_size": 128,
            "schedule": "linear",
            "evaluate_every": 300,
            "report_every": 300,
            "threads": 1,
        },
        defaults_on={
            "MountainCar-v0": {**FAR_GOAL, "steps": 14_800},
            "Acrobot-v1": {**FAR_GOAL, "steps": 11_100, "hold": 4.0},
            "MinAtar/*": MINATAR,
            "ALE/*": ATARI,
            "*NoFrameskip-v[04]": ATARI,
        },
        tour={"steps": 3600},
    ),
    System(
        name="trader",
        module="reinforcement.trader",
        tasks=("trading",),
        data="swinging-prices",
        defaults={
            "steps": 1500,
            "batch_size": 128,
            "validation": 0.2,
            "schedule": "linear",
            "evaluate_every": 150,
            "report_every": 150,
            "threads": 1,
        },
    ),
)
