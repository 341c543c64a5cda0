"""What noise a generator would have to be given to draw a picture: guessed by an encoder, and improved by descent.

An encoder is trained once for each generator, on pictures that it draws, of which the noise is known, and kept in the
cache. Descent starts from its guess and from draws of chance, many at a time, and never leaves what the generator was
trained on: noise stays as short, or within the bounds, as it is drawn.
"""

import hashlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from ganglion.data.catalogue import cache_folder
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.nn.adversarial.picture_encoder import PictureEncoder
from ganglion.rules.adversarial.latent import LIMIT, LatentName
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.tasks.shared.evaluation import ask
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer

DRAWN, STEPS, BATCH = 4096, 600, 64
"""Pictures that an encoder learns from, iterations, and pictures in each."""
PIXELS = 10.0
"""How much the difference of pictures counts beside that of noise, in what an encoder learns."""
VERSION = 1
"""To be raised whenever an encoder of the same generator would come out otherwise."""
RATE, MOMENTS = 0.1, (0.9, 0.999)
"""Of Adam, as in the authors' code of iGAN."""
LONGER = 2.0
"""How much longer than the root of its features normal noise may be: beyond that lies one draw in 400."""
EVERY = 3
"""Steps between frames."""

Cost = Callable[[Tensor, Tensor], Tensor]
"""From pictures (candidates, channels, height, width) and their noise (candidates, features) to costs (candidates,)."""


@dataclass(frozen=True)
class Maker:
    """A generator as a function of noise alone, and how its noise is drawn."""

    network: nn.Module
    """In evaluation mode."""
    pictures: Callable[[Tensor], Tensor]
    """From noise (batch, numbers), behind which a class may stand, to pictures (batch, channels, height, width)."""
    draw: Callable[[int, int], Tensor]
    """From a count and a seed to noise (count, numbers), likewise."""
    latent: LatentName
    features: int
    """Of the noise, without the class."""

    def asked(self, noise: Tensor) -> Tensor:
        """Return pictures of noise (count, numbers), each of which depends on its own noise alone."""
        return ask(self.network, noise, by=self.pictures)

    def bounded(self, noise: Tensor) -> Tensor:
        """Return noise (count, features) brought to where noise is drawn."""
        if self.latent == "uniform":
            return noise.clamp(-1, 1)
        if self.latent == "truncated-normal":
            return noise.clamp(-LIMIT, LIMIT)
        length = noise.norm(dim=1, keepdim=True)
        if self.latent == "sphere":
            return noise * math.sqrt(self.features) / length.clamp(min=1e-6)
        return noise * ((math.sqrt(self.features) + LONGER) / length.clamp(min=1e-6)).clamp(max=1)

    def allowed(self, slopes: Tensor, noise: Tensor) -> Tensor:
        """Return slopes (count, features) at noise of this shape without what leads away from where noise is drawn."""
        if self.latent != "sphere":
            return slopes
        along = (slopes * noise).sum(dim=1, keepdim=True) / noise.square().sum(dim=1, keepdim=True).clamp(min=1e-6)
        return slopes - along * noise


@dataclass(frozen=True)
class Found:
    """Where descent came to, the best first."""

    noise: Tensor
    """(candidates, numbers), with the class behind it where there are classes."""
    costs: Tensor
    """(candidates,)."""
    starts: Tensor
    """Which of the starts each was (candidates,)."""
    frames: Tensor
    """Pictures of the best one on its way (frames, channels, height, width)."""


def descended(maker: Maker, cost: Cost, starts: Tensor, steps: int) -> Found:
    """Lower the cost of what is drawn of noise by Adam, from many starts at once, each by itself; the best of its way
    is what each comes to.

    Args:
        starts: noise (candidates, numbers), with a class behind it where there are classes; the class stays.
    """
    device = next(maker.network.parameters()).device
    kept = starts[:, maker.features :].to(device)
    noise = starts[:, : maker.features].to(device).clone().requires_grad_()
    optimizer = torch.optim.Adam([noise], lr=RATE, betas=MOMENTS)
    best, least = noise.detach().clone(), torch.full((len(starts),), torch.inf, device=device)
    films = []
    for step in range(steps + 1):
        optimizer.param_groups[0]["lr"] = RATE * (0.1 + 0.9 * (1 + math.cos(math.pi * step / steps)) / 2)
        with torch.enable_grad():
            pictures = maker.pictures(torch.cat([noise, kept], dim=1))
            costs = cost(pictures, noise)
            (slopes,) = torch.autograd.grad(costs.sum(), noise)
        is_better = costs.detach() < least
        least = torch.where(is_better, costs.detach(), least)
        best = torch.where(is_better[:, None], noise.detach(), best)
        if step % EVERY == 0:
            films.append(pictures.detach().cpu())
        noise.grad = maker.allowed(slopes, noise.detach())
        optimizer.step()
        noise.data = maker.bounded(noise.data)
    order = least.cpu().argsort(stable=True)
    final = torch.cat([best, kept], dim=1).cpu()[order]
    frames = [*(pictures[order[0]] for pictures in films), maker.asked(final[:1])[0]]
    return Found(final, least.cpu()[order], order, torch.stack(frames))


def encoder_of(maker: Maker, cache: Path | None = None) -> PictureEncoder:
    """Return the encoder of a generator: the one in the cache, or one that is trained now and kept there.

    E lowers the mean of |E(G(z)) - z|^2 + `PIXELS` |G(E(G(z))) - G(z)|^2 over noise z. The random state is left
    untouched, and the same generator gives the same bits.
    """
    pictures = maker.asked(maker.draw(1, 0))
    channels, side = pictures.shape[1], pictures.shape[2]
    digest = hashlib.sha256(f"{VERSION} {STEPS} {maker.latent}".encode())
    for name, weight in sorted(maker.network.state_dict().items()):
        digest.update(name.encode() + weight.detach().cpu().contiguous().numpy().tobytes())
    folder = cache_folder().parent / "encoders" if cache is None else cache
    place = folder / f"{digest.hexdigest()[:24]}.safetensors"
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        encoder = PictureEncoder(channels, side, maker.features)
        if not _filled(encoder, place):
            _train(encoder, maker)
            _keep(encoder, place)
    return encoder.eval().requires_grad_(False)


def _train(encoder: PictureEncoder, maker: Maker) -> None:
    noise = maker.draw(DRAWN, 1)
    inputs = maker.asked(noise)
    was = [parameter.requires_grad for parameter in maker.network.parameters()]
    device = next(maker.network.parameters()).device

    def loss(guesses: Tensor, targets: Tensor) -> Tensor:
        truth, kept = targets.split([maker.features, targets.shape[1] - maker.features], dim=1)
        again = maker.pictures(torch.cat([guesses, kept], dim=1))
        drawn = maker.pictures(targets)
        return functional.mse_loss(guesses, truth) + PIXELS * functional.mse_loss(again, drawn)

    maker.network.requires_grad_(False)
    try:
        with torch.enable_grad():
            rule = Supervised(encoder, Descent(optimizer="adam", learning_rate=1e-3), loss=loss)
            settings = TrainerSettings(steps=STEPS, seed=0, device=device.type, schedule="cosine")
            Trainer(rule, InMemoryLoader({"inputs": inputs, "targets": noise}, BATCH, 0), settings).fit()
    finally:
        for parameter, learns in zip(maker.network.parameters(), was, strict=True):
            parameter.requires_grad_(learns)


def _filled(encoder: nn.Module, place: Path) -> bool:
    """Fill an encoder with what is kept in a file; return whether it fits."""
    try:
        encoder.load_state_dict(load(place.read_bytes()))
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
        return False
    return True


def _keep(encoder: nn.Module, place: Path) -> None:
    """Keep an encoder; a place that cannot be written is no reason to stop."""
    weights = {name: value.detach().cpu().contiguous() for name, value in sorted(encoder.state_dict().items())}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.with_name(f".draft-{os.getpid()}-{place.name}")
        draft.write_bytes(save(weights))
        os.replace(draft, place)  # whoever reads meanwhile sees the old or the new
    except OSError:
        return


def root_mean_square(pictures: Tensor, target: Tensor, white: float) -> np.ndarray:
    """Return how far pictures (count, ...) are from one (1, ...), as a share of the way from black to white."""
    errors: np.ndarray = ((pictures - target) / white).square().flatten(1).mean(dim=1).sqrt().numpy()
    return errors
