"""Tiny runs of every family, of about a second, with a checkpoint after every step."""

from typing import Any

from ganglion.models import find
from tests.contract.rows import tiny_fields

STEPS = 12
EVERY_STEP = {"steps": STEPS, "checkpoint_every": 1, "evaluate_every": 5, "report_every": 2, "threads": 1}

VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mlp": ("mlp", "xor", {"schedule": "cosine", "warmup_steps": 3}),
    "mlp, moving average": ("mlp", "two-moons", {"ema_decay": 0.9}),
    "mlp, bf16": ("mlp", "two-moons", {"precision": "bf16"}),
    "mlp, accumulation": ("mlp", "two-moons", {"accumulate": 3, "clip_norm": 1.0}),
    "convnet, augmented": ("convnet", "digits", {"limit": 200, "augment": "shift"}),
    "convnet, bf16 and moving average": ("convnet", "digits", {"limit": 200, "precision": "bf16", "ema_decay": 0.9}),
    "lstm-forecaster": ("lstm-forecaster", "sine", {}),
    "char-rnn": ("char-rnn", "tales", {"limit": 40}),
    "autoencoder": ("autoencoder", "digits", {"limit": 200}),
    "dcgan": ("dcgan", "digits", {"limit": 200}),
    "dcgan, moving average": ("dcgan", "digits", {"limit": 200, "ema_decay": 0.9}),
    "rbm, persistent chains": ("rbm", "digits", {"limit": 200, "persistent": True, "num_chains": 8}),
    "dqn": ("dqn", "CartPole-v1", {}),
}


def request(variant: str) -> tuple[str, str, dict[str, Any]]:
    """Return the system, the data and the options of a variant, for `ganglion.train`."""
    name, data, options = VARIANTS[variant]
    return name, data, {**tiny_fields(find(name)), "batch_size": 16, **EVERY_STEP, **options}
