"""The supervised systems as scikit-learn estimators, for pipelines, cross-validation and searches over options."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self, final

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_array, check_random_state, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor

from ganglion import tasks
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.targets import is_one_hot
from ganglion.data.pixels import channels_last, find_range, to_pixels
from ganglion.errors import UsageError
from ganglion.models import INDEX, System, find
from ganglion.nn.activations import probabilities
from ganglion.runs import weights
from ganglion.runs.options import refuse_overruled, settle
from ganglion.tasks.shared.evaluation import ask
from ganglion.training.callback import Callback, Training
from ganglion.training.machine.seeding import alone, random_state_kept, seed_all
from ganglion.training.trainer import Trainer


class _Estimator(BaseEstimator):
    """What both estimators share; parameters, attributes and errors are those of scikit-learn."""

    _task_name: str

    def __init__(
        self,
        system: str = "mlp",
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        **options: Any,
    ) -> None:
        self.system, self.epochs, self.batch_size, self.random_state = system, epochs, batch_size, random_state
        self._options = options

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all parameters, options among them."""
        return super().get_params(deep) | self._options

    def set_params(self, **params: Any) -> Self:
        """Set parameters; one that is not the estimator's own is an option of the system, looked at by `fit`."""
        own = super().get_params(deep=False)
        self._options = self._options | {name: value for name, value in params.items() if name not in own}
        super().set_params(**{name: value for name, value in params.items() if name in own})
        return self

    def _fit(
        self, inputs: np.ndarray, targets: np.ndarray, sample_weight: Any, label_names: tuple[str, ...] = ()
    ) -> None:
        """Train with the system's own rule, preprocessing and defaults, on all samples unless options say otherwise."""
        system = _supervised(self.system, self._task_name)
        given = {"epochs": self.epochs, "batch_size": self.batch_size}
        given = {name: value for name, value in given.items() if value is not None}
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        config, trainer_settings, data_settings = settle(
            system, {"validation": 0.0, "test": 0.0, **given, **_spelt(self._options), "seed": seed}
        )
        kind: Kind = "tabular" if inputs.ndim == 2 else "image"
        given_weights = None
        if sample_weight is not None:
            given_weights = _check_sample_weight(sample_weight, inputs, dtype=np.float64, ensure_non_negative=True)
            data_settings = replace(data_settings, weights="sample_weight")
        dataset = Dataset.of(
            name="arrays", kind=kind, inputs=inputs, targets=targets, label_names=label_names, weights=given_weights
        )
        task = tasks.find(self._task_name).prepare(dataset, config, data_settings, seed)
        refuse_overruled(self._options, config, task.config)
        history = _History()
        with alone(), random_state_kept():
            seed_all(seed)
            rule = system.load().build(task.config)
            task.begin(rule)
            weights.start(rule, trainer_settings)
            if trainer_settings.adversarial_epsilon:
                task.harden(rule, trainer_settings.adversarial_epsilon, trainer_settings.adversarial_steps)
            if trainer_settings.mixup:
                task.mix(rule, trainer_settings.mixup)
            trainer = Trainer(
                rule,
                task.loader(rule, seed),
                trainer_settings,
                evaluate=task.evaluate if task.has_validation else None,
                measures=task.measures,
                callbacks=[history],
            )
            trainer.fit()
        self.network_ = rule.home.eval()
        self.config_, self.history_ = task.config, history.rows
        # Restored from its state, a task knows how to answer and holds no data.
        self._task: Any = type(task).restore(task.state(), task.config)

    def _checked(self, X: Any, y: Any, **targets: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return samples and targets that can be learnt from; raises the errors that scikit-learn has for others."""
        if not _are_images(X):
            return validate_data(self, X, y, ensure_min_samples=2, ensure_all_finite="allow-nan", **targets)
        images, labels = check_X_y(X, y, allow_nd=True, ensure_min_samples=2, **targets)
        images = channels_last(images) if images.ndim == 4 else images
        self._pixels = find_range(images)
        return self._as_bytes(images), labels

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True  # as in any table, a missing number counts as the mean of its column
        return tags

    def _outputs(self, X: Any) -> Tensor:
        check_is_fitted(self)
        if _are_images(X):
            raw = self._as_bytes(check_array(X, allow_nd=True))
        else:
            raw = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return ask(self.network_, self._task.preprocessing["inputs"](raw))

    def _as_bytes(self, images: np.ndarray) -> np.ndarray:
        """Return pixels as bytes or fractions, on the scale that the training images had."""
        return to_pixels(channels_last(images) if images.ndim == 4 else images, self._pixels)


@final
class Classifier(ClassifierMixin, _Estimator):
    """A classifying system of the index as a scikit-learn classifier.

    Rows are `(samples, features)`, images `(samples, height, width)` or `(samples, height, width, channels)` with
    pixels up to 1 or up to 255. Scaling is part of the estimator; a missing number of a row (NaN) counts as the
    mean. All samples are learnt from, unless `validation` holds a share back, by which the best weights are then
    chosen.

    Args:
        system: Name of a system, as in `ganglion list`.
        epochs: Passes over the samples; the system's own number when not given.
        batch_size: Samples per update; likewise.
        random_state: Seed of initial weights and order.
        options: Any further fields of the system's configuration, of its optimizer, and of training and data settings;
            `class_weight` may be a dictionary by label, or `balanced`.

    Attributes:
        classes_: The labels, in the order of the columns of `predict_proba`.
        network_: The trained network, a plain module.
        config_: The configuration that it was built from.
        history_: What was measured while training, one dictionary per report.

    >>> classifier = Classifier("mlp", hidden_features=(16,), learning_rate=0.1, epochs=50, random_state=0)
    >>> rows, labels = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], ["equal", "different", "different", "equal"]
    >>> classifier.fit(rows, labels).predict(rows).tolist()
    ['equal', 'different', 'different', 'equal']
    """

    _task_name = "classification"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from samples and their labels of any kind, each as much as its weight (samples,) says.

        Labels may also be rows with one column for each class, a single 1 among zeros, which `predict` answers then.
        """
        labels, self._columns = _labels(y)
        inputs, labels = self._checked(X, labels)
        check_classification_targets(labels)
        self.classes_, targets = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("Classifier needs samples of at least 2 classes, but the data has only one class")
        self._fit(inputs, targets.astype(np.int64), sample_weight, tuple(str(label) for label in self.classes_))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class, `(samples, classes)`."""
        return probabilities(self._outputs(X).double()).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest label of each sample `(samples,)`, as rows with a single 1 if `fit` was given such."""
        places = self.predict_proba(X).argmax(axis=1)
        said: np.ndarray = self.classes_[places]
        return said if self._columns is None else np.eye(self._columns, dtype=np.int64)[said]


@final
class Regressor(RegressorMixin, _Estimator):
    """A system of the index that predicts values as a scikit-learn regressor; see `Classifier` for its arguments.

    Values are standardised for training and come back in their own units; several per sample are predicted at once.

    >>> rows = np.linspace(-1, 1, 50).reshape(-1, 1)
    >>> regressor = Regressor("mlp", hidden_features=(16,), learning_rate=0.05, epochs=50, random_state=0)
    >>> regressor.fit(rows, rows.ravel() ** 2).score(rows, rows.ravel() ** 2) > 0.95
    True
    """

    _task_name = "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from samples and their values, `(samples,)` or `(samples, outputs)`, each as its weight says."""
        inputs, values = self._checked(X, y, multi_output=True, y_numeric=True)
        self._flat = values.ndim == 1
        self._fit(inputs, values.astype(np.float64), sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the values of every sample, in the shape that `fit` was given."""
        outputs = self._outputs(X)
        values = self._task.preprocessing["targets"].inverse(outputs)
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class _History(Callback):
    """Keeps every report."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def on_report(self, trainer: Training) -> None:
        self.rows.append(dict(trainer.row))


def _labels(y: Any) -> tuple[Any, int | None]:
    """Return labels `(samples,)`, and how many columns they had where they were one column for each class.

    Raises `ValueError`, as scikit-learn does, where a label is missing.

    >>> _labels([[0, 1], [1, 0]])[0].tolist(), _labels(["a", "b"])
    ([1, 0], (['a', 'b'], None))
    """
    if y is None or not hasattr(y, "__len__") or issparse(y):
        return y, None
    found = np.asarray(y) if isinstance(y, np.ndarray | list | tuple) or hasattr(y, "to_numpy") else None
    if found is not None and is_one_hot(found):
        return found.argmax(axis=1), found.shape[1]
    if found is not None and found.dtype == object and found.ndim == 1 and any(label is None for label in found):
        places = [place for place, label in enumerate(found) if label is None]
        raise ValueError(f"Input y has no label for {len(places)} samples, the first of them {places[0]}")
    return y, None


def _spelt(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with weights of classes, a word or a dictionary in scikit-learn, as the command line has them.

    >>> _spelt({"class_weight": {"cat": 2}}), _spelt({"class_weight": "balanced"})
    ({'class_weight': ('cat=2',)}, {'class_weight': ('balanced',)})
    """
    weight = options.get("class_weight")
    if isinstance(weight, str):
        return options | {"class_weight": (weight,)}
    if isinstance(weight, Mapping):
        return options | {"class_weight": tuple(f"{name}={value}" for name, value in weight.items())}
    return {name: value for name, value in options.items() if name != "class_weight" or value is not None}


def _supervised(name: str, task: str) -> System:
    """Return the system of that name, which must be able to do the task."""
    system = find(name)
    if task not in system.tasks:
        able = ", ".join(other.name for other in INDEX if task in other.tasks)
        raise UsageError(f"{name} is not for {task}", expected=f"one of {able}")
    return system


def _are_images(X: Any) -> bool:
    return len(getattr(X, "shape", ())) in (3, 4)
