"""The adversarial rule against hand formulas, autograd, the game's known solution and a second implementation."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.errors import ConfigurationError
from ganglion.rules.adversarial import (
    Adversarial,
    call_unchanged,
    discriminator_loss,
    minimax_loss,
    non_saturating_loss,
)
from ganglion.rules.descend import Descent

LATENT, PIXELS = 5, 6
SGD = Descent(optimizer="sgd", learning_rate=0.1)


def logits(seed: int, count: int = 7) -> Tensor:
    return 3 * torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def networks(normalised: bool = True) -> tuple[nn.Module, nn.Module]:
    """Return small networks; no bias comes before normalisation, where its gradient would be rounding noise."""

    def hidden(features: int) -> list[nn.Module]:
        return [nn.Linear(features, 8, bias=not normalised), nn.BatchNorm1d(8) if normalised else nn.Identity()]

    torch.manual_seed(0)
    generator = nn.Sequential(*hidden(LATENT), nn.ReLU(), nn.Linear(8, PIXELS), nn.Tanh())
    discriminator = nn.Sequential(*hidden(PIXELS), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    return generator, discriminator


def rule(normalised: bool = True, descent: Descent = SGD, **options: object) -> Adversarial:
    return Adversarial(
        *networks(normalised),
        latent_features=LATENT,
        generator_descent=descent,
        discriminator_descent=descent,
        **options,  # type: ignore[arg-type]
    )


def real(count: int = 8) -> dict[str, Tensor]:
    return {
        "inputs": torch.randn(count, PIXELS, generator=torch.Generator().manual_seed(3)),
        "index": torch.arange(count),
    }


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed(network: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}


@pytest.mark.parametrize("label", [1.0, 0.9])
def test_losses_are_those_of_the_paper(label: float) -> None:
    on_real, on_generated = logits(0), logits(1)
    d_real, d_generated = on_real.sigmoid(), on_generated.sigmoid()
    value = (label * d_real.log() + (1 - label) * (1 - d_real).log()).mean() + (1 - d_generated).log().mean()
    torch.testing.assert_close(discriminator_loss(on_real, on_generated, label), -value)
    torch.testing.assert_close(minimax_loss(on_generated), (1 - d_generated).log().mean())
    torch.testing.assert_close(non_saturating_loss(on_generated), -d_generated.log().mean())


@pytest.mark.parametrize("label", [1.0, 0.9])
def test_losses_are_binary_cross_entropies(label: float) -> None:
    on_real, on_generated = logits(2), logits(3)
    ones, zeros = torch.ones_like(on_real), torch.zeros_like(on_real)
    entropy = F.binary_cross_entropy_with_logits
    expected = entropy(on_real, label * ones) + entropy(on_generated, zeros)
    torch.testing.assert_close(discriminator_loss(on_real, on_generated, label), expected)
    torch.testing.assert_close(non_saturating_loss(on_generated), entropy(on_generated, ones))
    torch.testing.assert_close(minimax_loss(on_generated), -entropy(on_generated, zeros))


def test_smoothing_is_one_sided() -> None:
    on_real = torch.full((4,), 9.0, dtype=torch.float64).log().requires_grad_()  # the logit of 0.9
    on_generated = logits(4).requires_grad_()
    discriminator_loss(on_real, on_generated, 0.9).backward()
    torch.testing.assert_close(on_real.grad, torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(on_generated.grad, on_generated.detach().sigmoid() / 7)  # still pushed all the way to 0


def test_both_generator_losses_pull_the_same_way_but_minimax_fades() -> None:
    on_generated = logits(5).requires_grad_()
    (minimax,) = torch.autograd.grad(minimax_loss(on_generated), on_generated)
    (non_saturating,) = torch.autograd.grad(non_saturating_loss(on_generated), on_generated)
    score = on_generated.detach().sigmoid()
    torch.testing.assert_close(minimax, -score / 7)
    torch.testing.assert_close(non_saturating, -(1 - score) / 7)
    torch.testing.assert_close(minimax * (1 - score), non_saturating * score)


def test_losses_stay_finite_for_huge_logits() -> None:
    huge = torch.tensor([-1e4, 1e4])
    assert all(torch.isfinite(loss) for loss in (discriminator_loss(huge, huge), minimax_loss(huge)))
    assert torch.isfinite(non_saturating_loss(huge))


@pytest.mark.parametrize("generator_loss", ["non-saturating", "minimax"])
def test_a_step_equals_the_plain_loop_of_the_tutorials(generator_loss: str) -> None:
    adam = Descent(learning_rate=0.01, optimizer_arguments=("betas=(0.5, 0.999)", "fused=False"))
    ours = rule(descent=adam, generator_loss=generator_loss)
    generator, discriminator = deepcopy(ours.generator), deepcopy(ours.discriminator)
    adam_g = torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.999))
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=0.01, betas=(0.5, 0.999))
    entropy, images = nn.BCEWithLogitsLoss(), real()["inputs"]
    torch.manual_seed(1)
    for _ in range(3):
        adam_d.zero_grad()
        fake = generator(torch.randn(8, LATENT))
        entropy(discriminator(images), torch.full((8,), 0.9)).backward()
        entropy(discriminator(fake.detach()), torch.zeros(8)).backward()
        adam_d.step()
        adam_g.zero_grad()
        judged = discriminator(generator(torch.randn(8, LATENT)))
        minimax = generator_loss == "minimax"
        (-entropy(judged, torch.zeros(8)) if minimax else entropy(judged, torch.ones(8))).backward()
        adam_g.step()
    torch.manual_seed(1)
    for _ in range(3):
        ours.step(real())
    for network, reference in ((ours.generator, generator), (ours.discriminator, discriminator)):
        expected = dict(reference.named_parameters())
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(parameter, expected[name], atol=1e-6, rtol=1e-5)


def test_a_phase_changes_parameters_and_buffers_of_its_own_network_only() -> None:
    adversarial = rule()
    before = {role: snapshot(network) for role, network in adversarial.networks.items()}
    adversarial.discriminator_phase(real())
    assert changed(adversarial.generator, before["generator"]) == set()
    assert changed(adversarial.discriminator, before["discriminator"]) == set(before["discriminator"])
    before = {role: snapshot(network) for role, network in adversarial.networks.items()}
    adversarial.generator_phase(real())
    assert changed(adversarial.generator, before["generator"]) == set(before["generator"])
    assert changed(adversarial.discriminator, before["discriminator"]) == set()


def test_a_network_on_copies_of_its_buffers_answers_the_same() -> None:
    _, discriminator = networks()
    inputs, before = real()["inputs"], snapshot(discriminator)
    unchanged = call_unchanged(discriminator, inputs)
    assert changed(discriminator, before) == set()
    torch.testing.assert_close(unchanged, discriminator(inputs))
    assert changed(discriminator, before) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}


def test_real_and_generated_samples_are_normalised_apart() -> None:
    adversarial = rule()
    seen: list[Tensor] = []
    adversarial.discriminator[1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    weight = adversarial.discriminator[0].weight.clone()
    adversarial.discriminator_phase(real())
    assert [len(batch) for batch in seen] == [8, 8]
    torch.testing.assert_close(seen[0], F.linear(real()["inputs"], weight))


def test_measures_what_the_discriminator_believes() -> None:
    adversarial = rule()
    judge = deepcopy(adversarial.discriminator)
    torch.manual_seed(2)
    generated = deepcopy(adversarial.generator)(torch.randn(8, LATENT))
    torch.manual_seed(2)
    measures = adversarial.step(real())
    torch.testing.assert_close(measures["real_score"], judge(real()["inputs"]).sigmoid().mean())
    torch.testing.assert_close(measures["generated_score"], judge(generated).sigmoid().mean())
    assert set(measures) == {"loss", "discriminator_loss", "generator_loss", "real_score", "generated_score"}
    assert measures["loss"] == measures["discriminator_loss"]


def test_the_discriminator_learns_several_batches_for_each_of_the_generator() -> None:
    adversarial = rule(discriminator_steps=3)
    moved = []
    for _ in range(6):
        before = snapshot(adversarial.generator)
        adversarial.step(real())
        moved.append(bool(changed(adversarial.generator, before)))
    assert moved == [False, False, True] * 2


def test_its_place_between_two_generator_updates_is_saved() -> None:
    first, second = rule(discriminator_steps=3), rule(discriminator_steps=3)
    for _ in range(2):
        first.step(real())
    second.load_state_dict(deepcopy(first.state_dict()))
    before = snapshot(second.generator)
    second.step(real())
    assert changed(second.generator, before)


def test_micro_batches_make_the_same_update() -> None:
    results = []
    for accumulate in (1, 4):
        adversarial = rule(normalised=False, descent=Descent(optimizer="sgd", learning_rate=0.1, accumulate=accumulate))
        torch.manual_seed(5)
        measures = adversarial.step(real())
        results.append((measures, snapshot(adversarial.generator) | snapshot(adversarial.discriminator)))
    for one, other in zip(*results, strict=True):
        for name in one:
            torch.testing.assert_close(one[name], other[name])


class Coin(nn.Module):
    """Draws 1 with the chance one half."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor) -> Tensor:
        return (self.scale * latent > 0).float()


def test_the_best_discriminator_is_the_ratio_of_densities() -> None:
    """D*(x) = p(x) / (p(x) + q(x)) for data that is 1 with the chance 0.8 and a generator that is with 0.5."""
    torch.manual_seed(0)
    discriminator = nn.Sequential(nn.Linear(1, 1), nn.Flatten(0))
    descent = Descent(optimizer="sgd", learning_rate=1.0)
    adversarial = Adversarial(
        Coin(),
        discriminator,
        latent_features=1,
        generator_descent=descent,
        discriminator_descent=descent,
        real_label=1.0,
    )
    batch = {"inputs": (torch.arange(4000) < 3200).float()[:, None]}
    for _ in range(300):
        adversarial.discriminator_phase(batch)
    scores = discriminator(torch.tensor([[0.0], [1.0]])).sigmoid()
    torch.testing.assert_close(scores, torch.tensor([0.2 / 0.7, 0.8 / 1.3]), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    "options",
    [{"generator_loss": "least-squares"}, {"real_label": 0.0}, {"real_label": 1.1}, {"discriminator_steps": 0}],
)
def test_refuses_options_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        rule(**options)
