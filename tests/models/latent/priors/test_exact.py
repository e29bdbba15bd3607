"""Layers in integers against plain loops, against floats, and by torch against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.errors import CorruptError
from nzip.models.latent.layers import NumpyOps, new_conv
from nzip.models.latent.priors.exact import LIMIT, ONE, IntegerOps, Kernel, quantise

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def network(ops, w, x):
    """One of every layer."""
    x = ops.relu(ops.conv(x, w["a.kernel"], w["a.bias"], stride=2, pad=2), 0.01)
    x = ops.concat([x, ops.sqrt(ops.relu(x))])
    x = ops.relu(ops.conv_up(x, w["b.kernel"], w["b.bias"], stride=2, pad=2, more=1))
    return ops.conv(x, w["c.kernel"], w["c.bias"], pad=(1, 1))


@pytest.fixture(scope="module")
def weights():
    random = np.random.default_rng(1)
    w = new_conv(random, "a", 7, 3, 5, 5) | new_conv(random, "b", 6, 14, 5, 5, up=True)
    w |= new_conv(random, "c", 4, 6, 3, 3)
    for name in w:
        if name.endswith(".bias"):
            w[name] = random.normal(0, 0.3, w[name].shape).astype(np.float32)
    return w


def naive(x, kernel, shift, bias):
    """A correlation with 3x3 taps and zeros around, in Python's integers."""
    out = np.zeros((len(kernel), *x.shape[1:]), object)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    for m, y, z in np.ndindex(*out.shape):
        total = sum(int(kernel[m, c, i, j]) * int(padded[c, y + i, z + j]) for c, i, j in np.ndindex(*kernel.shape[1:]))
        total = ((total + (1 << shift >> 1)) >> shift) + int(bias[m])
        out[m, y, z] = min(max(total, -LIMIT), LIMIT)
    return out


def test_conv_is_the_sum_of_integers():
    random = np.random.default_rng(2)
    kernel = random.integers(-32767, 32768, (4, 3, 3, 3)).astype(np.int16)
    bias = random.integers(-9000, 9000, 4).astype(np.int32)
    ops = IntegerOps()
    for far in (5000, LIMIT):  # the second runs into the limit
        x = random.integers(-far, far + 1, (3, 5, 6))
        w = ops.place({"k.kernel": kernel, "k.kernel.shift": np.array([13], np.int8), "k.bias": bias})
        got = ops.take(ops.conv(ops.put(x[None]), w["k.kernel"], w["k.bias"], pad=1))[0]
        assert np.array_equal(got, naive(x, kernel, 13, bias).astype(np.int64))


def test_sums_do_not_depend_on_their_order(weights):
    """A permutation of the channels, which changes the order of every sum, changes no digit."""
    random = np.random.default_rng(3)
    ops = IntegerOps()
    x = random.integers(-LIMIT, LIMIT, (1, 3, 20, 24))
    order = np.array([2, 0, 1])
    w = ops.place(quantise(weights))
    other = ops.place(quantise(weights | {"a.kernel": weights["a.kernel"][:, order]}))
    one = ops.take(network(ops, w, ops.put(x)))
    assert np.array_equal(one, ops.take(network(ops, other, ops.put(x[:, order]))))


def test_integers_are_close_to_floats(weights):
    x = np.random.default_rng(4).normal(0, 1, (1, 3, 20, 24)).astype(np.float32)
    ops = IntegerOps()
    got = ops.take(network(ops, ops.place(quantise(weights)), ops.array(x))) / ONE
    wanted = network(NumpyOps(), weights, x)
    assert got.shape == wanted.shape
    # The root of a small number is the layer that rounds worst: to a 64th at zero.
    assert np.abs(got - wanted).max() < 0.05
    assert np.abs(got - wanted).mean() < 2e-3


@pytest.mark.parametrize("device", DEVICES)
def test_torch_gives_the_same_integers(weights, device):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    random = np.random.default_rng(5)
    one, other = IntegerOps(), IntegerOps(device)
    for far in (9000, LIMIT):
        x = random.integers(-far, far + 1, (1, 3, 20, 24))
        results = [ops.take(network(ops, ops.place(quantise(weights)), ops.put(x))) for ops in (one, other)]
        assert np.array_equal(*results)


def test_kernels_that_would_not_be_exact_are_refused():
    good = np.full((1, 5000, 1, 1), 1 << 12, np.int16)
    Kernel(good, 3)
    with pytest.raises(CorruptError, match="exact"):
        Kernel(good * 7, 3)
    with pytest.raises(CorruptError, match="exact"):
        Kernel(good.swapaxes(0, 1) * 7, 3)
    for kernel, shift in ((good.astype(np.int32), 3), (good, -1), (good, 31), (good[0, 0], 3)):
        with pytest.raises(CorruptError):
            Kernel(kernel, shift)
    with pytest.raises(CorruptError):
        IntegerOps().place({"a.kernel": good})
    with pytest.raises(CorruptError):
        IntegerOps().place({"a.bias": np.array([LIMIT + 1], np.int32)})


def test_weights_that_are_too_large_are_refused():
    with pytest.raises(ValueError, match="too large"):
        quantise({"a.kernel": np.full((1, 1, 1, 1), 40000.0)})
    with pytest.raises(ValueError, match="too large"):
        quantise({"a.bias": np.full(1, 5000.0)})
    none = quantise({"a.kernel": np.zeros((1, 1, 1, 1))})
    assert none["a.kernel"].any() == 0
