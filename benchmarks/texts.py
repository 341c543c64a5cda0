"""Set networks that read texts beside a bag of words with logistic regression, on every set of texts, the same split.

`python -m benchmarks.texts measure [--systems NAME ...] [--sets NAME ...]` trains each system with its defaults and
writes `benchmarks/results/texts.json`; `write` makes `benchmarks/results/texts.md` of it. Sets are those of
`benchmarks/text_sets.py`, of which the real ones are read from the folder named by GANGLION_DATA.
"""

import argparse
import json
import resource
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.text_sets import SETS, read
from ganglion.data.preprocessing import words
from ganglion.data.splits import Samples
from ganglion.runs.session import prepare

RESULTS = Path(__file__).parent / "results" / "texts.json"
SYSTEMS = ("sentiment", "document-classifier")
LINEAR = ("counts", "tf-idf")
"""Baselines: logistic regression of scikit-learn on which words there are, and on how often, weighed by rarity."""


def linear(train: Samples, test: Samples) -> dict[str, float]:
    """Return the accuracy of each of `LINEAR` on test texts, learnt from training texts."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    readers = (CountVectorizer(analyzer=words, binary=True), TfidfVectorizer(analyzer=words))
    found = {}
    for name, reader in zip(LINEAR, readers, strict=True):
        model = LogisticRegression(max_iter=1000).fit(reader.fit_transform(train.inputs), train.targets)
        found[name] = float(model.score(reader.transform(test.inputs), test.targets))
    return found


def measure(system: str, name: str, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """Train a system with its defaults on a set, and both baselines on the same training part."""
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    with tempfile.TemporaryDirectory() as place:
        session = prepare(system, read(name), out=Path(place) / "run", seed=seed, allow_problems=True, **options)
        train, test = session.task.data["train"], session.task.data.nearest("test")
        result = session.fit().result
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - begun
    row = {"accuracy": result["score"], "commonest": result["baseline"], **linear(train, test)}
    return row | {"texts": len(train), "tested": len(test), "steps": result["steps"], "seconds": round(seconds)}


def table(rows: dict[str, dict[str, list[dict[str, Any]]]]) -> str:
    """Return a row for each set: accuracy of both baselines and of each system, means over seeds."""
    systems = [name for name in SYSTEMS if name in rows]
    heads = ("set", "training texts", "commonest class", *LINEAR, *systems)
    lines = [f"| {' | '.join(heads)} |", f"|---{'|---:' * (len(heads) - 1)}|"]
    for name in SETS:
        found = {system: rows[system][name] for system in systems if name in rows[system]}
        if not found:
            continue
        every = [one for seeds in found.values() for one in seeds]
        cells = [name, f"{every[0]['texts']:,}"]
        cells += [f"{statistics.mean(one[key] for one in every):.3f}" for key in ("commonest", *LINEAR)]
        for system in systems:
            seeds = found.get(system)
            cells.append(f"{statistics.mean(one['accuracy'] for one in seeds):.3f}" if seeds else "–")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("measure", "write"))
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--sets", nargs="*", choices=tuple(SETS), default=tuple(SETS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--options", type=json.loads, default={}, help="fields that are not left alone, as JSON")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    rows = json.loads(arguments.results.read_text()) if arguments.results.exists() else {}
    if arguments.verb == "measure":
        for name in arguments.sets:
            for system in arguments.systems:
                found = [measure(system, name, seed, arguments.options) for seed in range(arguments.seeds)]
                rows.setdefault(system, {})[name] = found
                print(system, name, *found, sep="\n  ", flush=True)
                arguments.results.write_text(json.dumps(rows, indent=1) + "\n")
    text = table(rows)
    arguments.results.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
