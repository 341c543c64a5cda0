"""The page "How to add a system" in docs/design.md, followed: a system and a kind of task are added to a copy.

The files of `files` are laid into the copy, and one row is written into the index of a family. No other file changes;
the contract suite passes for the new system, and the command line trains it, lists it and asks it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parent / "files"
ROW = """
    System(
        name="centre",
        module="feedforward.centre",
        tasks=("centring",),
        data="two-moons",
        defaults={"steps": 200, "batch_size": 20},
    ),
)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of sources and tests with the toy system and the toy task in it."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "fixtures"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    added = [path.relative_to(FILES) for path in FILES.rglob("*.py")]
    assert not [path for path in added if (folder / path).exists()], "these files are new"
    shutil.copytree(FILES, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    index = folder / "src" / "ganglion" / "models" / "feedforward" / "__init__.py"
    text = index.read_text(encoding="utf-8").rstrip()
    assert text.endswith("\n)")
    index.write_text(text.removesuffix("\n)") + ROW, encoding="utf-8")
    return folder


def python(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    places = {"PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=copy, env=os.environ | places, capture_output=True, text=True, timeout=300)


def test_the_contract_suite_passes(copy: Path) -> None:
    done = python(copy, "-m", "pytest", "-q", "-n", "0", "tests/contract", "-k", "centre")
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count(".") >= 12, "no promise was tested"


def test_the_command_line_knows_both(copy: Path) -> None:
    listed = python(copy, "-m", "ganglion", "list", "feedforward")
    assert "centre" in listed.stdout, listed.stderr
    trained = python(copy, "-m", "ganglion", "train", "centre", "--out", "run", "--json", "--quiet")
    assert trained.returncode == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert result["score_name"] == "mean_square" and result["score"] < 1.1 * result["baseline"]
    (copy / "rows.csv").write_text("x,y\n0.5,0.25\n9,9\n", encoding="utf-8")
    asked = python(copy, "-m", "ganglion", "predict", "run", "rows.csv", "--squared", "--json")
    assert asked.returncode == 0, asked.stderr
    near, far = json.loads(asked.stdout)
    assert near["distance"] < 1 < 50 < far["distance"]
    helped = python(copy, "-m", "ganglion", "predict", "run", "--help")
    assert "--squared" in helped.stdout, helped.stderr


def test_both_networks_are_taken_home(copy: Path) -> None:
    """The home of the toy is two networks: both come back by role, trained and as the best evaluation left them."""
    program = """
import json, torch, ganglion
from ganglion.training.run_folder import RunFolder

run = ganglion.train("centre", seed=1, steps=100)
home, (best, _) = ganglion.load(run.folder), RunFolder.open(run.folder).best_weights()
equal = home.state_dict().keys() == best.keys() and all(map(torch.equal, home.state_dict().values(), best.values()))
moved = bool((home["centre"].point != 2).all() and (home["radius"].length != 1).all())
print(json.dumps([sorted(home), home.training, equal, moved]))
"""
    done = python(copy, "-c", program)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [["centre", "radius"], False, True, True]
