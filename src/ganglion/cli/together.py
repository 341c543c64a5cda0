"""Several runs asked at once: their forecasts are averaged."""

from pathlib import Path
from typing import Any

from ganglion.cli.arguments import Folders, OptionalCount, OptionalText, Switch, refuse_unwritable
from ganglion.cli.output import answer, note, print_rows, print_table


def forecast(
    folders: Folders,
    *,
    steps: OptionalCount = None,
    data: OptionalText = None,
    out: OptionalText = None,
    json: Switch = False,
) -> None:
    """Continue a series by the mean of several runs, weighted so that it is best on their validation part.

    Args:
        folders: Folders of runs that forecast the same series, such as a convolutional and a recurrent one.
        steps: Steps beyond the end of the series; those that the data lists without values, or 10, when not given.
        data: Where the data lies now, if it was moved.
        out: File to write the forecast to; its ending says as what.
        json: Print one JSON object.
    """
    if out:
        refuse_unwritable(Path(out))
    from ganglion.runs.averaging import average
    from ganglion.runs.writing import write
    from ganglion.tasks.forecasting import Forecast

    Forecast(steps=steps)  # refused before anything is read
    averaged = average(folders, data)
    found = averaged.forecast(steps)
    described: list[dict[str, Any]] = [
        {"run": str(run.folder), "system": run.system.name, "weight": weight, **errors}
        for run, weight, errors in zip(averaged.runs, averaged.weights, averaged.errors, strict=True)
    ]

    def show() -> None:
        rows = [
            [Path(one["run"]).name, one["system"], f"{one['weight']:.3f}", *_errors(one["validation"], one["test"])]
            for one in described
        ]
        mean = ["", "their mean", "1.000", *_errors(averaged.own_errors["validation"], averaged.own_errors["test"])]
        columns = ["run", "system", "weight", "validation mase", "test mase"]
        print_table(columns, [*rows, mean], right=columns[2:])
        print()
        print_rows(found)

    answer({"runs": described, "mean": averaged.own_errors, "rows": found.value}, json, show)
    if out:
        note(f"wrote {out}: {write(found, out)}")


def _errors(*parts: dict[str, float]) -> list[str]:
    return [f"{errors['mase']:.4g}" for errors in parts]
