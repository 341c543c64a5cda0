"""Jordan's network: its own last answer is its only memory, and the right one teaches it.

Idea:
    Not the hidden layer but the answer is fed back with the next input. The state of the network is thus something
    that a teacher can name: while it learns, it is given the right last answer instead of its own. No step then waits
    for another, and no error has to travel through time. Left alone, it goes on from its own answers.

Equations:
    x_t = E w_t                                        the vector of token w_t
    h_t = tanh(U x_t + W y_{t-1} + b)                  y_0 = 0
    y_t = softmax(V h_t + a)                           one answer at each step
    training: y_{t-1} is the true answer, one-hot, at a share of the steps (1: teacher forcing)
    L = mean -log y_t[true answer]                     over the steps of the batch

Networks:
    network: `JordanTagger`, from numbers of tokens (batch, steps), 0 past the end, to logits (batch, steps, answers);
    `led` also takes the right answers.

Learning rule:
    Teacher forcing: cross-entropy at every step, all steps at once, Adam. With a share below 1 it is scheduled
    sampling, and errors travel back through the answers that were its own.

Data it expects:
    Sequences with an answer for each token: a file with a token and its answer on each line and an empty line after
    each sequence.

What to expect:
    It learns what follows from the input and the last answer: the state of a machine, of a game, of a dialogue. On
    `lift`, where the floor follows from the last floor and a command, it makes no mistakes, and the same network
    without its memory hardly beats the commonest floor. What its answers do not show it cannot remember.

Departures from the paper:
    1. Jordan's state units kept a fading trace of earlier answers; here they hold the last one.
    2. Jordan's plan units were constant over a sequence; here the input changes at every step.

References:
    Jordan, Serial order: a parallel distributed processing approach (1986).
    Williams and Zipser, A learning algorithm for continually running fully recurrent neural networks (1989).
    Bengio, Vinyals, Jaitly and Shazeer, Scheduled sampling for sequence prediction with recurrent neural networks
    (2015).
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.language.tokens import lengths_of
from ganglion.nn.recurrent import JordanRNN
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.sequences import TeacherForcing
from ganglion.settings import Count, Units, between, settings


@settings
class Config:
    """A small hidden layer, taught with the right answers."""

    vocabulary_size: Count = 5000
    """Different tokens; decided by the data."""
    num_classes: Count = 10
    """Different answers; decided by the data."""
    window: Count = 200
    """Tokens of a sequence that are read; a longer one is cut into several."""
    embedding_features: Units = 16
    """Width of a token's vector."""
    hidden_features: Units = 32
    """Units of the hidden layer."""
    feedback: bool = True
    """Read the last answer; without it every step stands alone."""
    teacher_forcing: Annotated[float, between(0, 1)] = 1.0
    """Share of the steps at which the right last answer is given while training."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-2)
    """How a gradient becomes an update."""


class JordanTagger(nn.Module):
    """Vectors of tokens, and one hidden layer that reads them beside the last answer.

    >>> import torch
    >>> network = JordanTagger(Config(vocabulary_size=100, num_classes=7))
    >>> network(torch.tensor([[5, 7, 2, 0], [9, 1, 1, 1]])).shape
    torch.Size([2, 4, 7])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary_size + 1, config.embedding_features, padding_idx=0)
        self.recurrent = JordanRNN(config.embedding_features, config.hidden_features, config.num_classes)
        if not config.feedback:
            self.recurrent.cell.feedback_weight.requires_grad_(False).zero_()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, steps, answers) of tokens (batch, steps), 0 past the end, reading its own answers."""
        scores: Tensor = self.recurrent(self.embedding(inputs), lengths=lengths_of(inputs))[0]
        return scores

    def led(self, inputs: Tensor, targets: Tensor, share: float) -> Tensor:
        """Return logits likewise, given the right last answer `(batch, steps)` at this share of the steps."""
        vectors, right = self.embedding(inputs), targets.clamp(min=0)
        scores: Tensor = self.recurrent(vectors, right, lengths=lengths_of(inputs), teacher_forcing=share)[0]
        return scores


SMALL = Config()
TINY = Config(window=20, embedding_features=8, hidden_features=16, descent=Descent(learning_rate=2e-2))


def build(config: Config) -> LearningRule:
    return TeacherForcing(JordanTagger(config), config.descent, share=config.teacher_forcing)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.ones(1, config.window, dtype=torch.int64),)}
