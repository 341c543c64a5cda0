"""The allocator switch, in processes of their own because it cannot be undone."""

import platform
import subprocess
import sys

import pytest

PROBE = """
import resource, torch
from ganglion.training.machine.allocator import keep_big_blocks
kept = keep_big_blocks()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.ones(2**24)
before = faults()
for _ in range(10):
    torch.ones(2**24)
print(kept, faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_big_blocks_are_mapped_once_and_the_switch_switches() -> None:
    results = {}
    for name, environment in (("kept", {}), ("system", {"GANGLION_ALLOCATOR": "system"})):
        environment |= {"OMP_NUM_THREADS": "1", "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True
        )
        results[name] = done.stdout.split()
    assert results["kept"][0] == "True"
    assert results["system"][0] == "False"
    # Now and then a small block lies in the way of a big one, and the heap grows once more.
    assert 4 * int(results["kept"][1]) < int(results["system"][1])
