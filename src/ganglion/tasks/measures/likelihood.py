"""How likely data is to a network of latent variables, in nats a sample."""

from collections.abc import Iterator

from torch import Tensor

from ganglion.core import Batch, LatentModel, Measure
from ganglion.data.loaders.noise import named_stream, normals
from ganglion.rules.autoencoder import variational

NEGATIVE_ELBO = Measure(
    name="negative_elbo",
    higher_is_better=False,
    meaning="Upper bound of -log p of a sample in nats: reconstruction and divergence together.",
)
NEGATIVE_LOG_LIKELIHOOD = Measure(
    name="negative_log_likelihood",
    higher_is_better=False,
    meaning="-log p of a sample in nats, by importance sampling, which never lies below the truth on average.",
)
RECONSTRUCTION = Measure(
    name="reconstruction",
    higher_is_better=False,
    meaning="-log p(sample | latents) in nats, for latents as the encoder guesses them.",
)
DIVERGENCE = Measure(
    name="divergence",
    higher_is_better=False,
    meaning="Nats by which the guess of the latents of a sample differs from the normal distribution.",
)
ACTIVE_LATENTS = Measure(
    name="active_latents",
    higher_is_better=True,
    meaning="Latents whose mean differs between samples; the others say nothing.",
)


def judged(network: LatentModel, batch: Batch, draws: int) -> dict[str, Tensor]:
    """Return of each sample of a batch its mean latents, (batch, latents), and what is measured of it, (batch,).

    All is on the CPU, and a function of the samples and their places in the set alone.

    Args:
        network: of latent variables.
        batch: `inputs` and `index`, and classes for a conditional network.
        draws: for importance sampling; 0 leaves the likelihood out.
    """
    inputs, condition = batch["inputs"], variational.condition_of(network, batch)
    mean, log_variance = network.posterior(inputs, condition)
    latent = variational.drawn(mean, log_variance, next(_noise(network, batch, 1)))
    found = {
        "means": mean,
        "reconstruction": -network.log_likelihood(network.outputs(latent, condition), inputs),
        "divergence": variational.divergence_from_normal(mean, log_variance),
    }
    if draws:
        noise = _noise(network, batch, draws)
        found["negative_log_likelihood"] = -variational.importance_sampled(network, inputs, noise, condition)
    return {name: values.float().cpu() for name, values in found.items()}


def _noise(network: LatentModel, batch: Batch, draws: int) -> Iterator[Tensor]:
    """Yield so many times standard normal noise (batch, latents), a function of the places of samples in their set."""
    stream = named_stream("latents")
    for number in range(draws):
        yield normals(0, number, batch["index"], network.latent_features, stream)
