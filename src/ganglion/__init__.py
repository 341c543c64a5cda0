"""Ganglion: every network of the introductory deep-learning canon, on your own data, on plain PyTorch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganglion.runs.estimator import Classifier as Classifier
    from ganglion.runs.estimator import Regressor as Regressor
    from ganglion.runs.folds import CrossValidation as CrossValidation
    from ganglion.runs.folds import cross_validate as cross_validate
    from ganglion.runs.session import Run as Run
    from ganglion.runs.session import load as load
    from ganglion.runs.session import open_run as open_run
    from ganglion.runs.session import resume as resume
    from ganglion.runs.session import train as train
    from ganglion.runs.tuning.study import Study as Study
    from ganglion.runs.tuning.tuning import continue_study as continue_study
    from ganglion.runs.tuning.tuning import tune as tune

__version__ = "0.1.0"

_HOMES = {
    "train": "runs.session",
    "resume": "runs.session",
    "cross_validate": "runs.folds",
    "CrossValidation": "runs.folds",
    "tune": "runs.tuning.tuning",
    "continue_study": "runs.tuning.tuning",
    "Study": "runs.tuning.study",
    "load": "runs.session",
    "open_run": "runs.session",
    "Run": "runs.session",
    "Classifier": "runs.estimator",
    "Regressor": "runs.estimator",
    "inspect": "inspect",
    "figures": "figures",
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import ganglion` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ganglion' has no attribute {name!r}")
    module = import_module(f"ganglion.{_HOMES[name]}")
    return module if _HOMES[name] == name else getattr(module, name)
