"""The adversarial rule against hand formulas, autograd, the game's known solution and a second implementation."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.errors import ConfigurationError
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent

LATENT, PIXELS = 5, 6
SGD = Descent(optimizer="sgd", learning_rate=0.1)


def networks(normalised: bool = True) -> tuple[nn.Module, nn.Module]:
    """Return small networks; no bias comes before normalisation, where its gradient would be rounding noise."""

    def hidden(features: int) -> list[nn.Module]:
        return [nn.Linear(features, 8, bias=not normalised), nn.BatchNorm1d(8) if normalised else nn.Identity()]

    torch.manual_seed(0)
    generator = nn.Sequential(*hidden(LATENT), nn.ReLU(), nn.Linear(8, PIXELS), nn.Tanh())
    discriminator = nn.Sequential(*hidden(PIXELS), nn.LeakyReLU(0.2), nn.Linear(8, 1), nn.Flatten(0))
    return generator, discriminator


def rule(
    normalised: bool = True, descent: Descent = SGD, others: dict[str, Any] | None = None, **game: Any
) -> Adversarial:
    return Adversarial(
        *networks(normalised),
        Inputs(noise=Latent("normal", (LATENT,))),
        GameSettings(**{"real_label": 0.9, **game}),
        generator_descent=descent,
        discriminator_descent=descent,
        **(others or {}),
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


@pytest.mark.parametrize("loss", ["non-saturating", "minimax"])
def test_a_step_equals_the_plain_loop_of_the_tutorials(loss: str) -> None:
    adam = Descent(learning_rate=0.01, optimizer_arguments=("betas=(0.5, 0.999)", "fused=False"))
    ours = rule(descent=adam, loss=loss)
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
        minimax = loss == "minimax"
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
        Inputs(noise=Latent("normal", (1,))),
        generator_descent=descent,
        discriminator_descent=descent,
    )
    batch = {"inputs": (torch.arange(4000) < 3200).float()[:, None]}
    for _ in range(300):
        adversarial.discriminator_phase(batch)
    scores = discriminator(torch.tensor([[0.0], [1.0]])).sigmoid()
    torch.testing.assert_close(scores, torch.tensor([0.2 / 0.7, 0.8 / 1.3]), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    "options",
    [
        {"real_label": 0.0},
        {"real_label": 1.1},
        {"discriminator_steps": 0},
        {"penalty_weight": -1.0},
        {"discriminator_steps": 2, "generator_steps": 2},
    ],
)
def test_refuses_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        rule(**options)
