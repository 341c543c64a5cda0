"""Variational learning: raise a lower bound of log p(x) for networks with latent variables that nobody has seen."""

import math
from collections.abc import Iterable
from typing import cast, final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LatentModel, LearningRule
from ganglion.errors import ConfigurationError, DataError
from ganglion.rules.descend import Descent, descend

NOISE = "noise"
"""Name under which the draws of a step join its batch."""


@final
class Variational(LearningRule):
    """Lower -ELBO(x) = -E_q(z|x) log p(x|z) + w KL(q(z|x) || p(z)), with one draw z = m(x) + s(x) e, e from N(0, 1).

    The weight w rises evenly from 0 in the first `warm_up` updates and is `beta` from then on: without the divergence
    the latents are free to be used, and what is used is rarely given up again. Only with w = 1 is it a bound of log p.

    Args:
        network: p(x|z) and q(z|x), a `LatentModel`.
        descent: how the gradient becomes an update.
        beta: weight of the divergence in the end; above 1 latents become more independent and pictures less sharp.
        warm_up: updates until then.

    Each step measures in nats a sample: the `loss`, and its two parts `reconstruction` and `divergence`, unweighted.

    Raises:
        ConfigurationError: a negative `beta` or `warm_up`.
        DataError: a conditional network is shown samples without classes.

    References:
        Kingma and Welling (2014), Auto-encoding variational Bayes.
        Higgins et al. (2017), beta-VAE: learning basic visual concepts with a constrained variational framework.
        Bowman et al. (2016), Generating sentences from a continuous space, for the weight that rises.
    """

    def __init__(self, network: LatentModel, descent: Descent, *, beta: float = 1.0, warm_up: int = 0) -> None:
        for name, value in (("beta", beta), ("warm_up", warm_up)):
            if value < 0:
                raise ConfigurationError(f"{name} must not be negative", found=str(value))
        home = cast(nn.Module, network)
        self.network, self.descent, self.beta, self.warm_up = network, descent, beta, warm_up
        self.networks = {"network": home}
        self.optimizers = {"network": descent.make_optimizer(home)}
        self.counters = {}
        # A tensor, not a counter: a number of the host that changes would rule out a recorded step.
        self.tensors = {"updates": next(home.parameters()).new_zeros(())} if warm_up else {}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        inputs = batch["inputs"]
        noise = torch.randn(len(inputs), self.network.latent_features, device=inputs.device)
        measured = descend(self.optimizers["network"], {**batch, NOISE: noise}, self._objective, self.descent)
        if self.warm_up:
            self.tensors["updates"] = self.tensors["updates"].to(inputs.device).add_(1)
        return measured

    @property
    def weight(self) -> Tensor | float:
        """Return w, a scalar: what the divergence counts in the next update."""
        if not self.warm_up:
            return self.beta
        return self.beta * (self.tensors["updates"] / self.warm_up).clamp(max=1)

    def _objective(self, batch: Batch) -> dict[str, Tensor]:
        network, inputs = self.network, batch["inputs"]
        condition = condition_of(network, batch)
        mean, log_variance = network.posterior(inputs, condition)
        outputs = network.outputs(drawn(mean, log_variance, batch[NOISE]), condition)
        reconstruction = -network.log_likelihood(outputs, inputs).mean()
        divergence = divergence_from_normal(mean, log_variance).mean()
        loss = reconstruction + self.weight * divergence
        return {"loss": loss, "reconstruction": reconstruction, "divergence": divergence}


def condition_of(network: LatentModel, batch: Batch) -> Tensor | None:
    """Return the classes of a batch as rows of zeros and a one, (batch, classes); None where nobody asks for them."""
    if not network.condition_features:
        return None
    if "targets" not in batch:
        raise DataError(
            "this system learns from labelled data where it is conditional",
            found="samples without classes",
            remedy="give classes, or leave conditional out",
        )
    classes = torch.arange(network.condition_features, device=batch["targets"].device)
    return (batch["targets"][:, None] == classes).float()


def drawn(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return m + exp(log v / 2) e: draws of N(m, v) through which gradients reach m and v; all (batch, features)."""
    return mean + (log_variance / 2).exp() * noise


def divergence_from_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(m, v) || N(0, 1)) = 1/2 sum_j m_j^2 + v_j - 1 - log v_j in nats, `(batch,)`.

    >>> divergence_from_normal(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).item()
    0.5
    """
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2


def log_normal(values: Tensor, mean: Tensor | float = 0.0, log_variance: Tensor | float = 0.0) -> Tensor:
    """Return log N(x; m, v) = -1/2 sum_j log 2 pi + log v_j + (x_j - m_j)^2 / v_j, (rows,), of (rows, features).

    >>> round(log_normal(torch.zeros(1, 2)).item(), 4)  # -log 2 pi
    -1.8379
    """
    spread = torch.as_tensor(log_variance, device=values.device)
    return -(math.log(2 * math.pi) + spread + (values - mean).square() / spread.exp()).sum(dim=1) / 2


def importance_sampled(
    network: LatentModel, inputs: Tensor, draws: Iterable[Tensor], condition: Tensor | None = None
) -> Tensor:
    """Return log 1/k sum_i p(x | z_i) p(z_i) / q(z_i | x), z_i from q(z | x), `(batch,)`, of inputs `(batch, ...)`.

    Its mean is at most log p(x) and at least the ELBO, and it reaches log p(x) as k grows.

    Args:
        draws: k times standard normal noise `(batch, latent_features)`.

    Source: Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2016).
    """
    mean, log_variance = network.posterior(inputs, condition)
    weights = []
    for noise in draws:
        latent = drawn(mean, log_variance, noise)
        likelihood = network.log_likelihood(network.outputs(latent, condition), inputs)
        weights.append(likelihood + log_normal(latent) - log_normal(latent, mean, log_variance))
    return torch.stack(weights).logsumexp(dim=0) - math.log(len(weights))
