"""`train`, `resume` and `demo`: what makes runs."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ganglion.cli import folds, processes, tune
from ganglion.cli.arguments import Folder, OptionalCount, OptionalText, Switch
from ganglion.cli.flags import known_facts, parse
from ganglion.cli.output import answer, duration, note, print_scores, print_table, text
from ganglion.cli.wording import words
from ganglion.errors import UsageError, printable
from ganglion.models import INDEX, find

if TYPE_CHECKING:
    from ganglion.runs.run import Run
    from ganglion.runs.session import Session
    from ganglion.training.trainer import Callback


def train(words: list[str]) -> None:
    """Train a system: `train NAME [flags]`."""
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return
    if words[0].startswith("-"):
        raise UsageError("name the system before its flags", found=words[0], remedy="ganglion train lenet5 --epochs 5")
    system = find(words[0])
    request = parse(system, words[1:])
    if request.options.get("folds") and not request.options.get("fold"):
        processes.refuse_alone("train --folds")
        folds.train(system.name, request)
        return

    def prepare(callbacks: list["Callback"]) -> "Session | Run":
        from ganglion.runs import session

        return session.begin(system.name, request.data, out=request.out, callbacks=callbacks, **request.options)

    _run(prepare, request.json, request.quiet)


def resume(
    folder: Folder,
    *,
    epochs: OptionalCount = None,
    steps: OptionalCount = None,
    data: OptionalText = None,
    strict: Switch = False,
    exact: Switch = False,
    json: Switch = False,
    quiet: Switch = False,
) -> None:
    """Continue a run from its newest usable checkpoint, bit for bit.

    Args:
        folder: Folder of the run.
        epochs: Train to this many epochs in all, also a run that has finished.
        steps: Train to this many iterations in all, also a run that has finished.
        data: Where the data lies now, if it was moved; the run remembers it.
        strict: Stop if the newest checkpoint is damaged, instead of using the one before it.
        exact: Stop if anything differs that may change a bit: torch, kind of device, processor, threads.
        json: Print the result as JSON.
        quiet: Print the result only.
    """
    if folds.given(folder):
        processes.refuse_alone("resume of a cross-validation")
        if epochs or steps or data or strict or exact:
            raise UsageError("a cross-validation goes on as it began", remedy="leave the flags out")
        folds.resume(folder, json, quiet)
        return

    if tune.given(folder):
        processes.refuse_alone("resume of a study")
        if epochs or steps or data or strict or exact:
            raise UsageError("a study goes on as it began", remedy="leave the flags out")
        tune.resume(folder, json, quiet)
        return

    def prepare(callbacks: list["Callback"]) -> "Session | Run":
        from ganglion.runs import session

        return session.prepare_resume(
            folder, callbacks=callbacks, epochs=epochs, steps=steps, data=data, strict=strict, exact=exact
        )

    _run(prepare, json, quiet)


def demo(*, out: str = "runs/demo", all: Switch = False, json: Switch = False, quiet: Switch = False) -> None:
    """Train one system of each kind, shortly, and write one report that opens offline.

    Args:
        out: Folder for the runs and the report; a number is added when it exists.
        all: Train every system.
        json: Print the results as JSON.
        quiet: Print the results only.
    """
    from ganglion.cli.progress import Progress
    from ganglion.runs.tour import tour

    def announce(session: "Session") -> None:
        if not quiet:
            note(f"{session.system.name}: {known_facts(session.system)['summary']}, on {session.system.data}")

    with nullcontext() if quiet else Progress() as progress:
        runs, report = tour(out, everything=all, callbacks=[progress] if progress else [], announce=announce)

    def show() -> None:
        columns = ("system", "score", "", "baseline", "seconds", "parameters")
        print()
        print_table(columns, [_row(run) for run in runs], right=columns[2:])
        print(f"\nreport  {report}\nnext    ganglion train lenet5")

    answer({"report": str(report), "runs": [run_document(run) for run in runs]}, json, show)


def _row(run: "Run") -> tuple[Any, ...]:
    result = run.result
    name = words(result["score_name"])
    return run.system.name, name, *(result[key] for key in ("score", "baseline", "seconds", "parameters"))


def run_document(run: "Run") -> dict[str, Any]:
    found = [one.to_dict() for one in run.findings]
    return {"run": str(run.folder), "system": run.system.name, **run.result, "findings": found}


def _run(prepare: Callable[[list["Callback"]], "Session | Run"], as_json: bool, quiet: bool) -> None:
    """Prepare, introduce, train with progress, and print the result."""
    from ganglion.cli.progress import Progress
    from ganglion.runs.run import Run

    follows = processes.follows()
    quiet = quiet or follows
    progress = None if quiet else Progress()
    prepared = prepare([progress] if progress else [])
    if isinstance(prepared, Run):
        if follows:
            return
        note(f"{prepared.folder} has finished; --epochs or --steps trains it longer")
        run = prepared
    else:
        if not quiet:
            introduce(prepared)
        with progress or nullcontext():
            try:
                prepared.work()
                if follows:
                    return
                run = Run(prepared.files.path)
            except KeyboardInterrupt as stop:
                if progress:
                    progress.surface.close()
                if follows:
                    raise
                saved = "saved; " if getattr(stop, "saved", False) else ""
                note(f"{saved}continue with  ganglion resume {quote(str(prepared.files.path))}")
                raise
    if not quiet:
        note()
    answer(run_document(run), as_json, lambda: show_result(run))


def introduce(session: "Session") -> None:
    """Say what will be trained, on what and where, before the first update."""
    from ganglion.runs.facts import summaries
    from ganglion.runs.opening import build

    trainer, examples = session.trainer, session.system.load().examples(session.task.config)
    batch_size = getattr(trainer.loader, "batch_size", None)
    rule = build(session.system, session.task.config) if trainer.learner.sharded else session.rule
    for summary in summaries(rule, examples, batch_size).values():
        note(f"{summary}\n")
    for sentence in session.notes:
        note(f"note: {printable(sentence)}")
    for finding in trainer.findings:
        note(str(finding))
    length = (
        f"{trainer.settings.minutes:g} minutes"
        if trainer.total_steps is None
        else (f"{trainer.total_steps - trainer.iteration:,} iterations")
    )
    note(f"run: {session.files.path} on {trainer.device}, {length}")


def show_result(run: "Run") -> None:
    """Print the scores beside those of the baseline, and what to do next."""
    result = run.result
    print_scores(run.system.name, "test", result["score_name"], result["metrics"], result["baseline_metrics"])
    early = ", stopped early" if result["stopped_early"] else ""
    print(f"\n{text(result['steps'])} iterations in {duration(result['seconds'])}{early}", end="")
    print(f", best weights after {text(result['best_step'])}" if result["best_step"] else "")
    print(f"report  {Path(run.folder) / 'report.html'}")
    if run.film:
        print(f"film    {run.film}")
    print(f"next    {run.task.next_step.format(run=quote(str(run.folder)))}")


def _usage() -> str:
    lines = ["usage: ganglion train NAME [--data D] [--epochs N | --minutes M] [--out DIR] [flags of NAME]", ""]
    lines += [f"  {system.name:<18}{system.task:<16}on {system.data} when no data is named" for system in INDEX]
    lines += ["", "`ganglion train NAME --help` shows all flags of one system."]
    return "\n".join(lines)
