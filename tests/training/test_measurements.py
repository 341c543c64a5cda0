"""Means of what was measured, each over the steps that measured it, also across a checkpoint of format 1."""

import torch

from ganglion.training.measurements import Measurements
from ganglion.training.migration import migrated

CPU = torch.device("cpu")


def filled() -> Measurements:
    measurements = Measurements()
    for step in range(6):
        now_and_then = {"penalty": torch.tensor(float(step))} if step % 3 == 0 else {}
        measurements.add({"loss": torch.tensor(float(step))} | now_and_then)
    return measurements


def test_means_are_over_the_steps_that_measured_a_name() -> None:
    measurements = filled()
    assert measurements.take() == {"loss": 2.5, "penalty": 1.5}
    assert measurements.take() == {}


def test_goes_on_from_a_state() -> None:
    resumed = Measurements()
    resumed.load_state_dict(filled().state_dict(), CPU)
    resumed.add({"loss": torch.tensor(9.5)})
    assert resumed.take() == {"loss": 3.5, "penalty": 1.5}


def test_takes_over_the_one_count_of_format_1() -> None:
    written = {"trainer": {"measurements": {"sums": {"loss": torch.tensor(6.0)}, "count": 3}}}
    resumed = Measurements()
    resumed.load_state_dict(migrated(written, 1)["trainer"]["measurements"], CPU)
    resumed.add({"loss": torch.tensor(6.0)})
    assert resumed.take() == {"loss": 3.0}
