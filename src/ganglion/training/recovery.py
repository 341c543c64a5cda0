"""What can go wrong in a step, numbers that are not finite and memory that runs out, and what is done about it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, final

import torch
from torch import Tensor

from ganglion.core import Batch, LearningRule
from ganglion.errors import CollapseError, NonFiniteError, ResourceError
from ganglion.findings import Finding
from ganglion.training.settings import NonFinite, OnCollapse

MOST_SKIPS = 20
"""Batches in a row that may be passed over before it is no longer the data that is at fault."""
MOST_ROLL_BACKS = 5


@final
class Recovery:
    """What is done when a loss or gradient is not finite, and which batches were lost to it.

    Under `stop` the error goes to whoever trains, under `skip` the batch is passed over, and under `roll-back` one goes
    back to a checkpoint, passes over the batch and halves the learning rate. Going back and leaving out data is how
    PaLM was trained through its spikes (Chowdhery et al. 2022), a lower rate how OPT was (Zhang et al. 2022).
    """

    def __init__(self, policy: NonFinite) -> None:
        self.policy = policy
        self.passed_over: list[int] = []
        """Batches, by their numbers in the run counted from 1, that were not learnt from."""
        self.roll_backs = 0
        self.latest = ""
        """What the log says of the last batch that was lost."""

    def learn(
        self, step: Callable[[Batch], dict[str, Tensor]], rule: LearningRule, batch: Batch, number: int
    ) -> dict[str, Tensor]:
        """Make a step of the rule on batch `number` and return its measurements, nothing where it was passed over.

        Raises `NonFiniteError` with step and samples where the policy knows no way out, and `ResourceError` when
        memory runs out.
        """
        if number in self.passed_over:
            return {}
        skipping = self.policy == "skip"
        try:
            with (
                memory_watched(f"at step {number}", batch),
                undone_if_not_finite(rule, batch) if skipping else nullcontext(),
            ):
                return step(batch)
        except NonFiniteError as error:
            before = range(number - MOST_SKIPS, number)
            if not skipping or set(before) <= set(self.passed_over):
                raise located(error, number, batch) from error
            self.passed_over.append(number)
            return {}

    def after_roll_back(
        self, error: NonFiniteError | CollapseError, number: int, on_collapse: OnCollapse = "warn"
    ) -> "Recovery":
        """Return what is known after going back once more, because of batch `number`, or of many before a collapse.

        Raises the error where that was not asked for, or was done often enough.
        """
        collapsed = isinstance(error, CollapseError)
        policy = on_collapse if collapsed else self.policy
        if policy != "roll-back" or self.roll_backs >= MOST_ROLL_BACKS:
            raise error
        later = Recovery(self.policy)
        later.passed_over = self.passed_over if collapsed else [*self.passed_over, number]
        later.latest = "" if collapsed else f", batch {number} passed over"
        later.roll_backs = self.roll_backs + 1
        return later

    def finding(self) -> Finding:
        """Return what was lost, once anything was."""
        lower = f", and the learning rate divided by {2**self.roll_backs}" if self.roll_backs else ""
        return Finding(
            name="passed-over",
            level="warn",
            message=f"batches were passed over whose loss or gradient was not finite{lower}",
            measure="batches",
            value=len(self.passed_over),
            threshold=1,
            since=self.passed_over[0],
            remedy="a lower --learning-rate or --clip-norm 1; `ganglion data check` finds values that are not finite",
        )

    def state_dict(self) -> dict[str, Any]:
        return {"passed_over": self.passed_over, "roll_backs": self.roll_backs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.passed_over, self.roll_backs = list(state["passed_over"]), state["roll_backs"]


def first_non_finite(state: Any, path: str = "") -> str:
    """Return where in nested dicts the first tensor with NaN or Inf is, nothing when there is none.

    >>> first_non_finite({"weight": torch.ones(2), "bias": torch.tensor([0.0, float("nan")])})
    'bias'
    """
    if isinstance(state, Tensor):
        return "" if not state.is_floating_point() or bool(torch.isfinite(state).all()) else path
    items = state.items() if isinstance(state, dict) else ()
    found = (first_non_finite(value, f"{path}.{key}" if path else str(key)) for key, value in items)
    return next((place for place in found if place), "")


def check_finite(state: dict[str, Any], step: int) -> None:
    """Raise `NonFiniteError` rather than let weights that are no numbers be saved over good ones."""
    if place := first_non_finite(state):
        raise NonFiniteError(
            f"the weights after step {step} are not finite; no checkpoint was made of them",
            where=place,
            remedy="lower the learning rate or set clip_norm, then `ganglion resume` from the checkpoint before",
        )


@contextmanager
def undone_if_not_finite(rule: LearningRule, batch: Batch) -> Iterator[None]:
    """Leave running statistics, tensors and counters of a rule as they were if the batch or a gradient is not finite.

    Weights need no undoing, as such a gradient is never applied. Of a rule of several updates a step, those that came
    before it stay.
    """
    if name := first_non_finite(batch):
        raise NonFiniteError(
            "the batch has values that are not finite", where=name, remedy="`ganglion data check` finds them"
        )
    buffers = [buffer for network in rule.networks.values() for buffer in network.buffers()]
    kept = [buffer.clone() for buffer in buffers]
    counters, tensors = dict(rule.counters), {name: tensor.clone() for name, tensor in rule.tensors.items()}
    try:
        yield
    except NonFiniteError:
        for buffer, value in zip(buffers, kept, strict=True):
            buffer.copy_(value)
        rule.counters.update(counters)
        rule.tensors.update(tensors)
        raise


def located(error: NonFiniteError, step: int, batch: Batch) -> NonFiniteError:
    """Return the error with the step and the first samples of the batch in it."""
    samples = batch["index"][:8].tolist() if "index" in batch else []
    names = f"batch of samples {samples} ..." if samples else ""
    return NonFiniteError(
        f"{error.what} at step {step}; the update was not applied",
        where="; ".join(part for part in (error.where, names) if part),
        found=error.found,
        remedy=error.remedy,
    )


@contextmanager
def memory_watched(doing: str, batch: Batch | None = None) -> Iterator[None]:
    """Say how much memory was in use, and what needs less, when it runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_shortage(error):
            raise
        size = f"batch of {len(next(iter(batch.values())))} samples, " if batch else ""
        detail = str(error).partition("\n")[0]
        raise ResourceError(
            f"memory ran out {doing}",
            found=f"{size}at most {_peak() / 2**20:,.0f} MiB in use; {detail or 'no more to be had'}",
            remedy="a smaller batch_size, or accumulate, which makes the same update from smaller pieces; "
            "then `ganglion resume` or start again",
        ) from error


def _is_shortage(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _peak() -> int:
    """Return the most bytes that were in use at once, on the GPU where there is one."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
