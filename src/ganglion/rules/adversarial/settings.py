"""How a game is played, as data: the part of an adversarial network's configuration that all of them have."""

from typing import Annotated

from ganglion.errors import ConfigurationError
from ganglion.rules.adversarial.games import GameName
from ganglion.rules.adversarial.penalties import PenaltyName
from ganglion.rules.adversarial.turns import Player
from ganglion.settings import Bound, Search, above, at_least, settings


@settings
class GameSettings:
    """What the players pay, what keeps the discriminator from being too steep, and whose turn it is."""

    loss: GameName = "non-saturating"
    """Losses of both players."""
    real_label: Annotated[
        float, Bound("above 0 and at most 1", lambda label: 0 < label <= 1), Search(low=0.7, high=1.0)
    ] = 1.0
    """What the discriminator is asked to say of real samples; below 1 keeps it from being too sure. Not for wasserstein
    and hinge, which have no labels."""
    penalty: PenaltyName = "none"
    """What the discriminator pays for its slopes: gradient (towards 1, between real and generated samples),
    one-sided-gradient (only above 1), r1 (towards 0, at real samples) or r2 (at generated ones)."""
    penalty_weight: Annotated[float, at_least(0), Search(around=10)] = 10.0
    """Weight of the penalty: lambda of gradient, gamma of r1 and r2."""
    penalty_every: Annotated[int, at_least(1)] = 1
    """The discriminator pays the penalty in every so many of its steps, so many times as much."""
    weight_clip: Annotated[float, above(0)] | None = None
    """The discriminator's weights are cut to at most this size after each of its steps."""
    drift: Annotated[float, at_least(0)] = 0.0
    """Weight of the mean square of the outputs on real samples, which keeps a critic's outputs near zero."""
    discriminator_steps: Annotated[int, at_least(1), Search(low=1, high=5)] = 1
    """Batches that the discriminator learns from for each turn of the generator."""
    generator_steps: Annotated[int, at_least(1)] = 1
    """Batches that the generator learns from for each turn of the discriminator."""
    first: Player = "discriminator"
    """Who learns first from a batch that both learn from."""

    def __post_init__(self) -> None:
        if min(self.discriminator_steps, self.generator_steps) > 1:
            raise ConfigurationError(
                "both players cannot take several steps in a row",
                expected="discriminator_steps or generator_steps 1",
                found=f"{self.discriminator_steps} and {self.generator_steps}",
            )
