"""The variational autoencoder: a map from simple noise to data and a guess of the way back, learnt together.

Idea:
    Suppose that every sample was made from a few hidden numbers drawn from a normal distribution. A decoder says how
    likely a sample is for given numbers; an encoder guesses, for a given sample, which numbers made it and how sure
    that is. Both are trained to raise a lower bound of the likelihood of the data. What pulls all guesses towards the
    normal distribution leaves no gaps between them, so numbers that are drawn from it, or lie between those of two
    samples, become new samples.

Equations:
    z ~ N(0, I)                                                     latent
    h = a(W_1 x + b_1),  m = W_m h + b_m,  log v = W_v h + b_v      encoder, q(z | x) = N(m, diag v)
    y = V_2 a(V_1 z + c_1) + c_2                                    decoder
    Bernoulli: log p(x | z) = sum_i x_i log s(y_i) + (1 - x_i) log(1 - s(y_i)),  logistic s
    Gaussian: log p(x | z) = sum_i log N(x_i; y_i, d^2),  one deviation d for all values
    ELBO = E_q log p(x | z) - KL(q(z | x) || N(0, I)) <= log p(x)
    KL = 1/2 sum_j m_j^2 + v_j - 1 - log v_j
    L = -E_q log p(x | z) + w KL,  w = beta after a warm-up, with one draw z = m + sqrt(v) e, e ~ N(0, I)
    conditional: the class, as zeros and a one, is joined to x and to z

Networks:
    network: `VariationalAutoencoder`, from inputs (batch, ...) to outputs (batch, features) of the mean latent;
    `posterior`, `outputs`, `log_likelihood`, and `encode`, `decode` for answers.

Learning rule:
    Variational, Adam. `divergence_warm_up` is the number of updates in which the weight of the divergence rises from 0.

Data it expects:
    Images of any size as pixels in [0, 1]: for Bernoulli outputs each pixel is drawn anew in every epoch, white with
    the probability that its brightness is, and judged in the same way. Or rows of numbers, standardised, with Gaussian
    outputs. Labels are needed only where `conditional` is set; elsewhere they colour the map.

What to expect:
    A bound on the likelihood in nats, to be compared with pixels that know nothing of each other (206 on MNIST). The
    published form has 100.3 there after 20 passes; two layers of 500 and 40 latents have 93.5 after 55 passes,
    and by importance sampling with 200 draws 90.1.
    Pictures that are smooth and a little blurred, and morphs between any two of them. With two latents the whole of
    what the network knows can be drawn as one sheet.

Departures from the paper:
    1. Adam instead of Adagrad, rectified instead of tanh layers, as in most renditions since.
    2. Gaussian outputs share one deviation, learnt unless it is given; the paper's depends on z, and its likelihood
       grows without bound on pixels that never change.

References:
    Kingma and Welling, Auto-encoding variational Bayes (2014).
    Rezende, Mohamed and Wierstra, Stochastic backpropagation and approximate inference (2014).
    Sohn, Lee and Yan, Learning structured output representation using deep conditional generative models (2015).
    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2016).
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.errors import ShapeError
from ganglion.nn.activations import PlainActivation, SearchedPlainActivation
from ganglion.nn.activations import activation as make_activation
from ganglion.nn.linear import Linear
from ganglion.nn.sequential import Sequential
from ganglion.rules.autoencoder.variational import Variational
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Widths, above, at_least, settings


@settings
class Config:
    """Dense layers to a Gaussian over a few latent numbers, and back."""

    in_features: Count = 784
    """Values of one input; decided by the data."""
    hidden_features: Widths = (400,)
    """Widths of the layers between input and latents; the decoder mirrors them."""
    latent_features: Count = 20
    """Latent numbers; two make a map, and a sheet of all that can be generated."""
    activation: SearchedPlainActivation = "relu"
    """Function of every hidden layer."""
    likelihood: Literal["bernoulli", "gaussian"] | None = None
    """What the outputs mean: chances of white, or means; for images the first, for rows the second if not given."""
    deviation: Annotated[float, above(0)] | None = None
    """Standard deviation of Gaussian outputs; learnt, one for all values, if not given."""
    binarised: bool = True
    """Draw black and white pixels anew in every epoch for Bernoulli outputs; else grey ones are taken as they are.

    Only the first is a likelihood.
    """
    conditional: bool = False
    """Tell both networks the class of every sample: then a class can be asked for."""
    num_classes: Count = 10
    """Classes that there are; decided by the data."""
    beta: Annotated[float, at_least(0)] = 1.0
    """Weight of the divergence; only 1 is a bound of the likelihood, more makes latents more independent."""
    divergence_warm_up: Annotated[int, at_least(0)] = 0
    """Updates in which that weight rises from 0."""
    importance_samples: Count = 100
    """Draws for each sample by which the likelihood of the test part is measured."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update."""


class VariationalAutoencoder(nn.Module):
    """An encoder to a Gaussian over latents and a decoder from them.

    >>> network = VariationalAutoencoder(Config())
    >>> sum(parameter.numel() for parameter in network.parameters())
    652824
    >>> mean, log_variance = network.posterior(torch.zeros(5, 1, 28, 28))
    >>> network.decode(mean).shape
    torch.Size([5, 784])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.latent_features, self.gaussian = config.latent_features, config.likelihood == "gaussian"
        self.condition_features = config.num_classes if config.conditional else 0
        wide, *between = config.in_features, *config.hidden_features
        self.encoder = _hidden((wide + self.condition_features, *between), config.activation)
        self.mean = Linear([wide + self.condition_features, *between][-1], config.latent_features)
        self.log_variance = Linear([wide + self.condition_features, *between][-1], config.latent_features)
        back = (config.latent_features + self.condition_features, *reversed(between))
        self.decoder = Sequential(*_hidden(back, config.activation), Linear(back[-1], wide))
        self.log_deviation: Tensor | None
        start = torch.tensor(math.log(config.deviation or 1.0)) if self.gaussian else None
        if start is not None and config.deviation is None:
            self.log_deviation = nn.Parameter(start)
        else:
            self.register_buffer("log_deviation", start)

    def forward(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the outputs (batch, features) of the mean latents of inputs (batch, ...)."""
        return self.outputs(self.posterior(inputs, condition)[0], condition)

    def posterior(self, inputs: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x), `(batch, latent_features)`, of inputs `(batch, ...)`."""
        hidden = self.encoder(self._joined(inputs.flatten(1), condition))
        return self.mean(hidden), self.log_variance(hidden)

    def outputs(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits, or means of Gaussians, (batch, features), of latents (batch, latent_features)."""
        outputs: Tensor = self.decoder(self._joined(latent, condition))
        return outputs

    def expected(self, outputs: Tensor) -> Tensor:
        """Return the means of p(x | z), in the shape of the outputs (batch, features)."""
        return outputs if self.gaussian else outputs.sigmoid()

    def log_likelihood(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Return log p(x | z) in nats, `(batch,)`, of inputs `(batch, ...)` from outputs `(batch, features)`."""
        outputs, values = outputs.float(), inputs.flatten(1)
        if self.log_deviation is None:
            entropy = functional.binary_cross_entropy_with_logits(outputs, values, reduction="none")
            return -entropy.sum(dim=1)
        squares = (values - outputs).square().sum(dim=1)
        constant = math.log(2 * math.pi) / 2 + self.log_deviation
        return -squares / (2 * (2 * self.log_deviation).exp()) - outputs.shape[1] * constant

    def encode(self, inputs: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the mean latents, (batch, latent_features), of inputs (batch, ...)."""
        return self.posterior(inputs, condition)[0]

    def decode(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the expected samples, (batch, features), of latents (batch, latent_features)."""
        return self.expected(self.outputs(latent, condition))

    def _joined(self, values: Tensor, condition: Tensor | None) -> Tensor:
        if not self.condition_features:
            return values
        if condition is None or condition.shape != (len(values), self.condition_features):
            raise ShapeError(
                "this network must be told of what class each sample is",
                expected=f"a condition of shape {(len(values), self.condition_features)}",
                found="none" if condition is None else str(tuple(condition.shape)),
            )
        return torch.cat([values, condition.to(values.dtype)], dim=1)


def _hidden(widths: tuple[int, ...], activation: PlainActivation) -> Sequential:
    return Sequential(*(one for pair in pairwise(widths) for one in (Linear(*pair), make_activation(activation))))


SMALL = Config(hidden_features=(256, 128), latent_features=2, binarised=False)
TINY = Config(
    in_features=16,
    hidden_features=(32,),
    latent_features=4,
    divergence_warm_up=20,
    importance_samples=5,
    descent=Descent(learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    return Variational(
        VariationalAutoencoder(config), config.descent, beta=config.beta, warm_up=config.divergence_warm_up
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    condition = (torch.zeros(1, config.num_classes),) if config.conditional else ()
    return {"network": (torch.zeros(1, config.in_features), *condition)}
