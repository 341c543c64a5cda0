"""Learning to compress: few bits and little error at once, at several rates."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, Coder, LearningRule
from ganglion.nn.compression.context import bits, rounded
from ganglion.rules.descend import Descent, descend

WHITE = 255.0
EXCHANGE = math.log(2) / 6
"""Squared error that a bit is worth, in squared steps: -dD/dR of numbers that are rounded to steps, D = step^2 / 12."""


@final
class Compression(LearningRule):
    """Descend w_q (R + D / (c step_q^2)), a mean over pixels; each sample of a batch has a quality q of its own.

    R = sum -log2 P(g_q y + u | round(g_q y) before), in bits           u uniform in (-1/2, 1/2)
    D = sum (255 (x - s(round(g_q y) / h_q)))^2
    w_q = step_q / the mean step, since bits fall nearly so

    Rounding has the slope of what is rounded.

    Args:
        network: codes pictures and foretells codes.
        descent: how the gradient becomes an update.
        steps: how coarsely each quality rounds, in steps of brightness of 255.

    Source: Balle, Laparra and Simoncelli, End-to-end optimized image compression (2017), equation 10.
    """

    def __init__(self, network: nn.Module, descent: Descent, *, steps: Sequence[float]) -> None:
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.descent = descent
        self.steps = torch.tensor(steps)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["network"], self._drawn(batch), self._objective, self.descent)

    def judge_qualities(self, images: Tensor, quality: Tensor) -> dict[str, Tensor]:
        """Return `loss`, `bits_per_pixel` and `mse`, (batch,) each, of images as they come back.

        Args:
            images: (batch, 3, height, width).
            quality: of each (batch,).
        """
        return self._measured(images, quality, None)

    def _drawn(self, batch: Batch) -> Batch:
        """Return a batch with a quality for each sample, and the noise of its codes."""
        images, network = batch["targets"], self._coder
        rows, columns = (-(-side // network.block) for side in images.shape[2:])
        drawn = torch.randint(network.qualities, (len(images),), device=images.device)
        noise = torch.rand(len(images), network.channels, rows, columns, device=images.device) - 0.5
        return {**batch, "quality": drawn, "noise": noise}

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        measured = self._measured(batch["targets"], batch["quality"], batch["noise"])
        return {name: value.mean() for name, value in measured.items()}

    def _measured(self, images: Tensor, quality: Tensor, noise: Tensor | None) -> dict[str, Tensor]:
        network, pixels = self._coder, images.shape[2] * images.shape[3]
        scaled = network.scaled(network.latents(images), quality)
        codes = rounded(scaled)
        means, widths = network.context(codes, quality)
        paid = codes if noise is None else scaled + noise
        rate = bits(paid, means, widths).flatten(1).sum(1) / pixels
        made = network.pictures(codes, quality)[..., : images.shape[2], : images.shape[3]]
        error = (WHITE * (images - made)).square().flatten(1).sum(1) / pixels
        step = self.steps.to(images.device)[quality]
        loss = step / self.steps.mean() * (rate + error / (EXCHANGE * step.square()))
        return {"loss": loss, "bits_per_pixel": rate, "mse": error / images.shape[1]}

    @property
    def _coder(self) -> Coder:
        return self.home  # type: ignore[return-value]
