"""Generated pictures beside real ones on the features of a network that was trained on the same data."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganglion.tables import Table, Tabled
from ganglion.tasks.measures.samples import (
    density_and_coverage,
    frechet_distance,
    kernel_distance,
    precision_and_recall,
    sliced_wasserstein,
)
from ganglion.tasks.shared.pictures.judges import TrainedJudge


@dataclass(frozen=True)
class JudgedSamples(Tabled):
    """Measures of generated, real and meaningless pictures against the same real ones.

    Real pictures of the training part say how well anything could do with so many samples, noise how badly.
    """

    rows: dict[str, dict[str, float]]
    judge: str
    """Digest of the weights whose features were compared: numbers of other judges are not to be compared with these."""
    classes: int
    """Classes that the judge was trained on; 0 where it learnt to give pictures back."""

    @classmethod
    def measure(
        cls,
        judge: TrainedJudge,
        real: Tensor,
        training: Tensor,
        generated: Tensor,
        asked_for: Tensor | None = None,
    ) -> "JudgedSamples":
        """Compare pictures, (samples, channels, height, width) each and all in the range of training.

        Args:
            judge: whose features are compared.
            real: held-out pictures that all are compared with.
            training: other real pictures.
            generated: what a network draws.
            asked_for: classes (samples,) that it was to draw, where there are any.
        """
        generator = torch.Generator().manual_seed(0)
        spread = training.std(0)
        noise = training.mean(0) + spread * torch.randn(real.shape, generator=generator)
        scale = judge.embed(training).std(0).clamp(min=1e-6)  # features of one size, for which the kernel is made

        def seen(pictures: Tensor) -> np.ndarray:
            return (judge.embed(pictures) / scale).numpy()

        truth, learnt = seen(real), seen(training)
        count = min(len(real), len(training), len(generated))
        rows = {}
        for name, pictures in (("generated", generated), ("real", training), ("noise", noise)):
            features = seen(pictures[:count])
            found = _compare(truth[:count], features)
            if name != "real":
                found["nearest_training"] = _nearest(features, learnt) / max(_nearest(truth[:count], learnt), 1e-12)
            rows[name] = found
        if asked_for is not None and judge.description.classes:
            said = judge.network(judge.prepared(generated)).argmax(1)
            rows["generated"]["class_accuracy"] = float((said == asked_for).double().mean())
        return cls(rows, judge.digest, judge.description.classes)

    def tables(self) -> list[Table]:
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row))
        lines = [
            (name.replace("_", " "), *(f"{row[name]:.4g}" if name in row else "" for row in self.rows.values()))
            for name in names
        ]
        kind = f"a classifier of its {self.classes} classes" if self.classes else "an autoencoder"
        title = f"Pictures against held-out ones, on features of {kind} trained on the same data"
        footer = f"judge {self.judge[:12]}; distances: 0 is perfect; nearest training: below 1 is nearer than real ones"
        return [Table(("measure", *self.rows), lines, title=title, footer=footer, words=("measure",))]


def _compare(real: np.ndarray, pictures: np.ndarray) -> dict[str, float]:
    precision, recall = precision_and_recall(real, pictures)
    density, coverage = density_and_coverage(real, pictures)
    return {
        "frechet_distance": frechet_distance(real, pictures),
        "kernel_distance": kernel_distance(real, pictures),
        "sliced_wasserstein": sliced_wasserstein(real, pictures),
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
    }


def _nearest(features: np.ndarray, training: np.ndarray) -> float:
    """Return the median distance of pictures from the nearest training picture, (samples, features) each."""
    distances = torch.cdist(torch.from_numpy(features), torch.from_numpy(training))
    return float(distances.min(dim=1).values.median())
