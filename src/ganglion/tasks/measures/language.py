"""How good a model of a text is: nats, bits, perplexity, right guesses; and what mere frequencies achieve."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import Measure, Reader
from ganglion.rules.losses import ACCURACY

LOSS = Measure(name="loss", higher_is_better=False, meaning="Mean surprise at a token, -log p, in nats.")
BITS_PER_CHARACTER = Measure(
    name="bits_per_character",
    higher_is_better=False,
    meaning="The same in bits, and for each character where tokens are words or pieces.",
)
PERPLEXITY = Measure(
    name="perplexity",
    higher_is_better=False,
    meaning="As if so many characters were equally likely at each place: e to the loss.",
)
MEASURES = (LOSS, BITS_PER_CHARACTER, PERPLEXITY, ACCURACY)
UNIGRAM_LOSS = Measure(
    name="unigram_loss",
    higher_is_better=False,
    meaning="Loss of the frequencies of single characters.",
)
BIGRAM_LOSS = Measure(
    name="bigram_loss",
    higher_is_better=False,
    meaning="Loss of the frequencies of pairs of characters.",
)
TRIGRAM_PERPLEXITY = Measure(
    name="trigram_perplexity",
    higher_is_better=False,
    meaning="Perplexity of counted triples of tokens, smoothed by Kneser and Ney.",
)
CACHE_PERPLEXITY = Measure(
    name="cache_perplexity",
    higher_is_better=False,
    meaning="Perplexity of these triples with a cache of the last 500 tokens beside them.",
)

STREAMS = 64
"""Stretches of a part that are judged side by side."""
FEWEST_WINDOWS = 4
"""Windows of a stretch, below which fewer of them are judged side by side."""
MOST_LOGITS = 1 << 23


@dataclass(frozen=True)
class Judgement:
    """The mean surprise at a token in nats, and the share of tokens that were held likeliest."""

    loss: float
    accuracy: float

    def measures(self, characters: float = 1.0) -> dict[str, float]:
        """Return them beside what else they are called, of tokens of so many characters.

        >>> Judgement(math.log(8), 0.5).measures()["bits_per_character"]
        3.0
        """
        return {**surprise(self.loss, characters), "accuracy": self.accuracy}


def surprise(loss: float, characters: float = 1.0) -> dict[str, float]:
    """Return a loss in nats a token beside what else it is called, of tokens of so many characters."""
    return {
        "loss": loss,
        "bits_per_character": loss / math.log(2) / characters,
        "perplexity": math.exp(min(loss, 700.0)),
    }


def judge(network: Reader, numbers: np.ndarray, first: int, last: int, window: int) -> Judgement:
    """Judge a network that reads on by the tokens from `first` to before `last`, each once.

    The part is cut into stretches that are read side by side. Each is led up to by the `window` tokens before it,
    which are not judged, so that a stretch does not begin without a past. The numbers of tokens are (tokens,).
    """
    assert isinstance(network, nn.Module)
    count = last - first
    streams = max(1, min(STREAMS, count // (FEWEST_WINDOWS * window)))
    length = -(-count // streams)
    begins = first + length * torch.arange(streams)[:, None]  # (streams, 1)
    tokens, device = torch.from_numpy(numbers), next(network.parameters()).device
    steps = max(1, MOST_LOGITS // (streams * int(numbers.max() + 1)))
    loss, right, state = 0.0, 0, None
    for at in range(-window, length, steps):
        places = begins + torch.arange(at, min(at + steps, length))  # of the tokens to foretell
        outputs, state = network.read(tokens[(places - 1).clamp(0, last - 1)].to(device), state)
        judged = (places < last) & (places >= begins)
        off, hits = _off(outputs.cpu()[judged], tokens[places[judged]])
        loss, right = loss + off, right + hits
    return Judgement(loss / count, right / count)


def _off(outputs: Tensor, came: Tensor) -> tuple[float, int]:
    """Return the sum of -log p of the tokens that came, and how many of them were held likeliest."""
    loss = functional.cross_entropy(outputs.float(), came, reduction="sum")
    return float(loss), int((outputs.argmax(1) == came).sum())


def unigram_judgement(train: np.ndarray, numbers: np.ndarray, size: int) -> Judgement:
    """Judge how often each token occurs in training by the tokens after the first.

    p(b) = (n(b) + 1) / (N + size), for counts n of N tokens; both texts are (tokens,).
    """
    shares = _unigrams(train, size)
    came = numbers[1:]
    return Judgement(float(-np.log(shares[came]).mean()), float((came == shares.argmax()).mean()))


def bigram_judgement(train: np.ndarray, numbers: np.ndarray, size: int) -> Judgement:
    """Judge how often each token follows each other in training by the tokens after the first.

    p(b | a) = (n(ab) + p(b)) / (n(a) + 1), so that what never followed has its own frequency to fall back on.

    >>> bigram_judgement(np.array([1, 2] * 50), np.array([1, 2, 1, 2]), size=3).accuracy
    1.0
    """
    shares = _unigrams(train, size)
    pairs, counts = np.unique(train[:-1] * size + train[1:], return_counts=True)
    follows = np.bincount(train[:-1], minlength=size)
    before, came = numbers[:-1], numbers[1:]
    asked = before * size + came
    place = np.searchsorted(pairs, asked).clip(max=len(pairs) - 1)
    seen = np.where(pairs[place] == asked, counts[place], 0)
    likelihood = (seen + shares[came]) / (follows[before] + 1)
    likeliest = np.full(size, shares.argmax())
    order = np.argsort(counts, kind="stable")  # the commonest follower of each is written last
    likeliest[pairs[order] // size] = pairs[order] % size
    return Judgement(float(-np.log(likelihood).mean()), float((likeliest[before] == came).mean()))


def _unigrams(train: np.ndarray, size: int) -> np.ndarray:
    return (np.bincount(train, minlength=size) + 1) / (len(train) + size)
