"""`data list` and `data check`."""

import os
import textwrap
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from ganglion.cli.arguments import Name, OptionalKind, Switch
from ganglion.cli.flags import Reading
from ganglion.cli.output import answer, print_table
from ganglion.errors import DataError, GanglionError, printable
from ganglion.settings import unknown_name

AS = {
    "table": "tabular",
    **{
        kind: kind
        for kind in ("series", "panel", "short-series", "text", "documents", "tagged", "text-pairs", "ratings")
    },
    **{kind: kind for kind in ("image", "image-pairs", "image-domains", "image-masks", "image-boxes", "captions")},
    **{kind: kind for kind in ("drawings", "dialogues", "tunes", "sounds", "transcripts", "films")},
}
"""What data can be checked as, and the name of that kind."""


MOST_TRIED = 16 << 20
"""Bytes of the largest file that is tried as other kinds of data."""
MOST_FILES = 100
"""Files of a folder that is tried as other kinds of data than the usual one."""


def list_data(*, json: Switch = False) -> None:
    """List the data sets that have names: bundled, generated and published ones.

    Args:
        json: Print a list of JSON objects.
    """
    from ganglion.data.catalogue import describe

    rows: list[dict[str, Any]] = [
        {"name": entry.name, "kind": entry.kind, "origin": entry.origin, "summary": entry.summary}
        | {"here": entry.origin != "published" or folder_of(entry.name) is not None}
        for entry in describe()
    ]

    def show() -> None:
        for origin in dict.fromkeys(row["origin"] for row in rows):
            print(origin.capitalize())
            for row in (row for row in rows if row["origin"] == origin):
                start = f"  {row['name']:<26}{row['kind']:<13}"
                print(textwrap.fill(row["summary"], 80, initial_indent=start, subsequent_indent=" " * len(start)))
        missing = [row["name"] for row in rows if not row["here"]]
        if missing:
            print(f"\nNot here: {', '.join(missing)}; `train NAME --download` fetches one.")
        print("\n`--data PATH` reads your own images, CSV, NPZ, Parquet or text.")

    answer(rows, json, show)


def folder_of(name: str) -> str | None:
    """Return where a published set lies on this machine."""
    from ganglion.data.catalogue import cache_folder

    roots = [Path(root) for root in (os.environ.get("GANGLION_DATA"), cache_folder()) if root]
    return next((str(root / name) for root in roots if (root / name).is_dir()), None)


def check_data(source: Name, *, reading: Reading, kind: OptionalKind = None, json: Switch = False) -> None:
    """Read data and report what it holds and what is wrong with it, before any training.

    Args:
        source: Name of a data set, or path of your own data.
        reading: How the data is to be read; what is not given is found out.
        kind: What to read the data as: table, series, panel, short-series, text, documents, tagged, text-pairs,
            ratings, drawings, image, image-pairs, image-domains, image-masks, image-boxes, captions, dialogues,
            tunes, sounds, transcripts, films.
        json: Print one JSON object.
    """
    from ganglion.data.card import card
    from ganglion.data.catalogue import read
    from ganglion.data.check import check_path
    from ganglion.data.settings import DataSettings
    from ganglion.settings import from_dict

    if kind is not None and kind not in AS:
        raise unknown_name("kind of data", kind, list(AS), where="--as")
    wanted: Any = None if kind is None else AS[kind]
    settings = from_dict(DataSettings, {**reading}, where="data")
    findings = check_path(source, settings, wanted)
    settings = replace(settings, allow_problems=True)
    try:
        dataset = read(source, settings, wanted)
    except DataError:  # which is then among the findings
        held: dict[str, Any] = {}
        notes: tuple[str, ...] = tuple(f"--as {name} can read this" for name in _other_kinds(source, settings, wanted))
        columns: list[dict[str, str]] = []
    else:
        held, notes, columns = contents(dataset), dataset.notes, card(dataset)

    def show() -> None:
        print_table(("", source), [(key, value) for key, value in held.items() if key != "classes" and value])
        if held.get("classes"):
            print()
            print_table(("class", "samples"), list(held["classes"].items()), right=("samples",))
        print()
        if columns:
            shown = [name for name in columns[0] if name != "missing" or any(row[name] for row in columns)]
            print_table(shown, [[row[name] for name in shown] for row in columns], right=("missing",))
            print()
        for sentence in notes:
            print(f"note: {printable(sentence)}")
        for one in findings:
            print(one)
        if not findings:
            print("No problem found.")

    answer(
        {"source": source, **held, "card": columns, "notes": notes, "findings": [one.to_dict() for one in findings]},
        json,
        show,
    )
    if any(one.level == "stop" for one in findings):
        raise SystemExit(1)


def _other_kinds(source: str, settings: Any, wanted: Any) -> list[str]:
    """Return as what kinds data can be read that cannot be read as what was wanted."""
    from ganglion.data.catalogue import read

    able: list[str] = []
    path = Path(source)
    others = ("table", "series", "documents", "tagged", "text", "drawings") if path.is_file() else ("documents",)
    if wanted is not None or (path.is_dir() and len(list(islice(path.iterdir(), MOST_FILES))) == MOST_FILES):
        return able
    if path.is_file() and path.stat().st_size > MOST_TRIED:
        return able
    for name in others:
        with suppress(GanglionError):
            read(source, settings, AS[name])  # type: ignore[arg-type]
            able.append(name)
    return able


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
