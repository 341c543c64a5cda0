"""Drawings in files: arrays of arrays that nothing runs, Quick, Draw!, SVG, folders, and what is refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.formats.strokes.object_arrays import arrays_within
from ganglion.data.formats.strokes.reading import drawings_in
from ganglion.data.formats.strokes.svg import read_svg
from ganglion.data.formats.strokes.svg_paths import path_lines
from ganglion.data.settings import DataSettings
from ganglion.data.strokes import cut, lines_of, moves_of, simplified
from ganglion.errors import DataError
from tests.hostile.payloads import pickles

SQUARE = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 1], [-5, 5, 0], [2, 0, 1]], dtype=np.int16)


def objects(*arrays: Any) -> np.ndarray:
    held = np.empty(len(arrays), dtype=object)
    held[:] = arrays
    return held


def drawings(path: Path) -> Dataset:
    return read(path, DataSettings(), "drawings")


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_of_arrays_are_read_as_numpy_reads_them(protocol: int) -> None:
    kinds = [SQUARE, SQUARE.astype(">f8"), np.asfortranarray(SQUARE.astype(np.float16)), SQUARE[:1].astype(np.uint8)]
    found = arrays_within(pickle.dumps(objects(*kinds), protocol), len(kinds), "x.npz")
    assert all(one.dtype == two.dtype and np.array_equal(one, two) for one, two in zip(found, kinds, strict=True))


def test_a_set_brings_its_parts(tmp_path: Path) -> None:
    parts = {"train": [SQUARE] * 4, "valid": [SQUARE[:3]] * 2, "test": [SQUARE[:2]] * 3}
    np.savez_compressed(tmp_path / "set.npz", **{name: objects(*part) for name, part in parts.items()})
    found = drawings(tmp_path / "set.npz")
    assert found.kind == "drawings" and len(found) == 6 and found.validation is not None
    assert found.validation.tolist() == [4, 5] and len(found.test_fields["inputs"]) == 3
    assert np.array_equal(found.inputs[0], SQUARE) and found.inputs[0].dtype == np.float32
    assert len(drawings_in(tmp_path / "set.npz")) == 9


def test_five_columns_and_one_array_are_moves_too(tmp_path: Path) -> None:
    five = np.zeros((2, 4, 5), np.float32)
    five[:, :2, 2], five[:, 2, 3], five[:, 3, 4] = 1, 1, 1
    np.save(tmp_path / "five.npy", five)
    assert [one.tolist() for one in drawings(tmp_path / "five.npy").inputs] == [[[0, 0, 0], [0, 0, 0], [0, 0, 1]]] * 2


def test_no_program_within_an_array_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"
    for name, content in pickles(canary):
        with pytest.raises(DataError, match="could run code"):
            arrays_within(content, 1, name)
        array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content
        (tmp_path / "hostile.npy").write_bytes(array)
        with pytest.raises(DataError, match="could run code"):
            drawings(tmp_path / "hostile.npy")
        assert not canary.exists(), name


class Call:
    """Pickles as a call of whatever."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    "hidden",
    [
        Call(print, "sung"),
        Call(np.zeros, 3),
        Call(np.dtype, "V8"),
        Call(np.ndarray, (1 << 40,)),
        {"a": SQUARE},
        "text",
        objects(SQUARE),
        np.array(["a"]),
        np.zeros(1, dtype=[("a", "i4")]),
    ],
)
def test_whatever_is_no_array_of_numbers_is_refused(hidden: Any) -> None:
    for protocol in (2, 4):
        with pytest.raises(DataError, match="no arrays of numbers") as refused:
            arrays_within(pickle.dumps(objects(SQUARE, hidden), protocol), 2, "x.npz")
        assert refused.value.found and refused.value.remedy


def test_a_damaged_program_is_refused_and_a_small_one_cannot_fill_the_memory() -> None:
    whole = pickle.dumps(objects(*[SQUARE] * 3), 4)
    for end in range(0, len(whole), 7):
        with pytest.raises(DataError):
            arrays_within(whole[:end], 3, "x.npz")
    big = np.zeros((1000, 3))
    with pytest.raises(DataError, match="in the header"):
        arrays_within(pickle.dumps(objects(*[big] * 1000), 4), 1000, "x.npz")  # one array, said a thousand times
    with pytest.raises(DataError, match="in the header"):
        arrays_within(whole, 4, "x.npz")


def test_quick_draw_is_read_with_its_words(tmp_path: Path) -> None:
    rows = [{"word": word, "drawing": [[[0, 10, 10], [0, 0, 10]], [[5, 7], [15, 15]]]} for word in ("cat", "dog") * 3]
    (tmp_path / "zoo.ndjson").write_text("\n".join(map(json.dumps, rows)) + "\r\n", encoding="utf-8")
    found = read(tmp_path / "zoo.ndjson", DataSettings())
    assert found.label_names == ("cat", "dog") and found.targets.tolist() == [0, 1] * 3
    assert np.array_equal(found.inputs[0], SQUARE)


@pytest.mark.parametrize(
    "content",
    [
        {"drawing": [[[0, 10, 10], [0, 0, 10], [1, 2, 3]], [[5, 7], [15, 15], [4, 5]]]},  # with times
        {"lines": [[[0, 0], [10, 0], [10, 10]], [[5, 15], [7, 15]]]},
        [[[0, 0], [10, 0], [10, 10]], [[5, 15], [7, 15]]],
        SQUARE.tolist(),
        [{"drawing": [[[0, 10, 10], [0, 0, 10]], [[5, 7], [15, 15]]]}],
    ],
)
def test_one_drawing_may_be_written_in_many_ways(content: Any, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(content), encoding="utf-8")
    (found,) = drawings_in(tmp_path / "one.json")
    assert np.array_equal(found.moves, SQUARE)


def test_svg_is_drawn_where_its_groups_put_it(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100"><defs><path d="M0 0h9"/></defs>'
        '<g transform="translate(10, 20) scale(2)"><polyline points="0,0 5,0 5,5"/><g transform="rotate(90)">'
        '<line x1="1" y1="2" x2="3" y2="2"/></g></g><rect x="1" y="2" width="30" height="40"/></svg>'
    )
    lines, paper = read_svg(tmp_path / "a.svg")
    assert paper == 200
    expected = [[[10, 20], [20, 20], [20, 30]], [[6, 22], [6, 26]], [[1, 2], [31, 2], [31, 42], [1, 42], [1, 2]]]
    assert [line.round(6).tolist() for line in lines] == expected


def test_paths_are_those_of_the_standard() -> None:
    (circle,) = path_lines("M10 0a10 10 0 1120 0 10 10 0 11-20 0")  # flags without anything between them
    assert np.allclose(np.hypot(*(circle - (20, 0)).T), 10)
    (curve,) = path_lines("M0 0C0 10 10 10 10 0S20-10 20 0")
    assert np.allclose(curve[8], (5, 7.5)) and np.allclose(curve[24], (15, -7.5)) and len(curve) == 33
    (parabola,) = path_lines("M0 0Q5 10 10 0T20 0")
    assert np.allclose(parabola[8], (5, 5)) and np.allclose(parabola[24], (15, -5))
    assert [len(line) for line in path_lines("m1 1 2 0v3H1z l-1-1 M5 5L6 6")] == [5, 2, 2]
    with pytest.raises(DataError, match="cannot be followed"):
        path_lines("L1 1")


def test_a_folder_of_drawings_names_what_they_show(tmp_path: Path) -> None:
    for kind in ("boat", "tree"):
        (tmp_path / kind).mkdir()
        for number in range(3):
            drawn = f'<svg><path d="M0 0L{number + 1} 3L9 9"/></svg>'
            (tmp_path / kind / f"{number}.svg").write_text(drawn)
    found = drawings(tmp_path)
    assert found.label_names == ("boat", "tree") and len(found) == 6
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no drawings"):
        drawings(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.ndjson", b'{"drawing": [[[0, 1], [0, 1]]]}\n{"drawing": [[[0, 1], [0', "line 2"),
        ("a.ndjson", b'{"drawing": []}\n{"drawing": []}', "no drawing"),
        ("a.json", b'{"drawing": [[["a"], ["b"]]]}', "no drawing"),
        ("a.json", b"[1, 2, 3]", "no drawing"),
        ("a.json", b"\xff\xfe", "no JSON"),
        ("a.svg", b"<svg>", "no SVG"),
        ("a.svg", b"<svg/>", "no line"),
        ("a.svg", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "entities"),
        ("a.svg", b'<svg><path d="M0 0L1"/></svg>', "cannot be followed"),
        ("a.txt", b"M0 0", "hold no drawings"),
    ],
)
def test_what_is_no_drawing_is_refused(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        drawings_in(tmp_path / name)


def test_arrays_that_are_no_moves_are_named(tmp_path: Path) -> None:
    for wrong, said in (
        (np.zeros((4, 2)), "moves"),
        (np.array([[0, np.nan, 1.0]]), "finite"),
        (np.array([[0, 0, 7]]), "finite"),
    ):
        np.savez(tmp_path / "wrong.npz", train=objects(SQUARE, wrong))
        with pytest.raises(DataError, match=said) as refused:
            drawings(tmp_path / "wrong.npz")
        assert "train 1" in refused.value.where


def test_moves_and_lines_are_the_same_drawing() -> None:
    lines = lines_of(SQUARE)
    assert np.array_equal(moves_of(lines), SQUARE)
    pieces = cut(SQUARE, 3.0)
    assert len(pieces) == 1 + 4 + 4 + 1 + 1 and [len(line) for line in lines_of(pieces)] == [9, 2]
    assert np.allclose(pieces[:, :2].sum(0), SQUARE[:, :2].sum(0))
    circle = np.column_stack([np.cos(np.linspace(0, 6, 200)), np.sin(np.linspace(0, 6, 200))])
    few = simplified(circle, 0.02)
    assert len(few) < 25
    steps = np.linspace(few[:-1], few[1:], 20, axis=1).reshape(-1, 2)
    assert np.abs(np.hypot(*steps.T) - 1).max() < 0.021
