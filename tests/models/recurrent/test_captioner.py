"""The captioner: both forms, step by step as at once, regions and their places, and what it learns."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged
from ganglion.data.sources.generators import generate
from ganglion.models.recurrent.captioner import FORMS, TINY, Captioner, Config, build
from tests.contract.rows import Row

COUNT, COLOURS = 96, 3


@cache
def squares() -> dict[str, Tensor | Ragged]:
    """Squares of one of three colours on the left or right, and the numbers of both words."""
    random = torch.Generator().manual_seed(0)
    colours, sides = (torch.randint(most, (COUNT,), generator=random) for most in (COLOURS, 2))
    pictures = 0.1 * torch.rand(COUNT, 3, 32, 32, generator=random)
    for number, (colour, side) in enumerate(zip(colours.tolist(), sides.tolist(), strict=True)):
        pictures[number, colour, 10:20, 4 + 14 * side : 14 + 14 * side] = 1
    captions = [torch.tensor([2, 4 + colour, 7 + side, 3]) for colour, side in zip(colours, sides, strict=True)]
    return {"inputs": pictures, "targets": Ragged.of(captions)}


def pictures() -> InMemoryLoader:
    return InMemoryLoader(squares(), batch_size=16, seed=0)


@torch.no_grad()
def share_of_words_foretold(rule: LearningRule) -> float:
    batch: Any = next(iter(InMemoryLoader(squares(), batch_size="all", seed=0, shuffle=False)))
    network: Any = rule.home.eval()
    outputs = network.led(batch["inputs"], batch["targets"])
    network.train()
    return float((outputs.argmax(1) == batch["targets"][:, 1:].flatten()).double().mean())


ROW = Row(
    loader=pictures,
    steps=60,
    measure=share_of_words_foretold,
    threshold=0.9,  # Who knows the lengths and guesses has 0.6.
    counts=(
        ({"attention": "none", "deep_output": False, "channels": (8,), "image_size": 32}, "network",
         3 * 8 * 9 + 2 * 8 + 10 * 512 + 512 + 5893 * 512 + 4 * 512 * (512 + 512 + 1) + 512 * 5893 + 5893),
    ),
    data=generate("scenes", count=60),
)  # fmt: skip

FORMS_TRIED: list[dict[str, Any]] = [
    {},
    {"query": "before", "tied": False, "decoder_layers": 1},
    {"attention": "multiplicative", "cell": "gru"},
    {"attention": "none", "grid": 2, "deep_output": False, "tied": False},
    {"image_size": 35, "regions": 5, "channels": (4, 4, 4, 4)},
]


def small(**fields: Any) -> Captioner:
    torch.manual_seed(0)
    network = build(replace(TINY, target_vocabulary_size=20, **fields)).home.eval()
    assert isinstance(network, Captioner)
    return network


@pytest.mark.parametrize("form", FORMS_TRIED)
def test_word_by_word_is_the_same_as_at_once(form: dict[str, Any]) -> None:
    network, target = small(**form), torch.tensor([[2, 5, 6, 8, 3], [2, 7, 3, 0, 0]])
    seen = torch.rand(2, 3, network.image_size, network.image_size)
    state, steps = network.remember(seen), []
    for step in range(target.shape[1]):
        logits, state = network.read(target[:, step : step + 1], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), network(seen, target))
    torch.testing.assert_close(network(seen[1:], target[1:, :3]), network(seen, target)[1:, :3])
    weights = network.attended(seen, target)
    if form.get("attention") == "none":
        assert weights is None
    else:
        assert weights is not None and weights.shape == (2, 5, network.side**2)
        torch.testing.assert_close(weights.sum(2), torch.ones(2, 5))


def test_regions_know_their_places() -> None:
    network = small()
    maps = network.regions(torch.zeros(1, 3, 32, 32))
    assert maps.shape == (1, 18, 8, 8)
    across, down = maps[0, -2], maps[0, -1]
    assert across[:, 0].unique().tolist() == [-1] and down[-1].unique().tolist() == [1]


def test_show_and_tell_sees_the_picture_once() -> None:
    network = small(attention="none", grid=2, tied=False, deep_output=False)
    state = network.remember(torch.rand(1, 3, 32, 32))
    assert state["summary"].shape == (1, 0) and set(state) == {"cells", "summary"}
    seen = network.whole(
        torch.nn.functional.adaptive_avg_pool2d(network.regions(torch.ones(1, 3, 32, 32)), 2).flatten(1)
    )
    first = network.lower(seen[:, None])[1]
    torch.testing.assert_close(network.remember(torch.ones(1, 3, 32, 32))["cells"][0][0], first[0][0])


def test_forms_build() -> None:
    for form in (Config(), *FORMS.values()):
        assert isinstance(build(replace(form, target_vocabulary_size=30, image_size=32)).home, Captioner)
