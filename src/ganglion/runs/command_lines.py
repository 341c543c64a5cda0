"""What to type to get a run with certain options; no torch here."""

from collections.abc import Mapping
from shlex import quote
from typing import Any


def flag(name: str) -> str:
    """Return the flag of a field; one whose name is a word of Python has a stroke behind it, the flag has none.

    >>> flag("generator_descent.learning_rate"), flag("class_")
    ('--generator-descent.learning-rate', '--class')
    """
    return "--" + name.removesuffix("_").replace("_", "-")


def train_line(system: str, data: str, options: Mapping[str, Any]) -> str:
    """Return a line that trains a system with these options; what is None is left out, which says the same.

    >>> train_line("mlp", "my iris.csv", {"hidden_features": (64, 64), "batch_norm": False, "dropout": 0.1})
    "ganglion train mlp --data 'my iris.csv' --hidden-features 64 64 --no-batch-norm --dropout 0.1"
    """
    words = ["ganglion", "train", system, "--data", data]
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(flag(name if value else f"no_{name}"))
        elif isinstance(value, tuple | list):
            words += [flag(name), *map(str, value)]
        elif value is not None:
            words += [flag(name), str(value)]
    return " ".join(map(quote, words))
