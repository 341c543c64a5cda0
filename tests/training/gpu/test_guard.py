"""The guard that holds updates back on a device; on the CPU it can be tried with the very same tensors."""

import math

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.errors import NonFiniteError
from ganglion.training.callback import Callback
from ganglion.training.gpu.guard import Guard, guard
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.training.toys import Line, Points

BAD_SAMPLE = 7


def guarded(monkeypatch: pytest.MonkeyPatch, **fields: object) -> Trainer:
    monkeypatch.setattr("ganglion.training.learner.guard", lambda optimizers, device: Guard(optimizers, device))
    torch.manual_seed(0)
    return Trainer(Line(), Points(), TrainerSettings(device="cpu", **fields))  # type: ignore[arg-type]


def weights(rule: LearningRule) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in rule.home.parameters()])


def test_updates_stop_at_the_first_bad_batch_and_the_report_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, seen = guarded(monkeypatch, epochs=4, report_every=20), [torch.zeros(2)]
    trainer.loader.inputs[BAD_SAMPLE] = math.nan  # type: ignore[attr-defined]

    class Watch(Callback):
        def on_step(self, trainer: Trainer) -> None:
            seen.append(weights(trainer.rule))

    trainer.callbacks = (Watch(),)
    with pytest.raises(NonFiniteError) as caught:
        trainer.fit()
    still = [step for step in range(2, len(seen)) if torch.equal(seen[step], seen[step - 1])]
    first = next(number + 1 for number, batch in enumerate(Points()) if BAD_SAMPLE in batch["index"])
    assert f"at step {first};" in caught.value.what
    assert still == [step for step in range(2, len(seen)) if step >= first] and trainer.iteration == 20
    assert torch.isfinite(seen[-1]).all()


def test_a_good_run_is_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANGLION_FAST", "0")  # whose Adam rounds in another order, and is not there on a GPU
    torch.manual_seed(0)
    plain = Trainer(Line(), Points(), TrainerSettings(device="cpu", epochs=3))
    plain.fit()
    watched = guarded(monkeypatch, epochs=3)
    watched.fit()
    assert torch.equal(weights(watched.rule), weights(plain.rule))


def test_the_host_looks_itself_on_a_cpu_and_where_an_optimizer_cannot_be_held_back() -> None:
    rule = Line()
    assert guard(rule.optimizers.values(), torch.device("cpu")) is None
    slow = torch.optim.RMSprop(rule.home.parameters())
    assert guard([slow], torch.device("cuda")) is None
