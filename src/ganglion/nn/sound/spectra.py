"""Sounds as pictures of time and pitch: log power in bands of the mel scale, and their cepstra."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.nn.recurrent.sequences import cleared, padding

QUIET = 1e-10
"""Power that counts as none at all, so that silence has a logarithm."""


def to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Return the pitch m = 2595 log10(1 + f / 700) of frequencies f in hertz, in their shape (...).

    Source: O'Shaughnessy, Speech communication (1987), page 150.

    >>> round(float(to_mel(1000.0)))
    1000
    """
    return 2595 * np.log10(1 + np.asarray(hertz, dtype=np.float64) / 700)


def mel_filters(rate: int, size: int, bands: int, lowest: float = 20.0) -> Tensor:
    """Return triangles F_mk that are equally wide in mel and overlap by half, `(bands, size // 2 + 1)`.

    Args:
        rate: amplitudes a second; the highest triangle ends at half of it.
        size: N of the Fourier transform, whose value k belongs to the frequency k rate / N.
        bands: triangles.
        lowest: hertz at which the first begins.

    Raises `ConfigurationError` where a triangle is so narrow that no frequency of the transform lies in it.

    Source: Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition (1980).

    >>> mel_filters(8000, 256, 20).shape
    torch.Size([20, 129])
    """
    frequencies = to_mel(np.arange(size // 2 + 1) * rate / size)
    corners = np.linspace(to_mel(lowest), to_mel(rate / 2), bands + 2)
    filters = (1 - np.abs(frequencies - corners[1:-1, None]) / (corners[1] - corners[0])).clip(0)
    if not filters.any(axis=1).all():
        raise ConfigurationError(
            "these bands are narrower than what a frame can tell apart",
            expected="fewer bands, or longer frames",
            found=f"{bands} bands of frames of {size} amplitudes at {rate} a second",
        )
    return torch.as_tensor(filters, dtype=torch.float32)


def cosines(coefficients: int, bands: int) -> Tensor:
    """Return the first rows of the orthonormal discrete cosine transform (II), `(coefficients, bands)`.

    D_jm = sqrt(2 / M) cos(pi j (m + 1/2) / M), and sqrt(1 / M) in row 0.

    >>> torch.allclose(cosines(5, 5) @ cosines(5, 5).T, torch.eye(5), atol=1e-6)
    True
    """
    from scipy.fft import dct

    table = dct(np.eye(bands), type=2, norm="ortho", axis=0)[:coefficients]
    return torch.as_tensor(table, dtype=torch.float32)


@runtime_checkable
class Spectral(Protocol):
    """A network that hears sounds as frames of pitches and answers by those."""

    def hear(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames (batch, frames, features) of waveforms (batch, time), and their numbers (batch,)."""

    def answer(self, features: Tensor, frames: Tensor) -> Tensor:
        """Return outputs (batch, ...) of frames (batch, frames, features), of which each sound has some (batch,)."""


class Spectrogram(nn.Module):
    """What there is of each pitch at each time, standardised within each sound.

    P_tm = sum_k F_mk |sum_n w_n x_{h t + n} e^(-2 pi i k n / N)|^2,  S_tm = log max(P_tm, 10^(-d / 10) max P), and of
    that, if wanted, the cepstrum C_t = D S_t. Then the mean of each band over time is taken away, and all is divided
    by one deviation: how loud a voice is and what the microphone does to it are gone. w is the window of Hann.

    Args:
        rate: amplitudes a second.
        bands: M, features of each frame.
        coefficients: of the cepstrum; none keeps the bands.
        frame: seconds that a frame sees, N rounded up to a power of two.
        hop: seconds h from frame to frame.
        depth: d, decibels below the loudest band of the sound from which on all counts as that quiet.

    >>> features, lengths = Spectrogram(8000, bands=20)(torch.randn(2, 4000), torch.tensor([4000, 2000]))
    >>> features.shape, lengths.tolist()
    (torch.Size([2, 51, 20]), [51, 26])
    """

    filters: Tensor
    window: Tensor
    transform: Tensor

    def __init__(
        self,
        rate: int,
        bands: int = 40,
        coefficients: int | None = None,
        frame: float = 0.025,
        hop: float = 0.01,
        depth: float = 70.0,
    ) -> None:
        super().__init__()
        samples = max(2, round(rate * frame))
        self.size, self.hop, self.depth = 1 << (samples - 1).bit_length(), max(1, round(rate * hop)), depth
        self.features = coefficients or bands
        self.register_buffer("filters", mel_filters(rate, self.size, bands), persistent=False)
        self.register_buffer("window", torch.hann_window(samples), persistent=False)
        table = cosines(coefficients, bands) if coefficients else torch.empty(0)
        self.register_buffer("transform", table, persistent=False)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (batch, frames, features), 0 past the ends, and how many frames each sound has (batch,).

        Args:
            waveforms: (batch, time), 0 past the end of each.
            lengths: amplitudes of each sound `(batch,)`.
        """
        levels = self.levels(waveforms)
        if len(self.transform):
            levels = levels @ self.transform.T
        frames = self.frames(lengths)
        past_end = padding(frames, levels.shape[1]).T  # (batch, frames)
        return standardised(levels, frames, past_end), frames

    def frames(self, lengths: Tensor) -> Tensor:
        """Return how many frames sounds of so many amplitudes `(batch,)` have."""
        return lengths // self.hop + 1

    def levels(self, waveforms: Tensor) -> Tensor:
        """Return S, natural logarithms of power, (batch, frames, bands), of waveforms (batch, time)."""
        window = self.window.to(waveforms.dtype)
        size, samples = self.size, len(window)
        spectra = torch.stft(
            waveforms, size, self.hop, samples, window, center=True, pad_mode="constant", return_complex=True
        )
        power = torch.view_as_real(spectra).square().sum(-1).transpose(1, 2) @ self.filters.T.to(waveforms.dtype)
        loudest = power.amax((1, 2), keepdim=True)
        return torch.maximum(power, loudest * 10 ** (-self.depth / 10) + QUIET).log()


def standardised(levels: Tensor, frames: Tensor, past_end: Tensor) -> Tensor:
    """Return levels less the mean of each band over time, divided by the deviation of all; 0 past the ends.

    Args:
        levels: (batch, frames, features).
        frames: of each sound `(batch,)`.
        past_end: which frames are not of the sound (batch, frames).
    """
    counts = frames[:, None, None]
    levels = cleared(levels, past_end)
    centred = cleared(levels - levels.sum(1, keepdim=True) / counts, past_end)
    variance = centred.square().sum((1, 2), keepdim=True) / (counts * levels.shape[2])
    return centred / (variance + QUIET).sqrt()
