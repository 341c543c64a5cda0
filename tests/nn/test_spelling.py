"""Spelling: loss and decoders against the sum over all paths, and what padding and certain blanks cannot change."""

from collections import defaultdict
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from ganglion.nn.sound.spelling import best_path, collapsed, prefix_beam_search
from ganglion.rules.ctc import ctc_loss

STEPS, LABELS = 5, 3


def every_spelling(logits: Tensor) -> dict[tuple[int, ...], float]:
    """Return p(y | x) of all labellings y of (steps, labels), by adding up every path."""
    shares = logits.double().softmax(1)
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(shares.shape[1]), repeat=len(shares)):
        found[collapsed(list(path))] += float(torch.stack([shares[t, k] for t, k in enumerate(path)]).prod())
    return found


def drawn(seed: int, steps: int = STEPS) -> Tensor:
    return 2 * torch.randn(1, steps, LABELS, generator=torch.Generator().manual_seed(seed))


def test_labels_are_what_is_left_of_a_path() -> None:
    assert collapsed([1, 1, 0, 1, 2, 2, 0]) == (1, 1, 2)
    assert collapsed([0, 0]) == () == collapsed([])


@pytest.mark.parametrize("seed", range(3))
def test_loss_is_the_sum_over_all_paths(seed: int) -> None:
    logits = drawn(seed)
    shares = every_spelling(logits[0])
    assert sum(shares.values()) == pytest.approx(1)
    for wanted in [(1,), (1, 2), (2, 2), (1, 2, 1)]:
        expected = -torch.tensor(shares[wanted]).log().item() / len(wanted)
        assert ctc_loss(logits, torch.tensor([wanted])).item() == pytest.approx(expected, abs=1e-5)


def test_padding_of_targets_and_certain_blanks_change_nothing() -> None:
    logits = drawn(0)
    certain = torch.full((1, 4, LABELS), -1e4).index_fill(2, torch.tensor([0]), 0.0)
    longer = torch.cat([logits, certain], dim=1)
    alone = ctc_loss(logits, torch.tensor([[1, 2]]))
    assert ctc_loss(longer, torch.tensor([[1, 2, 0]])).item() == pytest.approx(alone.item(), abs=1e-5)
    for decode in (best_path, prefix_beam_search):
        assert decode(longer)[0].labels == decode(logits)[0].labels


def test_what_cannot_be_written_in_so_few_steps_counts_as_nothing() -> None:
    logits = drawn(0, steps=3).requires_grad_()
    loss = ctc_loss(logits, torch.tensor([[1, 1, 2]]))  # which needs a blank between
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


def test_gradient_is_that_of_finite_differences() -> None:
    logits = drawn(1).double().requires_grad_()

    def loss(values: Tensor) -> Tensor:
        return torch.nn.functional.ctc_loss(
            values.log_softmax(2).transpose(0, 1), torch.tensor([[1, 2]]), torch.tensor([STEPS]), torch.tensor([2])
        )

    assert gradcheck(loss, logits)
    (wanted,) = torch.autograd.grad(loss(logits), logits)
    single = logits.detach().float().requires_grad_()
    (found,) = torch.autograd.grad(ctc_loss(single, torch.tensor([[1, 2]])), single)
    torch.testing.assert_close(found.double(), wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_a_search_along_enough_prefixes_is_exact(seed: int) -> None:
    logits = drawn(seed)
    shares = every_spelling(logits[0])
    best = max(shares, key=shares.__getitem__)
    (found,) = prefix_beam_search(logits, beams=1000)
    assert found.labels == best
    assert found.log_probability == pytest.approx(torch.tensor(shares[best]).log().item(), abs=1e-6)
    (narrow,) = prefix_beam_search(logits, beams=4)
    assert narrow.log_probability <= found.log_probability + 1e-9


def test_best_path_is_the_likeliest_of_all_paths() -> None:
    logits = drawn(3)
    shares = logits[0].double().softmax(1)
    path = max(product(range(LABELS), repeat=STEPS), key=lambda one: float(shares[range(STEPS), one].prod()))
    (found,) = best_path(logits)
    assert found.labels == collapsed(list(path))
    assert found.log_probability == pytest.approx(float(shares[range(STEPS), path].log().sum()), abs=1e-5)
