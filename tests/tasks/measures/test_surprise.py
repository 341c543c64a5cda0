"""Mean surprise beside what PyTorch says of all tokens at once."""

import math

import torch
from torch.nn import functional

from ganglion.data.preprocessing import Ragged
from ganglion.nn.language.writer import EncoderDecoder, EncoderDecoderSettings
from ganglion.tasks.measures.surprise import mean_surprise, side_by_side


def test_every_token_counts_alike_however_long_its_text_is() -> None:
    torch.manual_seed(0)
    config = EncoderDecoderSettings(
        vocabulary_size=9, target_vocabulary_size=9, embedding_features=4, hidden_features=5, attention_features=3
    )
    network = EncoderDecoder(config).eval()
    read = [torch.randint(2, 10, (length,)) for length in (5, 2, 4)]
    written = [torch.randint(2, 10, (length,)) for length in (2, 6, 3)]
    losses = [
        functional.cross_entropy(network(one[None], other[None, :-1])[0], other[1:], reduction="none")
        for one, other in zip(read, written, strict=True)
    ]
    expected = float(torch.cat(losses).mean().detach())
    found = mean_surprise(network, side_by_side(Ragged.of(read), Ragged.of(written)))
    assert math.isclose(found["loss"], expected, rel_tol=1e-5)
    assert math.isclose(found["perplexity"], math.exp(expected), rel_tol=1e-5)
