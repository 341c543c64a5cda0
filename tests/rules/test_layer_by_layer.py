"""Layer after layer: each against its own equation, the others untouched, and a memory of what came of it."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.core import Layered
from ganglion.errors import ConfigurationError
from ganglion.nn.coding.codes import DenseCoder
from ganglion.rules.autoencoder.layer_by_layer import FINE_TUNING, LayerByLayer
from ganglion.rules.descend import Descent
from tests.contract.toys import bars_and_stripes

DESCENT = Descent(learning_rate=1e-2)


def stacked(**options: object) -> LayerByLayer:
    torch.manual_seed(0)
    return LayerByLayer(DenseCoder([16, 12, 8, 4], "sigmoid"), DESCENT, **options)  # type: ignore[arg-type]


def learn(rule: LayerByLayer, steps: int) -> list[float]:
    return [float(rule.step({"inputs": bars_and_stripes()})["loss"]) for _ in range(steps)]


def test_phases_share_the_run() -> None:
    phases = stacked(pretraining=0.6).phases
    assert [phase.name for phase in phases] == ["layer 1", "layer 2", "layer 3", FINE_TUNING]
    assert [phase.share for phase in phases] == pytest.approx([0.2, 0.2, 0.2, 0.4])
    assert stacked(pretraining=0.0).phases == ()
    with pytest.raises(ConfigurationError, match="pretraining"):
        stacked(pretraining=1.0)


def test_each_layer_lowers_its_own_loss_and_changes_nothing_else() -> None:
    rule, patterns = stacked(), bars_and_stripes()
    network = rule.network
    for number, phase in enumerate(rule.phases[:-1]):
        rule.begin(phase)
        own = {id(one) for one in network.pair(number).parameters()}
        before = {id(one): one.detach().clone() for one in network.parameters()}
        hidden: Tensor = patterns
        for layer in network.encoder[:number]:
            hidden = functional.linear(hidden, layer.weight, layer.bias).sigmoid()
        there, back = network.pair(number)
        code = functional.linear(hidden, there.weight, there.bias)
        code = code if number == 2 else code.sigmoid()
        rebuilt = functional.linear(code, back.weight, back.bias)
        expected = functional.mse_loss(rebuilt.sigmoid() if number else rebuilt, hidden)
        losses = learn(rule, 150)
        assert losses[0] == pytest.approx(expected.item(), rel=1e-5)
        assert losses[-1] < 0.7 * losses[0]
        assert all(torch.equal(one, before[id(one)]) == (id(one) not in own) for one in network.parameters())


def test_fine_tuning_starts_from_the_layers_and_remembers_them() -> None:
    rule, patterns = stacked(), bars_and_stripes()
    assert isinstance(rule, Layered) and rule.after_each_layer(patterns) == []
    for phase in rule.phases[:-1]:
        rule.begin(phase)
        learn(rule, 150)
    rule.begin(rule.phases[-1])
    left = rule.after_each_layer(patterns)
    assert len(left) == 3
    torch.testing.assert_close(left[-1], rule.network.reconstruct(patterns).detach())
    first = rule.network.back(rule.network.forth(patterns, 0), 0).detach()
    torch.testing.assert_close(left[0], first)
    losses = learn(rule, 200)
    assert losses[0] == pytest.approx(functional.mse_loss(left[-1], patterns).item(), rel=1e-5)
    assert losses[-1] < losses[0]
    for now, then in zip(rule.after_each_layer(patterns), left, strict=True):
        torch.testing.assert_close(now, then)  # fine-tuning does not change what was remembered
    again = stacked()
    again.begin(again.phases[-1])
    again.load_state_dict(rule.state_dict())
    torch.testing.assert_close(again.after_each_layer(patterns)[0], left[0])


def test_pre_training_helps_where_gradients_vanish() -> None:
    """Deep sigmoid layers under plain gradient descent: at once they find the mean pattern and no more."""
    descent = Descent(optimizer="sgd", learning_rate=2.0, optimizer_arguments=("momentum=0.9",))
    error = {}
    for share in (0.6, 0.0):
        torch.manual_seed(0)
        rule = LayerByLayer(DenseCoder([16, 24, 16, 12, 6], "sigmoid"), descent, pretraining=share)
        for phase in rule.phases:
            rule.begin(phase)
            learn(rule, round(2000 * phase.share))
        if not rule.phases:
            learn(rule, 2000)
        error[share] = learn(rule, 1)[0]
    assert error[0.6] < 0.7 * error[0.0]
