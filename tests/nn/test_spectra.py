"""Spectrograms: against sums written out and scipy, alone as in a batch, loud as soft; and what is refused."""

import numpy as np
import pytest
import torch
from scipy import fft, signal

from ganglion.errors import ConfigurationError
from ganglion.nn.sound.spectra import Spectrogram, mel_filters, to_mel

RATE = 8000
RANDOM = np.random.default_rng(0)
SOUND = RANDOM.normal(size=1000)


def written_out(sound: np.ndarray, bands: int) -> np.ndarray:
    """Return P_tm by the sums of the definition, frame by frame and triangle by triangle (frames, bands)."""
    size, samples, hop = 256, 200, 80
    window = np.zeros(size)
    window[28:228] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    padded = np.pad(sound, size // 2)
    edges = np.linspace(to_mel(20.0), to_mel(RATE / 2), bands + 2)
    found = np.zeros((len(sound) // hop + 1, bands))
    for t in range(len(found)):
        piece = padded[t * hop : t * hop + size] * window
        for k in range(size // 2 + 1):
            power = abs(sum(piece * np.exp(-2j * np.pi * k * np.arange(size) / size))) ** 2
            mel = to_mel(k * RATE / size)
            for m in range(bands):
                width = edges[1] - edges[0]
                found[t, m] += power * max(0.0, min((mel - edges[m]) / width, (edges[m + 2] - mel) / width))
    return found


def test_levels_are_the_sums_of_the_definition() -> None:
    hear = Spectrogram(RATE, bands=6)
    levels = hear.levels(torch.from_numpy(SOUND[:400])[None])[0]
    np.testing.assert_allclose(levels.exp().numpy(), written_out(SOUND[:400], 6), rtol=1e-4)


def test_transform_is_that_of_scipy() -> None:
    hear = Spectrogram(RATE, bands=20)
    power = hear.levels(torch.from_numpy(SOUND)[None])[0].exp().numpy()
    window = signal.get_window("hann", 200)
    transform = signal.ShortTimeFFT(np.pad(window, 28), 80, RATE, fft_mode="onesided")
    spectra = transform.stft(SOUND, 0, 13, k_offset=0)
    expected = (np.abs(spectra) ** 2).T @ mel_filters(RATE, 256, 20).numpy().T
    np.testing.assert_allclose(power, np.maximum(expected, expected.max() * 1e-7), rtol=1e-4)


def test_cepstra_are_cosine_transforms_of_levels() -> None:
    bands, cepstra = Spectrogram(RATE, bands=20), Spectrogram(RATE, bands=20, coefficients=13)
    lengths = torch.tensor([1000])
    inputs = torch.from_numpy(SOUND).float()[None]
    expected = fft.dct(bands.levels(inputs)[0].numpy(), norm="ortho")[:, :13]
    expected = expected - expected.mean(0)
    found = cepstra(inputs, lengths)[0][0].numpy()
    np.testing.assert_allclose(found, expected / expected.std(), atol=1e-4)


def test_what_stands_beside_a_sound_and_how_loud_it_is_changes_nothing() -> None:
    hear = Spectrogram(RATE)
    sound = torch.from_numpy(SOUND).float()
    alone, _ = hear(sound[None], torch.tensor([1000]))
    other = torch.randn(1500, generator=torch.Generator().manual_seed(0))
    both = torch.stack([other, torch.nn.functional.pad(sound, (0, 500))])
    together, frames = hear(both, torch.tensor([1500, 1000]))
    assert frames.tolist() == [19, 13]
    torch.testing.assert_close(together[1, :13], alone[0])
    assert not together[1, 13:].any()
    torch.testing.assert_close(hear(sound[None] * 0.01, torch.tensor([1000]))[0], alone, atol=1e-4, rtol=1e-4)
    assert alone.mean(1).abs().max() < 1e-5 and alone.std(correction=0).item() == pytest.approx(1, abs=1e-4)


def test_silence_and_a_single_amplitude_are_finite() -> None:
    hear = Spectrogram(RATE)
    for length in (1, 50, 900):
        features, _ = hear(torch.zeros(1, length), torch.tensor([length]))
        assert torch.isfinite(features).all()


def test_refuses_bands_in_which_no_frequency_lies() -> None:
    with pytest.raises(ConfigurationError, match="narrower"):
        mel_filters(RATE, 64, 80)
