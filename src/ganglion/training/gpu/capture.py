"""Whole steps recorded once and played back, where a GPU would otherwise wait for its host.

Launching the hundreds of small kernels of a step takes a host longer than a GPU takes to compute them. CUDA can note
what is launched and launch it again as one graph: the same kernels on the same memory, and nothing of Python. So only a
step that does the same every time may be recorded, and all that is here is there to be sure of that.
"""

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as every_module
from torch.optim import Optimizer

from ganglion.core import Batch, LearningRule
from ganglion.training.gpu import is_asked_for
from ganglion.training.gpu.cuda_graphs import CudaGraphs, Recorder
from ganglion.training.machine.device import computing
from ganglion.training.machine.seeding import random_state, set_random_state
from ganglion.training.settings import TrainerSettings

Measured = dict[str, Tensor]
Kind = tuple[Any, ...]
"""What must be equal for one step to stand for another."""

REHEARSALS = 3
"""Steps of a kind that are made as ever and watched before one is recorded; libraries set themselves up in them."""
MOST_FORMS = 20
"""Forms of batches after which none is expected to come often enough."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
HOOKS_OF_ALL = tuple(getattr(every_module, f"_global{name}") for name in HOOKS)
hooks_of_module = attrgetter(*HOOKS)
hooks_of_optimizer = attrgetter("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")
hooks_of_value = attrgetter("_backward_hooks", "_post_accumulate_grad_hooks")
OF_EVERY_MODULE = frozenset(vars(nn.Module())) - {"training"}
"""Names that torch itself gives a module."""


@final
class Capture:
    """Makes the steps of a rule, and plays a recording in their place as soon as they have proved to be the same.

    The first steps are made as ever and watched: each may have changed nothing but tensors on the device, and no host
    may have waited for it. After `REHEARSALS` of them one is recorded, which leaves no trace, and played wherever all
    is as it was then: the form of the batch, the memory of the weights, modes and plain attributes of rule and layers,
    rates and counters. A batch of another form is learnt from as ever; after any other change all begins anew.

    Args:
        rule: whose steps are made. Its networks keep their layers.
        step: learns from a batch.
        recorder: notes work for the device.
        device: where the tensors are.
        tell: is told, once, why steps are not recorded.
        objection: why they cannot be, where that is known before the first.
    """

    def __init__(
        self,
        rule: LearningRule,
        step: Callable[[Batch], Measured],
        recorder: Recorder,
        device: torch.device,
        tell: Callable[[str], None],
        objection: str = "",
    ) -> None:
        self._rule, self._step, self._recorder, self._device, self._tell = rule, step, recorder, device, tell
        self._objection, self._told = objection, False
        self._unsteady = 0
        self.forget()

    def forget(self) -> None:
        """Drop the recording: the tensors that it works on may no longer be those of the rule."""
        self._recording: Recording | None = None
        self._standing: Kind = ()
        self._rehearsed: Counter[Kind] = Counter()
        networks = self._rule.networks.values()
        self._modules = [module for network in networks for module in network.modules()]
        self._values = [value for network in networks for value in (*network.parameters(), *network.buffers())]
        self._owners: list[LearningRule | nn.Module] = [self._rule, *self._modules]
        self._attributes = [(vars(owner), attributes(owner)) for owner in self._owners]

    def __call__(self, batch: Batch) -> Measured:
        """Learn from a batch and return its measurements, which are nobody else's memory."""
        if self._objection or self._is_watched():
            self._say(self._objection or "hooks look at its layers, weights or updates")
            return self._step(batch)
        standing, form = self._what_stands(), form_of(batch)
        if standing != self._standing:
            self.forget()
            self._standing = standing
        if self._recording is None and self._rehearsed[form] >= REHEARSALS:
            self._recording = self._record(batch, form)
        if self._recording and form == self._recording.form:
            return self._recording.play(self._rule, batch)
        return self._step(batch) if self._recording or self._objection else self._rehearse(batch, form)

    def _rehearse(self, batch: Batch, form: Kind) -> Measured:
        """Make a step as ever, and count it if nothing but tensors on the device had a part in it."""
        measured: Measured = {}
        before = self._traces()
        waited = self._recorder.rehearse(lambda: measured.update(self._step(batch)))
        reason = self._objection_to(before, self._traces(), measured, waited)
        if not reason:
            self._rehearsed[form] += 1
            self._object("its batches take too many forms" if len(self._rehearsed) > MOST_FORMS else "")
            return measured
        self._unsteady += 1  # tolerated at first: much is made or found out only when it is needed
        self._object(reason if self._unsteady >= REHEARSALS else "")
        return measured

    def _objection_to(self, before: dict[str, Any], after: dict[str, Any], measured: Measured, waited: str) -> str:
        """Return why a step that was watched is not one that could be played."""
        if waited:
            return f"the host waits for the device within a step ({waited})"
        changed = [name for name in {**before, **after} if name not in before or before[name] != after.get(name)]
        if changed:
            return f"a step changes {changed[0]}"
        optimizers = self._rule.optimizers.values()
        moments = [value for optimizer in optimizers for state in optimizer.state.values() for value in state.values()]
        tensors = [*measured.values(), *self._values, *self._rule.tensors.values()]
        tensors += [value for value in moments if isinstance(value, Tensor)]
        if not all(isinstance(value, Tensor) and value.device.type == self._device.type for value in tensors):
            return "not all that a step makes is a tensor on the device"
        return ""

    def _record(self, batch: Batch, form: Kind) -> "Recording | None":
        """Record a step; where that fails, leave everything as it was and object."""
        rule, measured = self._rule, Measured()
        # Without the device's own generator, which only moves on when a recording is played.
        drawn = random_state() | {"cuda": []}
        before, tensors, counters = self._traces(), rule.tensors, dict(rule.counters)
        try:
            inputs, carried = copied(batch), copied(tensors)

            def work() -> None:
                rule.tensors = dict(carried)
                measured.update(self._step(inputs))
                for name, value in carried.items():
                    if rule.tensors[name] is not value:
                        value.copy_(rule.tensors[name])

            with capturable(rule.optimizers.values()):
                start = self._recorder.record(work)
            if self._traces() == before:
                gradients = [(value, value.grad) for value in self._values if value.grad is not None]
                return Recording(form, inputs, carried, gradients, measured, start)
            self._object("a step did something else when it was recorded")
        except Exception as error:  # of any kind: the step can still be made as ever
            found = " ".join(str(error).split()) or type(error).__name__
            self._object(f"recording failed ({found}); should the run stop now, go on without GANGLION_CAPTURE=1")
        finally:
            rule.tensors = tensors
        for value in self._values:
            value.grad = None  # memory of a recording that was never played
        rule.counters.update(counters)
        set_random_state(drawn)
        return None

    def _object(self, reason: str) -> None:
        self._objection = self._objection or reason
        self._say(self._objection)

    def _say(self, reason: str) -> None:
        if reason and not self._told:
            self._told = True
            self._tell(f"steps are not recorded as a CUDA graph: {reason}")

    def _is_watched(self) -> bool:
        """Return whether somebody follows calls of layers or updates, or has put something in the place of a layer."""
        return (
            any(HOOKS_OF_ALL)
            or any(any(hooks_of_module(module)) or "forward" in vars(module) for module in self._modules)
            or any(any(hooks_of_optimizer(optimizer)) for optimizer in self._rule.optimizers.values())
            or any(any(hooks_of_value(value)) for value in self._values)
        )

    def _what_stands(self) -> Kind:
        """Return what a recording takes for granted."""
        rule = self._rule
        optimizers = rule.optimizers.values()
        return (
            form_of(rule.tensors),
            tuple(rule.counters.items()),
            tuple(map(Itself, rule.networks.values())),
            tuple((Itself(optimizer), Itself(optimizer.state)) for optimizer in optimizers),
            tuple(settings_of(group) for optimizer in optimizers for group in optimizer.param_groups),
            tuple(plain(own.get(name)) for own, names in self._attributes for name in names),
            tuple((value.data_ptr(), value.requires_grad) for value in self._values),
        )

    def _traces(self) -> dict[str, Any]:
        """Return what a step may leave behind on the host, none of which a recording would repeat."""
        traces: dict[str, Any] = {f"the counter {name}": count for name, count in self._rule.counters.items()}
        for number, owner in enumerate(self._owners):
            own = vars(owner)
            traces |= {f"{name} of {type(owner).__name__} ({number})": plain(own[name]) for name in attributes(owner)}
        legacy: Any = np.random.get_state(legacy=True)
        traces["Python's random numbers"] = random.getstate()
        traces["NumPy's random numbers"] = legacy[1].tobytes(), *legacy[2:]
        if self._device.type != "cpu":
            traces["the random numbers of the CPU"] = torch.get_rng_state().numpy().tobytes()
        return traces


@dataclass(frozen=True)
class Recording:
    """A step that can be played, and the memory it works on."""

    form: Kind
    inputs: Batch
    carried: Batch
    """The rule's own tensors, read and written whenever it is played."""
    gradients: list[tuple[Tensor, Tensor]]
    """Weights and where their gradients are written."""
    measured: Measured
    start: Callable[[], None]

    def play(self, rule: LearningRule, batch: Batch) -> Measured:
        """Make the step on a batch of the same form."""
        for name, value in self.inputs.items():
            value.copy_(batch[name], non_blocking=True)
        for name, value in self.carried.items():
            if rule.tensors[name] is not value:
                value.copy_(rule.tensors[name])
        rule.tensors.update(self.carried)
        if self.gradients and self.gradients[0][0].grad is not self.gradients[0][1]:  # a step was made in between
            for value, gradient in self.gradients:
                value.grad = gradient
        self.start()
        return {name: value.clone() for name, value in self.measured.items()}


@final
class Itself:
    """Something that equals itself alone, kept so that nothing else can come to have its identity."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.version = value._version if isinstance(value, Tensor) and value.device.type == "cpu" else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self.value is other.value and self.version == other.version

    def __hash__(self) -> int:
        return id(self.value)


def capture(
    rule: LearningRule, device: torch.device, settings: TrainerSettings, guarded: bool, tell: Callable[[str], None]
) -> Capture | None:
    """Return what makes the steps of a rule on a CUDA device, nothing elsewhere or unless that `is_asked_for`.

    Args:
        guarded: whether the device itself holds back what is not finite, and the host need not look.
        tell: is told, once, why steps are not recorded.
    """
    if device.type != "cuda" or not is_asked_for():
        return None

    def step(batch: Batch) -> Measured:
        with computing(settings.precision, device):
            return rule.step(batch)

    return Capture(rule, step, CudaGraphs(device), device, tell, objection(rule, settings, guarded))


def objection(rule: LearningRule, settings: TrainerSettings, guarded: bool) -> str:
    """Return why the steps of a run cannot be recorded, as far as that is known before the first."""
    if settings.non_finite != "stop":
        return f"--non-finite {settings.non_finite} looks at every step"
    if not guarded:
        names = ", ".join(sorted({type(optimizer).__name__ for optimizer in rule.optimizers.values()}))
        return f"no device can hold back the updates of {names}, so the host looks at every step"
    if settings.schedule not in ("constant", "step"):
        return f"the {settings.schedule} schedule changes the learning rate at every step"
    modules = [module for network in rule.networks.values() for module in network.modules()]
    if any(isinstance(module, nn.RNNBase) or hasattr(module, "scan") for module in modules):
        return "recurrent layers take as many steps as their input has"
    return ""


def form_of(tensors: Batch) -> Kind:
    """Return all about tensors but their numbers and their place.

    >>> form_of({"inputs": torch.zeros(2, 3)})
    (('inputs', torch.Size([2, 3]), (3, 1), torch.float32),)
    """
    return tuple((name, value.shape, value.stride(), value.dtype) for name, value in tensors.items())


def copied(tensors: Batch) -> Batch:
    """Return copies in memory that is laid out the same."""
    return {
        name: torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device=value.device).copy_(value)
        for name, value in tensors.items()
    }


def attributes(owner: LearningRule | nn.Module) -> list[str]:
    """Return the names of what a rule or a layer keeps beside its tensors, counters and layers."""
    others = OF_EVERY_MODULE if isinstance(owner, nn.Module) else ("counters", "tensors")
    return [name for name in vars(owner) if name not in others]


def plain(value: Any) -> Any:
    """Return what can be compared and says when a value has changed."""
    return value if value is None or isinstance(value, bool | int | float | str) else Itself(value)


def settings_of(group: dict[str, Any]) -> Kind:
    """Return the rates and switches of a group of parameters, and which these are."""
    parameters = tuple(parameter.data_ptr() for parameter in group["params"])
    return parameters, *(value for name, value in group.items() if name not in ("params", "param_names"))


@contextmanager
def capturable(optimizers: Collection[Optimizer]) -> Iterator[None]:
    """Tell optimizers that they are recorded, for so long: a checkpoint has nothing of it.

    What this switch of torch asks for, that all state is on the device, is so for fused updates with it and without.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups if "capturable" in group]
    before = [group["capturable"] for group in groups]
    try:
        for group in groups:
            group["capturable"] = True
        yield
    finally:
        for group, value in zip(groups, before, strict=True):
            group["capturable"] = value
