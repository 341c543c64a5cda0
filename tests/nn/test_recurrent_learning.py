"""What recurrent layers are for: memory over many steps, and sequences too long for the memory of the machine."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganglion.nn.recurrent import GRU, LSTM, ElmanRNN, Recurrent

LAYERS: dict[str, Callable[..., Recurrent]] = {"lstm": LSTM, "gru": GRU, "elman": ElmanRNN}
UNINFORMED = 1 / 6
"""Squared error of the best answer that looks at no input: the variance of the sum of two numbers from [0, 1]."""


def _adding_problem(batch: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return sequences of numbers, two of them marked, one in each half, and the sums of the marked numbers."""
    numbers, marks = torch.rand(batch, length, generator=generator), torch.zeros(batch, length)
    for first in (0, length // 2):
        place = torch.randint(first, first + length // 2, (batch, 1), generator=generator)
        marks.scatter_(1, place, 1.0)
    return torch.stack((numbers, marks), dim=2), (numbers * marks).sum(1, keepdim=True)


def _error_after_learning(kind: str, length: int, updates: int, hidden_features: int = 64) -> float:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    recurrent = LAYERS[kind](2, hidden_features, returns="last")
    head = nn.Linear(hidden_features, 1)
    parameters = [*recurrent.parameters(), *head.parameters()]
    adam = torch.optim.Adam(parameters, 1e-2)
    for _ in range(updates):
        inputs, targets = _adding_problem(64, length, generator)
        adam.zero_grad()
        nn.functional.mse_loss(head(recurrent(inputs)[0]), targets).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        adam.step()
    with torch.no_grad():
        inputs, targets = _adding_problem(1000, length, torch.Generator().manual_seed(1))
        return float(nn.functional.mse_loss(head(recurrent(inputs)[0]), targets))


def test_a_gru_adds_two_numbers_out_of_20() -> None:
    assert _error_after_learning("gru", 20, 250, 32) < 0.1 * UNINFORMED


@pytest.mark.full
@pytest.mark.parametrize(("kind", "learns"), [("lstm", True), ("gru", True), ("elman", False)])
def test_memory_of_200_steps_is_learnt_by_gates_and_not_without_them(kind: str, learns: bool) -> None:
    error = _error_after_learning(kind, 200, 1500)
    assert error < 0.1 * UNINFORMED if learns else error > 0.8 * UNINFORMED


@pytest.mark.full
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_segments_let_ten_thousand_steps_train_in_less_memory() -> None:
    """Peak memory of a process of its own, above what it held before: three layers, four sequences."""
    script = """
        import json, re, sys
        from pathlib import Path

        import torch
        from ganglion.nn import LSTM

        def peak():
            # Not getrusage, which also counts the process that this one was forked from.
            return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

        def train(network, steps, batch):
            outputs, _ = network(torch.randn(batch, steps, 256))
            outputs.square().mean().backward()

        network = LSTM(256, 256, 3, checkpoint_segments=int(sys.argv[1]))
        train(network, 200, 1)
        before = peak()
        train(network, 10_000, 4)
        print(json.dumps(peak() - before))
    """
    used = {}
    for segments in (1, 100):
        command = [sys.executable, "-c", textwrap.dedent(script), str(segments)]
        used[segments] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert used[100] < min(2**30, 0.7 * used[1]), used
