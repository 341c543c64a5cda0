"""`train NAME --folds K`: cross-validation, and going on with one that was interrupted."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from ganglion.cli.flags import Request
from ganglion.cli.output import answer, note, text
from ganglion.cli.wording import words

if TYPE_CHECKING:
    from ganglion.runs.folds import CrossValidation
    from ganglion.runs.session import Session


def given(folder: str) -> bool:
    """Whether a folder is that of a cross-validation."""
    from ganglion.runs.folds import holds_folds

    return holds_folds(folder)


def train(name: str, request: Request) -> None:
    """Cross-validate a system."""

    def work(**hooks: Any) -> "CrossValidation":
        from ganglion.runs.folds import cross_validate

        return cross_validate(name, request.data, out=request.out, **hooks, **request.options)

    _run(work, request.json, request.quiet)


def resume(folder: str, as_json: bool, quiet: bool) -> None:
    """Go on with an interrupted cross-validation."""

    def work(**hooks: Any) -> "CrossValidation":
        from ganglion.runs.folds import continue_folds

        return continue_folds(folder, **hooks)

    _run(work, as_json, quiet)


def _run(work: "Callable[..., CrossValidation]", as_json: bool, quiet: bool) -> None:
    """Train with progress, and print what came out."""
    from ganglion.cli.progress import Progress

    parents: list[Path] = []

    def announce(fold: int, folds: int, session: "Session") -> None:
        parents.append(session.files.path.parent)
        if not quiet:
            note(f"fold {fold} of {folds}: {session.files.path}")

    progress = None if quiet else Progress()
    with progress or nullcontext():
        try:
            found = work(callbacks=[progress] if progress else [], announce=announce)
        except KeyboardInterrupt:
            if progress:
                progress.surface.close()
            if parents:
                note(f"continue with  ganglion resume {quote(str(parents[-1]))}")
            raise
    answer(
        {"folder": str(found.folder), "system": found.description["system"], **found.to_dict()},
        as_json,
        lambda: _show(found),
    )


def _show(found: "CrossValidation") -> None:
    """Print the means over the folds, each fold, and how long it is best to train."""
    print(*found.tables(), sep="\n\n")
    if length := found.length:
        print(
            f"\nbest on the validation parts after {text(length.epochs)} epochs ({text(length.steps)} iterations):"
            f" {words(length.monitor)} {text(length.value.mean)}"
        )
    print(f"report  {found.folder / 'report.html'}")
    if command := found.on_everything:
        print(f"next    {command}")
        print("        for one network that learns from every sample: those above have each learnt without a fold")
