"""What words alone foretell: forms are chosen by texts held back, classes nobody showed get nothing, weights count."""

import numpy as np
import pytest
import torch

from ganglion.data.preprocessing.ragged import Ragged
from ganglion.nn.language.bags import WordCounts
from ganglion.tasks.shared.texts.counting import UNMET, Texts, fit_counts

WORDS = 20


def texts(rows: list[list[int]], classes: list[int], weights: list[float] | None = None) -> Texts:
    inputs = Ragged.of([torch.tensor(row) for row in rows])
    return Texts(inputs, np.array(classes), None if weights is None else np.array(weights))


def in_order(count: int, seed: int) -> Texts:
    """Return texts of the same words whose class is which of two comes first, words between them or not."""
    random = np.random.default_rng(seed)
    rows, classes = [], []
    for _ in range(count):
        first = int(random.integers(2))
        others = random.integers(5, WORDS, 4).tolist()
        rows.append([*others[:2], *((2, 3) if first else (3, 2)), *others[2:]])
        classes.append(first)
    return texts(rows, classes)


@pytest.mark.parametrize("held_back", [None, in_order(200, seed=1)])
def test_what_order_decides_is_foretold_by_neighbours_alone(held_back: Texts | None) -> None:
    counts = WordCounts(WORDS, 2, 64)
    form = fit_counts(counts, in_order(120, seed=0), held_back)
    assert form is not None and form.pairs
    asked = in_order(100, seed=2)
    said = counts(asked.inputs.padded(torch.arange(100))[0]).argmax(1).numpy()
    assert (said == asked.targets).mean() > 0.9
    alone = WordCounts(WORDS, 2)
    fit_counts(alone, in_order(120, seed=0), held_back)
    said = alone(asked.inputs.padded(torch.arange(100))[0]).argmax(1).numpy()
    assert (said == asked.targets).mean() < 0.75


def test_what_is_written_into_the_network_is_what_was_fitted() -> None:
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    rows = [random.integers(2, WORDS, random.integers(3, 9)).tolist() for _ in range(90)]
    classes = [min(row) % 3 * 2 for row in rows]  # of five classes nobody is of two
    counts, training = WordCounts(WORDS, 5, 16), texts(rows, classes)
    form = fit_counts(counts, training, None)
    assert form is not None
    features = training.features(counts, form)
    model = LogisticRegression(C=form.strength, max_iter=1000).fit(features, training.targets)
    said = counts(training.inputs.padded(torch.arange(90))[0])
    expected = torch.from_numpy(model.decision_function(features)).float()
    torch.testing.assert_close(said[:, [0, 2, 4]], expected, atol=0.02, rtol=0.02)
    assert (said[:, [1, 3]] == UNMET).all()


def test_texts_count_as_their_weights_say() -> None:
    rows, classes = [[2], [2]] * 40, [0, 1] * 40
    counts = WordCounts(WORDS, 2)
    for favoured in (0, 1):
        fit_counts(counts, texts(rows, classes, [4.0 if one == favoured else 0.25 for one in classes]), None)
        assert int(counts(torch.tensor([[2]])).argmax()) == favoured


def test_where_all_are_of_one_class_nothing_is_fitted() -> None:
    counts = WordCounts(WORDS, 2)
    assert fit_counts(counts, texts([[2], [3]], [1, 1]), None) is None
    assert not counts.weight.any() and not counts.bias.any()
