"""What to try next, as Optuna proposes it: each proposal is a function of the seed, its number and what was told."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganglion.errors import MissingExtraError
from ganglion.runs.tuning.dimensions import Axis

TRIES = 50
"""Proposals that were tried before, after which it is said that there are no others."""
STAGES = 1000
"""Parts of a run by which Optuna, which counts reports, is told when a trial was pruned."""
FEWEST_FOR_IMPORTANCE = 10


@dataclass(frozen=True, kw_only=True)
class Told:
    """A trial that was asked for: its point, and what came of it, nothing for one that is still trained."""

    point: Mapping[str, Any]
    value: float | None = None
    """Of one that was trained to its end."""
    is_over: bool = False
    reports: Sequence[tuple[float, float]] = ()
    """Shares of its run, and the best value until then."""


def optuna() -> Any:
    """Return the package that proposes; raise `MissingExtraError` where it is not installed."""
    try:
        import optuna as package
    except ImportError as error:
        raise MissingExtraError(
            "tuning needs the package optuna, which is not installed", remedy='pip install "ganglion[tune]"'
        ) from error
    return package


def propose(
    axes: Sequence[Axis], told: Sequence[Told], *, seed: int, higher_is_better: bool, by_chance: bool = False
) -> dict[str, Any] | None:
    """Return the next point, by the tree-structured Parzen estimator; None where all points have been tried.

    Trials that are still trained are taken to be bad, so that others are not looked for beside them.

    Args:
        told: all that was asked for before, in order.
        by_chance: draw points evenly instead, to compare with.

    Source: Bergstra et al., Algorithms for hyper-parameter optimization (2011).
    """
    package = optuna()
    known = {_key(axes, one.point) for one in told}
    if len(known) >= math.prod(axis.count for axis in axes):
        return None
    for attempt in range(TRIES):
        number = int(np.random.SeedSequence([seed, len(told), attempt]).generate_state(1)[0])
        samplers = package.samplers
        sampler = samplers.RandomSampler(seed=number) if by_chance else samplers.TPESampler(seed=number)
        with _quiet(package):
            study = _study(package, axes, told, higher_is_better, sampler)
            drawn = study.ask(_distributions(package, axes)).params
        point = {axis.name: axis.rounded(drawn[axis.name]) for axis in axes}
        if _key(axes, point) not in known:
            return point
    return None


def importance(axes: Sequence[Axis], told: Sequence[Told], higher_is_better: bool) -> dict[str, float]:
    """Return how much of the order of the trials each axis decides, in shares that add up to one, the largest first.

    Trials that were given up count by what they had reached. Nothing is said of few trials.

    Source: Hutter, Hoos, Leyton-Brown, An efficient approach for assessing hyperparameter importance (2014).
    """
    measured = [(one, value) for one in told if (value := _reached(one)) is not None]
    order = sorted({value for _, value in measured}, reverse=higher_is_better)
    if len(measured) < FEWEST_FOR_IMPORTANCE or len(order) < 2:
        return {}
    places = [replace(one, value=float(order.index(value)), reports=()) for one, value in measured]
    package = optuna()
    with _quiet(package):
        study = _study(package, axes, places, False, package.samplers.RandomSampler(seed=0))
        shares = package.importance.get_param_importances(
            study, evaluator=package.importance.FanovaImportanceEvaluator(seed=0)
        )
    return {name: float(share) for name, share in sorted(shares.items(), key=lambda item: -item[1])}


def _reached(one: Told) -> float | None:
    return one.value if one.value is not None or not one.reports else one.reports[-1][1]


def _study(package: Any, axes: Sequence[Axis], told: Sequence[Told], higher_is_better: bool, sampler: Any) -> Any:
    """Return a study in memory with all that was told."""
    study = package.create_study(direction="maximize" if higher_is_better else "minimize", sampler=sampler)
    distributions = _distributions(package, axes)
    for one in told:
        study.add_trial(_trial(package, one, distributions))
    return study


def _trial(package: Any, one: Told, distributions: dict[str, Any]) -> Any:
    """Return a trial as Optuna knows it. One that failed counts as pruned before its first report, which is worst."""
    states = package.trial.TrialState
    state = states.RUNNING if not one.is_over else states.PRUNED if one.value is None else states.COMPLETE
    return package.trial.create_trial(
        state=state,
        value=one.value,
        params=dict(one.point),
        distributions=distributions,
        intermediate_values={max(1, round(STAGES * share)): value for share, value in one.reports},
    )


def _distributions(package: Any, axes: Sequence[Axis]) -> dict[str, Any]:
    kinds = package.distributions
    made = {}
    for axis in axes:
        if axis.choices:
            made[axis.name] = kinds.CategoricalDistribution(axis.choices)
        elif axis.whole:
            made[axis.name] = kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.is_log)
        else:
            made[axis.name] = kinds.FloatDistribution(axis.low, axis.high, log=axis.is_log)
    return made


def _key(axes: Sequence[Axis], point: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(point[axis.name] for axis in axes)


@contextmanager
def _quiet(package: Any) -> Iterator[None]:
    """Keep Optuna from writing on the screen, and leave its settings as they were."""
    before = package.logging.get_verbosity()
    package.logging.set_verbosity(package.logging.ERROR)
    try:
        yield
    finally:
        package.logging.set_verbosity(before)
