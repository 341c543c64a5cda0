"""The data check looks at every kind of field, and at leaks between parts in each."""

from collections.abc import Sequence

import numpy as np

from ganglion.data.check import check
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Boxes, Field, FieldKind
from ganglion.data.settings import DataSettings
from ganglion.data.splits import sample_keys, split

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (40, 6, 6), dtype=np.uint8)
OTHERS = RANDOM.integers(0, 256, (40, 6, 6), dtype=np.uint8)


def data(**fields: tuple[FieldKind, object]) -> Dataset:
    made = {name: Field(kind=kind, values=values) for name, (kind, values) in fields.items()}  # type: ignore[arg-type]
    return Dataset(name="data", fields=made)


def names(dataset: Dataset) -> dict[str, str]:
    return {finding.name: finding.level for finding in check(dataset)}


def test_sound_fields_have_no_findings() -> None:
    masks = IMAGES % 3
    assert names(data(inputs=("images", IMAGES), masks=("masks", masks))) == {}
    boxes = [Boxes(np.array([[0, 1, 3, 6.0]]), np.array([0]), (6, 6))] * 40
    assert names(data(inputs=("images", IMAGES), boxes=("boxes", boxes))) == {}
    assert names(data(source=("images", IMAGES), target=("images", OTHERS))) == {}


def test_masks_and_boxes() -> None:
    masks = IMAGES % 3
    masks[4] = 1
    assert names(data(inputs=("images", IMAGES), masks=("masks", masks))) == {"flat-masks": "warn"}
    assert names(data(inputs=("images", IMAGES), masks=("masks", masks * 0)))["one-class-masks"] == "stop"
    none = Boxes(np.empty((0, 4)), np.empty(0, dtype=np.int64), (6, 6))
    boxes: Sequence[Boxes] = [
        none, Boxes(np.array([[2, 2, 2, 4.0]]), np.array([0]), (6, 6)),
        *[Boxes(np.array([[-1, 0, 3, 7.0]]), np.array([0]), (6, 6))] * 38,
    ]  # fmt: skip
    found = names(data(inputs=("images", IMAGES), boxes=("boxes", boxes)))
    assert found == {"images-without-boxes": "warn", "flat-boxes": "warn", "boxes-outside": "warn"}
    assert names(data(inputs=("images", IMAGES), boxes=("boxes", [none] * 40)))["no-boxes"] == "stop"


def test_sequences_sounds_ratings_and_weights() -> None:
    texts = [f"text {number}" for number in range(39)] + ["  "]
    assert names(data(inputs=("texts", texts))) == {"empty-texts": "warn"}
    sounds = [RANDOM.normal(size=20) for _ in range(39)]
    assert names(data(inputs=("waveforms", [*sounds, np.zeros(20)]))) == {"silence": "warn"}
    assert names(data(inputs=("waveforms", [*sounds, np.zeros(0)]))) == {"empty-samples": "stop"}
    users, items = np.arange(40) % 8, np.arange(40) // 8
    ratings = {"users": ("classes", users), "items": ("classes", items)}
    assert names(data(**ratings, ratings=("ratings", RANDOM.random(40)))) == {}  # type: ignore[arg-type]
    assert names(data(**ratings, ratings=("ratings", np.ones(40)))) == {"constant-ratings": "stop"}  # type: ignore[arg-type]
    assert names(data(inputs=("images", IMAGES), weights=("weights", np.arange(40.0) - 1))) == {"odd-numbers": "stop"}


def test_a_leak_in_any_field_is_found() -> None:
    whole = data(source=("images", IMAGES), target=("images", OTHERS))
    test = RANDOM.integers(0, 256, (30, 6, 6), dtype=np.uint8)
    leaked = test.copy()
    leaked[3] = OTHERS[7]
    fields = {"source": Field(kind="images", values=test), "target": Field(kind="images", values=leaked)}
    (finding,) = check(Dataset(name="data", fields=whole.fields, test_fields=fields))
    assert (finding.name, finding.level, finding.where) == ("overlap", "warn", ("sample 3",))
    assert "field target" in finding.message


# Parts of several fields.


def test_paired_fields_are_divided_together() -> None:
    dataset = data(source=("images", IMAGES), target=("images", OTHERS))
    parts = split(dataset, DataSettings(), 0)
    assert sorted(np.concatenate([part.index for part in parts.values()]).tolist()) == list(range(40))
    for part in parts.values():
        assert np.array_equal(part.fields["source"].values, IMAGES[part.index])
        assert np.array_equal(part.fields["target"].values, OTHERS[part.index])


def test_fields_without_pairs_are_divided_on_their_own() -> None:
    apart = {
        name: Field(kind="images", values=values, paired=False)
        for name, values in (("source", IMAGES), ("target", OTHERS[:25]))
    }
    parts = split(Dataset(name="domains", fields=apart), DataSettings(), 0)
    for name, values in (("source", IMAGES), ("target", OTHERS[:25])):
        index = [part.unpaired_index[name] for part in parts.values()]
        assert sorted(np.concatenate(index).tolist()) == list(range(len(values)))
        for part, places in zip(parts.values(), index, strict=True):
            assert np.array_equal(part.fields[name].values, values[places])
    assert [len(part.fields["target"]) for part in parts.values()] == [18, 2, 5]


def test_ratings_are_told_apart_by_who_rated_what() -> None:
    users, items = np.repeat(np.arange(10), 10), np.tile(np.arange(10), 10)
    dataset = data(users=("classes", users), items=("classes", items), ratings=("ratings", RANDOM.random(100)))
    assert len(np.unique(sample_keys(dataset))) == 100
    train = split(dataset, DataSettings(), 0)["train"]
    assert set(np.asarray(train.fields["users"].values).tolist()) == set(range(10))
