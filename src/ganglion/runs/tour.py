"""A tour of the systems: each trained once, on bundled or generated data or an environment, in one report."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ganglion.models import INDEX
from ganglion.runs.report import tour_report
from ganglion.runs.run import Run
from ganglion.runs.session import Session, prepare
from ganglion.training.trainer import Callback


def tour(
    out: str | Path = "runs/demo",
    *,
    everything: bool = False,
    callbacks: Sequence[Callback] = (),
    announce: Callable[[Session], None] = lambda session: None,
) -> tuple[list[Run], Path]:
    """Train the systems of the tour, or all, and return the runs and the path of the common report.

    `announce` is called with every session before it trains.
    """
    folder = _free(Path(out))
    runs = []
    for system in INDEX:
        if system.tour is None and not everything:
            continue
        session = prepare(system.name, out=folder / system.name, callbacks=callbacks, **(system.tour or {}))
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
