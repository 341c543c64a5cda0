"""Jordan's network: teacher forcing, running freely, and chance in between."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.nn.recurrent import JordanCell, JordanRNN, Recurrent

INPUTS = torch.randn(4, 9, 3, generator=torch.Generator().manual_seed(0))
CLASSES = torch.randint(5, (4, 9), generator=torch.Generator().manual_seed(0))


def _network(**options: object) -> JordanRNN:
    torch.manual_seed(0)
    return JordanRNN(3, 8, 5, **options)  # type: ignore[arg-type]


def _by_hand(network: JordanRNN, inputs: Tensor, truth: Tensor | None) -> Tensor:
    """The equations, step by step; `truth` holds the outputs to feed back, else the network's own are."""
    cell, outputs, previous = network.cell, [], torch.zeros(4, 5)
    for step in range(inputs.shape[1]):
        hidden = torch.tanh(inputs[:, step] @ cell.input_weight.T + previous @ cell.feedback_weight.T + cell.bias)
        outputs.append(hidden @ cell.output.weight.T + cell.output.bias)
        previous = outputs[-1].softmax(1) if truth is None else truth[:, step]
    return torch.stack(outputs, dim=1)


def test_teacher_forcing_feeds_back_the_truth() -> None:
    network, truth = _network(), functional.one_hot(CLASSES, 5).float()
    expected = _by_hand(network, INPUTS, truth)
    for targets in (CLASSES, truth):
        scores, state = network(INPUTS, targets)
        torch.testing.assert_close(scores, expected)
        assert torch.equal(state, truth[:, -1])


def test_running_freely_feeds_back_the_own_outputs() -> None:
    network = _network()
    scores, state = network(INPUTS)
    torch.testing.assert_close(scores, _by_hand(network, INPUTS, None))
    torch.testing.assert_close(state, scores[:, -1].softmax(1))
    torch.testing.assert_close(network(INPUTS, CLASSES, teacher_forcing=0.0)[0], scores)
    same, _ = Recurrent(network.cell)(INPUTS)
    torch.testing.assert_close(same, scores.softmax(2))


def test_gradients_of_all_steps_at_once_equal_those_step_by_step() -> None:
    network = _network()
    gradients = []
    for forward in (
        lambda: network(INPUTS, CLASSES)[0],
        lambda: _by_hand(network, INPUTS, functional.one_hot(CLASSES, 5).float()),
    ):
        loss = functional.cross_entropy(forward().flatten(0, 1), CLASSES.flatten())
        gradients.append(torch.autograd.grad(loss, list(network.parameters())))
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


def test_scheduled_sampling_feeds_back_the_truth_at_the_asked_share_of_steps() -> None:
    network = JordanRNN(1, 4, 2, readout="identity")
    with torch.no_grad():  # The output is the fed-back value, whatever the input: truth is 1, the own output stays 0.
        for parameter in network.parameters():
            parameter.zero_()
        network.cell.feedback_weight.fill_(1)
        network.cell.output.weight.fill_(0.1)
    torch.manual_seed(0)
    scores, _ = network(torch.zeros(200, 50, 1), torch.ones(200, 50, 2), teacher_forcing=0.7)
    fully = 4 * 0.1 * torch.tanh(torch.tensor(2.0))
    share = torch.isclose(scores[:, 1:, 0], fully).float().mean()
    assert abs(float(share) - 0.7) < 0.02


def test_windows_with_the_state_handed_over_equal_the_whole() -> None:
    network = _network()
    whole, _ = network(INPUTS)
    first, state = network(INPUTS[:, :4])
    second, _ = network(INPUTS[:, 4:], state=state)
    torch.testing.assert_close(torch.cat((first, second), dim=1), whole)
    whole, _ = network(INPUTS, CLASSES)
    _, state = network(INPUTS[:, :4], CLASSES[:, :4])
    torch.testing.assert_close(network(INPUTS[:, 4:], CLASSES[:, 4:], state)[0], whole[:, 4:])


@pytest.mark.parametrize("forced", [True, False])
def test_nothing_past_the_end_is_read(forced: bool) -> None:
    network, lengths = _network(), torch.tensor([9, 2, 5, 1])
    dirty = INPUTS.clone()
    for row, length in enumerate(lengths):
        dirty[row, length:] = float("nan")
    targets = CLASSES if forced else None
    clean, _ = network(INPUTS, targets)
    scores, state = network(dirty, targets, lengths=lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(scores[row, :length], clean[row, :length])
        assert not scores[row, length:].any()
        answer = clean[row, length - 1].softmax(0)
        expected = functional.one_hot(CLASSES[row, length - 1], 5).float() if forced else answer
        torch.testing.assert_close(state[row], expected)
    scores.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)


def test_time_first_is_the_same_with_axes_swapped() -> None:
    scores, _ = _network()(INPUTS, CLASSES)
    swapped, _ = _network(batch_first=False)(INPUTS.transpose(0, 1), CLASSES.T)
    assert torch.equal(swapped.transpose(0, 1), scores)


def test_learns_to_go_on_with_what_it_put_out() -> None:
    """A counter that is told only when to step: without its own last output it cannot know where it is."""
    torch.manual_seed(0)
    network = JordanRNN(1, 32, 4)
    adam = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(150):
        inputs = torch.randint(2, (32, 12, 1)).float()
        classes = inputs[..., 0].cumsum(1).long() % 4
        scores, _ = network(inputs, classes)
        adam.zero_grad()
        functional.cross_entropy(scores.flatten(0, 1), classes.flatten()).backward()
        adam.step()
    inputs = torch.randint(2, (64, 40, 1)).float()
    free = network(inputs)[0].argmax(2)
    assert (free == inputs[..., 0].cumsum(1) % 4).float().mean() > 0.95


@pytest.mark.parametrize(
    ("inputs", "targets", "state"),
    [
        (torch.zeros(4, 9, 2), None, None),
        (torch.zeros(4, 9), None, None),
        (INPUTS, CLASSES[:, :3], None),
        (INPUTS, torch.zeros(4, 9, 4), None),
        (INPUTS, None, torch.zeros(4, 4)),
    ],
)
def test_refuses_other_shapes(inputs: Tensor, targets: Tensor | None, state: Tensor | None) -> None:
    with pytest.raises(ShapeError, match=r"(?s)a JordanRNN cannot read.*JordanRNN\(3, 8, 5, softmax\)"):
        _network()(inputs, targets, state)


def test_refuses_a_share_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="teacher_forcing"):
        _network()(INPUTS, CLASSES, teacher_forcing=1.5)
    assert JordanCell(3, 8, 5).extra_repr() == "3, 8, 5, softmax"
