"""The task of drawing: what it answers, at which scale, that nobody's drawing depends on others, and its files."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.data.formats.strokes.svg import read_svg
from ganglion.data.loaders.pen import PenChanges, without_points
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.data.strokes import lines_of, size_of
from ganglion.errors import DataError, UsageError
from ganglion.inspect.gates import gates
from ganglion.models.recurrent.sketch_rnn import TINY, SketchRNN, build
from ganglion.rules.recurrent.sketches import Sketching
from ganglion.runs.writing import write
from ganglion.settings import from_dict
from ganglion.tasks.answers import Answer, Rows, Strokes
from ganglion.tasks.measures.sketches import independent
from ganglion.tasks.shared.sketches.drawing import draw, explained, likely_latents, surprise_of
from ganglion.tasks.shared.sketches.given import given_drawing
from ganglion.tasks.sketching import SketchingTask, between


@cache
def task(conditional: bool = True) -> SketchingTask:
    config = replace(TINY, conditional=conditional)
    return SketchingTask.prepare(generate("sketches", count=40), config, DataSettings(validation=0.2), seed=0)


@cache
def network(conditional: bool = True) -> SketchRNN:
    torch.manual_seed(0)
    home = build(task(conditional).config).home.eval()
    assert isinstance(home, SketchRNN)
    return home


def ask(verb: str, conditional: bool = True, **question: Any) -> Answer:
    one = task(conditional)
    return one.ask(verb, network(conditional), from_dict(one.verbs[verb], question, where=verb))


@pytest.fixture
def begun(tmp_path: Path) -> str:
    path = tmp_path / "begun.svg"
    path.write_text('<svg viewBox="0 0 100 100"><path d="M10 40v40h50v-40"/><path d="M20 20l3 3"/></svg>')
    return str(path)


def test_long_drawings_are_left_out_and_said() -> None:
    one = task()
    assert any("more than 30 points are left out" in note for note in one.notes)
    assert one.config.longest == max(len(values) for values in one.data["train"].inputs) <= 30
    few, narrow = generate("sketches", count=8), replace(TINY, window=3)
    with pytest.raises(DataError, match="more points"):
        SketchingTask.prepare(few, narrow, DataSettings(), seed=0)


@pytest.mark.parametrize("conditional", [True, False])
def test_a_drawing_depends_on_no_other(conditional: bool, begun: str) -> None:
    for question in ({}, {"start": begun}):
        many = ask("generate", conditional, count=19, seed=4, longest=20, **question).value
        few = ask("generate", conditional, count=2, seed=4, longest=20, **question).value
        for one, two in zip(many, few, strict=False):
            assert all(np.array_equal(*lines) for lines in zip(one, two, strict=True))
    latents = torch.randn(3, TINY.latent_features) if conditional else None
    drawings = list(task().data.columns("train")["inputs"].samples()[:3])  # type: ignore[union-attr]
    together = surprise_of(network(conditional), drawings, latents)
    alone = [
        surprise_of(network(conditional), [one], None if latents is None else latents[n : n + 1])[0]
        for n, one in enumerate(drawings)
    ]
    torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=0)


def test_what_was_begun_stays_where_it_was(begun: str) -> None:
    lines, _ = read_svg(Path(begun))
    answer = ask("generate", start=begun, count=5)
    assert isinstance(answer, Strokes) and list(answer.given) == [2] * 5
    assert any("times as large" in note for note in answer.notes)
    for drawing in answer.drawings:
        ends = [np.array([line[0], line[-1]]) for line in drawing[:2]]
        assert np.allclose(ends, [line[[0, -1]] for line in lines], atol=1e-3)


def test_a_beginning_chooses_the_latents_that_make_it_likely() -> None:
    (one,) = task().data.columns("train")["inputs"].samples()[:1]  # type: ignore[union-attr]
    latents = likely_latents(network(), one[:6], count=200, seed=0, candidates=8)
    tried = torch.randn(8, TINY.latent_features, generator=torch.Generator().manual_seed(0))
    shares = (-surprise_of(network(), [one[:6]] * 8, tried, finished=False)).softmax(0)
    found = torch.stack([(latents == each).all(1).double().mean() for each in tried])
    assert float((found - shares).abs().max()) < 0.12


def test_heat_zero_draws_the_same_whatever_the_seed() -> None:
    latents = torch.zeros(2, TINY.latent_features)
    options: Any = {"count": 2, "temperature": 0.0, "longest": 12}
    first, second = (draw(network(), latents, seed=seed, **options) for seed in (0, 1))
    assert all(torch.allclose(one, two, atol=0.05) for one, two in zip(first, second, strict=True))


def test_scale_follows_the_drawing_or_its_paper(tmp_path: Path) -> None:
    one, usual = task(), task().pen.size
    path = str(tmp_path / "small.json")
    Path(path).write_text(json.dumps([[[0, 0], [1, 0], [1, 2]]]))
    asked, notes = given_drawing(path, *one._frame)
    assert size_of(asked.moves) == pytest.approx(usual, rel=1e-3) and notes
    asked, notes = given_drawing(path, *one._frame, begun=True)  # a small beginning may be just that
    assert asked.scale == 1 and not notes
    asked, _ = given_drawing(path, *one._frame, 7.0)
    assert asked.scale == 7


def test_rebuilding_and_ways_need_an_encoder(begun: str) -> None:
    rebuilt = ask("predict", inputs=[begun, task().data.raw("test").values[0]])
    assert isinstance(rebuilt, Strokes) and {"input", "points", "surprise"} == set(rebuilt.rows[0])
    assert isinstance(ask("predict", conditional=False, inputs=[begun]), Rows)
    way = ask("interpolate", inputs=[begun, begun], count=3)
    assert isinstance(way, Strokes) and len(way.drawings) == 3 and way.columns == 3
    assert len(ask("generate", like=begun, count=2).value) == 2
    for verb, question in (("interpolate", {"inputs": [begun, begun]}), ("generate", {"like": begun})):
        with pytest.raises(UsageError, match="cannot"):
            ask(verb, conditional=False, **question)
    with pytest.raises(UsageError, match="two ends"):
        ask("interpolate", inputs=[begun])
    with pytest.raises(UsageError, match="like"):
        ask("generate", like=begun, start=begun)
    with pytest.raises(DataError, match="does not exist"):
        ask("generate", start="nowhere.svg")


def test_the_way_between_latents_keeps_their_length() -> None:
    first, last = torch.tensor([2.0, 0, 0]), torch.tensor([0, 2.0, 0])
    way = between(first, last, 5)
    torch.testing.assert_close(way.norm(dim=1), torch.full((5,), 2.0))
    torch.testing.assert_close(way[[0, -1]], torch.stack([first, last]))
    torch.testing.assert_close(between(first, 2 * first, 3)[1], 1.5 * first)


@pytest.mark.parametrize("ending", [".svg", ".png", ".gif", ".json", ".ndjson", "/"])
def test_drawings_are_written_in_every_form(ending: str, begun: str, tmp_path: Path) -> None:
    answer = ask("generate", start=begun, count=3, longest=12)
    path = f"{tmp_path}/out{ending}"
    write(answer, path)
    if ending == "/":
        assert len(list(Path(path).glob("*.svg"))) == 3
    elif ending in (".png", ".gif"):
        with Image.open(path) as picture:
            assert picture.size[0] > 100 and getattr(picture, "n_frames", 1) > 5 * (ending == ".gif")
    elif ending == ".svg":
        assert Path(path).read_text().count('stroke="#0072b2"') == 6
    else:
        again = ask("generate", start=path, count=1)  # what was written can be gone on with
        assert isinstance(again, Strokes) and again.given[0] >= 2


def test_the_measures_are_those_of_the_rule_and_the_baseline_counts() -> None:
    one, rule = task(), build(task().config)
    rule.networks["network"].load_state_dict(network().state_dict())
    assert isinstance(rule, Sketching)
    measured = one.evaluate(rule, "test")
    drawings = one._prepared("test")
    mean, log_variance = explained(network(), drawings)
    assert measured["divergence"] == pytest.approx(
        float((mean.square() + log_variance.exp() - 1 - log_variance).mean()) / 2, rel=1e-5
    )
    assert measured["loss"] == pytest.approx(measured["reconstruction"] + 0.5 * max(measured["divergence"], 0.2))
    random = np.random.default_rng(0)
    moves = np.column_stack([random.normal(0, 1, (4000, 2)), random.random(4000) < 0.25])
    parts = np.split(moves, 400)
    entropy = np.log(2 * np.pi * np.e) + np.log(11 / 10) + np.log(11) / 10  # of moves, of ends
    entropy -= 0.75 * np.log(0.75) + 0.25 * np.log(0.25)
    assert independent(parts, parts, 10) == pytest.approx(entropy, rel=0.02)


def test_points_are_dropped_without_bending_the_rest() -> None:
    drawings = task().data.columns("train")["inputs"]
    moves, lengths = drawings.padded(torch.arange(12))  # type: ignore[union-attr]
    batch = {"inputs": moves, "inputs_lengths": lengths, "index": torch.arange(12)}
    changed = PenChanges(stretch=0.0, dropped=0.4, longest=30)(batch, 0, 3)
    fewer = changed["inputs_lengths"]
    assert int(fewer.sum()) < int(lengths.sum())
    for row in range(12):
        before, after = moves[row, : lengths[row]].numpy(), changed["inputs"][row, : fewer[row]].numpy()
        old, new = lines_of(before), lines_of(after)
        assert len(old) == len(new)
        for one, two in zip(old, new, strict=True):
            assert np.allclose(one[[0, -1]], two[[0, -1]], atol=1e-5)
            assert all(np.isclose(one, point, atol=1e-5).all(1).any() for point in two)
    one = {name: values[4:5] for name, values in batch.items()}
    alone = PenChanges(stretch=0.1, dropped=0.4, longest=30)(one, 0, 3)
    many = PenChanges(stretch=0.1, dropped=0.4, longest=30)(batch, 0, 3)
    length = int(alone["inputs_lengths"])
    torch.testing.assert_close(alone["inputs"][0, :length], many["inputs"][4, :length])
    kept, same = without_points(moves, lengths, torch.zeros(moves.shape[:2], dtype=torch.bool))
    torch.testing.assert_close(kept, moves[:, : kept.shape[1]])
    assert torch.equal(same, lengths)


def test_gates_are_shown_while_a_drawing_is_read(begun: str) -> None:
    moves, names = task().steps(begun)
    found = gates(network(), moves, names)
    assert names[-1] == "lifted" and len(names) == moves.shape[1]
    assert {one.layer for one in found.activities} == {
        "encoder.layers.0",
        "encoder.backward_layers.0",
        "decoder.layers.0",
    }


def test_pages_are_drawn() -> None:
    rule = build(task().config)
    drawn = task().figures(rule)
    assert set(drawn) == set(SketchingTask.captions)
    sheet = task().sheet(rule.home)
    assert sheet is not None and sheet.dtype == np.uint8 and sheet.std() > 1
