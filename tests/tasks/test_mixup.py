"""Mixed pairs of samples: learnt from, resumed, and refused where nothing can be mixed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.runs.session import resume, train
from ganglion.training.callback import Callback, Training


class Killer(Callback):
    def on_step(self, trainer: Training) -> None:
        if trainer.iteration == 6:
            raise RuntimeError("killed")


def test_a_network_learns_from_mixed_samples_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    options: dict[str, Any] = {"mixup": 0.2, "steps": 60, "checkpoint_every": 5, "learning_rate": 0.01}
    whole = train("mlp", "digits", out=tmp_path / "whole", **options)
    with pytest.raises(RuntimeError, match="killed"):
        train("mlp", "digits", out=tmp_path / "parts", callbacks=[Killer()], **options)
    parts = resume(tmp_path / "parts")
    assert whole.metrics["accuracy"] > 0.8
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("system", "data"), [("autoencoder", "digits"), ("lstm-forecaster", "sine"), ("rbm", "digits")]
)
def test_what_cannot_be_mixed_is_refused(system: str, data: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot learn from mixed samples"):
        train(system, data, out=tmp_path / "run", steps=1, mixup=0.2)
    assert not (tmp_path / "run").exists()
