"""A doctor for adversarial training: what one look at both players measures, and what many looks say together.

A look costs a few passes of some hundred samples. What is found is a function of the looks alone, so that a run which
was killed and resumed is told the same.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganglion.core import Batch, Players
from ganglion.findings import Finding, Level, worst_first

NEIGHBOUR = 5
"""Which real neighbour bounds the ball around a real sample that counts as covered."""
DIRECTIONS = 8
"""Lines that the means of generated samples are followed along."""
IN_A_ROW = 3
"""Looks that must agree before anything is said: one may be chance."""
EXTREME = 0.98
"""Part of the largest value from which on an output counts as saturated."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was measured at one moment."""

    step: int
    separation: float
    """Chance that a real sample is scored above a generated one: 0.5 where the discriminator sees no difference."""
    difference: float
    """The same of a simple judge, the nearest neighbour: share of samples whose nearest other is of their own kind."""
    diversity: float
    """Mean distance of two generated samples, in that of two real ones."""
    coverage: float
    """Share of real samples with a generated one nearer than their fifth real neighbour."""
    likeness: float
    """Share of generated samples that lie within such a ball."""
    copies: float
    """Share of generated samples that are twice as near to a real one as real ones are to each other."""
    saturation: float
    """Share of the generated values at the edge of their range, beyond that of real ones, in all that is not there."""
    generator_slope: float
    """Norm of the generator's last gradient beside that of its weights."""
    discriminator_slope: float
    """The same of the discriminator."""
    penalty: float | None
    """What the discriminator paid for its slopes, where it pays."""
    is_critic: bool = False
    """Whether the game is one in which a discriminator may tell everything apart."""
    mixed: float | None = None
    """Separation where each batch holds real and generated samples, half and half; None where no layer has statistics
    of the batch, so that company makes no difference."""
    place: tuple[float, ...]
    """Mean of the generated samples along some lines, in deviations of the real ones."""

    def to_dict(self) -> dict[str, Any]:
        """Return the measurements as JSON values."""
        return asdict(self) | {"place": list(self.place)}

    @classmethod
    def from_dict(cls, values: Mapping) -> "Look":
        """Rebuild a look from what `to_dict` returned."""
        return cls(**{**values, "place": tuple(values["place"])})


@torch.no_grad()
def look(rule: Players, batch: Batch, step: int, penalty: float | None = None, is_critic: bool = False) -> Look:
    """Measure both players on a batch of real samples, as the loader gives them. Changes no network.

    Args:
        rule: its generator and discriminator may have the gradients of the last step.
        batch: some hundred samples.
        step: iterations so far.
        penalty: as last reported.
        is_critic: whether the game is one in which a discriminator may tell everything apart.
    """
    real, generated = rule.real(batch), rule.sample(batch)
    scores = [_by_sample(rule.discriminate(samples, batch)) for samples in (real, generated)]
    has_statistics = any(isinstance(module, _BatchNorm) for module in rule.discriminator.modules())
    x, y = _within_reach(real), _within_reach(generated)
    among_real, among_generated, between = torch.cdist(x, x), torch.cdist(y, y), torch.cdist(x, y)
    for own in (among_real, among_generated):
        own.fill_diagonal_(torch.inf)
    radii = among_real.kthvalue(min(NEIGHBOUR, len(x) - 1), dim=1).values[:, None]
    inside = between < radii
    nearest_real = among_real.min(1).values
    nearest_generated = among_generated.min(1).values
    own_kind = torch.cat([nearest_real <= between.min(1).values, nearest_generated <= between.min(0).values])
    edge = real.abs().max() * EXTREME
    lines = torch.randn(x.shape[1], DIRECTIONS, generator=torch.Generator().manual_seed(0)).to(x.device)
    spread = (x @ lines).std(0).clamp(min=1e-12)
    return Look(
        step=step,
        separation=_separation(*scores),
        difference=float(own_kind.double().mean()),
        diversity=_mean_distance(among_generated) / max(_mean_distance(among_real), 1e-12),
        coverage=float(inside.any(1).double().mean()),
        likeness=float(inside.any(0).double().mean()),
        copies=float((between.min(0).values < nearest_real.median() / 2).double().mean()),
        saturation=_beyond(*(float((values.abs() >= edge).double().mean()) for values in (real, generated))),
        generator_slope=_slope(rule.generator),
        discriminator_slope=_slope(rule.discriminator),
        penalty=penalty,
        is_critic=is_critic,
        mixed=_separation(*_in_company(rule, real, generated, batch)) if has_statistics else None,
        place=tuple(((y @ lines).mean(0) / spread).tolist()),
    )


def _separation(real: Tensor, generated: Tensor) -> float:
    """Return the area under the curve of scores (samples,): how often a real one is above a generated one."""
    above, same = real[:, None] > generated, real[:, None] == generated
    return float((above.double() + same.double() / 2).mean())


def _in_company(rule: Players, real: Tensor, generated: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return the scores of real and of generated samples, each scored in a batch that is half of the other kind."""
    odd = torch.arange(len(real), device=real.device) % 2 == 1
    by_place = odd.view(-1, *[1] * (real.dim() - 1))
    one, other = (
        _by_sample(rule.discriminate(torch.where(by_place, *pair), batch))
        for pair in ((real, generated), (generated, real))
    )
    return torch.where(odd, one, other), torch.where(odd, other, one)


def _beyond(real: float, generated: float) -> float:
    """Return by how much a share is above that of the data, in what of the data is not in it."""
    return (generated - real) / (1 - real) if real < 1 else 0.0


def _by_sample(scores: Tensor) -> Tensor:
    """Return one score a sample (batch,), the mean over patches where there are several."""
    return scores.reshape(len(scores), -1).mean(1)


WIDEST = 4096


def _within_reach(samples: Tensor) -> Tensor:
    """Return samples (batch, values) flattened, of large ones every so many values."""
    flat = samples.flatten(1).float()
    return flat[:, :: max(1, flat.shape[1] // WIDEST)]


def _mean_distance(distances: Tensor) -> float:
    """Return the mean of distances (samples, samples) off the diagonal."""
    return float(distances[torch.isfinite(distances)].mean())


def _slope(network: nn.Module) -> float:
    """Return the norm of the gradient beside that of the weights; 0 where there is no gradient yet."""
    parameters = [one for one in network.parameters() if one.grad is not None]
    if not parameters:
        return 0.0
    gradient = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(one.grad) for one in parameters]))
    weight = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(one) for one in parameters]))
    return float(gradient / weight.clamp(min=1e-12))


@dataclass(frozen=True, kw_only=True)
class Sign:
    """One illness: how it is measured, where it begins, and what helps."""

    name: str
    message: str
    measure: str
    value: Callable[[Sequence[Look]], float]
    """Of the last looks; larger is worse."""
    threshold: float
    remedy: str
    unless: Callable[[Look], bool] = lambda _: False
    """Whether a look that would be a sign is none."""
    level: Level = "warn"


def _last(name: str) -> Callable[[Sequence[Look]], float]:
    return lambda looks: float(getattr(looks[-1], name))


def _loss_of(name: str) -> Callable[[Sequence[Look]], float]:
    return lambda looks: 1 - float(getattr(looks[-1], name))


def _fall(name: str) -> Callable[[Sequence[Look]], float]:
    """Return how many times smaller a measure has become since the median of its first three looks."""

    def fall(looks: Sequence[Look]) -> float:
        values = [getattr(one, name) for one in looks if getattr(one, name)]
        usual = statistics.median(values[:IN_A_ROW]) if len(values) >= IN_A_ROW else 0.0
        return float(usual / values[-1]) if usual > 0 else 0.0

    return fall


def _turning(looks: Sequence[Look]) -> float:
    """Return how far the means of generated samples went to and fro, in deviations of the real ones.

    The length of the way of the last six looks that did not lead anywhere; 0 while there are fewer.
    """
    if len(looks) < 6:
        return 0.0
    places = torch.tensor([one.place for one in looks[-6:]])
    steps = places.diff(dim=0).norm(dim=1) / DIRECTIONS**0.5
    return float((steps.sum() - (places[-1] - places[0]).norm() / DIRECTIONS**0.5) / len(steps))


def _leaking(looks: Sequence[Look]) -> float:
    last = looks[-1]
    return 0.0 if last.mixed is None else abs(last.separation - last.mixed)


SIGNS = (
    Sign(
        name="collapse",
        message="the generator draws nearly the same thing again and again",
        measure="1 - mean distance of two generated samples, in that of two real ones",
        value=_loss_of("diversity"),
        threshold=0.6,
        remedy="--game.penalty gradient or r1, --game.loss wasserstein, or a lower --generator-descent.learning-rate",
    ),
    Sign(
        name="partial-collapse",
        message="what the generator draws is like the data, but leaves much of it out",
        measure="share of samples within reach of real ones, less the share of real ones within reach of a sample",
        value=lambda looks: looks[-1].likeness - looks[-1].coverage,
        threshold=0.33,
        unless=lambda one: one.diversity < 0.4,
        remedy="--game.penalty gradient or r1, a larger batch, or more channels in the discriminator",
    ),
    Sign(
        name="discriminator-saturated",
        message="the discriminator is sure of every sample, so the generator is told little",
        measure="chance that a real sample is scored above a generated one",
        value=_last("separation"),
        threshold=0.995,
        unless=lambda one: one.is_critic or one.coverage > 0.3,
        remedy="a lower --discriminator-descent.learning-rate, --game.real-label 0.9, or --game.loss wasserstein with "
        "--game.penalty gradient",
    ),
    Sign(
        name="discriminator-overfits",
        level="info",
        message="the discriminator tells every training sample from good generated ones: it may know them by heart",
        measure="chance that a real sample is scored above a generated one",
        value=_last("separation"),
        threshold=0.995,
        unless=lambda one: one.is_critic or one.coverage <= 0.3,
        remedy="more data, --augment, or a shorter run; best weights are chosen by held-out data all the same",
    ),
    Sign(
        name="generator-starved",
        message="next to no gradient reaches the generator",
        measure="how many times smaller its gradient is than at first, both beside its weights",
        value=_fall("generator_slope"),
        threshold=1000.0,
        remedy="--game.loss non-saturating, or a weaker discriminator: a lower --discriminator-descent.learning-rate",
    ),
    Sign(
        name="discriminator-too-weak",
        message="the discriminator tells nothing apart that a nearest neighbour tells apart",
        measure="how much more often the nearest neighbour is right than the discriminator",
        value=lambda looks: looks[-1].difference - abs(looks[-1].separation - 0.5) - 0.5,
        threshold=0.3,
        unless=lambda one: abs(one.separation - 0.5) > 0.06 or one.coverage > 0.3,
        remedy="--game.discriminator-steps 3, a higher --discriminator-descent.learning-rate, or more --features",
    ),
    Sign(
        name="oscillation",
        message="the generator goes to and fro instead of settling",
        measure="way of the mean of its samples that led nowhere, in deviations of the data for each look",
        value=_turning,
        threshold=0.8,
        remedy="lower learning rates, less momentum (betas=(0.0, 0.9)), a larger --ema-decay, or a penalty on slopes",
    ),
    Sign(
        name="batch-statistics-leaking",
        message="the discriminator judges by the company of a sample: among others of the other kind it says otherwise",
        measure="difference of the chance that a real sample is scored above a generated one, in batches of one kind "
        "and in mixed ones",
        value=_leaking,
        threshold=0.25,
        remedy="--discriminator-normalisation spectral or none, or a larger batch",
    ),
    Sign(
        name="penalty-exploding",
        message="the discriminator is far too steep, whatever it pays for that",
        measure="mean square of its slopes, or of how far they are from 1",
        value=lambda looks: looks[-1].penalty or 0.0,
        threshold=30.0,
        remedy="a lower --discriminator-descent.learning-rate, or --discriminator-descent.clip-norm 1",
    ),
    Sign(
        name="gradient-exploding",
        message="a player's gradient is many times as large as its weights",
        measure="the larger of both gradients, each beside its weights",
        value=lambda looks: max(looks[-1].generator_slope, looks[-1].discriminator_slope),
        threshold=20.0,
        remedy="--discriminator-descent.clip-norm 1, a lower rate, or --game.penalty gradient",
    ),
    Sign(
        name="memorisation",
        message="generated samples are copies of training samples",
        measure="share of samples twice as near to a training sample as those are to each other",
        value=_last("copies"),
        threshold=0.5,
        unless=lambda one: one.diversity < 0.4,
        remedy="more data, --augment, or a shorter run: choose the weights by a held-out measure",
    ),
    Sign(
        name="saturated-outputs",
        message="the generator's outputs stick to the ends of their range",
        measure="share of its values at the edge, less that of the data, in what of the data is not at the edge",
        value=_last("saturation"),
        threshold=0.4,
        remedy="a lower --generator-descent.learning-rate, or smaller weights to begin with",
    ),
)
"""All illnesses, the gravest first."""
COLLAPSES = ("collapse", "partial-collapse")


def findings(looks: Sequence[Look]) -> list[Finding]:
    """Return what several looks in order say: illnesses that the last three agree on, or that all is well.

    Nothing is said of fewer than three looks; "healthy" only where none of the signs is there and the samples cover the
    data, which is measured as well.
    """
    if len(looks) < IN_A_ROW:
        return []
    found = [one for sign in SIGNS if (one := _diagnosed(sign, looks)) is not None]
    last = looks[-IN_A_ROW:]
    well = all(one.coverage >= 0.5 and 0.7 <= one.diversity <= 1.4 for one in last)
    well = well and all(one.is_critic or one.separation < 0.995 for one in last)
    if not found and well:
        found.append(
            Finding(
                name="healthy",
                level="info",
                message=f"both players learn: samples cover {looks[-1].coverage:.0%} of the data, as diverse as "
                f"{looks[-1].diversity:.2f} of it",
                measure="share of real samples with a generated one nearby",
                value=looks[-1].coverage,
                threshold=0.5,
                since=last[0].step,
            )
        )
    return worst_first(found)


def _diagnosed(sign: Sign, looks: Sequence[Look]) -> Finding | None:
    """Return the finding where a sign is there at each of the last looks, with the first of those in a row."""
    first = None
    for end in range(len(looks), 0, -1):
        if sign.value(looks[:end]) < sign.threshold or sign.unless(looks[end - 1]):
            break
        first = end - 1
    if first is None or len(looks) - first < IN_A_ROW:
        return None
    value = sign.value(looks)
    return Finding(
        name=sign.name,
        level=sign.level,
        message=f"{sign.message}: {value:.3g}, from {sign.threshold:g} on it is one",
        measure=sign.measure,
        value=value,
        threshold=sign.threshold,
        since=looks[first].step,
        remedy=sign.remedy,
    )
