"""Recommendation: nothing leaks, measures by hand, known and new users, and questions that are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ganglion
from ganglion.data.sources.generators import generate
from ganglion.errors import GanglionError
from ganglion.models.autoencoder.recommender import Config, build
from ganglion.models.energy import rbm_recommender
from ganglion.runs.run import Run
from ganglion.tasks.measures.recommendations import matrix_factorisation, ordered, quality_of_order
from ganglion.tasks.recommendation import DataSettings, Predict, Recommendation
from ganglion.tasks.shared.ratings import Known

FEW = generate("film-ratings", count=3000)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    options = {"hidden_features": 16, "batch_size": 16, "steps": 40, "threads": 1, "sample_every": "off"}
    return ganglion.train("recommender", FEW, out=tmp_path_factory.mktemp("runs") / "run", **options)


@pytest.mark.parametrize("form", [{}, {"rows": "users"}, {"loss": "listwise"}], ids=["items", "users", "order"])
def test_no_rating_of_another_part_is_an_input(form: dict[str, str]) -> None:
    """The network and the biases see the training part alone: other values in the other parts change nothing."""
    changed = np.asarray(FEW.fields["ratings"].values).copy()
    config, settings = Config(hidden_features=4, biases=True, **form), DataSettings(test=0.2)  # type: ignore[arg-type]
    task = Recommendation.prepare(FEW, config, settings, seed=0)
    changed[task.data["test"].index] = 6 - changed[task.data["test"].index]
    changed[task.data["validation"].index] = 6 - changed[task.data["validation"].index]
    other = Recommendation.prepare(FEW.with_values(ratings=changed), config, settings, seed=0)
    torch.manual_seed(0)
    rule = build(task.config)
    with torch.no_grad():
        rule.home.decoder[0].weight.normal_()  # type: ignore[union-attr, index, operator]
    for ours, theirs in zip(task.loader(rule, 0), other.loader(rule, 0), strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    users, items = task._part("test").pair
    answers = [one._foretold(rule.home, one._part("train"), users, items) for one in (task, other)]
    assert (
        np.array_equal(*answers)
        and not np.intersect1d(
            *(task.data[part].index for part in ("train", "test"))  # type: ignore[index]
        ).size
    )
    # and a held-out pair is none of the training rows
    train = set(zip(*task._part("train").pair, strict=True))
    assert not train & set(zip(users, items, strict=True))


def test_orders_are_judged_as_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.1, 0.2, 0.3, 0.4]])
    order = ordered(scores, [np.array([0]), np.array([], dtype=int)], most=3)
    assert order.tolist() == [[1, 2, 3], [3, 2, 1]]
    found = quality_of_order(order, [np.array([2]), np.array([3, 0])])
    second = 1 / (1 + 1 / np.log2(3))  # the first of two at the head, the other not found
    assert found["ndcg_at_10"] == pytest.approx((1 / np.log2(3) + second) / 2)
    assert found["recall_at_10"] == pytest.approx((1 + 0.5) / 2)


def test_factorisation_finds_factors() -> None:
    random = np.random.default_rng(0)
    truth = 3 + np.outer(random.choice([-1, 1], 40), random.choice([-1, 1], 30))
    shown = random.random(truth.shape) < 0.7
    parts = [Known(*np.nonzero(mask), truth[mask].astype(float), truth.shape) for mask in (shown, ~shown)]  # type: ignore[arg-type]
    predict = matrix_factorisation(parts[0], parts[1], 1, 5)
    assert np.abs(predict(*parts[1].pair) - parts[1].values).mean() < 0.4


def test_answers_leave_out_what_was_seen(run: Run) -> None:
    rows = run.ask("predict", inputs=["person 7", "person 8"], count=5)
    assert [(row["user"], row["rank"]) for row in rows[:5]] == [("person 7", rank) for rank in range(1, 6)]
    assert all(1 <= row["rating"] <= 5 for row in rows)
    everything = {row["item"] for row in run.ask("predict", inputs=["person 7"], count=500)}
    users, items = (FEW.fields[name] for name in ("users", "items"))
    seen = {items.names[item] for item in np.asarray(items.values)[np.asarray(users.values) == 6]}
    assert not everything & seen and len(everything | seen) == 120


@pytest.mark.parametrize("rows", ["items", "users"])
def test_a_new_user_with_the_ratings_of_a_known_one_gets_like_answers(rows: str, tmp_path: Path) -> None:
    options = {"hidden_features": 16, "batch_size": 16, "steps": 60, "threads": 1, "rows": rows}
    run = ganglion.train("recommender", FEW, out=tmp_path / "run", **options)
    users, items = (FEW.fields[name] for name in ("users", "items"))
    own = np.asarray(users.values) == 0
    told = dict(zip(np.asarray(items.values)[own], np.asarray(FEW.fields["ratings"].values)[own], strict=True))
    lines = [f'"{items.names[item]}",{rating:g}' for item, rating in told.items()]
    (tmp_path / "me.csv").write_text("item,rating\n" + "\n".join(lines) + "\n", encoding="utf-8")
    known = {row["item"]: row["rating"] for row in run.ask("predict", inputs=["person 1"], count=200)}
    new = {row["item"]: row["rating"] for row in run.ask("predict", inputs=[tmp_path / "me.csv"], count=200)}
    assert known.keys() == new.keys()
    assert np.corrcoef([known[item] for item in known], [new[item] for item in known])[0, 1] > 0.8


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"inputs": ["nobody"]}, "there is no user"),
        ({"inputs": ["me"], "rated": ["The Silent Harbour=9"]}, "outside the scale"),
        ({"inputs": ["me"], "rated": ["The Silent Harbour=nan"]}, "outside the scale"),
        ({"inputs": ["me"], "rated": ["The Silent Harbour"]}, "no rating of an item"),
        ({"inputs": ["me"], "rated": ["The Quiet Harbour=4"]}, "unknown item"),
        ({"inputs": ["person 1"], "rated": ["The Silent Harbour=4"]}, "one new user"),
    ],
)
def test_questions_that_cannot_be_answered(run: Run, question: dict, words: str) -> None:
    with pytest.raises(GanglionError, match=words) as caught:
        run.ask("predict", **question)
    assert caught.value.expected and (caught.value.remedy or caught.value.found)


def test_tables_of_new_users_that_say_nothing(run: Run, tmp_path: Path) -> None:
    for text, words in (
        ("a,b\n1,2\n", "does not say"),
        ("item,rating\n,3\n", "complete"),
        ("item,rating\n", "no rows"),
    ):
        path = tmp_path / "new.csv"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(GanglionError, match=words):
            run.ask("predict", inputs=[path])


def test_choices_alone_are_learnt_as_an_order_only(tmp_path: Path) -> None:
    ones = FEW.with_values(ratings=np.ones(len(FEW), dtype=np.float32))
    options = {"hidden_features": 4, "batch_size": 16, "steps": 4, "threads": 1, "allow_problems": True}
    with pytest.raises(GanglionError, match="ratings must differ"):
        ganglion.train("recommender", ones, out=tmp_path / "a", **options)
    run = ganglion.train("recommender", ones, out=tmp_path / "b", loss="listwise", **options)
    assert run.result["score_name"] == "ndcg_at_10" and run.result["baseline"] > 0
    assert run.ask("predict", inputs=["me"], rated=["The Silent Harbour=1"], count=1)[0]["rank"] == 1


@pytest.mark.parametrize("state", [None, {"shape": [2, 2]}, {"shape": [0, 0]}, {"users": "!"}])
def test_damaged_ratings_are_named(run: Run, state: dict | None) -> None:
    whole = run.task.state()
    damaged = None if state is None else whole["known"] | state if "shape" in state else state
    with pytest.raises(GanglionError, match="damaged"):
        Recommendation.restore(whole | {"known": damaged}, run.config)


@pytest.mark.parametrize("rows", ["users", "items"])
def test_machines_of_levels_see_the_training_part_alone_and_answer_on_the_scale(rows: str) -> None:
    changed = np.asarray(FEW.fields["ratings"].values).copy()
    config, settings = rbm_recommender.Config(hidden_units=4, rows=rows), DataSettings(test=0.2)  # type: ignore[arg-type]
    task = Recommendation.prepare(FEW, config, settings, seed=0)
    for part in ("test", "validation"):
        changed[task.data[part].index] = 6 - changed[task.data[part].index]  # type: ignore[index]
    other = Recommendation.prepare(FEW.with_values(ratings=changed), config, settings, seed=0)
    torch.manual_seed(0)
    rule = rbm_recommender.build(task.config)
    for ours, theirs in zip(task.loader(rule, 0), other.loader(rule, 0), strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert set(ours["ratings"].unique().tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}
        rule.step(ours)
    users, items = task._part("test").pair
    answers = [one._foretold(rule.home, one._part("train"), users, items) for one in (task, other)]
    assert np.array_equal(*answers)
    assert answers[0].min() >= task.scale.lowest
    assert answers[0].max() <= task.scale.highest


def test_rows_of_a_machine_of_levels_are_what_there_is_more_of() -> None:
    few = replace(
        FEW, fields=FEW.fields | {"users": FEW.fields["items"], "items": FEW.fields["users"]}
    )  # users and items change places
    for data in (FEW, few):
        task = Recommendation.prepare(data, rbm_recommender.SMALL, DataSettings(), seed=0)
        assert task.config.in_features == min(task.known.shape) < max(task.known.shape)
        assert next(iter(task.loader(rbm_recommender.build(task.config), 0)))["index"].max() < max(task.known.shape)


def test_machines_of_levels_recommend_to_somebody_new() -> None:
    task = Recommendation.prepare(FEW, rbm_recommender.Config(hidden_units=4), DataSettings(), seed=0)
    torch.manual_seed(0)
    rule = rbm_recommender.build(task.config)
    liked = task.preprocessing["items"].labels[0]
    asked = task.ask("predict", rule.home, Predict(inputs=["somebody"], rated=(f"{liked}=5",), count=3))
    assert len(asked.rows) == 3  # type: ignore[attr-defined]
    assert all(row["item"] != liked and 1 <= row["rating"] <= 5 for row in asked.rows)  # type: ignore[attr-defined]
    with pytest.raises(GanglionError, match="outside the scale"):
        task.ask("predict", rule.home, Predict(inputs=["somebody"], rated=(f"{liked}=9",)))
