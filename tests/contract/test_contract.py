"""Every system of the index keeps the same promises; a system without a row fails."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.models import INDEX, System, names
from ganglion.runs.session import load, resume, train
from ganglion.settings import to_dict
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder
from tests.contract.rows import ROWS, Row
from tests.warm import WarmProcess

STEPS, KILLED_AT = 40, 20
systems = pytest.mark.parametrize("system", INDEX, ids=names())


def build(system: System, seed: int = 0) -> LearningRule:
    torch.manual_seed(seed)
    module = system.load()
    rule: LearningRule = module.build(module.TINY)
    return rule


def steps(system: System, count: int, seed: int = 0) -> tuple[LearningRule, list[dict[str, float]]]:
    """Return a tiny rule after `count` steps on its row's toy problem, and what it measured."""
    rule, measured = build(system, seed), []
    torch.manual_seed(seed)
    loader = ROWS[system.name].loader()
    while len(measured) < count:
        for batch in loader:
            measured.append({name: float(value) for name, value in rule.step(batch).items()})
            if len(measured) == count:
                break
    return rule, measured


def test_every_system_has_a_row() -> None:
    assert set(ROWS) == set(names())


@systems
def test_measures_a_finite_loss(system: System) -> None:
    _, measured = steps(system, 3)
    assert all("loss" in step for step in measured)
    assert all(torch.isfinite(torch.tensor(list(step.values()))).all() for step in measured)


@systems
def test_measurements_stay_on_the_device_as_scalars(system: System) -> None:
    batch = next(iter(ROWS[system.name].loader()))
    for name, value in build(system).step(batch).items():
        assert isinstance(value, torch.Tensor), name
        assert value.ndim == 0 and not value.requires_grad, name


@systems
def test_every_parameter_gets_a_gradient_or_is_declared_frozen(system: System) -> None:
    rule, reached = build(system), set()
    for _, batch in zip(range(20), ROWS[system.name].loader(), strict=False):
        rule.step(batch)
        for role, network in rule.networks.items():
            for name, parameter in network.named_parameters():
                if parameter.grad is not None and parameter.grad.abs().sum() > 0:
                    reached.add(f"{role}.{name}")
    all_names = {f"{role}.{name}" for role, network in rule.networks.items() for name, _ in network.named_parameters()}
    assert all_names - reached == set(ROWS[system.name].frozen)


@systems
def test_a_phase_changes_only_its_own_network(system: System) -> None:
    rule, batch = build(system), next(iter(ROWS[system.name].loader()))
    for phase in [name for name in dir(rule) if name.endswith("_phase")]:
        before = {role: checkpoint.digest(network.state_dict()) for role, network in rule.networks.items()}
        getattr(rule, phase)(batch)
        after = {role: checkpoint.digest(network.state_dict()) for role, network in rule.networks.items()}
        assert {role for role in before if before[role] != after[role]} == {phase.removesuffix("_phase")}


@systems
def test_counts_the_published_parameters(system: System) -> None:
    if ROWS[system.name].published is None:
        pytest.skip("no count is published for this system")
    fields, count = ROWS[system.name].published
    module = system.load()
    rule = module.build(module.Config(**fields))
    found = [
        sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
        for network in rule.networks.values()
    ]
    assert count in (sum(found), found[0])


@systems
def test_same_seed_same_numbers(system: System) -> None:
    assert steps(system, 5)[1] == steps(system, 5)[1]
    assert steps(system, 5)[1] != steps(system, 5, seed=1)[1]


@systems
def test_learns(system: System) -> None:
    row = ROWS[system.name]
    assert row.measure(build(system)) <= row.threshold < row.measure(steps(system, row.steps)[0])


@systems
def test_a_killed_run_resumes_bit_for_bit(system: System, tmp_path: Path, warm: WarmProcess) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(system.name, ROWS[system.name].data, out=whole, **options(system, ROWS[system.name]))
    assert warm.run("tests.contract.test_contract:start", system.name, killed).status == -signal.SIGKILL
    if is_first_of_its_rule(system):  # what a process remembers, a new one does not
        assert python("from ganglion.runs.session import resume; resume(sys.argv[1])", killed) == 0
    else:
        continued = warm.run("tests.contract.test_contract:go_on", killed)
        assert continued.status == 0, continued.errors
    assert final_digests(killed) == final_digests(whole)


@systems
def test_a_run_gives_its_network_back(system: System, tmp_path: Path) -> None:
    run = train(system.name, ROWS[system.name].data, out=tmp_path / "run", **options(system, ROWS[system.name]))
    network = load(run.folder)
    assert not network.training
    weights = checkpoint.load(RunFolder.open(run.folder).pointed("best"), ("weights",))["weights"]
    assert checkpoint.digest(network.state_dict()) == checkpoint.digest(weights)
    assert run.task.state() == run.prepared_task().state()
    assert {"score", "baseline", "seconds", "parameters"} <= set(run.result)
    assert run.figures and (run.folder / "report.html").exists()
    assert run.history[-1]["step"] == STEPS


def options(system: System, row: Row) -> dict[str, object]:
    fields = to_dict(system.load().TINY)
    every = {"steps": STEPS, "checkpoint_every": KILLED_AT, "evaluate_every": 15, "report_every": 7, "threads": 1}
    return {**fields, "batch_size": 16, **every, "ema_decay": 0.9, **row.options}


def start(name: str, out: str) -> None:
    """Train until the first checkpoint has been written, and die there."""
    from ganglion.training.trainer import Callback, Trainer

    class Killer(Callback):
        def on_step(self, trainer: Trainer) -> None:
            if trainer.iteration == KILLED_AT + 3:
                os.kill(os.getpid(), signal.SIGKILL)

    system = next(system for system in INDEX if system.name == name)
    train(name, ROWS[name].data, out=out, callbacks=[Killer()], **options(system, ROWS[name]))


def go_on(folder: str) -> None:
    resume(folder)


def is_first_of_its_rule(system: System) -> bool:
    kinds = [type(build(other)) for other in INDEX]
    return kinds.index(type(build(system))) == names().index(system.name)


def python(code: str, *arguments: object) -> int:
    """Run code in a fresh process and return its exit status."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", f"import sys; {code}", *map(str, arguments)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    if done.returncode > 0:
        print(done.stderr)
    return done.returncode


def final_digests(folder: Path) -> tuple[str, str]:
    """Return the SHA-256 of the last checkpoint's state and of the metric log, both without timings."""
    files = RunFolder.open(folder)
    state = checkpoint.load(files.pointed("last"))
    for name in ("seconds", "reported", "metrics_size"):
        del state["trainer"][name]
    return checkpoint.digest(state), files.metrics_digest()
