"""Losses of ratings against torch's own, on tables in which the holes are numbers that must not matter."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent
from ganglion.rules.ratings import MaskedReconstruction, filled, taken

PLACES = torch.tensor([[1, 3, 4], [2, 0, 0]])
RATINGS = torch.tensor([[1.0, -1.0, 0.5], [2.0, 9.0, 9.0]])
KNOWN = torch.tensor([[True, False, True, True], [False, True, False, False]])


class Fixed(nn.Module):
    """Answers with what it was given."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.answers = nn.Parameter(torch.randn(2, 4))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen = inputs
        return self.answers


def measured(loss: str) -> tuple[Fixed, float]:
    network = Fixed()
    descent = Descent(optimizer="sgd", learning_rate=0.0)
    rule = MaskedReconstruction(network, descent, columns=4, loss=loss)  # type: ignore[arg-type]
    return network, float(rule.step({"places": PLACES, "ratings": RATINGS})["loss"])


def test_squares_are_summed_over_what_is_known() -> None:
    network, loss = measured("squared-error")
    dense = torch.tensor([[1.0, 0, -1.0, 0.5], [0, 2.0, 0, 0]])
    torch.testing.assert_close(network.seen, dense)
    expected = functional.mse_loss(network.answers.detach()[KNOWN], dense[KNOWN], reduction="sum") / 2
    assert loss == pytest.approx(float(expected))
    assert network.answers.grad is not None and not network.answers.grad[~KNOWN].any()


def test_a_list_is_a_softmax_with_equal_shares_of_what_is_known() -> None:
    network, loss = measured("listwise")
    shares = KNOWN / KNOWN.sum(dim=1, keepdim=True)
    assert loss == pytest.approx(float(functional.cross_entropy(network.answers.detach(), shares)))


def test_pairs_compare_with_what_is_unknown_alone() -> None:
    network = Fixed()
    rule = MaskedReconstruction(network, Descent(optimizer="sgd", learning_rate=0.0), columns=4, loss="pairwise")
    answers, pushed = network.answers.detach().clone(), torch.zeros(2, 4, dtype=torch.bool)
    largest = max(float(-functional.logsigmoid(a - b)) for a in answers[KNOWN] for b in answers[~KNOWN])
    for _ in range(50):
        assert 0 <= float(rule.step({"places": PLACES, "ratings": RATINGS})["loss"]) <= largest
        assert network.answers.grad is not None
        pushed |= network.answers.grad > 0
    assert torch.equal(pushed, ~KNOWN)


def test_places_are_filled_and_taken() -> None:
    rows = filled(PLACES, RATINGS, 4)
    torch.testing.assert_close(taken(rows, PLACES)[PLACES > 0], RATINGS[PLACES > 0])


def test_hidden_ratings_are_still_to_be_foretold() -> None:
    network = Fixed()
    rule = MaskedReconstruction(network, Descent(learning_rate=0.0), columns=4, masking=0.999)
    loss = float(rule.step({"places": PLACES, "ratings": RATINGS})["loss"])
    assert not network.seen.any() and loss > 1
    with pytest.raises(ConfigurationError, match="masking"):
        MaskedReconstruction(network, Descent(), columns=4, masking=1.0)
