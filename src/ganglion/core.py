"""The whole design on one page: a learning rule steps on batches, a loader yields them, and both can be saved.

A network of the canon is a plain `torch.nn.Module`. What makes a family a family is its *learning rule*: how a batch
changes the networks. The trainer drives any rule with any loader and can name neither.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Batch = dict[str, Tensor]
"""Named tensors whose first axis is the sample: `inputs`, `targets`, and `index`, the samples' places in the set."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that says how good something is, and which way is better.

    >>> Measure(name="perplexity", higher_is_better=False).is_better(20.0, than=30.0)
    True
    """

    name: str
    higher_is_better: bool
    meaning: str = ""
    """One sentence for those who meet it for the first time, with its unit."""

    def is_better(self, value: float, than: float) -> bool:
        """Return whether `value` is better; equal is not, and neither is a value that is no number."""
        return value > than if self.higher_is_better else value < than


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a run in which a rule trains some of its networks: a layer, a stage, a size of pictures.

    When a phase begins, optimizers, schedule, average, best score and patience start anew.
    """

    name: str
    share: float = 1.0
    """Length: this phase's part of the run's iterations, in proportion to the shares of the others."""
    roles: tuple[str, ...] = ()
    """Networks that are trained; all of them when empty."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """What the loader is told of the data's size in this phase, such as `image_size`."""


class LearningRule(ABC):
    """How batches change networks. Every concrete rule is final and assigns the first four fields when it is built.

    `networks` by role. `optimizers` by role, never by index. `counters` are whole numbers that steer the rule (steps
    since the target network was copied, the layer a deep belief net is at). `tensors` are the rest of its state (the
    persistent chains of a Boltzmann machine). `home_roles` are the networks that are averaged, judged, chosen by the
    best evaluation, saved and taken home together; the first of `networks` when empty. `phases` are the stretches
    that training is made of, in order; none where it is the same throughout.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    counters: dict[str, int]
    tensors: dict[str, Tensor]
    home_roles: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    weighs: ClassVar[bool] = False
    """Whether samples count in the loss as `batch["weights"]` says, where that is there."""
    freezes: ClassVar[bool] = True
    """Whether parts can be kept as they start: those that only a gradient changes can."""

    @abstractmethod
    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Learn from one batch and return its measurements as scalars that stay on the device."""

    @property
    def home(self) -> nn.Module:
        """What a user takes home: one network, or an `nn.ModuleDict` of several by role."""
        roles = self.home_roles or tuple(self.networks)[:1]
        if len(roles) == 1:
            return self.networks[roles[0]]
        return nn.ModuleDict({role: self.networks[role] for role in roles})

    def begin(self, phase: Phase) -> None:
        """Get ready for a phase: freeze and thaw networks, and make the optimizers of those that it trains anew.

        Called when a phase begins, on a rule that has been through those before it; and on one that was just built,
        in order to load a state of that phase. `ganglion.rules.roles` does what most rules need.
        """
        raise TypeError(f"{type(self).__name__} declares phases, and not how {phase.name} begins")

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": {role: network.state_dict() for role, network in self.networks.items()},
            "optimizers": {role: optimizer.state_dict() for role, optimizer in self.optimizers.items()},
            "counters": dict(self.counters),
            "tensors": dict(self.tensors),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for role, network in self.networks.items():
            network.load_state_dict(state["networks"][role])
        for role, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][role])
            _lay_out_like_parameters(optimizer)
        self.counters.update(state["counters"])
        for name, tensor in state["tensors"].items():
            self.tensors[name] = tensor.to(self.tensors[name].device if name in self.tensors else tensor.device)


def _lay_out_like_parameters(optimizer: Optimizer) -> None:
    """Give loaded moments the memory layout of their parameters, which torch's fused steps take for granted."""
    for parameter, moments in optimizer.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter, dtype=moment.dtype).copy_(moment)


def is_under(name: str, prefix: str) -> bool:
    """Say whether the dotted name of a part of a network is a prefix, or begins with it and a dot.

    >>> is_under("layers.0.weight", "layers.0"), is_under("layers.10.weight", "layers.1")
    (True, False)
    """
    return name == prefix or name.startswith(f"{prefix}.")


class Loader(Protocol):
    """A source of batches whose place can be saved; the order of an epoch is a function of (seed, epoch) alone."""

    epoch: int
    """Epochs completed so far."""
    batches_per_epoch: int | None
    """None for a source without epochs, such as a replay memory."""

    def __iter__(self) -> Iterator[Batch]:
        """Yield what is left of the current epoch; the place is advanced before each batch is handed out."""

    def begin(self, phase: Phase) -> None:
        """Hand out data of the sizes that a phase asks for from the next `iter` on; the place stays the same."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


# What tasks and inspection may ask of a rule or a network. Each is small; none names a class.


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
class Published(Protocol):
    """A network whose weights others publish under names of their own."""

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return, by the package that publishes them, what each of the network's layers is called there."""


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
class Colourist(Protocol):
    """A network that says the colours of pictures of which it sees the lightness."""

    def colours(self, lightness: Tensor) -> Tensor:
        """Return a and b of CIE Lab `(batch, 2, height, width)` for L `(batch, 1, height, width)`."""


@runtime_checkable
class Segmenter(Protocol):
    """A network that says of every pixel of images of any size what it belongs to."""

    @property
    def reach(self) -> int:
        """Pixels in each direction beyond which nothing matters to the answer for a pixel."""

    def at_every_pixel(self, images: Tensor) -> Tensor:
        """Return logits `(batch, classes, height, width)` of images `(batch, channels, height, width)`."""


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
class BinaryModel(Protocol):
    """A network that gives vectors of zeros and ones a probability, and a Markov chain that draws them."""

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

    def gibbs_step(self, visible: Tensor, generator: torch.Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Move every row of visible units, (rows, units), one step along the chain of p ~ exp(-E / temperature)."""

    def annealed_weights(
        self, base_bias: Tensor, *, chains: int = ..., generator: torch.Generator | None = None
    ) -> Tensor:
        """Return log weights (chains,) whose mean in the exponent is Z, from units of these log odds `(visible,)`."""


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
