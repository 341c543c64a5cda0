"""Which systems can be taken out as ONNX: `python -m benchmarks.exports` writes docs/export.md."""

import sys
from collections import Counter
from pathlib import Path

import onnx
import torch

from ganglion.errors import GanglionError
from ganglion.models import INDEX, System
from ganglion.runs.export.graph import OPSET
from ganglion.runs.export.interface import inputs_of
from ganglion.runs.export.onnx_file import exported_network, taken_home
from ganglion.runs.export.proof import BATCHES, TOLERANCE

PAGE = Path(__file__).parents[1] / "docs" / "export.md"
STEPS = ("LSTM", "GRU", "RNN", "Scan")
"""Operators that read step by step."""
WHY = {
    "face-detector": "it sorts pixels into 256 shades, and rounding decides on which side of an edge one falls",
}
"""Why a system is not exported, where the error cannot know."""
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
  more than {TOLERANCE:g}, in shares of the largest number of an output where that is above 1.
- `ganglion predict FILE.onnx INPUT` answers like the run: the file stands in for the weights, and the card says how
  inputs are prepared and what answers mean. Verbs that ask for what goes on inside a network, such as `features`, need
  the run and say so.

## Every system

Written by `benchmarks/exports.py`, which exports every system of the index in one process, in its small form for tests
with weights as they are drawn: opset {OPSET}, batches of {", ".join(map(str, BATCHES))}. *Difference* is the largest
one; *steps* and *heights* are those that were tried, pictures being twice as wide as high; *beside* is what the file
takes beside its weights.

| system | goes in | read by | steps | heights | difference | beside |
|---|---|---|---|---|---:|---:|"""


def main() -> None:
    chosen = sys.argv[1:]
    lines = [HEAD]
    for system in INDEX:
        if not chosen or system.name in chosen:
            lines.append(row(system))
            print(lines[-1], flush=True)
    if not chosen:
        PAGE.write_text("\n".join(lines) + "\n")


def row(system: System) -> str:
    """Return the line of a system."""
    torch.manual_seed(0)
    module = system.load()
    home = module.build(module.TINY).home.eval()
    network, examples = taken_home(home, module.examples(module.TINY))
    inputs = inputs_of(network, examples, module.TINY)
    try:
        exported = exported_network(network, inputs)
    except GanglionError as error:
        why = f": {WHY[system.name]}" if system.name in WHY else ""
        return f"| {system.name} | not exported: {error.what}; it is off by {error.found}{why} | | | | | |"
    graph = onnx.load_from_string(exported.content)
    onnx.checker.check_model(graph, full_check=True)
    shapes = [" x ".join(one.axes.get(axis, str(n)) for axis, n in enumerate(one.example.shape)) for one in inputs]
    names = [f"{one.name} ({shape})" for one, shape in zip(inputs, shapes, strict=True)]
    states = len(graph.graph.input) - len(names)
    names += [f"{states} states"] if states else []
    counts = Counter(node.op_type for node in graph.graph.node)
    readers = ", ".join(f"{counts[kind]} {kind}" for kind in STEPS if counts[kind])
    weights = sum(value.nbytes for value in network.state_dict().values())
    beside = f"{max(0, len(exported.content) - weights) / 1024:.0f} KB"
    lengths, sides = (", ".join(map(str, values)) for values in (exported.proof.lengths, exported.proof.sides))
    difference = f"{exported.proof.difference:.1e}"
    return f"| {system.name} | {', '.join(names)} | {readers} | {lengths} | {sides} | {difference} | {beside} |"


if __name__ == "__main__":
    main()
