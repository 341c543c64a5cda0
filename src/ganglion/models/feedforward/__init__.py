"""Dense layers one after the other: what everything else is built upon."""

from ganglion.models.system import System

SYSTEMS = (
    System(
        name="perceptron",
        module="feedforward.perceptron",
        tasks=("classification",),
        data="exam-marks",
        defaults={"epochs": 100, "batch_size": 1, "threads": 1},
        tour={},
    ),
    System(
        name="mlp",
        module="feedforward.mlp",
        tasks=("classification", "regression", "labelling"),
        data="digits",
        defaults={"epochs": 40, "batch_size": 32, "schedule": "cosine", "monitor": "loss", "threads": 1},
        tour={},
    ),
    System(
        name="rbf",
        module="feedforward.rbf",
        tasks=("classification", "regression"),
        data="digits",
        defaults={"epochs": 40, "batch_size": "all", "monitor": "loss"},
        tour={},
    ),
    System(
        name="approximator",
        module="feedforward.approximator",
        tasks=("regression",),
        data="sawtooth",
        defaults={"epochs": 150, "batch_size": 50, "schedule": "cosine", "monitor": "loss", "threads": 1},
    ),
    System(
        name="face-pose",
        module="feedforward.face_pose",
        tasks=("classification", "regression", "labelling"),
        data="faces",
        defaults={"epochs": 40, "batch_size": 1, "monitor": "loss", "threads": 1},
    ),
    System(
        name="steering",
        module="feedforward.steering",
        tasks=("driving",),
        data="road-scenes",
        defaults={"epochs": 40, "batch_size": 32, "schedule": "cosine", "monitor": "loss", "threads": 1},
    ),
)
