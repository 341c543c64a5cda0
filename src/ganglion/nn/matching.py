"""Texts and pictures as vectors of one length, so that a text can be looked for among pictures and the other way."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.nn.images.resampling import resized
from ganglion.nn.language.tokens import lengths_of
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent import GRU, ElmanRNN, Recurrent

ReaderName = Literal["bag-of-words", "recurrent", "character-cnn-rnn"]
"""How a text is read: the sum of what its words say, its words in their order, or its characters."""
CHARACTER_MAPS, KERNEL, WINDOW = (384, 512, 512), 4, 3
"""Maps of the convolutions over characters, and how many steps each looks at; of how many steps the largest counts."""
NEGATIVE_SLOPE = 0.2
SHARPNESS = 10.0
"""What likenesses are multiplied by at first, before they become probabilities."""


class TextReader(nn.Module):
    """Numbers of tokens `(batch, steps)`, 0 past the end, to vectors `(batch, features)` of mean square 1.

    bag-of-words        sum of w_t, the vectors of the words
    recurrent           last states of gated recurrent units, there and back
    character-cnn-rnn   three convolutions over one-hot characters with pooling, and the mean state of simple cells

    A linear layer makes the vector of each. Characters are read as far as the window, words as far as the text goes.

    Args:
        vocabulary_size: different tokens beside the padding.
        window: tokens of a text at most.
        features: numbers in a vector.
        embedding_features: width of a word's vector, and cells in each direction.
        maps: of the convolutions over characters.

    Source: Reed et al., Learning deep representations of fine-grained visual descriptions (2016), for the last.

    >>> tokens = torch.tensor([[2, 5, 9, 3], [2, 7, 3, 0]])
    >>> TextReader("recurrent", 20, 8, features=16)(tokens).square().mean(1).detach().round(decimals=3)
    tensor([1., 1.])
    """

    def __init__(
        self,
        reader: ReaderName,
        vocabulary_size: int,
        window: int,
        features: int,
        embedding_features: int = 64,
        maps: Sequence[int] = CHARACTER_MAPS,
    ) -> None:
        super().__init__()
        self.reader, self.window = reader, window
        self.kinds, self.convolutions = vocabulary_size + 1, nn.ModuleList()
        self.cells: Recurrent | None = None
        if reader == "character-cnn-rnn":
            before = [self.kinds, *maps]
            self.convolutions.extend(nn.Conv1d(*pair, KERNEL) for pair in zip(before, maps, strict=False))
            self.cells = ElmanRNN(maps[-1], maps[-1])
            self.output = Linear(maps[-1], features)
            return
        self.embedding = nn.Embedding(self.kinds, embedding_features, padding_idx=0)
        width = embedding_features
        if reader == "recurrent":
            self.cells, width = GRU(width, width, bidirectional=True), 2 * width
        self.output = Linear(width, features)

    @property
    def fewest_steps(self) -> int:
        """Steps that a text is filled up to at least."""
        steps = 1
        for place in reversed(range(len(self.convolutions))):
            steps = steps * (WINDOW if place < len(self.convolutions) - 1 else 1) + KERNEL - 1
        return max(self.window, steps) if self.convolutions else 1

    def forward(self, tokens: Tensor) -> Tensor:
        return _of_length(self.output(self._characters(tokens) if self.convolutions else self._words(tokens)))

    def _words(self, tokens: Tensor) -> Tensor:
        """Return what is found in words (batch, steps): (batch, width)."""
        vectors = self.embedding(tokens)
        if self.cells is None:
            return torch.einsum("bsf->bf", vectors)
        _, states = self.cells(vectors, lengths=lengths_of(tokens))
        return torch.cat([state[0] for state in states], dim=1)

    def _characters(self, tokens: Tensor) -> Tensor:
        """Return what is found in characters (batch, steps): (batch, width)."""
        assert self.cells is not None
        filled = functional.pad(tokens, (0, max(0, self.fewest_steps - tokens.shape[1])))[:, : self.fewest_steps]
        maps = functional.one_hot(filled, self.kinds).transpose(1, 2).to(torch.get_default_dtype())
        maps = maps * (filled != 0)[:, None]  # past the end stands nothing
        for place, convolution in enumerate(self.convolutions):
            maps = torch.relu(convolution(maps))
            if place < len(self.convolutions) - 1:
                maps = functional.max_pool1d(maps, WINDOW)
        outputs, _ = self.cells(maps.transpose(1, 2))
        found: Tensor = outputs.mean(1)
        return found


class PictureReader(nn.Module):
    """Pictures `(batch, channels, side, side)` to vectors `(batch, features)` of mean square 1.

    Convolutions with halving until four places or fewer are left on a side, then a linear layer, which knows where
    everything lies. Pictures of other sides are brought to this one.

    Args:
        widths: maps of the convolutions, one for each halving.

    >>> PictureReader(3, 32, 16, widths=(8, 16, 32))(torch.rand(2, 3, 48, 48)).shape
    torch.Size([2, 16])
    """

    def __init__(self, channels: int, side: int, features: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.side = side
        layers: list[nn.Module] = []
        for before, width in zip([channels, *widths], widths, strict=False):
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.GroupNorm(1, width)]
            layers += [nn.LeakyReLU(NEGATIVE_SLOPE)]
            side = side // 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.output = Linear(widths[-1] * side**2, features)
        self.sharpness = nn.Parameter(torch.tensor(math.log(SHARPNESS)))

    def forward(self, pictures: Tensor) -> Tensor:
        if pictures.shape[2] != self.side:
            # Sixteen bits are not enough to resize in.
            pictures = resized(pictures.to(torch.get_default_dtype()), self.side, self.side)
        return _of_length(self.output(self.layers(pictures)))

    def likeness(self, pictures: Tensor, texts: Tensor) -> Tensor:
        """Return a cos(v_i, t_j), (pictures, texts), of vectors of pictures and texts (.., features); a is learnt."""
        return self.sharpness.exp() * (pictures @ texts.T) / texts.shape[1]


def halvings(side: int) -> int:
    """Return how often a side is halved until at most 4 places are left.

    >>> [halvings(side) for side in (16, 24, 32, 48, 64)]
    [2, 3, 3, 4, 4]
    """
    count = 0
    while side > 4:
        side, count = side // 2, count + 1
    return count


def _of_length(vectors: Tensor) -> Tensor:
    """Return vectors (batch, features) of mean square 1."""
    return vectors * vectors.square().mean(1, keepdim=True).clamp(min=1e-12).rsqrt()
