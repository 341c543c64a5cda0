"""Drawn scenes of one or two things, and what a person would say of each: "a red circle left of a blue square"."""

from itertools import product

import numpy as np
from PIL import Image, ImageDraw

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field

Scene = tuple[np.ndarray, str]
"""A picture, bytes (side, side, 3), and its caption."""
SIDE, FINER = 48, 4
"""Pixels of a side, and how many times finer a scene is drawn before it is made smaller."""
COLOURS = {
    "red": (214, 48, 44),
    "green": (38, 150, 74),
    "blue": (40, 92, 204),
    "yellow": (244, 208, 44),
    "orange": (240, 136, 28),
    "purple": (136, 64, 172),
    "black": (34, 34, 40),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
RELATIONS = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1), "on": (0, 0)}
"""Where the smaller thing lies beside the larger one, across and down."""
SMALL, LARGE, BELOW = (5.5, 7.5), (9.5, 12.0), (14.0, 18.0)
"""Radii in pixels: of the smaller thing, of the larger one, and of one that another lies on."""
FARTHEST = 30.0
"""Pixels between the middles of two things at most."""
ASIDE = 0.35
"""By how much the second direction may differ from what the words say, as a share of the first."""
ALONE = 0.15
"""Share of scenes of one thing."""
TURNED = 0.2
"""By how much things stand askew at most, in radians."""
APART = (("red", "star"), ("green", "cross"), ("blue", "triangle"), ("yellow", "square"), ("purple", "circle"))
"""Things that only the test part of `unseen_pairs` shows."""
PAIRED, TESTED = 6000, 0.1
"""Scenes of `unseen_pairs`, and the share of them in that part."""


def scenes(random: np.random.Generator, count: int | None) -> Dataset:
    """Pictures of 48 x 48 pixels, colour, each with its caption: the smaller of two things is named first."""
    return Dataset(name="", fields=_fields([_scene(random) for _ in range(count or 10_000)]))


def unseen_pairs(random: np.random.Generator, count: int | None) -> Dataset:
    """Scenes with a test part that shows red stars, green crosses, blue triangles, yellow squares or purple circles.

    Training shows each colour and each shape, but never these pairs.
    """
    count = count or PAIRED
    tested = max(1, round(TESTED * count))
    known, new = list[Scene](), list[Scene]()
    while len(known) < count - tested or len(new) < tested:
        scene = _scene(random)
        (new if any(" ".join(pair) in scene[1] for pair in APART) else known).append(scene)
    return Dataset(name="", fields=_fields(known[: count - tested]), test_fields=_fields(new[:tested]))


def _fields(drawn: list[Scene]) -> dict[str, Field]:
    """Return scenes as fields of a data set."""
    pictures, captions = zip(*drawn, strict=True)
    return {
        "inputs": Field(kind="images", values=np.stack(pictures)),
        "captions": Field(kind="texts", values=list(captions), called="caption"),
    }


def _scene(random: np.random.Generator) -> Scene:
    """Return a picture, bytes (side, side, 3), and its caption."""
    paper = tuple(int(shade) for shade in random.integers(205, 256, 3))
    sheet = Image.new("RGB", (SIDE * FINER, SIDE * FINER), paper)
    things = [(colour, shape) for colour, shape in product(COLOURS, SHAPES)]
    if random.random() < ALONE:
        thing, radius = things[random.integers(len(things))], random.uniform(SMALL[0], LARGE[1])
        _draw(sheet, random, thing, radius, random.uniform(radius, SIDE - radius, 2))
        words = _called(thing)
    else:
        relation = list(RELATIONS)[random.integers(len(RELATIONS))]
        large, small = _two(random, things, relation)
        sizes = random.uniform(*(BELOW if relation == "on" else LARGE)), random.uniform(*SMALL)
        places = _places(random, RELATIONS[relation], *sizes)
        for thing, radius, place in zip((large, small), sizes, places, strict=True):
            _draw(sheet, random, thing, radius, place)
        words = f"{_called(small)} {relation} {_called(large)}"
    pixels = np.asarray(sheet.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=float)
    return np.rint((pixels + random.normal(0, 3, pixels.shape)).clip(0, 255)).astype(np.uint8), words


def _called(thing: tuple[str, str]) -> str:
    """Return what a thing is called.

    >>> _called(("orange", "star"))
    'an orange star'
    """
    return f"{'an' if thing[0][0] in 'aeiou' else 'a'} {' '.join(thing)}"


def _two(random: np.random.Generator, things: list[tuple[str, str]], relation: str) -> list[tuple[str, str]]:
    """Return two different things; one that lies on the other has another colour."""
    while True:
        first, second = (things[place] for place in random.choice(len(things), 2, replace=False))
        if relation != "on" or first[0] != second[0]:
            return [first, second]


def _places(
    random: np.random.Generator, direction: tuple[int, int], large: float, small: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres (across, down) of the larger and of the smaller thing, of these radii."""
    way = np.array(direction, float)
    if not way.any():
        centre = random.uniform(large, SIDE - large, 2)
        return centre, centre + random.uniform(-0.2, 0.2, 2) * large
    while True:
        distance = random.uniform(large + small + 1, FARTHEST)
        moved = distance * way + distance * random.uniform(-ASIDE, ASIDE) * way[::-1]
        centre = random.uniform(large, SIDE - large, 2)
        if ((centre + moved >= small) & (centre + moved <= SIDE - small)).all():
            return centre, centre + moved


def _draw(
    sheet: Image.Image, random: np.random.Generator, thing: tuple[str, str], radius: float, place: np.ndarray
) -> None:
    """Draw a thing of a colour and a shape around a place of the sheet."""
    colour, shape = thing
    shade = np.array(COLOURS[colour]) + random.normal(0, 8, 3)
    fill = tuple(int(value) for value in shade.clip(0, 255))
    drawing, centre, reach = ImageDraw.Draw(sheet), place * FINER, radius * FINER
    if shape == "circle":
        drawing.ellipse([*(centre - 0.9 * reach), *(centre + 0.9 * reach)], fill=fill)
        return
    turn = random.uniform(-TURNED, TURNED)
    corners = [centre + reach * length * np.array([np.sin(angle + turn), -np.cos(angle + turn)])
               for angle, length in _outline(shape)]  # fmt: skip
    drawing.polygon([tuple(corner) for corner in corners], fill=fill)


def _outline(shape: str) -> list[tuple[float, float]]:
    """Return the corners of a shape around the origin: angles from the top, clockwise, and distances."""
    if shape == "cross":
        arm, wide = 1.0, 0.3
        far, near = (np.hypot(arm, wide), np.arctan2(wide, arm)), np.hypot(wide, wide)
        one = [(-far[1], far[0]), (far[1], far[0]), (np.pi / 4, near)]
        return [(angle + quarter * np.pi / 2, length) for quarter in range(4) for angle, length in one]
    if shape == "star":
        return [(np.pi * point / 5, 1.1 if point % 2 == 0 else 0.45) for point in range(10)]
    sides, first = (4, np.pi / 4) if shape == "square" else (3, 0.0)
    return [(first + 2 * np.pi * corner / sides, 1.1) for corner in range(sides)]
