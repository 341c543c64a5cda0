"""Commands that put a question to a run."""

from typing import Literal

from ganglion.cli.arguments import (
    Folder,
    OptionalText,
    Switch,
)
from ganglion.cli.output import answer, print_scores

SHOWN = 3
"""Answers of several that fit into a table."""


def evaluate(
    folder: Folder,
    *,
    part: Literal["train", "validation", "test"] = "test",
    data: OptionalText = None,
    json: Switch = False,
) -> None:
    """Read the data of a run again and judge its best weights, beside a trivial baseline.

    Args:
        folder: Folder of the run.
        part: Part of the data.
        data: Where the data lies now, if it was moved.
        json: Print one JSON object.
    """
    from ganglion.runs.run import open_run

    run = open_run(folder)
    metrics = run.evaluate(part, data)
    baseline = run.result.get("baseline_metrics") if part == "test" else None
    if baseline is None:
        baseline = run.prepared_task(data).baseline() if part == "test" else {}
    score = run.task.score
    document = {"run": folder, "system": run.system.name, "part": part, "score_name": score, "score": metrics[score]}
    answer(
        document | {"metrics": metrics, "baseline_metrics": baseline},
        json,
        lambda: print_scores(run.system.name, part, score, metrics, baseline),
    )
