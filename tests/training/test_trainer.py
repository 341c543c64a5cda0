"""The trainer: counting, schedules, averages, early stopping, bad numbers, signals, and exact resume."""

import copy
import math
import os
import signal
from pathlib import Path

import pytest
import torch

from ganglion.core import Measure
from ganglion.errors import CheckpointError, ConfigurationError, NonFiniteError, UsageError
from ganglion.rules.descend import Descent, descend
from ganglion.rules.optimizers import OPTIMIZERS
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Callback, Interrupted, Trainer
from tests.training.toys import Line, Points, error


def trainer(run: RunFolder | None = None, callbacks: tuple[Callback, ...] = (), **fields: object) -> Trainer:
    torch.manual_seed(0)
    settings = TrainerSettings(**{"epochs": 8} | fields)
    return Trainer(Line(), Points(), settings, evaluate=error, run=run, callbacks=callbacks)


def run_folder(path: Path) -> RunFolder:
    return RunFolder.create(path, "line", {"system": "line"})


def test_learns_the_line() -> None:
    before = error(Line())["loss"]
    fitted = trainer(epochs=60)
    assert fitted.fit()["validation_loss"] < 0.05 < before


def test_counts_batches_not_optimizer_calls() -> None:
    fitted = trainer(epochs=3)
    fitted.fit()
    assert (fitted.iteration, fitted.epoch, fitted.samples) == (15, 3.0, 60)
    assert fitted.rule.counters["steps"] == 15


def test_an_endless_loader_needs_steps() -> None:
    loader = Points()
    loader.batches_per_epoch = None
    with pytest.raises(UsageError, match="no epochs"):
        Trainer(Line(), loader, TrainerSettings(epochs=2))
    fitted = Trainer(Line(), loader, TrainerSettings(steps=7))
    fitted.fit()
    assert fitted.iteration == 7


def test_the_schedule_reaches_every_optimizer() -> None:
    seen = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer) -> None:
            seen.append(trainer.rule.optimizers["line"].param_groups[0]["lr"])

    trainer(epochs=2, schedule="linear", warmup_steps=2, callbacks=(Watch(),)).fit()
    assert seen[:3] == pytest.approx([0.025, 0.05, 0.05])
    assert seen[-1] == pytest.approx(0.05 / 8)


def test_weight_average_is_the_exponential_moving_average() -> None:
    history = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer) -> None:
            history.append(trainer.rule.home.weight.detach().clone())

    fitted = trainer(epochs=2, ema_decay=0.8, callbacks=(Watch(),))
    fitted._restore_best = lambda: None  # keep the last weights, not the best
    fitted.fit()
    expected = history[0]
    for weight in history[1:]:
        expected = 0.8 * expected + 0.2 * weight
    assert torch.allclose(fitted.learner.home_weights()["weight"], expected, atol=1e-6)
    assert torch.equal(fitted.rule.home.weight, history[-1])


def test_best_weights_are_those_of_the_best_evaluation(tmp_path: Path) -> None:
    scores = iter([3.0, 1.0, 2.0, math.nan])
    run = run_folder(tmp_path / "run")
    fitted = trainer(run, epochs=4)
    fitted._evaluate = lambda rule: {"loss": next(scores)}
    fitted.fit()
    assert (fitted.best.value, fitted.best.step) == (1.0, 10)
    assert run.pointed("best").name == "step-000010"
    saved = checkpoint.load(run.pointed("best"), ("weights",))["weights"]
    assert torch.equal(fitted.rule.home.weight, saved["weight"])


def test_patience_stops_and_keeps_the_best_without_a_run() -> None:
    scores = iter([2.0, 1.0, 1.5, 1.5, 1.5])
    fitted = trainer(epochs=50, patience=3)
    fitted._evaluate = lambda rule: {"loss": next(scores)}
    fitted.fit()
    assert (fitted.iteration, fitted.best.step, fitted.stopped_early) == (25, 10, True)
    assert torch.equal(fitted.rule.home.weight, _weights_after(10))


def _weights_after(steps: int) -> torch.Tensor:
    plain = trainer(steps=steps, epochs=None)
    plain._evaluate = None
    plain.fit()
    weight: torch.Tensor = plain.rule.home.weight
    return weight


def test_evaluation_does_not_disturb_training() -> None:
    often = trainer(evaluate_every=1)
    often._restore_best = lambda: None
    often.fit()
    assert torch.equal(often.rule.home.weight, _weights_after(40))


ACCURACY = Measure(name="accuracy", higher_is_better=True)
PERPLEXITY = Measure(name="perplexity", higher_is_better=False)


def test_monitoring_an_unknown_measure_names_the_known_ones_before_anything_is_learnt() -> None:
    with pytest.raises(UsageError, match="one of accuracy, perplexity"):
        Trainer(Line(), Points(), TrainerSettings(steps=1, monitor="acuracy"), measures=(ACCURACY, PERPLEXITY))


@pytest.mark.parametrize(
    ("monitor", "best_step"), [(None, 15), ("accuracy", 15), ("perplexity", 10), ("bits_per_character", 5)]
)
def test_the_direction_is_that_of_the_measure_and_not_of_its_name(monitor: str | None, best_step: int) -> None:
    scores = [
        {"accuracy": 0.3, "perplexity": 30.0, "bits_per_character": 1.0},
        {"accuracy": 0.4, "perplexity": 10.0, "bits_per_character": 2.0},
        {"accuracy": 0.5, "perplexity": 20.0, "bits_per_character": 3.0},
    ]
    following = iter(scores)
    torch.manual_seed(0)
    fitted = Trainer(
        Line(),
        Points(),
        TrainerSettings(epochs=3, monitor=monitor),
        evaluate=lambda rule: next(following),
        measures=(ACCURACY, PERPLEXITY, Measure(name="bits_per_character", higher_is_better=False)),
    )
    fitted.fit()
    assert fitted.best.step == best_step
    assert torch.equal(fitted.rule.home.weight, _weights_after(best_step))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_non_finite_batch_stops_before_the_update(bad: float) -> None:
    fitted = trainer()
    fitted.loader.inputs[7] = bad
    weights = []

    class Watch(Callback):
        def on_step(self, trainer: Trainer) -> None:
            weights.append(trainer.rule.home.weight.detach().clone())

    fitted.callbacks = (Watch(),)
    with pytest.raises(NonFiniteError, match=r"at step \d+; the update was not applied") as caught:
        fitted.fit()
    assert "7" in caught.value.where and "learning rate 0.05" in caught.value.found
    last = weights[-1] if weights else fitted.rule.home.weight
    assert torch.equal(fitted.rule.home.weight, last)
    assert torch.isfinite(fitted.rule.home.weight).all()


class KillAt(Callback):
    """Ends training abruptly after a step, as a kill would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Trainer) -> None:
        if trainer.iteration == self.step:
            raise ConnectionResetError


@pytest.mark.parametrize(
    ("optimizer", "ema_decay"),
    [
        pytest.param(optimizer, ema_decay, marks=[pytest.mark.full] * (number % 2 == int(ema_decay is None)))
        for number, optimizer in enumerate(sorted(OPTIMIZERS))
        for ema_decay in (None, 0.9)
    ],
)
def test_resume_is_exact_for_every_optimizer(optimizer: str, ema_decay: float | None, tmp_path: Path) -> None:
    fields = {"epochs": 8, "checkpoint_every": 7, "report_every": 3, "schedule": "cosine", "ema_decay": ema_decay}
    settings, descent = TrainerSettings(**fields), Descent(optimizer=optimizer, learning_rate=0.01, clip_norm=1.0)
    digests = []
    for name, kill in (("whole", None), ("killed", 17)):
        run = run_folder(tmp_path / name)
        torch.manual_seed(0)
        fitted = Trainer(Line(descent), Points(), settings, evaluate=error, run=run)
        if kill:
            fitted.callbacks = (KillAt(kill),)
            with pytest.raises(ConnectionResetError):
                fitted.fit()
            torch.manual_seed(99)
            fitted = Trainer(Line(descent), Points(), settings, evaluate=error, run=run)
            assert fitted.resume() == []
            assert fitted.iteration in (14, 15)  # of the interval, or of a better evaluation
        fitted.fit()
        state = fitted.state_dict()
        for timing in ("seconds", "reported", "metrics_size"):
            del state["trainer"][timing]
        digests.append((checkpoint.digest(state), run.metrics_digest()))
    assert digests[0] == digests[1]


def test_resume_says_what_it_cannot_promise(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    trainer(run).fit()
    again = trainer(run, threads=7)
    assert any("threads" in doubt for doubt in again.resume())


def test_a_damaged_checkpoint_is_passed_over_with_a_sentence(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    fitted = trainer(run)
    fitted._evaluate = None
    fitted.fit()
    newest, older = checkpoint.steps(run.checkpoints)[:2]
    file = newest / "networks.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    again = trainer(run)
    (doubt,) = again.resume()
    assert newest.name in doubt and "networks.safetensors" in doubt
    assert f"step-{again.iteration:06d}" == older.name


def test_two_trainers_cannot_share_a_run(tmp_path: Path) -> None:
    first, second = run_folder(tmp_path / "run"), RunFolder.open(tmp_path / "run")
    first.lock()
    with pytest.raises(CheckpointError, match=f"process {os.getpid()}"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_saves_and_leaves(number: signal.Signals, tmp_path: Path) -> None:
    class Send(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.iteration == 3:
                os.kill(os.getpid(), number)

    run = run_folder(tmp_path / "run")
    outside = signal.signal(number, signal.SIG_DFL)  # a background job ignores some
    try:
        with pytest.raises(Interrupted) as caught:
            trainer(run, callbacks=(Send(),)).fit()
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, outside)
    assert caught.value.exit_code == 128 + number
    assert run.pointed("last").name in ("step-000003", "step-000004")


def test_bf16_keeps_weights_in_fp32_and_learns() -> None:
    fitted = trainer(epochs=60, precision="bf16")
    assert fitted.fit()["validation_loss"] < 0.05
    assert fitted.rule.home.weight.dtype == torch.float32


def test_settings_refuse_nonsense() -> None:
    for wrong in ({"epochs": 0}, {"epochs": 1, "steps": 1}, {"keep": 1}, {"ema_decay": 1.0}):
        with pytest.raises(ConfigurationError):
            TrainerSettings(**wrong)


def test_an_unknown_device_is_named() -> None:
    with pytest.raises(UsageError, match="warp"):
        trainer(device="warp")


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_moments_are_loaded_in_the_layout_of_their_weights(optimizer: str) -> None:
    """torch's fused steps read all tensors of a parameter in one order, whatever their strides say."""

    class Filter(Line):
        def __init__(self, layout: torch.memory_format) -> None:
            super().__init__()
            arguments = ("momentum=0.9",) if optimizer == "sgd" else ()
            self.descent = Descent(optimizer=optimizer, learning_rate=0.1, optimizer_arguments=arguments)
            torch.manual_seed(0)
            self.networks = {"filter": torch.nn.Conv2d(3, 4, 2).to(memory_format=layout)}
            self.optimizers = {"filter": self.descent.make_optimizer(self.home)}

        def step(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return descend(self.optimizers["filter"], batch, self.objective, self.descent)

    batch = {"inputs": torch.randn(5, 3, 6, 6), "targets": torch.randn(5, 4, 5, 5)}
    rules = [Filter(torch.contiguous_format), Filter(torch.channels_last)]
    for rule in rules:
        rule.noise = 0.0
        rule.step(batch)
    plain = {part: {"filter": value["filter"]} for part, value in rules[0].state_dict().items() if "filter" in value}
    rules[1].load_state_dict(copy.deepcopy(plain) | {"counters": {}, "tensors": {}})
    for rule in rules:
        rule.step(batch)
    assert torch.allclose(rules[0].home.weight, rules[1].home.weight, atol=1e-5)
