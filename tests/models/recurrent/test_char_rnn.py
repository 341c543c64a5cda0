"""Character-level network: reading on equals reading at once, and the past matters."""

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.char_rnn import CharacterRNN, Config
from ganglion.nn.named_cells import CellName


@pytest.mark.parametrize("cell", ["elman", "lstm", "peephole-lstm", "gru"])
def test_reading_on_equals_reading_at_once(cell: CellName) -> None:
    torch.manual_seed(0)
    network = CharacterRNN(12, cell=cell, embedding_features=4, hidden_features=8, num_layers=2)
    inputs = torch.randint(12, (3, 9))
    whole = network(inputs)
    first, state = network.read(inputs[:, :4])
    second, _ = network.read(inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_no_step_sees_what_comes_after_it() -> None:
    torch.manual_seed(0)
    network = CharacterRNN(12, embedding_features=4, hidden_features=8)
    inputs = torch.randint(12, (2, 9))
    changed = inputs.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 12
    torch.testing.assert_close(network(inputs)[:, :5], network(changed)[:, :5])
    assert not torch.allclose(network(inputs)[:, 5:], network(changed)[:, 5:])


@pytest.mark.parametrize("fields", [{"hidden_features": 0}, {"dropout": 1.0}, {"window": 0}])
def test_refuses_what_cannot_be_built(fields: dict) -> None:
    with pytest.raises(ConfigurationError):
        Config(**fields)
