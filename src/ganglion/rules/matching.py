"""Matching: two networks learn to give a text and the picture that it belongs to vectors alike."""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.core import Batch, LearningRule
from ganglion.core.team import coupled
from ganglion.nn.matching import PictureReader, TextReader
from ganglion.rules.descend import Descent, descend
from ganglion.rules.statistics import rows_of_all


@final
class Matching(LearningRule):
    """Let each picture of a batch find its text among all of the batch, and each text its picture.

    L = -1/2 E[log softmax_j s(v_i, t_j) at j = i] - 1/2 E[log softmax_i s(v_i, t_j) at i = j],  s = a cos

    Texts that are equal word by word do not compete. Batches hold `inputs`, pictures (batch, channels, side, side),
    and `targets`, tokens (batch, steps). Measured beside the loss is the share of pictures that find their text.

    Args:
        texts: from tokens to vectors.
        pictures: from pictures to vectors; it knows the scale a.
        descent: how the gradient of both becomes an update.

    Source: Radford et al., Learning transferable visual models from natural language supervision (2021), section 2.3;
        the joint embedding of Reed et al. 2016 has a hinge instead of the cross-entropy.
    """

    def __init__(self, texts: TextReader, pictures: PictureReader, descent: Descent) -> None:
        self.texts, self.pictures, self.descent = texts, pictures, descent
        self.networks = {"texts": texts, "pictures": pictures}
        self.home_roles = ("texts", "pictures")
        self.optimizers = {"matching": descent.make_optimizer(texts, pictures)}
        self.counters, self.tensors = {}, {}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return self.matching_phase(batch)

    def matching_phase(self, batch: Batch) -> dict[str, Tensor]:
        """Update both networks on a batch."""
        return descend(self.optimizers["matching"], batch, self.objective, self.descent)

    def begin_anew(self) -> None:
        """Make the optimizer anew."""
        self.optimizers = {"matching": self.descent.make_optimizer(self.texts, self.pictures)}

    @coupled()
    def objective(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss on a batch, and the share of pictures that find their text in it."""
        tokens = batch["targets"]
        pictures, texts = rows_of_all(self.pictures(batch["inputs"])), rows_of_all(self.texts(tokens))
        rivals = without_equals(self.pictures.likeness(pictures, texts), rows_of_all(tokens))
        return {"loss": matching_loss(rivals), "matched": found_first(rivals)}


def without_equals(likeness: Tensor, tokens: Tensor) -> Tensor:
    """Return likenesses (pictures, texts) where texts equal to a picture's own, but this itself, are out of reach.

    Args:
        tokens: of the text of each picture (texts, steps).

    >>> without_equals(torch.zeros(3, 3), torch.tensor([[5], [7], [5]]))
    tensor([[0., 0., -inf],
            [0., 0., 0.],
            [-inf, 0., 0.]])
    """
    equal = (tokens[:, None] == tokens[None]).all(2)
    itself = torch.eye(len(tokens), dtype=torch.bool, device=tokens.device)
    return likeness.masked_fill(equal & ~itself, -torch.inf)


def matching_loss(likeness: Tensor) -> Tensor:
    """Return the mean cross-entropy of finding the text of each picture and the picture of each text.

    Args:
        likeness: (pictures, texts), in one order.

    >>> matching_loss(torch.zeros(4, 4))
    tensor(1.3863)
    """
    own = torch.arange(len(likeness), device=likeness.device)
    return (functional.cross_entropy(likeness, own) + functional.cross_entropy(likeness.T, own)) / 2


def found_first(likeness: Tensor) -> Tensor:
    """Return the share of pictures whose own text is the likeliest, of likenesses (pictures, texts) in one order.

    >>> found_first(torch.tensor([[2.0, 1.0], [3.0, 0.0]]))
    tensor(0.5000)
    """
    own = torch.arange(len(likeness), device=likeness.device)
    return (likeness.argmax(1) == own).float().mean()
