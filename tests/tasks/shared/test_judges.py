"""Judges: they know the data, come out the same, are trained once, and a damaged one is trained anew."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.nn.images.judge import JudgeNetwork
from ganglion.tasks.shared.pictures import judges
from ganglion.tasks.shared.pictures.judges import TrainedJudge, judge_of

DIGITS = read("digits", DataSettings())
IMAGES = torch.from_numpy(np.asarray(DIGITS.inputs)).movedim(3, 1).float() / 255
CLASSES = torch.from_numpy(np.asarray(DIGITS.targets))
LEARNT = 1200


def probe(embedded: Tensor) -> float:
    """Accuracy on the last digits of a linear classifier of what a network sees in the first."""
    scaled = ((embedded - embedded.mean(0)) / (embedded.std(0) + 1e-6)).numpy()
    known = LogisticRegression(max_iter=500).fit(scaled[:LEARNT], CLASSES[:LEARNT])
    return float(known.score(scaled[LEARNT:], CLASSES[LEARNT:]))


def trained(cache: Path, classes: Tensor | None = None, **options: Any) -> TrainedJudge:
    return judge_of(IMAGES[:LEARNT], classes, fingerprint=DIGITS.fingerprint, cache=cache, **options)


@pytest.fixture(scope="module")
def with_classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedJudge, Path]:
    cache = tmp_path_factory.mktemp("judges")
    return trained(cache, CLASSES[:LEARNT]), cache


def test_it_tells_classes_apart(with_classes: tuple[TrainedJudge, Path]) -> None:
    network = with_classes[0].network
    right = network(IMAGES[LEARNT:]).argmax(1) == CLASSES[LEARNT:]
    assert float(right.float().mean()) > 0.9
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_without_classes_it_sees_more_than_chance_would(tmp_path: Path) -> None:
    chances = []
    for seed in range(3):
        torch.manual_seed(seed)
        chances.append(probe(JudgeNetwork(1, 64).embed(IMAGES).detach()))
    learnt = probe(trained(tmp_path).embed(IMAGES))
    assert learnt > sum(chances) / 3 + 0.03, (learnt, chances)


def test_it_is_trained_once_and_comes_out_the_same(
    with_classes: tuple[TrainedJudge, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, cache = with_classes
    short = [trained(tmp_path / str(number), CLASSES[:LEARNT], steps=5) for number in range(2)]
    assert short[0].digest == short[1].digest
    assert trained(tmp_path / "other", CLASSES[:LEARNT], steps=5, seed=1).digest != short[0].digest

    def refuse(*_: Any) -> None:
        raise AssertionError("it was trained again")

    monkeypatch.setattr(judges, "_trained", refuse)
    state = torch.get_rng_state()
    again = trained(cache, CLASSES[:LEARNT], folder=tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), state)
    assert again.digest == first.digest
    assert torch.equal(again.embed(IMAGES), first.embed(IMAGES))
    assert json.loads((tmp_path / "run" / "judge.json").read_text())["digest"] == first.digest
    assert trained(tmp_path / "empty", CLASSES[:LEARNT], folder=tmp_path / "run").digest == first.digest  # by the run
    with pytest.raises(AssertionError, match="again"):
        judge_of(IMAGES, CLASSES, fingerprint="of other data", cache=cache)


def test_training_leaves_the_random_state_alone(tmp_path: Path) -> None:
    state = torch.get_rng_state()
    trained(tmp_path, steps=2)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_damaged_judge_is_trained_anew(tmp_path: Path) -> None:
    first = trained(tmp_path, steps=2)
    (weights,) = tmp_path.glob("*/judge.safetensors")
    (description,) = tmp_path.glob("*/judge.json")
    for file, content in (
        (weights, b"cut"),
        (description, b"{"),
        (description, b"[]"),
        (description, b'{"digest": 1}'),
    ):
        file.write_bytes(content)
        assert trained(tmp_path, steps=2).digest == first.digest
    weights.unlink()
    assert trained(tmp_path, steps=2).digest == first.digest


def test_gradients_flow_back_to_pictures_of_any_size(with_classes: tuple[TrainedJudge, Path]) -> None:
    pictures = torch.rand(2, 1, 20, 24, requires_grad=True)
    sum(maps.square().mean() for maps in with_classes[0].features(pictures)).backward()  # type: ignore[union-attr]
    assert pictures.grad is not None and bool(pictures.grad.any())
