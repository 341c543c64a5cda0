"""Networks that look at images through small kernels shared over all places."""

from typing import Any

from ganglion.models.system import System

RECIPE: dict[str, Any] = {
    "batch_size": 32,
    "augment": "auto",
    "schedule": "cosine",
    "monitor": "loss",
    "standardise": True,
}
"""What the networks for photographs start from, but for the number of passes."""

PICTURES = ("classification", "regression", "labelling")
"""What networks do that look at a picture as a whole."""


def classifier(name: str, epochs: int) -> System:
    """Return the row of a network that says what a photograph shows."""
    return System(
        name=name,
        module=f"convolutional.{name.replace('-', '_')}",
        tasks=PICTURES,
        data="digits",
        defaults={"epochs": epochs, **RECIPE},
    )


SYSTEMS = (
    System(
        name="lenet5",
        module="convolutional.lenet5",
        tasks=PICTURES,
        data="digits",
        defaults={
            "epochs": 25,
            "batch_size": 8,
            "augment": "auto",
            "schedule": "cosine",
            "monitor": "loss",
            "threads": 1,
        },
    ),
    System(
        name="convnet",
        module="convolutional.convnet",
        tasks=PICTURES,
        data="digits",
        defaults={"epochs": 20, "batch_size": 32, "augment": "auto", "schedule": "cosine", "monitor": "loss"},
        tour={"epochs": 8},
    ),
    System(
        name="tiled-convnet",
        module="convolutional.tiled_convnet",
        tasks=PICTURES,
        data="digits",
        defaults={"epochs": 20, "batch_size": 32, "augment": "auto", "schedule": "cosine", "monitor": "loss"},
    ),
    classifier("alexnet", epochs=20),
    classifier("vgg", epochs=20),
    classifier("googlenet", epochs=12),
    classifier("resnet", epochs=15),
    classifier("xception", epochs=10),
    classifier("efficientnet", epochs=8),
    System(
        name="unet",
        module="convolutional.unet",
        tasks=("segmentation",),
        data="cells",
        defaults={"epochs": 20, "batch_size": 4, "augment": "flips-elastic", "schedule": "cosine", "monitor": "iou"},
        tour={"epochs": 7},
    ),
    System(
        name="fast-rcnn",
        module="convolutional.fast_rcnn",
        tasks=("detection",),
        data="shapes",
        defaults={"epochs": 40, "batch_size": 4, "augment": "flips", "schedule": "cosine", "monitor": "map_50"},
        tour={"epochs": 10},
    ),
    System(
        name="face-detector",
        module="convolutional.face_detector",
        tasks=("detection",),
        data="pasted-faces",
        defaults={"epochs": 18, "batch_size": 8, "monitor": "detection_rate"},
    ),
    System(
        name="series-convnet",
        module="convolutional.series_convnet",
        tasks=("forecasting", "series_classification", "panel_forecasting"),
        data="mackey-glass",
        defaults={"epochs": 20, "batch_size": 64, "schedule": "cosine"},
    ),
    System(
        name="gramian-convnet",
        module="convolutional.gramian_convnet",
        tasks=("series_classification",),
        data="waves",
        defaults={"epochs": 20, "batch_size": 32, "schedule": "cosine", "monitor": "loss"},
    ),
)
