"""Every public function that takes or returns arrays says their shapes where a reader looks for them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ganglion

ROOT = Path(ganglion.__file__).parent
SHAPE = re.compile(r"\([^()]*,[^()]*\)|\bscalars?\b|\bsingle number|\bshapes?\b")
ARRAY = re.compile(r"^(torch\.)?Tensor\b|^np\.ndarray\b")
SAID_ELSEWHERE = {"examples", "sheet"}
"""Functions of every models file, which `docs/design.md` describes, and of tasks, which `DrawsSheets` describes."""


def functions(body: list[ast.stmt], inherits: bool = False, above: str = "") -> Iterator[tuple[ast.FunctionDef, str]]:
    """Yield public functions and methods, but those that an ancestor describes, and what is written about them."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node.body, bool(node.bases), ast.get_docstring(node) or "")
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name not in SAID_ELSEWHERE:
            words = ast.get_docstring(node)
            if words is not None or not inherits:
                yield node, (words or "") + (above if node.name == "forward" else "")


def handles_arrays(function: ast.FunctionDef) -> bool:
    arguments = [*function.args.args, *function.args.kwonlyargs, *filter(None, (function.args.vararg,))]
    annotations = [argument.annotation for argument in arguments] + [function.returns]
    return any(ARRAY.search(ast.unparse(kind)) for kind in annotations if kind is not None)


@pytest.mark.parametrize("room", sorted(path.name for path in ROOT.iterdir() if path.name != "__pycache__"))
def test_shapes_are_said(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py")) or [ROOT / room]
    silent = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in files
        if path.suffix == ".py"
        for function, words in functions(ast.parse(path.read_text(encoding="utf-8")).body)
        if handles_arrays(function) and not SHAPE.search(words)
    ]
    assert not silent, "\n".join(["no shapes in the docstrings of:", *silent])
