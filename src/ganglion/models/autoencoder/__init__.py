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
)
