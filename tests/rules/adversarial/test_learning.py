"""Small games that have to be won: a condition obeyed, a distribution met, an image turned into another."""

from typing import Any

import pytest
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.rules.adversarial.extras import Cycle, Extra, ToTarget
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent, descend

CENTRES = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])


class Joined(nn.Module):
    """Dense layers on all arguments side by side, classes as one-hot vectors."""

    def __init__(self, features: int, out_features: int, *last: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 32),
            nn.LeakyReLU(0.2),
            nn.Linear(32, 32),
            nn.LeakyReLU(0.2),
            nn.Linear(32, out_features),
        ).extend(last)

    def forward(self, first: Tensor, classes: Tensor | None = None) -> Tensor:
        given = [first] if classes is None else [first, nn.functional.one_hot(classes, len(CENTRES)).float()]
        return self.layers(torch.cat(given, dim=1))


def adam(learning_rate: float) -> Descent:
    return Descent(learning_rate=learning_rate, optimizer_arguments=("betas=(0.0, 0.9)",))


def game(generator: nn.Module, discriminator: nn.Module, inputs: Inputs, settings: GameSettings, **options: Any) -> Any:
    descents = {"generator_descent": adam(3e-3), "discriminator_descent": adam(3e-3)}
    return Adversarial(generator, discriminator, inputs, settings, **(descents | options))


@pytest.mark.parametrize("loss", ["non-saturating", "hinge"])
def test_a_condition_is_obeyed(loss: Any) -> None:
    torch.manual_seed(0)
    inputs = Inputs(noise=Latent("normal", (4,)), generator=("targets",), discriminator=("targets",))
    settings = GameSettings(loss=loss, penalty="r1", penalty_weight=0.1)
    rule = game(Joined(4 + 3, 2), Joined(2 + 3, 1, nn.Flatten(0)), inputs, settings)

    def batch() -> dict[str, Tensor]:
        classes = torch.randint(3, (64,))
        return {"inputs": CENTRES[classes] + 0.3 * torch.randn(64, 2), "targets": classes}

    def obeyed() -> float:
        asked = torch.arange(3).repeat(100)
        samples = rule.sample({"inputs": torch.zeros(300, 2), "targets": asked})
        return float((torch.cdist(samples, CENTRES).argmin(1) == asked).float().mean())

    assert obeyed() < 0.6
    for _ in range(250):
        rule.step(batch())
    assert obeyed() > 0.95


def test_a_wasserstein_critic_measures_the_distance_that_its_generator_lowers() -> None:
    """The distance of two samples is the least mean length of the ways that carry one onto the other."""
    torch.manual_seed(0)
    settings = GameSettings(loss="wasserstein", penalty="gradient", discriminator_steps=5)
    inputs = Inputs(noise=Latent("normal", (2,)))
    rule = game(Joined(2, 2), Joined(2, 1, nn.Flatten(0)), inputs, settings, generator_descent=adam(1e-3))

    def real(count: int) -> Tensor:
        return CENTRES[torch.randint(3, (count,))] + 0.3 * torch.randn(count, 2)

    def distance() -> float:
        ways = torch.cdist(rule.sample({"inputs": torch.zeros(500, 2)}), real(500)).numpy()
        return float(ways[linear_sum_assignment(ways)].mean())

    def estimate() -> float:
        batch = {"inputs": real(2000)}
        outputs = [rule.discriminate(samples, batch).mean() for samples in (rule.real(batch), rule.sample(batch))]
        return float(outputs[0] - outputs[1])

    for _ in range(250):
        measured = rule.discriminator_phase({"inputs": real(64)})
    at_first = distance(), estimate()
    assert at_first[0] > 1.5 and at_first[1] == pytest.approx(at_first[0], rel=0.2)
    assert -float(measured["discriminator_loss"]) == pytest.approx(at_first[1], rel=0.3)
    for _ in range(1200):
        rule.step({"inputs": real(64)})
    assert distance() < 0.65 * at_first[0] and estimate() < 0.5 * at_first[1]


def test_clipped_weights_make_a_wasserstein_critic_too() -> None:
    torch.manual_seed(0)
    settings = GameSettings(loss="wasserstein", weight_clip=0.1, discriminator_steps=5)
    rule = game(Joined(2, 1), Joined(1, 1, nn.Flatten(0)), Inputs(noise=Latent("normal", (2,))), settings)
    for _ in range(800):
        rule.step({"inputs": 3 + torch.randn(64, 1)})
    samples = rule.sample({"inputs": torch.zeros(2000, 1)})
    assert abs(float(samples.mean()) - 3) < 0.5


def test_an_image_is_turned_into_another_with_the_help_of_an_extra_loss() -> None:
    """The negative of an image, shifted by a pixel; the distance measured beside the game falls with its weight."""

    def learnt(weight: float) -> float:
        torch.manual_seed(0)
        first = nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular")
        generator = nn.Sequential(first, nn.ReLU(), nn.Conv2d(8, 1, 1))
        patches = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3))
        inputs = Inputs(real="target", generator=("source",))
        extras = {"l1": Extra(ToTarget("target"), weight)}
        rule = game(generator, patches, inputs, GameSettings(), extras=extras, share_generated=True)
        for _ in range(250):
            source = (torch.rand(16, 1, 8, 8) < 0.5).float()
            measured = rule.step({"source": source, "target": 1 - source.roll(1, 3)})
        return float(measured["l1"])

    assert learnt(100.0) < 0.12 < 0.2 < learnt(0.0)


class ThereAndBack(LearningRule):
    """Two games of the kit make a cycle; only what joins them is written here."""

    def __init__(self) -> None:
        there, back = nn.Linear(2, 2), nn.Linear(2, 2)
        settings, self.descent = GameSettings(loss="least-squares", penalty="r1", penalty_weight=1.0), adam(1e-2)

        def one_way(way: nn.Module, other: nn.Module, source: str, target: str) -> Any:
            inputs = Inputs(real=target, generator=(source,))
            extras = {f"cycle_{source}": Extra(Cycle(other, source), 0.5)}
            critic = Joined(2, 1, nn.Flatten(0))
            options = {"extras": extras, "adversarial_weight": 2.0, "pool_size": 50}
            return game(way, critic, inputs, settings, discriminator_descent=self.descent, **options)

        self.games = (one_way(there, back, "source", "target"), one_way(back, there, "target", "source"))
        self.networks = {"there": there, "back": back}
        self.optimizers = {"generators": self.descent.make_optimizer(there, back)}
        self.counters, self.tensors = {}, {}

    def step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        made = [one.generator(*one.inputs.for_generator(batch)) for one in self.games]

        def objective(part: dict[str, Tensor]) -> dict[str, Tensor]:
            first, second = (
                one.generator_objective(part, samples) for one, samples in zip(self.games, made, strict=True)
            )
            return first | second | {"loss": first["loss"] + second["loss"]}

        measured = descend(self.optimizers["generators"], batch, objective, self.descent)
        for one, samples in zip(self.games, made, strict=True):
            one.discriminator_phase(batch, samples)
        return measured


def test_two_games_make_a_cycle_between_sets_without_pairs() -> None:
    """Triangles, one of them smaller and elsewhere: each way leads onto the other set, and both together back."""
    torch.manual_seed(0)
    rule = ThereAndBack()

    shift = torch.tensor([0.5, -1.0])

    def batch() -> dict[str, Tensor]:
        corners = CENTRES[torch.randint(3, (2, 64))] + 0.2 * torch.randn(2, 64, 2)
        return {"source": corners[0], "target": 0.5 * corners[1] + shift}

    def astray() -> float:
        moved = rule.networks["there"](batch()["source"])
        return float(torch.cdist(moved, 0.5 * CENTRES + shift).min(1).values.detach().mean())

    assert astray() > 0.8
    for _ in range(600):
        measured = rule.step(batch())
    assert astray() < 0.35  # the corners of the target are themselves 0.13 from their centres
    assert float(measured["cycle_source"]) < 0.1 and float(measured["cycle_target"]) < 0.1
