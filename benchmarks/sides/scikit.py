"""scikit-learn: MLPClassifier and BernoulliRBM, an epoch at a time."""

import warnings

import numpy as np
import torch
from sklearn.neural_network import BernoulliRBM, MLPClassifier
from sklearn.utils import gen_batches

from benchmarks.sides.outcome import Outcome
from benchmarks.workloads import Workload


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    warnings.filterwarnings("ignore")
    return machine(workload, data) if workload.system == "rbm" else classifier(workload, data)


def classifier(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    """`fit` with `warm_start` goes on from where it was."""
    network = MLPClassifier(
        (512, 512),
        alpha=0.0,
        batch_size=workload.batch_size,
        learning_rate_init=workload.learning_rate,
        max_iter=1,
        warm_start=True,
        random_state=0,
    )
    outcome = Outcome()
    for _ in range(workload.epochs):
        outcome.timed(lambda: network.fit(data["inputs"], data["targets"]))
    outcome.score = float(network.score(data["test_inputs"], data["test_targets"]))
    return outcome


def machine(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    """`partial_fit` in batches; its persistent chains cost what one step of contrastive divergence costs."""
    from benchmarks.sides.ganglion import pseudo_log_likelihood
    from ganglion.nn.energy.restricted import BernoulliRBM as OurRBM

    theirs = BernoulliRBM(500, learning_rate=workload.learning_rate, batch_size=workload.batch_size, random_state=0)
    inputs = data["inputs"]

    def epoch() -> None:
        for rows in gen_batches(len(inputs), workload.batch_size):
            theirs.partial_fit(inputs[rows])

    outcome = Outcome()
    for _ in range(workload.epochs):
        outcome.timed(epoch)
    weights = {
        "weight": theirs.components_,
        "visible_bias": theirs.intercept_visible_,
        "hidden_bias": theirs.intercept_hidden_,
    }
    judge = OurRBM(784, 500)
    judge.load_state_dict({name: torch.from_numpy(array).float() for name, array in weights.items()})
    outcome.score = pseudo_log_likelihood(judge, torch.from_numpy(data["test_inputs"]))
    return outcome
