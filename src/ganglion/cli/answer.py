"""Commands that put a question to a run."""

from pathlib import Path
from typing import Literal

from ganglion.cli.arguments import (
    Folder,
    OptionalText,
    Switch,
    refuse_unwritable,
)
from ganglion.cli.output import answer, print_rows, print_scores

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
    metrics, groups = run.judged(part, data)
    baseline = run.result.get("baseline_metrics") if part == "test" else None
    if baseline is None:
        baseline = run.prepared_task(data).baseline() if part == "test" else {}
    score = run.task.score
    document = {"run": folder, "system": run.system.name, "part": part, "score_name": score, "score": metrics[score]}
    found = {} if groups is None else {"groups": groups.value}

    def show() -> None:
        print_scores(run.system.name, part, score, metrics, baseline)
        if groups is not None:
            print()
            print_rows(groups)

    answer(document | {"metrics": metrics, "baseline_metrics": baseline} | found, json, show)


def weights(
    folder: Folder,
    *,
    out: Path,
    names: Literal["ganglion", "torchvision", "timm"] = "ganglion",
    json: Switch = False,
) -> None:
    """Write the best weights of a run as a safetensors file, which `train NAME --start-from FILE` reads.

    Args:
        folder: Folder of the run.
        out: File to write, FILE.safetensors.
        names: Whose names the tensors get: our own, or those of a package that publishes weights of this network.
        json: Print one JSON object.
    """
    from ganglion.runs.run import open_run
    from ganglion.runs.weights import write

    refuse_unwritable(out)
    count = write(open_run(folder).network, out, None if names == "ganglion" else names)
    answer(
        {"run": folder, "file": str(out), "names": names, "tensors": count},
        json,
        lambda: print(f"{out}  {count} tensors by the names of {names}"),
    )
