"""A data set as it was read: named fields of raw values and where they came from, before any preprocessing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np

from ganglion.data.clock import Clock
from ganglion.data.fields import Field, FieldKind, Values
from ganglion.data.in_groups import InGroups
from ganglion.data.places import evenly_in_runs
from ganglion.errors import DataError
from ganglion.findings import Finding

Kind = Literal[
    "image",
    "tabular",
    "series",
    "short-series",
    "panel",
    "text",
    "documents",
    "tagged",
    "image-pairs",
    "image-domains",
    "image-masks",
    "image-boxes",
    "captions",
    "text-pairs",
    "dialogues",
    "tunes",
    "sounds",
    "transcripts",
    "drawings",
    "films",
    "ratings",
    "other",
]
"""What a data set is as a whole, which decides what can learn from it. `FIELDS` says of which fields each consists."""

FIELDS: dict[Kind, dict[str, FieldKind]] = {
    "image-masks": {"inputs": "images", "masks": "masks"},
    "image-boxes": {"inputs": "images", "boxes": "boxes"},
    "captions": {"inputs": "images", "captions": "texts"},
    "image-pairs": {"source": "images", "target": "images"},
    "text-pairs": {"source": "texts", "target": "texts"},
    "transcripts": {"inputs": "waveforms", "texts": "texts"},
    "dialogues": {"dialogues": "texts"},
    "tunes": {"tunes": "texts"},
    "ratings": {"users": "classes", "items": "classes", "ratings": "ratings"},
    "image": {"inputs": "images"},
    "tabular": {"inputs": "rows"},
    "series": {"inputs": "series"},
    "short-series": {"inputs": "short-series"},
    "panel": {"inputs": "panel", "series": "texts"},
    "text": {"inputs": "text"},
    "documents": {"inputs": "texts"},
    "tagged": {"inputs": "tagged"},
    "sounds": {"inputs": "waveforms"},
    "drawings": {"inputs": "strokes"},
    "films": {"inputs": "films"},
}
"""The fields that make a kind of data what it is. Others may stand beside them: `targets`, `weights`. Beside a panel,
several series with their names, stand what is `known` in advance and `times`, both with the rows that are to come."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Named fields of raw values; the first is what samples are told apart by.

    Raises `DataError` where the values of a field have not the form of its kind, where fields that are paired differ
    in length, or where the test part has other fields than the training part.

    >>> fields = {"inputs": Field(kind="images", values=np.zeros((5, 8, 8), np.uint8))}
    >>> fields |= {"targets": Field(kind="classes", values=np.arange(5) % 2, names=("cat", "dog"))}
    >>> pets = Dataset(name="pets", fields=fields)
    >>> pets.kind, len(pets), int(pets.sample(3)["targets"])
    ('image', 5, 1)
    """

    name: str
    fields: Mapping[str, Field]
    test_fields: Mapping[str, Field] = field(default_factory=dict)
    """The test part that the set was published with, never touched by a split; none where there is no such part."""
    source: str = ""
    """Name or path to read it again from."""
    fingerprint: str = ""
    """SHA-256 of the contents, so that a resumed run notices that its data changed."""
    first_fingerprint: Callable[[], str] | None = None
    """That which runs of earlier versions keep, where it was another one; it takes long."""
    clock: Clock | None = None
    """When a series was measured; None where that is unknown, and for other data."""
    validation: np.ndarray | None = None
    """Places of the samples that the set was published with to choose weights by `(validation samples,)`; None where
    it says nothing of that, so that a share is drawn."""
    ahead: int = 0
    """Rows after the end of a series whose values are still to come."""
    notes: tuple[str, ...] = ()
    """What was inferred while reading, for the user: the target column, the delimiter, files left out."""
    findings: tuple[Finding, ...] = ()
    """What was doubtful while reading, which stops a training unless the user goes on."""

    def __post_init__(self) -> None:
        for part, fields in (("", self.fields), ("test ", self.test_fields)):
            for name, one in fields.items():
                one.refuse_unfit(f"{self.source or self.name}, {part}field {name}")
            _refuse_uneven(fields, self.source or self.name)
        _refuse_unlike(self.fields, self.test_fields, self.source or self.name)

    @classmethod
    def of(
        cls,
        *,
        kind: Kind,
        inputs: Values,
        targets: np.ndarray | None = None,
        test_inputs: Values | None = None,
        test_targets: np.ndarray | None = None,
        label_names: tuple[str, ...] = (),
        column_names: tuple[str, ...] = (),
        target_names: tuple[str, ...] = (),
        pixels: tuple[float, float] | None = None,
        weights: np.ndarray | None = None,
        **description: Any,
    ) -> Self:
        """Return a data set of `inputs` and maybe `targets`: class numbers where they are whole numbers, else values.

        Args:
            inputs, test_inputs: (samples, ...), or a sequence of samples.
            targets, test_targets: (samples,) or (samples, outputs).
            label_names: what class 0, 1, ... are called.
            column_names: what the columns of rows or of a series are called, or the one column that texts stand in.
            target_names: what the outputs of values are called, or the one column of the classes.
            pixels: what was black and white where images came from.
            weights: how much each sample counts in the loss `(samples,)`.
            about: name, source, fingerprint, notes and findings.
        """
        (input_kind,) = (fields["inputs"] for name, fields in FIELDS.items() if name == kind)
        is_columns = input_kind in ("rows", "series", "short-series")
        described: dict[str, Any] = {"names": column_names} if is_columns else {"called": "".join(column_names[:1])}
        if input_kind == "images":
            described["pixels"] = pixels
        parts: list[dict[str, Field]] = [{}, {}]
        for part, values, answers in ((0, inputs, targets), (1, test_inputs, test_targets)):
            if values is not None:
                parts[part]["inputs"] = Field(kind=input_kind, values=values, **described)
            if answers is not None:
                parts[part]["targets"] = _targets(answers, label_names, target_names)
        if weights is not None:
            parts[0]["weights"] = Field(kind="weights", values=weights)
        return cls(fields=parts[0], test_fields=parts[1], **description)

    def __len__(self) -> int:
        """The number of paired samples; where nothing is paired, that of the longest field."""
        paired = [len(one) for one in self.fields.values() if one.paired]
        return paired[0] if paired else max(map(len, self.fields.values()), default=0)

    @property
    def main(self) -> Field:
        """The first field, whose contents tell samples apart."""
        return next(iter(self.fields.values()))

    @property
    def kind(self) -> Kind:
        """What the data is as a whole; `other` where its fields make nothing that has a name."""
        kinds = {name: one.kind for name, one in self.fields.items()}
        found: Kind = next((kind for kind, fields in FIELDS.items() if fields.items() <= kinds.items()), "other")
        return "image-domains" if found == "image-pairs" and not self.is_paired else found

    @property
    def is_paired(self) -> bool:
        """Whether all fields belong together sample by sample."""
        return all(one.paired for one in self.fields.values())

    def has_fingerprint(self, known: str) -> bool:
        """Whether a fingerprint that a run keeps is that of these contents, in any version of the library."""
        first = self.first_fingerprint
        return known == self.fingerprint or (first is not None and known == first())

    def sample(self, place: int) -> dict[str, Any]:
        """Return the raw values of one sample by the names of their fields; those without pairs are left out."""
        return {name: one[place] for name, one in self.fields.items() if one.paired}

    def take(self, places: np.ndarray) -> "Dataset":
        """Return the data set of the samples at some places `(samples,)`; fields without pairs stay whole."""
        fields = {name: one.take(places) if one.paired else one for name, one in self.fields.items()}
        return replace(self, fields=fields)

    def in_memory(self, most: int) -> "Dataset":
        """Return the data set; of one whose samples stay on disk in groups at most `most`, evenly spread over all."""
        if not isinstance(self.main.values, InGroups):
            return self
        places = evenly_in_runs(len(self), most)
        held = replace(self, fields={name: one.take(places) for name, one in self.fields.items()})
        if self.is_classification and held.targets is not None and (held.targets < 0).any():  # rows without a class
            return held.take(np.flatnonzero(held.targets >= 0))
        return held

    def with_values(self, **values: Values) -> "Dataset":
        """Return the data set with other values in some of its fields."""
        fields = {name: replace(self.fields[name], values=other) for name, other in values.items()}
        return replace(self, fields={**self.fields, **fields})

    def with_note(self, note: str) -> "Dataset":
        return replace(self, notes=(*self.notes, note))

    # What a data set of inputs and targets has, by the names that those who learn from one know.

    @property
    def inputs(self) -> Values:
        return self.main.values

    @property
    def targets(self) -> np.ndarray | None:
        """Class numbers `(samples,)` int64, or values `(samples,)` or `(samples, outputs)` float32, or None."""
        return _values_of(self.fields, "targets")

    @property
    def test_inputs(self) -> Values | None:
        return next(iter(self.test_fields.values())).values if self.test_fields else None

    @property
    def test_targets(self) -> np.ndarray | None:
        """Class numbers, (samples,), or values, (samples, outputs), of a test part that came with the data."""
        return _values_of(self.test_fields, "targets")

    @property
    def label_names(self) -> tuple[str, ...]:
        """What class 0, 1, ... are called; empty for values."""
        targets = self.fields.get("targets")
        return targets.names if targets is not None and targets.kind == "classes" else ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """What the columns of rows or of a series are called, or the one column that texts stand in."""
        if self.main.kind in ("rows", "series"):
            return self.main.names
        return (self.main.called,) if self.main.kind == "texts" and self.main.called else ()

    @property
    def target_names(self) -> tuple[str, ...]:
        """What the outputs of values are called, or the one column of the classes."""
        targets = self.fields.get("targets")
        if targets is None:
            return ()
        return targets.names if targets.kind in ("values", "labels") else tuple(filter(None, (targets.called,)))

    @property
    def is_classification(self) -> bool:
        return "targets" in self.fields and self.fields["targets"].kind == "classes"


def _targets(values: np.ndarray, label_names: tuple[str, ...], target_names: tuple[str, ...]) -> Field:
    if values.dtype.kind == "b" and values.ndim == 2:
        return Field(kind="labels", values=values, names=target_names)
    if values.dtype.kind == "i":
        return Field(kind="classes", values=values, names=label_names, called="".join(target_names[:1]))
    return Field(kind="values", values=values, names=target_names)


def _values_of(fields: Mapping[str, Field], name: str) -> np.ndarray | None:
    return np.asarray(fields[name].values) if name in fields else None


def _refuse_uneven(fields: Mapping[str, Field], where: str) -> None:
    lengths = {name: len(one) for name, one in fields.items() if one.paired}
    if len(set(lengths.values())) > 1:
        raise DataError(
            "the fields of this data differ in number",
            where=where,
            expected="one value of each for every sample",
            found=", ".join(f"{count} {name}" for name, count in lengths.items()),
        )


def _refuse_unlike(fields: Mapping[str, Field], test_fields: Mapping[str, Field], where: str) -> None:
    """Raise where a field of the test part is none of the training part, or of another kind there."""
    for name, one in test_fields.items():
        known = fields.get(name)
        if known is None or known.kind != one.kind:
            raise DataError(
                "the test part has a field that the training part lacks",
                where=where,
                expected=", ".join(f"{name} ({field.kind})" for name, field in fields.items()),
                found=f"{name} ({one.kind})",
            )
