"""Numbers at the edge of the format are zero while training, in every thread, and only then."""

import subprocess
import sys

import pytest
import torch

from ganglion.training.machine.denormals import denormals_flushed

SMALL = 1e-42


def share_kept(count: int) -> float:
    """Return the share of denormal products, spread over all threads, that are not taken as zero."""
    return float(((torch.full((count,), SMALL) * 0.5) != 0).float().mean())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_thread_flushes_and_none_afterwards(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert share_kept(1 << 20) == 1.0  # which also wakes the threads of the pool
        with denormals_flushed() as flushes:
            assert not flushes or share_kept(1 << 20) == 0.0
        assert share_kept(1 << 20) == 1.0
    finally:
        torch.set_num_threads(before)


def test_the_switch_switches() -> None:
    program = (
        "import torch\nfrom ganglion.training.machine.denormals import denormals_flushed\n"
        f"with denormals_flushed() as flushes: print(flushes, float(torch.tensor([{SMALL}]).mul(0.5)) > 0)"
    )
    environment = {"GANGLION_DENORMALS": "kept", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_results_are_those_of_plain_arithmetic_where_numbers_are_normal() -> None:
    numbers = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    plain = numbers.exp().log1p().cumsum(0)
    with denormals_flushed():
        assert torch.equal(numbers.exp().log1p().cumsum(0), plain)
