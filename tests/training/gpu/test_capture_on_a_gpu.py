"""The same promises with real CUDA graphs; `test_capture.py` shows on the CPU all that needs none."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Loader
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import NonFiniteError
from ganglion.models import INDEX, System, names
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.training import checkpoint
from ganglion.training.gpu.capture import REHEARSALS, Recording
from ganglion.training.gpu.cuda_graphs import CudaGraphs
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.contract.rows import row_of
from tests.training.gpu.test_capture import FALLS_BACK, Heard

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU that torch can use")


@pytest.fixture(autouse=True)
def asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Switch on what is off until these tests have passed on a GPU."""
    monkeypatch.setenv("GANGLION_CAPTURE", "1")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the steps that are played."""
    counted: list[int] = []
    play = Recording.play

    def counting(recording: Recording, rule: LearningRule, batch: Batch) -> dict[str, Tensor]:
        counted.append(1)
        return play(recording, rule, batch)

    monkeypatch.setattr(Recording, "play", counting)
    return counted


def network(dropout: float = 0.5) -> Supervised:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(dropout))
    return Supervised(nn.Sequential(layers, nn.Linear(4 * 6 * 6, 3)), Descent(clip_norm=1.0))


def samples(count: int = 44, batch_size: int = 8) -> InMemoryLoader:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 1, 8, 8, generator=generator)
    return InMemoryLoader({"inputs": images, "targets": torch.arange(count) % 3}, batch_size, seed=0)


def trainer(rule: LearningRule, loader: Loader, captured: bool = True, **fields: Any) -> tuple[Trainer, Heard]:
    heard = Heard()
    settings = TrainerSettings(device="cuda", **({"report_every": 1} | fields))
    made = Trainer(rule, loader, settings, callbacks=[heard])
    if not captured:
        made.learner.capture = None
    torch.manual_seed(3)
    return made, heard


def digest(made: Trainer) -> tuple[Any, ...]:
    state = made.state_dict()
    return tuple(checkpoint.digest(state[part]) for part in ("networks", "optimizers", "rule", "random", "loader"))


@pytest.mark.parametrize("system", INDEX, ids=names())
def test_every_system_learns_the_same_bits_played_or_falls_back(system: System, played: list[int]) -> None:
    found = []
    for captured in (False, True):
        torch.manual_seed(0)
        module = system.load()
        made, heard = trainer(module.build(module.TINY), row_of(system).loader(), captured, steps=12)
        made.fit()
        rows = [{name: value for name, value in row.items() if name != "passed_over"} for row in heard.rows]
        found.append((rows, digest(made)))
    assert found[0] == found[1]
    if system.name in FALLS_BACK:
        assert not played and FALLS_BACK[system.name] in heard.notes[0]
    else:
        assert played and heard.notes == []


def test_short_batches_resuming_and_loading_keep_the_bits(played: list[int]) -> None:
    whole, _ = trainer(network(), samples(), steps=20)
    whole.fit()
    expected = digest(whole)
    half, _ = trainer(network(), samples(), steps=9)
    half.fit()
    state = copy.deepcopy(half.state_dict())
    for captured in (True, False):
        resumed, _ = trainer(network(), samples(), captured, steps=20)
        resumed.load_state_dict(copy.deepcopy(state))
        resumed.fit()
        assert digest(resumed) == expected
    assert len(played) > 10


def test_a_checkpoint_of_a_gpu_goes_on_on_a_cpu(played: list[int]) -> None:
    made, _ = trainer(network(), samples(), steps=10)
    made.fit()
    on_cpu = Trainer(network(), samples(), TrainerSettings(device="cpu", steps=12))
    assert any("device" in doubt for doubt in on_cpu.load_state_dict(made.state_dict()))
    on_cpu.fit()
    assert played and on_cpu.iteration == 12


def test_numbers_that_are_not_finite_stop_what_is_played(played: list[int]) -> None:
    loader = samples(160, 8)
    loader.tensors["inputs"][loader.order(0)[9 * 8]] = torch.nan
    made, _ = trainer(network(), loader, steps=20, report_every=20)
    with pytest.raises(NonFiniteError, match="at step 10;"):
        made.fit()
    assert len(played) == 20 - REHEARSALS


def test_a_host_that_waits_is_noticed_while_rehearsing_and_spoils_no_process() -> None:
    device = torch.device("cuda")
    recorder, value = CudaGraphs(device), torch.ones(3, device=device)
    assert recorder.rehearse(lambda: None) == ""
    assert "synchronizing" in recorder.rehearse(lambda: float(value.sum()))  # type: ignore[arg-type]
    stream = torch.cuda.current_stream(device)
    with pytest.raises(RuntimeError):
        recorder.record(lambda: float(value.sum()))  # type: ignore[arg-type]
    assert torch.cuda.current_stream(device) == stream
    assert torch.rand(3, device=device).sum().item() > 0  # the generator and the allocator still work
    play = recorder.record(lambda: value.add_(1))  # type: ignore[arg-type]
    assert value.tolist() == [1, 1, 1]  # recording did nothing
    play(), play()
    assert value.tolist() == [3, 3, 3]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_set_that_lives_there_and_one_that_is_copied_give_the_same_bits(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for resident in ("1", "0"):
        monkeypatch.setenv("GANGLION_RESIDENT", resident)
        loader = samples()
        made, _ = trainer(network(), loader, steps=12, precision=precision)
        assert loader.tensors["inputs"].is_cuda is (resident == "1")
        made.fit()
        found.append(digest(made))
    assert found[0] == found[1]
