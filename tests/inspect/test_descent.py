"""Ways of descent: steps by hand, batches as they are drawn, planes of networks, and the lecture's one weight."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import nn

from ganglion import figures, inspect
from ganglion.cli import main
from ganglion.errors import ConfigurationError
from ganglion.inspect.descent import FUNCTIONS, GRID
from ganglion.inspect.one_weight import error_of, slope_of
from ganglion.rules.descend import Descent
from ganglion.rules.optimizers import OPTIMIZERS
from ganglion.runs.session import train


def plain(rate: float) -> inspect.descent.Make:
    return lambda point: torch.optim.SGD(point.parameters(), lr=rate)


def test_plain_descent_on_a_bowl_shrinks_by_one_factor() -> None:
    bowl = inspect.named_surface("bowl")
    way = inspect.descend_over(bowl, plain(0.1), 5)
    expected = np.array(bowl.start) * 0.8 ** np.arange(6)[:, None]  # x - 0.1 * 2 x
    np.testing.assert_allclose(way.points, expected, rtol=1e-12)
    np.testing.assert_allclose(way.losses, np.square(expected).sum(1), rtol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_surface_falls_by_its_own_rate_and_is_what_its_formula_says(name: str) -> None:
    surface = FUNCTIONS[name]
    way = inspect.descend_over(surface, plain(0.5 * surface.rate), 60)
    assert not way.left and way.losses[-1] < way.losses[0] and np.isfinite(way.losses).all()
    across, up, losses = surface.grid
    assert losses.shape == (GRID, GRID)
    if surface.num_samples:
        return
    place = (7, 30)
    names = {"x": across[place[1]], "y": up[place[0]], "cos": np.cos}
    expected = eval(surface.formula.replace("^", "**"), names)
    assert losses[place] == pytest.approx(expected, rel=1e-9)


def test_minima_are_where_they_are_known_to_be() -> None:
    for name, minimum in {"rosenbrock": (1, 1), "beale": (3, 0.5), "himmelblau": (3, 2), "ripples": (0, 0)}.items():
        place = torch.tensor(minimum, dtype=torch.float64, requires_grad=True)
        loss = FUNCTIONS[name].loss(place, None)
        (slope,) = torch.autograd.grad(loss, place)
        assert loss.item() == pytest.approx(0, abs=1e-12) and slope.abs().max() < 1e-9


def test_the_line_is_the_one_of_least_squares() -> None:
    surface = inspect.named_surface("line")
    found = inspect.descend_over(surface, plain(0.9 * surface.rate), 2000).points[-1]
    place = torch.tensor(found, requires_grad=True)
    (slope,) = torch.autograd.grad(surface.loss(place, None), place)
    assert slope.abs().max() < 1e-8 and abs(found[0] - 0.8) < 0.2


def test_batches_pass_over_every_sample_once_before_any_again() -> None:
    surface = inspect.named_surface("line")
    assert inspect.batches_of(surface) == {"all 40 samples": None, "batches of 5": 5, "single samples": 1}
    seen: list[int] = []

    def loss(point: torch.Tensor, samples: torch.Tensor | None) -> torch.Tensor:
        seen.extend([] if samples is None else samples.tolist())
        return point.sum()

    watched = inspect.Surface("watched", "", loss, (0, 0), (-99, 99), (-99, 99), num_samples=40)
    inspect.descend_over(watched, plain(0.01), 16, batch=5, seed=3)
    assert sorted(seen[:40]) == sorted(seen[40:]) == list(range(40)) and seen[:40] != seen[40:]


def test_a_single_sample_wanders_and_all_do_not() -> None:
    surface = inspect.named_surface("line")
    ways = {
        name: inspect.descend_over(surface, plain(0.5 * surface.rate), 80, batch)
        for name, batch in inspect.batches_of(surface).items()
    }
    rises = {name: int((np.diff(way.losses) > 1e-9).sum()) for name, way in ways.items()}
    assert rises["all 40 samples"] == 0 < rises["batches of 5"] < rises["single samples"]


def test_a_way_that_runs_off_is_left() -> None:
    way = inspect.descend_over(inspect.named_surface("bowl"), plain(5.0), 50)
    assert way.left and len(way.points) < 10 and np.isfinite(way.losses).all()


def test_a_plane_goes_through_the_weights_and_leaves_the_network_alone() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))
    before = {name: one.clone() for name, one in network.state_dict().items()}
    inputs, targets = torch.randn(30, 3), torch.randint(2, (30,))
    plane = inspect.plane_of(network, nn.functional.cross_entropy, inputs, targets)
    network.eval()
    expected = nn.functional.cross_entropy(network(inputs), targets).item()
    network.train()
    assert float(plane.loss(torch.zeros(2, dtype=torch.float64), None)) == pytest.approx(expected, rel=1e-6)
    some = torch.tensor([4, 7])
    place = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(plane.loss(place, some), place)
    for axis in range(2):  # against a difference
        moved = torch.zeros(2, dtype=torch.float64)
        moved[axis] = 1e-2
        with torch.no_grad():
            change = (plane.loss(place + moved, some) - plane.loss(place - moved, some)) / 2e-2
        assert slope[axis].item() == pytest.approx(change.item(), rel=2e-2, abs=1e-3)
    assert network.training and all(torch.equal(one, before[name]) for name, one in network.state_dict().items())


def test_all_optimizers_go_down_a_ravine() -> None:
    from ganglion.cli.inspect.descent import _chosen, _maker

    surface = inspect.named_surface("ravine")
    names = _chosen(("all",))
    assert {*names} == {*OPTIMIZERS, "momentum", "nesterov"}
    for name in names:
        way = inspect.descend_over(surface, _maker(name, surface, None), 80)
        assert not way.left and way.losses[-1] < 0.9 * way.losses[0], name
    sgd = inspect.descend_over(surface, Descent(optimizer="sgd", learning_rate=0.1).make_optimizer, 10)
    momentum = inspect.descend_over(surface, _maker("momentum", surface, 0.1), 10)
    assert not np.allclose(sgd.points, momentum.points)


def test_the_one_weight_of_the_lecture() -> None:
    assert [(error_of(w), slope_of(w)) for w in (3.0, 4.0, 2.0)] == [(5.0, 10.0), (20.0, 20.0), (0.0, 0.0)]
    assert inspect.one_weight(1, 0.1).weights == (3.0, 2.0)  # this rate finds it at once
    with pytest.raises(ConfigurationError, match="runs away"):
        inspect.one_weight(200, 0.3)
    assert "squared error" in str(inspect.one_weight())


def test_pictures_and_films_are_drawn() -> None:
    surface = inspect.named_surface("bowl")
    way = inspect.descend_over(surface, plain(0.1), 20)
    across, up, losses = surface.grid
    ground = figures.Ground(across, up, losses, surface.axes, surface.formula)
    frames = figures.descent_frames(ground, {"sgd": (way.points, way.losses)})
    assert frames.dtype == np.uint8 and frames.shape[0] == 21 + 15 and (frames[5] != frames[15]).any()


def test_the_command_writes_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, film = tmp_path / "descent.png", tmp_path / "descent.gif"
    words = ["inspect", "descent", "--function", "line", "--steps", "5", "--out", str(out), "--json"]
    assert main([*words, "--optimizers", "adam", "lbfgs", "--animation", str(film)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [way["name"] for way in found["ways"]] == [
        "adam",
        "lbfgs",
        "all 40 samples",
        "batches of 5",
        "single samples",
    ]
    assert out.stat().st_size > 10_000 and film.stat().st_size > 1000


def test_one_weight_is_filmed_try_by_try_and_update_by_update(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, film = tmp_path / "descent.png", tmp_path / "weight.gif"
    words = ["inspect", "descent", "--function", "one-weight", "--steps", "1", "--out", str(out), "--json"]
    assert main([*words, "--animation", str(film)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["error"] for one in found["tried"]] == [5, 20, 0] and found["files"] == [str(out), str(film)]
    with Image.open(film) as shown:
        pictures = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(shown)]
        lasts = [frame.info["duration"] for frame in ImageSequence.Iterator(shown)]
    assert len(pictures) == 3 + 1 + 1 and sum(lasts) == 5 * 2000  # the tries, the start and an update
    assert all((one != other).any() for one, other in pairwise(pictures))


def test_a_run_is_looked_at_on_a_plane(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train("mlp", data="iris", epochs=5, out=str(tmp_path / "run"))
    capsys.readouterr()
    out = str(tmp_path / "plane.png")
    assert main(["inspect", "descent", str(tmp_path / "run"), "--steps", "20", "--out", out, "--json"]) == 0
    ways = {way["name"]: way for way in json.loads(capsys.readouterr().out)["ways"]}
    assert "single samples" in ways and ways["sgd"]["losses"][-1] < ways["sgd"]["losses"][0]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--function nowhere",
        "--function bowl --optimizers adamm",
        "--function bowl --steps 0",
        "--function bowl --learning-rate -1",
        "--function one-weight --learning-rate 9",
        "--function one-weight --animation film.txt",
        "no-such-run",
        "--function bowl --out nowhere/at/all.png",
        "--function bowl --animation film.txt",
    ],
)
def test_wrong_words_are_one_clear_error(words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", "descent", *words.split()]) in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "defect" not in said and "Traceback" not in said
