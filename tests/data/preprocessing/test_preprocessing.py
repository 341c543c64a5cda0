"""Preprocessing against plain arithmetic, Pillow and scikit-learn; and its way through JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ganglion.data.preprocessing import ImagePreprocessing, SeriesPreprocessing, TabularPreprocessing, read_inputs
from ganglion.errors import ConfigurationError, DataError, ShapeError
from ganglion.settings import from_dict, to_dict

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 9, 7, 3), dtype=np.uint8)


def through_json(preprocessing):  # type: ignore[no-untyped-def]
    return from_dict(type(preprocessing), json.loads(json.dumps(to_dict(preprocessing))))


def test_pixels_are_scaled_into_the_range() -> None:
    found = ImagePreprocessing.fit(PIXELS, low=-0.1, high=1.175)(PIXELS)
    expected = -0.1 + 1.275 * PIXELS.transpose(0, 3, 1, 2) / 255
    assert found.shape == (3, 3, 9, 7)
    assert found.dtype == torch.float32
    assert np.allclose(found.numpy(), expected, atol=1e-6)


def test_colour_becomes_grey_as_in_pillow() -> None:
    found = ImagePreprocessing.fit(PIXELS, channels=1)(PIXELS)[:, 0].numpy() * 255
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in PIXELS])
    assert np.abs(found - expected).max() <= 1


def test_grey_becomes_colour() -> None:
    found = ImagePreprocessing.fit(PIXELS[..., 0], channels=3)(PIXELS[..., 0])
    assert found.shape == (3, 3, 9, 7)
    assert torch.equal(found[:, 0], found[:, 2])


@pytest.mark.parametrize("size", [(5, 5), (18, 14), (32, 32), (3, 20)])
def test_resizing_agrees_with_pillow(size: tuple[int, int]) -> None:
    found = ImagePreprocessing(image_size=size, channels=3)(PIXELS).movedim(1, 3).numpy() * 255
    for image, resized in zip(PIXELS, found, strict=True):
        expected = Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)
        assert np.abs(resized - np.asarray(expected)).max() < 1.01  # Pillow rounds twice.


def test_images_of_different_sizes_and_missing_channels() -> None:
    found = ImagePreprocessing(image_size=8, channels=1)([PIXELS[0], PIXELS[1, :4], PIXELS[2, ..., 0]])
    assert found.shape == (3, 1, 8, 8)


def test_narrow_grey_images_are_not_taken_for_colour() -> None:
    narrow = np.zeros((5, 4, 3), np.uint8)
    assert ImagePreprocessing.fit(narrow)(narrow).shape == (5, 1, 4, 3)


def test_fractions_count_from_0_to_1_and_others_are_refused() -> None:
    convert = ImagePreprocessing.fit(PIXELS)
    assert torch.allclose(convert(PIXELS / 255), convert(PIXELS))
    assert torch.equal(convert(PIXELS.astype(np.int64)), convert(PIXELS))
    for wrong in (PIXELS / 1.0, PIXELS.astype(np.int64) * 2, PIXELS / 255 - 1, np.full((1, 2, 2), np.nan)):
        with pytest.raises(DataError, match="range"):
            convert(wrong)
    with pytest.raises(ShapeError):
        convert(np.zeros((4, 4), np.uint8))
    with pytest.raises(ConfigurationError):
        ImagePreprocessing(image_size=8, channels=2)


def test_inverse_gives_the_pixels_back() -> None:
    convert = ImagePreprocessing.fit(PIXELS, low=-1.0)
    assert np.array_equal(convert.inverse(convert(PIXELS)), PIXELS)


def test_tables_agree_with_scikit_learn() -> None:
    random = np.random.default_rng(1)
    rows = np.empty((200, 4), dtype=object)
    rows[:, 0], rows[:, 2] = random.normal(5, 3, 200), random.normal(1e6, 1e-2, 200)
    rows[:, 1] = random.choice(["red", "green", "blue"], 200)
    rows[:, 3] = 4.0
    rows[::17, 0] = np.nan
    train, test = rows[:150], rows[150:].copy()
    test[3, 1] = "violet"
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    reference = ColumnTransformer(
        [("a", numeric, [0]), ("b", OneHotEncoder(handle_unknown="ignore"), [1]), ("c", numeric, [2, 3])],
        sparse_threshold=0,
    )
    reference.fit(train)
    found = TabularPreprocessing.fit(train, ("size", "colour", "mass", "same"))
    # Standard deviations differ where means stand in for missing numbers: scikit-learn counts them, we do not.
    present = train[:, 0].astype(float)[~np.isnan(train[:, 0].astype(float))]
    expected = np.asarray(reference.transform(test), dtype=np.float64)
    expected[:, 0] *= numeric_deviation(train[:, 0]) / present.std()
    assert found.features == ("size", "colour=blue", "colour=green", "colour=red", "mass", "same")
    assert np.allclose(found(test).numpy(), expected, atol=1e-4)
    assert torch.equal(through_json(found)(test), found(test))


def numeric_deviation(column: np.ndarray) -> float:
    values = column.astype(float)
    return float(np.where(np.isnan(values), np.nanmean(values), values).std())


def test_missing_and_constant_columns_become_nothing() -> None:
    rows = np.array([[1.0, np.nan, 7.0], [3.0, np.nan, 7.0]], dtype=np.float32)
    assert TabularPreprocessing.fit(rows)(np.array([[np.nan, 5.0, 7.0]])).tolist() == [[0.0, 5.0, 0.0]]
    tenths = np.full((300, 1), 0.1)  # Their standard deviation is not exactly nothing.
    assert TabularPreprocessing.fit(tenths)(tenths).abs().max() < 1e-6


def test_wrong_columns_and_text_in_numbers_are_refused() -> None:
    convert = TabularPreprocessing.fit(np.ones((3, 2), np.float32), ("a", "b"))
    with pytest.raises(ShapeError, match="a, b"):
        convert(np.ones((3, 3)))
    with pytest.raises(DataError, match="text"):
        convert(np.array([["x", 1.0]], dtype=object))


def test_series_go_there_and_back() -> None:
    values = np.random.default_rng(0).normal([3, 1e5], [2, 10], (50, 2))
    scale = SeriesPreprocessing.fit(values)
    assert np.allclose(scale(values).numpy(), StandardScaler().fit_transform(values), atol=1e-5)
    assert np.allclose(scale.inverse(scale(values)), values, rtol=1e-6)
    assert through_json(scale) == scale
    with pytest.raises(ShapeError):
        scale(values[:, :1])


def test_preprocessing_survives_json() -> None:
    for size in (28, (28, 20)):
        convert = ImagePreprocessing(image_size=size, channels=1, low=-1)
        assert through_json(convert) == convert


def test_inputs_are_read_from_files(tmp_path: Path) -> None:
    for number, image in enumerate(PIXELS):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    Image.fromarray(PIXELS[0, :4]).save(tmp_path / "z.bmp")
    assert np.array_equal(read_inputs([tmp_path / "0.png", tmp_path / "2.png"], "image"), PIXELS[[0, 2]])
    assert [image.shape for image in read_inputs([tmp_path], "image")] == [(9, 7, 3)] * 3 + [(4, 7, 3)]
    (tmp_path / "rows.csv").write_text("b,extra,a\n1,x,2\n3,y,\n")
    assert np.array_equal(
        read_inputs([tmp_path / "rows.csv"], "tabular", ("a", "b")), [[2, 1], [np.nan, 3]], equal_nan=True
    )
    (tmp_path / "bare.csv").write_text("1,2\n3,4\n")
    assert read_inputs([str(tmp_path / "bare.csv")], "tabular", ("a", "b")).tolist() == [[1, 2], [3, 4]]
    np.savez(tmp_path / "rows.npz", inputs=np.eye(2))
    assert read_inputs([tmp_path / "rows.npz"], "tabular").tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ShapeError, match="lacks"):
        read_inputs([tmp_path / "rows.csv"], "tabular", ("a", "c"))
    with pytest.raises(DataError, match="does not exist"):
        read_inputs([tmp_path / "none.png"], "image")
    with pytest.raises(DataError, match="nothing"):
        read_inputs([], "image")


def test_rows_come_back_in_their_units_and_categories() -> None:
    rows = np.array([[1.0, "red"], [3.0, "blue"], [8.0, "red"]], dtype=object)
    prepared = TabularPreprocessing.fit(rows, ("size", "colour"))
    back = prepared.inverse(prepared(rows))
    assert [row["colour"] for row in back] == ["red", "blue", "red"]
    assert [row["size"] for row in back] == pytest.approx([1.0, 3.0, 8.0], rel=1e-6)
    unnamed = TabularPreprocessing.fit(rows)
    assert list(unnamed.inverse(unnamed(rows))[0]) == ["column 1", "column 2"]
