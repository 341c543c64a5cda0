"""Noise of a configuration's kind: how it is drawn, what is known of it in a picture, and filters to stand beside."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.derived import Derived, GaussianNoise, MaskingNoise, PoissonNoise, SaltAndPepperNoise
from ganglion.tasks.measures.filters import FILTERS, median

WHITE = 255
OFF = 1.3
"""Times by which noise may differ from what was learnt before it is worth a word."""


def noise_of(config: Any) -> Derived:
    """Return what is done to clean pictures, by a configuration's field `noise_kind` and those that go with it."""
    match getattr(config, "noise_kind", "gaussian"):
        case "masking":
            return MaskingNoise(of="targets", share=config.lost)
        case "salt-and-pepper":
            return SaltAndPepperNoise(of="targets", share=config.lost)
        case "poisson":
            return PoissonNoise(of="targets", peak=config.photons)
    most = getattr(config, "most_noise", None)
    return GaussianNoise(of="targets", deviation=config.noise / WHITE, most=None if most is None else most / WHITE)


def filtered(batch: Batch, config: Any) -> Mapping[str, Tensor]:
    """Return what classic filters make of the noisy pictures of a batch, by name.

    They are told how far the pictures are from the truth, which in practice has to be estimated. Against values that
    are lost, only the median is of use.
    """
    noisy, clean = batch["inputs"], batch["targets"]
    if getattr(config, "noise_kind", "gaussian") in ("masking", "salt-and-pepper"):
        return {"median": median(noisy)}
    deviation = max(float((noisy - clean).square().mean().sqrt()), 1 / WHITE)
    return {name: made(noisy, deviation) for name, made in FILTERS.items()}


def remark(found: Mapping[str, float | None], config: Any) -> tuple[str, ...]:
    """Return a warning where the noise of pictures is far from what was learnt.

    Args:
        found: estimated standard deviation of the noise of each picture by its name, of 255.
    """
    if getattr(config, "noise_kind", "gaussian") != "gaussian":
        return ()
    low, high = config.noise, max(config.noise, getattr(config, "most_noise", None) or 0)
    off = {name: level for name, level in found.items() if level is not None and not low / OFF <= level <= high * OFF}
    if not off:
        return ()
    name, level = next(iter(off.items()))
    learnt = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
    weaker = level < low
    result = "detail may be lost with it" if weaker else "some of it will stay"
    return (
        f"{len(off)} of {len(found)} pictures have noise of another strength than was learnt ({name}: about "
        f"{level:.0f} of 255, learnt {learnt}): {result}; train with --noise and --most-noise around it",
    )
