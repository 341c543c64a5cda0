"""Pictures that runs draw, beside the real ones of a data set, for those who learn to tell them apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion import tasks
from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.stored import STORED
from ganglion.data.places import evenly
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.models import System
from ganglion.runs.run import Run
from ganglion.tasks.answers import Images

MOST = 2000
"""Real pictures that are taken at most; each run draws as many."""
DRAWING = "a run of a generator of images, such as dcgan or vae"


def beside_generated(system: System, source: str | Dataset, config: Any, settings: DataSettings) -> str | Dataset:
    """Return data as it is, or, where a configuration names runs as its `generators`, with what these draw.

    Real pictures are brought to the size at which the runs draw, by the preprocessing that these learnt from.

    Raises:
        UsageError: a run draws no pictures.
        DataError: the data are no pictures, or runs draw in different sizes.
    """
    folders: Sequence[str] = getattr(config, "generators", ())
    if not folders:
        return source
    dataset = tasks.find(system.task).read(source, settings, None) if isinstance(source, str) else source
    if dataset.main.kind != "images":
        raise DataError(
            "these are no pictures to tell generated ones from",
            where=dataset.source or dataset.name,
            expected="images",
            found=f"{dataset.kind} data",
        )
    runs = {folder: Run(folder) for folder in dict.fromkeys(folders)}
    scale = _scale_of(runs)
    chosen = dataset.main.take(evenly(len(dataset.main), MOST)).values[:]
    made = {config.real: scale.inverse(scale(chosen))}
    count = len(made[config.real])
    for name, run in zip(_names(runs), runs.values(), strict=True):
        made[name] = _drawn(run, count)
    inputs, targets = (
        np.concatenate([*made.values()]),
        np.repeat(np.arange(len(made)), [len(one) for one in made.values()]),
    )
    drawn = f"{', '.join(list(made)[1:])} drew {count} pictures each, of {scale.size[0]} x {scale.size[1]} pixels"
    return Dataset.of(
        name=f"{dataset.name}-and-{'-'.join(list(made)[1:])}"[:80],
        kind="image",
        inputs=inputs,
        targets=targets,
        label_names=tuple(made),
        source=STORED,
        fingerprint=fingerprint(inputs, targets),
        notes=(*dataset.notes, f"{drawn}; the real ones are brought to that size"),
    )


def _scale_of(runs: dict[str, Run]) -> ImagePreprocessing:
    """Return how the runs saw real pictures."""
    scales = {}
    for folder, run in runs.items():
        scale = run.task.preprocessing.get("inputs")
        if "generate" not in run.task.questions or not isinstance(scale, ImagePreprocessing):
            raise UsageError(
                "this run draws no pictures",
                where=folder,
                expected=DRAWING,
                found=f"{run.system.name}, for {run.task.name}",
            )
        scales[folder] = scale
    first = next(iter(scales.values()))
    if len({(scale.size, scale.channels) for scale in scales.values()}) > 1:
        found = ", ".join(f"{folder} {one.size[0]} x {one.size[1]} x {one.channels}" for folder, one in scales.items())
        raise DataError(
            "runs that draw in different sizes are told apart by that alone",
            where="generators",
            expected="runs that draw pictures of one size, all in grey or all in colour",
            found=found,
            remedy="train them with the same --image-size",
        )
    return first


def _drawn(run: Run, count: int) -> np.ndarray:
    """Return as many pictures as are asked for, bytes (count, height, width, channels)."""
    answer = run.answer("generate", count=count, seed=0)
    forms = (answer, *answer.also)
    pictures = next((form for form in forms if isinstance(form, Images)), None)
    if pictures is None:
        raise UsageError(
            "this run draws no pictures", where=str(run.folder), expected=DRAWING, found=f"a {run.task.name} task"
        )
    return np.asarray(pictures.value)


def _names(runs: dict[str, Run]) -> list[str]:
    """Return what each run is called: by its system where that tells them apart, else by its folder."""
    systems = Counter(run.system.name for run in runs.values())
    own = [run.system.name if systems[run.system.name] == 1 else run.folder.name for run in runs.values()]
    return own if len(set(own)) == len(own) else list(runs)
