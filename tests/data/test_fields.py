"""Fields have the form of their kind, fit together, and come back from a run's folder as they were."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ganglion.data.dataset import Dataset
from ganglion.data.fields import FORMS, Boxes, Field, FieldKind
from ganglion.data.formats.stored import STORED, store, stored
from ganglion.errors import DataError

RANDOM = np.random.default_rng(0)
SIZES = (3, 1, 4)


def boxes(count: int) -> Boxes:
    return Boxes(RANDOM.random((count, 4), np.float32), np.arange(count), (20, 30))


SOUND: dict[FieldKind, list] = {
    "images": [np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 8, 3)), [np.zeros((n, 9, 1), np.uint8) for n in SIZES]],
    "masks": [np.zeros((3, 8, 8), np.int64), [np.zeros((n, 9), np.uint8) for n in SIZES]],
    "boxes": [[boxes(n) for n in (2, 0, 1)]],
    "classes": [np.array([0, 1, 0])],
    "labels": [np.zeros((3, 2), bool), np.ones((3, 4), np.int64)],
    "values": [np.zeros(3), np.zeros((3, 2), np.float32)],
    "rows": [np.zeros((3, 4)), np.array([["a", 1.0], ["b", None], ["a", 2.0]], dtype=object)],
    "ratings": [np.array([0.5, 5.0, 3.0])],
    "text": [["one long text"]],
    "texts": [["a text", "", "another one"]],
    "tokens": [[np.arange(n) for n in SIZES], np.zeros((3, 5), np.int64)],
    "tagged": [[[("a", "X")], [("b", "Y"), ("c", "Z")], []]],
    "waveforms": [[np.zeros(n, np.float32) for n in SIZES], [np.zeros((n, 2), np.int16) for n in SIZES]],
    "strokes": [[RANDOM.normal(size=(n, 3)).astype(np.float32) for n in SIZES]],
    "films": [[np.zeros((n, 8, 8, 1), np.uint8) for n in SIZES]],
    "step-classes": [[np.zeros(n, np.int64) for n in SIZES], np.zeros((3, 4), np.int64)],
    "series": [np.zeros((30, 2), np.float32)],
    "short-series": [np.zeros((3, 10, 2), np.float32)],
    "panel": [[np.zeros((n, 2)) for n in SIZES]],
    "weights": [np.array([1.0, 0.0, 2.0])],
}
ODD: dict[FieldKind, list] = {
    "images": [np.zeros((3, 8)), np.zeros((3, 8, 8, 2)), [np.zeros((8, 8, 4))], [1, 2], np.zeros((3, 8, 8), "U1")],
    "masks": [np.zeros((3, 8, 8)), [np.zeros((8, 8, 3), np.uint8)]],
    "boxes": [np.zeros((3, 4)), [np.zeros((3, 4))], [Boxes(np.zeros((3, 4)), np.zeros(2), (20, 30))]],
    "classes": [np.array([0.0, 1.0]), np.zeros((3, 1), np.int64), [0, 1]],
    "labels": [np.zeros(3, bool), np.zeros((3, 2)), [(0, 1)]],
    "values": [np.array(["a", "b"]), np.zeros((3, 1, 1)), [0.5, 1.5]],
    "rows": [np.zeros(3), [[1, 2], [3, 4]]],
    "ratings": [np.zeros((3, 2)), np.array(["good"])],
    "text": [[1]],
    "texts": [["a", None], np.zeros(3)],
    "tokens": [[np.zeros(3)], np.zeros((3, 5))],
    "tagged": [["words only"], [[("a", "b", "c")]]],
    "waveforms": [np.zeros(3), [np.zeros((1, 2, 3))]],
    "strokes": [[np.zeros((4, 2))], np.zeros((3, 4, 3))],
    "films": [[np.zeros((8, 8, 1))]],
    "step-classes": [[np.zeros(3)], np.zeros(3, np.int64)],
    "series": [np.zeros(30)],
    "short-series": [np.zeros((3, 10)), [np.zeros((10, 2))]],
    "panel": [np.zeros((3, 10)), [np.zeros(10)]],
    "weights": [np.zeros((3, 1))],
}


def test_every_kind_says_what_it_expects() -> None:
    assert set(FORMS) == set(SOUND) == set(ODD)


@pytest.mark.parametrize("kind", SOUND)
def test_values_of_their_kind_are_taken_and_others_refused(kind: FieldKind) -> None:
    for values in SOUND[kind]:
        Dataset(name="sound", fields={"it": Field(kind=kind, values=values)})
    for values in ODD[kind]:
        with pytest.raises(DataError) as caught:
            Dataset(name="odd", fields={"it": Field(kind=kind, values=values)})
        assert caught.value.expected == FORMS[kind].words
        assert "odd, field it" in caught.value.where


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(DataError, match="no kind of field"):
        Dataset(name="odd", fields={"it": Field(kind="image", values=np.zeros((2, 4, 4)))})  # type: ignore[arg-type]


def test_paired_fields_must_be_of_one_length_and_others_need_not() -> None:
    images, texts = np.zeros((3, 4, 4), np.uint8), ["one", "two"]
    fields = {"inputs": Field(kind="images", values=images), "captions": Field(kind="texts", values=texts)}
    with pytest.raises(DataError, match="differ in number") as caught:
        Dataset(name="odd", fields=fields)
    assert caught.value.found == "3 inputs, 2 captions"
    apart = [Field(kind="images", values=images[:count], paired=False) for count in (2, 3)]
    domains = Dataset(name="domains", fields=dict(zip(("source", "target"), apart, strict=True)))
    assert (domains.kind, len(domains), domains.sample(0)) == ("image-domains", 3, {})


def test_the_test_part_has_the_fields_of_the_training_part() -> None:
    fields = {"inputs": Field(kind="images", values=np.zeros((3, 4, 4), np.uint8))}
    for name, kind in (("masks", "images"), ("inputs", "masks")):
        with pytest.raises(DataError, match="lacks"):
            Dataset(
                name="odd",
                fields=fields,
                test_fields={name: Field(kind=kind, values=np.zeros((1, 4, 4), np.uint8))},  # type: ignore[arg-type]
            )


def test_kinds_of_data_are_told_by_their_fields() -> None:
    def kind(**fields: str) -> str:
        values = {name: Field(kind=one, values=SOUND[one][0]) for name, one in fields.items()}  # type: ignore[index,arg-type]
        return Dataset(name="data", fields=values).kind

    assert kind(inputs="images") == kind(inputs="images", targets="classes", weights="weights") == "image"
    assert kind(inputs="images", masks="masks") == "image-masks"
    assert kind(inputs="images", boxes="boxes") == "image-boxes"
    assert kind(inputs="images", captions="texts") == "captions"
    assert kind(source="images", target="images") == "image-pairs"
    assert kind(source="texts", target="texts") == "text-pairs"
    assert kind(users="classes", items="classes", ratings="ratings") == "ratings"
    assert kind(inputs="waveforms", targets="classes") == "sounds"
    assert kind(something="images") == "other"


def test_inputs_and_targets_are_found_in_their_fields() -> None:
    rows, classes = np.zeros((4, 2), np.float32), np.array([0, 1, 1, 0])
    data = Dataset.of(
        name="d", kind="tabular", inputs=rows, targets=classes, test_inputs=rows[:1], test_targets=classes[:1],
        label_names=("no", "yes"), column_names=("a", "b"), target_names=("answer",),
    )  # fmt: skip
    assert data.inputs is rows and data.targets is classes
    assert data.test_targets is not None and data.test_targets.tolist() == [0]
    assert (data.label_names, data.column_names, data.target_names) == (("no", "yes"), ("a", "b"), ("answer",))
    assert data.is_classification and len(data.take(np.array([3, 1]))) == 2
    values = Dataset.of(name="d", kind="tabular", inputs=rows, targets=rows, target_names=("x", "y"))
    assert (values.target_names, values.label_names, values.is_classification) == (("x", "y"), (), False)
    texts = Dataset.of(name="d", kind="documents", inputs=["a", "b"], column_names=("review",))
    assert (texts.column_names, texts.targets, texts.test_inputs) == (("review",), None, None)
    images = Field(kind="images", values=np.zeros((2, 4, 4)), called="photos")
    assert Dataset(name="d", fields={"inputs": images}).column_names == ()


def same(left: object, right: object) -> bool:
    if isinstance(left, Boxes) and isinstance(right, Boxes):
        return same(tuple(left), tuple(right))
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and left.tolist() == right.tolist()
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


@pytest.mark.parametrize("kind", SOUND)
def test_a_run_keeps_every_kind_of_field(kind: FieldKind, tmp_path: Path) -> None:
    for values in SOUND[kind]:
        field = Field(kind=kind, values=values, names=("one", "two"), called="column", rate=8000)
        dataset = Dataset(name="all", fields={"it": field}, test_fields={"it": field}, fingerprint="f")
        store(dataset, tmp_path)
        back = stored(tmp_path)
        assert (back.name, back.fingerprint, back.source) == ("all", "f", STORED)
        for part in (back.fields, back.test_fields):
            found = part["it"]
            assert (found.kind, found.names, found.called, found.rate) == (kind, ("one", "two"), "column", 8000)
            assert same(found.values, values)


def test_data_of_format_1_is_read(tmp_path: Path) -> None:
    description = {
        "name": "arrays", "kind": "tabular", "fingerprint": "f",
        "label_names": ["no", "yes"], "column_names": ["a", "b"],
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / STORED, "w") as file:
        file.writestr("about.json", json.dumps(description))
        file.writestr("inputs.json", json.dumps([["x", 1.0], ["y", None]]))
        with file.open("targets.npy", "w") as entry:
            np.lib.format.write_array(entry, np.array([1, 0]))
    data = stored(tmp_path)
    assert isinstance(data.inputs, np.ndarray)
    assert data.inputs.tolist() == [["x", 1.0], ["y", None]]
    assert (data.label_names, data.column_names, data.targets.tolist()) == (("no", "yes"), ("a", "b"), [1, 0])  # type: ignore[union-attr]


def test_damaged_data_of_a_run_is_named(tmp_path: Path) -> None:
    field = Field(kind="tokens", values=[np.arange(3), np.arange(2)])
    store(Dataset(name="d", fields={"it": field}), tmp_path)
    with zipfile.ZipFile(tmp_path / STORED) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    for name in entries:
        with zipfile.ZipFile(tmp_path / STORED, "w") as file:
            for other, content in entries.items():
                if other != name:
                    file.writestr(other, content)
        with pytest.raises(DataError, match="damaged"):
            stored(tmp_path)
    (tmp_path / STORED).write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="damaged"):
        stored(tmp_path)
