"""A recurrent network that reads tokens one by one and says after each what may come next."""

from typing import Unpack, final

from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.fast.dropout import dropout
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent import States
from ganglion.nn.recurrent.gates import Slope
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers


@final
class NextToken(nn.Module):
    """Vectors of tokens, recurrent layers over them, and logits of the next token at every step.

    x_t = E c_t,   h_t, s_t = cells(x_t, s_{t-1}),   z_t = V h_t + a, and V = E where they are tied.

    Args:
        vocabulary_size: different tokens, numbered from 0 on.
        embedding_features: width of a token's vector.
        hidden_features: cells in each of `num_layers` layers.
        dropout: share zeroed of vectors, between layers and before the readout, never on the recurrence.
        tied: read out through the vectors of the tokens, which then are as wide as a layer.
        initial_range: draw all weights evenly from -r to r; as each layer does by itself where none is given.
        steep: slope of the sigmoid in the gates; `LSTMCell` says what it does.

    Raises `ConfigurationError` for tied vectors of another width than the layers.

    >>> import torch
    >>> network = NextToken(30, embedding_features=4, hidden_features=8)
    >>> outputs, state = network.read(torch.zeros(2, 5, dtype=torch.int64))
    >>> outputs.shape, network.read(torch.zeros(2, 1, dtype=torch.int64), state)[0].shape
    (torch.Size([2, 5, 30]), torch.Size([2, 1, 30]))
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        cell: CellName = "lstm",
        dropout: float = 0.0,
        tied: bool = False,
        initial_range: float | None = None,
        **steep: Unpack[Slope],
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.embedding = nn.Embedding(vocabulary_size, embedding_features)
        sizes = (embedding_features, hidden_features, num_layers)
        self.recurrent = recurrent_layers(cell, *sizes, dropout=dropout, **steep)
        self.head = Linear(hidden_features, vocabulary_size)
        if tied:
            if embedding_features != hidden_features:
                raise ConfigurationError(
                    "tied vectors are as wide as the layers that they are read out of",
                    where="embedding_features",
                    expected=str(hidden_features),
                    found=str(embedding_features),
                    remedy="make both widths equal, or leave tied out",
                )
            nn.init.normal_(self.embedding.weight.detach(), std=embedding_features**-0.5)
            self.head.weight = self.embedding.weight
        if initial_range is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter.detach(), -initial_range, initial_range)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits (batch, time, vocabulary_size) of the token after each of `inputs` (batch, time)."""
        return self.read(inputs)[0]

    def read(self, inputs: Tensor, states: States | None = None) -> tuple[Tensor, States]:
        """Return the logits, (batch, time, tokens), and the states of all cells after the last step."""
        vectors = dropout(self.embedding(inputs), self.dropout, self.training)
        hidden, after = self.recurrent(vectors, states)
        return self.head(dropout(hidden, self.dropout, self.training)), after
