"""The index of all systems: one literal line each. Importing it imports no system and not torch."""

from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any

from ganglion.settings import unknown_name


@dataclass(frozen=True)
class System:
    """A line of the index: where a system lives, what it is used for, and how it is trained when nothing is said."""

    name: str
    module: str
    """Module below `ganglion.models`; its second-last part is the family's folder."""
    task: str
    """Module below `ganglion.tasks`."""
    data: str
    """Data used when none is named."""
    defaults: dict[str, Any] = field(default_factory=dict)
    """Fields of `TrainerSettings` and `DataSettings` that this system starts from."""

    @property
    def family(self) -> str:
        return self.module.split(".")[0].replace("_", "-")

    def load(self) -> ModuleType:
        """Import the models file: `Config`, `TINY`, `build` and the networks."""
        return import_module(f"ganglion.models.{self.module}")


INDEX = (
    System(
        "perceptron",
        "feedforward.perceptron",
        "classification",
        "exam-marks",
        {"epochs": 100, "batch_size": 1, "threads": 1},
    ),
    System(
        "mlp",
        "feedforward.mlp",
        "classification",
        "digits",
        {"epochs": 40, "batch_size": 32, "schedule": "cosine", "monitor": "loss", "threads": 1},
    ),
    System(
        "lenet5",
        "convolutional.lenet5",
        "classification",
        "digits",
        {"epochs": 25, "batch_size": 8, "augment": "shift", "schedule": "cosine", "monitor": "loss", "threads": 1},
    ),
    System(
        "convnet",
        "convolutional.convnet",
        "classification",
        "digits",
        {"epochs": 20, "batch_size": 32, "augment": "shift", "schedule": "cosine", "monitor": "loss"},
    ),
    System(
        "lstm-forecaster", "recurrent.lstm_forecaster", "forecasting", "mackey-glass", {"epochs": 6, "batch_size": 64}
    ),
    System(
        "char-rnn",
        "recurrent.char_rnn",
        "language",
        "tales",
        {"epochs": 6, "batch_size": 32, "validation": 0.05, "test": 0.05, "schedule": "cosine"},
    ),
    System(
        "sentiment",
        "recurrent.sentiment",
        "categorisation",
        "opinions",
        {"epochs": 8, "batch_size": 32, "ema_decay": 0.99, "schedule": "cosine", "monitor": "loss"},
    ),
    System(
        "elman-tagger",
        "recurrent.elman_tagger",
        "tagging",
        "tagged-sentences",
        {"epochs": 12, "batch_size": 16, "schedule": "cosine", "monitor": "loss"},
    ),
    System("jordan", "recurrent.jordan", "tagging", "lift", {"epochs": 30, "batch_size": 16, "monitor": "loss"}),
    System("autoencoder", "autoencoder.autoencoder", "reconstruction", "digits", {"epochs": 60, "batch_size": 64}),
    System("gan", "adversarial.gan", "generation", "digits", {"epochs": 125, "batch_size": 64, "ema_decay": 0.99}),
    System(
        "dcgan",
        "adversarial.dcgan",
        "generation",
        "digits",
        {
            "epochs": 50,
            "batch_size": 64,
            "ema_decay": 0.99,
            "features": 32,
            "generator_descent.learning_rate": 1e-3,
        },
    ),
    System("rbm", "energy.rbm", "density", "digits", {"epochs": 100, "batch_size": 32, "schedule": "linear"}),
    System(
        "dqn",
        "reinforcement.dqn",
        "control",
        "CartPole-v1",
        {
            "steps": 6000,
            "batch_size": 128,
            "schedule": "linear",
            "evaluate_every": 300,
            "report_every": 300,
            "threads": 1,
        },
    ),
)


def names() -> list[str]:
    return [system.name for system in INDEX]


def find(name: str) -> System:
    """Return the system of that name, or raise `ConfigurationError` with the nearest one."""
    for system in INDEX:
        if system.name == name:
            return system
    raise unknown_name("system", name, names())
