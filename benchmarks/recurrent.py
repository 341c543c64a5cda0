"""Measure recurrent layers against torch's own, and write the table of docs/recurrent-speed.md from what was measured.

`python benchmarks/recurrent.py measure [PIECE ...] [--allocator kept] [--threads 2]` times forward and backward passes
of ours and of theirs in turn, in one process, and adds the run to `benchmarks/results/recurrent.json`;
`python benchmarks/recurrent.py write` makes the table of all runs there.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganglion.cli.doctor import processor
from ganglion.models.recurrent import lstm_forecaster
from ganglion.nn.recurrent import GRU, LSTM, Cell, ElmanRNN, JordanRNN, Recurrent, State
from ganglion.training.machine.allocator import keep_big_blocks

RESULTS = Path(__file__).parent / "results" / "recurrent.json"
TABLE = Path(__file__).parents[1] / "docs" / "recurrent-speed.md"
BATCH, TIME = 64, 60
INPUTS, WIDTHS = (1, 256), (32, 128, 256, 512)
ROUNDS, BLOCK = 7, 0.03
"""Blocks of each side, and the seconds that one takes at least."""

Pass = Callable[[], Any]


class Row(NamedTuple):
    """Two passes that do the same work, and the share of their time that ours may take."""

    name: str
    ours: Pass
    theirs: Pass
    limit: float


def layers(ours: Callable[[int, int], nn.Module], theirs: Callable[[int, int], nn.Module], limit: float, label: str,
           kind: torch.dtype = torch.float32) -> Iterator[Row]:  # fmt: skip
    """Yield a row for every width of input and layer; torch's side is single precision."""
    for width in INPUTS:
        for hidden in WIDTHS:
            sides = [
                layer_pass(ours(width, hidden).to(kind), width, hidden, kind),
                layer_pass(theirs(width, hidden), width, hidden, torch.float32),
            ]
            yield Row(f"{label}, input {width}, hidden {hidden}", *sides, limit)


def layer_pass(layer: nn.Module, width: int, hidden: int, kind: torch.dtype) -> Pass:
    """Return a forward and backward pass; inputs that are a layer's outputs get a gradient, single values do not."""
    inputs = torch.randn(TIME, BATCH, width).to(kind).requires_grad_(width > 1)
    slopes = torch.randn(TIME, BATCH, hidden).to(kind)

    def run() -> None:
        inputs.grad = None
        layer.zero_grad()
        layer(inputs)[0].backward(slopes)

    return run


def lstm(width: int, hidden: int) -> nn.Module:
    return LSTM(width, hidden, batch_first=False)


def peephole_lstm(width: int, hidden: int) -> nn.Module:
    return LSTM(width, hidden, peepholes=True, batch_first=False)


def gru(width: int, hidden: int) -> nn.Module:
    return GRU(width, hidden, batch_first=False)


def early_gru(width: int, hidden: int) -> nn.Module:
    return GRU(width, hidden, reset_after=False, batch_first=False)


def elman(width: int, hidden: int) -> nn.Module:
    return ElmanRNN(width, hidden, batch_first=False)


class Leaky(Cell):
    """A cell of somebody's own: a leaky integrator with a gate."""

    def __init__(self, in_features: int, hidden_features: int) -> None:
        super().__init__()
        self.in_features, self.state_features = in_features, (hidden_features,)
        self.input = nn.Linear(in_features, 2 * hidden_features)
        self.recurrent = nn.Linear(hidden_features, 2 * hidden_features, bias=False)

    def project(self, inputs: Tensor) -> Tensor:
        projected: Tensor = self.input(inputs)
        return projected

    def step(self, projected: Tensor, state: State) -> State:
        leak, candidate = (projected + self.recurrent(state[0])).chunk(2, dim=-1)
        return (state[0] + leak.sigmoid() * (candidate.tanh() - state[0]),)


class PlainLoop(nn.Module):
    """What everybody writes first: the cell, called step by step with its own inputs."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor) -> tuple[Tensor, State]:
        state: State = tuple(inputs.new_zeros(inputs.shape[1], width) for width in self.cell.state_features)
        outputs = []
        for step in inputs:
            state = self.cell.step(self.cell.project(step), state)
            outputs.append(state[0])
        return torch.stack(outputs), state


def loops() -> Iterator[Row]:
    """Yield rows against a loop over the steps in Python."""
    for label, make in (("LSTM", lstm), ("peephole LSTM", peephole_lstm), ("GRU", gru)):
        network = make(1, 256)
        assert isinstance(network, Recurrent)
        loop = PlainLoop(network.cells[0])
        passes = [layer_pass(side, 1, 256, torch.float32) for side in (network, loop)]
        yield Row(f"{label} against a loop, input 1, hidden 256", *passes, 1.0)
    for hidden in (32, 256):
        cell = Leaky(1, hidden)
        sides = (Recurrent(cell, batch_first=False), PlainLoop(cell))
        passes = [layer_pass(side, 1, hidden, torch.float32) for side in sides]
        yield Row(f"a cell of one's own against a loop, input 1, hidden {hidden}", *passes, 0.25)


def jordan() -> Iterator[Row]:
    """Yield rows of teacher forcing, against an Elman network of the same size with the same readout."""
    for hidden in (32, 256):
        forced, below, readout = JordanRNN(1, hidden, 10, batch_first=False), elman(1, hidden), nn.Linear(hidden, 10)
        classes = torch.randint(10, (TIME, BATCH))
        free = nn.Sequential(below, First(), readout)
        passes = [scores_pass(lambda x, n=forced, y=classes: n(x, y)[0]), scores_pass(free)]
        yield Row(f"Jordan, teacher-forced, against our Elman, input 1, hidden {hidden}", *passes, 0.3)


class First(nn.Module):
    """The outputs of a recurrent network without its state."""

    def forward(self, both: tuple[Tensor, State]) -> Tensor:
        return both[0]


def scores_pass(network: Callable[[Tensor], Tensor]) -> Pass:
    """Return a forward and backward pass of a network from single values to scores of ten classes."""
    inputs, slopes = torch.randn(TIME, BATCH, 1), torch.randn(TIME, BATCH, 10)
    return lambda: network(inputs).backward(slopes)


class PlainForecaster(nn.Module):
    """The forecaster as one writes it in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(1, 256, 2, dropout=0.4, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.recurrent(inputs)[0][:, -1])
        return outputs


def forecaster() -> Iterator[Row]:
    """Yield a row of whole training steps."""
    rule = lstm_forecaster.build(lstm_forecaster.Config(relative=False))
    plain = PlainForecaster()
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3)
    batch = {"inputs": torch.randn(BATCH, TIME, 1), "targets": torch.randn(BATCH, 1)}

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(plain(batch["inputs"]), batch["targets"]).backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()

    count = sum(parameter.numel() for parameter in rule.home.parameters())
    yield Row(f"forecaster of {count:,} parameters, training step", lambda: rule.step(batch), step, 1 / 1.5)


PIECES: dict[str, Callable[[], Iterator[Row]]] = {
    "lstm": lambda: layers(lstm, nn.LSTM, 0.8, "LSTM"),
    "peepholes": lambda: layers(peephole_lstm, nn.LSTM, 0.9, "peephole LSTM"),
    "gru": lambda: layers(gru, nn.GRU, 0.8, "GRU"),
    "early-gru": lambda: layers(early_gru, nn.GRU, 0.8, "GRU of 2014"),
    "elman": lambda: layers(elman, nn.RNN, 0.8, "Elman"),
    "bf16-lstm": lambda: layers(lstm, nn.LSTM, 0.6, "LSTM in bf16", torch.bfloat16),
    "bf16-gru": lambda: layers(gru, nn.GRU, 0.6, "GRU in bf16", torch.bfloat16),
    "bf16-elman": lambda: layers(elman, nn.RNN, 0.6, "Elman in bf16", torch.bfloat16),
    "loops": loops,
    "jordan": jordan,
    "forecaster": forecaster,
}


def compare(row: Row) -> dict[str, float]:
    """Return the times of both sides in milliseconds and the ratios of blocks that were run one after the other."""
    repeats = [repeats_of(side) for side in (row.ours, row.theirs)]
    pairs = [
        [block(side, count) for side, count in zip((row.ours, row.theirs), repeats, strict=True)] for _ in range(ROUNDS)
    ]
    ratios = [ours / theirs for ours, theirs in pairs]
    ours, theirs = (1000 * statistics.median(times) for times in zip(*pairs, strict=True))
    return {
        "ours": round(ours, 3), "theirs": round(theirs, 3), "ratio": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3), "most": round(max(ratios), 3),
    }  # fmt: skip


def repeats_of(side: Pass) -> int:
    """Warm a side up and return how often it is run in a block."""
    side()
    side()
    return max(1, round(BLOCK / block(side, 1)))


def block(side: Pass, count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        side()
    return (time.perf_counter() - started) / count


def saved_bytes(layer: nn.Module) -> int:
    """Return the bytes that a layer keeps for its backward pass, weights and inputs not counted."""
    inputs = torch.randn(TIME, BATCH, 256, requires_grad=True)
    known = {tensor.untyped_storage().data_ptr() for tensor in (inputs, *layer.parameters())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = layer(inputs)
    del outputs
    return sum(kept.values())


def measure(pieces: list[str], allocator: str, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if allocator == "kept":
        keep_big_blocks()
    document = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    document["machine"] = {"processor": processor(), "torch": torch.__version__, "python": platform.python_version()}
    rows = document.setdefault("rows", {})
    for piece in pieces:
        for row in PIECES[piece]():
            figures = compare(row)
            entry = rows.setdefault(row.name, {"piece": piece, "limit": round(row.limit, 3), "runs": {}})
            entry["runs"].setdefault(f"{allocator}, {threads} threads", []).append(figures)
            print(f"{row.name}: {figures}", flush=True)
            RESULTS.write_text(json.dumps(document, indent=1) + "\n")
    document["saved_bytes"] = {
        "nn.LSTM": saved_bytes(nn.LSTM(256, 256)), "LSTM": saved_bytes(lstm(256, 256)),
        "peephole LSTM": saved_bytes(peephole_lstm(256, 256)),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(document, indent=1) + "\n")


def write() -> None:
    """Write the table of all runs."""
    document = json.loads(RESULTS.read_text())
    modes = sorted({mode for entry in document["rows"].values() for mode in entry["runs"]}, reverse=True)
    lines = [
        "# Speed of the recurrent layers",
        "",
        "Written by `benchmarks/recurrent.py write` from `benchmarks/results/recurrent.json`. Forward and backward",
        f"pass, batch {BATCH}, {TIME} steps, ours and torch's `nn.LSTM`, `nn.GRU`, `nn.RNN` in single precision in",
        "turn in one process. A ratio is our time through theirs: the median of the runs, with the least and the most",
        "of all pairs of blocks; bold where it keeps the limit. `system` is memory as torch has it, `kept` with big",
        "blocks kept in the process, as `ganglion train` does.",
        "",
        ", ".join(f"{name} {value}" for name, value in document["machine"].items()) + ".",
        "",
        "| row | limit | " + " | ".join(modes) + " |",
        "|---|---|" + "---|" * len(modes),
    ]
    order = list(PIECES)
    for name, entry in sorted(document["rows"].items(), key=lambda item: order.index(item[1]["piece"])):
        cells = [_cell(entry["runs"].get(mode), entry["limit"]) for mode in modes]
        lines.append(f"| {name} | {entry['limit']} | " + " | ".join(cells) + " |")
    saved = document["saved_bytes"]
    lines += ["", "Kept for the backward pass at input 256 and hidden 256, weights and inputs not counted:", ""]
    lines += [f"- {name}: {size / 2**20:.1f} MiB ({size / saved['nn.LSTM']:.2f})" for name, size in saved.items()]
    TABLE.write_text("\n".join(lines) + "\n")


def _cell(runs: list[dict[str, float]] | None, limit: float) -> str:
    if not runs:
        return ""
    ratio = statistics.median(run["ratio"] for run in runs)
    ours, theirs = (statistics.median(run[side] for run in runs) for side in ("ours", "theirs"))
    least, most = min(run["least"] for run in runs), max(run["most"] for run in runs)
    shown = f"**{ratio:.2f}**" if ratio <= limit else f"{ratio:.2f}"
    return f"{shown} ({least:.2f} to {most:.2f}); {ours:.1f} / {theirs:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("measure", "write"))
    parser.add_argument("pieces", nargs="*", choices=[*PIECES, []], default=[])
    parser.add_argument("--allocator", choices=("system", "kept"), default="system")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    if options.action == "measure":
        measure(options.pieces or list(PIECES), options.allocator, options.threads)
    else:
        write()


if __name__ == "__main__":
    main()
