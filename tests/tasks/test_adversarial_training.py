"""Training against an adversary: what it is for, and where it is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.inspect.robustness import robustness
from ganglion.runs.run import Run
from ganglion.runs.session import resume, train
from ganglion.training.callback import Callback, Training


class Killer(Callback):
    def on_step(self, trainer: Training) -> None:
        if trainer.iteration == 6:
            raise RuntimeError("killed")


def robust_accuracy(run: Run, epsilon: float) -> list[float]:
    """Return the accuracy on test images as they are, and under attack."""
    task = run.prepared_task()
    batch = task.data.whole("test")
    black, white = task.preprocessing["inputs"].ends
    found = robustness(run.network, batch["inputs"], batch["targets"], [epsilon], steps=10, black=black, white=white)
    return list(found.projected)


def test_a_network_that_was_attacked_in_training_withstands(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 12, "threads": 1, "hidden_features": (64,), "standardise": True}
    plain, hardened = (
        train("mlp", "digits", out=tmp_path / str(epsilon), adversarial_epsilon=epsilon, **options)
        for epsilon in (0.0, 0.1)
    )
    (clean, attacked), (still_clean, withstood) = (robust_accuracy(run, 0.1) for run in (plain, hardened))
    assert clean > 0.9 and still_clean > 0.85
    assert withstood > attacked + 0.1


def test_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    options: dict[str, Any] = {"threads": 1, "adversarial_epsilon": 0.1, "limit": 100, "validation": 0.0}
    whole = train("mlp", "digits", out=tmp_path / "whole", steps=8, **options)
    with pytest.raises(RuntimeError, match="killed"):
        train("mlp", "digits", out=tmp_path / "parts", steps=8, checkpoint_every=4, callbacks=[Killer()], **options)
    parts = resume(tmp_path / "parts")
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("system", "data"), [("mlp", "iris"), ("autoencoder", "digits"), ("dqn", "CartPole-v1")])
def test_what_cannot_be_attacked_is_refused(system: str, data: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot learn from adversarial"):
        train(system, data, out=tmp_path / "run", steps=1, adversarial_epsilon=0.1)
    assert not (tmp_path / "run").exists()
