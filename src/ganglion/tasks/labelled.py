"""What tasks with labelled samples share: parts as tensors, a configuration fitted to them, answers of a network."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.core import Batch
from ganglion.data.augment import Augment
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.images import ImageFiles
from ganglion.data.loaders import EpochLoader, InMemoryLoader, StreamingLoader
from ganglion.data.preprocessing import ImagePreprocessing, SeriesPreprocessing, TabularPreprocessing, read_inputs
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Samples, split
from ganglion.errors import DataError
from ganglion.settings import from_dict, to_dict

Part = Literal["train", "validation", "test"]
Preprocessing = ImagePreprocessing | TabularPreprocessing
PREPROCESSING: dict[str, type[Preprocessing]] = {"image": ImagePreprocessing, "tabular": TabularPreprocessing}

EVALUATION_BATCH = 512


@dataclass(frozen=True)
class LabelledData:
    """The parts of a data set as a supervised network takes them."""

    dataset: Dataset
    settings: DataSettings
    parts: dict[str, Samples]
    preprocessing: Preprocessing
    target_scale: SeriesPreprocessing | None
    """How values are standardised; None for classes."""
    tensors: dict[str, Batch] = field(default_factory=dict)
    """Parts that were made tensors already."""

    @classmethod
    def prepare(
        cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int
    ) -> tuple["LabelledData", tuple[str, ...]]:
        """Read and split the data, and fit the preprocessing to the training part and to what the network takes."""
        dataset = source if isinstance(source, Dataset) else read(source, settings)
        if dataset.kind not in PREPROCESSING or dataset.targets is None:
            raise DataError(
                "this system learns from labelled images or rows",
                where=dataset.source or dataset.name,
                found=f"{dataset.kind} data" + (" without targets" if dataset.targets is None else ""),
            )
        if settings.augment != "none" and dataset.kind != "image":
            raise DataError(
                "only images can be augmented", found=f"{dataset.kind} data", remedy="leave augment at none"
            )
        parts = split(dataset, settings, seed)
        preprocessing, notes = fit_preprocessing(dataset, parts["train"], config)
        values = None if dataset.is_classification else SeriesPreprocessing.fit(_rows(parts["train"].targets))
        return cls(dataset, settings, parts, preprocessing, values), (*dataset.notes, *notes)

    def part(self, name: Part) -> Samples:
        """Return a part; where nothing was held back for it, the one that comes nearest."""
        wanted = {"train": ("train",), "validation": ("validation", "train"), "test": ("test", "validation", "train")}
        return next(self.parts[other] for other in wanted[name] if len(self.parts[other]))

    def loader(self, seed: int) -> EpochLoader:
        """Return the shuffled, augmented batches of the training part."""
        augment = Augment(self.settings.augment) if self.settings.augment != "none" else None
        return self._batches("train", self.settings.batch_size, seed, augment, shuffle=True)

    def batches(self, name: Part) -> EpochLoader:
        """Return all batches of a part in order, unchanged."""
        return self._batches(name, EVALUATION_BATCH, seed=0, augment=None, shuffle=False)

    def _batches(
        self, name: Part, batch_size: int | Literal["all"], seed: int, augment: Augment | None, shuffle: bool
    ) -> EpochLoader:
        samples = self.part(name)
        if isinstance(samples.inputs, ImageFiles):
            tensors = {"targets": self.encode(samples.targets), "index": torch.from_numpy(samples.index)}
            return StreamingLoader(
                samples.inputs, self.preprocessing, tensors, batch_size, seed, augment, self.settings.workers, shuffle
            )
        if name not in self.tensors:
            self.tensors[name] = {
                "inputs": self.preprocessing(samples.inputs),
                "targets": self.encode(samples.targets),
                "index": torch.from_numpy(samples.index),
            }
        return InMemoryLoader(self.tensors[name], batch_size, seed, augment, shuffle)

    def encode(self, targets: np.ndarray | None) -> Tensor:
        """Return class numbers `(samples,)` or standardised values `(samples, outputs)`."""
        assert targets is not None
        if self.target_scale is None:
            return torch.from_numpy(targets.astype(np.int64))
        return self.target_scale(_rows(targets))

    def example(self) -> Tensor:
        return self.preprocessing(take(self.part("train").inputs, range(2)))


def adapt(config: Any, **found: Any) -> Any:
    """Return `config` with those of the `found` values that it has fields for."""
    fields = {one.name for one in dataclasses.fields(config)}
    return dataclasses.replace(config, **{name: value for name, value in found.items() if name in fields})


def input_sizes(preprocessing: Preprocessing) -> dict[str, int]:
    """Return the sizes of a preprocessed sample under the names that configurations have for them."""
    if isinstance(preprocessing, TabularPreprocessing):
        return {"in_features": len(preprocessing.features)}
    height, width = preprocessing.size
    return {
        "in_features": preprocessing.channels * height * width,
        "in_channels": preprocessing.channels,
        "image_size": height,
    }


def fit_preprocessing(dataset: Dataset, train: Samples, config: Any) -> tuple[Preprocessing, tuple[str, ...]]:
    """Return the preprocessing that suits data and network, and what the user should know of it.

    A configuration whose class has a constant `image_size` or `in_channels` gets images converted to that, one with
    such a field is fitted to the data unless the user changed the field. Square images within `smallest_image` and
    `largest_image` and pixels in `image_range` are further constants that a configuration may have.
    """
    looks = hasattr(config, "image_size")
    if dataset.kind == "tabular":
        if looks:
            raise DataError("this system looks at images", where=dataset.source, found="rows of numbers")
        rows = np.asarray(train.inputs)
        return TabularPreprocessing.fit(rows, dataset.column_names), ()
    low, high = getattr(config, "image_range", (0.0, 1.0))
    as_found = ImagePreprocessing.fit(train.inputs, low=low, high=high)
    if not looks:
        return as_found, ()
    side = min(max(*as_found.size, config.smallest_image), config.largest_image) if _open(config, "image_size") else 0
    size = side or config.image_size
    channels = as_found.channels if _open(config, "in_channels") else config.in_channels
    converted = dataclasses.replace(as_found, image_size=size, channels=channels)
    note = f"images of {as_found.size[0]} x {as_found.size[1]} are resized to {size} x {size}"
    return converted, (note,) if as_found.size != converted.size else ()


def _open(config: Any, name: str) -> bool:
    """Whether the data may decide a field: it exists, and the user left it at its default."""
    return any(one.name == name and getattr(config, name) == one.default for one in dataclasses.fields(config))


def take(inputs: Any, places: Sequence[int] | np.ndarray) -> Any:
    """Return some of the raw samples."""
    chosen = [inputs[int(place)] for place in places if place < len(inputs)]
    return np.stack(chosen) if isinstance(inputs, np.ndarray) and chosen else chosen


def raw_inputs(inputs: Sequence[Any], kind: str, preprocessing: Preprocessing) -> Any:
    """Return what a user asks about as raw samples: the contents of files, or arrays as they are."""
    if len(inputs) and all(isinstance(item, str | Path) for item in inputs):
        columns = preprocessing.columns if isinstance(preprocessing, TabularPreprocessing) else ()
        return read_inputs(list(inputs), "image" if kind == "image" else "tabular", columns)
    if isinstance(inputs, np.ndarray):
        return inputs
    return np.stack([np.asarray(item) for item in inputs]) if kind == "tabular" else list(inputs)


def save_preprocessing(kind: str, preprocessing: Preprocessing) -> dict[str, Any]:
    return {"kind": kind, "preprocessing": to_dict(preprocessing)}


def load_preprocessing(state: dict[str, Any]) -> Preprocessing:
    return from_dict(PREPROCESSING[state["kind"]], state["preprocessing"], where="preprocessing")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[torch.device]:
    """Switch to evaluation mode without gradients, give the network's device, and switch back."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield next(network.parameters()).device
    finally:
        network.train(training)


def answers(network: nn.Module, loader: EpochLoader) -> tuple[Tensor, Tensor]:
    """Return the outputs of a network for all batches, and their targets."""
    with evaluating(network) as device:
        pairs = [(network(batch["inputs"].to(device)), batch["targets"].to(device)) for batch in loader]
    outputs, targets = zip(*pairs, strict=True)
    return torch.cat(outputs), torch.cat(targets)


def ask(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the outputs of a network for inputs that are in memory, on the CPU."""
    with evaluating(network) as device:
        return torch.cat([network(part.to(device)).cpu() for part in inputs.split(EVALUATION_BATCH)])


def _rows(values: np.ndarray | None) -> np.ndarray:
    assert values is not None
    return values.reshape(len(values), -1)
