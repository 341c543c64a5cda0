"""Agents that learn from reward alone how to act."""

from ganglion.models.system import System

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
