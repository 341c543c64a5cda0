"""Where and in which numbers a run computes."""

import copy
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models import find
from ganglion.rules.descend import Descent
from ganglion.runs.session import train
from ganglion.training import checkpoint
from ganglion.training.machine.device import place, settle_precision, tf32, to_device
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.contract.rows import tiny_fields
from tests.training.toys import Points

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("units", "safe", "settled"), [(True, True, "bf16"), (True, False, "fp32"), (False, True, "fp32")]
)
def test_auto_is_bf16_only_where_it_is_both_fast_and_safe(
    units: bool, safe: bool, settled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.training.machine.device.has_bf16_units", lambda device: units)
    assert settle_precision("auto", CPU, safe) == settled
    assert [settle_precision(name, CPU, safe) for name in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize("units", [True, False])
def test_a_run_records_what_auto_came_to_so_that_resuming_elsewhere_keeps_it(
    units: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganglion.training.machine.device.has_bf16_units", lambda device: units)
    tiny = tiny_fields(find("convnet"))
    run = train("convnet", "digits", out=tmp_path / "run", steps=2, precision="auto", **tiny)
    recorded = json.loads((run.folder / "config.json").read_text())["trainer"]["precision"]
    assert recorded == ("bf16" if units else "fp32")


def precisions() -> list[str]:
    backends: Any = torch.backends
    return [part.fp32_precision for part in (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)]


def test_products_are_tf32_while_training_on_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    before = precisions()
    with tf32(CUDA):
        assert precisions() == before, "off until it has run on a GPU"
    monkeypatch.setenv("GANGLION_CAPTURE", "1")
    with tf32(CPU):
        assert precisions() == before
    with tf32(CUDA):
        assert precisions() == ["tf32"] * 3
    assert precisions() == before
    monkeypatch.setenv("GANGLION_TF32", "0")
    with tf32(CUDA):
        assert precisions() == ["ieee"] * 3
    assert precisions() == before
    assert torch.get_float32_matmul_precision() == "highest"  # torch's older way of asking still answers


class Somewhere:
    """A tensor as far as copying it to a GPU is concerned."""

    def __init__(self, device: torch.device, done: tuple[str, ...] = ()) -> None:
        self.device, self.done = device, done

    def pin_memory(self) -> "Somewhere":
        return Somewhere(self.device, (*self.done, "pinned"))

    def to(self, device: torch.device, non_blocking: bool) -> "Somewhere":
        return Somewhere(device, (*self.done, f"copied {non_blocking}"))


def test_what_a_gpu_fetches_by_itself_lies_in_pinned_memory() -> None:
    batch: Any = {"inputs": Somewhere(CPU), "index": Somewhere(CUDA)}
    copied: Any = to_device(batch, CUDA)
    assert copied["inputs"].done == ("pinned", "copied True") and copied["index"].done == ("copied True",)
    assert to_device(batch, CPU) is batch


@pytest.mark.parametrize(("free", "off", "moves"), [(1000, False, True), (500, False, False), (1000, True, False)])
def test_a_set_lives_on_the_gpu_where_it_takes_little_of_its_memory(
    free: int, off: bool, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 10_000))
    if off:
        monkeypatch.setenv("GANGLION_RESIDENT", "0")
    moved: list[torch.device] = []
    loader: Any = SimpleNamespace(nbytes=240, to=moved.append)
    nothing: Any = SimpleNamespace(networks={}, optimizers={}, tensors={})
    place(nothing, loader, CUDA)
    assert moved == [], "off until it has run on a GPU"
    monkeypatch.setenv("GANGLION_CAPTURE", "1")
    place(nothing, loader, CUDA)
    assert moved == [CUDA] * moves
    place(nothing, loader, CPU)
    place(nothing, Points(), CUDA)  # which cannot be moved
    assert len(moved) == moves


def test_a_set_that_was_moved_gives_the_same_batches_there() -> None:
    inputs = torch.arange(20.0).reshape(10, 2)
    loader, stays = (InMemoryLoader({"inputs": inputs}, 4, seed=0) for _ in range(2))
    assert loader.nbytes == inputs.nbytes + 10 * 8
    loader.to(torch.device("meta"))  # has shapes, but no numbers
    for batch, expected in zip(loader, stays, strict=True):
        assert {name: (value.shape, value.dtype) for name, value in batch.items()} == {
            name: (value.shape, value.dtype) for name, value in expected.items()
        }
        assert all(value.device.type == "meta" for value in batch.values())
    assert loader.state_dict() == stays.state_dict()


def adagrad_on_images(steps: int) -> Trainer:
    module = find("convnet").load()
    torch.manual_seed(0)
    rule = module.build(dataclasses.replace(module.TINY, descent=Descent(optimizer="adagrad")))
    images = torch.randn(12, module.TINY.in_channels, *2 * [module.TINY.image_size])
    loader = InMemoryLoader({"inputs": images, "targets": torch.arange(12) % module.TINY.num_classes}, 4, seed=0)
    return Trainer(rule, loader, TrainerSettings(device="cpu", steps=steps))


def test_what_an_optimizer_made_before_the_weights_were_laid_out_is_laid_out_with_them() -> None:
    whole, half, resumed = (adagrad_on_images(steps) for steps in (6, 3, 6))
    moments = next(iter(whole.rule.optimizers.values())).state
    assert any(not parameter.is_contiguous() for parameter in moments)
    assert all(state["sum"].stride() == parameter.stride() for parameter, state in moments.items())
    whole.fit()
    half.fit()
    resumed.load_state_dict(copy.deepcopy(half.state_dict()))
    resumed.fit()
    assert checkpoint.digest(resumed.rule.state_dict()) == checkpoint.digest(whole.rule.state_dict())
