"""What tasks that hear share: files of sound that are asked about, batches that are changed, networks that listen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ganglion.data.formats.sounds.files import Recording, read_sound, resampled, sound_files
from ganglion.data.loaders.epochs import EpochLoader
from ganglion.data.loaders.sounds import SoundChanges
from ganglion.data.preprocessing import WaveformPreprocessing
from ganglion.data.preprocessing.sounds import PAST_END
from ganglion.nn.sound.spectra import Spectral
from ganglion.tasks.shared.evaluation import ask_sequences, evaluating
from ganglion.tasks.shared.inputs import Asked, Name, existing
from ganglion.tasks.shared.prepared import Prepared


def listen(network: nn.Module, sounds: Sequence[Tensor]) -> list[Tensor]:
    """Return the output of a network for each sound `(time,)`."""
    return ask_sequences(network, sounds, padding=PAST_END)


def heard(network: Spectral, sounds: Sequence[Tensor]) -> list[Tensor]:
    """Return the frames (frames, features) that a network hears of each sound `(time,)`."""
    assert isinstance(network, nn.Module)
    with evaluating(network) as device:
        return [network.hear(sound[None].to(device))[0][0].cpu() for sound in sounds]


def loader_of_sounds(data: Prepared, config: Any, seed: int) -> EpochLoader:
    """Return the training batches, each sound spoken at another speed, moved and mixed with noise."""
    return data.loader(seed, SoundChanges("inputs", config.speed, config.shift, config.noise))


def described(data: Prepared) -> list[str]:
    """Return what the user should know of the sounds of the training part."""
    field, sound = data.raw("train"), data.preprocessing["inputs"]
    rate = sound.rate or 1
    seconds = np.array([len(waveform) for waveform in field.values]) / rate
    notes = [f"{seconds.mean():.2f} s a sound, at most {seconds.max():.2f}" if sound.rate else "sounds of unknown rate"]
    cut = int((seconds * rate > sound.most).sum()) if sound.most else 0
    if cut:
        notes.append(f"{cut} sounds are cut after {sound.most / rate:g} s (--window)")
    return notes


def asked_sounds(inputs: Sequence[Any], sound: WaveformPreprocessing) -> Asked:
    """Return what a user asks about at the rate that a network learnt from: files, folders of them, or arrays.

    Raises `DataError` where there is no such file, or where one cannot be read.
    """
    names: list[Name] = []
    recordings: list[Recording] = []
    for item in inputs:
        if isinstance(item, str | Path):
            files = sound_files(existing(item))
            names += [{"input": str(path)} for path in files]
            recordings += map(read_sound, files)
        else:
            names.append({})
            recordings.append(Recording(np.asarray(item), sound.rate))
    silent = [place for place, one in enumerate(recordings) if len(one.amplitudes) and not np.ptp(one.amplitudes)]
    samples = [resampled(one.amplitudes, one.rate, sound.rate or one.rate) for one in recordings]
    return Asked(samples, names, notes=tuple(_notes(names, recordings, silent, sound)))


def _notes(
    names: Sequence[Name], recordings: Sequence[Recording], silent: Sequence[int], sound: WaveformPreprocessing
) -> list[str]:
    """Return what the user should know of how sounds were read."""
    notes = []
    if silent:
        said = ", ".join(str(names[place].get("input", f"array {place + 1}")) for place in silent[:5])
        notes.append(f"nothing is to be heard in {said}: the answer means nothing")
    channels = sorted({one.channels for one in recordings if one.channels > 1})
    if channels:
        notes.append(f"sounds of {', '.join(map(str, channels))} channels are mixed to one")
    others = sorted({one.rate for one in recordings if sound.rate and one.rate != sound.rate})
    if others:
        notes.append(f"sounds of {', '.join(f'{rate:,}' for rate in others)} a second are resampled to {sound.rate:,}")
    lower = [rate for rate in others if rate < sound.rate]
    if lower:
        notes.append("what was recorded at a lower rate than the training sounds lacks their high pitches")
    if sound.most and any(len(one.amplitudes) / one.rate * sound.rate > sound.most for one in recordings):
        notes.append(f"sounds are cut after {sound.most / sound.rate:g} s")
    return notes
