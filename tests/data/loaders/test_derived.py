"""Derived fields: the noise that they promise, the same bits in any batch, and their way through JSON."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, stats

from ganglion.data.loaders.derived import (
    DERIVED,
    Binarised,
    Derived,
    Edges,
    GaussianNoise,
    Grey,
    MaskedPatches,
    MaskingNoise,
    PoissonNoise,
    SaltAndPepperNoise,
    Shrunk,
    derive,
    derived_from_state,
    derived_to_state,
)
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.noise import normals
from ganglion.errors import ConfigurationError

IMAGES = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def made(derived: Derived, source: torch.Tensor = IMAGES, epoch: int = 0, name: str = "it") -> torch.Tensor:
    batch = {"inputs": source, "index": torch.arange(len(source))}
    return derive(batch, {name: derived}, seed=0, epoch=epoch)[name]


@pytest.mark.parametrize("kind", [kind for kind in DERIVED if kind != "one-line"])  # which is made of texts
def test_bits_do_not_depend_on_the_batch_and_change_with_epoch_and_name(kind: str) -> None:
    derived = {"it": DERIVED[kind]()}

    def epoch(batch_size: int, loader: InMemoryLoader) -> dict[int, torch.Tensor]:
        return {int(place): row for batch in loader for place, row in zip(batch["index"], batch["it"], strict=True)}

    loaders = [InMemoryLoader({"inputs": IMAGES}, size, 0, derived=derived) for size in (1, 7, 40)]
    for _ in range(2):
        first, *others = [epoch(loader.batch_size, loader) for loader in loaders]
        assert all(torch.equal(first[place], other[place]) for other in others for place in range(40))
    is_random = kind not in ("grey", "shrunk", "edges")
    assert torch.equal(made(derived["it"]), made(derived["it"], epoch=1)) != is_random
    assert torch.equal(made(derived["it"]), made(derived["it"], name="other")) != is_random


@pytest.mark.parametrize("kind", DERIVED)
def test_settings_survive_json(kind: str) -> None:
    derived = {"noisy": DERIVED[kind](of="source")}  # type: ignore[call-arg]
    assert derived_from_state(json.loads(json.dumps(derived_to_state(derived)))) == derived


@pytest.mark.parametrize("state", [7, {"kind": "blur", "settings": {}}, {"kind": "shrunk", "settings": {"factor": 0}}])
def test_a_damaged_state_is_refused(state: object) -> None:
    with pytest.raises(ConfigurationError):
        derived_from_state({"it": state})


def test_normals_are_normal() -> None:
    numbers = normals(3, 1, torch.arange(4000), 5).flatten().double().numpy()
    assert stats.kstest(numbers, "norm").pvalue > 1e-3
    assert not torch.equal(normals(3, 1, torch.arange(4), 5), normals(3, 1, torch.arange(4), 5, stream=1))


def test_gaussian_noise_has_its_deviation_and_is_not_clipped() -> None:
    noise = (made(GaussianNoise(deviation=0.2, span=2.0)) - IMAGES).double()
    assert stats.kstest(noise.flatten().numpy() / 0.4, "norm").pvalue > 1e-3
    assert made(GaussianNoise(deviation=0.5)).min() < -0.5


def test_masking_and_salt_and_pepper_lose_their_share() -> None:
    source = torch.full((50, 1, 20, 20), 0.5)
    masked = made(MaskingNoise(share=0.25, low=-1), source)
    assert set(masked.unique().tolist()) == {-1.0, 0.5}
    assert abs(float((masked == -1).float().mean()) - 0.25) < 5 * (0.25 * 0.75 / 20_000) ** 0.5
    salted = made(SaltAndPepperNoise(share=0.4), source)
    for value in (0.0, 1.0):
        assert abs(float((salted == value).float().mean()) - 0.2) < 5 * (0.2 * 0.8 / 20_000) ** 0.5


@pytest.mark.parametrize("peak", [0.5, 4.0, 60.0, 500.0])
def test_poisson_counts_have_poissons_distribution(peak: float) -> None:
    source = torch.full((50, 1, 20, 20), 0.8)
    counts = (made(PoissonNoise(peak=peak), source) * peak).round().double().numpy().ravel()
    mean = 0.8 * peak
    assert abs(counts.mean() - mean) < 5 * (mean / len(counts)) ** 0.5
    assert np.isclose(counts.var(), mean, rtol=0.06)
    edges = np.unique(stats.poisson.ppf(np.linspace(0.05, 0.95, 10), mean))
    for edge in edges:
        share = stats.poisson.cdf(edge, mean)
        assert abs((counts <= edge).mean() - share) < 5 * (0.25 / len(counts)) ** 0.5
    assert made(PoissonNoise(peak=peak), torch.zeros(2, 1, 4, 4)).abs().max() == 0
    shifted = made(PoissonNoise(peak=peak, low=-1, high=1), source * 2 - 1)
    assert torch.allclose((shifted + 1) / 2, made(PoissonNoise(peak=peak), source), atol=2 / peak)


def test_binarised_pixels_are_white_as_often_as_they_are_bright() -> None:
    source = torch.tensor([-1.0, -0.5, 0.4, 1.0]).reshape(1, 1, 2, 2).repeat(20_000, 1, 1, 1)
    drawn = made(Binarised(low=-1.0), source)
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    often = (drawn == 1).float().mean(0).flatten()
    assert torch.allclose(often, torch.tensor([0.0, 0.25, 0.7, 1.0]), atol=5 * (0.25 / 20_000) ** 0.5)


def test_patches_are_lost_whole() -> None:
    masked = made(MaskedPatches(share=0.5, side=5, low=-1.0), torch.ones(60, 3, 16, 16))
    lost = masked == -1
    assert torch.equal(lost[:, :1].expand_as(lost), lost)
    for rows in (slice(0, 5), slice(5, 10), slice(15, 16)):
        block = lost[:, 0, rows, 5:10].flatten(1).float().mean(1)
        assert set(block.tolist()) <= {0.0, 1.0}
    assert 0.4 < float(lost.float().mean()) < 0.6


def test_grey_and_shrunk_are_pillows() -> None:
    pixels = (IMAGES[:3] * 255).round().to(torch.uint8)
    for image, grey, small in zip(
        pixels, made(Grey(), pixels / 255), made(Shrunk(factor=2), pixels / 255), strict=True
    ):
        picture = Image.fromarray(image.movedim(0, 2).numpy())
        assert np.abs(np.asarray(picture.convert("L")) - grey[0].numpy() * 255).max() <= 1
        reference = np.asarray(picture.resize((8, 8), Image.Resampling.BICUBIC)).astype(float)
        assert np.abs(reference - small.movedim(0, 2).numpy().clip(0, 1) * 255).max() < 2
    with pytest.raises(ConfigurationError, match="evenly"):
        made(Shrunk(factor=3))


def test_edges_are_sobels() -> None:
    grey = made(Grey())
    edges = made(Edges())
    for image, found in zip(grey[:3, 0].numpy().astype(float), edges[:3, 0].numpy(), strict=True):
        across, down = (ndimage.sobel(image, axis, mode="nearest") for axis in (1, 0))
        assert np.allclose(np.minimum(np.hypot(across, down) / 4, 1), found, atol=1e-5)
    step = torch.cat([torch.zeros(1, 1, 8, 4), torch.ones(1, 1, 8, 4)], dim=3)
    assert torch.equal(made(Edges(), step).amax(), torch.tensor(1.0))


def test_fields_are_derived_one_after_the_other() -> None:
    batch = {"inputs": IMAGES, "index": torch.arange(40)}
    result = derive(batch, {"target": Grey(), "source": GaussianNoise(of="target")}, 0, 0)
    assert result["source"].shape == result["target"].shape == (40, 1, 16, 16)
    assert "target" not in batch
