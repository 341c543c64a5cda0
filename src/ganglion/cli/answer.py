"""Commands that put a question to a run."""

import csv
import math
from pathlib import Path
from typing import Any, Literal

from ganglion.cli.arguments import (
    Folder,
    Inputs,
    OptionalCount,
    OptionalFile,
    OptionalText,
    Switch,
    refuse_unwritable,
)
from ganglion.cli.output import answer, note, print_scores, print_table, text
from ganglion.errors import DataError, UsageError, printable

SHOWN = 3
"""Answers of several that fit into a table."""


def evaluate(folder: Folder, *, part: Literal["train", "validation", "test"] = "test", json: Switch = False) -> None:
    """Read the data of a run again and judge its best weights, beside a trivial baseline.

    Args:
        folder: Folder of the run.
        part: Part of the data.
        json: Print one JSON object.
    """
    from ganglion.runs.run import open_run

    run = open_run(folder)
    metrics = run.evaluate(part)
    baseline = run.result.get("baseline_metrics") if part == "test" else None
    if baseline is None:
        baseline = run.prepared_task().baseline() if part == "test" else {}
    score = run.task.score
    document = {"run": folder, "system": run.system.name, "part": part, "score_name": score, "score": metrics[score]}
    answer(
        document | {"metrics": metrics, "baseline_metrics": baseline},
        json,
        lambda: print_scores(run.system.name, part, score, metrics, baseline),
    )


def predict(folder: Folder, inputs: Inputs, *, json: Switch = False) -> None:
    """Answer for raw inputs; the preprocessing comes from the run.

    Args:
        folder: Folder of the run.
        inputs: Image files, CSV files, NPZ files, or texts.
        json: Print a list with one JSON object for each sample.
    """
    from ganglion.runs.run import open_run

    if not inputs:
        raise UsageError("name at least one input", remedy=f"ganglion predict {folder} image.png")
    run = open_run(folder)
    missing = (
        []
        if run.task.name in ("language", "categorisation", "tagging")
        else [path for path in inputs if not Path(path).exists()]
    )
    if missing:
        raise DataError("no such input", where=missing[0], remedy="give files that exist: images, CSV or NPZ")
    rows = run.predict(list(inputs))
    if len(rows) == len(inputs):
        rows = [{"input": path, **row} for path, row in zip(inputs, rows, strict=True)]

    def show() -> None:
        columns = list(rows[0])
        print_table(columns, [[_short(row[column]) for column in columns] for row in rows])

    answer(rows, json, show)


def generate(
    folder: Folder,
    *,
    count: int = 64,
    prompt: OptionalText = None,
    length: int = 500,
    temperature: float = 1.0,
    top_k: OptionalCount = None,
    seed: int = 0,
    out: OptionalFile = None,
    json: Switch = False,
) -> None:
    """Draw new samples as one picture, or write text on from a prompt.

    Args:
        folder: Folder of the run.
        count: Pictures to draw.
        prompt: Beginning of a text.
        length: Characters to write after it.
        temperature: Below 1 the likelier is preferred, 0 always takes the likeliest.
        top_k: Draw from this many likeliest characters only.
        seed: Decides what is drawn.
        out: File to write; generated.png for pictures when not given.
        json: Print one JSON object.
    """
    from ganglion.runs.run import open_run

    if count < 1:
        raise UsageError("count must be at least 1", found=str(count))
    if out:
        refuse_unwritable(out)
    run = open_run(folder)
    if out is None and prompt is None and run.task.name != "language":
        out = Path("generated.png")
    made = run.generate(count, prompt=prompt, length=length, temperature=temperature, top_k=top_k, seed=seed, out=out)
    if isinstance(made, str):
        _note_unknown(run.task, prompt or "")
        answer({"run": folder, "prompt": prompt or "", "text": made}, json, lambda: print(made))
    else:
        answer({"run": folder, "out": str(out)}, json, lambda: print(out))


def _note_unknown(task: Any, prompt: str) -> None:
    unknown = task.vocabulary.unknown(prompt)
    if unknown:
        note(f"note: read as unknown, for training has not met it twice: {printable(''.join(unknown))}")


def forecast(folder: Folder, *, steps: int = 10, out: OptionalFile = None, json: Switch = False) -> None:
    """Continue the series that a run was trained on.

    Args:
        folder: Folder of the run.
        steps: Steps beyond the end of the series.
        out: CSV file to write as well.
        json: Print a list with one JSON object for each step.
    """
    from ganglion.runs.run import open_run

    if steps < 1:
        raise UsageError("steps must be at least 1", found=str(steps))
    if out:
        refuse_unwritable(out)
    rows = open_run(folder).forecast(steps)
    columns = list(rows[0])
    if out:
        with open(out, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        note(f"wrote {out}")
    answer(rows, json, lambda: print_table(columns, [[row[name] for name in columns] for row in rows], right=columns))


def play(
    folder: Folder, *, episodes: int = 10, seed: int = 0, animation: OptionalFile = None, json: Switch = False
) -> None:
    """Let a trained agent play, and print the return of every episode.

    Args:
        folder: Folder of the run.
        episodes: Episodes to play.
        seed: Decides their starts.
        animation: Animated GIF to write of the first one.
        json: Print one JSON object.
    """
    from ganglion.runs.run import open_run

    if episodes < 1:
        raise UsageError("episodes must be at least 1", found=str(episodes))
    if animation:
        refuse_unwritable(animation)
    returns = open_run(folder).play(episodes, seed=seed, animation=animation)
    mean = sum(returns) / len(returns)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in returns) / len(returns))

    def show() -> None:
        print_table(("episode", "return"), list(enumerate(returns, 1)), right=("episode", "return"))
        print(f"\nmean {mean:.1f}, standard deviation {deviation:.1f}")

    answer({"run": folder, "returns": returns, "mean": mean, "standard_deviation": deviation}, json, show)
    if animation:
        note(f"wrote {animation}")


def _short(value: Any) -> Any:
    """Return what a table cell can hold: the first of several answers, and of many numbers how many."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(" ".join(text(part) for part in one.values()) for one in value[:SHOWN])
    if isinstance(value, list) and len(value) > 2 * SHOWN:
        return f"{len(value)} values"
    return value
