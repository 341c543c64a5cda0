"""Machines that give every input an energy, low for those like the data."""

from ganglion.models.system import System

SYSTEMS = (
    System(
        name="boltzmann",
        module="energy.boltzmann",
        tasks=("density",),
        data="encoder-4-2-4",
        defaults={
            "steps": 1000,
            "batch_size": 120,
            "schedule": "linear",
            "evaluate_every": 100,
            "report_every": 50,
            "threads": 1,
        },
    ),
    System(
        name="rbm",
        module="energy.rbm",
        tasks=("density",),
        data="digits",
        defaults={"epochs": 100, "batch_size": 32, "schedule": "linear"},
        tour={},
    ),
    System(
        name="rbm-recommender",
        module="energy.rbm_recommender",
        tasks=("recommendation",),
        data="film-ratings",
        defaults={"epochs": 60, "batch_size": 64, "test": 0.1, "patience": 10},
    ),
    System(
        name="dbm",
        module="energy.dbm",
        tasks=("density",),
        data="digits",
        defaults={"epochs": 100, "batch_size": 32, "schedule": "linear"},
    ),
    System(
        name="dbn",
        module="energy.dbn",
        tasks=("classification",),
        data="digits",
        defaults={"epochs": 100, "batch_size": 32, "monitor": "loss", "threads": 1},
        tour={"epochs": 40},
    ),
)
