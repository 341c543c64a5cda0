"""How surprising texts are to a network that writes about something."""

import math
from collections.abc import Iterable, Iterator

from torch import Tensor

from ganglion.core import Measure
from ganglion.data.preprocessing import Ragged
from ganglion.tasks.shared.texts.writing import PADDING, surprises

PERPLEXITY = Measure(name="perplexity", higher_is_better=False, meaning="As if so many tokens were equally likely.")
BATCH = 64


def mean_surprise(network: object, pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Return the mean of -log p over all tokens of texts but the first of each, `loss`, and e to it, `perplexity`.

    Args:
        pairs: what texts are about (texts, ...), and their tokens, 0 past the end (texts, steps).
    """
    total, count = 0.0, 0
    for inputs, targets in pairs:
        total += float(surprises(network, inputs, targets).double().sum())
        count += int((targets[:, 1:] != PADDING).sum())
    return {"loss": total / count, "perplexity": math.exp(min(total / count, 700.0))}


def side_by_side(inputs: Ragged, targets: Ragged) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches (texts, steps) of tokens that are read and of those that are written, in the order of length."""
    for places in inputs.lengths.argsort(stable=True).split(BATCH):
        yield inputs.padded(places)[0], targets.padded(places)[0]
