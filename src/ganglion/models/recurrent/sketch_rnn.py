"""Sketch-RNN: draws line by line like a person, remembers a drawing as a few numbers, and finishes what one began.

Idea:
    A drawing is a sequence of moves of a pen, not a picture. An encoder reads it in both directions and says in a few
    numbers what it was. A decoder draws move by move: at each step it says where the pen may go as a sum of Gaussians,
    and whether the pen stays down, is lifted, or the drawing is finished; one of these is drawn, and read by the next
    step. Numbers drawn at random make new drawings, numbers between those of two drawings change one into the other.

Equations:
    S_i = (x, y, p_1, p_2, p_3)                        a move, and the pen after it: down, lifted, finished
    h = [h_f; h_b]                                     last states of the encoder, which reads S_1 .. S_N both ways
    z = m + exp(s / 2) e,  m = W_m h + b_m,  s = W_s h + b_s,  e from N(0, 1)
    [h_0; c_0] = tanh(W_z z + b_z),  S_0 = (0, 0, 1, 0, 0)
    h_i, c_i = LSTM([S_{i-1}; z], h_{i-1}, c_{i-1}),  y_i = W_y h_i + b_y
    p(x, y) = sum_j w_j N(x, y; m_j, s_j, r_j)         from y_i: w = softmax, s = exp, r = tanh;  p(pen) = softmax
    L_R = -1 / N_max sum_i [log p(x_i, y_i) + log p(pen_i)]
    L_KL = -1 / (2 N_z) sum_k 1 + s_k - m_k^2 - exp(s_k)
    L = L_R + w_t max(L_KL, floor),  w_t = w - (w - w_0) R^t            in update t
    drawing at temperature T: all logits / T, all variances * T
    unconditional: no encoder and no z; L = L_R

Networks:
    network: `SketchRNN`, from moves (batch, points, 3) to mixture and pen before each point and
    after the last, (batch, points + 1, 6 Gaussians + 3).

Learning rule:
    The variational bound with a weight that rises from w_0 to w, and a divergence that is left alone below a floor.
    Adam; each component of the gradient is cut off at 1.

Data it expects:
    Drawings: arrays of moves (NPZ with `train`, `valid` and `test`), Quick, Draw! (`.ndjson`), or a folder of SVG.
    Moves are divided by their deviation in the training part. Each epoch they are a little larger or smaller, and
    some points within lines are left out.

What to expect:
    The small form draws houses, faces, fish and flowers that one can tell after a minute. Low temperatures draw the
    usual, high ones scrawl. A smaller weight of the divergence rebuilds better and invents worse. The loss is that of
    a density, so it may be below zero; compare with Gaussian moves and frequencies of the pen, which every evaluation
    prints.

Departures from the paper:
    1. The published form is that of the public code, with one long short-term memory layer on each side. The paper's
       own figures come from wider decoders whose weights a second network makes.
    2. Recurrent dropout zeroes the same units of the state at all steps of a drawing, not others at each.
    3. What follows the end of a drawing is not learnt; the paper's code learns there that the pen stays finished.
    4. Deviations are at least 0.001 of the data's, since its whole numbers could be made infinitely likely.
    5. A drawing that was begun is completed by a conditional network too: its numbers are drawn in proportion to how
       likely they make the beginning.
    6. The temperature multiplies variances, as in the paper; the public code multiplies deviations by it.

References:
    Ha and Eck, A neural representation of sketch drawings (2017).
    Graves, Generating sequences with recurrent neural networks (2013).
    Bishop, Mixture density networks (1994).
    Kingma and Welling, Auto-encoding variational Bayes (2014).
    Bowman et al., Generating sentences from a continuous space (2016), for the weight that rises.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.drawing.mixture_density import PARAMETERS
from ganglion.nn.drawing.pen_steps import steps_of
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent import LSTM, States
from ganglion.nn.recurrent.lstm import LSTMState
from ganglion.nn.recurrent.sequences import padding
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.sketches import PEN_STATES, Annealing, Sketching
from ganglion.settings import Count, Share, Units, settings


@settings
class Config:
    """An encoder of 256 cells in each direction, 128 latents, a decoder of 512 cells and 20 Gaussians."""

    conditional: bool = True
    """Whether there is an encoder; without one the network draws and completes, and cannot rebuild."""
    longest: Count = 250
    """N_max, by which losses are divided: points of the longest drawing of the training part; decided by the data."""
    window: Count = 250
    """Points of a drawing at most; one with more is left out."""
    encoder_features: Units = 256
    """Cells of the encoder in each direction."""
    decoder_features: Units = 512
    """Cells of the decoder."""
    latent_features: Count = 128
    """N_z, numbers that a drawing becomes."""
    num_mixtures: Count = 20
    """Gaussians that say where the pen may go."""
    recurrent_dropout: Share = 0.1
    """Share of a state zeroed while training wherever the next step reads it."""
    annealing: Annealing = Annealing()
    """How much the divergence counts, and from when."""
    stretch: Share = 0.15
    """How much larger or smaller drawings are made while training, in width and height each."""
    dropped_points: Share = 0.1
    """Share of the points within lines that are left out while training."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3, clip_value=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""


class SketchRNN(nn.Module):
    """An encoder of drawings, and a decoder that draws.

    >>> network = SketchRNN(Config(encoder_features=8, decoder_features=16, latent_features=4)).eval()
    >>> moves, lengths = torch.randn(2, 7, 3), torch.tensor([7, 5])
    >>> network(moves, lengths).shape
    torch.Size([2, 8, 123])
    >>> state = network.begin(torch.zeros(2, 4))
    >>> outputs, state = network.read(torch.zeros(2, 1, 5), state)
    >>> outputs.shape
    torch.Size([2, 1, 123])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, dropout = config.decoder_features, config.recurrent_dropout
        self.latent_features = config.latent_features if config.conditional else 0
        self.encoder = None
        if config.conditional:
            self.encoder = LSTM(5, config.encoder_features, bidirectional=True, recurrent_dropout=dropout)
            self.posterior_head = Linear(2 * config.encoder_features, 2 * config.latent_features)
            self.initial = Linear(config.latent_features, 2 * width)
        self.decoder = LSTM(5 + self.latent_features, width, recurrent_dropout=dropout)
        self.head = Linear(width, PEN_STATES + PARAMETERS * config.num_mixtures)

    def forward(self, moves: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return what is expected instead of each of moves (batch, points, 3), by the mean latents.

        Lengths are (batch,); all points count where none are given.
        """
        lengths = moves.new_full(moves.shape[:1], moves.shape[1], dtype=torch.int64) if lengths is None else lengths
        latent = self.posterior(moves, lengths)[0] if self.encoder is not None else None
        outputs, _ = self.read(begun(steps_of(moves, lengths))[:, :-1], self.begin(latent, moves.shape[0]))
        return outputs

    def posterior(self, moves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | drawing), (batch, latents), of moves (batch, points, 3)."""
        assert self.encoder is not None
        _, states = self.encoder(steps_of(moves, lengths)[:, :-1], lengths=lengths)
        mean, log_variance = self.posterior_head(torch.cat([state[0] for state in states], 1)).chunk(2, dim=1)
        return mean, log_variance

    def begin(self, latent: Tensor | None, count: int = 1) -> tuple[Tensor | None, States]:
        """Return the state before the first step of drawings by latents (batch, latents), or of `count` without."""
        if latent is None:
            zero = self.head.weight.new_zeros(count, self.head.in_features)
            return None, (LSTMState(zero, zero),)
        hidden, cell = self.initial(latent).tanh().chunk(2, dim=1)
        return latent, (LSTMState(hidden, cell),)

    def read(self, steps: Tensor, state: tuple[Tensor | None, States]) -> tuple[Tensor, Any]:
        """Return outputs (batch, steps, numbers) after steps (batch, steps, 5), and the state after the last."""
        hidden, after = self._decode(steps, state)
        outputs: Tensor = self.head(hidden)
        return outputs, after

    def led(self, moves: Tensor, lengths: Tensor, latent: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return outputs (judged, numbers) for every move and end, drawing by drawing, and what came (judged, 5).

        Moves are (batch, points, 3), lengths (batch,), latents (batch, latents).
        """
        steps = steps_of(moves, lengths)
        there = ~padding(lengths + 1, steps.shape[1]).T
        hidden, _ = self._decode(begun(steps)[:, :-1], self.begin(latent, moves.shape[0]))
        return self.head(hidden[there]), steps[there]

    def _decode(self, steps: Tensor, state: tuple[Tensor | None, States]) -> tuple[Tensor, Any]:
        latent, cells = state
        if latent is not None:
            steps = torch.cat([steps, latent[:, None].expand(-1, steps.shape[1], -1)], 2)
        hidden, cells = self.decoder(steps, cells)
        return hidden, (latent, cells)


def begun(steps: Tensor) -> Tensor:
    """Return steps (batch, steps, 5) behind S_0: nowhere, the pen down."""
    start = torch.zeros_like(steps[:, :1])
    start[..., 2] = 1
    return torch.cat([start, steps], 1)


UNCONDITIONAL = Config(conditional=False)
SMALL = Config(
    encoder_features=64,
    decoder_features=256,
    latent_features=32,
    num_mixtures=10,
    recurrent_dropout=0.0,
    annealing=Annealing(rate=0.995),
    stretch=0.1,
    dropped_points=0.05,
    descent=Descent(learning_rate=6e-3, clip_value=1.0),
)
FORMS = {"unconditional": UNCONDITIONAL, "small-unconditional": replace(SMALL, conditional=False)}
TINY = Config(
    longest=30,
    window=30,
    encoder_features=16,
    decoder_features=32,
    latent_features=4,
    num_mixtures=3,
    recurrent_dropout=0.0,
    annealing=Annealing(rate=0.9),
    descent=Descent(learning_rate=1e-2, clip_value=1.0),
)


def build(config: Config) -> LearningRule:
    network = SketchRNN(config)
    return Sketching(network, config.descent, annealing=config.annealing, longest=config.longest)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.window, 3),)}
