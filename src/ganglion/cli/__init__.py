"""The command line: one table of commands, each imported when it is called, and one place where errors become words.

Answers go to stdout, everything else (progress, notes, errors) to stderr. Importing this imports no torch.
"""

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from typing import Any

from ganglion.cli import processes
from ganglion.errors import GanglionError, ProcessError, UsageError


@dataclass(frozen=True)
class Command:
    """A line of the table of commands."""

    name: str
    target: str
    """Module below `ganglion.cli` and the name in it: a function whose parameters are flags, or a dict of such."""
    summary: str
    group: str
    unparsed: bool = False
    """The function takes its arguments as a list and reads them itself."""
    is_verb: bool = False
    """The function takes the command's name before them: it is a question put to a run."""


COMMANDS = (
    Command("demo", "train:demo", "train a tour of the systems and write a report", "Start"),
    Command("list", "show:list_systems", "all systems by family, or those of one family", "Start"),
    Command("info", "show:info", "one system: idea, equations, layers, flags", "Start", unparsed=True),
    Command("train", "train:train", "train a system on bundled data or your own", "Train", unparsed=True),
    Command("resume", "train:resume", "continue a run that was stopped, bit for bit", "Train"),
    Command("launch", "launch:launch", "print a script for Slurm, SkyPilot or ssh", "Train", unparsed=True),
    Command("tune", "tune:tune", "look for good settings of a system", "Train", unparsed=True),
    Command("evaluate", "answer:evaluate", "score a run on its test data, beside a baseline", "Use a run"),
    Command(
        "weights", "answer:weights", "write the weights of a run, by the names of torchvision or timm", "Use a run"
    ),
    Command("serve", "serve:serve", "answer over HTTP, in batches", "Use a run"),
    Command("export", "export:export", "take a network out: one ONNX file, or its weights", "Use a run"),
    Command("inspect", "inspect:LOOK", "look inside: backpropagation, layers, features, gradients", "Look"),
    Command("data", "data:DATA", "list the data sets, check your own data", "Look"),
    Command("runs", "runs:RUNS", "list, compare and clean run folders", "Look"),
    Command("doctor", "doctor:doctor", "what this machine and this installation can do", "Machine"),
    Command("bench", "bench:bench", "a short speed check of this machine", "Machine"),
)


def commands() -> tuple[Command, ...]:
    """Return the table with the verbs that some kind of task answers, in front of the commands that look inside."""
    from ganglion.cli.ask import VERBS, offered

    verbs = [Command(verb, "ask:ask", VERBS[verb], "Use a run", unparsed=True, is_verb=True) for verb in offered()]
    before = [command.group for command in COMMANDS].index("Look")
    return (*COMMANDS[:before], *verbs, *COMMANDS[before:])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 2 for wrong usage, 1 for failure, 130 when interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what a terminal cannot write must not undo what was done
            stream.reconfigure(errors="backslashreplace")
    heard: list[int] = []
    try:
        with _noting_interruptions(heard), _warnings_as_lines(), processes.silence():
            code = _dispatch(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as stop:
        return _fail(getattr(stop, "exit_code", 130), str(stop) or "interrupted", stop)
    except BrokenPipeError:
        # Whoever read our output has gone; a later flush must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
    except GanglionError as error:
        if debug:
            raise
        return _fail(error.exit_code, "error: {}", error)
    except OSError as error:  # a full disk, a folder without rights: nothing that ganglion could have known
        if debug:
            raise
        where, found = str(error.filename or ""), error.strerror or str(error)
        remedy = "make room, look at the rights, or choose another place"
        refused = GanglionError("the system refused a file", where=where, found=found, remedy=remedy)
        return _fail(1, "error: {}", refused)
    except Exception as error:
        if debug:
            raise
        if heard:  # by a library that was being imported, kept it to itself and is half made
            return _fail(130, "interrupted", error)
        defect = f"error: this is a defect in ganglion: {type(error).__name__}: {' '.join(str(error).split())}"
        return _fail(1, f"{defect}\n  try: repeat the command with --debug to see where it happened", error)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Say warnings in one plain line each, without the place in the source that Python would name."""

    def show(message: Warning | str, *where: Any, **options: Any) -> None:
        print(f"note: {' '.join(str(message).split())}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def _noting_interruptions(heard: list[int]) -> Iterator[None]:
    """Note that Ctrl-C was pressed, besides raising what Python raises then.

    While torch is being imported that waits: what C++ calls there ends the process where it is interrupted.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def note(number: int, frame: Any) -> None:
        if _is_half_imported("torch"):
            again = threading.Timer(0.1, signal.raise_signal, [number])
            again.daemon = True
            again.start()
            return
        heard.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_half_imported(name: str) -> bool:
    return bool(getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False))


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if words[0] in ("-V", "--version"):
        import ganglion

        print(f"ganglion {ganglion.__version__}")
        return 0
    command = _find(words[0])
    processes.refuse_alone(command.name)
    module, _, name = command.target.partition(":")
    target = getattr(import_module(f"ganglion.cli.{module}"), name)
    try:
        _call(command, target, words[1:])
    except SystemExit as stop:  # tyro has printed its help, or what was wrong with the flags
        return stop.code if isinstance(stop.code, int) else 2
    return 0


def _call(command: Command, target: Callable[..., None] | dict[str, Callable[..., Any]], words: list[str]) -> None:
    program = f"ganglion {command.name}"
    if command.unparsed:
        assert callable(target)
        target(command.name, words) if command.is_verb else target(words)
        return
    import tyro

    from ganglion.cli.output import hanging

    if isinstance(target, dict):
        tyro.extras.subcommand_cli_from_dict(target, prog=program, args=words, description=f"{command.summary}.")
    else:
        description = hanging((target.__doc__ or "").partition("\n")[0])
        tyro.cli(target, prog=program, args=words, description=description)


def _find(name: str) -> Command:
    for command in commands():
        if command.name == name:
            return command
    from ganglion.cli.ask import VERBS
    from ganglion.models import names
    from ganglion.settings import unknown_name

    if name in VERBS:
        raise UsageError(f"there is no system yet that one could ask to {name}", remedy="`ganglion list` shows all")

    if name in names():
        raise UsageError(f"{name!r} is a system, not a command", remedy=f"ganglion train {name}")
    raise unknown_name("command", name, [command.name for command in commands()])


def overview() -> str:
    """Return the help of the whole program.

    >>> print(overview())  # doctest: +ELLIPSIS
    Every network of the deep-learning canon, on your own data, in one command.
    <BLANKLINE>
    usage: ganglion COMMAND ...
    <BLANKLINE>
    Start
      demo        train a tour of the systems and write a report
    ...
    """
    lines = ["Every network of the deep-learning canon, on your own data, in one command.", ""]
    lines += ["usage: ganglion COMMAND ...", ""]
    table = commands()
    for group in dict.fromkeys(command.group for command in table):
        lines.append(group)
        lines += [f"  {command.name:<12}{command.summary}" for command in table if command.group == group]
        lines.append("")
    lines += [
        "Flags:  ganglion COMMAND --help, ganglion train NAME --help, ganglion --version;",
        "        --json answers for machines, --debug shows a traceback",
        "First:  ganglion train lenet5",
    ]
    return "\n".join(lines)


def _fail(code: int, message: str, error: BaseException) -> int:
    """Say how this ended, in one of several processes that end together; `{}` stands for the error."""
    if processes.may_speak(error):
        error = processes.explained(error) if isinstance(error, ProcessError) else error
        print(message.format(error) if isinstance(error, GanglionError) else message, file=sys.stderr)
    return code
