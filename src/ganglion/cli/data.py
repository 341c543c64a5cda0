"""`data list` and `data check`."""

from typing import Any

from ganglion.cli.arguments import Name, OptionalText, Switch
from ganglion.cli.output import answer, note, print_table


def list_data(*, json: Switch = False) -> None:
    """List the data sets that have names: bundled, generated and published ones.

    Args:
        json: Print a list of JSON objects.
    """
    from ganglion.data.catalogue import describe, locate

    rows = [
        {"name": entry.name, "kind": entry.kind, "origin": entry.origin, "summary": entry.summary}
        | {"here": entry.origin != "published" or locate(entry.name) is not None}
        for entry in describe()
    ]

    def show() -> None:
        print_table(("name", "kind", "origin", "summary"), [[row[key] for key in list(row)[:4]] for row in rows])
        missing = [row["name"] for row in rows if not row["here"]]
        if missing:
            print(f"\nNot on this machine: {', '.join(missing)}; `train --download` fetches a set.")
        print("\n`ganglion train NAME --data PATH` reads your own images, CSV, NPZ, Parquet or text.")

    answer(rows, json, show)


def check_data(source: Name, *, target: OptionalText = None, json: Switch = False) -> None:
    """Read data and report what it holds and what is wrong with it, before any training.

    Args:
        source: Name of a data set, or path of your own data.
        target: Column to predict.
        json: Print one JSON object.
    """
    from ganglion.data.catalogue import read
    from ganglion.data.check import check
    from ganglion.data.settings import DataSettings

    dataset = read(source, DataSettings(target=target))
    findings = check(dataset)
    document = {"source": source, **contents(dataset)}
    document |= {"notes": dataset.notes, "findings": [{"level": one.level, "message": one.message} for one in findings]}

    def show() -> None:
        print_table(("", source), [(key, value) for key, value in contents(dataset).items() if key != "classes"])
        if document["classes"]:
            print()
            print_table(("class", "samples"), list(document["classes"].items()), right=("samples",))
        print()
        for sentence in dataset.notes:
            note(f"note: {sentence}")
        for one in findings:
            print(f"{one.level}: {one.message}")
        if not findings:
            print("No problem found.")

    answer(document, json, show)


def contents(dataset: Any) -> dict[str, Any]:
    """Return what a data set holds, in numbers and names."""
    import numpy as np

    classes = {}
    if dataset.is_classification:
        counts = np.bincount(dataset.targets, minlength=len(dataset.label_names))
        names = dataset.label_names or range(len(counts))
        classes = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return {
        "kind": dataset.kind,
        "samples": len(dataset),
        "test_samples": 0 if dataset.test_inputs is None else len(dataset.test_inputs),
        "shape": list(getattr(dataset.inputs, "shape", (len(dataset),))[1:]),
        "columns": list(dataset.column_names),
        "targets": list(dataset.target_names),
        "classes": classes,
    }


DATA = {"list": list_data, "check": check_data}
