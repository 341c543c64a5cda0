"""Changes to sounds: functions of (seed, epoch, sample), with speed, shift and noise as they are said to be."""

import numpy as np
import torch

from ganglion.core import Batch
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.sounds import SoundChanges, spoken_anew
from ganglion.data.preprocessing.ragged import Ragged

SOUNDS = [torch.randn(length, generator=torch.Generator().manual_seed(length)) for length in (300, 500, 420, 350)]


def loader(changes: SoundChanges, batch_size: int, shuffle: bool = True) -> InMemoryLoader:
    columns = {"inputs": Ragged.of(SOUNDS, padding=torch.nan)}
    return InMemoryLoader(columns, batch_size, seed=0, augment=changes, shuffle=shuffle)


def by_sample(batches: list[Batch]) -> dict[int, torch.Tensor]:
    return {
        int(index): sound[:length]
        for batch in batches
        for index, sound, length in zip(batch["index"], batch["inputs"], batch["inputs_lengths"], strict=True)
    }


def test_a_sample_is_changed_alike_in_any_batch_and_anew_in_every_epoch() -> None:
    changes = SoundChanges("inputs", speed=0.2, shift=0.2, noise=0.1)
    together, alone = loader(changes, 4), loader(changes, 1)
    first, one = by_sample(list(together)), by_sample(list(alone))
    assert all(torch.equal(first[place], one[place]) for place in range(4))
    second = by_sample(list(together))
    assert not any(torch.equal(first[place], second[place]) for place in range(4))


def test_past_the_end_there_is_no_number_and_before_it_always_one() -> None:
    for batch in loader(SoundChanges("inputs", speed=0.2, shift=0.5, noise=0.1), 4):
        past_end = torch.arange(batch["inputs"].shape[1]) >= batch["inputs_lengths"][:, None]
        assert torch.equal(batch["inputs"].isnan(), past_end)


def test_nothing_is_changed_where_nothing_is_asked_for() -> None:
    (batch,) = loader(SoundChanges("inputs", 0.0, 0.0, 0.0), 4, shuffle=False)
    for place, sound in enumerate(SOUNDS):
        assert torch.equal(batch["inputs"][place, : len(sound)], sound)


def test_a_tone_at_another_speed_has_another_pitch() -> None:
    time = torch.arange(1000.0)
    tone = torch.sin(0.1 * time)[None]
    faster = spoken_anew(tone, torch.tensor([1000]), torch.tensor([1.25]), torch.tensor([0.0]))
    assert faster.shape == (1, 800)
    np.testing.assert_allclose(faster[0], np.sin(0.125 * np.arange(800)), atol=2e-3)


def test_a_shift_brings_silence() -> None:
    sound = torch.arange(1.0, 9.0)[None]
    later = spoken_anew(sound, torch.tensor([8]), torch.ones(1), torch.tensor([0.25]))
    assert later.tolist() == [[0, 0, 1, 2, 3, 4, 5, 6]]


def test_noise_has_the_loudness_that_is_asked_for() -> None:
    quiet = Ragged.of([torch.full((40_000,), 2.0)], padding=torch.nan)
    changes = SoundChanges("inputs", 0.0, 0.0, noise=0.5)
    added = [next(iter(InMemoryLoader({"inputs": quiet}, 1, seed, augment=changes)))["inputs"] - 2 for seed in range(9)]
    deviations = [float(one.std()) for one in added]
    assert max(deviations) <= 0.5 * 2 * 1.05 and np.std(deviations) > 0.1
