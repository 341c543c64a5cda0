"""Pools of another engine as workers of a study: those of Dask are processes of a scheduler of their own."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from ganglion.runs.tuning.study import Study
from ganglion.runs.tuning.tuning import tune
from tests.runs.test_tuning import QUICK, told

SCRIPT = """
import sys
from distributed import Client, LocalCluster
from ganglion.runs.tuning.tuning import tune

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        with client.get_executor() as pool:
            tune("mlp", "iris", out=sys.argv[1], executor=pool, **{options!r})
"""


@pytest.mark.full
@pytest.mark.skipif(find_spec("distributed") is None, reason="pip install distributed")
def test_workers_of_dask_give_the_same_study(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.replace("{options!r}", repr(QUICK)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path), str(tmp_path / "dask")], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    with ThreadPoolExecutor(2) as pool:
        here = tune("mlp", "iris", out=tmp_path / "here", executor=pool, **QUICK)
    assert told(Study(tmp_path / "dask")) == told(here)
