"""The doctor: every measure of a look on players with a known answer, and every sign from looks made by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ganglion.core import Batch
from ganglion.inspect.adversarial import SIGNS, Look, findings, look

SOUND = Look(
    step=0,
    separation=0.7,
    difference=0.6,
    diversity=1.0,
    coverage=0.8,
    likeness=0.9,
    copies=0.0,
    saturation=0.0,
    generator_slope=0.1,
    discriminator_slope=0.1,
    penalty=0.2,
    place=(0.0,) * 8,
)


class Pair:
    """Players whose generated samples and scores are given."""

    def __init__(self, generated: Tensor, scores: tuple[Tensor, Tensor]) -> None:
        self.generator, self.discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
        self.generated, self.scores = generated, scores

    def real(self, batch: Batch) -> Tensor:
        return batch["inputs"]

    def sample(self, batch: Batch) -> Tensor:
        return self.generated

    def discriminate(self, samples: Tensor, batch: Batch) -> Tensor:
        return self.scores[int(samples is self.generated)]


def normal(count: int = 200, seed: int = 0) -> Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


def seen(generated: Tensor, scores: tuple[Tensor, Tensor] | None = None) -> Look:
    even = torch.linspace(0, 1, 200), torch.linspace(0, 1, 200)
    return look(Pair(generated, scores or even), {"inputs": normal()}, step=7)


def test_equal_distributions_look_equal() -> None:
    found = seen(normal(seed=1))
    assert found.separation == pytest.approx(0.5) and found.step == 7
    assert found.difference == pytest.approx(0.5, abs=0.1)
    assert found.diversity == pytest.approx(1, abs=0.1)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.05)
    assert found.copies < 0.1 and abs(found.saturation) < 0.05


def test_collapsed_samples_copies_and_strangers_are_seen_as_such() -> None:
    collapsed, copied, strange = seen(normal()[:1] + 0.01 * normal(seed=2)), seen(normal() + 1e-3), seen(normal() + 9)
    assert collapsed.diversity < 0.05 and collapsed.coverage < 0.2
    assert copied.copies == 1 and copied.coverage == 1
    assert strange.coverage == 0 and strange.difference == 1 and strange.likeness == 0
    assert min(strange.place) < -3 or max(strange.place) > 3


def test_separation_is_the_area_under_the_curve() -> None:
    real, generated = torch.tensor([3.0, 2.0]), torch.tensor([2.0, 1.0])
    rule = Pair(normal(2, seed=1), (real, generated))
    assert look(rule, {"inputs": normal(2)}, 0).separation == (1 + 1 + 0.5 + 1) / 4
    maps = Pair(normal(2, seed=1), tuple(one[:, None, None].expand(2, 3, 3) for one in (real, generated)))  # type: ignore[arg-type]
    assert look(maps, {"inputs": normal(2)}, 0).separation == 0.875


class Company(nn.Module):
    """Scores samples by their mean, less the mean of their batch."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, samples: Tensor) -> Tensor:
        return self.layers(samples.mean(1, keepdim=True))


class Judging(Pair):
    """Players whose discriminator really judges."""

    def __init__(self, generated: Tensor, discriminator: nn.Module) -> None:
        self.generator, self.discriminator, self.generated = nn.Linear(2, 2), discriminator, generated  # type: ignore[assignment]

    def discriminate(self, samples: Tensor, batch: Batch) -> Tensor:
        return self.discriminator(samples)


def test_what_a_batch_hides_a_mixed_one_shows() -> None:
    lower, batch = normal(seed=1) - 9, {"inputs": normal()}
    leaking = look(Judging(lower, Company(nn.BatchNorm1d(1))), batch, 0)
    assert leaking.separation == pytest.approx(0.5, abs=0.1) and leaking.mixed == 1
    assert look(Judging(lower, Company()), batch, 0).mixed is None  # it judges each by itself


def test_a_slope_is_the_gradient_beside_the_weights() -> None:
    rule = Pair(normal(seed=1), (torch.zeros(200), torch.zeros(200)))
    for parameter in rule.generator.parameters():
        parameter.data.fill_(2.0)
        parameter.grad = torch.ones_like(parameter)
    found = look(rule, {"inputs": normal()}, 0)
    assert found.generator_slope == pytest.approx(0.5) and found.discriminator_slope == 0


ILL = {
    "collapse": {"diversity": 0.1, "coverage": 0.02, "likeness": 0.3},
    "partial-collapse": {"diversity": 0.8, "coverage": 0.3, "likeness": 0.95},
    "discriminator-saturated": {"separation": 1.0, "coverage": 0.1, "likeness": 0.1},
    "discriminator-overfits": {"separation": 1.0},
    "generator-starved": {"generator_slope": 1e-6},
    "discriminator-too-weak": {"separation": 0.5, "difference": 0.95, "coverage": 0.3, "likeness": 0.4},
    "batch-statistics-leaking": {"mixed": 0.2},
    "penalty-exploding": {"penalty": 500.0},
    "gradient-exploding": {"discriminator_slope": 50.0},
    "memorisation": {"copies": 0.9},
    "saturated-outputs": {"saturation": 0.7},
}


def looks(changes: dict[str, float], since: int = 10, count: int = 14) -> list[Look]:
    changed = replace(SOUND, **changes)  # type: ignore[arg-type]
    return [replace(changed if number >= since else SOUND, step=100 * number) for number in range(count)]


def test_every_sign_is_tested() -> None:
    assert {sign.name for sign in SIGNS} == {*ILL, "oscillation"}


@pytest.mark.parametrize("name", ILL)
def test_an_illness_gets_its_name_once_three_looks_agree(name: str) -> None:
    (found,) = findings(looks(ILL[name]))
    assert (found.name, found.since) == (name, 1000)
    assert found.remedy and found.measure and found.value is not None and found.threshold is not None
    assert found.value >= found.threshold
    assert all(one.name != name for one in findings(looks(ILL[name], count=12)))  # two looks are not enough


def test_a_generator_that_goes_to_and_fro_oscillates_and_one_that_travels_does_not() -> None:
    to_and_fro = [replace(one, place=((-1.0) ** number * 2,) * 8) for number, one in enumerate(looks({}))]
    travelling = [replace(one, place=(2.0 * number,) * 8) for number, one in enumerate(looks({}))]
    assert [one.name for one in findings(to_and_fro)] == ["oscillation"]
    assert [one.name for one in findings(travelling)] == ["healthy"]


def test_healthy_is_said_only_where_it_was_measured() -> None:
    assert findings([]) == findings(looks({}, count=2)) == []
    (well,) = findings(looks({}))
    assert (well.name, well.level) == ("healthy", "info")
    assert findings(looks({"coverage": 0.4, "likeness": 0.5})) == []  # not ill, and not shown to be well


def test_a_critic_may_tell_everything_apart() -> None:
    (found,) = findings([replace(one, separation=1.0, is_critic=True) for one in looks({})])
    assert found.name == "healthy"


def test_looks_survive_json() -> None:
    assert Look.from_dict(SOUND.to_dict()) == SOUND
