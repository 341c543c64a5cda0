"""Which systems can be taken out as ONNX: `python -m benchmarks.exports measure|write` writes docs/export.md.

`measure [SYSTEM ...]` exports systems of the index, all of them in one process, each in its small form for tests with
weights as they are drawn; the page is written from what it leaves in `benchmarks/results/exports.json`.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from ganglion.models import INDEX, System

RESULTS = Path(__file__).parent / "results" / "exports.json"
PAGE = Path(__file__).parents[1] / "docs" / "export.md"
BEGIN = "<!-- below: written by python -m benchmarks.exports -->\n"
STEPS = ("LSTM", "GRU", "RNN", "Scan")
"""Operators that read step by step."""
WHY = {
    "face-detector": "it sorts pixels into 256 shades, and rounding decides on which side of an edge one falls",
}
"""Why a system is not exported, where the error cannot know."""
HEAD = """
Opset {opset}, batches of {batches}, at most {tolerance:g} apart: {exported} of {systems} systems are exported.
*Difference* is the largest one, in shares of the largest number of an output where that is above 1; *steps* and
*heights* are those that were tried, pictures being twice as wide as high; *beside* is what the file takes beside its
weights.

| system | goes in | read by | steps | heights | difference | beside |
|---|---|---|---|---|---:|---:|
"""


def main() -> None:
    what, *chosen = sys.argv[1:] or [""]
    if what == "measure":
        for system in INDEX:
            if not chosen or system.name in chosen:
                found = measured(system)
                print(row(system.name, found), flush=True)
                RESULTS.write_text(json.dumps(known() | {system.name: found}, indent=1) + "\n", encoding="utf-8")
    elif what != "write":
        sys.exit(__doc__)
    PAGE.write_text(page(), encoding="utf-8")


def known() -> dict[str, dict[str, Any]]:
    """Return what was found so far, by system."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def measured(system: System) -> dict[str, Any]:
    """Export a system, and return what came of it in JSON values."""
    import onnx
    import torch

    from ganglion.errors import GanglionError
    from ganglion.runs.export.graph import OPSET
    from ganglion.runs.export.interface import inputs_of
    from ganglion.runs.export.onnx_file import exported_network, taken_home
    from ganglion.runs.export.proof import TOLERANCE

    torch.manual_seed(0)
    module = system.load()
    home = module.build(module.TINY).home.eval()
    network, examples = taken_home(home, module.examples(module.TINY))
    inputs = inputs_of(network, examples, module.TINY)
    tried = {"opset": OPSET, "tolerance": TOLERANCE}
    try:
        exported = exported_network(network, inputs)
    except GanglionError as error:
        return {**tried, "refused": error.what, "found": error.found}
    graph = onnx.load_from_string(exported.content)
    onnx.checker.check_model(graph, full_check=True)
    shapes = [" x ".join(one.axes.get(axis, str(n)) for axis, n in enumerate(one.example.shape)) for one in inputs]
    counts = Counter(node.op_type for node in graph.graph.node)
    return {
        **tried,
        "inputs": [f"{one.name} ({shape})" for one, shape in zip(inputs, shapes, strict=True)],
        "states": len(graph.graph.input) - len(inputs),
        "readers": {kind: counts[kind] for kind in STEPS if counts[kind]},
        "batches": exported.proof.batches,
        "lengths": exported.proof.lengths,
        "sides": exported.proof.sides,
        "difference": exported.proof.difference,
        "bytes": len(exported.content),
        "weights": sum(value.nbytes for value in network.state_dict().values()),
    }


def row(name: str, found: dict[str, Any]) -> str:
    """Return the line of a system."""
    if "refused" in found:
        why = f": {WHY[name]}" if name in WHY else ""
        return f"| {name} | not exported: {found['refused']}; it is off by {found['found']}{why} | | | | | |"
    inputs = ", ".join([*found["inputs"], *([f"{found['states']} states"] if found["states"] else [])])
    readers = ", ".join(f"{count} {kind}" for kind, count in found["readers"].items())
    lengths, sides = (", ".join(map(str, found[kind])) for kind in ("lengths", "sides"))
    beside = f"{max(0, found['bytes'] - found['weights']) / 1024:.0f} KB"
    return f"| {name} | {inputs} | {readers} | {lengths} | {sides} | {found['difference']:.1e} | {beside} |"


def page() -> str:
    """Return the page of documentation with its table anew."""
    found = known()
    rows = {system.name: found[system.name] for system in INDEX if system.name in found}
    first = next(one for one in rows.values() if "batches" in one)
    head = HEAD.format(
        **{name: first[name] for name in ("opset", "tolerance")},
        batches=", ".join(map(str, first["batches"])),
        exported=sum("batches" in one for one in rows.values()),
        systems=len(rows),
    )
    table = "".join(f"{row(name, one)}\n" for name, one in rows.items())
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[0] + BEGIN + head + table


if __name__ == "__main__":
    main()
