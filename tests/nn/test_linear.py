"""The dense layer against torch's, on every route that products can take."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError
from ganglion.fast import matrix_library
from ganglion.nn import Linear

each_library = pytest.mark.usefixtures("product_library")


def pair(*args, **options) -> tuple[Linear, nn.Linear]:
    ours, theirs = Linear(*args, **options), nn.Linear(*args, **options)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("shape", [(1, 7), (33, 7), (7,), (2, 5, 7), (0, 7)])
@pytest.mark.parametrize("bias", [True, False])
@each_library
def test_values_and_gradients_are_torchs(shape, bias):
    ours, theirs = pair(7, 5, bias=bias)
    inputs = torch.randn(shape)
    results = []
    for layer in (ours, theirs):
        leaf = inputs.clone().requires_grad_()
        outputs = layer(leaf)
        outputs.square().sum().backward()
        results.append([outputs, leaf.grad, *(parameter.grad for parameter in layer.parameters())])
    for mine, torchs in zip(*results, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-5, atol=1e-5)


@each_library
def test_operands_need_not_be_contiguous():
    ours, theirs = pair(7, 5)
    inputs = torch.randn(7, 4, 6).permute(1, 2, 0)
    torch.testing.assert_close(ours(inputs), theirs(inputs), rtol=1e-5, atol=1e-5)


@each_library
def test_second_derivatives_are_torchs():
    ours, theirs = pair(7, 5)
    inputs = torch.randn(6, 7)
    results = []
    for layer in (ours, theirs):
        leaf = inputs.clone().requires_grad_()
        (slope,) = torch.autograd.grad(layer(leaf).tanh().sum(), leaf, create_graph=True)
        slope.norm().backward()
        results.append([slope, leaf.grad, layer.weight.grad])
    for mine, torchs in zip(*results, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-5, atol=1e-5)


@each_library
def test_transforms_other_numbers_and_autocast_take_the_usual_way():
    ours, theirs = pair(7, 5)
    inputs = torch.randn(6, 7)
    jacobian = torch.func.jacrev(lambda x: ours(x).sum(0))(inputs)
    assert jacobian.shape == (5, 6, 7)
    torch.testing.assert_close(ours.double()(inputs.double()), theirs.double()(inputs.double()))
    with torch.autocast("cpu", torch.bfloat16):
        assert ours.float()(inputs).dtype is torch.bfloat16


@each_library
def test_wrong_widths_are_torchs_own_error():
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        Linear(7, 5)(torch.zeros(3, 6))


@each_library
def test_same_bits_in_every_run():
    layer, inputs = Linear(784, 512), torch.randn(128, 784)
    first = layer(inputs)
    assert all(torch.equal(layer(inputs), first) for _ in range(5))


def test_library_is_chosen_by_rule_and_can_be_named(monkeypatch):
    for wanted in ("mkl", "onednn", "auto"):
        monkeypatch.setenv("GANGLION_PRODUCTS", wanted)
        matrix_library.library.cache_clear()
        assert matrix_library.library() == wanted or wanted == "auto" or not matrix_library._has_onednn()
    monkeypatch.setattr(matrix_library, "_vendor", lambda: "GenuineIntel")
    matrix_library.library.cache_clear()
    assert matrix_library.library() == "mkl"
    monkeypatch.setenv("GANGLION_PRODUCTS", "openblas")
    matrix_library.library.cache_clear()
    with pytest.raises(ConfigurationError, match="GANGLION_PRODUCTS"):
        matrix_library.library()
    matrix_library.library.cache_clear()


def test_import_costs_no_compiler():
    code = "import sys, ganglion.nn; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
