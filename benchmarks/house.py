"""Figures of the source itself: lines of each area, the longest files and functions, circles of imports.

`python -m benchmarks.house` counts `src`, `tests` and `benchmarks` of this working tree; `--at REVISION` those of
another one. Lines are those of the files, with docstrings, comments and blank lines. A circle is a group of files each
of which imports from the others, at its top or in a function; imports for types alone do not count.
"""

import argparse
import ast
import io
import statistics
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import networkx

ROOT = Path(__file__).parents[1]
PARTS = ("src", "tests", "benchmarks")
PACKAGE = "src/ganglion"
FULL = 20
"""Files of a folder that are many."""


def sources(revision: str | None) -> dict[str, str]:
    """Return the Python files of the parts, by their path, of the working tree or of a revision."""
    if revision is None:
        found = [path for part in PARTS for path in sorted((ROOT / part).rglob("*.py")) if ".venv" not in path.parts]
        return {path.relative_to(ROOT).as_posix(): path.read_text() for path in found}
    content = subprocess.run(["git", "archive", revision, *PARTS], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = [(one, archive.extractfile(one)) for one in archive if one.name.endswith(".py")]
        return {one.name: file.read().decode() for one, file in files if file is not None}


def area(path: str) -> str:
    """Return the area of a file.

    >>> area("src/ganglion/nn/boxes.py"), area("src/ganglion/core.py"), area("tests/nn/test_boxes.py")
    ('nn', 'ganglion', 'tests')
    """
    parts = PurePosixPath(path).parts
    if not path.startswith(PACKAGE):
        return parts[0]
    return parts[2] if len(parts) > 3 else "ganglion"


def functions(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield the length in lines and the name of every function of a file."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{path}: {node.name}"


def circles(files: dict[str, str]) -> list[list[str]]:
    """Return the groups of modules of the package that import each other in a circle."""
    modules = {_module(path): text for path, text in files.items() if path.startswith(PACKAGE)}
    graph = networkx.DiGraph((name, other) for name, text in modules.items() for other in _imports(text, modules))
    return sorted(sorted(group) for group in networkx.strongly_connected_components(graph) if len(group) > 1)


def _module(path: str) -> str:
    return ".".join(PurePosixPath(path).relative_to("src").with_suffix("").parts).removesuffix(".__init__")


def _imports(text: str, modules: dict[str, str]) -> Iterator[str]:
    for node in _without_types(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module in modules:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in inside if name in modules)
            if any(name not in modules for name in inside):
                yield node.module


def _without_types(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all below it, but not what is imported for types alone."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _without_types(child)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", metavar="REVISION", help="count another revision than the working tree")
    files = sources(parser.parse_args().at)
    lengths = {path: text.count("\n") for path, text in files.items()}
    by_area: dict[str, list[int]] = {}
    for path, length in lengths.items():
        by_area.setdefault(area(path), []).append(length)
    print(f"{'area':<12}{'files':>6}{'lines':>8}{'median':>8}{'longest':>9}")
    for name, counts in sorted(by_area.items(), key=lambda each: -sum(each[1])):
        print(f"{name:<12}{len(counts):>6}{sum(counts):>8,}{statistics.median(counts):>8.0f}{max(counts):>9}")
    own = {path: length for path, length in lengths.items() if path.startswith(PACKAGE)}
    print(f"\npackage: {len(own)} files, {sum(own.values()):,} lines, median {statistics.median(own.values()):.0f}")
    print("longest files:", ", ".join(f"{path} {own[path]}" for path in sorted(own, key=own.__getitem__)[:-4:-1]))
    found = sorted((one for path in own for one in functions(path, files[path])), reverse=True)
    print("longest functions:", ", ".join(f"{name} {length}" for length, name in found[:3]))
    folders: dict[str, int] = {}
    for path in own:
        folder = PurePosixPath(path).parent.as_posix()
        folders[folder] = folders.get(folder, 0) + 1
    print(f"folders of over {FULL} files:", ", ".join(f"{k} {n}" for k, n in folders.items() if n > FULL) or "none")
    found_circles = circles(files)
    print(f"circles: {len(found_circles)}", *("  " + ", ".join(group) for group in found_circles), sep="\n")


if __name__ == "__main__":
    main()
