"""The reader of sounds: what padding cannot change, the time delays of 1989, its size by hand, and its row."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged, WaveformPreprocessing
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.spoken_words import FORMS, SMALL, TINY, Config, TimeDelays, build
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row

PARTED = ("kina", "lumi", "sata")
"""Words that differ in all their sounds, so that a small network soon tells them apart."""


@cache
def few_words() -> tuple[Ragged, torch.Tensor]:
    """Sounds of three words, and which word each is."""
    voices = generate("voices", count=200)
    names = voices.label_names
    kept = [place for place, word in enumerate(np.asarray(voices.targets)) if names[word] in PARTED]
    sounds = voices.main.take(np.array(kept)).values
    classes = [PARTED.index(names[voices.targets[place]]) for place in kept]
    return WaveformPreprocessing.fit(sounds, rate=8000)(sounds), torch.tensor(classes)


def loader(batch_size: int | str = 20, shuffle: bool = True) -> InMemoryLoader:
    sounds, classes = few_words()
    columns = {"inputs": sounds, "targets": classes}
    return InMemoryLoader(columns, batch_size, seed=0, shuffle=shuffle, by_length="inputs")  # type: ignore[arg-type]


@torch.no_grad()
def share_of_words_understood(rule: LearningRule) -> float:
    batch = next(iter(loader("all", shuffle=False)))
    return float(accuracy(rule.home.eval()(batch["inputs"]), batch["targets"]))


ROW = Row(
    loader=loader,
    steps=40,
    measure=share_of_words_understood,
    threshold=0.9,
    counts=(
        # Two layers in two directions of four gates each, the second reading both; the decision.
        ({}, "network", 2 * 4 * 128 * (40 + 128 + 1) + 2 * 4 * 128 * (256 + 128 + 1) + 256 * 10 + 10),
        # 16 bands by 3 frames to 8 units, 8 units by 5 to 3 classes, and a gain and a bias of each.
        ({"time_delays": True, "bands": 16, "num_classes": 3}, "network", 8 * (16 * 3 + 1) + 3 * (8 * 5 + 1) + 6),
    ),
    data=generate("voices", count=60),
)


@pytest.mark.parametrize("form", [SMALL, *FORMS.values(), replace(SMALL, num_classes=None, vocabulary_size=5)])
def test_what_stands_past_the_end_changes_nothing(form: Config) -> None:
    torch.manual_seed(0)
    network = build(form).home.eval()
    sound = torch.randn(1, 2400)
    longer = torch.cat([sound, torch.full((1, 900), torch.nan)], dim=1)
    alone, beside = network(sound), network(torch.cat([longer, torch.randn(1, 3300)]))[:1]
    torch.testing.assert_close(beside[:, : alone.shape[1]], alone, atol=1e-5, rtol=1e-4)
    if form.num_classes is None:
        assert (beside[0, alone.shape[1] :].softmax(1)[:, 0] == 1).all()


def test_time_delays_have_the_connections_of_1989() -> None:
    """16 coefficients of 15 frames, 8 units at 13 times, 3 at 9, which 3 outputs add up: 6,233 connections."""
    layers = TimeDelays(16, 8, 3)
    hidden, steps = layers(torch.zeros(1, 15, 16), torch.tensor([15]))
    assert (hidden.shape, steps.tolist()) == ((1, 9, 3), [9])
    first, second = (layer.weight[0].numel() + 1 for layer in (layers.first, layers.second))
    assert 13 * 8 * first + 9 * 3 * second + 3 * (9 + 1) == 6233


def test_a_unit_of_time_delays_finds_a_pattern_wherever_it_is() -> None:
    layers = TimeDelays(4, 8, 3).eval()
    pattern, silence = torch.randn(1, 7, 4), torch.zeros(1, 20, 4)
    early = torch.cat([silence[:, :7], pattern, silence], dim=1)
    late = torch.cat([silence[:, :12], pattern, silence[:, :15]], dim=1)
    both = [layers(frames, torch.tensor([34]))[0].amax(1) for frames in (early, late)]
    torch.testing.assert_close(*both)


def test_a_sound_of_one_amplitude_has_an_answer() -> None:
    for form in (SMALL, *FORMS.values()):
        assert torch.isfinite(build(form).home.eval()(torch.ones(1, 1))).all()


def test_covers_and_dropout_are_there_while_training_only() -> None:
    torch.manual_seed(0)
    network = build(replace(SMALL, covered=0.5)).home
    sound = torch.randn(2, 3000)
    assert not torch.equal(network(sound), network(sound))
    network.eval()
    assert torch.equal(network(sound), network(sound))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"num_classes": None}, "told apart or spelled"),
        ({"num_classes": None, "vocabulary_size": 9, "time_delays": True}, "cannot spell"),
        ({"num_layers": 0}, "no layer"),
        ({"bands": 2}, "bands"),
        ({"speed": 1.0}, "speed"),
    ],
)
def test_refuses_impossible_configurations(wrong: dict, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Config(**wrong)


def test_tiny_changes_nothing_at_random() -> None:
    assert not (TINY.dropout or TINY.covered or TINY.noise or TINY.speed or TINY.shift)
