"""What importing costs: nothing for the package, torch and no more for a network that is taken home."""

import subprocess
import sys

from ganglion.models import INDEX

HEAVY = ("torch", "numpy", "matplotlib", "sklearn", "gymnasium", "rich", "tyro", "PIL")


def imported_by(statements: str) -> set[str]:
    """Return which of the heavy packages a fresh process has imported after some statements."""
    script = f"import sys\n{statements}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_the_package_imports_nothing() -> None:
    assert imported_by("import ganglion") == set()


def test_models_files_import_torch_only() -> None:
    modules = [f"import ganglion.models.{system.module}" for system in INDEX]
    assert imported_by("\n".join(modules)) <= {"torch", "numpy"}  # torch itself imports numpy


def test_public_names_are_there() -> None:
    script = "import ganglion\nassert all(getattr(ganglion, name) is not None for name in ganglion.__all__)"
    assert "torch" in imported_by(script)
