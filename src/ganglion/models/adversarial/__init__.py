"""Generators that learn to draw from an opponent who judges them."""

from typing import Any

from ganglion.models.system import System

ROWS = "*-gaussians", "two-moons", "spirals", "*.csv", "*.tsv", "*.parquet"
POINTS: dict[str, dict[str, Any]] = {name: {"form": "points"} for name in ROWS}
"""Data whose samples are rows of few numbers, and what training on it starts from."""
WIDE = (256, 256, 256)
MANY_CLOUDS = {"form": "points", "batch_size": 256, "schedule": "linear", "evaluate_every": 500}
"""What training on five by five narrow clouds starts from."""

SYSTEMS = (
    System(
        name="gan",
        module="adversarial.gan",
        tasks=("generation", "points"),
        data="digits",
        defaults={"epochs": 125, "batch_size": 64, "ema_decay": 0.99},
        defaults_on={
            "25-gaussians": {
                **MANY_CLOUDS,
                "epochs": 860,
                "generator_features": WIDE,
                "discriminator_features": WIDE,
            },
            **POINTS,
        },
    ),
    System(
        name="dcgan",
        module="adversarial.dcgan",
        tasks=("generation",),
        data="digits",
        defaults={"epochs": 50, "batch_size": 64, "ema_decay": 0.99},
        tour={"epochs": 20},
    ),
    System(
        name="cgan",
        module="adversarial.cgan",
        tasks=("generation",),
        data="digits",
        defaults={"epochs": 50, "batch_size": 64, "ema_decay": 0.99},
    ),
    System(
        name="pix2pix",
        module="adversarial.pix2pix",
        tasks=("image_to_image",),
        data="drawn-facades",
        defaults={"epochs": 40, "batch_size": 4},
    ),
    System(
        name="cyclegan",
        module="adversarial.cyclegan",
        tasks=("domains",),
        data="drawn-facades",
        defaults={"epochs": 30, "batch_size": 4},
    ),
    System(
        name="lapgan",
        module="adversarial.lapgan",
        tasks=("generation",),
        data="faces",
        defaults={"epochs": 300, "batch_size": 64, "ema_decay": 0.99, "evaluate_every": 100, "sample_every": 100},
    ),
    System(
        name="stackgan",
        module="adversarial.stackgan",
        tasks=("text_to_image",),
        data="unseen-pairs",
        defaults={
            "epochs": 36,
            "batch_size": 64,
            "ema_decay": 0.99,
            "schedule": "cosine",
            "evaluate_every": 400,
        },
    ),
    System(
        name="srgan",
        module="adversarial.srgan",
        tasks=("upscaling",),
        data="photographs",
        defaults={"epochs": 120, "batch_size": 16, "schedule": "cosine", "monitor": "gradient_distance"},
    ),
    System(
        name="generated-image-detector",
        module="adversarial.generated_image_detector",
        tasks=("authenticity",),
        data="redrawn-photographs",
        defaults={
            "epochs": 12,
            "batch_size": 64,
            "schedule": "cosine",
            "augment": "flip",
            "class_weight": ("balanced",),
        },
    ),
    System(
        name="stylegan",
        module="adversarial.stylegan",
        tasks=("generation",),
        data="faces",
        defaults={"epochs": 100, "batch_size": 32, "ema_decay": 0.99, "evaluate_every": 200, "sample_every": 100},
    ),
    System(
        name="wgan",
        module="adversarial.wgan",
        tasks=("generation", "points"),
        data="digits",
        defaults={"epochs": 100, "batch_size": 64, "ema_decay": 0.99},
        defaults_on={"25-gaussians": {**MANY_CLOUDS, "epochs": 640, "hidden_features": WIDE}, **POINTS},
    ),
)
