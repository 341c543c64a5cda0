"""What the trainer can be told; no torch here, so that the command line can show it at once."""

from typing import Annotated, Literal

from ganglion.errors import ConfigurationError
from ganglion.settings import Search, above, at_least, at_most, between, settings, strictly_between

MOST_THREADS = 1024
"""More would only be refused by the system, in the middle of something and without a word."""

Precision = Literal["fp32", "bf16", "auto"]
NonFinite = Literal["stop", "skip", "roll-back"]
OnCollapse = Literal["warn", "stop", "roll-back"]
Statistics = Literal["synchronised", "per-process"]


@settings
class TrainerSettings:
    """How long and how to train, whatever the learning rule."""

    epochs: Annotated[Annotated[int, at_least(1)] | None, Search(around=2, usual=True)] = None
    """Passes over the training part; the system's own number when neither epochs nor steps is given."""
    steps: Annotated[int, at_least(1)] | None = None
    """Iterations to train for, instead of epochs."""
    minutes: Annotated[float, above(0)] | None = None
    """Minutes to train for, instead of epochs, evaluations, checkpoints and the report included. The first steps of
    each phase are timed, and the number of steps that fits is kept, so that a run that is resumed ends at the same
    step. Until then the learning rate stays where its schedule starts."""
    seed: int = 0
    """Decides initial weights, order of the data, splits and noise."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    threads: Annotated[int, at_least(1), at_most(MOST_THREADS)] | None = None
    """CPU threads; bits are only reproduced at the same number."""
    precision: Precision = "fp32"
    """Number format of the forward pass; weights and updates stay fp32. auto is bf16 where the processor has units for
    it and the system is known to score as well with it."""
    deterministic: bool = True
    """Use only algorithms that give the same bits every time."""
    schedule: Literal["constant", "linear", "cosine", "exponential", "step", "inverse-sqrt"] = "constant"
    """How the learning rate falls over the run."""
    schedule_floor: Annotated[float, between(0, 1)] = 0.0
    """Share of the learning rate left at the end of linear, cosine and exponential schedules."""
    schedule_every: Annotated[int, at_least(1)] = 1000
    """Steps between two divisions by ten of the step schedule."""
    warmup_steps: Annotated[int, at_least(0), Search(low=0, high=500)] = 0
    """Iterations over which the learning rate rises from zero."""
    ema_decay: Annotated[Annotated[float, strictly_between(0, 1)] | None, Search(low=0.9, high=0.999)] = None
    """Also keep an exponential moving average of the weights with this decay, and judge and save that."""
    evaluate_every: Annotated[int, at_least(1)] | None = None
    """Iterations between evaluations on the validation part; once an epoch when not given."""
    report_every: Annotated[int, at_least(1)] | None = None
    """Iterations between lines of the metric log; once an epoch when not given."""
    checkpoint_every: Annotated[int, at_least(1)] | None = None
    """Iterations between checkpoints; once an epoch when not given, if that takes at most a tenth of the time."""
    sample_every: Annotated[int, at_least(1)] | Literal["auto", "off"] = "auto"
    """Iterations between two sheets of what networks that draw make of the same draws; auto is about 20 in a run. They
    become a film."""
    keep: Annotated[int, at_least(2)] = 2
    """Newest checkpoints kept beside the best one; at least two, so that a damaged one has a predecessor."""
    monitor: str | None = None
    """Measure that decides which weights are best; the first of the task's when not given."""
    patience: Annotated[int, at_least(1)] | None = None
    """Evaluations without improvement after which training stops early, or goes on to the next phase."""
    start_from: str | None = None
    """Weights to start from: a .safetensors file, or the folder of a run, whose best ones are taken."""
    adapt_channels: bool = False
    """Let the first convolution of those weights take another number of channels."""
    freeze: tuple[str, ...] = ()
    """Parts of the networks that stay as they start, statistics too, by the beginnings of their names: layers.0."""
    adversarial_epsilon: Annotated[float, between(0, 1)] = 0.0
    """Learn from images changed by at most this share of the way from black to white, so that the loss grows most."""
    adversarial_steps: Annotated[int, at_least(1)] = 5
    """Steps in which such a change is found; 1 is the fast gradient method, more are projected gradient descent."""
    mixup: Annotated[float, at_least(0), Search(low=0.0, high=0.4)] = 0.0
    """Learn from pairs of samples, mixed in shares that follow Beta(mixup, mixup): 0.2 is usual, 0 mixes none."""
    non_finite: NonFinite = "stop"
    """When a loss or gradient is not finite: stop; pass over the batch; or go back to the newest checkpoint, pass over
    the batch and halve the learning rate."""

    on_collapse: OnCollapse = "warn"
    """When a generator draws nearly the same again and again: say so; stop; or go back to the newest checkpoint and
    halve the learning rate."""
    batch_statistics: Statistics = "synchronised"
    """What layers that look at a whole batch see where several processes share it: all of it, or their own slice."""
    shard: bool = False
    """Spread weights, gradients and moments over the processes, for a network that does not fit into one of them."""
    exact_world: Annotated[int, at_least(1)] | None = None
    """Cut each batch into so many slices, and add up what they give in one order: then the bits are the same for every
    number of processes that divides it, on one thread each."""

    @property
    def goes_back(self) -> bool:
        """Whether training may return to its newest checkpoint."""
        return "roll-back" in (self.non_finite, self.on_collapse)

    def __post_init__(self) -> None:
        lengths = {name: getattr(self, name) for name in ("epochs", "steps", "minutes")}
        given = [f"{name} {value:g}" for name, value in lengths.items() if value is not None]
        if len(given) > 1:
            raise ConfigurationError(
                "a run has one length", expected="epochs, steps or minutes", found=", ".join(given), remedy="give one"
            )
