"""What the players of a game are given: noise, conditions of a batch, and samples to tell apart."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from ganglion.core import Batch
from ganglion.errors import ConfigurationError
from ganglion.rules.adversarial.latent import Latent

LATENT = "latent"
"""Name under which drawn noise joins a batch."""
RESERVED = {LATENT, "real", "generated", "points"}
"""Names that tensors of a batch cannot have where they are conditions: the players' own go by them."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Which tensors of a batch each player is called with, in order.

    ==========================  ==========================================================================
    unconditional               `Inputs(noise=Latent("normal", (100,)))`
    class-conditional           `Inputs(noise=..., generator=("targets",), discriminator=("targets",))`
    image to image              `Inputs(real="target", generator=("source",), discriminator=("source",))`
    super-resolution            `Inputs(real="target", generator=("source",))`
    a level of a pyramid        `Inputs(noise=..., generator=("coarse",), discriminator=("coarse",), view=...)`
    ==========================  ==========================================================================

    Raises:
        ConfigurationError: a generator that is given nothing, or a condition of a reserved name.
    """

    noise: Latent | None = None
    """What is drawn for the generator, its first argument; None where the batch alone decides what it makes."""
    real: str = "inputs"
    """The real samples."""
    generator: tuple[str, ...] = ()
    """Conditions that follow the noise."""
    discriminator: tuple[str, ...] = ()
    """Conditions that follow the samples."""
    view: Callable[[Batch], Batch] | None = None
    """Makes of a batch of the loader what the players see, such as one level of a pyramid; as it is where None."""

    def __post_init__(self) -> None:
        if self.noise is None and not self.generator:
            raise ConfigurationError("the generator is given nothing", expected="noise, a condition, or both")
        if taken := RESERVED & {*self.generator, *self.discriminator}:
            raise ConfigurationError("a condition has a reserved name", found=", ".join(sorted(taken)))

    def seen(self, batch: Batch) -> Batch:
        """Return what the players see of a batch of the loader."""
        return self.view(batch) if self.view else batch

    def with_noise(self, batch: Batch) -> Batch:
        """Return a batch with fresh noise for each of its samples, where the generator takes any."""
        if self.noise is None:
            return batch
        real = batch[self.real]
        return {**batch, LATENT: self.noise(len(real), real.device)}

    def for_generator(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the arguments of the generator."""
        names = self.generator if self.noise is None else (LATENT, *self.generator)
        return tuple(batch[name] for name in names)

    def for_discriminator(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return the arguments of the discriminator that follow the samples."""
        return tuple(batch[name] for name in self.discriminator)
