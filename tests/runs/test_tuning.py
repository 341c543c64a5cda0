"""Tuning: trials are runs; the same seed gives the same study, killed or not, whoever trains; the best come out."""

import csv
import inspect
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import ganglion
from ganglion.cli import main
from ganglion.errors import ConfigurationError, PrunedError, ResourceError, UsageError
from ganglion.findings import Finding
from ganglion.models import INDEX
from ganglion.runs import facts
from ganglion.runs.tuning import proposals, workers
from ganglion.runs.tuning.dimensions import Axis, Dimension, parsed, search_texts, usual
from ganglion.runs.tuning.journal import Journal
from ganglion.runs.tuning.proposals import Told, importance, propose
from ganglion.runs.tuning.pruning import Watch, bars
from ganglion.runs.tuning.reporting import write_results
from ganglion.runs.tuning.study import JOURNAL, Study
from ganglion.runs.tuning.trial import Assignment, Outcome, run_trial
from ganglion.runs.tuning.tuning import tune
from ganglion.runs.tuning.workers import Crew
from ganglion.training.callback import Training
from tests.faults.children import fork, is_alive, wait

SEARCH = {"learning_rate": (1e-4, 1.0), "activation": ["relu", "tanh"], "hidden_features": "1..2x4..16"}
QUICK: dict[str, Any] = {"search": SEARCH, "trials": 4, "at_once": 2, "finalists": 1, "seeds": 2, "epochs": 3}


def told(study: Study) -> list[dict[str, Any]]:
    """Return the journal without times."""
    entries = study.entries
    for entry in entries:
        entry.get("outcome", {}).pop("seconds", None)
    return entries


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposals, "FEWEST_FOR_IMPORTANCE", QUICK["trials"])
        return tune("mlp", "iris", out=tmp_path_factory.mktemp("tuning") / "whole", **QUICK)


@pytest.fixture
def blank_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the files of pictures empty, which take three quarters of a study; processes that are forked do so, too."""
    monkeypatch.setattr(FigureCanvasAgg, "print_png", lambda canvas, path, **how: Path(path).touch())


def test_a_trial_is_an_ordinary_run(study: Study) -> None:
    best = study.ranked[0]
    run = ganglion.open_run(study.folder / best.name)
    assert run.config.activation == study.values(best)["activation"]
    assert list(run.config.hidden_features) == list(study.values(best)["hidden_features"])
    assert best.outcome is not None
    losses = [row["validation_loss"] for row in run.history]
    assert best.outcome.value == min(losses)
    assert best.outcome.score == run.metrics["accuracy"]
    first = ganglion.open_run(study.folder / "trial-001")  # what training starts from
    assert first.config.hidden_features == (128, 64)
    assert first.config.descent.learning_rate == 1e-3


def test_the_best_are_trained_again_and_the_line_printed_gives_the_winner_back(study: Study, tmp_path: Path) -> None:
    (finalist,) = study.finalists
    values = [one.value for one in finalist.outcomes]
    assert finalist.value is not None
    assert finalist.value.mean == pytest.approx(np.mean(np.array(values, dtype=float)))
    assert finalist.value.deviation == pytest.approx(np.std(np.array(values, dtype=float), ddof=1))
    seeds = [ganglion.open_run(study.folder / f"{finalist.trial.name}-seed-{one}") for one in (1, 2)]
    assert [json.loads((run.folder / "config.json").read_text())["trainer"]["seed"] for run in seeds] == [1, 2]
    winner = study.winner
    assert winner is not None and winner.outcome is not None
    words = study.command(winner).split()[1:]
    assert main([*words, "--out", str(tmp_path / "again"), "--quiet"]) == 0
    assert ganglion.open_run(tmp_path / "again").metrics["accuracy"] == winner.outcome.score


def test_table_pictures_and_report(study: Study, laid_out: None) -> None:
    write_results(study)
    rows = list(csv.DictReader((study.folder / "trials.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["trial"] for row in rows] == [str(number) for number in range(1, 5)]
    assert float(rows[0]["learning_rate"]) == 1e-3
    assert all((study.folder / "figures" / f"{name}.png").stat().st_size > 5000 for name in ("course", "slices"))
    report = (study.folder / "report.html").read_text(encoding="utf-8")
    assert "ganglion train mlp --data iris" in report
    assert study.winner is not None and study.result["winner"]["trial"] == study.winner.number
    assert study.result["importance"].keys() == {axis.name for axis in study.axes}
    assert sum(study.result["importance"].values()) == pytest.approx(1)
    assert json.loads((study.folder / "study.json").read_text())["result"].keys() == study.result.keys()


@pytest.mark.usefixtures("blank_pictures")
def test_any_executor_and_any_number_of_workers_give_the_same_study(study: Study, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        other = tune("mlp", "iris", out=tmp_path / "threads", executor=pool, **QUICK)
    assert told(other) == told(study)


@pytest.mark.full
def test_processes_give_the_same_study(study: Study, tmp_path: Path) -> None:
    assert told(tune("mlp", "iris", out=tmp_path / "own", workers=2, **QUICK)) == told(study)
    with ProcessPoolExecutor(3) as pool:
        assert told(tune("mlp", "iris", out=tmp_path / "given", executor=pool, **QUICK)) == told(study)


def killed(folder: Path, kills: int, seed: int) -> tuple[int, list[str]]:
    """Go on with a study in children that are killed at random moments, then to its end.

    A moment is drawn by what trials have written of their measures, so that machines of any speed are hit in a trial.
    Returns how many were killed in time, and which trials were under way when that happened.
    """
    chance, done, under_way = random.Random(seed), 0, []
    for _ in range(kills):
        child = fork(lambda: ganglion.continue_study(folder))
        for _ in range(chance.randint(1, max(1, 8 // kills))):
            before = size_of_metrics(folder)
            while size_of_metrics(folder) == before and is_alive(child):
                time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        done += wait(child) == -signal.SIGKILL
        under_way += [one.name for one in Study(folder).trials if one.outcome is None]
    assert wait(fork(lambda: ganglion.continue_study(folder))) == 0
    return done, under_way


def size_of_metrics(folder: Path) -> int:
    """Return how many bytes the trials of a study have written of their measures."""
    return sum(path.stat().st_size for path in folder.glob("*/metrics.jsonl"))


def begun(folder: Path) -> Path:
    """Make a study that was killed before its first trial."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Crew, "outcome", stopped)
        with pytest.raises(KeyboardInterrupt):
            tune("mlp", "iris", out=folder, **QUICK)
    return folder


def stopped(*_: Any) -> Outcome:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("blank_pictures")
@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.full)])
def test_a_study_that_is_killed_goes_on_as_if_it_had_not_been(study: Study, tmp_path: Path, kills: int) -> None:
    folder = begun(tmp_path / "killed")
    done, under_way = killed(folder, kills, seed=kills)
    assert done >= 1 and under_way
    assert told(Study(folder)) == told(study)
    for one in study.trials:
        assert (
            ganglion.open_run(folder / one.name)._files.metrics_digest()
            == ganglion.open_run(study.folder / one.name)._files.metrics_digest()
        )


@pytest.mark.full
def test_killed_studies_with_processes_go_on(study: Study, tmp_path: Path) -> None:
    folder = begun(tmp_path / "killed")
    chance = random.Random(1)
    line = [sys.executable, "-m", "ganglion", "resume", str(folder), "--quiet"]
    for _ in range(10):
        child = subprocess.Popen([sys.executable, "-m", "ganglion", "tune", str(folder), "--workers", "2", "--quiet"])
        time.sleep(chance.uniform(3, 9))
        child.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        child.wait(timeout=60)
    assert subprocess.run(line, timeout=300).returncode == 0
    assert told(Study(folder)) == told(study)


def test_a_line_that_was_cut_short_was_never_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / JOURNAL)
    journal.append({"asked": 1})
    with open(journal.path, "ab") as file:
        file.write(b'{"told": 1, "outc')
    assert journal.read() == [{"asked": 1}]
    journal.mend()
    journal.append({"told": 1})
    assert journal.read() == [{"asked": 1}, {"told": 1}]


def quick_trial(folder: Path, **options: Any) -> Assignment:
    options = {"epochs": 4, "hidden_features": (8,), "threads": 1} | options
    return Assignment(system="mlp", data="iris", folder=str(folder), options=options)


def test_a_trial_below_the_median_is_given_up_and_again_when_it_is_done_again(tmp_path: Path) -> None:
    assignment = quick_trial(tmp_path / "trial", learning_rate=1e-5)
    bar = Assignment(**vars(assignment) | {"bars": [(0.5, 0.2)]})
    for _ in range(2):
        outcome = run_trial(bar)
        assert outcome.state == "pruned"
        assert [share for share, _ in outcome.reports] == [0.25, 0.5]
        assert outcome.value is not None and outcome.value > 0.2


def test_a_trial_whose_loss_is_no_number_has_failed(tmp_path: Path) -> None:
    assignment = quick_trial(tmp_path / "trial", learning_rate=1e30, optimizer="sgd")
    outcome = run_trial(assignment)
    assert outcome.state == "failed" and "not finite" in outcome.reason
    axes = [Axis(name="x", low=0.0, high=1.0)]
    history = [Told(point={"x": at / 20}, value=at / 20 - 1, is_over=True) for at in range(11)]
    failing = [Told(point={"x": 0.5 + at / 40}, is_over=True) for at in range(1, 20)]
    drawn = [propose(axes, history + failing, seed=seed, higher_is_better=False) for seed in range(20)]
    assert np.mean([point["x"] < 0.5 for point in drawn if point]) > 0.6


def test_a_collapse_gives_a_trial_up() -> None:
    watch = Watch([])
    trainer: Training = None  # type: ignore[assignment]
    watch.on_finding(trainer, Finding(name="passed-over", level="warn", message="batches"))
    with pytest.raises(PrunedError, match="all alike"):
        watch.on_finding(trainer, Finding(name="collapse", level="warn", message="all alike"))


def test_agents_are_compared_by_their_mean_return(tmp_path: Path) -> None:
    options = {"steps": 20, "evaluate_every": 10, "num_environments": 1, "learning_starts": 20, "hidden_features": (8,)}
    assignment = Assignment(system="dqn", data="CartPole-v1", folder=str(tmp_path / "trial"), options=options)
    outcome = run_trial(assignment)
    assert (outcome.state, outcome.higher_is_better, outcome.measure) == ("finished", True, "mean_return")


def test_bars_are_the_median_of_those_before_and_none_before_the_warm_up() -> None:
    few = [Told(point={}, value=float(at), reports=[(0.1, 9.0), (0.5, float(at))]) for at in range(4)]
    assert bars(few, warm_up=0.3) == []
    found = dict(bars([*few, Told(point={}, value=8.0, reports=[(0.5, 8.0)]), Told(point={}, is_over=True)], 0.3))
    assert min(found) == pytest.approx(0.5)  # of the fifth nothing is known before
    assert set(found.values()) == {2.0}


class Dying(Executor):
    """Workers of which those that train some trials die."""

    def __init__(self, deadly: Sequence[str]) -> None:
        self.deadly, self.submitted = deadly, []  # type: ignore[var-annotated]

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        from concurrent.futures import Future

        future: Future[Outcome] = Future()
        name = args[0].folder
        self.submitted.append(name)
        if name in self.deadly:
            future.set_exception(BrokenProcessPool("killed"))
        else:
            future.set_result(Outcome(state="finished", value=1.0))
        return future


def test_a_trial_that_takes_its_process_with_it_three_times_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Dying(["b"])
    monkeypatch.setattr(Crew, "_executor", lambda crew: pool)
    with Crew(workers=2) as crew:
        for name in "abc":
            crew.start(name, Assignment(system="mlp", data="iris", folder=name, options={}))
        outcomes = {name: crew.outcome(name) for name in "abc"}
    assert [outcomes[name].state for name in "abc"] == ["finished", "failed", "finished"]
    assert pool.submitted.count("b") == workers.MOST_DEATHS
    assert pool.submitted.count("c") == 1
    with Crew(executor=pool) as crew:
        crew.start("b", Assignment(system="mlp", data="iris", folder="b", options={}))
        with pytest.raises(ResourceError, match="a worker died"):
            crew.outcome("b")


AXES = [Axis(name="x", low=0.0, high=1.0), Axis(name="y", low=1e-4, high=1.0), Axis(name="z", choices=("a", "b", "c"))]


def height(point: dict[str, Any]) -> float:
    return (point["x"] - 0.3) ** 2 + 0.1 * np.log10(point["y"] / 1e-2) ** 2 + 0.3 * (point["z"] != "b")


def search(seed: int, by_chance: bool, trials: int = 30) -> list[Told]:
    found: list[Told] = []
    for _ in range(trials):
        point = propose(AXES, found, seed=seed, higher_is_better=False, by_chance=by_chance)
        assert point is not None
        found.append(Told(point=point, value=height(point), is_over=True))
    return found


def test_proposals_are_a_function_of_what_was_told_and_beat_chance() -> None:
    found = search(seed=0, by_chance=False)
    again = propose(AXES, found[:20], seed=0, higher_is_better=False)
    assert again == dict(found[20].point)
    proposed = [found, *(search(seed, by_chance=False) for seed in (1, 2))]
    drawn = [search(seed, by_chance=True) for seed in range(3)]
    best, chance = ([min(height(dict(one.point)) for one in told_) for told_ in every] for every in (proposed, drawn))
    assert np.median(best) < np.median(chance)
    shares = importance(AXES, found, False)
    assert sum(shares.values()) == pytest.approx(1)


def test_nothing_is_tried_twice_and_an_end_is_an_end() -> None:
    axes = [Axis(name="n", low=1, high=3, whole=True), Axis(name="z", choices=("a", "b"))]
    found: list[Told] = []
    while point := propose(axes, found, seed=1, higher_is_better=True):
        found.append(Told(point=point, value=1.0, is_over=True))
    assert len({tuple(one.point.values()) for one in found}) == len(found) == 6


def fields(*names: str) -> list[dict[str, Any]]:
    from ganglion.cli.flags import train_settings
    from ganglion.models import find

    found = [field for group in train_settings(find("mlp")).values() for field in group]
    return [field for field in found if not names or field["name"] in names]


def test_what_is_typed_becomes_ranges_and_choices() -> None:
    texts = ["learning-rate=1e-4..1e-1", "hidden_features=1..3x16..256", "activation=relu,tanh", "batch_norm"]
    rate, widths, activation, norm = parsed(texts, fields())
    assert (rate.low, rate.high, rate.axes[0].is_log) == (1e-4, 0.1, True)
    assert widths.value({"hidden_features: layers": 2, "hidden_features: width": 32}) == (32, 32)
    assert activation.choices == ("relu", "tanh") and norm.choices == (False, True)
    (listed,) = parsed(["hidden_features=64,64x32"], fields())
    assert listed.choices == ((64,), (64, 32)) and listed.value({"hidden_features": "64x32"}) == (64, 32)
    assert [one.field for one in parsed(["usual", "dropout=0..0.2"], fields(), ["epochs"])] == [
        *("hidden_features", "activation", "dropout", "learning_rate", "weight_decay", "batch_size")
    ]
    for one in parsed(["usual", "clip_norm"], fields()):
        assert Dimension.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert search_texts("a b=1..2") == ["a", "b=1..2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rat=1..2", "did you mean 'learning_rate'"),
        ("learning_rate=1..1", "no range"),
        ("learning_rate=0.1..nan", "no range"),
        ("batch_size=1.5..8", "whole numbers"),
        ("activation=relu,", "empty"),
        ("hidden_features=0x1..9", "no number of layers"),
        ("in_features=1..9", "follows from the data"),
        ("seed=1..9", "only be compared"),
        ("epochs=1..9", "given a value and searched for"),
        ("start_from", "not known"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed([text], fields(), ["epochs"])
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "search_", [["activation=relu,tan"], ["dropout=0..1.5"], ["hidden_features=0x4..8"], {"dropout": 0.5}]
)
def test_ends_and_choices_that_the_system_does_not_take_are_refused_before_anything_is_made(
    search_: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError):
        tune("mlp", "iris", search=search_, out=tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_what_training_starts_from_is_refused_to_the_user_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot monitor"):
        tune("mlp", "iris", monitor="beauty", out=tmp_path / "study")
    with pytest.raises(UsageError, match="nothing is held back"):
        tune("mlp", "iris", validation=0.0, out=tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_every_system_has_fields_to_look_through_and_none_has_a_name_of_ours() -> None:
    ours = set(inspect.signature(tune).parameters) - {
        "workers",
        "options",
    }  # of the data, which a study does not read with processes
    for system in INDEX:
        known = facts.load(system)
        assert known is not None
        assert not ours & {field["name"] for field in known["fields"]}, system.name
        assert usual(known["fields"]) or system.name in ("mdp", "perceptron"), system.name


def test_the_command_line_goes_on_and_tells(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", str(study.folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert sum(answer["trials"].values()) == 4
    assert answer["winner"]["command"].startswith("ganglion train mlp")
    assert main(["resume", str(study.folder)]) == 0
    captured = capsys.readouterr()
    assert "ganglion train mlp --data iris --epochs 3" in captured.out
    assert "learning rate" in captured.out


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("study.json", "{"),
        ("study.json", '{"format": 99}'),
        ("study.json", '{"format": 1, "trials": "many"}'),
        ("journal.jsonl", "no json\n"),
        ("journal.jsonl", '{"told": 7, "outcome": {}}\n'),
        ("journal.jsonl", '{"asked": 1}\n'),
        ("journal.jsonl", "[1]\n"),
    ],
)
def test_a_damaged_study_is_refused_in_words(
    study: Study, file: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("study.json", "journal.jsonl"):
        (tmp_path / name).write_bytes((study.folder / name).read_bytes())
    (tmp_path / file).write_text(content)
    assert main(["resume", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: cannot read " + file) and "try:" in said
