"""Does looking for good settings beat drawing them by chance? `python -m benchmarks.tuning` asks of three systems.

The same loop proposes, gives up and tells, with the same number of trials for both; only what proposes differs. Judged
is the best value on the validation part, by the median over ten seeds. Trials are trained without leaving runs,
which both would need alike. What was done is kept, so that a benchmark that was stopped goes on.
"""

import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from ganglion.errors import GanglionError, PrunedError
from ganglion.models import find
from ganglion.runs.options import settle
from ganglion.runs.preparing import prepare_task
from ganglion.runs.session import _lay
from ganglion.runs.tuning import tuning
from ganglion.runs.tuning.pruning import Watch
from ganglion.runs.tuning.trial import Assignment, Outcome
from ganglion.training.machine.seeding import surroundings
from ganglion.training.trainer import Trainer

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "tuning.md"
BEGIN = "<!-- below: written by python -m benchmarks.tuning -->\n"
HOW = ("proposed", "by chance")
SEEDS, TRIALS, MOMENTS = 10, 30, (10, 20, 30)
TASKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "mlp on 150 irises": ("mlp", "iris", {"epochs": 4}),
    "q-table on FrozenLake-v1": (
        "q-table",
        "FrozenLake-v1",
        {"steps": 200, "evaluate_every": 100, "search": ["rate", "epsilon_start=0..1", "discount=0.8..0.999"]},
    ),
    "autoencoder on 200 digits": (
        "autoencoder",
        "digits",
        {
            "epochs": 2,
            "limit": 200,
            "code_size": 8,
            "hidden_features": (64,),
            "search": ["learning_rate=1e-5..1", "batch_size=8..128", "activation", "weight_decay"],
        },
    ),
}


class Bare(Executor):
    """Trains trials at once, here."""

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> "Future[Outcome]":
        future: Future[Outcome] = Future()
        future.set_result(bare(args[0]))
        return future


def bare(assignment: Assignment) -> Outcome:
    """Return what comes of a trial that leaves no run: neither checkpoints nor figures nor a report."""
    system, state = find(assignment.system), "finished"
    config, training, data = settle(system, assignment.options, assignment.data)
    watch = Watch(assignment.bars)
    with surroundings(training.threads, training.deterministic):
        task = prepare_task(system, assignment.data, config, data, training.seed)
        rule, loader = _lay(system, task, training, anew=True)
        trainer = Trainer(rule, loader, training, evaluate=task.evaluate, measures=task.measures, callbacks=[watch])
        try:
            trainer.fit()
        except PrunedError:
            state = "pruned"
        except GanglionError:
            state = "failed"
    return Outcome(
        state=state,  # type: ignore[arg-type]
        value=watch.reports[-1][1] if watch.reports and state != "failed" else None,
        measure=watch.measure,
        higher_is_better=watch.higher_is_better,
        reports=tuple(watch.reports),
        steps=trainer.iteration,
    )


def course(name: str, seed: int, by_chance: bool) -> dict[str, Any]:
    """Return the best value after each trial of one study, and the iterations that all its trials took."""
    system, data, options = TASKS[name]
    with tempfile.TemporaryDirectory() as place:
        study = tuning.tune(
            system,
            data,
            out=Path(place) / "study",
            executor=Bare(),
            trials=TRIALS,
            finalists=0,
            seed=seed,
            by_chance=by_chance,
            **options,
        )
        trials, higher = study.trials, study.higher_is_better
        best: list[float] = []
        for trial in trials:
            value = trial.outcome.value if trial.outcome and trial.outcome.state == "finished" else None
            known = [*best[-1:], *([] if value is None else [value])]
            best.append((max if higher else min)(known))
        steps = sum(trial.outcome.steps for trial in trials if trial.outcome)
        return {"best": best, "steps": steps, "higher": higher, "measure": study.measure}


def result(name: str) -> Path:
    """Return the file of what was found on a task."""
    return RESULTS / f"tuning-{TASKS[name][0]}.json"


def known(name: str) -> dict[str, Any]:
    """Return what was found so far, by seed and way of proposing."""
    return json.loads(result(name).read_text(encoding="utf-8")) if result(name).exists() else {}


def measure(name: str) -> None:
    """Make what is left to make of a task."""
    for seed in range(SEEDS):
        for how in HOW:
            key = f"seed {seed}, {how}"
            if key not in known(name):
                before = time.process_time()
                found = course(name, seed, how == "by chance")
                result(name).write_text(json.dumps(known(name) | {key: found}) + "\n", encoding="utf-8")
                print(f"{name}, {key}: {found['best'][-1]:.4g} in {time.process_time() - before:.0f} s", flush=True)


def page() -> str:
    """Return the page of documentation with its table anew."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[0] + BEGIN + "\n" + "\n".join(rows()) + "\n"


def rows() -> list[str]:
    """Return the table as lines of Markdown."""
    moments = "".join(f" after {moment} |" for moment in MOMENTS)
    lines = [f"| task | measure | how |{moments} better in |", "|---|---|---|" + "---:|" * (len(MOMENTS) + 1)]
    for name in TASKS:
        found = known(name)
        seeds = [seed for seed in range(SEEDS) if all(f"seed {seed}, {how}" in found for how in HOW)]
        if not seeds:
            continue
        courses = {how: [found[f"seed {seed}, {how}"] for seed in seeds] for how in HOW}
        higher = courses[HOW[0]][0]["higher"]
        ends = list(zip(*([one["best"][-1] for one in courses[how]] for how in HOW), strict=True))
        wins = sum(proposed > chance if higher else proposed < chance for proposed, chance in ends)
        losses = sum(proposed < chance if higher else proposed > chance for proposed, chance in ends)
        for how, won in zip(HOW, (wins, losses), strict=True):
            medians = (statistics.median(one["best"][moment - 1] for one in courses[how]) for moment in MOMENTS)
            values = "".join(f" {value:.4g} |" for value in medians)
            way = "higher" if higher else "lower"
            measured = courses[how][0]["measure"].replace("_", " ")
            lines.append(f"| {name} | {measured}, {way} is better | {how} |{values} {won} of {len(seeds)} |")
    return lines


if __name__ == "__main__":
    tuning.write_results = lambda study: study  # pictures are left out
    for task in sys.argv[1:] or TASKS:
        measure(task)
    PAGE.write_text(page(), encoding="utf-8")
