"""Decision processes: solved as linear programming and linear systems solve them; what is refused; the row."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from ganglion.core import LearningRule
from ganglion.data.decisions.process import DecisionProcess, Transition, WholeProcess
from ganglion.data.decisions.reading import read_process
from ganglion.errors import ConfigurationError, DataError, GanglionError
from ganglion.models.reinforcement.mdp import Config, build
from ganglion.rules.reinforcement.decisions import always, best_values, policy_values
from ganglion.runs.session import train
from tests.contract.rows import Row

GRID = "four-by-three"


def minus_regret(rule: LearningRule) -> float:
    """Minus what the best policy of the grid has more, from the start."""
    process, table = read_process(GRID).batch(), rule.networks["table"]
    policy = always(table.policy(), 4)  # type: ignore[operator]
    lost = best_values(process, 0.9, 4) - policy_values(process, policy, 0.9)
    return -float(lost @ process["starts"])


ROW = Row(
    loader=lambda: WholeProcess(read_process(GRID)),
    steps=60,
    measure=minus_regret,
    threshold=-1e-9,
    counts=(({"num_states": 500, "num_actions": 6}, "table", 3000),),
    frozen=("table.values",),
    data=GRID,
    exempt={"same_seed_same_numbers": "nothing is drawn by chance, so that seeds do not differ"},
)


def by_linear_programming(process: DecisionProcess, discount: float) -> np.ndarray:
    """Return V*: the smallest V with V(s) >= sum P (r + discount V(s')) for all s and a."""
    columns, count = process.columns, len(process.states)
    pairs = sorted(set(zip(columns["states"].tolist(), columns["actions"].tolist(), strict=True)))
    rows, limits = np.zeros((len(pairs), count)), np.zeros(len(pairs))
    for number, (state, action) in enumerate(pairs):
        rows[number, state] -= 1
        for row in np.flatnonzero((columns["states"] == state) & (columns["actions"] == action)):
            chance = columns["probabilities"][row]
            limits[number] -= chance * columns["rewards"][row]
            if not columns["ends"][row]:
                rows[number, columns["next_states"][row]] += discount * chance
    acting = np.isin(np.arange(count), columns["states"])
    bounds = [(None, None) if one else (0, 0) for one in acting]
    values: np.ndarray = linprog(np.ones(count), A_ub=rows, b_ub=limits, bounds=bounds).x
    return values


@pytest.mark.parametrize("name", ["loss-then-gain", "two-doors", GRID, "FrozenLake-v1", "CliffWalking-v1"])
@pytest.mark.parametrize("method", ["value-iteration", "policy-iteration"])
def test_both_methods_find_what_linear_programming_finds(name: str, method: str) -> None:
    process = read_process(name)
    rule = build(Config(num_states=len(process.states), num_actions=len(process.actions), method=method))
    batch = process.batch()
    sweeps = 250 if method == "value-iteration" else 20
    changes = [rule.step(batch)["loss"].item() for _ in range(sweeps)]
    values = rule.networks["table"].state_values().detach()  # type: ignore[operator]
    np.testing.assert_allclose(values.numpy(), by_linear_programming(process, 0.9), atol=1e-7)
    torch.testing.assert_close(values, best_values(batch, 0.9, len(process.actions)), atol=1e-7, rtol=0)
    assert changes[-1] < 1e-9
    if method == "value-iteration":
        assert all(after <= 0.9 * before + 1e-12 for before, after in pairwise(changes))


def test_a_loss_now_is_taken_for_a_gain_later_only_by_those_who_look_ahead() -> None:
    process = read_process("loss-then-gain")
    for discount, action in ((0.3, "rest"), (0.9, "climb")):
        rule = build(Config(discount=discount))
        for _ in range(100):
            rule.step(process.batch())
        assert process.actions[rule.networks["table"].policy()[0]] == action  # type: ignore[operator]


def test_a_discount_of_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="discount"):
        Config(discount=1.0)


def written(path: Path, rows: list[str]) -> str:
    path.write_text("state,action,next_state,probability,reward\n" + "\n".join(rows), encoding="utf-8")
    return str(path)


WEATHER = ["sun,walk,rain,0.4,2", "sun,walk,sun,0.6,2", "rain,wait,sun,0.5,0", "rain,wait,rain,0.5,0"]


def test_files_of_both_kinds_say_the_same(tmp_path: Path) -> None:
    table = read_process(written(tmp_path / "weather.csv", WEATHER))
    names = ("state", "action", "next_state", "probability", "reward")
    entries = [dict(zip(names, row.split(","), strict=True)) for row in WEATHER]
    for one in entries:
        one |= {"probability": float(one["probability"]), "reward": float(one["reward"])}
    (tmp_path / "weather.json").write_text(json.dumps({"transitions": entries, "start": "sun"}))
    same = read_process(str(tmp_path / "weather.json"))
    assert table.states == same.states == ("sun", "rain") and table.fingerprint == same.fingerprint
    sun = 2 / (1 - 0.3 - 0.2 / 3)  # by hand, at a discount of one half
    assert best_values(table.batch(), 0.5, 2).tolist() == pytest.approx([sun, sun / 3])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,go,b,0.5,1", "a,go,a,0.4,1"], ("sum to one", "state a, action go", "0.9")),
        (["a,go,b,1.5,1"], ("a probability", "state a, action go", "1.5")),
        (["a,go,b,-0.5,1", "a,go,a,1.5,0"], ("a probability", "state a, action go", "-0.5")),
        (["a,go,b,1,much"], ("column reward", "much")),
        (["a,go,b,,1", "b,go,a,1,1"], ("column probability", "line 2")),
    ],
)
def test_files_that_are_refused(rows: list[str], words: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(GanglionError) as caught:
        train("mdp", written(tmp_path / "bad.csv", rows), out=tmp_path / "run")
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert caught.value.remedy and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"transitions": [', "no JSON"),
        ('{"transitions": 3}', "no list of transitions"),
        ('{"transitions": []}', "no transitions"),
        ('{"transitions": [{"state": "a"}]}', "transition 1"),
        ('{"transitions": [%s], "start": "z"}', "does not exist"),
        ('{"transitions": [%s], "states": ["a"]}', "not among the states"),
        ('{"transitions": [%s], "start": {"a": 0.5}}', "do not sum to one"),
        ('{"transitions": [%s], "discount": 1}', "unknown 'discount'"),
    ],
)
def test_json_that_is_refused(content: str, words: str, tmp_path: Path) -> None:
    whole = '{"state": "a", "action": "go", "next_state": "b", "probability": 1, "reward": 0}'
    (tmp_path / "bad.json").write_text(content.replace("%s", whole))
    with pytest.raises(DataError, match=words):
        read_process(str(tmp_path / "bad.json"))


def test_a_table_without_its_columns_and_environments_without_a_table_are_refused(tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(DataError, match="lacks columns"):
        read_process(str(tmp_path / "marks.csv"))
    for name in ("Blackjack-v1", "CartPole-v1"):
        with pytest.raises(ConfigurationError, match="no table of states") as caught:
            read_process(name)
        assert f"ganglion train dqn --data {name}" in caught.value.remedy


def test_states_never_reached_and_states_of_the_end_are_said() -> None:
    process = DecisionProcess.of(
        "trip", [Transition("a", "go", "b", 1.0, 1.0), Transition("lost", "go", "a", 1.0, 0.0)], {"a": 1.0}
    )
    assert process.notes == (
        "an episode ends in states without actions: b",
        "states that cannot be reached from the start: lost",
    )


def test_a_run_draws_its_graph_and_answers(tmp_path: Path) -> None:
    run = train("mdp", "loss-then-gain", out=tmp_path / "run", steps=200, evaluate_every=100, threads=1)
    assert run.result["metrics"]["regret"] == 0 and run.result["metrics"]["value_error"] < 1e-6
    assert {path.stem for path in (run.folder / "figures").iterdir()} >= {"graph", "action_values"}
    rows = run.predict("all")
    assert [row["action"] for row in rows] == ["climb", "climb", "rest"]
    assert rows[0]["value"] == pytest.approx(run.result["score"])
    assert len(run.play(episodes=3, longest=20)) == 3
    with pytest.raises(ConfigurationError, match="unknown state"):
        run.predict("sea")
