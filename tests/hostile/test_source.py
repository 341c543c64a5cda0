"""What the package must not contain, and what every error in it must say."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import ganglion
from ganglion import errors

ROOT = Path(ganglion.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FORBIDDEN = re.compile(
    r"\bc?pickle\b(?!=False)|\btorch\.load\(|\bjoblib\b|allow_pickle=True|\bcloudpickle\b|\bdill\b|\bshelve\b|\bmarshal\b"
    r"|\byaml\b|(?<![\w.])eval\(|(?<![\w.])exec\(|\b__import__\(|\bos\.system\(|shell=True|\bextractall\("
)
MENTIONS = {"allow_pickle=False"}
RUN = {"fast/custom_cells/program.py": "exec("}
"""What may be run: kernels that the package writes itself, of fixed words and numbers, from no text of anyone's."""
NAMES = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.GanglionError)
}
PARTS = {"where", "expected", "found", "remedy"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def code(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file without its texts and comments, which may speak of anything."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call | ast.Import | ast.ImportFrom | ast.Attribute | ast.keyword):
            text = ast.unparse(node)
            yield getattr(node, "lineno", 0), re.sub(r"'[^']*'|\"[^\"]*\"", "''", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_can_run_what_it_reads(path: Path) -> None:
    for line, text in code(path):
        found = FORBIDDEN.search(text)
        allowed = found and found[0] == RUN.get(path.relative_to(ROOT).as_posix())
        assert not found or allowed, f"{path.relative_to(ROOT)}:{line}: {found[0]}"


def test_the_net_catches_what_it_is_for() -> None:
    for text in (
        "import pickle", "torch.load(path)", "np.load(f, allow_pickle=True)", "import joblib", "eval(text)",
        "exec(text)", "yaml.load(text)", "import marshal", "shelve.open(path)", "archive.extractall(folder)",
        "os.system(words)",
    ):  # fmt: skip
        assert FORBIDDEN.search(text), text
    for text in ("network.eval()", "np.load(f, allow_pickle=False)", "ast.literal_eval(text)", "self.load(path)"):
        assert not FORBIDDEN.search(text), text


def raised(path: Path) -> Iterator[ast.Call]:
    """Yield every call in a file that makes an error of ours."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in NAMES:
                yield node


def first_and_last(what: ast.expr) -> tuple[str, str]:
    """Return how a sentence begins and ends, `{}` standing for what is filled in."""
    if isinstance(what, ast.IfExp):
        begin, _ = first_and_last(what.body)
        _, end = first_and_last(what.orelse)
        return begin, end
    if isinstance(what, ast.Constant):
        return str(what.value), str(what.value)
    if isinstance(what, ast.JoinedStr):
        texts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in what.values]
        return texts[0], texts[-1]
    return "{}", "{}"


ACRONYMS = (
    "IDX",
    "CIFAR-10",
    "Q-learning",
    "Gymnasium",
    "NumPy",
    "EMA",
    "SHA",
    "LSTM",
    "JSON",
    "CSV",
    "NPZ",
    "GANGLION",
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_says_what_and_something_to_go_by(path: Path) -> None:
    for call in raised(path):
        place = f"{path.relative_to(ROOT)}:{call.lineno}"
        assert call.args, f"{place}: says nothing"
        begin, end = first_and_last(call.args[0])
        assert not end.endswith((".", "!")), f"{place}: ends with a full stop"
        proper = begin.startswith("{}") or begin[:1].islower() or begin.startswith(ACRONYMS) or not begin[:1].isalpha()
        assert proper, f"{place}: begins with a capital: {begin!r}"
        given = {keyword.arg for keyword in call.keywords}
        assert given & PARTS, f"{place}: says neither where, expected, found nor what to try"
        assert given <= PARTS, f"{place}: {given - PARTS}"
        rule = re.search(r"\b(must|needs?|have|has no|give|name|at least)\b", ast.unparse(call.args[0]))
        assert rule or given & {"expected", "remedy"}, f"{place}: says neither what would be right nor what to try"


STEERING = {"Interrupted", "NotImplementedError"}
"""A request to stop, and what somebody else has to do; neither is an error of a user."""
ALLOWED = {
    ("__init__.py", "AttributeError"): "Python asks it of a module that imports its names late",
    ("figures/__init__.py", "AttributeError"): "the same",
    ("files.py", "ValueError"): "documented; whoever parses knows what the text was to be, and says so",
    ("cli/data.py", "SystemExit"): "what was found has been printed",
    ("cli/serve.py", "KeyboardInterrupt"): "Ctrl-C ended the server, as it ends other commands",
    ("core/learning.py", "TypeError"): "a rule that is not finished, which its author is told",
    ("data/sources/download.py", "OSError"): "joins what a broken connection raises, which is tried again",
    ("data/formats/images/files.py", "ValueError"): "joins what decoders raise, which becomes one error",
    ("data/formats/images/proposals.py", "ValueError"): "joins what readers raise, which becomes one error",
    ("data/formats/matlab.py", "ValueError"): "joins what NumPy and zlib raise, which becomes one error",
    ("data/formats/stored.py", "ValueError"): "joins what readers of archives raise, which becomes one error",
    ("fast/custom_cells/kernel_sources.py", "NotImplementedError"): "a step that cannot be compiled runs as written",
    ("fast/custom_cells/loops.py", "NotImplementedError"): "likewise",
    ("fast/custom_cells/operations.py", "NotImplementedError"): "likewise",
    ("fast/custom_cells/tracing.py", "NotImplementedError"): "likewise",
    ("fast/dense/q_learning_kernels.py", "IndexError"): "what torch raises of an index out of range, too",
    ("fast/threads.py", "failures[0]"): "what one thread raised, raised again in the one that waits for it",
    ("runs/estimator.py", "ValueError"): "scikit-learn's checks ask for this kind and these words",
    ("training/run_folder.py", "AssertionError"): "behind a loop without end",
}
"""What is raised beside the errors of `ganglion.errors`, and why."""


@cache
def makers() -> set[str]:
    """Return the functions of the package that return an error of ours, or None."""
    functions = (node for path in FILES for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))
    return {
        node.name
        for node in functions
        if node.returns is not None and ast.unparse(node.returns).removesuffix(" | None") in NAMES
    }


def caught(function: ast.AST, ours: set[str]) -> set[str]:
    """Return the names in a function that hold an error of ours: caught, given, returned or tested to be one."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.arg) and node.annotation is not None and ast.unparse(node.annotation) in NAMES:
            names.add(node.arg)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
            names |= {ast.unparse(node.args[0])} if ast.unparse(node.args[1]) in NAMES else set()
        elif isinstance(node, ast.NamedExpr) and isinstance(node.value, ast.Call):
            names |= {node.target.id} if ast.unparse(node.value.func).rpartition(".")[2] in ours else set()
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_everything_that_is_raised_is_an_error_of_ours(path: Path) -> None:
    ours = NAMES | makers()
    held = caught(tree(path), ours)
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Raise) or node.exc is None:
            continue
        called = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        name = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
        known = name in STEERING or name in (ours if isinstance(node.exc, ast.Call) else held)
        place = str(path.relative_to(ROOT))
        assert known or (place, name) in ALLOWED, f"{place}:{node.lineno}: raises {name}"


def test_no_exception_to_the_rule_is_out_of_date() -> None:
    for place, name in ALLOWED:
        assert f"raise {name}" in (ROOT / place).read_text(encoding="utf-8"), f"{place} raises no {name} any more"


def test_there_is_one_hierarchy() -> None:
    """Every exception class of the package is a `GanglionError`, save those that steer and never reach a user."""
    steering = {"Interrupted", "KeyboardInterrupt"}
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                bases = {getattr(base, "id", getattr(base, "attr", "")) for base in node.bases}
                ours = bases & NAMES or node.name in {"GanglionError"} | steering
                assert ours or not any(base.endswith(("Error", "Exception")) for base in bases), f"{path}: {node.name}"


def test_parts_are_one_line_each_and_bounded() -> None:
    error = errors.DataError("a\nb", where="\x1b[31m" + "x" * 10_000, found="\udcff\0", remedy="first\n  second")
    assert str(error).count("\n") == 3 and len(str(error)) < 2000
    assert "\x1b" not in str(error) and "\\x1b[31m" in str(error) and "\\udcff\\x00" in str(error)
    str(error).encode()
