"""The layers by numpy against plain loops and against torch."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.models.latent.layers import NumpyOps, new_conv

RANDOM = np.random.default_rng(5)


def _array(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def naive_conv(x, kernel, stride, pad, dilation):
    """A correlation of (C, T), one product at a time."""
    x = np.pad(x, ((0, 0), (pad, pad)))
    out = []
    for m in kernel:
        row = []
        for start in range(0, x.shape[1] - dilation * (kernel.shape[2] - 1), stride):
            row.append(sum(m[c, k] * x[c, start + dilation * k] for c in range(len(x)) for k in range(m.shape[1])))
        out.append(row)
    return np.array(out)


@pytest.mark.parametrize(
    ("stride", "pad", "dilation", "taps"), [(1, 1, 1, 3), (2, 2, 1, 5), (3, 0, 2, 4), (5, 7, 3, 2)]
)
def test_conv_is_the_plain_sum(stride, pad, dilation, taps):
    x, kernel = _array(1, 3, 31), _array(4, 3, taps)
    got = NumpyOps().conv(x, kernel, stride=stride, pad=pad, dilation=dilation)[0]
    assert np.allclose(got, naive_conv(x[0], kernel, stride, pad, dilation), atol=1e-4)


def test_conv_up_is_the_adjoint_of_conv():
    ops = NumpyOps()
    x, kernel = _array(1, 3, 9, 7), _array(5, 3, 4, 4)
    y = ops.conv(x, kernel, stride=2, pad=1)
    other = _array(*y.shape)
    back = ops.conv_up(other, kernel, stride=2, pad=1, more=1)
    assert back.shape == x.shape
    assert np.isclose((y * other).sum(), (x * back).sum(), rtol=1e-4)


def test_new_layers_keep_the_size_of_what_goes_in():
    w = new_conv(np.random.default_rng(1), "a", 64, 48, 3, 3)
    y = NumpyOps().conv(_array(1, 48, 20, 20), w["a.kernel"], w["a.bias"], pad=1)
    assert 0.8 < y.std() < 1.2


@pytest.mark.parametrize("axes", [1, 2])
def test_numpy_and_torch_agree(axes):
    pytest.importorskip("torch")
    from nzip.models.latent.layers import TorchOps

    one, other = NumpyOps(), TorchOps()
    x = _array(2, 6, *(12, 10)[:axes])

    def same(call):
        got = call(one, x, lambda a: a)
        wanted = other.numpy(call(other, other.array(x), other.array))
        assert got.shape == wanted.shape
        assert np.allclose(got, wanted, atol=2e-4)

    fixed = x.copy()
    fixed.flags.writeable = False
    assert np.array_equal(other.numpy(other.array(fixed)), x)
    kernel, bias = _array(8, 6, *(3,) * axes), _array(8)
    up = _array(6, 4, *(4,) * axes)
    edge = {"pad": 1, "mode": "edge"}
    for settings in ({"pad": 1}, edge, {"pad": (2, 0)}, {"stride": 2, "pad": 1}, {"pad": 2, "dilation": 2}):
        same(lambda ops, x, to, s=settings: ops.conv(x, to(kernel), to(bias), **s))
    same(lambda ops, x, to: ops.conv_up(x, to(up), to(_array(4) * 0 + 1), stride=2, pad=1))
    same(lambda ops, x, to: ops.conv_up(x, to(up), stride=3, pad=1, more=1))
    for name in ("silu", "relu", "sigmoid", "tanh", "sin", "softmax"):
        same(lambda ops, x, to, name=name: getattr(ops, name)(x))
    same(lambda ops, x, to: ops.relu(x, 0.1))
    same(lambda ops, x, to: ops.sqrt(x * x + 1))
    same(lambda ops, x, to: ops.norm(x, to(bias[:6]), to(bias[2:]), groups=3))
    same(lambda ops, x, to: ops.repeat(x, 2))
    same(lambda ops, x, to: ops.concat([x, x + 1]))
