"""Agents that learn from reward alone how to act."""

from ganglion.models.system import System

SYSTEMS = (
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
)
