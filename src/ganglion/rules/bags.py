"""Learning from bags of words: how often each word of a vocabulary stands in a text, in no order."""

from typing import Protocol, cast, final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.rules.autoencoder.variational import NOISE
from ganglion.rules.descend import Descent, descend
from ganglion.rules.ratings import filled


class WordBound(Protocol):
    """A network with a lower bound of the log probability of bags of words."""

    decoder: nn.Linear

    def negative_bound(self, bags: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return -log p(x | z) and KL(q(z | x) || p(z)), (batch,) both, of bags (batch, words) and noise."""


@final
class BagOfWordsLearning(LearningRule):
    """Lower L = mean over texts of -log p(x | z) + KL(q(z | x) || p(z)), with one draw of z for each text.

    Args:
        network: p(x | z) and q(z | x), a `WordBound`.
        descent: how the gradient becomes an update.
        words: size of the vocabulary.

    A batch has the words of each text, numbered from 1 on, as `places` (batch, longest), where 0 pads, and how often
    each occurs as `counts` (batch, longest). Each step measures in nats a text: the `loss`, and its parts
    `reconstruction` and `divergence`.

    Source: Srivastava and Sutton, Autoencoding variational inference for topic models (2017).
    """

    def __init__(self, network: WordBound, descent: Descent, *, words: int) -> None:
        home = cast(nn.Module, network)
        self.network, self.descent, self.words = network, descent, words
        self.networks = {"network": home}
        self.optimizers = {"network": descent.make_optimizer(home)}
        self.counters, self.tensors = {}, {}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        places = batch["places"]
        noise = torch.randn(len(places), self.network.decoder.in_features, device=places.device)
        return descend(self.optimizers["network"], {**batch, NOISE: noise}, self._objective, self.descent)

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        bags = filled(batch["places"], batch["counts"], self.words)
        words, apart = self.network.negative_bound(bags, batch[NOISE])
        reconstruction, divergence = words.mean(), apart.mean()
        return {"loss": reconstruction + divergence, "reconstruction": reconstruction, "divergence": divergence}
