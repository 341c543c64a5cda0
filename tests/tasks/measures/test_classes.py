"""Measures of answers with classes against scikit-learn and against sums by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_recall_fscore_support, top_k_accuracy_score

from ganglion.figures.classes import by_class
from ganglion.tasks.measures.classes import BINS, counted, measured, reliability
from ganglion.tasks.shared.classes import verdicts

RANDOM = torch.Generator().manual_seed(0)


def test_the_calibration_error_is_the_sum_over_intervals() -> None:
    outputs, targets = torch.randn(500, 4, generator=RANDOM), torch.randint(4, (500,), generator=RANDOM)
    shares, said = outputs.double().softmax(1).max(1)
    error = 0.0
    for interval in range(BINS):
        inside = (shares * BINS >= interval) & (shares * BINS < interval + 1)
        if inside.any():
            gap = (said[inside] == targets[inside]).double().mean() - shares[inside].mean()
            error += float(inside.double().mean() * gap.abs())
    assert measured(outputs, targets)["calibration_error"] == pytest.approx(error)


def test_a_network_that_knows_its_chances_is_calibrated_and_a_boaster_is_not() -> None:
    outputs = torch.randn(20_000, 3, generator=RANDOM)
    targets = torch.multinomial(outputs.softmax(1), 1, generator=RANDOM)[:, 0]
    assert reliability(outputs, targets).error < 0.02
    assert reliability(5 * outputs, targets).error > 0.2
    assert reliability(torch.full((4, 1), 30.0), torch.tensor([1, 1, 1, 0])).error == pytest.approx(0.25)


def test_five_answers_are_asked_of_more_than_five_classes_only() -> None:
    outputs, targets = torch.randn(200, 8, generator=RANDOM), torch.randint(8, (200,), generator=RANDOM)
    expected = top_k_accuracy_score(targets, outputs, k=5)
    assert measured(outputs, targets)["top_5_accuracy"] == pytest.approx(expected)
    assert "top_5_accuracy" not in measured(outputs[:, :5], targets.clamp(max=4))


def test_the_figure_shows_recall_and_precision_of_each_class_the_worst_on_top() -> None:
    truth, said = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2])
    precision, recall, _, support = precision_recall_fscore_support(truth, said)
    figure = by_class(counted(truth, said, 3), ["ant", "bee", "cat"])
    (panel,) = figure.axes
    shown = [bar.get_width() for bar in panel.patches]
    order = np.argsort(recall + precision, kind="stable")
    assert shown == pytest.approx([*recall[order], *precision[order]])
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == [f"{['ant', 'bee', 'cat'][place]} ({support[place]})" for place in order]


def test_all_are_drawn_of_a_single_logit_too() -> None:
    drawn = verdicts(torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([1, 0, 0]), ["no", "yes"])
    assert set(drawn) == {"confusion_matrix", "classes", "reliability"}
