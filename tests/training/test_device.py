"""Where and in which numbers a run computes."""

import json
from pathlib import Path

import pytest
import torch

from ganglion.models import find
from ganglion.settings import to_dict
from ganglion.tasks.session import train
from ganglion.training.device import settle_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("units", "safe", "settled"), [(True, True, "bf16"), (True, False, "fp32"), (False, True, "fp32")]
)
def test_auto_is_bf16_only_where_it_is_both_fast_and_safe(
    units: bool, safe: bool, settled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.training.device.has_bf16_units", lambda device: units)
    assert settle_precision("auto", CPU, safe) == settled
    assert [settle_precision(name, CPU, safe) for name in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize("units", [True, False])
def test_a_run_records_what_auto_came_to_so_that_resuming_elsewhere_keeps_it(
    units: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.training.device.has_bf16_units", lambda device: units)
    tiny = to_dict(find("convnet").load().TINY)
    run = train("convnet", "digits", out=tmp_path / "run", steps=2, precision="auto", **tiny)
    recorded = json.loads((run.folder / "config.json").read_text())["trainer"]["precision"]
    assert recorded == ("bf16" if units else "fp32")
