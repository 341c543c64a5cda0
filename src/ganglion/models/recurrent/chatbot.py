"""Chatbot: one recurrent network reads what was said, another answers, and looks back while it speaks.

Idea:
    A conversation is translated into its next turn. The encoder reads the turns before, the decoder writes the answer
    word by word. Attention lets it come back to single words of earlier turns: a name, a number, a day.

Equations:
    x = turn_{n-k} .. turn_{n-1}                       the last k turns, each with marks of its beginning and end
    m_j = [f_j; b_j]                                   states of the encoder at word j, read in both directions
    a_tj = softmax over j of score(q_t, m_j),  c_t = sum over j of a_tj m_j
    s_t = cells(E y_{t-1}, s_{t-1}),  q_t = s_t        layers above read c_t
    p(y_t | y_1 .. y_{t-1}, x) = softmax(E tanh(V [s_t; c_t; E y_{t-1}]) + d)
    L = mean -log p(y_t)                               over all words of all answers, the end among them

Networks:
    network: `EncoderDecoder`, from numbers of the tokens of the turns before and of the answer, (batch, steps) each
    and padded with 0, to logits (batch, steps, tokens). `remember` and `read` write step by step.

Learning rule:
    Back-propagation through both networks, led by the right words (`SequenceToSequence`). Adam with clipping.

Data it expects:
    Dialogues: JSON lines, lines with `__eou__` behind each turn, the YAML of chatterbot-corpus, or plain text with a
    turn on each line and an empty line between dialogues. Each turn but the first is an answer to learn; both sides of
    a dialogue are learnt. What is read is read in small letters, what is written keeps its capitals.

What to expect:
    After some minutes on one core it holds the drawn dialogues of the default data: it greets, and gives back the name
    that it was told; what lies three turns back it may mix up. Some ten thousand real dialogues take hours: networks
    of this kind then learn how people answer, not what is true, and are often vague. Answers are drawn, so that it does
    not always say the same; of several the one is said that fits best to what was said and worst to nothing. Where none
    is likely enough it says that it does not know.

Departures from the paper:
    1. Vinyals and Le give all turns to one encoder without attention; here it reads the last few, and attention looks
       at each of their words.
    2. Two vocabularies: small letters are read, capitals are written.

References:
    Vinyals and Le, A neural conversational model (2015).
    Shang, Lu and Li, Neural responding machine for short-text conversation (2015).
    Li, Galley, Brockett, Gao and Dolan, A diversity-promoting objective function for neural conversation models (2016).
    Holtzman, Buys, Du, Forbes and Choi, The curious case of neural text degeneration (2020), for top-p.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.language.writer import EncoderDecoder, EncoderDecoderSettings, Looks
from ganglion.nn.recurrent.named_cells import CellName
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.translation import Sampling, SequenceToSequence
from ganglion.settings import Count, Layers, Share, Units, settings


@settings
class Config(EncoderDecoderSettings):
    """Two layers of memory cells of 1024 on each side, without attention."""

    turns: Count = 2
    """Turns before an answer that are read."""
    window: Count = 40
    """Tokens of a turn that are read, and learnt as an answer."""
    lower_case: bool = False
    """Write small letters only; what is said to it is always read in small letters."""
    cell: CellName = "lstm"
    hidden_features: Units = 1024
    num_layers: Layers = 2
    decoder_layers: Count = 2
    bidirectional: bool = False
    attention: Looks = "none"
    label_smoothing: Share = 0.0
    """Share of a right token's probability that is spread evenly over all tokens while training."""
    sampling: Sampling = Sampling()
    """How the right words before are replaced by its own while training."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3, clip_norm=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""


SMALL = Config(
    turns=3,
    cell="gru",
    embedding_features=128,
    hidden_features=192,
    num_layers=1,
    bidirectional=True,
    attention="additive",
    attention_features=96,
    query="after",
    tied=True,
    dropout=0.1,
    descent=Descent(learning_rate=2e-3, clip_norm=1.0),
)
TINY = replace(
    SMALL,
    vocabulary_size=100,
    target_vocabulary_size=100,
    window=12,
    embedding_features=24,
    hidden_features=32,
    attention_features=16,
    dropout=0.0,
    descent=Descent(learning_rate=2e-2, clip_norm=1.0),
)


def build(config: Config) -> LearningRule:
    network = EncoderDecoder(config)
    return SequenceToSequence(network, config.descent, sampling=config.sampling, label_smoothing=config.label_smoothing)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    blank = torch.ones(1, config.window, dtype=torch.int64)
    return {"network": (blank, blank)}
