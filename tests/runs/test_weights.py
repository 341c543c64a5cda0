"""Starting from the weights of another run or of a file, and freezing parts of them, by name, for any system."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from ganglion.errors import DataError, UsageError
from ganglion.models import INDEX, System, names
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.runs import weights
from ganglion.runs.session import prepare, resume, train
from ganglion.training import checkpoint
from ganglion.training.freezing import freeze
from ganglion.training.settings import TrainerSettings
from tests.contract.rows import row_of

TINY = {"hidden_features": (8,), "steps": 6, "evaluate_every": 3, "threads": 1}


def settings(source: Path, **fields: object) -> TrainerSettings:
    return TrainerSettings(start_from=str(source), **fields)  # type: ignore[arg-type]


def labelled(network: nn.Module) -> Supervised:
    return Supervised(network, Descent())


def small(channels: int = 3, classes: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5 * 36, classes))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(small().state_dict(), path)
    return path


def test_all_that_fits_is_taken_over(file: Path) -> None:
    rule = labelled(small())
    (note,) = weights.start(rule, settings(file))
    saved = safetensors.torch.load_file(file)
    assert all(torch.equal(value, saved[name]) for name, value in rule.home.state_dict().items())
    assert "9 of 9 tensors" in note


def test_a_head_of_another_size_keeps_its_own_weights(file: Path) -> None:
    rule = labelled(small(classes=7))
    head = rule.home[3].weight.clone()  # type: ignore[index]
    notes = weights.start(rule, settings(file))
    assert torch.equal(rule.home[3].weight, head) and "3.weight, 3.bias" in notes[1]  # type: ignore[index]
    assert torch.equal(rule.home[0].weight, safetensors.torch.load_file(file)["0.weight"])  # type: ignore[index]


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_a_first_convolution_answers_the_same_to_equal_channels(channels: int, file: Path) -> None:
    rule = labelled(small(channels))
    with pytest.raises(UsageError, match="another network") as caught:
        weights.start(rule, settings(file))
    assert "--adapt-channels" in caught.value.remedy
    notes = weights.start(rule, settings(file, adapt_channels=True))
    original = small()
    original.load_state_dict(safetensors.torch.load_file(file))
    grey = torch.rand(2, 1, 8, 8)
    expected = original.eval()(grey.expand(-1, 3, -1, -1))
    assert torch.allclose(rule.home.eval()(grey.expand(-1, channels, -1, -1)), expected, atol=1e-5)
    assert f"from 3 to {channels} channels" in notes[1]


def test_weights_of_another_network_are_refused_and_change_nothing(file: Path, tmp_path: Path) -> None:
    other = labelled(nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Flatten(), nn.Linear(6 * 36, 4)))
    before = checkpoint.digest(other.home.state_dict())
    with pytest.raises(UsageError, match=r"0\.weight"):
        weights.start(other, settings(file))
    assert checkpoint.digest(other.home.state_dict()) == before
    with pytest.raises(UsageError, match="other names"):
        weights.start(labelled(nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})), settings(file))  # type: ignore
    with pytest.raises(UsageError, match="nothing to start from"):
        weights.start(other, settings(tmp_path / "weights.pt"))
    with pytest.raises(DataError):
        weights.start(other, settings(tmp_path / "none.safetensors"))
    (tmp_path / "text.safetensors").write_text("these are no weights")
    with pytest.raises(DataError, match="holds no weights"):
        weights.start(other, settings(tmp_path / "text.safetensors"))
    safetensors.torch.save_file({"0.weight": torch.full((2, 2), torch.nan)}, tmp_path / "nan.safetensors")
    with pytest.raises(DataError, match="not finite"):
        weights.start(other, settings(tmp_path / "nan.safetensors"))


def test_a_run_that_starts_from_another_says_so_keeps_what_is_frozen_and_resumes(tmp_path: Path) -> None:
    first = train("mlp", "digits", out=tmp_path / "first", limit=200, **TINY)
    options = {"start_from": str(first.folder), "freeze": ("layers.1",), "limit": 200, "learning_rate": 0.1, **TINY}
    session = prepare("mlp", "digits", out=tmp_path / "second", **options)
    assert any("starts from" in note and str(first.folder) in note for note in session.notes)
    second = session.fit()
    assert "starts from" in (second.folder / "report.html").read_text(encoding="utf-8")
    frozen = {
        name
        for name, value in first.network.state_dict().items()
        if torch.equal(value, second.network.state_dict()[name])
    }
    assert frozen == {"layers.1.weight", "layers.1.bias"}
    longer = resume(second.folder, steps=9)
    assert torch.equal(longer.network.state_dict()["layers.1.weight"], first.network.state_dict()["layers.1.weight"])
    assert longer.history[-1]["step"] == 9


def test_what_cannot_be_frozen_or_started_from_leaves_no_folder(tmp_path: Path) -> None:
    for wrong in ({"freeze": ("nonsense",)}, {"start_from": str(tmp_path / "none.safetensors")}):
        with pytest.raises((UsageError, DataError)):
            train("mlp", "xor", out=tmp_path / "run", **wrong, **TINY)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("system", INDEX, ids=names())
def test_every_system_learns_on_with_its_first_weights_frozen(system: System) -> None:
    module = system.load()
    torch.manual_seed(0)
    rule = module.build(module.TINY)
    name = next(name for name, value in rule.home.named_parameters() if value.requires_grad)
    try:
        freeze(rule, [name])
    except UsageError as error:
        assert not rule.freezes or "could learn is frozen" in error.what  # it has no more than one
        return
    before = {name: value.clone() for name, value in rule.home.named_parameters()}
    for _, batch in zip(range(4), row_of(system).loader(), strict=False):
        rule.step(batch)
    changed = {name for name, value in rule.home.named_parameters() if not torch.equal(value, before[name])}
    assert changed and name not in changed


def test_a_target_network_stays_a_copy(tmp_path: Path) -> None:
    system = next(system for system in INDEX if system.name == "dqn")
    module = system.load()
    rule, other = module.build(module.TINY), module.build(module.TINY)
    safetensors.torch.save_file(other.home.state_dict(), tmp_path / "weights.safetensors")
    weights.start(rule, settings(tmp_path / "weights.safetensors"))
    target = rule.networks["target"].state_dict()
    assert all(torch.equal(value, target[name]) for name, value in other.home.state_dict().items())
