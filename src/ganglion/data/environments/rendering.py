"""Pictures of an environment: drawn here for classic control, which Gymnasium can only draw with pygame."""

import math
from collections.abc import Callable

import gymnasium
import numpy as np
from PIL import Image, ImageColor, ImageDraw

from ganglion.data.environments.checked import name_of
from ganglion.data.environments.vector import Act, as_observations
from ganglion.errors import ConfigurationError, MissingExtraError

WIDTH, HEIGHT = 240, 160
SMOOTHING = 3
"""Pictures are drawn this many times larger and reduced, which smooths their edges."""
PAPER, INK, ACCENT, FAINT = "#ffffff", "#222222", "#c8783c", "#b8b8b8"

THINGS = ("#222222", "#c8783c", "#e8c8ac", "#4878a8", "#6a9a58", "#8a6aa8", "#b84848", "#c8a838", "#58a8a0", "#888888")
"""Colours of the things that maps show."""
CELL, GRID = 20, 232
"""Pixels of a place of a map, and how bright the lines between places are."""

Point = tuple[float, float]
MakeShown = Callable[[str | None], gymnasium.Env]
"""Makes an environment for a render mode, or None."""


class _Canvas:
    """A white picture in whose coordinates (0, 0) is the lower left corner and (1, 1) the upper right."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH * SMOOTHING, HEIGHT * SMOOTHING), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def _place(self, point: Point) -> Point:
        return point[0] * self.image.width, (1 - point[1]) * self.image.height

    def line(self, points: list[Point], colour: str, width: float) -> None:
        placed = [self._place(point) for point in points]
        self.draw.line(placed, fill=colour, width=round(width * SMOOTHING), joint="curve")

    def disc(self, centre: Point, radius: float, colour: str) -> None:
        self.draw.circle(self._place(centre), radius * SMOOTHING, fill=colour)

    def block(self, centre: Point, width: float, height: float, colour: str) -> None:
        (x, y), w, h = self._place(centre), width * SMOOTHING / 2, height * SMOOTHING / 2
        self.draw.rectangle((x - w, y - h, x + w, y + h), fill=colour)

    def pixels(self) -> np.ndarray:
        return np.asarray(self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def draw_cart_pole(observation: np.ndarray) -> np.ndarray:
    """Draw a cart on its track with the pole on top, from (position, speed, angle, angular speed)."""
    canvas, (position, _, angle, _) = _Canvas(), observation
    x, y = 0.5 + position / 4.8, 0.3
    aspect = HEIGHT / WIDTH
    canvas.line([(0, y), (1, y)], FAINT, 1.5)
    canvas.block((x, y), 34, 18, INK)
    foot, length = (x, y + 0.05), 0.55
    canvas.line([foot, (x + length * aspect * math.sin(angle), foot[1] + length * math.cos(angle))], ACCENT, 6)
    canvas.disc(foot, 3, FAINT)
    return canvas.pixels()


def draw_mountain_car(observation: np.ndarray) -> np.ndarray:
    """Draw a car in its valley with the goal on the right, from (position, speed)."""

    def place(position: float) -> Point:
        return (position + 1.2) / 1.8, 0.2 + 0.3 * (1 + math.sin(3 * position))

    canvas = _Canvas()
    canvas.line([place(x) for x in np.linspace(-1.2, 0.6, 80)], FAINT, 2)
    goal = place(0.5)
    canvas.line([goal, (goal[0], goal[1] + 0.12)], INK, 1.5)
    canvas.block((goal[0] + 0.02, goal[1] + 0.1), 10, 6, ACCENT)
    x, y = place(float(observation[0]))
    canvas.disc((x, y + 0.035), 6, INK)
    return canvas.pixels()


def draw_acrobot(observation: np.ndarray) -> np.ndarray:
    """Draw two hanging links and the height to reach, from the cosines and sines of both angles, (6,)."""
    first = math.atan2(observation[1], observation[0])
    second = first + math.atan2(observation[3], observation[2])
    canvas, length, aspect = _Canvas(), 0.2, HEIGHT / WIDTH
    foot = (0.5, 0.5)
    middle = foot[0] + length * aspect * math.sin(first), foot[1] - length * math.cos(first)
    tip = middle[0] + length * aspect * math.sin(second), middle[1] - length * math.cos(second)
    canvas.line([(0, foot[1] + length), (1, foot[1] + length)], FAINT, 1.5)
    canvas.line([foot, middle], INK, 6)
    canvas.line([middle, tip], ACCENT, 6)
    for joint in (foot, middle):
        canvas.disc(joint, 4, FAINT)
    return canvas.pixels()


def coloured(maps: np.ndarray) -> np.ndarray:
    """Return a pixel (height, width, 3) for each place of maps (kinds of things, height, width), in its thing's colour.

    Of two things in one place the later kind is shown.
    """
    colours = np.array([ImageColor.getrgb(colour) for colour in (PAPER, *THINGS)], np.uint8)
    kinds = (maps * (1 + np.arange(len(maps)) % len(THINGS))[:, None, None]).max(0)
    return colours[kinds]


def draw_maps(maps: np.ndarray) -> np.ndarray:
    """Draw where things are, from maps (kinds of things, height, width), each place as a square."""
    picture = coloured(maps).repeat(CELL, axis=0).repeat(CELL, axis=1)
    picture[::CELL], picture[:, ::CELL] = GRID, GRID
    return picture


DRAWINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "CartPole": draw_cart_pole,
    "MountainCar": draw_mountain_car,
    "Acrobot": draw_acrobot,
    "MinAtar": draw_maps,
}
"""By the name of an environment, or that of the package that its name begins with."""


def record_episode(make: MakeShown, act: Act, seed: int, limit: int = 2000) -> tuple[np.ndarray, int]:
    """Play one episode and return its pictures `(time, height, width, 3)` and how many a second are natural.

    Raises `ConfigurationError` or `MissingExtraError` where the environment cannot be drawn.

    Args:
        make: gives the environment, ready for a render mode.
        act: the policy.
        seed: decides how the episode starts.
        limit: steps after which it is left.
    """
    environment = make(None)
    drawing = _drawing(environment)
    if not drawing:
        if "rgb_array" not in environment.metadata.get("render_modes", ()):
            raise ConfigurationError(
                f"{name_of(environment)} cannot be drawn", expected="an environment with render mode rgb_array"
            )
        environment.close()
        environment = make("rgb_array")
    draw = drawing or (lambda _: _rendered(environment))
    try:
        observation, _ = environment.reset(seed=seed)
        pictures = [draw(observation)]
        for _ in range(limit):
            action = int(act(as_observations([observation], environment))[0])
            observation, _, terminated, truncated, _ = environment.step(action)
            pictures.append(draw(observation))
            if terminated or truncated:
                break
    finally:
        environment.close()
    return np.stack(pictures), int(environment.metadata.get("render_fps") or 30)


def _drawing(environment: gymnasium.Env) -> Callable[[np.ndarray], np.ndarray] | None:
    spec = environment.spec
    return DRAWINGS.get(spec.namespace or spec.name) if spec else None


def _rendered(environment: gymnasium.Env) -> np.ndarray:
    try:
        picture = environment.render()
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise MissingExtraError(
            f"{name_of(environment)} cannot be drawn: a package is missing",
            found=str(error),
            remedy="install that package",
        ) from error
    return np.asarray(picture)
