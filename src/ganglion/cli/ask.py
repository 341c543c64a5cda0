"""The verbs: questions put to a run. Which there are, and their flags, is read from the facts of the tasks."""

import itertools
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganglion import tasks
from ganglion.cli.arguments import refuse_unwritable
from ganglion.cli.output import answer, hanging, note, print_rows, text
from ganglion.errors import CheckpointError, UsageError, printable
from ganglion.files import read_json
from ganglion.runs import task_facts
from ganglion.tasks.questions import unable

if TYPE_CHECKING:
    from ganglion.runs.answering import Answering
    from ganglion.tasks.answers import Answer

VERBS = {
    "predict": "answer about inputs of your own: pictures, tables, texts",
    "features": "give codes of inputs of your own, for another method",
    "generate": "draw new samples, or write text",
    "interpolate": "draw the way from one example to another",
    "forecast": "continue a time series",
    "play": "let an agent play episodes",
    "chat": "talk with a run",
    "search": "find what is most like an example",
    "compress": "make a file smaller",
    "decompress": "give back what was compressed",
    "project": "find the nearest thing that a generator can make",
}
"""What a user can ask; a verb that no kind of task offers is not shown."""
TOGETHER = {
    "forecast": "Several runs on one series are averaged, weighted so that the mean is best on their validation part."
}
"""Verbs that can be put to several runs, and what then comes of it."""


def offered() -> dict[str, list[str]]:
    """Return the verbs that can be asked, and the kinds of task that answer each.

    >>> offered()["forecast"]
    ['forecasting', 'panel_forecasting']
    """
    kinds = {name: task_facts.load(name)["verbs"] for name in tasks.names()}
    able = {verb: [name for name, verbs in kinds.items() if verb in verbs] for verb in VERBS}
    return {verb: names for verb, names in able.items() if names}


def ask(verb: str, words: list[str]) -> None:
    """Put a question to a run: `VERB RUN [flags]`; or to several whose answers have a mean."""
    if verb in TOGETHER and _several(words):
        import tyro

        from ganglion.cli import together

        target = getattr(together, verb)
        tyro.cli(target, prog=f"ganglion {verb}", args=words, description=hanging(target.__doc__.partition("\n")[0]))
        return
    run = next((word for word in words if _is_run(word)), None)
    if run is None:
        if words and words[0] in ("-h", "--help"):
            print(usage(verb))
            return
        if not words:
            raise UsageError(f"name the run to {verb} with", remedy=f"ganglion {verb} --help")
        from ganglion.training.run_folder import RunFolder

        run = next((word for word in words if not word.startswith("-")), "")
        RunFolder.open(run)  # says what is wrong with it
    _ask(verb, run, [word for place, word in enumerate(words) if place != words.index(run)])


def usage(verb: str) -> str:
    """Return the help of a verb without a run: what each kind of task that answers it can be asked."""
    from ganglion.cli.flags import flag

    several = " [RUN ...]" if verb in TOGETHER else ""
    lines = [f"usage: ganglion {verb} RUN{several} [flags]", "", f"{VERBS[verb]}.".capitalize()]
    if verb in TOGETHER:
        lines += ["", *textwrap.wrap(TOGETHER[verb], 80)]
    for name in offered()[verb]:
        facts = task_facts.load(name)
        question = facts["verbs"][verb]
        lines += ["", textwrap.fill(f"{name.capitalize()}: {question['summary']}", 80, subsequent_indent="  ")]
        for field in question["fields"]:
            word = "INPUT ..." if field["given"] else flag(field["name"])
            shown = "" if field["default"] in (None, "", []) else f" (default: {text(field['default'])})"
            lines.append(_flag_line(word, field["help"] + shown))
    lines += ["", "All:"]
    lines.append(_flag_line("--out PATH", "File to write, or folder for one file each; its ending says as what."))
    lines.append(_flag_line("--json", "Print the answer as JSON."))
    return "\n".join([*lines, "", f"`ganglion {verb} RUN --help` shows those of one run."])


def _flag_line(word: str, help: str) -> str:
    return textwrap.fill(help, 80, initial_indent=f"  {word:<16}", subsequent_indent=" " * 18)


def _several(words: list[str]) -> bool:
    """Return whether several runs are named: words in front of any flag, or folders of runs wherever they stand."""
    front = list(itertools.takewhile(lambda word: not word.startswith("-") and "=" not in word, words))
    return max(len(front), sum(map(_is_run, words))) > 1


def _is_run(word: str) -> bool:
    """Return whether a word names the folder of a run, or a file that one was exported to."""
    path = Path(word)
    try:
        return (path.expanduser() / "config.json").is_file() or (is_onnx(path) and path.expanduser().is_file())
    except (OSError, ValueError, RuntimeError):  # no name of a folder at all
        return False


def _ask(verb: str, folder: str, words: list[str]) -> None:
    run = _exported(folder) if is_onnx(Path(folder)) else None
    facts = _facts_of(Path(folder).expanduser()) if run is None else task_facts.load(run.task.name)
    if verb not in facts["verbs"]:
        raise unable(verb, facts["name"], facts["verbs"])
    from ganglion.cli.flags import parse_question

    question = facts["verbs"][verb]
    command, options = parse_question(verb, question, words)
    files = [value for value in options.values() if isinstance(value, Path)]
    for path in files:
        refuse_unwritable(path)
    if command.out:
        refuse_unwritable(Path(command.out), may_be_folder=True)
    if run is None:
        from ganglion.runs.run import open_run

        run = open_run(folder)
    conversation = next((field["name"] for field in question["fields"] if field["conversation"]), None)
    if conversation and conversation not in options:
        _talk(run, verb, conversation, options)
        return
    _show(run, verb, options, run.answer(verb, **options), command.out, command.json)
    for path in files:
        note(f"wrote {path}")


def is_onnx(path: Path) -> bool:
    """Return whether a name is that of a file that a run is exported to."""
    return path.suffix.lower() == ".onnx"


def _exported(file: str) -> "Answering":
    from ganglion.runs.export.opened import ExportedRun

    return ExportedRun(file)


def _facts_of(folder: Path) -> dict[str, Any]:
    """Return the facts of the task that a run was trained for."""
    where = str(folder / "config.json")
    try:
        name = read_json(folder / "config.json").get("task")
    except ValueError as error:
        remedy = "put the original file back, or train again"
        raise CheckpointError("cannot read what this run is", where=where, found=str(error), remedy=remedy) from error
    if name not in tasks.names():
        known = ", ".join(tasks.names())
        raise CheckpointError("this run is for an unknown task", where=where, found=repr(name)[:80], expected=known)
    return task_facts.load(name)


def _show(
    run: "Answering", verb: str, options: dict[str, Any], found: "Answer", out: str | None, as_json: bool
) -> None:
    """Write the answer where a file is named or needed, and print what can be printed."""
    from ganglion.runs.writing import usual_file, write
    from ganglion.tasks.answers import Binaries, Images, Rows, Strokes, Text

    for sentence in found.notes:
        note(f"note: {printable(sentence)}")
    path = out or usual_file(found, verb)
    remark = write(found, path) if path else ""
    description = {"run": str(run.folder), **options}
    if isinstance(found, Rows):
        document = {"rows": found.value, **found.totals} if found.totals else found.value
        answer(document, as_json, lambda: print_rows(found))
    elif isinstance(found, Text):
        answer({**description, "text": found.text}, as_json, lambda: print(found.text))
    else:
        known = next((form.value for form in found.also if isinstance(form, Rows)), None)
        if known is None and isinstance(found, Binaries | Images | Strokes):
            known = [dict(row) for row in found.rows]
        rows = {"rows": known} if known else {}
        answer({**description, "out": str(path), **rows}, as_json, lambda: print(path))
    if path:
        note(f"wrote {path}: {remark}")


def _talk(run: "Answering", verb: str, field: str, options: dict[str, Any]) -> None:
    """Ask again and again, with all that was said before, until the input ends."""
    said: tuple[str, ...] = ()
    prompt = "> " if sys.stdin.isatty() else ""
    while True:
        try:
            line = input(prompt)
        except EOFError:
            return
        if line.strip():
            said = (*said, line)
            reply = str(run.answer(verb, **options | {field: said}).value)
            print(reply, flush=True)
            said = (*said, reply)
