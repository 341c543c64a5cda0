"""Everything that can be added to the plain game: penalties, clipping, conditions, extra losses, pools, sharing."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganglion.core import Batch, Phase, Players
from ganglion.errors import ConfigurationError
from ganglion.nn.adversarial.spectral import spectrally_normalised
from ganglion.rules.adversarial.extras import Extra, Perceptual, ToTarget
from ganglion.rules.adversarial.games import game
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent

NOISE, CONDITION, VALUES = 2, 3, 4
SGD = Descent(optimizer="sgd", learning_rate=0.1)
CONDITIONAL = Inputs(noise=Latent("normal", (NOISE,)), generator=("hint",), discriminator=("hint",))
TRANSLATION = Inputs(real="target", generator=("hint",), discriminator=("hint",))


class Joined(nn.Module):
    """Layers on all arguments side by side; notes what it was called with."""

    def __init__(self, features: int, out_features: int, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, 6), nn.Tanh(), nn.Linear(6, out_features), *layers)
        self.calls: list[tuple[Tensor, ...]] = []

    def forward(self, *inputs: Tensor) -> Tensor:
        self.calls.append(tuple(tensor.detach() for tensor in inputs))
        return self.layers(torch.cat(inputs, dim=1))


def conditional(inputs: Inputs = CONDITIONAL, descent: Descent = SGD, **options: Any) -> Adversarial:
    """Return a rule whose options are told apart: those of the game, and those of the rule."""
    torch.manual_seed(0)
    settings = {name: options.pop(name) for name in list(options) if name in GameSettings.__dataclass_fields__}
    generator = Joined((NOISE if inputs.noise else 0) + CONDITION, VALUES)
    discriminator = Joined(VALUES + CONDITION * len(inputs.discriminator), 1, nn.Flatten(0))
    return Adversarial(
        generator,
        discriminator,
        inputs,
        GameSettings(**settings),
        generator_descent=descent,
        discriminator_descent=descent,
        **options,
    )


def batch_of(seed: int = 0, count: int = 6) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    hint, target = torch.randn(count, CONDITION, generator=draw), torch.randn(count, VALUES, generator=draw)
    return {"inputs": target, "target": target, "hint": hint, "index": torch.arange(count)}


def state(rule: Adversarial) -> dict[str, Tensor]:
    networks = rule.networks.items()
    return {f"{role}.{name}": value.clone() for role, net in networks for name, value in net.state_dict().items()}


def moved(rule: Adversarial, before: dict[str, Tensor]) -> set[str]:
    """Return the roles of networks that are no longer as they were."""
    return {name.split(".")[0] for name, value in state(rule).items() if not torch.equal(value, before[name])}


def gradients(network: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters())))


def descended(before: dict[str, Tensor], role: str, found: list[Tensor]) -> list[Tensor]:
    """Return the parameters of a role after one step of plain gradient descent."""
    own = [value for name, value in before.items() if name.startswith(role)]
    return [value - 0.1 * gradient for value, gradient in zip(own, found, strict=True)]


def test_conditions_reach_both_players_beside_noise_and_samples() -> None:
    rule, batch = conditional(), batch_of()
    rule.step(batch)
    noise, hint = rule.generator.calls[0]
    assert noise.shape == (6, NOISE) and torch.equal(hint, batch["hint"])
    (real, on_real), (generated, on_generated) = rule.discriminator.calls[:2]
    assert torch.equal(real, batch["inputs"]) and not torch.equal(generated, real)
    assert torch.equal(on_real, batch["hint"]) and torch.equal(on_generated, batch["hint"])


def test_an_image_becomes_another_without_noise() -> None:
    rule, batch = conditional(TRANSLATION), batch_of()
    drawn = torch.get_rng_state()
    rule.step(batch)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(len(call) == 1 and torch.equal(call[0], batch["hint"]) for call in rule.generator.calls)


def test_players_see_one_view_of_a_batch() -> None:
    seen = []

    def doubled(batch: Batch) -> Batch:
        seen.append(len(batch["inputs"]))
        return {**batch, "inputs": 2 * batch["inputs"]}

    noise = Latent("normal", (NOISE,))
    rule, batch = conditional(Inputs(noise=noise, generator=("hint",), view=doubled)), batch_of()
    rule.step(batch)
    assert seen == [6] and torch.equal(rule.discriminator.calls[0][0], 2 * batch["inputs"])
    assert torch.equal(rule.real(batch), 2 * batch["inputs"])


@pytest.mark.parametrize("name", ["hinge", "wasserstein", "least-squares", "minimax"])
def test_every_game_is_played_by_its_losses(name: Any) -> None:
    rule, batch, played = conditional(TRANSLATION, loss=name), batch_of(), game(name)
    before, real, hint = state(rule), batch["target"], batch["hint"]
    generated = rule.generator(hint).detach()
    outputs = rule.discriminator(real, hint), rule.discriminator(generated, hint)
    loss = played.real(outputs[0]) + played.generated(outputs[1])
    expected = descended(before, "discriminator", gradients(rule.discriminator, loss))
    measured = rule.discriminator_phase(batch)
    torch.testing.assert_close(list(rule.discriminator.parameters()), expected)
    torch.testing.assert_close(measured["discriminator_loss"], loss.detach())
    torch.testing.assert_close(measured["real_score"], played.score(outputs[0]).detach())
    loss = played.generator(rule.discriminator(rule.generator(hint), hint))
    expected = descended(before, "generator", gradients(rule.generator, loss))
    torch.testing.assert_close(rule.generator_phase(batch)["generator_loss"], loss.detach())
    torch.testing.assert_close(list(rule.generator.parameters()), expected)


def test_penalty_and_drift_join_the_discriminators_loss() -> None:
    options = {"loss": "wasserstein", "penalty": "r1", "penalty_weight": 3.0, "drift": 0.01}
    rule, batch = conditional(TRANSLATION, **options), batch_of()
    before, hint = state(rule), batch["hint"]
    real = batch["target"].clone().requires_grad_()
    outputs = rule.discriminator(real, hint)
    slope = torch.autograd.grad(outputs.sum(), real, create_graph=True)[0]
    penalty = slope.square().sum(1).mean() / 2
    on_generated = rule.discriminator(rule.generator(hint).detach(), hint)
    loss = on_generated.mean() - outputs.mean()
    whole = loss + 3 * penalty + 0.01 * outputs.square().mean()
    expected = descended(before, "discriminator", gradients(rule.discriminator, whole))
    measured = rule.discriminator_phase(batch)
    torch.testing.assert_close(list(rule.discriminator.parameters()), expected)
    found = (measured["discriminator_loss"], measured["penalty"], measured["loss"])
    torch.testing.assert_close(found, (loss.detach(), penalty.detach(), whole.detach()))


def test_a_lazy_penalty_is_paid_now_and_then_and_so_many_times_as_much() -> None:
    lazy, eager = (conditional(TRANSLATION, penalty="r1", penalty_every=every) for every in (3, 1))
    measured = [lazy.step(batch_of(seed)) for seed in range(6)]
    assert ["penalty" in row for row in measured] == [True, False, False] * 2
    whole = eager.discriminator_phase(batch_of(0))
    torch.testing.assert_close(measured[0]["penalty"], whole["penalty"])
    paid = [(row["loss"] - row["discriminator_loss"]) / row["penalty"] for row in (measured[0], whole)]
    torch.testing.assert_close(torch.stack(paid), torch.tensor([30.0, 10.0]), rtol=1e-4, atol=0)


def test_the_gradient_penalty_looks_between_real_and_generated_samples() -> None:
    rule, batch = conditional(TRANSLATION, penalty="gradient"), batch_of()
    rule.discriminator_phase(batch)
    (real, _), (generated, _), (points, hint) = rule.discriminator.calls
    assert torch.equal(hint, batch["hint"])
    shares = (points - generated) / (real - generated)
    torch.testing.assert_close(shares, shares[:, :1].expand_as(shares), atol=1e-4, rtol=1e-4)
    assert shares.min() >= 0 and shares.max() <= 1 and shares[:, 0].unique().numel() == 6


def test_weights_are_clipped_after_the_discriminators_step_and_no_others() -> None:
    rule = conditional(weight_clip=0.01)
    before = state(rule)
    rule.discriminator_phase(batch_of())
    assert max(parameter.abs().max() for parameter in rule.discriminator.parameters()) <= 0.01
    assert moved(rule, before) == {"discriminator"}


def test_real_samples_with_wrong_conditions_are_told_apart_from_right_ones() -> None:
    rule, batch = conditional(TRANSLATION, mismatched_weight=0.25), batch_of()
    real, hint = batch["target"], batch["hint"]
    played, generated = game("non-saturating"), rule.generator(hint).detach()
    wrong = rule.discriminator(real, torch.cat([hint[-1:], hint[:-1]]))
    loss = played.real(rule.discriminator(real, hint)) + 0.25 * played.generated(wrong)
    loss = loss + 0.75 * played.generated(rule.discriminator(generated, hint))
    torch.testing.assert_close(rule.discriminator_phase(batch)["discriminator_loss"], loss.detach())


def test_extra_losses_are_weighed_and_measured_by_name() -> None:
    features = nn.Linear(VALUES, 2)
    extras = {"l1": Extra(ToTarget("target"), 100.0), "perceptual": Extra(Perceptual(features, "target"), 2.0)}
    options = {"extras": extras, "adversarial_weight": 0.5, "others": {"features": features}}
    rule, batch = conditional(TRANSLATION, **options), batch_of()
    before, hint, target = state(rule), batch["hint"], batch["target"]
    generated = rule.generator(hint)
    game_loss = game("non-saturating").generator(rule.discriminator(generated, hint))
    l1 = (generated - target).abs().mean()
    perceptual = (features(generated) - features(target)).square().mean()
    expected = gradients(rule.generator, 0.5 * game_loss + 100 * l1 + 2 * perceptual)
    measured = rule.generator_phase(batch)
    torch.testing.assert_close(list(rule.generator.parameters()), descended(before, "generator", expected))
    named = {"generator_loss": game_loss, "l1": l1, "perceptual": perceptual}
    torch.testing.assert_close(measured, {name: value.detach() for name, value in named.items()})
    assert moved(rule, before) == {"generator"}
    assert {"l1", "perceptual", "discriminator_loss"} <= rule.step(batch).keys()


@pytest.mark.parametrize("first", ["discriminator", "generator"])
def test_players_that_share_what_is_generated_learn_as_if_they_did_not(first: Any) -> None:
    """Without noise the generator makes the same twice, unless it has learnt in between."""
    apart, shared = (conditional(TRANSLATION, first=first, share_generated=share) for share in (False, True))
    measured = [rule.step(batch_of()) for rule in (apart, shared)]
    assert [len(rule.generator.calls) for rule in (apart, shared)] == [2, 1]
    torch.testing.assert_close(dict(apart.generator.named_parameters()), dict(shared.generator.named_parameters()))
    if first == "discriminator":
        torch.testing.assert_close(measured[0], measured[1])
        torch.testing.assert_close(state(apart), state(shared))


def test_samples_of_a_pool_are_judged_with_the_conditions_they_were_made_of() -> None:
    rule = conditional(pool_size=6)
    torch.manual_seed(1)
    made: dict[tuple[float, ...], Tensor] = {}
    old = 0
    for seed in range(6):
        batch = batch_of(seed)
        before = len(rule.generator.calls)
        rule.discriminator_phase(batch)
        made |= {tuple(hint.tolist()): hint for hint in rule.generator.calls[before][1]}
        _, (samples, hints) = rule.discriminator.calls[-2:]
        assert all(tuple(hint.tolist()) in made for hint in hints)
        old += int((hints != batch["hint"]).any(1).sum())
        stored = rule.tensors["pool.generated"], rule.tensors["pool.generated hint"]
        assert [tensor.shape for tensor in stored] == [(6, VALUES), (6, CONDITION)] and len(samples) == 6
    assert 5 < old < 25  # about half of thirty


def test_nothing_is_shared_in_micro_batches() -> None:
    rule = conditional(descent=Descent(optimizer="sgd", accumulate=2), share_generated=True)
    rule.step(batch_of())
    assert [len(call[0]) for call in rule.generator.calls] == [6, 3, 3]


def test_the_generator_may_learn_first_and_more_often() -> None:
    rule = conditional(generator_steps=2, first="generator")
    order = []
    for seed in range(4):
        before = state(rule)
        measured = rule.step(batch_of(seed))
        order.append(sorted(moved(rule, before)))
        assert "generator_loss" in measured
    assert order == [["generator"], ["discriminator", "generator"]] * 2


@pytest.mark.parametrize(
    "options",
    [{"penalty": "gradient"}, {"penalty": "r2"}, {"mismatched_weight": 0.5}, {"drift": 0.1, "loss": "hinge"}],
)
def test_micro_batches_make_the_same_update(options: dict[str, Any]) -> None:
    results = []
    for accumulate in (1, 3):
        rule = conditional(descent=Descent(optimizer="sgd", learning_rate=0.1, accumulate=accumulate), **options)
        torch.manual_seed(5)
        results.append((rule.step(batch_of()), state(rule)))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


EVERYTHING: dict[str, Callable[[], Adversarial]] = {
    "lazy penalty, many steps": lambda: conditional(penalty="gradient", penalty_every=3, discriminator_steps=4),
    "pool": lambda: conditional(pool_size=8, share_generated=True),
    "schedule": lambda: conditional(discriminator_schedule=lambda turn: 3 if turn < 2 else 1, loss="wasserstein"),
    "many steps of the generator": lambda: conditional(generator_steps=3, weight_clip=0.1),
    "spectral normalisation": lambda: _spectral(),
}


def _spectral() -> Adversarial:
    plain = conditional()
    return Adversarial(
        plain.generator,
        spectrally_normalised(plain.discriminator),
        CONDITIONAL,
        generator_descent=Descent(),
        discriminator_descent=Descent(),
    )


@pytest.mark.parametrize("name", EVERYTHING)
@pytest.mark.parametrize("stop", [1, 5, 6])
def test_resumes_in_the_middle_of_a_cycle_to_the_same_bits(name: str, stop: int) -> None:
    whole = EVERYTHING[name]()
    torch.manual_seed(1)
    for seed in range(stop):
        whole.step(batch_of(seed))
    saved, drawn = deepcopy(whole.state_dict()), torch.get_rng_state()
    expected = [whole.step(batch_of(seed)) for seed in range(stop, 12)]
    resumed = EVERYTHING[name]()
    resumed.load_state_dict(saved)
    torch.set_rng_state(drawn)
    found = [resumed.step(batch_of(seed)) for seed in range(stop, 12)]
    assert all(torch.equal(value, state(whole)[key]) for key, value in state(resumed).items())
    assert resumed.counters == whole.counters and [*map(set, found)] == [*map(set, expected)]
    assert all(torch.equal(row[key], other[key]) for row, other in zip(found, expected, strict=True) for key in row)
    assert all(torch.equal(value, whole.tensors[key]) for key, value in resumed.tensors.items())


def test_answers_about_its_players_and_changes_none() -> None:
    rule, batch = conditional(), batch_of()
    before = state(rule)
    assert isinstance(rule, Players)
    samples = rule.sample(batch)
    assert samples.shape == (6, VALUES) and not samples.requires_grad
    torch.testing.assert_close(rule.discriminate(samples, batch), rule.discriminator(samples, batch["hint"]).detach())
    assert torch.equal(rule.real(batch), batch["inputs"]) and not moved(rule, before)
    assert rule.home is rule.generator


def test_a_phase_prepares_networks_and_makes_their_optimizers_anew() -> None:
    told: list[str] = []
    phases = (Phase(name="4 pixels"), Phase(name="8 pixels", roles=("generator",)))
    rule = conditional(descent=Descent(), phases=phases, prepare=lambda phase: told.append(phase.name))
    rule.step(batch_of())
    old = dict(rule.optimizers)
    rule.begin(rule.phases[1])
    assert told == ["8 pixels"] and rule.optimizers["discriminator"] is old["discriminator"]
    assert not rule.optimizers["generator"].state and old["generator"].state
    rule.step(batch_of())


def test_refuses_what_cannot_be_meant() -> None:
    torch.manual_seed(0)
    normalised = nn.Sequential(nn.Linear(VALUES, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    noise = Inputs(noise=Latent("normal", (NOISE,)))
    with pytest.raises(ConfigurationError, match="batch normalisation"):
        Adversarial(
            nn.Linear(NOISE, VALUES),
            normalised,
            noise,
            GameSettings(penalty="r1"),
            generator_descent=SGD,
            discriminator_descent=SGD,
        )
    with pytest.raises(ConfigurationError, match="mismatched_weight"):
        conditional(mismatched_weight=1.5)
    with pytest.raises(ConfigurationError, match="no condition"):
        conditional(Inputs(noise=Latent("normal", (NOISE,)), generator=("hint",)), mismatched_weight=0.5)
