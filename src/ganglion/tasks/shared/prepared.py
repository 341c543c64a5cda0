"""A data set as networks take it: split, the fields that a task takes each prepared, and handed out in batches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.dataset import Dataset
from ganglion.data.division import divide
from ganglion.data.fields import Field
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.in_groups import InGroups
from ganglion.data.loaders.augment import Augment, Windows
from ganglion.data.loaders.colours import Colours, lights
from ganglion.data.loaders.columns import Columns, Kinds
from ganglion.data.loaders.derived import Derived, derive
from ganglion.data.loaders.epochs import Augmentation, EpochLoader, InTurn
from ganglion.data.loaders.groups import GroupLoader
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.pieces import Pieces
from ganglion.data.loaders.streaming import StreamingLoader
from ganglion.data.places import evenly
from ganglion.data.preprocessing import ImagePreprocessing, Ragged, apply
from ganglion.data.preprocessing.placement import Size
from ganglion.data.settings import DataSettings
from ganglion.data.splits import PARTS, Part, Samples, split
from ganglion.errors import DataError
from ganglion.tasks.shared.evaluation import EVALUATION_BATCH
from ganglion.tasks.shared.fitting import RESIZED, Options, fit_fields, refuse_apart
from ganglion.tasks.shared.weighting import weigh

NO_EPOCH = -1
"""Epoch of random numbers that training never draws."""
LIT = 500
"""Images by which it is found out how colours vary, at most."""
MOVED = ("images", "masks", "boxes")
"""Kinds of fields that augmentation moves together."""


@dataclass(frozen=True)
class Prepared:
    """Training, validation and test part, with the fields that batches are made of and their preprocessing.

    >>> from ganglion.data.catalogue import read
    >>> chosen = {"inputs": "inputs", "targets": "targets"}
    >>> iris = Prepared.of(read("iris", DataSettings()), chosen, None, DataSettings(batch_size=8), seed=0)
    >>> {name: tuple(values.shape) for name, values in next(iter(iris.loader(seed=0))).items()}
    {'index': (8,), 'inputs': (8, 4), 'targets': (8,)}
    """

    dataset: Dataset
    samples: Mapping[Part, Samples]
    """Raw, with all fields of the data."""
    chosen: Mapping[str, str]
    """Which field of the data each field of a batch is made of."""
    preprocessing: Mapping[str, Any]
    """By the names of a batch, fitted to the training part."""
    settings: DataSettings
    seed: int
    notes: tuple[str, ...]
    """What the user should know about how the data was read and prepared."""
    derived: Mapping[str, Derived] = field(default_factory=dict)
    """Fields of a batch that are made of others."""
    weights: Tensor | None = None
    """How much each training sample counts in the loss `(samples,)`; None where all count alike."""
    windows: Windows | None = None
    """What training cuts out of images in their frame, and of what belongs to them."""
    pieces: Pieces | None = None
    """What training cuts out of pictures of any size before they are prepared; then every field is pictures."""
    _columns: dict[Part, Columns] = field(default_factory=dict)
    """Fields in memory of the parts that were prepared already."""

    @classmethod
    def of(
        cls,
        dataset: Dataset,
        chosen: Mapping[str, str],
        config: Any,
        settings: DataSettings,
        seed: int,
        options: Options | None = None,
    ) -> "Prepared":
        """Split the data, and fit the preprocessing to the training part and to what the network takes.

        Args:
            chosen: which field of the data each field of a batch is made of.
            options: what the preprocessing of each field of a batch is told beside its values.
        """
        said: tuple[str, ...] = ()
        if isinstance(dataset.main.values, InGroups):
            divided = divide(dataset, settings, seed)
            samples, said = divided.samples, divided.notes
        else:
            samples = split(dataset, settings, seed)
        training = {name: samples["train"].fields[source] for name, source in chosen.items()}
        preprocessing, notes = fit_fields(training, config, settings, options or {})
        for part, held in samples.items():
            refuse_apart({name: held.fields[source] for name, source in chosen.items()}, preprocessing, part)
        weights, weighed = weigh(dataset, samples["train"], preprocessing, settings)
        known = (*dataset.notes, *said, *notes, *weighed)
        return cls(dataset, samples, chosen, preprocessing, settings, seed, known, weights=weights)

    def __getitem__(self, part: Part) -> Samples:
        return self.samples[part]

    def nearest(self, part: Part) -> Samples:
        """Return a part; where nothing was held back for it, the one before."""
        order = PARTS[PARTS.index(part) :: -1]
        return next(self.samples[name] for name in order if len(self.samples[name]))

    def raw(self, part: Part, name: str = "inputs") -> Field:
        """Return the raw values of a field of the nearest part."""
        return self.nearest(part).fields[self.chosen[name]]

    def some(self, part: Part, places: np.ndarray, name: str = "inputs") -> Any:
        """Return the prepared values of a field at some places `(samples,)` of the nearest part."""
        return self.preprocessing[name](self.raw(part, name).take(places).values[:])  # files are decoded here

    def at(self, part: Part, places: np.ndarray) -> Batch:
        """Return samples of the nearest part at some places `(samples,)` as a batch, derived fields as in `batches`."""
        batch: Batch = {"index": torch.from_numpy(self.nearest(part).index[places])}
        for name in self.chosen:
            values = self.some(part, places, name)
            batch[name] = values.padded(torch.arange(len(values)))[0] if isinstance(values, Ragged) else values
        return derive(batch, self.derived, self.seed, NO_EPOCH)

    def spread(self, part: Part, most: int) -> np.ndarray:
        """Return the places of at most `most` samples, (samples,), evenly spread over the nearest part."""
        return evenly(len(self.nearest(part)), most)

    def columns(self, part: Part) -> Columns:
        """Return the prepared fields of the nearest part that are in memory, and the places `index` in the whole."""
        if part not in self._columns:
            if isinstance(self.nearest(part).index, InGroups):
                raise DataError(
                    "this system looks at all samples at once, and these are read a few at a time",
                    where=self.dataset.source,
                    expected="one that learns from batches, such as mlp",
                    found=f"{len(self.nearest(part)):,} samples on disk",
                    remedy="choose such a system, or say --stream no if the memory suffices",
                )
            held = {name: one for name in self.chosen if not (one := self.raw(part, name)).in_files}
            prepared = apply({name: self.preprocessing[name] for name in held}, held)
            self._columns[part] = {"index": torch.from_numpy(self.nearest(part).index), **prepared}
        return self._columns[part]

    def loader(self, seed: int, changes: Augmentation | None = None) -> EpochLoader:
        """Return the shuffled batches of the training part, augmented as images are, and then by further changes."""
        kinds: Kinds = {name: one.kind for name in self.chosen if (one := self.raw("train", name)).kind in MOVED}
        colours = self._colours(kinds)
        augmentation = self.settings.augment
        assert augmentation != "auto"  # the kind of task has settled it
        changed = augmentation != "none" or self.windows is not None or colours is not None
        moved = Augment(augmentation, kinds, self.windows, colours) if changed else None
        augment = InTurn((moved, changes)) if moved and changes else moved or changes
        more: dict[str, Any] = {"derived": self.derived, "kinds": kinds, "pieces": self.pieces}
        beside = {} if self.weights is None else {"weights": self.weights}
        return self._batches("train", self.settings.batch_size, seed, augment, beside, shuffle=True, **more)

    def _colours(self, kinds: Kinds) -> Colours | None:
        """Return what changes the colours of the images that a network is given, if that was asked for."""
        jitter, cutout, lighting = self.settings.colour_jitter, self.settings.cutout, self.settings.lighting
        if not (jitter or cutout or lighting):
            return None
        preprocessing = self.preprocessing.get("inputs")
        if not isinstance(preprocessing, ImagePreprocessing):
            raise DataError(
                "colours are changed only where images are what a network is given",
                expected="images as inputs",
                found=", ".join(f"{name}: {kind}" for name, kind in kinds.items()),
                remedy="leave colour_jitter, lighting and cutout out",
            )
        colours = Colours("inputs", jitter, cutout, preprocessing.black, preprocessing.white)
        if not lighting:
            return colours
        black, white = preprocessing.ends
        some = (self.some("train", self.spread("train", LIT)) - black) / (white - black)
        return replace(colours, lighting=lights(some, lighting))

    def batches(self, part: Part) -> Iterator[Batch]:
        """Yield all batches of the nearest part in order, unchanged.

        Derived fields are those of an epoch which training never comes to.
        """
        for batch in self._batches(part, EVALUATION_BATCH):
            yield derive(batch, self.derived, self.seed, NO_EPOCH)

    def whole(self, part: Part) -> Batch:
        """Return the nearest part as one batch, otherwise as `batches`."""
        (batch,) = self._batches(part, "all")
        return derive(batch, self.derived, self.seed, NO_EPOCH)

    def in_full(self, part: Part, places: np.ndarray, sizes: Mapping[str, Size]) -> Batch:
        """Return samples of the nearest part as `batches` does, each of their pictures at its own scale.

        Args:
            places: of the samples `(samples,)`.
            sizes: height and width by field: that of the pictures, or of their middle that is wanted.
        """
        batch: Batch = {"index": torch.from_numpy(self.nearest(part).index[places])}
        for name in self.chosen:
            own = replace(self.preprocessing[name], image_size=sizes[name], resize="none")
            batch[name] = own(self.raw(part, name).take(places).values[:])
        return derive(batch, self.derived, self.seed, NO_EPOCH)

    def of_one_size(self, part: Part, places: np.ndarray, most: int | None, pixels: int) -> Iterator[Batch]:
        """Yield samples as `in_full` does, those together whose targets have one size.

        Args:
            places: of the samples `(samples,)`.
            most: pixels a side that are wanted of the middle of larger pictures; all where none is said.
            pixels: in the targets of a batch at most, where one sample has fewer.
        """
        found = sizes_of(self.raw(part, "targets").values)
        by_size: dict[Size, list[int]] = {}
        for place in places.tolist():
            height, width = found[place]
            by_size.setdefault((min(height, most or height), min(width, most or width)), []).append(place)
        for size, alike in by_size.items():
            together = max(1, pixels // (size[0] * size[1]))
            for start in range(0, len(alike), together):
                yield self.in_full(part, np.array(alike[start : start + together]), dict.fromkeys(self.chosen, size))

    def in_pieces(self, side: int) -> Self:
        """Return the data with pictures learnt from in square pieces at random places, at their own scale."""
        kept = (note for note in self.notes if RESIZED["none"] not in note)  # which pieces are cut instead of
        said = f"learns from pieces of {side} x {side} pixels at random places (--image-size)"
        return replace(self, pieces=Pieces(dict.fromkeys(self.chosen, side)), notes=(*kept, said))

    def _batches(
        self,
        part: Part,
        batch_size: int | Literal["all"],
        seed: int = 0,
        augment: Augmentation | None = None,
        beside: Columns | None = None,
        *,
        shuffle: bool = False,
        pieces: Pieces | None = None,
        **more: Any,
    ) -> EpochLoader:
        fields = {name: self.raw(part, name) for name in self.chosen}
        unpaired = tuple(name for name, one in fields.items() if not one.paired)
        if isinstance(self.nearest(part).index, InGroups):
            chosen = self.nearest(part).index.chosen
            prepared = {name: (source, self.preprocessing[name]) for name, source in self.chosen.items()}
            return GroupLoader(chosen, prepared, batch_size, seed, augment, shuffle, derived=more.get("derived"))
        together = {"index"} if len(unpaired) < len(fields) else set()  # of nothing that is paired there is no order
        files: dict[str, Any] = {name: one.values for name, one in fields.items() if one.in_files or pieces}
        own = {"index": torch.from_numpy(self.nearest(part).index)} if pieces else self.columns(part)
        columns = {name: one for name, one in own.items() if name in {*fields, *together}}
        columns |= beside or {}
        if files:
            transforms = {name: self.preprocessing[name] for name in files}
            in_files = any(one.in_files for one in fields.values())
            workers, patience = self.settings.workers if in_files else 0, self.settings.worker_timeout
            return StreamingLoader(
                files,
                transforms,
                columns,
                batch_size,
                seed,
                augment,
                workers,
                shuffle,
                patience,
                unpaired=unpaired,
                pieces=pieces,
                **more,
            )
        first = next(iter(fields))
        by_length = first if shuffle and isinstance(columns[first], Ragged) and fields[first].paired else None
        return InMemoryLoader(
            columns, batch_size, seed, augment, shuffle, unpaired=unpaired, by_length=by_length, **more
        )
