"""Networks that rebuild their input from a short code."""

from ganglion.models.system import System

SYSTEMS = (
    System(
        name="autoencoder",
        module="autoencoder.autoencoder",
        tasks=("reconstruction",),
        data="digits",
        defaults={"epochs": 60, "batch_size": 64},
        tour={},
    ),
    System(
        name="conv-autoencoder",
        module="autoencoder.conv_autoencoder",
        tasks=("reconstruction",),
        data="digits",
        defaults={"epochs": 60, "batch_size": 64, "schedule": "cosine"},
    ),
    System(
        name="stacked-autoencoder",
        module="autoencoder.stacked_autoencoder",
        tasks=("reconstruction",),
        data="digits",
        defaults={"epochs": 100, "batch_size": 64},
    ),
    System(
        name="vae",
        module="autoencoder.vae",
        tasks=("variational",),
        data="digits",
        defaults={"epochs": 100, "batch_size": 64},
        tour={},
    ),
    System(
        name="denoiser",
        module="autoencoder.denoiser",
        tasks=("image_to_image",),
        data="photographs",
        defaults={"epochs": 16, "batch_size": 4, "augment": "flip", "schedule": "cosine"},
        tour={"epochs": 8},
    ),
    System(
        name="upscaler",
        module="autoencoder.upscaler",
        tasks=("upscaling",),
        data="photographs",
        defaults={"epochs": 60, "batch_size": 16, "augment": "flips", "schedule": "cosine"},
    ),
    System(
        name="recommender",
        module="autoencoder.recommender",
        tasks=("recommendation",),
        data="film-ratings",
        defaults={"epochs": 60, "batch_size": 128, "test": 0.1, "patience": 10},
    ),
    System(
        name="colouriser",
        module="autoencoder.colouriser",
        tasks=("colouring",),
        data="photographs",
        defaults={"epochs": 60, "batch_size": 16, "augment": "flip", "schedule": "cosine", "monitor": "loss"},
    ),
    System(
        name="topic-model",
        module="autoencoder.topic_model",
        tasks=("topics",),
        data="notices",
        defaults={"epochs": 100, "batch_size": 64, "test": 0.1},
    ),
    System(
        name="anomaly-detector",
        module="autoencoder.anomaly_detector",
        tasks=("anomalies",),
        data="biscuits",
        defaults={"epochs": 30, "batch_size": 16, "schedule": "cosine", "monitor": "normal_error"},
        tour={},
    ),
    System(
        name="feature-extractor",
        module="autoencoder.feature_extractor",
        tasks=("features", "reconstruction"),
        data="digits",
        defaults={"epochs": 40, "batch_size": 64, "schedule": "cosine", "monitor": "reconstruction_error"},
    ),
    System(
        name="image-search",
        module="autoencoder.image_search",
        tasks=("image_search", "reconstruction"),
        data="digits",
        defaults={"epochs": 40, "batch_size": 32, "schedule": "cosine", "monitor": "reconstruction_error"},
    ),
)
