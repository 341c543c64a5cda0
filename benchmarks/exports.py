"""How systems are taken out as ONNX, and what the files differ by.

`python -m benchmarks.exports` exports every system, keeps what came out in benchmarks/results/exports.json and writes
docs/export.md from it; with names of systems only these are exported again, and `page` writes the page alone.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import torch

from ganglion.models import INDEX, System
from ganglion.runs.export.graph import OPSET
from ganglion.runs.export.interface import inputs_of
from ganglion.runs.export.onnx_file import exported_network, taken_home
from ganglion.runs.export.proof import BATCHES, MOST, TOLERANCE

PAGE = Path(__file__).parents[1] / "docs" / "export.md"
RESULTS = Path(__file__).parent / "results" / "exports.json"
STEPS = ("LSTM", "GRU", "RNN", "Scan")
"""Operators that read step by step."""
Row = dict[str, Any]
"""What came of one system."""
HEAD = f"""# Networks taken out

`ganglion export RUN onnx` writes one file that any program with ONNX Runtime runs, without ganglion and without torch.
`ganglion export RUN safetensors` writes the weights by the names of the network, and beside them a text that loads them
with torch alone. Both need the run only; ONNX needs `pip install "ganglion[onnx]"`.

- **Raw numbers go in where preparing them is arithmetic**: pixels from 0 to 255, columns of a table or of a series in
  their own units, NaN where one is missing. Probabilities come out of classifiers, values in their own units of
  regressions. What is no arithmetic (cutting pictures to size, dividing texts into tokens) stands in the card: JSON
  under `ganglion` among the metadata of the file, with classes, columns, sizes and vocabulary. Whoever has the file has
  the card, and with it of a forecaster the last window of its series; of where the data lay nothing is said.
- **Batches and sequences may have any length**, pictures of networks that take any size any size. Recurrent layers are
  ONNX's own `LSTM` (with peepholes), `GRU` (in both forms) and `RNN`; cells of other kinds are loops (`Scan`).
- **What a network remembers goes in and out** where it reads on (char-rnn, word-rnn, music-rnn): `state_...` is zeros
  at the beginning, and `next_state_...` is what the next steps are given.
- **Chance stays outside**: noise is an input, and a network that draws is refused.
- **A file is kept once it was proven**: ONNX Runtime is asked beside torch, and the export fails where they differ by
  more than {TOLERANCE:g}, in shares of the largest number of an output where that is above 1. Where a network makes
  much of little, as sharp attention does, it may differ as torch itself differs from double precision, up to {MOST:g}.
- **What answers ask by itself can be asked by itself**: an encoder and a decoder, what is remembered of a sentence and
  one step of writing, what speaks for a class at each place. Each such method of a network (`parts` of the card) has
  inputs that need not be given, such as `encode.inputs`, and outputs of its own, such as `encode.result`. Name the
  outputs that you want: `session.run(["outputs"], ...)`; with none named, the parts answer about blanks too.
- `ganglion predict FILE.onnx INPUT` answers like the run, for every system: the file stands in for the weights, and the
  card says how inputs are prepared and what answers mean. So does `generate`, `features`, `forecast` and the like where
  the answer is made of the network's outputs and parts. What needs the run, and says so: `compress`, whose files belong
  to one run; `features` of classifiers, which lie between their layers; what a Boltzmann machine dreams; pictures
  of another size where a network takes one size only.

## Every system

Written by `benchmarks/exports.py` from `benchmarks/results/exports.json`: every system of the index, exported one after
the other in one process, in its small form for tests with weights as they are drawn: opset {OPSET}, batches of
{", ".join(map(str, BATCHES))}, by {{versions}}. *Difference* is the largest one; *steps* and *heights* are
those that were tried, pictures being twice as wide as high; *beside* is what the file takes beside its weights.

| system | goes in | asked by itself | read by | steps | heights | difference | beside |
|---|---|---|---|---|---|---:|---:|"""


def main() -> None:
    chosen = sys.argv[1:]
    result = json.loads(RESULTS.read_text()) if chosen else {"systems": {}}
    for system in INDEX:
        if not chosen or system.name in chosen:
            result["systems"][system.name] = found = measured(system)
            print(line(system.name, found), flush=True)
    if chosen != ["page"]:
        packages = {"torch": torch, "onnx": onnx, "onnxruntime": onnxruntime}
        result["by"] = {name: package.__version__.partition("+")[0] for name, package in packages.items()}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    PAGE.write_text(page())


def measured(system: System) -> Row:
    """Export a system and return what its file takes, by what it reads and how far it is off."""
    torch.manual_seed(0)
    module = system.load()
    home = module.build(module.TINY).home.eval()
    network, examples = taken_home(home, module.examples(module.TINY))
    inputs = inputs_of(network, examples, module.TINY)
    exported = exported_network(network, inputs)
    graph = onnx.load_from_string(exported.content)
    onnx.checker.check_model(graph, full_check=True)
    shapes = [" x ".join(one.axes.get(axis, str(n)) for axis, n in enumerate(one.example.shape)) for one in inputs]
    counts = Counter(node.op_type for node in graph.graph.node)
    weights = sum(value.nbytes for value in network.state_dict().values())
    return {
        "inputs": [f"{one.name} ({shape})" for one, shape in zip(inputs, shapes, strict=True)],
        "states": sum(one.name.startswith("state_") for one in graph.graph.input),
        "parts": list(exported.card.get("parts", {})),
        "steps by": {kind: counts[kind] for kind in STEPS if counts[kind]},
        "lengths": list(exported.proof.lengths),
        "heights": list(exported.proof.sides),
        "difference": exported.proof.difference,
        "bytes beside": max(0, len(exported.content) - weights),
    }


def page() -> str:
    """Return docs/export.md, from what was found."""
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {version}" for name, version in result["by"].items())
    rows = [line(system.name, result["systems"][system.name]) for system in INDEX]
    return "\n".join([HEAD.format(versions=versions), *rows]) + "\n"


def line(name: str, found: Row) -> str:
    """Return the line of a system in the table."""
    inputs = ", ".join([*found["inputs"], *([f"{found['states']} states"] if found["states"] else [])])
    readers = ", ".join(f"{count} {kind}" for kind, count in found["steps by"].items())
    parts, lengths, heights = (", ".join(map(str, found[which])) for which in ("parts", "lengths", "heights"))
    beside = f"{found['bytes beside'] / 1024:.0f} KB"
    return f"| {name} | {inputs} | {parts} | {readers} | {lengths} | {heights} | {found['difference']:.1e} | {beside} |"


if __name__ == "__main__":
    main()
