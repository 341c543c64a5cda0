"""Character-level network: reading on equals reading at once, and the past matters."""

from functools import cache
from typing import Any

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.char_rnn import CharacterRNN, Config
from ganglion.nn.named_cells import CellName
from tests.contract.rows import Row


@cache
def tale() -> torch.Tensor:
    """Characters of the generated tales as numbers: 20,000 to learn from, then 2,000 to judge by."""
    text = generate("tales", count=700).inputs[0][:22_000]
    known = sorted(set(text))
    return torch.tensor([known.index(character) for character in text])


@torch.no_grad()
def foretold_nats(rule: LearningRule) -> float:
    """Minus the nats for each character of the end; frequencies of pairs have -1.8."""
    network: Any = rule.home.eval()
    outputs, end = network(tale()[None, -2001:-1])[0], tale()[-2000:]
    rule.home.train()
    return -float(torch.nn.functional.cross_entropy(outputs, end))


ROW = Row(
    loader=lambda: StreamLoader(tale()[:20_000].numpy(), streams=16, window=20, seed=0),
    steps=250,
    measure=foretold_nats,
    threshold=-1.5,
    # Karpathy says about 3.5 million; here the first layer reads vectors of 64 numbers.
    counts=(({}, "network", 66 * 64 + 4 * 512 * (64 + 512 + 1) + 4 * 512 * (512 + 512 + 1) + 513 * 66),),
    options={"validation": 0.05, "test": 0.05},
    data="tales",
)


@pytest.mark.parametrize("cell", ["elman", "lstm", "peephole-lstm", "gru"])
def test_reading_on_equals_reading_at_once(cell: CellName) -> None:
    torch.manual_seed(0)
    network = CharacterRNN(Config(vocabulary_size=12, cell=cell, hidden_features=8, num_layers=2, dropout=0.0))
    inputs = torch.randint(12, (3, 9))
    whole = network(inputs)
    first, state = network.read(inputs[:, :4])
    second, _ = network.read(inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_no_step_sees_what_comes_after_it() -> None:
    torch.manual_seed(0)
    network = CharacterRNN(Config(vocabulary_size=12, hidden_features=8, dropout=0.0))
    inputs = torch.randint(12, (2, 9))
    changed = inputs.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 12
    torch.testing.assert_close(network(inputs)[:, :5], network(changed)[:, :5])
    assert not torch.allclose(network(inputs)[:, 5:], network(changed)[:, 5:])


@pytest.mark.parametrize("fields", [{"hidden_features": 0}, {"dropout": 1.0}, {"window": 0}])
def test_refuses_what_cannot_be_built(fields: dict) -> None:
    with pytest.raises(ConfigurationError):
        Config(**fields)
