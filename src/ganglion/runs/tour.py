"""A tour of the systems: each trained once, on bundled or generated data or an environment, in one report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganglion.runs.report import tour_report
from ganglion.runs.run import Run
from ganglion.runs.session import Session, prepare
from ganglion.training.trainer import Callback

TOUR: tuple[tuple[str, dict[str, Any]], ...] = (
    ("perceptron", {}),
    ("mlp", {}),
    ("lenet5", {}),
    ("convnet", {}),
    ("lstm-forecaster", {}),
    ("char-rnn", {"hidden_features": 128, "threads": 1}),
    ("sentiment", {"epochs": 5}),
    ("elman-tagger", {"threads": 1}),
    ("jordan", {"epochs": 15, "threads": 1}),
    ("autoencoder", {}),
    ("gan", {}),
    ("dcgan", {}),
    ("rbm", {}),
    ("dqn", {}),
)
"""Systems in teaching order, with the options that make each fit into a short tour."""


def tour(
    out: str | Path = "runs/demo",
    *,
    callbacks: Sequence[Callback] = (),
    announce: Callable[[Session], None] = lambda session: None,
) -> tuple[list[Run], Path]:
    """Train every system of the tour and return the runs and the path of the common report.

    `announce` is called with every session before it trains.
    """
    folder = _free(Path(out))
    runs = []
    for name, options in TOUR:
        session = prepare(name, out=folder / name, callbacks=callbacks, **options)
        announce(session)
        runs.append(session.fit())
    report = folder / "report.html"
    tour_report(report, [run.folder for run in runs])
    return runs, report


def _free(folder: Path) -> Path:
    """Return `folder`, or the first numbered one that no tour has used."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free
