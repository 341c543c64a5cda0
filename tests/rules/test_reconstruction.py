"""Corruption hits the inputs only, in the stated amount."""

import pytest
import torch
from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.rules.autoencoder.reconstruction import Reconstruction
from ganglion.rules.descend import Descent


class Recorder(nn.Module):
    """Gives back what it is shown, and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen = inputs
        return self.scale * inputs


def seen(inputs: Tensor, **options: float) -> tuple[Tensor, Tensor]:
    """Return what a network sees of `inputs`, and its loss."""
    torch.manual_seed(0)
    rule = Reconstruction(Recorder(), Descent(), **options)  # type: ignore[arg-type]
    loss = rule.step({"inputs": inputs})["loss"]
    return rule.home.seen, loss  # type: ignore[return-value]


def test_without_corruption_the_network_sees_the_inputs() -> None:
    inputs = torch.randn(10, 3)
    shown, loss = seen(inputs)
    assert torch.equal(shown, inputs)
    assert loss == 0


def test_noise_has_the_stated_deviation_and_the_loss_is_against_the_clean_inputs() -> None:
    inputs = torch.randn(1000, 20)
    shown, loss = seen(inputs, noise=0.3)
    assert (shown - inputs).std() == pytest.approx(0.3, rel=0.02)
    torch.testing.assert_close(loss, (shown - inputs).square().mean())


def test_masking_blanks_the_stated_share_and_leaves_the_rest_alone() -> None:
    inputs = 1 + torch.rand(1000, 20)
    shown, loss = seen(inputs, masking=0.25)
    kept = shown != 0
    assert 1 - kept.float().mean() == pytest.approx(0.25, abs=0.01)
    torch.testing.assert_close(shown[kept], inputs[kept])
    torch.testing.assert_close(loss, (shown - inputs).square().mean())


@pytest.mark.parametrize("wrong", [{"noise": -1.0}, {"masking": 1.0}, {"masking": -0.1}])
def test_refuses_impossible_amounts(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Reconstruction(nn.Linear(2, 2), Descent(), **wrong)  # type: ignore[arg-type]
