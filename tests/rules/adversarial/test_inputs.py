"""Which tensors reach whom: without a condition, with one, from image to image, and through a view."""

import pytest
import torch
from torch import Tensor

from ganglion.errors import ConfigurationError
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent

NOISE = Latent("uniform", (1, 4, 4))
BATCH = {"inputs": torch.zeros(3, 2), "targets": torch.arange(3), "source": torch.ones(3, 2)}


def test_noise_comes_first_and_conditions_follow_in_order() -> None:
    inputs = Inputs(noise=NOISE, generator=("targets", "source"), discriminator=("source",))
    batch = inputs.with_noise(BATCH)
    noise, targets, source = inputs.for_generator(batch)
    assert noise.shape == (3, 1, 4, 4) and targets is BATCH["targets"] and source is BATCH["source"]
    assert inputs.for_discriminator(batch) == (BATCH["source"],)
    assert "latent" not in BATCH  # the batch of the loader is not changed


def test_image_to_image_needs_no_noise() -> None:
    inputs = Inputs(real="inputs", generator=("source",))
    assert inputs.with_noise(BATCH) is BATCH
    assert inputs.for_generator(BATCH) == (BATCH["source"],) and inputs.for_discriminator(BATCH) == ()


def test_a_view_makes_what_the_players_see() -> None:
    def halved(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"inputs": batch["inputs"][:, ::2]}

    assert Inputs(noise=NOISE, view=halved).seen(BATCH)["inputs"].shape == (3, 1)
    assert Inputs(noise=NOISE).seen(BATCH) is BATCH


def test_refuses_a_generator_that_is_given_nothing_and_reserved_names() -> None:
    with pytest.raises(ConfigurationError, match="given nothing"):
        Inputs(discriminator=("targets",))
    with pytest.raises(ConfigurationError, match="reserved"):
        Inputs(noise=NOISE, discriminator=("generated",))
