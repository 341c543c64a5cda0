"""What an agent looks at: moments of an episode that it plays, and what the value of its action hangs on there."""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures, inspect
from ganglion.data.environments.rendering import coloured
from ganglion.data.environments.vector import as_observations
from ganglion.nn.inputs import as_float
from ganglion.tasks.shared.acting import playing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_STEPS = 2000
"""Steps after which an episode is left."""


def action_names(environment: gymnasium.Env) -> list[str]:
    """Return what the actions of an environment are called; their numbers where it does not say."""
    if environment.has_wrapper_attr("get_action_meanings"):
        return [str(name).lower() for name in environment.get_wrapper_attr("get_action_meanings")()]
    return [f"action {number}" for number in range(int(environment.action_space.n))]  # type: ignore[attr-defined]


def looks(
    make: Callable[[], gymnasium.Env], network: nn.Module, channels: int, count: int, seed: int
) -> "tuple[Figure, list[dict[str, Any]]]":
    """Draw what the values of chosen actions hang on at moments of an episode, evenly spread, and return the numbers.

    Args:
        make: gives the environment.
        network: of observations (batch, channels, height, width), to the values of actions (batch, actions).
        channels: of an observation that show the present, the last ones.
        count: moments.
        seed: decides how the episode starts.
    """
    with closing(make()) as environment:
        seen, names = _episode(environment, network, seed), action_names(environment)
    steps = np.unique(np.linspace(0, len(seen) - 1, count + 2).round().astype(int)[1:-1]).tolist()
    pictures, captions, found = [], [], []
    for step in steps:
        one = inspect.saliency(network, as_float(seen[step : step + 1]).cpu(), fill=0.0)
        pictures.append(_picture(seen[step, -channels:]))
        captions.append(f"step {step}: {names[one.unit]}\nworth {one.output:.3g}")
        found.append({"step": step, "action": names[one.unit], **one.to_dict()})
    title = "What the value of the action that is taken hangs on"
    return figures.heat_over_moments(np.stack(pictures), captions, [_maps(one) for one in found], title), found


def _maps(one: dict[str, Any]) -> dict[str, np.ndarray]:
    names = {"gradient": "gradient", "grad_cam": f"Grad-CAM of {one['layer']}", "occlusion": "occlusion"}
    return {title: np.array(one[name]) for name, title in names.items()}


def _episode(environment: gymnasium.Env, network: nn.Module, seed: int) -> Tensor:
    """Return what is seen in an episode of greedy play, (steps, channels, height, width)."""
    seen = [as_observations([environment.reset(seed=seed)[0]], environment)]
    with playing(network) as act:
        for _ in range(MOST_STEPS):
            shown, _, terminated, truncated, _ = environment.step(int(act(seen[-1])[0]))
            if terminated or truncated:
                break
            seen.append(as_observations([shown], environment))
    return torch.cat(seen)


def _picture(present: Tensor) -> np.ndarray:
    """Return bytes (height, width, 3) of the channels that show the present."""
    if present.dtype == torch.bool:
        return coloured(present.numpy())
    return present.numpy().transpose(1, 2, 0).repeat(3 // len(present), axis=2)
