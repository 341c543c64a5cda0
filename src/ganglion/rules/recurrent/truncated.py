"""Truncated back-propagation through time: the state is carried from batch to batch, the gradient is not."""

from collections.abc import Iterable, Mapping
from typing import final

from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Reader
from ganglion.errors import ConfigurationError
from ganglion.nn.recurrent import States, detached
from ganglion.rules.descend import Descent, descend
from ganglion.rules.losses import Loss, find_loss
from ganglion.rules.slices import rows_of_batch


@final
class TruncatedBackpropagation(LearningRule):
    """Descend the gradient of L over the window at hand, starting from the state that the window before left.

    The state after a window is kept in `tensors`, with the rows first and without its history, and so is part of a
    checkpoint. It is zero for rows whose `batch["starts"]` is 1.

    Args:
        network: a `Reader`, from `batch["inputs"]` to outputs for every step.
        descent: how the gradient becomes an update.
        loss: L, of outputs `(steps, ...)` and targets `(steps, ...)` of all rows together.
        measures: further functions of outputs and targets to report beside the loss, by name.

    Source: Williams and Peng, An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories (1990).
    """

    def __init__(
        self,
        network: nn.Module,
        descent: Descent,
        *,
        loss: str | Loss = "cross-entropy",
        measures: Mapping[str, Loss] | None = None,
    ) -> None:
        if not isinstance(network, Reader):
            raise ConfigurationError(
                "this network cannot read on from a state",
                found=type(network).__name__,
                expected="a network with a method `read`",
            )
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.reader = network
        self.descent = descent
        self.loss = find_loss(loss)
        self.measures = dict(measures or {})

    def step(self, batch: Batch) -> dict[str, Tensor]:
        kept = self._kept(batch)
        after: list[States] = []

        def objective(part: Batch) -> dict[str, Tensor]:
            outputs, states = self.reader.read(part["inputs"], _by_cell(part, kept) or None)
            after.append(detached(states))
            return self.judge(outputs, part["targets"])

        measured = descend(self.optimizers["network"], {**batch, **kept}, objective, self.descent)
        rows = len(batch["inputs"])  # the last ones, where an optimizer looks at a batch several times
        self.tensors = {
            f"cell {cell:02} part {number}": rows_of_batch([states[cell][number] for states in after])[-rows:].float()
            for cell, state in enumerate(after[0])
            for number in range(len(state))
        }
        return measured

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the loss and the measures of outputs (batch, time, ...) that are already there."""
        outputs, targets = outputs.flatten(0, 1), targets.flatten(0, 1)
        return {
            "loss": self.loss(outputs, targets),
            **{name: measure(outputs, targets) for name, measure in self.measures.items()},
        }

    def _kept(self, batch: Batch) -> dict[str, Tensor]:
        """Return the state that the batch before left, zero for rows that begin anew, with the rows first."""
        begins = batch["starts"][:, None] > 0
        return {name: state.to(begins.device).masked_fill(begins, 0.0) for name, state in sorted(self.tensors.items())}


def _by_cell(batch: Batch, names: Iterable[str]) -> States:
    """Return the named tensors of a batch, those of each cell together."""
    cells: dict[str, list[Tensor]] = {}
    for name in names:
        cells.setdefault(name.partition(" part ")[0], []).append(batch[name])
    return tuple(map(tuple, cells.values()))
