"""Keras 3, `compile` and `fit`; the backend is chosen by KERAS_BACKEND before this is imported."""

import time
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmarks.sides.outcome import Outcome, judged
from benchmarks.workloads import Workload


def network_of(workload: Workload) -> Any:
    if workload.system == "convnet":
        return keras.Sequential([
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10),
        ])  # fmt: skip
    if workload.system == "mlp":
        return keras.Sequential([
            keras.Input((784,)), layers.Dense(512, activation="relu"), layers.Dense(512, activation="relu"),
            layers.Dense(10),
        ])  # fmt: skip
    inputs = keras.Input((60, 1))
    last = inputs[:, -1]
    hidden = layers.LSTM(256, return_sequences=True)(inputs - last[:, None])
    hidden = layers.LSTM(256)(layers.Dropout(0.4)(hidden))
    outputs = layers.Dense(1)(layers.Dense(64, activation="relu")(layers.Dropout(0.4)(hidden)))
    return keras.Model(inputs, outputs + last)


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    keras.utils.set_random_seed(0)
    data = {name: _channels_last(array) for name, array in data.items()}
    network, outcome = network_of(workload), Outcome()
    clip = 1.0 if workload.system == "lstm-forecaster" else None
    optimizer = keras.optimizers.Adam(workload.learning_rate, epsilon=1e-8, global_clipnorm=clip)
    classes = workload.score == "accuracy"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True) if classes else "mse"
    network.compile(optimizer, loss=loss, metrics=["accuracy"] if classes else [])

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            outcome.epochs.append(time.perf_counter() - self.started)

    network.fit(
        data["inputs"],
        data["targets"],
        batch_size=workload.batch_size,
        epochs=workload.epochs,
        verbose=0,
        callbacks=[Clock()],
    )
    outcome.score = judged(np.asarray(network.predict(data["test_inputs"], verbose=0)), data["test_targets"])
    return outcome


def _channels_last(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array
