"""Files of the package stay short, and none imports another in a circle."""

from benchmarks.house import PACKAGE, circles, sources

LONGEST = 400


def test_files_are_short_and_in_no_circle() -> None:
    files = sources(None)
    lengths = {path: text.count("\n") for path, text in files.items() if path.startswith(PACKAGE)}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}
    assert circles(files) == []


def test_circles_are_found_in_functions_too_but_not_in_types() -> None:
    files = {
        f"{PACKAGE}/__init__.py": "",
        f"{PACKAGE}/a.py": "from ganglion import b\n",
        f"{PACKAGE}/b.py": "def call():\n    import ganglion.a\n",
        f"{PACKAGE}/c.py": "if TYPE_CHECKING:\n    from ganglion import d\n",
        f"{PACKAGE}/d.py": "import ganglion.c\n",
    }
    assert circles(files) == [["ganglion.a", "ganglion.b"]]
