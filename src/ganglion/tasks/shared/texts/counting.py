"""What the words of texts alone foretell: logistic regression on a bag of words, fitted before a network learns."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np
import torch

from ganglion.data.preprocessing.ragged import Ragged
from ganglion.nn.language.bags import WordCounts

BLOCK = 256
"""Texts that are counted at once."""
ENOUGH, FOLDS = 150, 4
"""Texts held back that alone can judge the forms; where there are fewer, each of so many folds of training is."""
MOST_TRIED = 8000
"""Training texts that the forms are tried on at most."""
STEPS, STEPS_OF_TRIALS = (300, 1e-4), (60, 1e-3)
"""Of L-BFGS at most, and the slope at which it ends, when the last model is fitted and in trials."""
FACTOR, STRONGEST, WEAKEST = 3.0, 1e-3, 1e3
"""Between strengths of the penalty that are tried, and their ends."""
UNMET = -20.0
"""Logit of a class that no training text is of."""
LEAST = 1e-6
"""Probability below which no answer is judged."""


@final
@dataclass(frozen=True)
class Form:
    """A way to count, and to fit what was counted."""

    weighed: bool
    """Whether words count as often as they stand there and as rare as they are, or only whether they do."""
    pairs: bool
    """Whether pairs of neighbours count, too."""
    strength: float
    """Inverse of the penalty on squared weights, `C` of scikit-learn."""


FORMS = (Form(True, False, 3.0), Form(True, True, 10.0), Form(False, False, 0.3), Form(False, True, 0.3))
"""The kinds of forms, each with the strength that is tried first."""


@dataclass
class Texts:
    """Texts as numbers of words, with their classes (texts,) and how much each counts (texts,), None for all alike."""

    inputs: Ragged
    targets: np.ndarray
    weights: np.ndarray | None = None
    counted: dict[tuple[bool, bool], Any] = field(default_factory=dict)
    """What was counted already, by the kind of form."""

    def features(self, counts: WordCounts, form: Form) -> Any:
        """Return x of every text, sparse (texts, words known and pairs)."""
        from scipy.sparse import csr_matrix, vstack

        def counted(block: torch.Tensor) -> Any:
            numbers, shares = (one.numpy() for one in counts.shares(self.inputs.padded(block)[0]))
            rows = np.repeat(np.arange(len(numbers)), numbers.shape[1])
            return csr_matrix(
                (shares.ravel().astype(np.float64), (rows, numbers.ravel())), (len(numbers), len(counts.rarity))
            )

        kind = (form.weighed, form.pairs)
        if kind not in self.counted:
            _count_as(counts, form)
            blocks = torch.arange(len(self.inputs)).split(BLOCK)
            with torch.inference_mode():
                found = vstack([counted(block) for block in blocks]).tocsr()
            found.eliminate_zeros()
            self.counted[kind] = found if form.pairs else found[:, : counts.words]
        return self.counted[kind]


def fit_counts(counts: WordCounts, training: Texts, held_back: Texts | None) -> Form | None:
    """Fit y = B x + f to training texts in the form that other texts are foretold best by, and return that form.

    First the kinds of form are tried, then weaker and stronger penalties of the best. What decides is the mean of
    -log p(class) over texts that are held back, or over folds of the training texts. Where all are of one class there
    is nothing to fit.

    Args:
        counts: is changed.
        training: what is fitted to.
        held_back: texts of the validation part, if there is one.
    """
    if len(np.unique(training.targets)) < 2:
        return None
    counts.rarity.fill_(1.0)
    there = training.features(counts, Form(False, counts.pairs > 0, 1.0))
    rarity = np.log((1 + there.shape[0]) / (1 + np.asarray(there.sum(0)).ravel())) + 1
    counts.rarity.copy_(torch.from_numpy(rarity))
    surprises: dict[Form, float] = {}

    def surprise(form: Form) -> float:
        if form not in surprises:
            surprises[form] = _surprise(counts, form, training, held_back)
        return surprises[form]

    best = min((form for form in FORMS if counts.pairs or not form.pairs), key=surprise)
    for factor in (FACTOR, 1 / FACTOR):
        while STRONGEST < best.strength < WEAKEST:
            further = replace(best, strength=best.strength * factor)
            if surprise(further) >= surprise(best):
                break
            best = further
    fitted = Fitted(best, training.features(counts, best), training.targets, training.weights, STEPS)
    _count_as(counts, best)
    fitted.write_into(counts)
    return best


@final
class Fitted:
    """Logistic regression on those words and pairs that the texts have, of some texts.

    Args:
        form: how was counted, and how strong the penalty is.
        features: x of every text, sparse (texts, words known and pairs).
        targets: classes (texts,).
        weights: how much each text counts (texts,), None for all alike.
        steps: of L-BFGS at most, and the slope at which it ends.
    """

    def __init__(
        self, form: Form, features: Any, targets: np.ndarray, weights: np.ndarray | None, steps: tuple[int, float]
    ) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        self.met = np.flatnonzero(features.getnnz(axis=0))
        model = LogisticRegression(C=form.strength, max_iter=steps[0], tol=steps[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # as far as it has come is far enough
            self.model = model.fit(features[:, self.met], targets, weights)

    def surprise(self, features: Any, targets: np.ndarray) -> float:
        """Return the mean of -log p(class) of texts with these features, sparse (texts, ...), and classes (texts,)."""
        classes, chances = self.model.classes_, self.model.predict_proba(features[:, self.met])
        places = np.searchsorted(classes, targets).clip(max=len(classes) - 1)
        right = np.where(classes[places] == targets, chances[np.arange(len(targets)), places], 0.0)
        return float(-np.log(right.clip(min=LEAST)).mean())

    def write_into(self, counts: WordCounts) -> None:
        """Let a network answer so; classes that no text was of get nothing."""
        weight, bias = torch.from_numpy(self.model.coef_), torch.from_numpy(self.model.intercept_)
        if len(weight) == 1:  # of two classes there is one row
            weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
        classes = torch.from_numpy(self.model.classes_)
        rows = counts.weight.new_zeros(len(weight), counts.weight.shape[1])
        rows[:, torch.from_numpy(self.met)] = weight.to(rows.dtype)
        counts.weight.zero_().index_copy_(0, classes, rows)
        counts.bias.fill_(UNMET).index_copy_(0, classes, bias.to(counts.bias.dtype))


def _surprise(counts: WordCounts, form: Form, training: Texts, held_back: Texts | None) -> float:
    """Return the mean of -log p(class) of texts that a model in this form was not fitted to."""
    known, targets = training.features(counts, form)[:MOST_TRIED], training.targets[:MOST_TRIED]
    weights = np.ones(len(targets)) if training.weights is None else training.weights[:MOST_TRIED]
    if held_back is not None and len(held_back.targets) >= ENOUGH:
        fitted = Fitted(form, known, targets, weights, STEPS_OF_TRIALS)
        return fitted.surprise(held_back.features(counts, form), held_back.targets)
    losses = []
    for kept, judged in _folds(len(targets)):
        if len(np.unique(targets[kept])) > 1:
            fitted = Fitted(form, known[kept], targets[kept], weights[kept], STEPS_OF_TRIALS)
            losses.append(fitted.surprise(known[judged], targets[judged]))
    return float(np.mean(losses)) if losses else 0.0


def _folds(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return the places of what is fitted to and of what is judged, for each fold of so many texts."""
    order = np.random.default_rng(0).permutation(count)
    for fold in range(FOLDS):
        judged = np.zeros(count, dtype=bool)
        judged[order[fold::FOLDS]] = True
        yield np.flatnonzero(~judged), np.flatnonzero(judged)


def _count_as(counts: WordCounts, form: Form) -> None:
    """Let words be counted in a form; without pairs, what these count vanishes from the length of a text, too."""
    counts.weighed.fill_(float(form.weighed))
    if counts.pairs:
        counts.with_pairs.fill_(float(form.pairs))
