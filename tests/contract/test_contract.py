"""Every system of the index keeps the same promises; a system without a row fails."""

import hashlib
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.models import INDEX, System, find
from ganglion.runs.opening import without_numbers
from ganglion.runs.run import Run, open_run
from ganglion.runs.session import train
from ganglion.runs.writing import NAMING
from ganglion.tasks.answers import Answer, Images, Rows
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder
from tests.contract.rows import Row, row_of, tiny_fields
from tests.warm import WarmProcess, run_fresh

STEPS, KILLED_AT = 24, 12
FIRST_OF_FAMILY = {system.family: system for system in reversed(INDEX)}
# One worker has all tests of a system, which share what they make.

ALIKE = (
    *("mlp", "face-pose", "lenet5", "convnet", "tiled-convnet", "alexnet", "vgg", "googlenet", "resnet", "xception"),
    *("efficientnet", "lstm-forecaster", "word-rnn", "document-classifier", "conv-autoencoder", "dcgan", "cgan"),
    *("pix2pix", "stylegan", "wgan", "rbm-recommender"),
)
"""Systems that learn by the rule and on the task of others: whole runs of theirs are made by `make test-full`."""


def each(of_full: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Put every system to a test, some of them in `make test-full` only."""
    every = []
    for system in INDEX:
        marks = [pytest.mark.xdist_group(system.name), *[pytest.mark.full] * (system.name in of_full)]
        every.append(pytest.param(system, id=system.name, marks=marks))
    return pytest.mark.parametrize("system", every)


systems, whole_runs = each(), each(ALIKE)


def build(system: System, seed: int = 0) -> LearningRule:
    torch.manual_seed(seed)
    module = system.load()
    rule: LearningRule = module.build(module.TINY)
    return rule


def steps(system: System, count: int, seed: int = 0) -> tuple[LearningRule, list[dict[str, float]]]:
    """Return a tiny rule after `count` steps on its row's toy problem, and what it measured."""
    rule, measured = build(system, seed), []
    torch.manual_seed(seed)
    loader = row_of(system).loader()
    while len(measured) < count:
        for batch in loader:
            measured.append({name: float(value) for name, value in rule.step(batch).items()})
            if len(measured) == count:
                break
    return rule, measured


@systems
def test_exemptions_name_promises_and_say_why(system: System) -> None:
    promises = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    exempt = row_of(system).exempt
    assert set(exempt) <= promises and all(len(reason.split()) > 2 for reason in exempt.values())


@systems
def test_measures_a_finite_loss(system: System, row: Row) -> None:
    _, measured = steps(system, 3)
    assert all("loss" in step for step in measured)
    assert all(torch.isfinite(torch.tensor(list(step.values()))).all() for step in measured)


@systems
def test_measurements_stay_on_the_device_as_scalars(system: System, row: Row) -> None:
    for name, value in build(system).step(next(iter(row.loader()))).items():
        assert isinstance(value, Tensor), name
        assert value.ndim == 0 and not value.requires_grad, name


@systems
def test_every_parameter_gets_a_gradient_or_is_declared_frozen(system: System, row: Row) -> None:
    rule, reached = build(system), set()
    for _, batch in zip(range(20), row.loader(), strict=False):
        rule.step(batch)
        for role, network in rule.networks.items():
            for name, parameter in network.named_parameters():
                if parameter.grad is not None and parameter.grad.abs().sum() > 0:
                    reached.add(f"{role}.{name}")
    all_names = {f"{role}.{name}" for role, network in rule.networks.items() for name, _ in network.named_parameters()}
    assert all_names - reached == set(row.frozen)


@systems
def test_each_player_changes_only_its_own_networks(system: System, row: Row) -> None:
    check_players(build(system), row.loader)


@systems
def test_each_stretch_changes_only_its_own_networks(system: System, row: Row) -> None:
    check_stretches(build(system), row.loader)


@systems
def test_counts_parameters_as_published(system: System, row: Row) -> None:
    for fields, role, count in row.counts:
        rule, _ = without_numbers(system, system.load().Config(**fields))
        networks = rule.networks.values() if role is None else [rule.networks[role]]
        parameters = [parameter for network in networks for parameter in network.parameters()]
        assert sum(parameter.numel() for parameter in parameters if parameter.requires_grad) == count, (fields, role)


@systems
def test_same_seed_same_numbers(system: System, row: Row) -> None:
    assert steps(system, 5)[1] == steps(system, 5)[1]
    assert steps(system, 5)[1] != steps(system, 5, seed=1)[1]


@systems
def test_learns(system: System, row: Row) -> None:
    assert row.measure(build(system)) <= row.threshold < row.measure(steps(system, row.steps)[0])


@systems
def test_exports_what_it_computes(system: System, row: Row) -> None:
    """For any number of samples, from the examples of the models file; of a sequence few steps, each of which costs."""
    module = system.load()
    config = replace(module.TINY, window=4) if hasattr(module.TINY, "window") else module.TINY
    for role, network in home_of(module.build(config)).items():
        usual = module.examples(config)[role]
        dynamic = tuple({0: torch.export.Dim.DYNAMIC} for _ in usual)
        with torch.no_grad():
            exported = torch.export.export(network.eval(), some(3, usual), dynamic_shapes=dynamic).module()
            for count in (3, 5):
                inputs = some(count, usual)
                torch.testing.assert_close(exported(*inputs), network(*inputs))


@whole_runs
def test_a_killed_run_resumes_bit_for_bit(
    system: System, row: Row, whole: Path, tmp_path: Path, warm: WarmProcess
) -> None:
    """In a child of a warm process; once for every family in a fresh one, which remembers nothing."""
    assert warm.run("tests.contract.test_contract:start", system.name, tmp_path / "run").status == -signal.SIGKILL
    if system is FIRST_OF_FAMILY[system.family]:
        run_fresh("tests.contract.killed:go_on", tmp_path / "run")
    else:
        continued = warm.run("tests.contract.killed:go_on", tmp_path / "run")
        assert continued.status == 0, continued.errors
    assert final_digests(tmp_path / "run") == final_digests(whole)


@whole_runs
def test_a_run_gives_its_network_back(system: System, row: Row, whole: Path) -> None:
    run = open_run(whole)
    network = run.network
    assert not network.training
    weights = checkpoint.load(RunFolder.open(run.folder).pointed("best"), ("weights",))["weights"]
    assert checkpoint.digest(network.state_dict()) == checkpoint.digest(weights)
    rule, prepared = system.load().build(run.config), run.prepared_task()
    if rule.phases:
        rule.begin(rule.phases[-1])
    rule.home.load_state_dict(network.state_dict())
    prepared.calibrate(rule)
    assert run.task.state() == prepared.state()
    assert {"score", "baseline", "seconds", "parameters"} <= set(run.result)
    assert run.figures and (run.folder / "report.html").exists()
    assert run.history[-1]["step"] == STEPS


@whole_runs
def test_a_run_measures_only_what_its_task_declares(system: System, row: Row, whole: Path) -> None:
    run = open_run(whole)
    declared = {measure.name for measure in run.task.measures}
    judged = {name.removeprefix("validation_") for row in run.history for name in row if name.startswith("validation_")}
    assert run.result["score_name"] in declared
    assert set(run.metrics) | set(run.result["baseline_metrics"]) | judged <= declared


@whole_runs
def test_answers_depend_on_nothing_else_that_is_asked(system: System, row: Row, whole: Path) -> None:
    """Of pictures, and of what is drawn; of rows, texts and series in `tests/tasks/test_alone.py`."""
    run = open_run(whole)
    for verb, question in run.task.questions.items():
        fields = question.__dataclass_fields__
        if {"count", "seed"} <= fields.keys() and not fields.keys() & {"start", "inputs"}:
            assert said(run.answer(verb, count=5, seed=3))[:2] == said(run.answer(verb, count=2, seed=3))
        if verb == "predict" and fields.get("inputs") and (pictures := pictures_of(run)):
            alone = [said(run.answer(verb, inputs=[picture])) for picture in pictures]
            assert sorted(said(run.answer(verb, inputs=pictures))) == sorted(chain(*alone))
            assert sorted(said(run.answer(verb, inputs=pictures[1:3]))) == sorted(alone[1] + alone[2])


@pytest.mark.full
def test_systems_said_to_be_alike_are() -> None:
    known: set[Any] = set()
    for system in INDEX:
        rule = type(without_numbers(system, system.load().TINY)[0])
        assert system.name not in ALIKE or {rule, system.task} <= known, system.name
        known |= {rule, system.task} if system.name not in ALIKE else set()


def pictures_of(run: Run) -> list[np.ndarray]:
    """Return the first test pictures of what a run learnt from; none where that is no pictures."""
    held = run.prepared_task()
    data = getattr(held, "data", None)
    name = next((name for name in ("inputs", "targets") if data and name in data.chosen), None)
    if data is None or name is None or data.raw("test", name).kind != "images":
        return []
    values = data.raw("test", name).values
    return [values[place] for place in range(min(4, len(values)))]


def said(answer: Answer) -> list[str]:
    """Return what an answer says of each thing, without the number of its place."""
    if isinstance(answer, Images):
        return [hashlib.sha256(np.ascontiguousarray(picture)).hexdigest() for picture in answer.pixels]
    assert isinstance(answer, Rows)
    return [str({name: value for name, value in row.items() if name not in NAMING}) for row in answer.rows]


def check_players(rule: LearningRule, loader: Callable[[], Any]) -> None:
    """Check that a rule with several optimizers has a phase for each, which changes what that one owns and no more."""
    phases = {name.removesuffix("_phase"): getattr(rule, name) for name in dir(rule) if name.endswith("_phase")}
    if len(rule.optimizers) > 1:
        assert set(phases) == set(rule.optimizers), "each optimizer needs a method that takes its turn alone"
    for player, turn in phases.items():
        batch = next(iter(loader()))
        assert changed(rule, lambda: turn(batch)) == owned(rule, player)  # noqa: B023


def check_stretches(rule: LearningRule, loader: Callable[[], Any]) -> None:
    """Check that in each declared phase of a run those networks change that it trains, and no others."""
    batches = loader()
    for phase in rule.phases:
        rule.begin(phase)
        batches.begin(phase)
        trained = set(phase.roles) or {role for player in rule.optimizers for role in owned(rule, player)}
        taken = zip(range(5), batches, strict=False)
        assert changed(rule, lambda: [rule.step(batch) for _, batch in taken]) == trained, phase  # noqa: B023


def owned(rule: LearningRule, player: str) -> set[str]:
    """Return the roles of the networks whose parameters the optimizer of a player owns; its own where it has none."""
    if player not in rule.optimizers:
        return {player}
    parameters = {id(one) for group in rule.optimizers[player].param_groups for one in group["params"]}
    return {role for role, network in rule.networks.items() if parameters & set(map(id, network.parameters()))}


def changed(rule: LearningRule, action: Callable[[], Any]) -> set[str]:
    """Return the roles of the networks that an action changes."""

    def digests() -> dict[str, str]:
        return {role: checkpoint.digest(network.state_dict()) for role, network in rule.networks.items()}

    before = digests()
    action()
    after = digests()
    return {role for role in before if before[role] != after[role]}


def home_of(rule: LearningRule) -> dict[str, nn.Module]:
    """Return the networks that go home, by role."""
    home = set(rule.home.modules())
    return {role: network for role, network in rule.networks.items() if network in home}


def some(count: int, usual: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return samples like the usual ones: any numbers, but tokens stay what they are, of which all are known."""
    many = (one.expand(count, *one.shape[1:]).clone() for one in usual)
    return tuple(torch.rand_like(one) if one.is_floating_point() else one for one in many)


@pytest.fixture
def whole(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run that nobody killed, trained for the first test that asks for it."""
    folder = tmp_path_factory.getbasetemp() / f"whole-{system.name}"
    if not folder.exists():
        train(system.name, row_of(system).data, out=folder, **options(system))
    return folder


def options(system: System) -> dict[str, Any]:
    fields = tiny_fields(system)
    every = {"steps": STEPS, "checkpoint_every": KILLED_AT, "evaluate_every": 9, "report_every": 4, "threads": 1}
    return {**fields, "batch_size": 16, **every, "ema_decay": 0.9, **row_of(system).options}


def start(name: str, out: str) -> None:
    """Train until the first checkpoint has been written, and die there."""
    from ganglion.training.trainer import Callback, Trainer

    class Killer(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.iteration == KILLED_AT + 3:
                os.kill(os.getpid(), signal.SIGKILL)

    system = find(name)
    train(name, row_of(system).data, out=out, callbacks=[Killer()], **options(system))


def final_digests(folder: Path) -> tuple[str, str]:
    """Return the SHA-256 of the last checkpoint's state and of the metric log, both without timings."""
    files = RunFolder.open(folder)
    state = checkpoint.load(files.pointed("last"))
    for name in ("seconds", "reported", "metrics_size"):
        del state["trainer"][name]
    return checkpoint.digest(state), files.metrics_digest()
