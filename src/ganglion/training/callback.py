"""What may be hooked into training, and what it sees there."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from ganglion.core import LearningRule, Loader, Measure
from ganglion.errors import UsageError
from ganglion.findings import Finding
from ganglion.training.best import Best
from ganglion.training.phases import Phases
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.timetable import Timetable


class Training(Protocol):
    """What a callback sees of the trainer."""

    rule: LearningRule
    loader: Loader
    settings: TrainerSettings
    run: RunFolder | None
    measure: Measure
    """What decides which weights are best."""
    best: Best
    phases: Phases
    timetable: Timetable
    iteration: int
    """Batches so far, those that were passed over included."""
    row: dict[str, Any]
    """The last report, a line of the metric log."""

    @property
    def epoch(self) -> float: ...

    @property
    def samples(self) -> int: ...

    @property
    def seconds(self) -> float: ...

    @property
    def total_steps(self) -> int | None: ...

    @property
    def finished(self) -> bool: ...

    def report(self, finding: Finding) -> None:
        """Keep what was found out with the run; of what is known already, `value` and the rest are brought up to date.

        Findings are told apart by `name` and `where`. To be the same in a run that was killed and resumed, one may
        depend on what a callback sees and keeps in its state, not on the time or on other hooks than `on_start`,
        `on_step`, `on_report` and `on_end`.
        """

    def undisturbed(self) -> AbstractContextManager[None]:
        """Put the weights that are judged in their place, and keep random numbers as they are, for so long."""


class Callback:
    """What may be hooked into training; every hook does nothing by default.

    A callback that remembers something has a `name` and gives what it remembers as a state, which is saved in
    every checkpoint: a run that is resumed with the same callbacks goes on as if it had never been stopped.
    """

    name: ClassVar[str] = ""
    """Under which the state is saved; empty where there is none."""

    def on_start(self, trainer: Training) -> None: ...

    def on_step(self, trainer: Training) -> None: ...

    def on_report(self, trainer: Training) -> None: ...

    def on_checkpoint(self, trainer: Training) -> None: ...

    def on_end(self, trainer: Training) -> None: ...

    def on_note(self, trainer: Training, text: str) -> None:
        """Hear what the trainer has to say beside its numbers."""

    def on_finding(self, trainer: Training, finding: Finding) -> None:
        """Hear what was found out about the run: once, and again where it has become worse."""

    def state_dict(self) -> dict[str, Any]:
        """Return what is remembered: tensors, numbers, text, and lists and dicts of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; comes before `on_start`."""


def states_of(callbacks: Sequence[Callback]) -> dict[str, Any]:
    """Return what callbacks remember, by their names. Raises `UsageError` where two have the same."""
    named = [callback for callback in callbacks if callback.name]
    states = {callback.name: callback.state_dict() for callback in named}
    if len(states) < len(named):
        raise UsageError("two callbacks that remember something have the same name", found=", ".join(states))
    return states


def give_back(callbacks: Sequence[Callback], states: dict[str, Any]) -> list[str]:
    """Give callbacks what they remembered, and return a sentence for each that is new or gone."""
    named = {callback.name: callback for callback in callbacks if callback.name}
    for name in named.keys() & states.keys():
        named[name].load_state_dict(states[name])
    new = [
        f"the callback {name} begins now: the checkpoint knows nothing of it" for name in named if name not in states
    ]
    return new + [f"the callback {name} was part of the run, and is no more" for name in states if name not in named]
