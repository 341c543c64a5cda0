"""The tables and the picture of the comparison, made from what was recorded: `python -m benchmarks.table [FILE]`.

Writes `<machine>.md` and `<machine>.png` beside the file, and a shorter table between the markers of README.md.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.pages import with_part
from benchmarks.peers import RESULTS, machine_name, ratios, rounds, scores_agree
from benchmarks.workloads import WORKLOADS, Workload

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- speed: written by benchmarks/table.py -->", "<!-- end of speed -->"
NAMES = {
    "torch": "PyTorch",
    "compile": "torch.compile",
    "lightning": "Lightning",
    "keras-jax": "Keras on JAX",
    "keras-torch": "Keras on torch",
    "scikit-learn": "scikit-learn",
    "stable-baselines3": "stable-baselines3",
}


def main() -> None:
    path = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else RESULTS / f"{machine_name()}.json"
    if not path.is_file():
        sys.exit(f"nothing was recorded in {path}: measure with `python -m benchmarks.peers`, or name another file")
    measured = json.loads(path.read_text())
    rows = [
        (WORKLOADS[name], row) for name, row in measured.items() if name in WORKLOADS and rounds(WORKLOADS[name], row)
    ]
    rows.sort(key=lambda pair: list(WORKLOADS).index(pair[0].name))
    parts = [details(rows), where(measured["machine"]), levers(path), curves(path)]
    path.with_suffix(".md").write_text("\n\n".join(filter(None, parts)) + "\n")
    draw(rows, path.with_suffix(".png"))
    folder = path.parent.relative_to(README.parent)
    more = f"Least and most of the pairs: [{path.stem}.md]({folder}/{path.stem}.md)."
    text = "\n".join([overview(rows), "", where(measured["machine"]) + " " + more])
    README.write_text(with_part(README.read_text(), BEGIN, END, f"\n{text}\n"))


def overview(rows: list[tuple[Workload, dict[str, Any]]]) -> str:
    """Return a row of a workload, a column of a peer, and between them how many times faster Ganglion is."""
    peers = [side for side in NAMES if any(side in workload.targets for workload, _ in rows)]
    lines = [
        "| workload | samples a second | " + " | ".join(NAMES[side] for side in peers) + " |",
        "|---|---:|" + "---:|" * len(peers),
    ]
    for workload, row in rows:
        faster = [f"{statistics.median(ratios(row, side)):.2f} x" if side in workload.targets else "" for side in peers]
        speed = statistics.median(row["ganglion"]["throughputs"])
        lines.append(f"| {workload.name} | {speed:,.0f} | " + " | ".join(faster) + " |")
    return "\n".join(lines)


def details(rows: list[tuple[Workload, dict[str, Any]]]) -> str:
    lines = [
        "| workload | per second | times faster than (lowest to highest of the pairs; aim) | pairs | score |",
        "|---|---:|---|---:|---|",
    ]
    for workload, row in rows:
        speed = statistics.median(row["ganglion"]["throughputs"])
        score = statistics.median(row["ganglion"]["scores"])
        pairs = min(len(row[side]["throughputs"]) for side in row)
        agreed = "" if scores_agree(workload, row) else "; peers differ"
        peers = "<br>".join(peer(workload, row, side) for side in workload.targets)
        lines.append(f"| {workload.name} | {speed:,.0f} | {peers} | {pairs} | {workload.score} {score:.3g}{agreed} |")
    return "\n".join(lines)


def levers(path: Path) -> str:
    """Return by how much each lever makes training faster than without it."""
    measured = _beside(path, "levers")
    workloads = [name for name in measured if name in WORKLOADS]
    if not workloads:
        return ""
    names = [name for name in measured[workloads[0]] if name != "throughput"]
    lines = ["Times as fast with each lever as without it:", "", f"| workload | {' | '.join(names)} |"]
    lines.append("|---|" + "---:|" * len(names))
    lines += [f"| {work} | {' | '.join(f'{measured[work][name]:.2f}' for name in names)} |" for work in workloads]
    return "\n".join(lines)


def curves(path: Path) -> str:
    """Return shares of the peak, peak memory and what is paid for checkpoints and progress."""
    measured = _beside(path, "curves")
    if not measured:
        return ""
    shares, memory, cost = (measured[name] for name in ("share_of_peak", "peak_memory_ratio_to_torch", "cost"))
    return "\n".join([
        f"![Cost against size, batch, width and time]({path.stem}-curves.png)",
        "",
        f"- Share of the machine's own peak, a large matrix product: {_listed(shares, '.0%')}.",
        f"- Peak memory, as a multiple of plain PyTorch's: {_listed(memory, '.2f')}.",
        f"- Added to the time of `convnet`: {_listed(cost, '+.1%')}.",
    ])  # fmt: skip


def _beside(path: Path, what: str) -> dict[str, Any]:
    file = path.with_name(f"{path.stem}-{what}.json")
    measured: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return measured


def _listed(values: dict[str, float], form: str) -> str:
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def peer(workload: Workload, row: dict[str, Any], side: str) -> str:
    values = ratios(row, side)
    aim = workload.targets[side]
    return f"{NAMES[side]} **{statistics.median(values):.2f}** ({min(values):.2f} to {max(values):.2f}; {aim:g})"


def where(machine: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version.split('+')[0]}" for name, version in machine["versions"].items())
    return (
        f"Medians of alternating pairs on {machine['cores']} cores ({machine['processor']}), {machine['data']}; "
        f"{versions}. Made by `make bench`."
    )


def draw(rows: list[tuple[Workload, dict[str, Any]]], path: Path) -> None:
    """Draw a bar for every peer, as long as Ganglion is faster, and a line from the slowest to the fastest pair."""
    bars = [
        (f"{workload.name}, {NAMES[side]}", ratios(row, side)) for workload, row in rows for side in workload.targets
    ]
    figure = Figure(figsize=(8, 0.3 * len(bars) + 1), layout="constrained")
    axes = figure.subplots()
    places = range(len(bars))
    medians = [statistics.median(values) for _, values in bars]
    axes.barh(places, medians, color="#4477aa")
    axes.hlines(places, [min(values) for _, values in bars], [max(values) for _, values in bars], color="black")
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_yticks(places, [name for name, _ in bars])
    axes.invert_yaxis()
    axes.set_xlabel("samples per second, Ganglion over peer")
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
