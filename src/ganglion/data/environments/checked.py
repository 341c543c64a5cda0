"""Steps of an environment, checked: one that breaks the rules of Gymnasium is found out at the step that does it."""

import math
from typing import Any

import gymnasium
import numpy as np

from ganglion.errors import DataError

OLD = "environments of gym before 0.26 return four values from step and no dict from reset; port it to Gymnasium"


def name_of(environment: gymnasium.Env) -> str:
    return environment.spec.id if environment.spec else type(environment.unwrapped).__name__


def started(environment: gymnasium.Env, seed: int) -> Any:
    """Start an episode and return its first observation. Raises `DataError` where that is none."""
    try:
        observation, _ = environment.reset(seed=seed)
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        raise _broken(environment, "reset", "an observation and a dict", error) from error
    return _fitting(environment, observation)


def stepped(environment: gymnasium.Env, action: int) -> tuple[Any, float, bool, bool, bool]:
    """Act, and return observation, reward, terminated, truncated and whether a life was lost of several.

    Raises `DataError` where they are not that.
    """
    try:
        observation, reward, terminated, truncated, info = environment.step(action)
        value, lost = float(reward), bool(info.get("life_lost", False))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        raise _broken(environment, "step", "an observation, a reward, two truth values and a dict", error) from error
    if not math.isfinite(value):
        raise DataError(
            f"a reward of {name_of(environment)} is no finite number",
            expected="a number",
            found=str(reward),
            remedy="mend the environment: nothing can be learnt from it",
        )
    return _fitting(environment, observation), value, bool(terminated), bool(truncated), lost


def _fitting(environment: gymnasium.Env, observation: Any) -> Any:
    space: Any = environment.observation_space
    shown = np.asarray(observation)
    fits = shown.shape == space.shape and shown.dtype.kind in "iufb"
    if not fits or (shown.dtype.kind == "f" and not np.isfinite(shown).all()):
        raise DataError(
            f"an observation of {name_of(environment)} " + ("is no finite number" if fits else "is not in its space"),
            expected=f"{space.dtype} of shape {space.shape}",
            found=f"{shown!r:.200}" if fits else f"{shown.dtype} of shape {shown.shape}",
            remedy="mend the environment, or its observation_space",
        )
    return observation


def _broken(environment: gymnasium.Env, method: str, expected: str, error: Exception) -> DataError:
    return DataError(
        f"the environment {name_of(environment)} does not keep to the rules of Gymnasium",
        where=f"{method}()",
        expected=expected,
        found=f"{type(error).__name__}: {error}",
        remedy=OLD,
    )
