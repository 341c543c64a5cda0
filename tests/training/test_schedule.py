"""Schedules against torch's own schedulers."""

import pytest
import torch

from ganglion.training.schedule import learning_rate_factor
from ganglion.training.settings import TrainerSettings

TOTAL = 30


def torch_factors(make: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, factors = make(optimizer), []
    for _ in range(TOTAL):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize(
    ("fields", "make"),
    [
        ({"schedule": "cosine"}, lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, TOTAL)),
        ({"schedule": "linear"}, lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, TOTAL)),
        ({"schedule": "step", "schedule_every": 10}, lambda o: torch.optim.lr_scheduler.StepLR(o, 10)),
        (
            {"schedule": "exponential", "schedule_floor": 0.01},
            lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.01 ** (1 / TOTAL)),
        ),
        ({"schedule": "constant"}, lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
    ],
)
def test_equals_the_scheduler_of_torch(fields: dict[str, object], make: object) -> None:
    settings = TrainerSettings(steps=TOTAL, **fields)
    ours = [learning_rate_factor(settings, iteration, TOTAL) for iteration in range(TOTAL)]
    assert ours == pytest.approx(torch_factors(make), abs=1e-6)


def test_warmup_rises_to_one_and_joins_the_schedule() -> None:
    settings = TrainerSettings(steps=TOTAL, schedule="inverse-sqrt", warmup_steps=4)
    factors = [learning_rate_factor(settings, iteration, TOTAL) for iteration in range(20)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[15] == pytest.approx((4 / 16) ** 0.5)
