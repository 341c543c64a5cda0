"""Driving: a network says from a picture of the road where to steer, and is judged by how far it gets."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Measure, Steers
from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.roads.camera import Stretch
from ganglion.data.roads.driving import (
    PICTURES_A_SECOND,
    Drive,
    Look,
    Steer,
    by_sight_of_the_road,
    drive,
    roads_to_drive,
    seen_in_colour,
)
from ganglion.data.roads.roads import Roads, Surface
from ganglion.data.settings import DataSettings
from ganglion.data.sources.road_scenes import SURFACES
from ganglion.errors import CheckpointError, ConfigurationError, DataError, UsageError
from ganglion.rules.losses import LOSS
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Film, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import asked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JUDGED_ROADS, JUDGED_SEED = 12, 20_001
"""Roads that are driven to judge a network, and what they are drawn by."""
FILMED_METRES = 150
"""Metres of the film in a report."""
BEYOND = 1.1
"""Direction of the last output, where the largest of the training part is 1."""
HILL, DIRECT, DRIVER = "the network", "direct regression", "somebody who sees the road"

ERROR = Measure(
    name="error",
    higher_is_better=False,
    meaning="Mean absolute error of the direction, in the data's own units: degrees, of drawn roads.",
)
METRES = Measure(
    name="metres",
    higher_is_better=True,
    meaning=f"Mean over {JUDGED_ROADS} unseen roads of the metres driven before the car left it, `judged_metres` at "
    "most; measured at the end of training, of drawn roads.",
)
OFFSET = Measure(
    name="offset", higher_is_better=False, meaning="Root of the mean squared distance from the road's middle, metres."
)
DIRECT_ERROR = Measure(name="direct_error", higher_is_better=False, meaning="`error` of direct regression.")
DIRECT_METRES = Measure(name="direct_metres", higher_is_better=True, meaning="`metres` of direct regression.")


@settings
class Predict:
    """Say where to steer, of pictures of a road."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""


@settings
class Play:
    """Drive along roads that nobody has learnt from, beside direct regression, if that learnt, and a good driver."""

    roads: Annotated[int, at_least(1)] = 8
    """Roads to drive along."""
    metres: Annotated[int, at_least(20)] = 400
    """How long each is."""
    seed: int = 0
    """Decides how they go and look."""
    gusts: Annotated[float, at_least(0)] = 0.0
    """Deviation in degrees of gusts of wind that turn the car, one in forty metres."""
    animation: Path | None = None
    """Film of the drive along the first one to write: GIF, WebP or MP4."""


@final
@dataclass(frozen=True)
class Drives:
    """Drives of several drivers along the same roads."""

    roads: Roads
    by_driver: dict[str, Drive]


@final
class Driving(Task):
    """Pictures of roads with the direction to steer, judged by the error of the direction and by driving.

    Drawn roads are driven along at the end of training, each by what the network says to what is seen at each metre.
    """

    name = "driving"
    reads = ("image",)
    takes = "pictures of roads, with one number each: the direction to steer"
    fields: ClassVar = {"inputs": ("images",), "targets": ("values",)}
    measures = (ERROR, METRES, OFFSET, DIRECT_ERROR, DIRECT_METRES, LOSS)
    captions: ClassVar = {
        "drives": "Roads that nobody learnt from, and how far each driver got on them",
        "hidden_units": "Weights of each hidden unit: from the retina, and above to the directions from left to right",
        "predictions": "Directions of the test pictures, as they are and as the network says",
        "drive": "A drive: the road, what the network sees, what its outputs say, and the way so far",
    }
    verbs: ClassVar = {"predict": Predict, "play": Play, "features": Features}
    joined = frozenset({"predict"})
    remembers = ("surface",)
    next_step = "ganglion play {run} --animation drive.gif"

    surface: Surface | None = None
    """What the drawn roads look like that were learnt from; None where pictures are a user's own."""
    _judged: tuple[str, Drives] | None = None
    """The latest drives that a network was judged by, and a digest of its weights: figures show what was measured."""

    @classmethod
    def refusal(cls, dataset: Dataset) -> DataError | None:
        refused = super().refusal(dataset)
        values = None if refused else np.asarray(dataset.fields["targets"].values)
        if values is not None and values.ndim == 2 and values.shape[1] != 1:
            return DataError(
                "driving needs one direction for each picture",
                where=dataset.source or dataset.name,
                expected="one number",
                found=f"{values.shape[1]}: {', '.join(dataset.target_names)}",
                remedy="name the column of the direction with --target",
            )
        return refused

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        if "flip" in settings.augment:
            raise ConfigurationError(
                "a mirrored road is steered to the other side",
                where="augment",
                expected="none, shift or elastic",
                found=settings.augment,
                remedy="leave it out",
            )
        data = cls.prepared(source, config, settings, seed)
        directions = data.columns("train")["targets"]
        assert isinstance(directions, Tensor)
        largest = max(BEYOND * float(directions.abs().max()), 1e-3)
        task = cls(adapt(config, **sizes(data.preprocessing), largest_direction=largest), data.preprocessing)
        task.surface = SURFACES.get(data.dataset.source)
        return task.holding(data)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        if task.surface not in (None, *SURFACES.values()):
            raise CheckpointError(
                "this run does not say what its roads look like",
                where="state.surface of config.json",
                expected=", ".join(sorted({*SURFACES.values()})),
                found=str(task.surface),
                remedy="put the original file back, or train again",
            )
        return task

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        network = _steering(rule.home)
        outputs, targets = answers(rule.home, self.data.batches(part))
        found = judged(rule, outputs, targets) | {"error": self._error(network.directions(outputs), targets)}
        if _has_direct(network):
            said, _ = answers(network.auxiliary[0], self.data.batches(part))
            found["direct_error"] = self._error(network.directions(said), targets)
        if part == "test" and self.surface is not None:
            drives = self._judged_drives(rule.home)
            found["metres"], found["offset"] = _summary(drives.by_driver[HILL])
            if DIRECT in drives.by_driver:
                found["direct_metres"], _ = _summary(drives.by_driver[DIRECT])
        return found

    def baseline(self) -> dict[str, float]:
        """Return what steering as the mean of the training part says scores."""
        targets = self.data.columns("test")["targets"]
        assert isinstance(targets, Tensor)
        found = {"error": self._error(torch.zeros(len(targets)), targets)}
        if self.surface is not None:
            mean = self.preprocessing["targets"].means[0]
            always = lambda look, seen: np.full(JUDGED_ROADS, mean)  # noqa: E731
            roads = roads_to_drive(JUDGED_SEED, JUDGED_ROADS, self.config.judged_metres, self.surface)
            found["metres"], found["offset"] = _summary(drive(roads, always, self.config.judged_metres))
        return found

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        network = _steering(rule.home)
        outputs, targets = answers(rule.home, self.data.batches("test"))
        said = self._in_units(network.directions(outputs))[:, None]
        drawn = {"predictions": figures.scatter(self._in_units(targets.ravel())[:, None], said, ("direction",))}
        drawn["hidden_units"] = figures.unit_weights(*(one.cpu().numpy() for one in network.weights_by_unit()))
        if self.surface is not None:
            drawn["drives"] = _map_of(self._judged_drives(rule.home))
        return drawn

    def moving(self, rule: LearningRule) -> dict[str, Film]:
        """Return a film of the first of the roads that the network was judged on."""
        if self.surface is None:
            return {}
        roads = roads_to_drive(JUDGED_SEED, 1, FILMED_METRES, self.surface)
        return {"drive": self._film(rule.home, roads, FILMED_METRES, 0, 0.0)}

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every picture the direction to steer, in the data's units, and how high the network's hill is."""
        found, pictures = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        _, directions, heights = _said(network, _steering(network), pictures)
        (name,) = self.preprocessing["targets"].names[:1] or ("direction",)
        pairs = zip(self._in_units(directions).tolist(), heights.tolist(), strict=True)
        rows = [{name: direction, "height_of_hill": height} for direction, height in pairs]
        return found.answer(rows)

    def play(self, network: nn.Module, question: Play) -> Rows:
        """Return how far each driver got on each road, and a film of the network on the first, if asked for."""
        surface = self._surface()
        roads = roads_to_drive(question.seed, question.roads, question.metres, surface)
        gusts = float(np.radians(question.gusts))
        drives = self._drives(network, roads, question.metres, question.seed, gusts)
        rows = [
            {"road": number + 1, **{name: float(one.metres[number]) for name, one in drives.by_driver.items()}}
            for number in range(len(roads))
        ]
        totals = {f"mean of {name}": _summary(one)[0] for name, one in drives.by_driver.items()}
        film: tuple[Film, ...] = ()
        if question.animation is not None:
            film = (self._film(network, roads.take(np.arange(1)), question.metres, question.seed, gusts),)
        return Rows(rows, totals, notes=("metres before each left the road",), also=film)

    def _surface(self) -> Surface:
        if self.surface is None:
            raise UsageError(
                "this network learnt from pictures of other roads than can be drawn here",
                expected=f"a run of {', '.join(SURFACES)}",
                found="a run of pictures from files",
                remedy="ask for the directions of pictures with `ganglion predict`",
            )
        return self.surface

    def _judged_drives(self, network: nn.Module) -> Drives:
        digest = fingerprint(*(one.detach().cpu().numpy() for one in network.parameters()))
        if self._judged is None or self._judged[0] != digest:
            roads = roads_to_drive(JUDGED_SEED, JUDGED_ROADS, self.config.judged_metres, self._surface())
            self._judged = digest, self._drives(network, roads, self.config.judged_metres, 0, 0.0)
        return self._judged[1]

    def _drives(self, network: nn.Module, roads: Roads, metres: int, seed: int, gusts: float) -> Drives:
        """Return the drives of the network, of direct regression, if there is such, and of a good driver."""
        steering = _steering(network)
        drivers = {HILL: self._steer(network, steering)}
        if _has_direct(steering):
            drivers[DIRECT] = self._steer(steering.auxiliary[0], steering)
        drivers[DRIVER] = by_sight_of_the_road
        return Drives(roads, {name: drive(roads, steer, metres, seed, gusts) for name, steer in drivers.items()})

    def _steer(self, network: nn.Module, steering: Steers, outputs: list[Tensor] | None = None) -> Steer:
        """Return what steers by the answers of a network, which are kept in `outputs`, if that is given."""

        def steer(look: Look, seen: Stretch) -> np.ndarray:
            said, directions, _ = _said(network, steering, self.preprocessing["inputs"](look()))
            if outputs is not None:
                outputs.append(said[0])
            return self._in_units(directions)

        return steer

    def _film(self, network: nn.Module, roads: Roads, metres: int, seed: int, gusts: float) -> Film:
        """Return a film of the network driving along one road."""
        steering, outputs, pictures = _steering(network), list[Tensor](), list[np.ndarray]()
        own = self._steer(network, steering, outputs)

        def steer(look: Look, seen: Stretch) -> np.ndarray:
            views = look()
            pictures.append(views[0, ..., 0])
            return own(lambda: views, seen)

        driven = drive(roads, steer, metres, seed, gusts)
        wanted = steering.hills(self.preprocessing["targets"](driven.wanted)[:, 0]).numpy()
        moments = [
            figures.Moment(
                seen_in_colour(roads, poses, point), picture, said.sigmoid().numpy(), aim, _in_words(direction)
            )
            for poses, point, picture, said, aim, direction in zip(
                driven.poses, driven.points, pictures, outputs, wanted, driven.directions[:, 0], strict=False
            )
        ]
        places = np.concatenate([poses.places for poses in driven.poses])
        frames = figures.drive_frames(moments, roads.middles[0], float(roads.widths[0]), places)
        return Film(frames, PICTURES_A_SECOND)

    def _in_units(self, directions: Tensor) -> np.ndarray:
        """Return directions (samples,) in their own units."""
        values: np.ndarray = self.preprocessing["targets"].inverse(directions.reshape(-1, 1))[:, 0]
        return values

    def _error(self, said: Tensor, targets: Tensor) -> float:
        return float(np.abs(self._in_units(said) - self._in_units(targets)).mean())


def _steering(network: nn.Module) -> Any:
    assert isinstance(network, Steers)
    return network


def _said(network: nn.Module, steering: Steers, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return outputs (pictures, outputs), the directions that they mean and the heights of their hills (pictures,)."""

    def read(block: Tensor) -> Tensor:
        outputs = network(block)
        return torch.cat([outputs, torch.stack([steering.directions(outputs), outputs.sigmoid().amax(1)], dim=1)], 1)

    found = ask(network, pictures, by=read)
    return found[:, :-2], found[:, -2], found[:, -1]


def _has_direct(network: Steers) -> bool:
    return len(network.auxiliary) > 0


def _in_words(direction: float) -> str:
    return f"it says {abs(direction):.0f}° {'right' if direction > 0 else 'left'}; in red what is right"


def _summary(drive: Drive) -> tuple[float, float]:
    """Return the mean of the metres driven, and the root of the mean squared distance from the middle until then."""
    driven = np.arange(len(drive.offsets))[:, None] <= drive.metres
    return float(drive.metres.mean()), float(np.sqrt(np.square(drive.offsets[driven]).mean()))


def _map_of(drives: Drives) -> "Figure":
    roads = drives.roads
    shown = {name: drives.by_driver[name] for name in (DIRECT, HILL) if name in drives.by_driver}
    ways = {
        name: [
            figures.Way(
                np.stack([poses.places[number] for poses in one.poses]),
                float(one.metres[number]),
                bool(one.left[number]),
            )
            for number in range(len(roads))
        ]
        for name, one in shown.items()
    }
    points = int(max(one.metres.max() for one in shown.values())) + 20
    said = ", ".join(f"{name} {_summary(one)[0]:.0f} m" for name, one in shown.items())
    return figures.drives(
        roads.middles[:, :points], roads.widths, ways, f"Driven before leaving the road, mean: {said}"
    )


TASK = Driving
