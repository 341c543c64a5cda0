"""What is trained side by side: the same arrays, batch size, optimizer and epochs for everybody."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

TEST = 2000
"""Samples that everybody is judged by, unless a workload says otherwise."""


@dataclass(frozen=True)
class Workload:
    """A network, its data, and how many times faster than each peer Ganglion is meant to train it."""

    name: str
    system: str
    fields: dict[str, Any]
    """Of the system's `Config`."""
    batch_size: int
    data: str
    samples: int
    """Samples in the training part."""
    epochs: int
    """The first is not timed: compilers compile in it and caches are filled."""
    score: str
    tolerance: float
    """By how much the scores of two peers may differ."""
    targets: dict[str, float]
    """Peers, each with the ratio of throughputs that is aimed at."""
    learning_rate: float = 1e-3
    settings: dict[str, Any] = field(default_factory=dict)
    """Of `TrainerSettings`."""
    tested: int = TEST
    """Samples that everybody is judged by."""

    @property
    def size(self) -> int:
        return self.samples + self.tested


ADAM = {"descent": {"optimizer": "adam", "learning_rate": 1e-3, "optimizer_arguments": (), "clip_norm": None}}
CONVNET = {"torch": 2.2, "compile": 1.0, "lightning": 2.5, "keras-jax": 4.0, "keras-torch": 3.0}

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("convnet", "convnet", ADAM, 128, "images", 12_800, 3, "accuracy", 0.02, CONVNET),
        Workload(
            "convnet-bf16", "convnet", ADAM, 128, "images", 12_800, 3, "accuracy", 0.02, {"torch": 3.0},
            settings={"precision": "bf16"},
        ),
        Workload(
            "mlp",
            "mlp",
            {**ADAM, "in_features": 784, "hidden_features": (512, 512)},
            128,
            "rows",
            38_400,
            4,
            "accuracy",
            0.02,
            {"torch": 1.8, "compile": 1.0, "lightning": 3.0, "keras-jax": 2.0, "scikit-learn": 3.0},
        ),
        Workload(
            "lenet5", "lenet5", {**ADAM, "variant": "modern"}, 64, "images32", 25_600, 3, "accuracy", 0.02,
            {"torch": 2.0},
        ),
        Workload(
            "resnet20",
            "resnet",
            {**ADAM, "depth": 20, "in_channels": 3, "image_size": 32, "num_classes": 10},
            128,
            "photographs",
            2560,
            2,
            "accuracy",
            0.1,
            {"torch": 1.2},
        ),
        Workload(
            "unet",
            "unet",
            {**ADAM, "width": 16, "padding": "same", "dropout": 0.0, "image_size": 256},
            4,
            "cells",
            32,
            3,
            "accuracy",
            0.1,
            {"torch": 1.2},
            tested=8,
        ),
        Workload(
            "lstm-forecaster",
            "lstm-forecaster",
            {},
            64,
            "windows",
            1280,
            3,
            "mean squared error",
            0.05,
            {"torch": 1.5, "keras-jax": 1.8},
        ),
        Workload(
            "spoken-words",
            "spoken-words",
            {"dropout": 0.0, "covered": 0.0, "descent": {"learning_rate": 1e-3}},
            32,
            "words",
            640,
            3,
            "accuracy",
            0.5,  # after so few updates it says little
            {"torch": 1.4},
        ),
        Workload(
            "autoencoder",
            "autoencoder",
            {**ADAM, "hidden_features": (1000, 500, 250), "code_size": 30},
            100,
            "rows",
            20_000,
            4,
            "mean squared error",
            0.01,
            {"torch": 1.3},
        ),
        Workload(
            "dcgan",
            "dcgan",
            {"in_channels": 1, "image_size": 28},
            64,
            "images",
            2560,
            3,
            "discriminator loss",
            0.6,
            {"torch": 1.8},
            learning_rate=2e-4,
        ),
        Workload(
            "rbm",
            "rbm",
            {
                "hidden_units": 500,
                "gibbs_steps": 1,
                "persistent": False,
                "start_from_means": False,
                "descent": {"optimizer": "sgd", "learning_rate": 0.1},
            },
            64,
            "binary",
            38_400,
            3,
            "pseudo log-likelihood",
            12.0,
            {"torch": 1.3, "scikit-learn": 2.0},
            learning_rate=0.1,
        ),
        Workload("dqn", "dqn", {}, 64, "CartPole-v1", 50_000, 1, "mean return", 200.0, {"stable-baselines3": 4.0}),
        Workload(
            "pong", "dqn", {}, 32, "PongNoFrameskip-v4", 5000, 1, "mean return", 3.0, {"stable-baselines3": 1.5},
        ),
    )
}  # fmt: skip


def arrays(workload: Workload) -> dict[str, np.ndarray]:
    """Return `inputs` and `targets` for training and `test_inputs` and `test_targets`, as 32-bit numbers."""
    if workload.data == "windows":
        inputs, targets = _windows(workload.size)
    elif workload.data == "words":
        inputs, targets = _words(workload.size)
    elif workload.data == "cells":
        inputs, targets = _cells(workload.size)
    elif workload.data == "photographs":
        inputs, targets = _photographs(workload.size)
    else:
        images, targets = _digits(workload.size)
        inputs = FORMS[workload.data](images)
    order = np.random.default_rng(0).permutation(len(inputs))
    inputs, targets = inputs[order], targets[order]
    return {
        "inputs": inputs[: -workload.tested],
        "targets": targets[: -workload.tested],
        "test_inputs": inputs[-workload.tested :],
        "test_targets": targets[-workload.tested :],
    }


def _digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images `(samples, 28, 28)` in [0, 1]: MNIST where it is, else scikit-learn's digits, enlarged, noisy."""
    if os.environ.get("GANGLION_DATA"):
        from ganglion.data.catalogue import read
        from ganglion.data.settings import DataSettings

        dataset = read("mnist", DataSettings())
        images = np.asarray(dataset.inputs[:count], dtype=np.float32)[..., 0] / 255
        return images, np.asarray(dataset.targets)[:count].astype(np.int64)
    from sklearn.datasets import load_digits

    bundle = load_digits()
    generator = np.random.default_rng(0)
    chosen = generator.integers(len(bundle.images), size=count)
    images = np.kron(bundle.images[chosen] / 16, np.ones((1, 3, 3)))  # (samples, 24, 24)
    images = np.pad(images, ((0, 0), (2, 2), (2, 2))) + generator.normal(0, 0.1, (count, 28, 28))
    return images.clip(0, 1).astype(np.float32), bundle.target[chosen].astype(np.int64)


def _photographs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images `(samples, 3, 32, 32)` in [0, 1]: CIFAR-10 where it is, else digits in colours of their class."""
    if os.environ.get("GANGLION_DATA"):
        from ganglion.data.catalogue import read
        from ganglion.data.settings import DataSettings

        dataset = read("cifar-10", DataSettings())
        places = np.random.default_rng(0).permutation(len(dataset.inputs))[:count].tolist()
        images = np.stack([np.asarray(dataset.inputs[place], dtype=np.float32) / 255 for place in places])
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2)), np.asarray(dataset.targets)[places].astype(np.int64)
    images, targets = _digits(count)
    colours = np.random.default_rng(1).uniform(0.5, 1, (10, 3, 1, 1)).astype(np.float32)
    return np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None] * colours[targets], targets


def _cells(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return drawn cells (samples, 1, 256, 256) in [0, 1], four times as large as usual, and masks of them."""
    from ganglion.data.sources.generators import generate

    cells = generate("cells", count=count)
    larger = np.ones((1, 4, 4))
    images = np.kron(np.asarray(cells.inputs, dtype=np.float32)[..., 0] / 255, larger).astype(np.float32)
    return images[:, None], np.kron(np.asarray(cells.fields["masks"].values), larger).astype(np.int64)


def _windows(count: int, window: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return windows `(samples, time, 1)` of a noisy sum of two waves, and the values that follow them."""
    time = np.arange(count + window)
    series = np.sin(time / 9) + 0.5 * np.sin(time / 23) + np.random.default_rng(0).normal(0, 0.05, len(time))
    rows = np.lib.stride_tricks.sliding_window_view(series, window + 1)[:count].astype(np.float32)
    return np.ascontiguousarray(rows[:, :window, None]), np.ascontiguousarray(rows[:, window:])


def _words(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return generated words `(samples, time)`, not a number past the end of each, and their classes."""
    from ganglion.data.sources.generators import generate

    words = generate("voices", count=count)
    inputs = np.full((count, max(map(len, words.inputs))), np.nan, dtype=np.float32)
    for row, word in zip(inputs, words.inputs, strict=True):
        row[: len(word)] = word / 4096
    return inputs, np.asarray(words.targets)


def parted(inputs: np.ndarray) -> list[np.ndarray]:
    """Return the samples `(time,)` of `(samples, time)` as far as there are numbers."""
    return [row[~np.isnan(row)] for row in inputs]


FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "images": lambda images: images[:, None],
    "images32": lambda images: np.pad(images, ((0, 0), (2, 2), (2, 2)))[:, None],
    "rows": lambda images: images.reshape(len(images), -1),
    "binary": lambda images: (images.reshape(len(images), -1) > 0.5).astype(np.float32),
}
"""What becomes of images `(samples, 28, 28)`."""
