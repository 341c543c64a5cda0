"""Networks that look at images through small kernels shared over all places."""

from ganglion.models.system import System

SYSTEMS = (
    System(
        name="lenet5",
        module="convolutional.lenet5",
        tasks=("classification",),
        data="digits",
        defaults={
            "epochs": 25,
            "batch_size": 8,
            "augment": "shift",
            "schedule": "cosine",
            "monitor": "loss",
            "threads": 1,
        },
        tour={"epochs": 12},
    ),
    System(
        name="convnet",
        module="convolutional.convnet",
        tasks=("classification",),
        data="digits",
        defaults={"epochs": 20, "batch_size": 32, "augment": "shift", "schedule": "cosine", "monitor": "loss"},
        tour={},
    ),
    System(
        name="resnet",
        module="convolutional.resnet",
        tasks=("classification",),
        data="digits",
        defaults={
            "epochs": 15,
            "batch_size": 32,
            "augment": "shift",
            "schedule": "cosine",
            "monitor": "loss",
            "standardise": True,
        },
    ),
    System(
        name="unet",
        module="convolutional.unet",
        tasks=("segmentation",),
        data="cells",
        defaults={"epochs": 20, "batch_size": 4, "augment": "flips-elastic", "schedule": "cosine", "monitor": "iou"},
        tour={"epochs": 7},
    ),
)
