"""Next tokens: reading on equals reading at once, no step sees the future, tied vectors and first weights."""

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.nn.language.next_token import NextToken
from ganglion.nn.recurrent.named_cells import CellName


@pytest.mark.parametrize("cell", ["elman", "lstm", "peephole-lstm", "gru"])
def test_reading_on_equals_reading_at_once(cell: CellName) -> None:
    torch.manual_seed(0)
    network = NextToken(12, 6, 8, num_layers=2, cell=cell)
    inputs = torch.randint(12, (3, 9))
    whole = network(inputs)
    first, state = network.read(inputs[:, :4])
    second, _ = network.read(inputs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_no_step_sees_what_comes_after_it() -> None:
    torch.manual_seed(0)
    network = NextToken(12, 6, 8)
    inputs = torch.randint(12, (2, 9))
    changed = inputs.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 12
    torch.testing.assert_close(network(inputs)[:, :5], network(changed)[:, :5])
    assert not torch.allclose(network(inputs)[:, 5:], network(changed)[:, 5:])


def test_tied_vectors_are_one_matrix_and_first_weights_lie_in_their_range() -> None:
    torch.manual_seed(0)
    network = NextToken(12, 8, 8, tied=True, initial_range=0.1)
    assert network.head.weight is network.embedding.weight
    largest = max(float(parameter.detach().abs().max()) for parameter in network.parameters())
    assert 0.09 < largest <= 0.1
    with pytest.raises(ConfigurationError, match="as wide as"):
        NextToken(12, 4, 8, tied=True)
