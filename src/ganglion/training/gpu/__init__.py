"""What makes a GPU wait less for its host. None of it has run on a GPU yet, so it is off until it is asked for."""

import os


def is_asked_for() -> bool:
    """Return whether what has never run on a GPU may be used there: the environment variable `GANGLION_CAPTURE=1`.

    That is: steps as CUDA graphs, updates held back on the device, products in TF32, sets that live on the device.
    Without it, training on a GPU is what a plain loop of torch does.
    """
    return os.environ.get("GANGLION_CAPTURE") == "1"
