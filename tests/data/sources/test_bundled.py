"""Bundled sets hold what their descriptions say."""

import numpy as np

from ganglion.data.settings import DataSettings
from ganglion.data.sources.bundled import read_bundled
from ganglion.data.splits import split


def test_exam_marks_follow_their_rule() -> None:
    marks = read_bundled("exam-marks")
    assert np.array_equal(marks.targets == 1, np.asarray(marks.inputs).sum(axis=1) > 150)
    assert len(np.unique(marks.inputs, axis=0)) == len(marks)
    parts = split(marks, DataSettings(), 0)
    assert np.bincount(parts["test"].targets).tolist() == [3, 3]


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    digits = read_bundled("digits")
    assert np.array_equal(np.round(digits.inputs[..., 0] / 255 * 16), load_digits().images)
    assert digits.inputs.max() == 255


def test_diabetes_is_a_regression() -> None:
    diabetes = read_bundled("diabetes")
    assert not diabetes.is_classification
    assert diabetes.targets.dtype == np.float32
