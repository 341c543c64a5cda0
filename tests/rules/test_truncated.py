"""Truncated back-propagation: the state goes on, the gradient does not, and neither depends on micro-batches."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ganglion.core import Batch
from ganglion.errors import ConfigurationError
from ganglion.nn.recurrent import States
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.truncated import TruncatedBackpropagation

NAME = "cell 00 part 0"


class Accumulator(nn.Module):
    """s(t) = a s(t-1) + b x(t), and logits (s, 0): small enough to be differentiated by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.5))
        self.b = nn.Parameter(torch.tensor(1.0))

    def read(self, inputs: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        current = torch.zeros(len(inputs)) if states is None else states[0][0][:, 0]
        outputs = []
        for step in inputs.unbind(1):
            current = self.a * current + self.b * step
            outputs.append(torch.stack([current, torch.zeros_like(current)], dim=1))
        return torch.stack(outputs, dim=1), ((current[:, None],),)


def batch(start: float, rows: int = 4) -> Batch:
    random = torch.Generator().manual_seed(int(start) + 7)
    return {
        "inputs": torch.rand(rows, 3, generator=random),
        "targets": torch.randint(2, (rows, 3), generator=random),
        "starts": torch.full((rows,), start),
    }


def rule(**descent: object) -> TruncatedBackpropagation:
    return TruncatedBackpropagation(Accumulator(), Descent(optimizer="sgd", **descent))  # type: ignore[arg-type]


def test_two_windows_read_like_one_text() -> None:
    still = rule(learning_rate=0.0)
    first, second = batch(1.0), batch(0.0)
    still.step(first)
    still.step(second)
    _, ((state,),) = still.reader.read(torch.cat([first["inputs"], second["inputs"]], dim=1))
    torch.testing.assert_close(still.tensors[NAME], state)


def test_a_beginning_row_forgets_and_the_others_do_not() -> None:
    still = rule(learning_rate=0.0)
    still.step(batch(1.0))
    mixed = batch(0.0) | {"starts": torch.tensor([1.0, 0.0, 1.0, 0.0])}
    before = still.tensors[NAME].clone()
    still.step(mixed)
    for row, begins in enumerate([True, False, True, False]):
        carried = None if begins else ((before[row : row + 1],),)
        _, ((state,),) = still.reader.read(mixed["inputs"][row : row + 1], carried)
        torch.testing.assert_close(still.tensors[NAME][row], state[0])


def test_the_gradient_ends_at_the_window() -> None:
    learning, (first, second) = rule(learning_rate=0.1), (batch(1.0), batch(0.0))
    learning.step(first)
    network = copy.deepcopy(learning.reader)
    kept = learning.tensors[NAME]
    assert not kept.requires_grad
    outputs, _ = network.read(second["inputs"], ((kept,),))
    nn.functional.cross_entropy(outputs.flatten(0, 1), second["targets"].flatten()).backward()
    learning.step(second)
    assert isinstance(learning.home, Accumulator)
    torch.testing.assert_close(learning.home.a.grad, network.a.grad)
    torch.testing.assert_close(learning.home.b.grad, network.b.grad)


@pytest.mark.parametrize("pieces", [2, 3])
def test_micro_batches_change_nothing(pieces: int) -> None:
    whole, parts = rule(learning_rate=0.1), rule(learning_rate=0.1, accumulate=pieces)
    for start in (1.0, 0.0, 0.0):
        measured = [one.step(batch(start)) for one in (whole, parts)]
        torch.testing.assert_close(measured[0]["loss"], measured[1]["loss"])
    torch.testing.assert_close(whole.tensors[NAME], parts.tensors[NAME])
    torch.testing.assert_close(whole.home.state_dict(), parts.home.state_dict())


def test_an_optimizer_that_looks_twice_keeps_the_state_of_one_batch() -> None:
    looking = TruncatedBackpropagation(Accumulator(), Descent(optimizer="lbfgs", learning_rate=0.1))
    looking.step(batch(1.0))
    assert looking.tensors[NAME].shape == (4, 1)


def test_goes_on_from_its_state() -> None:
    first, second = rule(learning_rate=0.1), rule(learning_rate=0.1)
    first.step(batch(1.0))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert float(first.step(batch(0.0))["loss"]) == float(second.step(batch(0.0))["loss"])


def test_refuses_a_network_that_cannot_read_on() -> None:
    with pytest.raises(ConfigurationError, match="read on"):
        TruncatedBackpropagation(nn.Linear(2, 2), Descent())
