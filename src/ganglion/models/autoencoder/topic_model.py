"""The topic model: finds what a collection of texts is about, as groups of words and the share of each in every text.

Idea:
    A text is taken as a bag of words: which there are, and how often, in no order. An encoder guesses from the bag in
    which shares the text is made of a number of topics; a decoder says from the shares which words to expect. Trained
    together as a variational autoencoder, the topics become words that occur in the same texts. Nobody says what they
    mean: a reader does, from their words.

Equations:
    h = drop(s(W_2 s(W_1 x + b_1) + b_2))                      softplus s, bag of words x
    m = N(W_m h + b_m),  log v = N(W_v h + b_v)                q(z | x) = N(m, v), N batch normalisation
    t = softmax(z),  z = m + sqrt(v) e,  e from N(0, 1)        shares of the topics
    p(word | t) = softmax(N(B drop(t)))                        B (words, topics)
    L = -sum_w x_w log p(w | t) + KL(q(z | x) || N(m_0, v_0)),  mean over texts
    m_0 = 0,  v_0 = (1 / a) (1 - 1 / K)                        Laplace's approximation of Dirichlet(a) by softmax

Networks:
    network: `TopicModel`, from bags of words (batch, words) to logits of words (batch, words); `encode` gives m,
    `mixture` the shares of topics, `topics` the words of each topic.

Learning rule:
    BagOfWordsLearning, Adam with a first moment of .99, which keeps topics from becoming the same.

Data it expects:
    Texts: a table with a column of them, a folder of files, a file for each class. Labels are not learnt from; where
    there are some, a picture shows which topics they fall into. Words that stand in very many or very few texts, and
    common English ones, are left out; so are the headers of mails.

What to expect:
    Words of a topic that stand together in more texts than those of latent Dirichlet allocation, and topics that share
    few words. The best weights are those of the most coherent topics. Perplexity is not what this is good at.

Departures from the paper:
    1. Dropout of the shares is a setting, and none for few texts.
    2. A topic's words are those of highest p(word | t = the topic alone).

References:
    Srivastava and Sutton, Autoencoding variational inference for topic models (2017), ProdLDA.
    Blei, Ng and Jordan, Latent Dirichlet allocation (2003).
    Bouma, Normalized (pointwise) mutual information in collocation extraction (2009), for coherence.
    Dieng, Ruiz and Blei, Topic modeling in embedding spaces (2020), for uniqueness.
"""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.nn.linear import Linear
from ganglion.rules.autoencoder.variational import drawn
from ganglion.rules.bags import BagOfWordsLearning
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Dropout, Share, Units, above, at_least, settings


@settings
class Config:
    """An encoder of bags of words, and a decoder that is one matrix of words and topics."""

    vocabulary_size: Count = 1995
    """Words that are counted; decided by the data."""
    topics: Annotated[int, at_least(2)] = 50
    """Topics to find."""
    hidden_features: Units = 100
    """Width of both hidden layers of the encoder."""
    dropout: Dropout = 0.2
    """Share of the encoder's last hidden layer that is dropped while it learns."""
    topic_dropout: Share = 0.0
    """Share of the topics of a text that are dropped while the network learns."""
    concentration: Annotated[float, above(0)] = 1.0
    """a of the prior: below 1 a text is of few topics, above it of many."""
    most_words: Annotated[int, at_least(2)] = 2000
    """Words that are counted at most, the commonest that are told from those of every text."""
    descent: Descent = Descent(optimizer="adam", learning_rate=2e-3, optimizer_arguments=("betas=(0.99, 0.999)",))
    """How a gradient becomes an update."""


class TopicModel(nn.Module):
    """Bags of words to shares of topics, and shares of topics to words.

    >>> network = TopicModel(Config(vocabulary_size=30, topics=4)).eval()
    >>> network(torch.ones(2, 30)).shape, network.mixture(torch.ones(2, 30)).sum(dim=1).detach().round().tolist()
    (torch.Size([2, 30]), [1.0, 1.0])
    """

    prior_variance: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        words, topics, width = config.vocabulary_size, config.topics, config.hidden_features
        self.encoder = nn.Sequential(
            Linear(words, width), nn.Softplus(), Linear(width, width), nn.Softplus(), nn.Dropout(config.dropout)
        )
        self.mean, self.log_variance = (
            nn.Sequential(Linear(width, topics), nn.BatchNorm1d(topics, affine=False)) for _ in range(2)
        )
        self.drop = nn.Dropout(config.topic_dropout)
        self.decoder = nn.Linear(topics, words, bias=False)
        nn.init.xavier_uniform_(self.decoder.weight)
        self.decoder_norm = nn.BatchNorm1d(words, affine=False)
        variance = (1 - 1 / topics) / config.concentration
        self.register_buffer("prior_variance", torch.tensor(variance), persistent=False)

    def posterior(self, bags: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x), (batch, topics), of bags of words (batch, words)."""
        hidden = self.encoder(bags)
        return self.mean(hidden), self.log_variance(hidden)

    def encode(self, bags: Tensor) -> Tensor:
        """Return the mean of z, (batch, topics), of bags of words (batch, words)."""
        return self.posterior(bags)[0]

    def mixture(self, bags: Tensor) -> Tensor:
        """Return the shares of the topics (batch, topics), which sum to 1, of bags of words (batch, words)."""
        return functional.softmax(self.encode(bags), dim=1)

    def decode(self, shares: Tensor) -> Tensor:
        """Return logits of the words (batch, words) of shares of the topics (batch, topics)."""
        logits: Tensor = self.decoder_norm(self.decoder(self.drop(shares)))
        return logits

    def forward(self, bags: Tensor) -> Tensor:
        """Return logits of the words, (batch, words), that are expected in bags of words (batch, words)."""
        return self.decode(self.mixture(bags))

    def negative_bound(self, bags: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return -log p(x | z) for one draw of z, and KL(q(z | x) || p(z)), in nats, (batch,) both.

        Args:
            bags: (batch, words).
            noise: e, (batch, topics).
        """
        mean, log_variance = self.posterior(bags)
        logits = self.decode(functional.softmax(drawn(mean, log_variance, noise), dim=1))
        words = -(bags * functional.log_softmax(logits, dim=1)).sum(dim=1)
        return words, divergence(mean, log_variance, self.prior_variance)

    def topics(self) -> Tensor:
        """Return log p(word | the topic alone), (topics, words)."""
        alone = torch.eye(self.decoder.in_features, device=self.decoder.weight.device)
        return functional.log_softmax(self.decode(alone), dim=1)


def divergence(mean: Tensor, log_variance: Tensor, prior_variance: Tensor) -> Tensor:
    """Return KL(N(m, v) || N(0, v_0)) = 1/2 sum_k v_k / v_0 + m_k^2 / v_0 - 1 + log v_0 - log v_k, (batch,).

    Means and log variances are (batch, topics), the prior's variance a scalar.
    """
    apart = (log_variance.exp() + mean.square()) / prior_variance - 1 + prior_variance.log() - log_variance
    return apart.sum(dim=1) / 2


SMALL = Config(topics=10)
TINY = Config(
    vocabulary_size=24,
    topics=3,
    hidden_features=8,
    descent=Descent(learning_rate=2e-2, optimizer_arguments=("betas=(0.9, 0.999)",)),
)


def build(config: Config) -> LearningRule:
    return BagOfWordsLearning(TopicModel(config), config.descent, words=config.vocabulary_size)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.vocabulary_size),)}
