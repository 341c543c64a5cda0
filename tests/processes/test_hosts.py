"""Two hosts, as two network namespaces that only a cable of their own connects."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.runs import state_of

NAMES = ("ganglion-a", "ganglion-b")
ADDRESSES = ("10.87.0.1", "10.87.0.2")
TRAIN = ["-m", "ganglion", "train", "mlp", "--data", "iris", "--epochs", "2", "--threads", "1", "--quiet"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def hosts() -> Iterator[tuple[str, ...]]:
    """Return the names of two namespaces that are connected."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need the command ip and the rights of root")
    try:
        for name in NAMES:
            ip("netns", "add", name)
        ip("link", "add", "ganglion-0", "netns", NAMES[0], "type", "veth", "peer", "ganglion-1", "netns", NAMES[1])
        for number, (name, address) in enumerate(zip(NAMES, ADDRESSES, strict=True)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", f"ganglion-{number}")
            for device in ("lo", f"ganglion-{number}"):
                ip("-n", name, "link", "set", device, "up")
    except subprocess.CalledProcessError as error:
        _remove()
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    yield NAMES
    _remove()


def _remove() -> None:
    for name in NAMES:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True)


@pytest.mark.full
def test_two_hosts_learn_what_two_processes_of_one_do(hosts: tuple[str, ...], place: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node"]
    here = [*launch, "2", "--standalone", *TRAIN, "--out", str(place / "one")]
    done = subprocess.run(here, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    meeting = ["--nnodes", "2", "--master-addr", ADDRESSES[0], "--master-port", "29519", "--node-rank"]
    there = [*TRAIN, "--out", str(place / "two")]
    started = [
        subprocess.Popen(
            ["ip", "netns", "exec", name, *launch, "1", *meeting, str(rank), *there],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "GLOO_SOCKET_IFNAME": f"ganglion-{rank}"},
        )
        for rank, name in enumerate(hosts)
    ]
    said = [one.communicate(timeout=300)[1] for one in started]
    assert [one.returncode for one in started] == [0, 0], said
    assert state_of(place / "one") == state_of(place / "two")
