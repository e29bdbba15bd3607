"""The codec walloc: the numpy codec is the network that learned, latents fit 8 bits, a linear codec inverts itself."""

from __future__ import annotations

import numpy as np
import pytest

from nzip.models import wavelet
from nzip.models.latent import walloc


def linear(channels: int, levels: int, axes: int, latents: int, gain: float) -> walloc.Walloc:
    bands = channels * 2 ** (axes * levels)
    basis = np.linalg.qr(np.random.default_rng(1).normal(0, 1, (bands, bands)))[0][:latents].astype(np.float32)
    zeros = (
        np.zeros((4, latents, *[3] * axes), np.float32), np.zeros((bands, 4, *[3] * axes), np.float32),
    )  # fmt: skip
    return walloc.Walloc(
        levels, channels, gain * basis, basis.T / gain, (zeros[0], np.zeros(4, np.float32)), (),
        (zeros[1], np.zeros(bands, np.float32)),
    )  # fmt: skip


@pytest.mark.parametrize(("shape", "levels"), [((3, 16, 24), 3), ((2, 96), 5)])
def test_a_full_basis_comes_back_to_rounding(shape: tuple[int, ...], levels: int) -> None:
    axes = len(shape) - 1
    codec = linear(shape[0], levels, axes, shape[0] * 2 ** (axes * levels), 20.0)
    signal = np.random.default_rng(2).uniform(-0.4, 0.4, shape).astype(np.float32)
    found = walloc.analyse(signal, codec)
    assert found.dtype == np.int8
    assert found.shape == (codec.latents, *(n // codec.step for n in shape[1:]))
    back = walloc.synthesise(found, codec)
    assert back.dtype == np.float32
    # A rounded latent is off by a 12th of its square at most, over the companding's slope and the gain.
    assert np.sqrt(np.mean((back - signal) ** 2)) < 0.03


def test_every_number_fits() -> None:
    codec = linear(1, 1, 1, 2, 1e9)
    found = walloc.analyse(np.array([[0.5, -0.5, 0.5, 0.5]], np.float32), codec)
    assert np.abs(found.astype(int)).max() == 127
    assert np.isfinite(walloc.expand(np.arange(-128, 128).astype(np.int8))).all()


def test_companding_is_undone() -> None:
    numbers = np.arange(-127, 128).astype(np.int8)
    out = np.empty(len(numbers), np.int8)
    walloc._compand(walloc.expand(numbers), out)
    assert np.array_equal(out, numbers)


def test_wrong_shapes_are_refused() -> None:
    codec = linear(3, 3, 2, 12, 1.0)
    with pytest.raises(ValueError, match="3 channels"):
        walloc.analyse(np.zeros((1, 8, 8), np.float32), codec)
    with pytest.raises(ValueError, match="12 latents"):
        walloc.synthesise(np.zeros((3, 8, 8), np.int8), codec)


@pytest.mark.parametrize(("axes", "levels"), [(2, 2), (1, 4)])
def test_network_and_codec_agree(axes: int, levels: int) -> None:
    torch = pytest.importorskip("torch")
    from nzip.models.latent import network

    torch.manual_seed(2)
    net = network.WallocNetwork(2, levels, 5, 6, 2, axes)
    for parameter in net.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)
    codec = net.weights()
    size = (2, *[4 * codec.step] * axes)
    signal = np.random.default_rng(3).uniform(-0.5, 0.5, size).astype(np.float32)
    bands = torch.from_numpy(wavelet.analyse(signal, levels))[None]
    with torch.no_grad():
        assert np.abs(network.join(bands, levels, axes)[0].numpy() - signal).max() < 1e-4
        latents = torch.round(net.latents(bands))
        found = walloc.analyse(signal, codec)
        assert (np.abs(found - latents[0].numpy()) <= 1).all()
        assert (found == latents[0].numpy()).mean() > 0.98
        back = network.join(net.decode(torch.from_numpy(found.astype(np.float32))[None]), levels, axes)[0].numpy()
    assert np.abs(walloc.synthesise(found, codec) - np.clip(back, -0.5, 0.5)).max() < 2e-3
    loss = (net(bands)[0] - torch.from_numpy(signal)).pow(2).mean()
    loss.backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
