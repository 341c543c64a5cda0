"""Steps that are recorded and played are the steps that would have been made, bit for bit, or are made as ever."""

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Loader
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models import INDEX, System, names
from ganglion.nn.energy.restricted import BernoulliRBM
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.autoencoder.reconstruction import Reconstruction
from ganglion.rules.descend import Descent, descend
from ganglion.rules.energy.contrastive import ContrastiveDivergence
from ganglion.rules.supervised import Supervised
from ganglion.training import checkpoint
from ganglion.training.callback import Callback
from ganglion.training.gpu.capture import REHEARSALS, Capture, capture, objection
from ganglion.training.gpu.guard import Guard
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.contract.rows import row_of
from tests.training.recorder import OnPaper
from tests.training.toys import Line, Points

CPU = torch.device("cpu")
FALLS_BACK = {
    "dqn": "the counter updates",
    "lstm-forecaster": "recurrent layers",
    "char-rnn": "recurrent layers",
    "sentiment": "recurrent layers",
    "elman-tagger": "recurrent layers",
    "jordan": "recurrent layers",
    "translator": "recurrent layers",
    "document-classifier": "recurrent layers",
    "music-rnn": "recurrent layers",
    "word-rnn": "recurrent layers",
    "captioner": "recurrent layers",
    "chatbot": "recurrent layers",
    "spoken-words": "recurrent layers",
    "convlstm": "recurrent layers",
    "sketch-rnn": "recurrent layers",
    "video-classifier": "recurrent layers",
    "sequence-autoencoder": "recurrent layers",
    "trader": "the counter updates",
    "rbf": "the counter seen",
    "mdp": "the counter sweeps",
    "wgan": "the counter batches_since_generator",
    "q-table": "the host waits",
    "stylegan": "the counter steps_since_penalty",
    "colouriser": "the host waits",
    "face-detector": "the host waits",
    "rbm-recommender": "the host waits",
    "cgan": "the host waits",
    "dbn": "the host waits",
    "dbm": "the counter updates",
}
"""Systems of which the steps of a phase, or of the whole run, are made as ever, and why; all others are recorded."""


class Heard(Callback):
    """Remembers the rows that were reported and what was said."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []

    def on_report(self, trainer: Trainer) -> None:
        self.rows.append({name: value for name, value in trainer.row.items() if "second" not in name})

    def on_note(self, trainer: Trainer, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations of torch alone, and a device that looks at numbers that are not finite itself."""

    def shorten(gradients: list[Tensor], length: float, norm: Tensor) -> None:
        torch._foreach_mul_(gradients, (length / (norm + 1e-6)).clamp(max=1.0))

    monkeypatch.setattr("ganglion.rules.descend.shorten", shorten)
    monkeypatch.setattr("ganglion.rules.descend.clipped_adam_step", lambda *_: None, raising=False)
    monkeypatch.setenv("GANGLION_FAST", "0")
    monkeypatch.setattr("ganglion.training.learner.guard", lambda optimizers, device: Guard(optimizers, device))


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> OnPaper:
    """Have trainers record on paper."""
    paper = OnPaper()

    def on_paper(rule: LearningRule, device: torch.device, settings: TrainerSettings, guarded: bool, tell: Any) -> Any:
        return Capture(rule, rule.step, paper, device, tell, objection(rule, settings, guarded))

    monkeypatch.setattr("ganglion.training.learner.capture", on_paper)
    return paper


def eager(trainer: Trainer) -> Trainer:
    """Have a trainer make all steps as ever, those of phases that are to come among them."""
    learner, begin_anew = trainer.learner, trainer.learner.begin_anew

    def without_capture(tell: Callable[[str], None]) -> None:
        begin_anew(tell)
        learner.capture = None

    learner.begin_anew, learner.capture = without_capture, None  # type: ignore[method-assign]
    return trainer


def fitted(rule: LearningRule, loader: Loader, recorded: bool = True, **fields: Any) -> tuple[Trainer, Heard]:
    heard = Heard()
    options: dict[str, Any] = {"device": "cpu", "report_every": 1, **fields}
    settings = TrainerSettings(**options)
    trainer = Trainer(rule, loader, settings, callbacks=[heard])
    torch.manual_seed(3)
    (trainer if recorded else eager(trainer)).fit()
    return trainer, heard


def perceptron(descent: Descent | None = None, dropout: float = 0.0) -> Supervised:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))
    return Supervised(network, descent or Descent(), loss="cross-entropy")


def samples(count: int = 24, batch_size: int = 4) -> InMemoryLoader:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(count, 3, generator=generator)
    return InMemoryLoader({"inputs": inputs, "targets": (inputs.sum(1) > 0).long()}, batch_size, seed=0)


def same(one: Any, other: Any) -> bool:
    return checkpoint.digest(one) == checkpoint.digest(other)


@pytest.mark.parametrize("system", INDEX, ids=names())
def test_every_system_learns_the_same_bits_recorded_or_falls_back(system: System, recorder: OnPaper) -> None:
    def rule() -> LearningRule:
        torch.manual_seed(0)
        module = system.load()
        built: LearningRule = module.build(module.TINY)
        return built

    phases = max(1, len(rule().phases))  # each is another step
    plain, expected = fitted(rule(), row_of(system).loader(), recorded=False, steps=10 * phases)
    assert recorder.rehearsed == 0
    played, heard = fitted(rule(), row_of(system).loader(), steps=10 * phases)
    assert heard.rows == expected.rows
    assert same(played.rule.state_dict(), plain.rule.state_dict())
    assert recorder.recorded + len(heard.notes) == phases and recorder.played >= 2 * recorder.recorded
    assert bool(heard.notes) == (system.name in FALLS_BACK), heard.notes
    assert all(FALLS_BACK[system.name] in note for note in heard.notes), heard.notes


@pytest.mark.parametrize(
    "descent",
    [
        Descent(optimizer="adamw", weight_decay=0.1),
        Descent(optimizer="sgd", optimizer_arguments=("momentum=0.9", "nesterov=True")),
        Descent(optimizer="adagrad"),
        Descent(clip_norm=0.1),
        Descent(clip_value=0.01),
        Descent(accumulate=2),
    ],
    ids=["adamw", "momentum", "adagrad", "norm", "value", "accumulate"],
)
def test_optimizers_clipping_and_micro_batches_play_the_same_bits(descent: Descent, recorder: OnPaper) -> None:
    plain, expected = fitted(perceptron(descent, 0.5), samples(), recorded=False, steps=12)
    played, heard = fitted(perceptron(descent, 0.5), samples(), steps=12)
    assert recorder.played == 12 - REHEARSALS
    assert heard.rows == expected.rows and same(played.state_dict()["networks"], plain.state_dict()["networks"])
    assert same(played.state_dict()["optimizers"], plain.state_dict()["optimizers"])


def test_a_last_short_batch_is_learnt_from_as_ever_and_the_recording_goes_on(recorder: OnPaper) -> None:
    plain, expected = fitted(perceptron(), samples(22, 4), recorded=False, steps=17)  # five of 4, then one of 2
    played, heard = fitted(perceptron(), samples(22, 4), steps=17)
    assert recorder.recorded == 1 and recorder.played == 15 - REHEARSALS
    assert heard.rows == expected.rows and same(played.rule.state_dict(), plain.rule.state_dict())
    gradients = [parameter.grad for parameter in plain.rule.home.parameters()]
    assert all(
        torch.equal(parameter.grad, gradient)  # type: ignore[arg-type]
        for parameter, gradient in zip(played.rule.home.parameters(), gradients, strict=True)
    )


def machine() -> ContrastiveDivergence:
    """A rule with tensors of its own: chains that run on from step to step."""
    torch.manual_seed(0)
    return ContrastiveDivergence(
        BernoulliRBM(3, 4, deviation=2.0), Descent(optimizer="sgd"), persistent=True, num_chains=5
    )


def test_chains_run_on_through_what_is_played_and_what_is_not(recorder: OnPaper) -> None:
    plain, _ = fitted(machine(), samples(22, 4), recorded=False, steps=17)
    played, _ = fitted(machine(), samples(22, 4), steps=17)
    # The first step notes that it was, and is not counted; two of the others are short.
    assert recorder.played == 17 - 1 - REHEARSALS - 2 and same(played.rule.state_dict(), plain.rule.state_dict())


def test_two_networks_whose_buffers_are_put_in_and_out(recorder: OnPaper) -> None:
    def rule() -> Adversarial:
        torch.manual_seed(0)
        generator = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
        judge = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1), nn.Flatten(0))
        return Adversarial(
            generator,
            judge,
            Inputs(noise=Latent("normal", (2,))),
            generator_descent=Descent(),
            discriminator_descent=Descent(),
        )

    plain, _ = fitted(rule(), samples(), recorded=False, steps=9)
    played, _ = fitted(rule(), samples(), steps=9)
    assert recorder.played == 9 - REHEARSALS and same(played.rule.state_dict(), plain.rule.state_dict())


def test_measurements_are_nobody_elses_memory(recorder: OnPaper) -> None:
    rule = perceptron()
    Guard(rule.optimizers.values(), CPU)
    step = Capture(rule, rule.step, recorder, CPU, pytest.fail)
    batches = [next(iter(samples())) for _ in range(8)]
    losses = [step(batch)["loss"] for batch in batches]
    before = [float(loss) for loss in losses]
    step(batches[0])
    assert recorder.played == 9 - REHEARSALS
    assert [float(loss) for loss in losses] == before and len(set(before)) == len(before)


def test_a_run_resumed_in_the_middle_ends_with_the_same_bits(recorder: OnPaper, tmp_path: Path) -> None:
    whole, _ = fitted(perceptron(dropout=0.5), samples(22, 4), steps=20)
    expected = copy.deepcopy(whole.state_dict())
    half, _ = fitted(perceptron(dropout=0.5), samples(22, 4), steps=11)
    state = half.state_dict()
    for captured in (True, False):  # a checkpoint knows nothing of recordings: it goes on with them or without
        resumed = Trainer(
            perceptron(dropout=0.5), samples(22, 4), TrainerSettings(device="cpu", steps=20, report_every=1)
        )
        played = recorder.played
        (resumed if captured else eager(resumed)).load_state_dict(copy.deepcopy(state))
        resumed.fit()
        assert (recorder.played > played) is captured
        for part in ("networks", "optimizers", "random", "loader"):
            assert same(resumed.state_dict()[part], expected[part]), part


def test_a_checkpoint_has_nothing_of_the_recording(recorder: OnPaper) -> None:
    played, _ = fitted(perceptron(), samples(), steps=8)
    plain, _ = fitted(perceptron(), samples(), recorded=False, steps=8)
    kept, expected = (trainer.state_dict()["optimizers"] for trainer in (played, plain))
    assert recorder.played and kept["network"]["param_groups"] == expected["network"]["param_groups"]
    assert not any(group["capturable"] for group in kept["network"]["param_groups"])


def test_loading_a_state_drops_the_recording(recorder: OnPaper) -> None:
    class Loading(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.iteration == 8:
                trainer.load_state_dict(copy.deepcopy(trainer.state_dict()))
                assert trainer.learner.capture is None or trainer.learner.capture._recording is None

    def run(recorded: bool) -> Trainer:
        trainer = Trainer(perceptron(), samples(), TrainerSettings(device="cpu", steps=16), callbacks=[Loading()])
        (trainer if recorded else eager(trainer)).fit()
        return trainer

    plain, played = run(False), run(True)
    assert recorder.rehearsed == 2 * REHEARSALS and recorder.recorded == 2
    assert same(played.rule.state_dict(), plain.rule.state_dict())
    assert (
        played.learner.capture is not None and played.learner.capture._recording is None
    )  # nor is it kept after the end


def test_evaluation_between_steps_disturbs_nothing(recorder: OnPaper) -> None:
    def evaluate(rule: LearningRule) -> dict[str, float]:
        rule.home.eval()
        with torch.no_grad():
            loss = float(rule.home(torch.randn(5, 3)).square().mean())
        rule.home.train()
        return {"loss": loss}

    def run(recorded: bool) -> Trainer:
        fields = {"steps": 12, "evaluate_every": 2, "report_every": 2, "ema_decay": 0.9}
        trainer = Trainer(perceptron(), samples(), TrainerSettings(device="cpu", **fields), evaluate=evaluate)  # type: ignore[arg-type]
        torch.manual_seed(3)
        (trainer if recorded else eager(trainer)).fit()
        return trainer

    plain, played = run(False), run(True)
    assert recorder.played == 12 - REHEARSALS and same(played.rule.state_dict(), plain.rule.state_dict())
    assert played.row["validation_loss"] == plain.row["validation_loss"]


def test_updates_that_the_guard_refuses_are_refused_in_what_is_played(recorder: OnPaper) -> None:
    loader = samples(40, 4)
    bad = loader.order(0)[7 * 4]
    loader.tensors["inputs"][bad] = torch.nan
    with pytest.raises(Exception, match="at step 8;"):
        fitted(perceptron(), loader, steps=10, report_every=10)
    assert recorder.played == 10 - REHEARSALS


def replace_statistics(trainer: Trainer) -> None:
    statistics = trainer.rule.home[1].running_mean  # type: ignore[index]
    statistics.data = statistics.data + 1


Change = Callable[[Trainer], None]


def halve(trainer: Trainer) -> None:
    trainer.rule.optimizers["network"].param_groups[0]["lr"] /= 2


def drop_out(trainer: Trainer) -> None:
    trainer.rule.home[3].p = 0.25  # type: ignore[index]


def replace(trainer: Trainer) -> None:
    weight = trainer.rule.home[0].weight  # type: ignore[index]
    weight.data = 2 * weight.data


def stop_statistics(trainer: Trainer) -> None:
    trainer.rule.home[1].eval()  # type: ignore[index]


@pytest.mark.parametrize("change", [halve, drop_out, replace, replace_statistics, stop_statistics])
def test_what_others_change_between_steps_is_noticed(change: Change, recorder: OnPaper) -> None:
    class Changing(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.iteration == 6:
                change(trainer)

    def run(recorded: bool) -> Trainer:
        settings = TrainerSettings(device="cpu", steps=14)
        trainer = Trainer(perceptron(dropout=0.5), samples(), settings, callbacks=[Changing()])
        torch.manual_seed(3)
        (trainer if recorded else eager(trainer)).fit()
        return trainer

    plain, played = run(False), run(True)
    assert recorder.recorded == 2 and recorder.rehearsed == 2 * REHEARSALS
    assert same(played.rule.state_dict(), plain.rule.state_dict())


def test_who_follows_the_calls_of_a_layer_sees_every_one(recorder: OnPaper) -> None:
    rule, calls = perceptron(), []

    class Looking(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.iteration == 6:
                self.hook = rule.home[0].register_forward_hook(lambda *_: calls.append(trainer.iteration))  # type: ignore[index]
            if trainer.iteration == 9:
                self.hook.remove()

    Trainer(rule, samples(), TrainerSettings(device="cpu", steps=12), callbacks=[Looking()]).fit()
    assert calls == [6, 7, 8] and recorder.played == 12 - REHEARSALS - 3


class Odd(LearningRule):
    """A rule whose step does one more thing than descend."""

    def __init__(self, act: "Callable[[Odd, dict[str, Any]], object]") -> None:
        torch.manual_seed(0)
        self.networks = {"line": nn.Linear(3, 2)}
        self.optimizers = {"line": Descent().make_optimizer(self.home)}
        self.counters = {"steps": 0}
        self.tensors: dict[str, Tensor] = {}
        self.act, self.seen, self.last = act, 0, torch.zeros(())

    def step(self, batch: Batch) -> dict[str, Tensor]:
        measured = descend(self.optimizers["line"], batch, self.objective, Descent())
        self.act(self, measured)
        return measured

    def objective(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.home(batch["inputs"]).square().mean()}


def by_python(rule: Odd, measured: dict[str, Any]) -> None:
    random.random()


def by_numpy(rule: Odd, measured: dict[str, Any]) -> None:
    np.random.rand()


def count(rule: Odd, measured: dict[str, Any]) -> None:
    rule.counters["steps"] += 1


def note_number(rule: Odd, measured: dict[str, Any]) -> None:
    rule.seen += 1


def note_tensor(rule: Odd, measured: dict[str, Any]) -> None:
    rule.last = measured["loss"]


def note_in_layer(rule: Odd, measured: dict[str, Any]) -> None:
    rule.home.calls = getattr(rule.home, "calls", 0) + 1  # type: ignore[assignment]


def measure_number(rule: Odd, measured: dict[str, Any]) -> None:
    measured["seen"] = 1.0


def measure_elsewhere(rule: Odd, measured: dict[str, Any]) -> None:
    measured["seen"] = torch.zeros((), device="meta")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (by_python, "Python's random numbers"),
        (by_numpy, "NumPy's random numbers"),
        (count, "the counter steps"),
        (note_number, "seen of Odd"),
        (note_tensor, "last of Odd"),
        (note_in_layer, "calls of Linear"),
        (measure_number, "tensor on the device"),
        (measure_elsewhere, "tensor on the device"),
    ],
)
def test_a_step_that_leaves_traces_on_the_host_is_made_as_ever(act: Any, reason: str, recorder: OnPaper) -> None:
    said: list[str] = []
    rule = Odd(act)
    Guard(rule.optimizers.values(), CPU)
    step = Capture(rule, rule.step, recorder, CPU, said.append)
    batch = next(iter(samples()))
    for _ in range(3 * REHEARSALS):
        step(batch)
    assert recorder.recorded == 0 and len(said) == 1 and reason in said[0]
    assert recorder.rehearsed == REHEARSALS  # and then nobody looks any more


def test_numbers_drawn_on_the_cpu_rule_out_a_recording(recorder: OnPaper) -> None:
    said: list[str] = []
    rule = perceptron(dropout=0.5)
    Guard(rule.optimizers.values(), CPU)
    step = Capture(rule, rule.step, recorder, torch.device("cuda"), said.append)
    for _ in range(6):
        step(next(iter(samples())))
    assert recorder.recorded == 0 and "the random numbers of the CPU" in said[0]


def test_a_host_that_waits_within_the_step_rules_out_a_recording(recorder: OnPaper) -> None:
    said: list[str] = []
    rule = perceptron()  # without a guard: the host looks whether loss and gradient are finite
    step = Capture(rule, rule.step, recorder, CPU, said.append)
    for _ in range(6):
        step(next(iter(samples())))
    assert recorder.recorded == 0 and "called a synchronizing operation" in said[0]


def test_what_is_made_in_the_first_step_only_does_not_rule_it_out(recorder: OnPaper) -> None:
    def act(rule: Odd, measured: dict[str, Any]) -> None:
        rule.seen = 1

    rule = Odd(act)
    Guard(rule.optimizers.values(), CPU)
    step = Capture(rule, rule.step, recorder, CPU, pytest.fail)
    for _ in range(8):
        step(next(iter(samples())))
    assert recorder.rehearsed == 1 + REHEARSALS and recorder.played == 8 - 1 - REHEARSALS


def test_a_recording_that_fails_leaves_everything_as_it_was(recorder: OnPaper) -> None:
    recorder.fails = True
    plain, expected = fitted(perceptron(dropout=0.5), samples(), recorded=False, steps=9)
    played, heard = fitted(perceptron(dropout=0.5), samples(), steps=9)
    assert recorder.recorded == 1 and recorder.played == 0
    assert len(heard.notes) == 1 and "operation not permitted when stream is capturing" in heard.notes[0]
    assert heard.rows == expected.rows
    for part in ("networks", "optimizers", "random"):
        assert same(played.state_dict()[part], plain.state_dict()[part])


def test_a_recording_that_fails_puts_back_chains_that_had_moved_on(recorder: OnPaper) -> None:
    recorder.fails = True
    said: list[str] = []
    rule, batch = machine(), next(iter(samples()))
    Guard(rule.optimizers.values(), CPU)
    step = Capture(rule, rule.step, recorder, CPU, said.append)
    for _ in range(2):
        step(batch)
    before, drawn = copy.deepcopy(rule.state_dict()), torch.get_rng_state()
    assert step._record(batch, ()) is None and len(said) == 1
    assert same(rule.state_dict(), before) and torch.equal(torch.get_rng_state(), drawn)
    assert all(parameter.grad is None for parameter in rule.home.parameters())


def test_a_step_that_does_something_else_when_it_is_recorded_is_not_played(recorder: OnPaper) -> None:
    made: list[int] = []

    def act(rule: Odd, measured: dict[str, Any]) -> None:
        made.append(1)
        rule.counters["steps"] = len(made) // (REHEARSALS + 1)

    said: list[str] = []
    rule = Odd(act)
    Guard(rule.optimizers.values(), CPU)
    step = Capture(rule, rule.step, recorder, CPU, said.append)
    for _ in range(REHEARSALS):
        step(next(iter(samples())))
    before = copy.deepcopy(rule.state_dict())
    assert step._record(next(iter(samples())), ()) is None and same(rule.state_dict(), before)
    step(next(iter(samples())))
    assert recorder.recorded == 1 and recorder.played == 0 and "when it was recorded" in said[0]


def test_batches_that_are_never_alike_are_given_up(recorder: OnPaper) -> None:
    said: list[str] = []
    rule = perceptron()
    Guard(rule.optimizers.values(), CPU)
    step = Capture(rule, rule.step, recorder, CPU, said.append)
    for size in range(2, 40):
        step({"inputs": torch.randn(size, 3), "targets": torch.zeros(size, dtype=torch.long)})
    assert recorder.recorded == 0 and recorder.rehearsed < 38 and "too many forms" in said[0]


@pytest.mark.parametrize(
    ("settings", "guarded", "reason"),
    [
        (TrainerSettings(steps=1), True, ""),
        (TrainerSettings(steps=1, schedule="step"), True, ""),
        (TrainerSettings(steps=1, schedule="cosine"), True, "the cosine schedule"),
        (TrainerSettings(steps=1, non_finite="skip"), False, "--non-finite skip"),
        (TrainerSettings(steps=1, non_finite="roll-back"), False, "--non-finite roll-back"),
        (TrainerSettings(steps=1), False, "hold back the updates of Adam"),
    ],
)
def test_what_is_known_before_the_first_step(settings: TrainerSettings, guarded: bool, reason: str) -> None:
    found = objection(Line(), settings, guarded)
    assert reason in found and bool(found) == bool(reason)
    recurrent = Reconstruction(nn.Sequential(nn.RNN(3, 3)), Descent())
    assert "recurrent" in objection(recurrent, TrainerSettings(steps=1), guarded=True)


def test_a_warm_up_is_waited_for_and_steps_of_a_schedule_are_recorded_each(recorder: OnPaper) -> None:
    fields: dict[str, Any] = {"steps": 20, "warmup_steps": 4, "schedule": "step", "schedule_every": 8}
    plain, expected = fitted(perceptron(), samples(), recorded=False, **fields)
    played, heard = fitted(perceptron(), samples(), **fields)
    assert recorder.recorded == 2 and heard.notes == [] and heard.rows == expected.rows
    assert same(played.rule.state_dict(), plain.rule.state_dict())


def test_why_steps_are_not_recorded_is_said_in_the_log_of_the_run(recorder: OnPaper, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "line", {})
    Trainer(Line(), Points(), TrainerSettings(device="cpu", epochs=2), run=run).fit()
    run.unlock()
    assert (run.path / "log.txt").read_text().count("not recorded as a CUDA graph: a step changes the counter") == 1


def test_there_is_nothing_of_it_on_a_cpu_or_where_it_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainerSettings(steps=1)
    assert capture(Line(), torch.device("cuda"), settings, True, print) is None
    monkeypatch.setenv("GANGLION_CAPTURE", "1")
    assert capture(Line(), CPU, settings, True, print) is None
