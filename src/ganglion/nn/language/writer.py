"""Networks that write: recurrent layers that say token by token what comes next, and look at what is remembered.

How something becomes a memory is what these networks differ in: a sentence, turns of a conversation, a picture.
"""

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from ganglion.errors import UsageError
from ganglion.fast.dropout import dropout
from ganglion.nn.language.attention import Scores, attention
from ganglion.nn.language.tokens import lengths_of
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent import Recurrent, States
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers
from ganglion.nn.recurrent.sequences import reversed_in_time
from ganglion.settings import Count, Share, at_least, settings

BEGIN = 2
"""Number of the mark with which every text begins."""
Looks = Scores | Literal["none"]
"""How a writer looks at its memory: by a score of attention, or not at all."""
Query = Literal["before", "after"]
"""Which state asks: the one before a step, which then reads the answer, or the one after it."""


@settings
class WriterSettings:
    """What the configurations of all networks that write have in common."""

    target_vocabulary_size: Count = 5892
    """Different tokens that are written; decided by the data."""
    unit: Literal["words", "pieces", "characters"] = "words"
    """What a token is: a word or sign, a piece of a word as byte pairs make it, or a character."""
    lower_case: bool = True
    """Read and write small letters only."""
    most_tokens: Annotated[int, at_least(300)] = 10000
    """Tokens in each vocabulary at most: the commonest words, or as many pieces as are learnt."""
    cell: CellName = "gru"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    embedding_features: Count = 256
    """Width of a token's vector."""
    hidden_features: Count = 512
    """Cells in each layer, and in each direction of an encoder."""
    decoder_layers: Count = 1
    """Recurrent layers that write."""
    attention: Looks = "additive"
    """How is looked at what is remembered: by Bahdanau's additive score, by Luong's product, or not at all."""
    attention_features: Count = 512
    """Width of the additive score."""
    query: Query = "before"
    """Which state asks: the one before a step, which then reads the answer, or the one after it."""
    tied: bool = False
    """Read out through the vectors of the tokens."""
    dropout: Share = 0.5
    """Share of values zeroed while training: of vectors, between layers, and before the readout."""


@settings
class EncoderDecoderSettings(WriterSettings):
    """What the configurations of all networks that write after reading have in common."""

    vocabulary_size: Count = 7852
    """Different tokens that are read; decided by the data."""
    num_layers: Count = 1
    """Recurrent layers that read."""
    bidirectional: bool = True
    """Whether is also read from the last token to the first."""
    reverse_source: bool = False
    """Read from the last token to the first, so that the beginning is freshest when writing begins."""


class Writer(nn.Module):
    """What all networks that write have in common; the kinds say how they `remember` what they write about.

    A state is a dictionary: the states of the recurrent layers, `cells`; with attention the `memory` (batch, steps,
    features), the `keys` that its score makes of it, and which of its steps are `present`; without attention a
    `summary` (batch, features) that is read at every step.

    Args:
        config: sizes and ways.
        remembered: width of the memory, or of the summary; 0 where nothing is read while writing.
        deep_output: read out what is looked at and the word before, too, and not the state alone.

    Sources: Bahdanau, Cho and Bengio (2015), `query` before; Luong, Pham and Manning (2015), after.
    """

    def __init__(self, config: WriterSettings, remembered: int, *, deep_output: bool = True) -> None:
        super().__init__()
        self.dropout, self.tied, self.deep_output = config.dropout, config.tied, deep_output
        self.stepwise = config.attention != "none" and config.query == "before"
        cell, layers, dropped = config.cell, config.decoder_layers, config.dropout
        tokens, width, hidden = config.target_vocabulary_size, config.embedding_features, config.hidden_features
        self.target_embedding = nn.Embedding(tokens + 1, width, padding_idx=0)
        self.attention = None
        if config.attention != "none":
            self.attention = attention(config.attention, hidden, remembered, config.attention_features)
        self.lower: Recurrent
        self.upper: Recurrent | None = None
        if self.attention is None or self.stepwise:
            self.lower = recurrent_layers(cell, width + remembered, hidden, layers, dropout=dropped)
        else:
            self.lower = recurrent_layers(cell, width, hidden)
            if layers > 1:
                self.upper = recurrent_layers(cell, hidden + remembered, hidden, layers - 1, dropout=dropped)
        read_out = hidden + remembered + width if deep_output else hidden
        self.before_readout = Linear(read_out, width) if self.tied else nn.Identity()
        self.head = Linear(width if self.tied else read_out, tokens + 1)
        if self.tied:
            nn.init.normal_(self.target_embedding.weight.detach(), std=width**-0.5)
            self.head.weight = self.target_embedding.weight

    def remember(self, inputs: Tensor) -> dict[str, Any]:
        """Return the state that writing about inputs (batch, ...) starts from."""
        raise UsageError("this network remembers nothing", expected="a Translator, a Captioner or the like")

    def attending(self, memory: Tensor, present: Tensor) -> dict[str, Tensor]:
        """Return the part of a state that attention reads, of a memory (batch, steps, features)."""
        assert self.attention is not None
        memory = dropout(memory, self.dropout, self.training)
        return {"memory": memory, "keys": self.attention.keys(memory), "present": present}

    def forward(self, inputs: Tensor, targets: Tensor | None = None) -> Tensor:
        """Return logits (batch, steps, tokens) of what comes after each target token.

        Args:
            inputs: what is written about (batch, ...); source tokens are 0 past the end.
            targets: target tokens (batch, steps); the mark of the beginning alone when not given.
        """
        begun = inputs.new_full((inputs.shape[0], 1), BEGIN, dtype=torch.int64) if targets is None else targets
        return self.read(begun, self.remember(inputs))[0]

    def read(self, inputs: Tensor, states: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Return logits (batch, steps, tokens) of what comes after each of target tokens (batch, steps), and the state
        after the last, from a state of `remember` or of this method.
        """
        features, states, _ = self._decode(inputs, states)
        return self.readout(features), states

    def readout(self, features: Tensor) -> Tensor:
        """Return logits (..., tokens) of what the decoder has come to, (..., features)."""
        features = self.before_readout(dropout(features, self.dropout, self.training))
        logits: Tensor = self.head(features.tanh() if self.tied else features)
        return logits

    def led(self, inputs: Tensor, targets: Tensor, share: float = 1.0) -> Tensor:
        """Return logits (judged, tokens) of all target tokens (batch, steps) but the first, text by text.

        Args:
            inputs: what is written about (batch, ...).
            targets: target tokens, 0 past the end, which are left out.
            share: how often the right token before is read, and not one drawn from its own answer at that place.
        """
        state, before = self.remember(inputs), targets[:, :-1]
        if share < 1:
            with torch.no_grad():
                own = torch.distributions.Categorical(logits=self.read(before, state)[0][:, :-1]).sample()
            right = torch.rand(own.shape, device=own.device) < share
            kept = right | (before[:, 1:] == 0)
            before = torch.cat([before[:, :1], torch.where(kept, before[:, 1:], own)], 1)
        features, _, _ = self._decode(before, state)
        return self.readout(features[targets[:, 1:] != 0])

    def attended(self, inputs: Tensor, targets: Tensor) -> Tensor | None:
        """Return how much each step of the memory counts when the token after each target token is written.

        The shares are (batch, steps, memory steps), of inputs (batch, ...) and tokens (batch, steps); None without
        attention.
        """
        return self._decode(targets, self.remember(inputs))[2]

    def _decode(self, tokens: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any], Tensor | None]:
        """Return [s_t; c_t; E y] of all steps, or s_t alone, the state after them, and the attention's weights."""
        vectors = dropout(self.target_embedding(tokens), self.dropout, self.training)
        if self.attention is None:
            context = state["summary"][:, None].expand(-1, tokens.shape[1], -1)
            hidden, cells = self.lower(torch.cat([vectors, context], 2), state["cells"])
            weights = None
        elif self.stepwise:
            hidden, context, weights, cells = self._step_by_step(vectors, state)
        else:
            hidden, cells = self.lower(vectors, state["cells"][:1])
            context, weights = self._look(hidden, state)
            if self.upper is not None:
                above = dropout(hidden, self.dropout, self.training)
                hidden, others = self.upper(torch.cat([above, context], 2), state["cells"][1:])
                cells = (*cells, *others)
        after = {**state, "cells": tuple(tuple(one) for one in cells)}
        return torch.cat([hidden, context, vectors], 2) if self.deep_output else hidden, after, weights

    def _step_by_step(self, vectors: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor, States]:
        cells, outputs = state["cells"], []
        for vector in vectors.split(1, dim=1):
            context, weights = self._look(cells[-1][0][:, None], state)
            hidden, cells = self.lower(torch.cat([vector, context], 2), cells)
            outputs.append((hidden, context, weights))
        hidden, context, weights = (torch.cat(parts, 1) for parts in zip(*outputs, strict=True))
        return hidden, context, weights, cells

    def _look(self, queries: Tensor, state: dict[str, Any]) -> tuple[Tensor, Tensor]:
        assert self.attention is not None
        found: tuple[Tensor, Tensor] = self.attention(queries, state["memory"], state["present"], state["keys"])
        return found


class Bridge(nn.Module):
    """What recurrent layers that write start from, made of a vector for each: s = tanh(W v + b), memory cells linearly.

    Args:
        in_features: width of each part of what is given, one part for each of `state_features`.
        state_features: widths of the parts of one layer's state, the hidden one first.
        num_layers: of the writer.

    >>> cells = Bridge((6, 6), (4, 4), num_layers=2)([(torch.ones(3, 6), torch.ones(3, 6))])
    >>> [[tuple(part.shape) for part in cell] for cell in cells]
    [[(3, 4), (3, 4)], [(3, 4), (3, 4)]]
    """

    def __init__(self, in_features: tuple[int, ...], state_features: tuple[int, ...], num_layers: int) -> None:
        super().__init__()
        sizes = list(zip(in_features, state_features, strict=True)) * num_layers
        self.parts, self.num_layers = nn.ModuleList(Linear(*size) for size in sizes), num_layers

    def forward(self, layers: list[tuple[Tensor, ...]]) -> States:
        """Return the states of the writer's layers of those given, (batch, features); the last serves all above it."""
        bridges = iter(self.parts)
        below = [layers[min(number, len(layers) - 1)] for number in range(self.num_layers)]
        parts = [[next(bridges)(part) for part in layer] for layer in below]
        return tuple((hidden.tanh(), *others) for hidden, *others in parts)


class EncoderDecoder(Writer):
    """A writer that reads tokens before: recurrent layers leave a state for each of them, and what writing starts from.

    >>> network = EncoderDecoder(EncoderDecoderSettings(vocabulary_size=50, target_vocabulary_size=40)).eval()
    >>> read, written = torch.tensor([[2, 7, 9, 3], [2, 5, 3, 0]]), torch.tensor([[2, 11, 4], [2, 12, 3]])
    >>> network(read, written).shape, network.attended(read, written).shape
    (torch.Size([2, 3, 41]), torch.Size([2, 3, 4]))
    >>> state = network.remember(read)
    >>> logits, state = network.read(written[:, :1], state)
    >>> torch.allclose(logits, network(read, written)[:, :1], atol=1e-6)
    True
    """

    def __init__(self, config: EncoderDecoderSettings) -> None:
        self.directions = 1 + config.bidirectional
        width, hidden, both = config.embedding_features, config.hidden_features, config.bidirectional
        super().__init__(config, hidden * self.directions)
        self.reverse_source = config.reverse_source
        self.source_embedding = nn.Embedding(config.vocabulary_size + 1, width, padding_idx=0)
        options: dict[str, Any] = {"dropout": config.dropout, "bidirectional": both}
        self.encoder = recurrent_layers(config.cell, width, hidden, config.num_layers, **options)
        parts = tuple(self.encoder.layers[0].state_features)
        self.bridge: Bridge | None = None
        if both or config.decoder_layers != config.num_layers:
            self.bridge = Bridge(tuple(self.directions * part for part in parts), parts, config.decoder_layers)

    def remember(self, inputs: Tensor) -> dict[str, Any]:
        """Return the state that writing starts from after reading tokens (batch, steps), 0 past the end."""
        lengths = lengths_of(inputs)
        read = reversed_in_time(inputs.T, lengths).T if self.reverse_source else inputs
        vectors = dropout(self.source_embedding(read), self.dropout, self.training)
        memory, states = self.encoder(vectors, lengths=lengths)
        layers = [states[place : place + self.directions] for place in range(0, len(states), self.directions)]
        joined = [tuple(torch.cat(parts, 1) for parts in zip(*layer, strict=True)) for layer in layers]
        cells = tuple(joined) if self.bridge is None else self.bridge(joined)
        known = {"cells": cells, "summary": joined[-1][0]}
        if self.attention is None:
            return known
        if self.reverse_source:
            memory = reversed_in_time(memory.transpose(0, 1), lengths).transpose(0, 1)
        present = (inputs != 0) | (torch.arange(inputs.shape[1], device=inputs.device) == 0)
        return known | self.attending(memory, present)
