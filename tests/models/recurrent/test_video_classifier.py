"""The watcher of films: what is in no frame is learnt from their order, frame by frame and as a whole; and its row."""

from dataclasses import replace
from functools import cache
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.core import Batch, LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.video_classifier import FORMS, TINY, Config, VideoClassifier, build
from ganglion.nn.recurrent.named_cells import CellName
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row


@cache
def squares(count: int = 400) -> tuple[Tensor, Tensor]:
    """Films (films, 5, 1, 8, 8) of a square that goes left or right around a ring, and which."""
    random = np.random.default_rng(0)
    ways = np.arange(count) % 2
    page = np.zeros((8, 8), np.float32)
    page[:3, :3] = 1
    films = []
    for way, (top, left) in zip(ways, random.integers(8, size=(count, 2)), strict=True):
        places = left + (2 * way - 1) * 2 * np.arange(5)
        films.append([np.roll(page, (top, place), axis=(0, 1)) for place in places])
    return torch.from_numpy(np.array(films)[:, :, None]), torch.from_numpy(ways)


def toy() -> InMemoryLoader:
    films, ways = squares()
    return InMemoryLoader({"inputs": films, "targets": ways}, batch_size=20, seed=torch.initial_seed() % 2**31)


@torch.no_grad()
def share_of_ways_known(rule: LearningRule) -> float:
    films, ways = squares()
    return float(accuracy(rule.home.eval()(films[:200]), ways[:200]))


ROW = Row(
    loader=toy,
    steps=250,
    measure=share_of_ways_known,
    threshold=0.9,
    counts=(
        # Two convolutions, what is seen in a frame, four gates with one bias each, the decision.
        ({}, "network", 160 + 16 * 32 * 9 + 32 + 2048 * 128 + 128 + 4 * 128 * 257 + 129 * 8),
        ({"memory": "convlstm"}, "network", 160 + 4640 + 4 * 128 * (32 + 128) * 9 + 4 * 128 + 3 * 128 + 129 * 8),
    ),
    data="moving-digits",
)


def test_a_single_frame_says_nothing_of_the_way() -> None:
    """The mean frame of one way is that of the other, up to chance."""
    films, ways = squares()
    apart = (films[ways == 0].mean((0, 1)) - films[ways == 1].mean((0, 1))).abs().max()
    assert apart < 0.15


def test_the_maps_of_convlstm_learn_it_too() -> None:
    torch.manual_seed(0)
    rule = build(replace(TINY, memory="convlstm", hidden_features=8))
    for _, batch in zip(range(200), endless(), strict=False):
        rule.step(batch)
    assert share_of_ways_known(rule) > 0.9


def endless() -> list[Batch]:
    loader = toy()
    return [batch for _ in range(10) for batch in loader]


@pytest.mark.parametrize("memory", [*get_args(CellName), "convlstm"])
def test_a_later_frame_changes_no_earlier_answer(memory: str) -> None:
    torch.manual_seed(0)
    network = VideoClassifier(replace(TINY, memory=memory)).eval()
    films = torch.rand(2, 5, 1, 8, 8)
    before = network.at_every_frame(films)
    films[:, 4] = 0
    after = network.at_every_frame(films)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4], after[:, 4])


def test_the_answer_is_that_of_the_last_frame_or_the_mean_of_all() -> None:
    torch.manual_seed(0)
    last, mean = VideoClassifier(TINY).eval(), VideoClassifier(replace(TINY, answer="mean")).eval()
    mean.load_state_dict(last.state_dict())
    films = torch.rand(2, 5, 1, 8, 8)
    every = last.at_every_frame(films)
    torch.testing.assert_close(last(films), every[:, -1])
    torch.testing.assert_close(mean(films), every.mean(1))
    torch.testing.assert_close(VideoClassifier(replace(TINY, by_frame=True))(films).shape, every.shape)


def test_a_frame_without_a_class_is_not_learnt_from() -> None:
    torch.manual_seed(0)
    rule = build(replace(TINY, by_frame=True))
    targets = torch.full((2, 5), -100)
    targets[:, 2] = 1
    outputs = torch.zeros(2, 5, 2)
    outputs[:, 2, 1] = 50.0
    measured = rule.judge(outputs, targets)  # type: ignore[attr-defined]
    assert float(measured["accuracy"]) == 1 and float(measured["loss"]) < 1e-6


@pytest.mark.parametrize("form", FORMS)
def test_forms_can_be_built(form: str) -> None:
    assert isinstance(build(replace(FORMS[form], image_size=8, num_frames=2)).home, VideoClassifier)


def test_impossible_configurations_are_refused() -> None:
    for wrong in ({"num_frames": 1}, {"image_size": 4}, {"channels": (0,)}, {"dropout": 1.0}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            Config(**wrong)
