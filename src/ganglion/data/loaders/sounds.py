"""Random changes to sounds while training: spoken faster or slower, moved in time, mixed with noise.

Each is a function of (seed, epoch, sample), whatever the batch's size and order.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.noise import mixed_seed, named_stream, uniforms

STREAM = named_stream("sounds")
DRAWN = 4
"""Numbers for each sample: speed, shift, loudness of the noise, and where in the noise it begins."""
NOISE = 1 << 17
"""Amplitudes of noise that are drawn once; each sample takes a stretch of them, and goes on at their beginning."""


@dataclass(frozen=True)
class SoundChanges:
    """Changes the waveforms of a batch: x'_t = x(s t - d) + r v n_t, silent where nothing was.

    The speed s lies between 1 - speed and 1 + speed, the shift d within this share of the length, and the noise n has
    a share r up to `noise` of v, the root of the sound's mean square. Between two amplitudes lies their mixture.

    Args:
        name: field of the batch that is changed, not a number past the end of each sound.
        speed, shift, noise: shares, at most; 0 changes nothing.

    >>> batch = {"inputs": torch.rand(2, 50), "inputs_lengths": torch.tensor([50, 50]), "index": torch.arange(2)}
    >>> changed = SoundChanges("inputs", speed=0.1, shift=0.1, noise=0.1)
    >>> both, one = changed(batch, 0, 1), changed({name: values[1:] for name, values in batch.items()}, 0, 1)
    >>> length = int(one["inputs_lengths"])
    >>> torch.equal(both["inputs"][1, :length], one["inputs"][0, :length])
    True
    """

    name: str
    speed: float
    shift: float
    noise: float

    def __call__(self, batch: Batch, seed: int, epoch: int) -> Batch:
        """Return the batch with changed waveforms `(batch, time)` and their lengths."""
        if not (self.speed or self.shift or self.noise):
            return batch
        waveforms, lengths = batch[self.name], batch[f"{self.name}_lengths"]
        draws = uniforms(seed, epoch, batch["index"].to(waveforms.device), DRAWN, STREAM)
        speeds, shifts = (1 + share * (2 * draws[:, place] - 1) for place, share in ((0, self.speed), (1, self.shift)))
        spoken = spoken_anew(waveforms, lengths, speeds, shifts - 1)
        ends = ((lengths / speeds).round().long()).clamp_min(1)
        if self.noise:
            loudness = (waveforms.nan_to_num(0.0).square().sum(1) / lengths).sqrt()
            first = (draws[:, 3] * NOISE).long()
            spoken = spoken + (self.noise * draws[:, 2] * loudness)[:, None] * _noise(seed, first, spoken.shape[1])
        past_end = torch.arange(spoken.shape[1], device=spoken.device) >= ends[:, None]
        changed = spoken.masked_fill(past_end, torch.nan)[:, : int(ends.max())]
        return batch | {self.name: changed, f"{self.name}_lengths": ends}


def spoken_anew(waveforms: Tensor, lengths: Tensor, speeds: Tensor, shifts: Tensor) -> Tensor:
    """Return x(s t - d) for t = 0, 1, ..., (batch, time), 0 where there is no sound.

    Args:
        waveforms: x, (batch, time), whatever past the ends.
        lengths: amplitudes of each sound `(batch,)`.
        speeds: s `(batch,)`.
        shifts: d as shares of the lengths `(batch,)`.

    >>> sound = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    >>> spoken_anew(sound, torch.tensor([4]), torch.tensor([2.0]), torch.tensor([-0.25])).tolist()
    [[2.0, 4.0]]
    """
    longest = max(1, int((lengths / speeds).round().max()))
    places = torch.arange(longest, device=waveforms.device) * speeds[:, None] - (shifts * lengths)[:, None]
    before = places.floor()
    part = places - before
    last = lengths[:, None] - 1
    found = []
    for place in (before.long(), before.long() + 1):
        inside = (place >= 0) & (place <= last)
        found.append(waveforms.gather(1, place.clamp_min(0).minimum(last)).masked_fill(~inside, 0.0))
    return found[0].lerp(found[1], part)


def _noise(seed: int, first: Tensor, steps: int) -> Tensor:
    """Return a stretch of normal noise for each sample (batch, steps) from a place on `(batch,)`."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, STREAM) & ((1 << 63) - 1))
    tape = torch.randn(NOISE, generator=generator).to(first.device)
    return tape[(first[:, None] + torch.arange(steps, device=first.device)) % NOISE]
