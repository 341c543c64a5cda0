"""The sequence autoencoder: sizes, counts by hand, texts of any length, and what its code is worth."""

from functools import cache

import numpy as np
import torch

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models.autoencoder.sequence_autoencoder import TINY, Config, SequenceAutoencoder
from ganglion.rules.autoencoder.reconstruction import Reconstruction
from ganglion.rules.autoencoder.sequences import sequence_loss, with_end
from ganglion.rules.descend import Descent
from tests.contract.rows import Row


@cache
def turns(count: int = 120) -> np.ndarray:
    """Return sines (samples, 8 steps, 1 channel) of any phase and of one or two periods."""
    random = np.random.default_rng(0)
    phase, periods = random.uniform(0, 2 * np.pi, (count, 1)), random.integers(1, 3, (count, 1))
    return np.sin(2 * np.pi * periods * np.arange(8) / 8 + phase)[..., None].astype(np.float32)


@torch.no_grad()
def share_rebuilt(rule: LearningRule) -> float:
    series = torch.from_numpy(turns())
    rest = rule.home(series) - series
    return float(1 - rest.square().sum() / series.square().sum())


def counted(config: Config) -> int:
    """Weights and biases of gated units, whose candidate has two, of the code, and of the head, by hand."""
    hidden, code = config.hidden_features, config.code_size

    def gated(width: int) -> int:
        return 3 * (width * hidden + hidden * hidden) + 4 * hidden

    return 2 * gated(1) + 2 * hidden * code + code + gated(code) + hidden + 1


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": torch.from_numpy(turns())}, batch_size=20, seed=0),
    steps=200,
    measure=share_rebuilt,
    threshold=0.7,
    counts=(({}, "network", counted(Config())),),
    data=Dataset.of(name="turns", kind="short-series", inputs=turns(), targets=np.arange(120) % 2),
)


def test_texts_of_any_length_have_a_code_that_padding_does_not_change() -> None:
    torch.manual_seed(0)
    network = SequenceAutoencoder(Config(vocabulary_size=9, window=6, code_size=3, hidden_features=5)).eval()
    text = torch.tensor([[4, 7, 2]])
    padded = torch.nn.functional.pad(text, (0, 4))
    torch.testing.assert_close(network.encode(text), network.encode(padded))
    assert network(padded).shape == (1, 8, 10)
    decoded = network.decode(torch.randn(4, 3))
    assert decoded.shape == (4, 6)
    ended = (decoded == 0).cumsum(1) > 0
    assert (decoded[ended] == 0).all()


def test_the_loss_of_a_text_counts_its_tokens_and_its_end() -> None:
    texts = torch.tensor([[3, 1, 0, 0], [2, 2, 2, 2]])
    logits = torch.randn(2, 5, 4)
    expected = torch.stack([
        torch.nn.functional.cross_entropy(logits[row, :length], torch.tensor(wanted), reduction="sum")
        for row, length, wanted in ((0, 3, [3, 1, 0]), (1, 5, [2, 2, 2, 2, 0]))
    ]).sum() / 8  # fmt: skip
    torch.testing.assert_close(sequence_loss(logits, texts), expected)
    assert with_end(texts)[1].sum(1).tolist() == [3, 5]


def test_short_sentences_come_back() -> None:
    """Sentences of three words out of four, four and four, which are learnt from 40 of the 64 and asked of the rest."""
    torch.manual_seed(0)
    texts = torch.cartesian_prod(*(torch.arange(4) + 1 + 4 * place for place in range(3)))
    texts = texts[torch.randperm(64, generator=torch.Generator().manual_seed(0))]
    config = Config(vocabulary_size=12, window=3, code_size=8, hidden_features=32, embedding_features=8)
    descent = Descent(optimizer="adam", learning_rate=1e-2)
    rule = Reconstruction(SequenceAutoencoder(config), descent, loss=sequence_loss)
    for _ in range(150):
        rule.step({"inputs": texts[:48]})
    network: SequenceAutoencoder = rule.home  # type: ignore[assignment]
    with torch.no_grad():
        left = network.decode(network.encode(texts[48:]))
    assert float((left == texts[48:]).float().mean()) > 0.7


def test_tiny_is_of_the_size_of_the_toy() -> None:
    assert TINY.window == turns().shape[1]
