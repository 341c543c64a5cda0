"""What tasks and inspection may ask of a rule or a network. Each is small; none names a class."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ganglion.core.learning import Batch


@runtime_checkable
class Judge(Protocol):
    """A rule that measures outputs that are already there."""

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return measurements, `loss` among them, of outputs `(batch, ...)` beside targets `(batch, ...)`."""


Adversary = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]
"""From a loss of inputs, summed over samples, and from inputs (batch, ...) to inputs of the same shape."""


@runtime_checkable
class Hardened(Protocol):
    """A rule that can learn from inputs that an adversary changes, so that its loss grows."""

    adversary: Adversary | None


@runtime_checkable
class Gradual(Protocol):
    """A rule that changes bit by bit in the course of a phase, as a function of the step."""

    def reach(self, share: float) -> None:
        """Get ready for the step that comes after a share, from 0 to 1, of the phase; 0 while that is not known."""


@runtime_checkable
class Mixing(Protocol):
    """A rule that can learn from pairs of samples that are mixed with each other."""

    mixup: float


@runtime_checkable
class ManyHeaded(Protocol):
    """A network that answers at several depths, so that the gradient enters there too while it trains."""

    auxiliary: nn.ModuleList
    """What answers beside the last layer."""

    def heads(self, inputs: Tensor) -> list[Tensor]:
        """Return the network's outputs `(batch, outputs)` for inputs `(batch, ...)`, and then those of other heads."""


@runtime_checkable
class SideBySide(Protocol):
    """Networks of several sizes that learn the same, each by itself."""

    sizes: list[tuple[int, int]]
    """Hidden layers of each network and the units of each layer, in the order of `heads`."""

    def heads(self, inputs: Tensor) -> list[Tensor]:
        """Return the outputs `(batch, outputs)` of all networks for inputs `(batch, ...)`."""


@runtime_checkable
class Steers(Protocol):
    """A network that looks at a road, and whose outputs stand for a direction each."""

    auxiliary: nn.ModuleList
    """Networks that learnt beside it to say the direction itself, as one output; there may be none."""

    def directions(self, outputs: Tensor) -> Tensor:
        """Return the direction (batch,) that outputs (batch, directions), or (batch, 1), mean."""

    def hills(self, directions: Tensor) -> Tensor:
        """Return what outputs should be, (batch, directions), for directions (batch,)."""

    def weights_by_unit(self) -> tuple[Tensor, Tensor]:
        """Return the weights of each hidden unit: (units, height, width) from pixels, (units, directions) onwards."""


@runtime_checkable
class Encoder(Protocol):
    """A network that gives samples a code."""

    def encode(self, inputs: Tensor) -> Tensor:
        """Return codes `(batch, features)` of samples `(batch, ...)`."""


@runtime_checkable
class Dreamer(Protocol):
    """A classifier that may also make inputs of a class."""

    generative: bool
    """Whether it learnt to."""

    def dream(self, classes: Tensor, steps: int = ..., generator: torch.Generator | None = None) -> Tensor:
        """Return inputs (batch, in_features) that the network dreams of classes, numbers (batch,)."""


@runtime_checkable
class CentredUnits(Protocol):
    """A network whose units answer around a point each, and whose output adds them up."""

    centres: Tensor
    """Where each unit answers most, (units, inputs)."""
    widths: Tensor
    """How far from there it answers, (units,)."""
    output: nn.Linear
    """What adds up the answers."""

    def responses(self, inputs: Tensor) -> Tensor:
        """Return what every unit answers, (batch, units), to inputs (batch, ...)."""


@runtime_checkable
class PicturesSeries(Protocol):
    """A network that makes pictures of series and looks at those."""

    def pictures(self, inputs: Tensor) -> Mapping[str, Tensor]:
        """Return pictures, (samples, channels, height, width), of series (samples, steps, channels), by their names."""


@runtime_checkable
class Local(Protocol):
    """A network that makes images of images of any size, each pixel from those around it."""

    @property
    def reach(self) -> int:
        """Pixels in each direction beyond which nothing matters to an output pixel."""


@runtime_checkable
class Blocked(Protocol):
    """A network that takes blocks of pixels together, so that it matters where in its block a pixel lies."""

    @property
    def block(self) -> int:
        """Height and width of a block."""


@runtime_checkable
class Located(Protocol):
    """A network whose one logit is the mean of what speaks for it at each place of images of any size."""

    def evidence(self, images: Tensor) -> Tensor:
        """Return what is averaged, `(batch, 1, places down, places across)`, of images `(batch, channels, height,
        width)`.
        """


@runtime_checkable
class Colourist(Protocol):
    """A network that says the colours of pictures of which it sees the lightness."""

    def colours(self, lightness: Tensor) -> Tensor:
        """Return a and b of CIE Lab `(batch, 2, height, width)` for L `(batch, 1, height, width)`."""


@runtime_checkable
class Coder(Protocol):
    """A network that turns pictures into whole numbers, at several qualities, and those into pictures again."""

    block: int
    """Pixels of a side that one place of a code stands for; a picture is continued to a multiple of it."""
    reach: int
    """Pixels in each direction beyond which nothing matters to a code, or to a pixel that comes back."""
    channels: int
    """Numbers at each place of a code."""
    qualities: int
    context: nn.Module
    """From whole numbers and qualities to means and logarithms of widths of each, from those that stand before it."""

    def latents(self, images: Tensor) -> Tensor:
        """Return codes (batch, channels, rows, columns) of images (batch, 3, height, width), black 0 and white 1."""

    def scaled(self, latents: Tensor, quality: Tensor) -> Tensor:
        """Return codes as finely as qualities (batch,) keep them, to be rounded."""

    def pictures(self, codes: Tensor, quality: Tensor) -> Tensor:
        """Return images (batch, 3, height, width) of rounded codes; they end with the last block."""


@runtime_checkable
class Segmenter(Protocol):
    """A network that says of every pixel of images of any size what it belongs to."""

    @property
    def reach(self) -> int:
        """Pixels in each direction beyond which nothing matters to the answer for a pixel."""

    def at_every_pixel(self, images: Tensor) -> Tensor:
        """Return logits `(batch, classes, height, width)` of images `(batch, channels, height, width)`."""


@runtime_checkable
class Finder(Protocol):
    """A network that finds objects in images without being told where to look."""

    def find(self, images: Tensor) -> list[Tensor]:
        """Return rows of left, top, right, bottom, class and probability `(objects, 6)` of each of images.

        The surest come first; images are `(batch, channels, height, width)`.
        """


@runtime_checkable
class Decoder(Protocol):
    """A network that makes samples of codes."""

    def decode(self, codes: Tensor) -> Tensor:
        """Return samples `(batch, ...)` of codes `(batch, features)`."""


@runtime_checkable
class Layered(Protocol):
    """A rule that trained a network layer by layer, and remembers what that came to."""

    def after_each_layer(self, inputs: Tensor) -> list[Tensor]:
        """Return what was left of inputs (batch, ...) after one layer there and back, two, and so on, in their shape.

        Nothing where no layer was trained alone.
        """


@runtime_checkable
class LatentModel(Protocol):
    """A network p(x) = integral p(x | z) p(z) dz whose latent z are standard normal, and a guess q(z | x) of them.

    Conditions, (batch, classes), are the shares of classes that a sample belongs to; None for a model without any.
    """

    latent_features: int
    """Numbers in z."""
    condition_features: int
    """Numbers in a condition; 0 for a model without any."""

    def posterior(self, inputs: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x), `(batch, latent_features)`, of inputs `(batch, ...)`."""

    def outputs(self, latent: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return what p(x | z) is computed from, (batch, features), of latents (batch, latent_features)."""

    def expected(self, outputs: Tensor) -> Tensor:
        """Return the means of p(x | z), in the shape of the outputs (batch, features)."""

    def log_likelihood(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        """Return log p(x | z) in nats, `(batch,)`, of inputs `(batch, ...)`."""


@runtime_checkable
class EnergyModel(Protocol):
    """A network with a free energy F(v), its gradients, and a Markov chain that samples exp(-F)."""

    num_visible: int

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return F(v), (rows,), of every row of visible units, (rows, units)."""

    def free_energy_gradients(self, visible: Tensor, shares: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return sum_n share_n F(v_n) and its gradients in the order of the parameters; shares are (rows,)."""

    def gibbs_step(self, visible: Tensor) -> Tensor:
        """Move every row of visible units, (rows, units), one step along the chain."""

    def tempered_step(self, visible: Tensor, coldness: Tensor) -> tuple[Tensor, Tensor]:
        """Move every row, (rows, units), along a chain of exp(-coldness E), (rows,); return the rows and E."""

    def match_means(self, visible: Tensor) -> None:
        """Start from the means of the data, (rows, units)."""


@runtime_checkable
class Players(Protocol):
    """A rule in which a discriminator learns to tell real samples from those of a generator. All that it is asked
    takes a batch as the loader hands it out, and changes no network.
    """

    generator: nn.Module
    discriminator: nn.Module

    def real(self, batch: Batch) -> Tensor:
        """Return the real samples of a batch, `(batch, ...)`."""

    def sample(self, batch: Batch) -> Tensor:
        """Return (batch, *shape of a sample) generated samples, of fresh noise and the conditions of the batch."""

    def discriminate(self, samples: Tensor, batch: Batch) -> Tensor:
        """Return the discriminator's outputs `(batch, ...)` for samples with the conditions of a batch."""


@runtime_checkable
class Staged(Protocol):
    """A network that draws in stages, each of which makes larger what the one before drew."""

    def stages(self, latent: Tensor) -> list[Tensor]:
        """Return what is drawn of noise (batch, features) at each stage, (batch, channels, height, width) each."""


@runtime_checkable
class Pausing(Protocol):
    """A rule of players that do not play in all phases of a run."""

    @property
    def plays(self) -> bool:
        """Whether there is a game in the present phase."""


@runtime_checkable
class Illustrator(Protocol):
    """A network that draws what a text says in two stages, the second of which makes larger what the first drew."""

    learnt: int
    """Stages that have learnt, or are learning; 0 where texts are still being matched with pictures."""

    def stages(self, latent: Tensor, tokens: Tensor) -> list[Tensor]:
        """Return what each stage draws, (batch, channels, side, side), of noise (batch, features) and tokens (batch,
        steps).
        """

    def fitting(self, pictures: Tensor, tokens: Tensor) -> Tensor:
        """Return how well pictures (count, channels, side, side) fit texts of tokens (texts, steps): (count, texts)."""


@runtime_checkable
class DensityModel(Protocol):
    """A network that gives vectors of visible units a probability or a density, and a Markov chain that draws them."""

    weight: Tensor
    """What each hidden unit responds to `(hidden, visible)`."""

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return F(v), log p(v) but for the sign and a constant, of every row `(batch,)`."""

    def hidden_probabilities(self, visible: Tensor) -> Tensor:
        """Return p(h_j = 1 | v) of every row `(batch, hidden)`, what the network finds in it."""

    def conditional_log_likelihood(self, visible: Tensor, units: Tensor) -> Tensor:
        """Return log p(v_i | all other units) for the chosen units `(batch, asked)` of every row."""

    def reconstruct(self, visible: Tensor) -> Tensor:
        """Return the probabilities, (rows, units), of the visible units after one step there and back without noise."""

    def wander(
        self, visible: Tensor, steps: int, generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Return what visible units are expected to be, (rows, units), after steps of a chain of p ~ exp(-E /
        temperature) from `visible`.
        """

    def annealed_weights(
        self, base_bias: Tensor, *, chains: int = ..., generator: torch.Generator | None = None
    ) -> Tensor:
        """Return log weights (chains,) whose mean in the exponent is Z, from independent units of these biases
        `(visible,)`.
        """


@runtime_checkable
class CoupledModel(Protocol):
    """A network of binary units whose couplings are drawn, and whose distribution changes with the temperature."""

    bias: Tensor
    """What each unit tends to by itself, visible ones first, (units,)."""

    @property
    def couplings(self) -> Tensor:
        """The weight between every two units, visible ones first, symmetric, (units, units)."""

    def log_probability(self, visible: Tensor, temperature: float = 1.0) -> Tensor | None:
        """Return log p(v), (rows,), of visible units (rows, units); None where that cannot be counted."""


@runtime_checkable
class Reader(Protocol):
    """A network that reads on from where it was."""

    def read(self, inputs: Tensor, states: Any = None) -> tuple[Tensor, Any]:
        """Return the outputs for all steps `(batch, time, ...)` and the states of all cells after the last.

        Without states it starts from where a text begins.
        """
