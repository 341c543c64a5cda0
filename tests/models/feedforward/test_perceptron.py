"""The perceptron against Rosenblatt's rule written out, and on what it can and cannot learn."""

import numpy as np
import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.models.feedforward.perceptron import Config, build
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

ROW = Row(
    loader=labelled("two-moons", batch_size=1),
    steps=500,
    measure=share_of_right_answers("two-moons"),
    threshold=0.8,
    counts=(({"in_features": 3}, "network", 3 + 1),),
    data="two-moons",
)


MARKS = torch.tensor(np.random.default_rng(0).uniform(0, 100, size=(80, 3)), dtype=torch.float64)
MARKS = MARKS[(MARKS.mean(dim=1) - 50).abs() > 3]
PASSED = (MARKS.mean(dim=1) > 50).long()
STANDARD = (MARKS - MARKS.mean(dim=0)) / MARKS.std(dim=0)


@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_one_sample_at_a_time_is_the_rule_of_1958(rate: float) -> None:
    rule = build(Config(descent=Descent(optimizer="sgd", learning_rate=rate)))
    rule.home.double()
    weight, bias, corrections = np.zeros(3), 0.0, 0
    for x, t in zip(STANDARD, PASSED, strict=True):
        decision = 1 if weight @ x.numpy() + bias > 0 else 0
        corrections += decision != t.item()
        weight += rate * (t.item() - decision) * x.numpy()
        bias += rate * (t.item() - decision)
        rule.step({"inputs": x[None], "targets": t[None]})
        assert rule.home.unit.weight[0].tolist() == pytest.approx(weight.tolist())
        assert rule.home.unit.bias.item() == pytest.approx(bias)
    assert corrections > 3


def test_the_rule_of_1958_rests_once_a_line_separates_the_classes() -> None:
    rule = build(Config())
    rule.home.double()
    weight, before, passes = rule.home.unit.weight, None, 0
    while before is None or not torch.equal(before, weight):
        before, passes = weight.detach().clone(), passes + 1
        for x, t in zip(STANDARD, PASSED, strict=True):
            rule.step({"inputs": x[None], "targets": t[None]})
        assert passes < 200
    assert accuracy(rule.home(STANDARD), PASSED) == 1


def test_logistic_unit_descends_the_cross_entropy() -> None:
    rule = build(Config(rule="logistic", descent=Descent(optimizer="sgd", learning_rate=0.5)))
    rule.home.double()
    rule.step({"inputs": STANDARD, "targets": PASSED})
    # From zero weights every answer is one half.
    expected = 0.5 * ((PASSED - 0.5)[:, None] * STANDARD).mean(dim=0)
    torch.testing.assert_close(rule.home.unit.weight[0].detach(), expected)
    for _ in range(500):
        rule.step({"inputs": STANDARD, "targets": PASSED})
    assert accuracy(rule.home(STANDARD), PASSED) > 0.97


@pytest.mark.parametrize("name", ["1958", "logistic"])
def test_no_line_solves_xor(name: str) -> None:
    rule = build(Config(in_features=2, rule=name))
    corners = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    best = 0.0
    for _ in range(300):
        rule.step({"inputs": corners, "targets": torch.tensor([0, 1, 1, 0])})
        best = max(best, accuracy(rule.home(corners), torch.tensor([0, 1, 1, 0])).item())
    assert best <= 0.75


def test_more_than_two_classes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two classes"):
        build(Config(num_classes=3))
