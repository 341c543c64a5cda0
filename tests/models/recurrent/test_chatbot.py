"""The chatbot: what it learns needs a word of an earlier turn."""

from functools import cache
from typing import Any

import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged
from ganglion.data.sources.generators import generate
from tests.contract.rows import Row

COUNT, NAMES = 192, 6
BEGIN, END, MY, WHAT, YOUR = 2, 3, 4, 5, 6


@cache
def turns() -> dict[str, Ragged]:
    """Somebody says a name, is asked something else in between, and hears the name again."""
    random = torch.Generator().manual_seed(0)
    names = 7 + torch.randint(NAMES, (COUNT,), generator=random)
    return {
        "inputs": Ragged.of([torch.tensor([BEGIN, MY, name, END, BEGIN, WHAT, END]) for name in names.tolist()]),
        "targets": Ragged.of([torch.tensor([BEGIN, YOUR, name, END]) for name in names.tolist()]),
    }


def talks() -> InMemoryLoader:
    return InMemoryLoader(turns(), batch_size=32, seed=0)


@torch.no_grad()
def share_of_words_foretold(rule: LearningRule) -> float:
    batch: Any = next(iter(InMemoryLoader(turns(), batch_size="all", seed=0, shuffle=False)))
    network: Any = rule.home.eval()
    outputs = network.led(batch["inputs"], batch["targets"])
    network.train()
    return float((outputs.argmax(1) == batch["targets"][:, 1:].flatten()).double().mean())


ROW = Row(
    loader=talks,
    steps=60,
    measure=share_of_words_foretold,
    threshold=0.9,  # Who does not look back has (2 + 1 / 6) / 3.
    counts=(
        (
            {"vocabulary_size": 99, "target_vocabulary_size": 99, "hidden_features": 8, "embedding_features": 4},
            "network",
            2 * 100 * 4 + 4 * 8 * (4 + 8 + 1) + 4 * 8 * (8 + 8 + 1)  # vectors; two layers that read
            + 4 * 8 * (4 + 8 + 8 + 1) + 4 * 8 * (8 + 8 + 1)  # two that write, the first of the summary, too
            + 100 * (8 + 8 + 4 + 1),
        ),
    ),
    data=generate("small-talk", count=40),
)  # fmt: skip
