"""descend(): micro-batches, clipping, ownership and refusal, against plain torch."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError, NonFiniteError
from ganglion.rules.descend import Descent, apply_gradients, descend
from ganglion.rules.optimizers import FUSED, OPTIMIZERS


def problem(seed: int = 0) -> tuple[nn.Linear, dict[str, torch.Tensor]]:
    torch.manual_seed(seed)
    return nn.Linear(4, 2), {"inputs": torch.randn(10, 4), "targets": torch.randn(10, 2)}


def objective_of(network: nn.Module):
    return lambda batch: {"loss": (network(batch["inputs"]) - batch["targets"]).square().mean()}


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"lbfgs"}))
def test_equals_the_optimizer_of_torch(name: str) -> None:
    (ours, batch), (theirs, _) = problem(), problem()
    descent = Descent(optimizer=name, learning_rate=0.01)
    torchs = next(cls for key, cls in vars(torch.optim).items() if key.lower() == name and isinstance(cls, type))
    optimizer, reference = descent.make_optimizer(ours), torchs(theirs.parameters(), lr=0.01)
    for _ in range(5):
        descend(optimizer, batch, objective_of(ours), descent)
        reference.zero_grad()
        objective_of(theirs)(batch)["loss"].backward()
        reference.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)
    assert not torch.equal(ours.weight, problem()[0].weight)


def test_lbfgs_solves_least_squares() -> None:
    network, batch = problem()
    descent = Descent(optimizer="lbfgs", learning_rate=1.0)
    optimizer = descent.make_optimizer(network)
    for _ in range(5):
        descend(optimizer, batch, objective_of(network), descent)
    design = torch.cat([batch["inputs"], torch.ones(10, 1)], 1)
    solution = torch.linalg.lstsq(design, batch["targets"]).solution
    assert torch.allclose(network.weight, solution[:4].T, atol=1e-3)


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_micro_batches_make_the_same_update(count: int) -> None:
    (whole, batch), (parts, _) = problem(), problem()
    for network, descent in ((whole, Descent()), (parts, Descent(accumulate=count))):
        measured = descend(descent.make_optimizer(network), batch, objective_of(network), descent)
    assert torch.allclose(whole.weight.grad, parts.weight.grad, atol=1e-6)
    assert float(measured["loss"]) == pytest.approx(objective_of(problem()[0])(batch)["loss"].item(), rel=1e-5)


def test_only_the_optimizers_own_network_gets_a_gradient() -> None:
    (first, batch), (second, _) = problem(), problem(1)
    descent = Descent()
    joint = lambda part: {"loss": (first(part["inputs"]) * second(part["inputs"])).mean()}  # noqa: E731
    descend(descent.make_optimizer(second), batch, joint, descent)
    assert first.weight.grad is None and second.weight.grad is not None


def test_clipping() -> None:
    network, batch = problem()
    for descent in (Descent(clip_norm=0.1), Descent(clip_value=0.02)):
        descend(descent.make_optimizer(network), batch, objective_of(network), descent)
        flat = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
        if descent.clip_norm:
            assert float(flat.norm()) == pytest.approx(0.1, rel=1e-4)
        else:
            assert float(flat.abs().max()) == pytest.approx(0.02)


@pytest.mark.parametrize("spoil", ["loss", "gradient"])
def test_bad_numbers_stop_before_the_update(spoil: str) -> None:
    network, batch = problem()
    before = network.weight.detach().clone()
    descent = Descent(learning_rate=0.25)

    def objective(part: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        outputs = network(part["inputs"])
        return {"loss": outputs.mean() / 0 if spoil == "loss" else (outputs * 0).abs().sqrt().sum()}

    with pytest.raises(NonFiniteError) as caught:
        descend(descent.make_optimizer(network), batch, objective, descent)
    assert torch.equal(network.weight, before)
    assert "0.25" in caught.value.found
    assert spoil == "loss" or "weight" in caught.value.where


@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("spoil", ["loss", "gradient"])
def test_a_guarded_optimizer_stands_still_from_the_first_bad_number_on(name: str, spoil: str) -> None:
    """What a device does by itself, without anybody waiting for it."""
    (network, batch), (unguarded, _) = problem(), problem()
    descent = Descent(optimizer=name, learning_rate=0.1)
    optimizer, reference = descent.make_optimizer(network), descent.make_optimizer(unguarded)
    guard = optimizer.found_inf = torch.zeros(())

    def bad(part: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        outputs = network(part["inputs"])
        return {"loss": outputs.mean() / 0 if spoil == "loss" else (outputs * 0).abs().sqrt().sum()}

    descend(optimizer, batch, objective_of(network), descent)
    descend(reference, batch, objective_of(unguarded), descent)
    assert float(guard) == 0 and torch.equal(network.weight, unguarded.weight)
    for objective in (bad, objective_of(network)):
        descend(optimizer, batch, objective, descent)
        assert float(guard) == 1 and torch.equal(network.weight, unguarded.weight)
    assert "found_inf" not in optimizer.state_dict()


def test_making_and_using_optimizers_imports_no_compiler() -> None:
    program = """
import sys, torch
from ganglion.rules.descend import Descent, apply_gradients
from ganglion.rules.optimizers import OPTIMIZERS
for name in OPTIMIZERS:
    if name != "lbfgs":
        network, descent = torch.nn.Linear(2, 2), Descent(optimizer=name)
        optimizer = descent.make_optimizer(network)
        apply_gradients(optimizer, [torch.ones(2, 2), torch.ones(2)], descent)
        optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_hand_made_gradients_are_applied() -> None:
    network, _ = problem()
    before = network.weight.detach().clone()
    descent = Descent(optimizer="sgd", learning_rate=0.5)
    apply_gradients(descent.make_optimizer(network), [torch.ones(2, 4), torch.zeros(2)], descent)
    assert torch.allclose(network.weight, before - 0.5)


def test_gradients_by_hand_may_be_products_in_sixteen_bits() -> None:
    network, descent = nn.Linear(4, 2), Descent(optimizer="sgd", learning_rate=0.5)
    before = network.weight.detach().clone()
    slopes = [torch.ones(2, 4, dtype=torch.bfloat16), torch.zeros(2)]
    apply_gradients(descent.make_optimizer(network), slopes, descent)
    torch.testing.assert_close(network.weight.detach(), before - 0.5)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"optimizer_arguments": ("momentun=0.9",)}, "did you mean 'momentum'"),
        ({"optimizer_arguments": ("momentum",)}, "name=value"),
        ({"optimizer_arguments": ("momentum=open('x')",)}, "cannot read the value"),
        ({"optimizer_arguments": ("momentum=-1",)}, "refuses"),
        ({"optimizer_arguments": ("nesterov=True",)}, "refuses"),
    ],
)
def test_wrong_arguments_are_explained(fields: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text.replace("(", r"\(")):
        Descent(optimizer="sgd", **fields).make_optimizer(problem()[0])


def test_momentum_and_nesterov_reach_the_optimizer() -> None:
    descent = Descent(optimizer="sgd", optimizer_arguments=("momentum=0.9", "nesterov=True"), weight_decay=0.1)
    group = descent.make_optimizer(problem()[0]).param_groups[0]
    assert (group["momentum"], group["nesterov"], group["weight_decay"]) == (0.9, True, 0.1)
