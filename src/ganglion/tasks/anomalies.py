"""Anomalies: what does not look like the normal samples that a network has learnt to rebuild, and where it is odd."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.places import evenly
from ganglion.data.preprocessing import ImagePreprocessing, ShortSeriesPreprocessing, TabularPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.figures.images.pixels import enlarge, to_pixels
from ganglion.settings import settings, strictly_between
from ganglion.tasks.answers import Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.anomalies import (
    AUROC,
    DETECTED,
    FALSE_ALARMS,
    FOREST_AUROC,
    NORMAL_ERROR,
    Forest,
    auroc,
    errors_of_pixels,
    errors_of_steps,
    least_held_out,
    means,
    shares_as_odd,
    stretches,
    threshold,
    with_foreign_parts,
)
from ganglion.tasks.measures.series import fill_gaps
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.codes import rebuilt
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import adapt, as_drawn, sizes
from ganglion.tasks.shared.inputs import asked, asked_series
from ganglion.tasks.shared.one_class import ODD, one_class, windows_of
from ganglion.tasks.shared.pictures.searching import Search

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEPT = 2000
"""Errors of held-out normal samples that a run keeps at most."""
LEARNT = 5000
"""Normal samples that methods beside the network learn from at most."""
SHOWN = 8
"""Pictures of a row of heat maps."""
DRAWN = 600
"""Steps of a series that are drawn at most."""
NAMED = 3
"""Columns in which a row is oddest, that are named."""
FULL = 4.0
"""Times the error of the worst of a thousand normal pixels that has the full colour."""
LARGE = 160
"""Pixels of the shorter side that pictures of errors have at least."""

Errors = Callable[[Tensor], np.ndarray]
"""From samples (samples, ...) to their errors (samples,), or of windows to those of each value, in the same shape."""


@settings
class Predict:
    """Mark what is odd: its error, the threshold, and how many normal samples would be marked as soon."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""
    false_alarms: Annotated[float, strictly_between(0, 1)] | None = None
    """Share of normal samples that may be marked; that of training when not given."""


@final
class Anomalies(Task):
    """Normal samples, learnt from alone, and what is odd, judged by how much larger its reconstruction error is.

    The threshold is a rank among the errors of normal samples of the validation part, so that as many false alarms are
    to be expected as were asked for. Samples of one long series are its steps: a step's error is the least of
    all windows that contain it. On the test part an isolation forest stands beside the score; the baseline is the
    distance from the mean of the training part. Where nothing is known to be odd, samples a part of which is taken from
    another take its place.
    """

    name = "anomalies"
    reads = ("image", "tabular", "series", "short-series")
    takes = "images, rows of a table, or series, most of them normal"
    fields: ClassVar = {"inputs": ("images", "rows", "short-series", "series")}
    measures = (AUROC, NORMAL_ERROR, FALSE_ALARMS, DETECTED, FOREST_AUROC)
    captions: ClassVar = {
        "errors": "Errors of the test samples, and the threshold above which they are marked",
        "found": "The share of odd samples that is found, for every share of normal ones that is marked in vain",
        "heat_maps": "Odd and normal test pictures, what the network makes of them, and where they differ",
        "columns": "The columns in which odd rows differ most from what the network makes of them",
        "series": "Test steps, what is left of them, and their errors; shaded where they are marked",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features, "search": Search}
    next_step = "ganglion predict {run} INPUT"

    held_out: np.ndarray | None = None
    """Errors of held-out normal samples, in order; None until calibrated."""
    full_heat: float = 1.0
    """Error of a pixel that has the full colour."""
    normal: tuple[str, ...] = ()
    """Classes that count as normal; none where the data has none."""
    columns: tuple[str, ...] = ()
    """Of one long series, whose windows are the samples; none for other data."""
    odd_steps: dict[Part, np.ndarray]
    """Which steps of each part of a long series are odd."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        found = one_class(dataset, config.normal, config.window, cls.settled(settings), seed)
        options = as_drawn(found.dataset, config)
        data = cls.prepared(found.dataset, config, found.settings, seed, {"inputs": options})
        values = {} if dataset.kind == "image" else {"in_features": int(data.columns("train")["inputs"][0].numel())}
        fitted = sizes(data.preprocessing) | values
        task = cls(adapt(config, **fitted), data.preprocessing)
        task.normal, task.columns, task.odd_steps = found.normal, found.columns, dict(found.odd_steps)
        held_out = len(data.nearest("validation"))
        notes = []
        if held_out < (least := least_held_out(config.false_alarms)):
            share = f"{config.false_alarms:g} false alarms"
            notes.append(f"{held_out} samples held out are too few to promise {share} ({least} would do)")
        if not len(data["validation"]):
            notes.append("nothing is held out: the threshold is set on training samples, and promises too much")
        return task.holding(data, *notes)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.held_out = None if state["held_out"] is None else np.array(state["held_out"], dtype=np.float64)
        task.full_heat, task.columns = state["full_heat"], tuple(state["columns"])
        return task

    def state(self) -> dict[str, Any]:
        kept = None if self.held_out is None else self.held_out.tolist()
        return super().state() | {"held_out": kept, "full_heat": self.full_heat, "columns": list(self.columns)}

    @property
    def scale(self) -> Any:
        """How samples are prepared."""
        return self.preprocessing["inputs"]

    def limit(self, false_alarms: float | None = None) -> float:
        """Return the error above which a sample is marked."""
        assert self.held_out is not None
        return threshold(self.held_out, false_alarms or self.config.false_alarms)

    def calibrate(self, rule: LearningRule) -> None:
        normal, _ = self._told_apart(self._by(rule.home), "validation", makes_up=False)
        order = np.sort(normal)
        self.held_out = order[np.unique(np.linspace(0, len(order) - 1, KEPT).round().astype(int))]
        if isinstance(self.scale, ImagePreprocessing):
            some = self._normal_samples("validation")
            self.full_heat = FULL * float(np.quantile(errors_of_pixels(some, rebuilt(rule.home, some)), 0.999)) or 1.0

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        normal, odd = self._told_apart(self._by(rule.home), part)
        measures = {"auroc": auroc(normal, odd), "normal_error": float(normal.mean())}
        if self.held_out is not None:
            limit = self.limit()
            measures |= {"false_alarm_rate": float((normal > limit).mean())}
            measures |= {"detection_rate": float((odd > limit).mean())}
        if part == "test":
            measures["isolation_forest_auroc"] = auroc(*self._told_apart(self._forest(), part))
        return measures

    def baseline(self) -> dict[str, float]:
        """Judge by the distance from the mean of the training part."""
        mean = self._normal_samples("train").mean(dim=0)
        normal, odd = self._told_apart(lambda samples: means((samples - mean).square()), "test")
        return {"auroc": auroc(normal, odd)}

    def _forest(self) -> Errors:
        return Forest(self._normal_samples("train"), self.data.seed).errors

    def _normal_samples(self, part: Part) -> Tensor:
        """Return some normal samples of a part, prepared."""
        normal = np.flatnonzero(~self._is_odd(part))
        places = normal[evenly(len(normal), LEARNT)]
        samples: Tensor = self.data.some(part, places)
        return samples

    def _by(self, network: nn.Module) -> Errors:
        """Return what gives the errors of samples by a network: of series those of each value."""

        def errors(samples: Tensor) -> np.ndarray:
            after = rebuilt(network, samples)
            return (after - samples).square().numpy() if samples.ndim == 3 else self._errors(samples, after)

        return errors

    def _errors(self, samples: Tensor, after: Tensor) -> np.ndarray:
        """Return the error of each sample (samples,): of a picture the mean of its worst pixels."""
        if samples.ndim != 4 or self.config.worst == 1:
            return means((after - samples).square())
        pixels = errors_of_pixels(samples, after).reshape(len(samples), -1)
        return means(np.sort(pixels, axis=1)[:, -max(1, round(self.config.worst * pixels.shape[1])) :])

    def _is_odd(self, part: Part) -> np.ndarray:
        """Return which samples of a part are odd (samples,)."""
        odd = self.data.nearest(part).fields.get(ODD)
        return np.zeros(len(self.data.nearest(part)), bool) if odd is None else np.asarray(odd.values) == 1

    def _told_apart(self, by: Errors, part: Part, makes_up: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Return the errors of normal and of odd samples of a part; odd ones are made up where none are known."""
        nearest: Part = part if len(self.data[part]) else "train"
        odd = self.odd_steps[nearest] if self.columns and nearest != "train" else self._is_odd(nearest)
        if odd.any() or not makes_up:
            errors = np.concatenate([by(batch["inputs"].cpu()) for batch in self.data.batches(nearest)])
            units = self._of_steps(errors) if self.columns and nearest != "train" else means(errors)
            return units[~odd], units[odd]
        normal = self._normal_samples(nearest)
        return means(by(normal)), means(by(with_foreign_parts(normal)))

    def _of_steps(self, errors: np.ndarray) -> np.ndarray:
        """Return the error of each step (steps,) of errors of windows in a row, (windows, ...)."""
        by_step = errors.mean(axis=2) if errors.ndim == 3 else np.repeat(errors[:, None], self.config.window, axis=1)
        return errors_of_steps(by_step)[0]

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        if self.held_out is None:
            self.calibrate(rule)
        normal, odd = self._told_apart(self._by(rule.home), "test")
        limit = self.limit()
        made_up = "" if self._is_odd("test").any() else "; the odd ones are made up"
        counted = "steps" if self.columns and not made_up else "samples"
        drawn = {
            "errors": figures.errors_of_normal_and_odd(normal, odd, limit, f"Errors of test {counted}{made_up}"),
            "found": figures.found_by_false_alarms(
                {
                    "network": (normal, odd),
                    "isolation forest": self._told_apart(self._forest(), "test"),
                },
                (float((normal > limit).mean()), float((odd > limit).mean())),
            ),
        }
        if isinstance(self.scale, ImagePreprocessing):
            drawn["heat_maps"] = self._heat_maps(rule.home)
        elif isinstance(self.scale, TabularPreprocessing):
            drawn["columns"] = self._columns(rule.home)
        elif self.columns:
            drawn["series"] = self._series(rule.home)
        return drawn

    def _samples_to_draw(self) -> tuple[Tensor, Tensor]:
        """Return some odd test samples, or normal ones made odd where none are known, and some normal ones."""
        normal, odd = self._normal_samples("test"), np.flatnonzero(self._is_odd("test"))
        return self.data.some("test", odd[:LEARNT]) if len(odd) else with_foreign_parts(normal), normal

    def _heat_maps(self, network: nn.Module) -> "Figure":
        odd, normal = self._samples_to_draw()
        chosen = [part[evenly(len(part), SHOWN)] for part in (odd, normal)]
        samples = torch.cat(chosen)
        after = rebuilt(network, samples)
        rows = {
            "picture": to_pixels(self.scale.inverse(samples)),
            "rebuilt": to_pixels(self.scale.inverse(after.clamp(*_ends(self.scale)))),
            "odd here": self._heat_pictures(samples, after) / 255,
        }
        title = f"{len(chosen[0])} odd pictures, then {len(chosen[1])} normal ones"
        return figures.strips(rows, title, columns=SHOWN)

    def _heat_pictures(self, samples: Tensor, after: Tensor) -> np.ndarray:
        """Return pictures in pale grey under the colour of their errors, bytes (samples, height, width, 3)."""
        return figures.heat(to_pixels(self.scale.inverse(samples)), errors_of_pixels(samples, after), self.full_heat)

    def _columns(self, network: nn.Module) -> "Figure":
        errors = [(rebuilt(network, part) - part).square().numpy() for part in self._samples_to_draw()]
        odd, normal = (self._by_column(part).mean(axis=0) for part in errors)
        return figures.errors_by_column(normal, odd, self._column_names)

    @property
    def _column_names(self) -> tuple[str, ...]:
        return self.scale.columns or tuple(f"column {number + 1}" for number in range(len(self.scale.means)))

    def _by_column(self, errors: np.ndarray) -> np.ndarray:
        """Return the errors of columns (rows, columns): of a column of texts the sum over its features."""
        widths = [len(texts) or 1 for texts in self.scale.categories or ((),) * len(self.scale.means)]
        summed: np.ndarray = np.add.reduceat(errors, np.cumsum([0, *widths[:-1]]), axis=1)
        return summed

    def _series(self, network: nn.Module) -> "Figure":
        windows = self.data.columns("test")["inputs"]
        assert isinstance(windows, Tensor)
        after, errors = self._rebuilt_steps(network, windows)
        odd, marked = self.odd_steps["test"], errors > self.limit()
        start = max(0, int(odd.argmax() or errors.argmax()) - DRAWN // 6)
        shown = slice(start, start + DRAWN)
        values = self.scale.inverse(torch.cat([windows[:, 0], windows[-1, 1:]]))
        spans = {"marked": stretches(marked[shown])} | ({"odd": stretches(odd[shown])} if odd.any() else {})
        title = f"{len(values[shown])} test steps; {int(marked.sum())} of all {len(values)} are marked"
        return figures.marked_series(
            values[shown], after[shown], errors[shown], self.limit(), spans, self.columns, title
        )

    def _rebuilt_steps(self, network: nn.Module, windows: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return what is left of the steps of windows in a row, (steps, columns) as measured, and errors (steps,)."""
        after = rebuilt(network, windows)
        errors = (after - windows).square().mean(dim=2).numpy()  # (windows, window)
        steps, found = errors_of_steps(errors)
        return self.scale.inverse(after[found]), steps

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sample, or step of a long series, whether it is odd, its error, and where it is odd."""
        if self.columns:
            return self._predict_steps(network, question)
        found, samples = asked(question.inputs, self.scale, self.settings)
        after = rebuilt(network, samples)
        rows = self._verdicts(self._errors(samples, after), question)
        also: tuple[Images, ...] = ()
        if isinstance(self.scale, ImagePreprocessing):
            pictures = self._side_by_side(samples, after)
            also = (Images(pictures, [f"{title}-odd" for title in found.titles], rows, "Picture, rebuilt, odd here"),)
        elif isinstance(self.scale, TabularPreprocessing):
            rows = [row | {"why": why} for row, why in zip(rows, self._reasons(samples, after), strict=True)]
        else:
            worst = (after - samples).square().mean(dim=2).argmax(dim=1) + 1
            rows = [row | {"oddest step": step} for row, step in zip(rows, worst.tolist(), strict=True)]
        return Rows(found.name(rows), self._totals(rows, question), found.notes, also, found.own)

    def _verdicts(self, errors: np.ndarray, question: Predict) -> list[dict[str, Any]]:
        assert self.held_out is not None
        marked, shares = errors > self.limit(question.false_alarms), shares_as_odd(self.held_out, errors)
        named = zip(marked.tolist(), errors.tolist(), shares.tolist(), strict=True)
        return [{"odd": odd, "error": error, "normal_as_odd": share} for odd, error, share in named]

    def _totals(self, rows: list[dict[str, Any]], question: Predict) -> dict[str, Any]:
        limit = self.limit(question.false_alarms)
        return {"marked": sum(row["odd"] for row in rows), "of": len(rows), "threshold": limit}

    def _side_by_side(self, samples: Tensor, after: Tensor) -> np.ndarray:
        """Return pictures beside what is left of them and where they are odd, bytes (samples, height, width, 3)."""
        both = (samples, after.clamp(*_ends(self.scale)))
        shown = [np.rint(to_pixels(self.scale.inverse(part)) * 255).astype(np.uint8) for part in both]
        shown.append(self._heat_pictures(samples, after))
        times = -(-LARGE // min(samples.shape[-2:]))
        gap = np.full((len(samples), samples.shape[-2], 1, 3), 255, np.uint8)
        return enlarge(np.concatenate([shown[0], gap, shown[1], gap, shown[2]], axis=2), times)

    def _reasons(self, samples: Tensor, after: Tensor) -> list[str]:
        """Return of each row the columns in which it is oddest, what stands there, and what would be normal."""
        there, normal = self.scale.inverse(samples), self.scale.inverse(after)
        worst = np.argsort(-self._by_column((after - samples).square().numpy()), axis=1, kind="stable")[:, :NAMED]
        names = self._column_names
        return [
            ", ".join(f"{names[c]} {_short(is_[names[c]])} instead of {_short(as_[names[c]])}" for c in columns)
            for is_, as_, columns in zip(there, normal, worst.tolist(), strict=True)
        ]

    def _predict_steps(self, network: nn.Module, question: Predict) -> Rows:
        raw, window = asked_series(question.inputs, self.columns, self.settings), self.config.window
        if len(raw) < window:
            raise DataError("the series is shorter than a window", expected=f"{window} steps", found=str(len(raw)))
        scale: ShortSeriesPreprocessing = self.scale
        after, errors = self._rebuilt_steps(network, scale(windows_of(fill_gaps(raw), window)))
        rows = self._verdicts(errors, question)
        marked = stretches(errors > self.limit(question.false_alarms))
        said = ", ".join(
            f"{first + 1}" if first == last else f"{first + 1} to {last + 1}" for first, last in marked[:20]
        )
        named = [
            {
                "step": number,
                **row,
                **{f"normal {name}": float(value) for name, value in zip(self.columns, as_, strict=True)},
            }
            for number, (row, as_) in enumerate(zip(rows, after, strict=True), start=1)
        ]
        notes = (f"marked are the steps {said}{' and more' if len(marked) > 20 else ''}",) if marked else ()
        return Rows(named, self._totals(rows, question), notes)


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _ends(scale: ImagePreprocessing) -> tuple[float, float]:
    return min(scale.low, scale.high), max(scale.low, scale.high)


TASK = Anomalies
