"""Image search: codes by which pictures are found that look like one, judged by the classes of what is found."""

from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
from torch import Tensor

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.places import evenly
from ganglion.figures.images.pixels import to_pixels
from ganglion.tasks.base import Part, Task
from ganglion.tasks.reconstruction import RECONSTRUCTION_ERROR
from ganglion.tasks.shared.codes import encoded, rebuilt
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import Options, as_drawn
from ganglion.tasks.shared.pictures.index import directions, nearest
from ganglion.tasks.shared.pictures.searching import Search

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOUND = 10
"""Pictures that are found for each."""
SEARCHED, ASKED = 10_000, 1000
"""Pictures of a part that are searched at most, and of these such as are asked about."""
LEARNT = 5000
"""Training pictures at most that principal components are taken from."""
ROWS = 6
"""Pictures that are drawn with what is found for them."""

PRECISION = Measure(
    name="precision_at_10",
    higher_is_better=True,
    meaning="Share of the ten pictures most like one that are of its class.",
)
RAW_PRECISION = Measure(
    name="raw_precision_at_10",
    higher_is_better=True,
    meaning="The same where pictures are compared pixel by pixel.",
)
COMPONENTS_PRECISION = Measure(
    name="components_precision_at_10",
    higher_is_better=True,
    meaning="The same by as many principal components as the code has numbers.",
)


@final
class ImageSearch(Task):
    """Pictures of a part are searched among the others of that part, and what is found is judged by its class.

    On the test part raw pixels and principal components stand beside the score, each compared by the better of cosine
    and distance; the baseline draws by chance.
    """

    name = "image_search"
    reads = ("image",)
    takes = "images with classes that what is found is judged by"
    fields: ClassVar = {"inputs": ("images",), "targets": ("classes",)}
    measures = (PRECISION, RECONSTRUCTION_ERROR, RAW_PRECISION, COMPONENTS_PRECISION)
    captions: ClassVar = {
        "found": "Test pictures, and beside each those most like it among the other test pictures",
        "precision": "Share of the ten pictures found that are of the class of the one asked about",
    }
    verbs: ClassVar = {"search": Search, "features": Features}
    next_step = "ganglion search {run} PICTURE --among FOLDER --out page.html"

    @classmethod
    def options(cls, dataset: Dataset, config: Any) -> Options:
        return {"inputs": as_drawn(dataset, config)}

    def _part(self, part: Part) -> tuple[Tensor, np.ndarray]:
        """Return the pictures of a part that are searched, prepared, and their classes (pictures,)."""
        places = self.data.spread(part, SEARCHED)
        samples: Tensor = self.data.some(part, places)
        return samples, np.asarray(self.data.raw(part, "targets").values)[places]

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        samples, classes = self._part(part)
        some = samples[:ASKED]
        error = float((rebuilt(rule.home, some) - some).square().mean())
        score = precision(directions(encoded(rule.home, samples).numpy()), classes)
        measures = {"precision_at_10": score, "reconstruction_error": error}
        return measures | (self._beside(samples, classes) if part == "test" else {})

    def _beside(self, samples: Tensor, classes: np.ndarray) -> dict[str, float]:
        """Return the precision by raw pixels and by principal components."""
        from sklearn.decomposition import PCA

        train: Tensor = self.data.some("train", self.data.spread("train", LEARNT))
        raw = samples.flatten(1).numpy()
        linear = PCA(min(self.config.code_size, *train.flatten(1).shape), random_state=0).fit(train.flatten(1).numpy())
        both = {"raw_precision_at_10": raw, "components_precision_at_10": linear.transform(raw).astype(np.float32)}
        return {
            name: max(precision(directions(codes), classes), precision(codes, classes, by_distance=True))
            for name, codes in both.items()
        }

    def baseline(self) -> dict[str, float]:
        """Find pictures by chance: the chance that two of the test part are of one class."""
        _, classes = self._part("test")
        counts = np.bincount(classes).astype(float)
        return {"precision_at_10": float((counts * (counts - 1)).sum() / (len(classes) * max(1, len(classes) - 1)))}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        samples, classes = self._part("test")
        codes = directions(encoded(rule.home, samples).numpy())
        scores = {"codes": precision(codes, classes), "by chance": self.baseline()["precision_at_10"]}
        raw, linear = self._beside(samples, classes).values()
        scores |= {"raw pixels": raw, "principal components": linear}
        return {
            "found": self._found(samples, codes, classes),
            "precision": figures.bars(
                dict(sorted(scores.items(), key=lambda one: -one[1])), "Precision at 10", "codes"
            ),
        }

    def _found(self, samples: Tensor, codes: np.ndarray, classes: np.ndarray) -> "Figure":
        """Draw some pictures, one of each of the first classes, and what is found for each."""
        asked = [int(np.flatnonzero(classes == one)[0]) for one in np.unique(classes)][:ROWS]
        names = self.data.raw("test", "targets").names or tuple(map(str, range(int(classes.max()) + 1)))
        places, titles = [], []
        for place in asked:
            found = [one for one in nearest(codes, codes[place], FOUND + 1)[0].tolist() if one != place][:FOUND]
            places += [place, *found]
            others = ("" if classes[one] == classes[place] else names[classes[one]] for one in found)
            titles += [names[classes[place]], *others]
        pixels = to_pixels(self.preprocessing["inputs"].inverse(samples[places]))
        columns = 1 + min(FOUND, len(codes) - 1)
        title = "Asked about (left), and found; named is what is of another class"
        return figures.image_grid(pixels, titles, columns=columns, title=title)


def precision(codes: np.ndarray, classes: np.ndarray, *, by_distance: bool = False) -> float:
    """Return the mean share of the ten likest others that are of the class of the picture asked about.

    Args:
        codes: (pictures, features), whose products say how alike two are.
        classes: (pictures,).
        by_distance: their distance says so instead.

    >>> precision(np.eye(2, dtype=np.float32)[[0, 0, 1, 1]], np.array([0, 0, 1, 1]))
    0.3333333333333333
    """
    asked = evenly(len(codes), ASKED)
    shares, halves = [], np.square(codes).sum(axis=1) / 2 if by_distance else 0.0
    for part in np.array_split(asked, -(-len(asked) // 100)):
        likeness = codes[part] @ codes.T - halves  # by x z - |z|^2 / 2 others are in the order of |x - z|
        likeness[np.arange(len(part)), part] = -np.inf
        count = min(FOUND, len(codes) - 1)
        found = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        shares.append((classes[found] == classes[part, None]).mean(axis=1))
    return float(np.concatenate(shares).mean())


TASK = ImageSearch
