"""How `walloc` learns: bands are joined with gradients, and a model comes of files of signals."""

from __future__ import annotations

import numpy as np
import pytest
from models.latent import checks, tiny
from numba import config

from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.training import data, loop
from nzip.models.latent.walloc import wavelet
from nzip.models.latent.walloc.codec import WallocCodec
from nzip.models.latent.walloc.training import recipe

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(("axes", "levels"), [(2, 2), (1, 4)])
def test_bands_are_joined_with_gradients(axes, levels):
    signal = np.random.default_rng(3).uniform(-0.5, 0.5, (2, *[4 << levels] * axes)).astype(np.float32)
    bands = torch.from_numpy(wavelet.analyse(signal, levels))[None].requires_grad_()
    joined = recipe.join(bands, levels, axes)
    assert np.abs(joined[0].detach().numpy() - signal).max() < 1e-4
    joined.pow(2).sum().backward()
    assert bands.grad is not None


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="learning has no kernels")
@pytest.mark.parametrize("axes", [1, 2])
def test_it_learns_from_files_of_signals(axes, tmp_path):
    if axes == 2:
        pieces = [tiny.picture(seed, 64, 80) for seed in range(14)]
    else:
        pieces = [(tiny.sound(seed, 2, 6000) * 32767).astype(np.int16) for seed in range(14)]
    material = data.Material(pieces, [data.Source(f"{n}", "0" * 64, 1) for n in range(14)], [])
    shape = recipe.Shape(axes, 2 if axes == 2 else 4, 8, 12, 1, (4.0, 60.0), 2, 44100 if axes == 1 else 0)
    plan = loop.Plan(steps=60, rate=3e-3, log=20, check=30)
    result, encoder, held = recipe.train(material, tmp_path, shape, plan, crop=32 if axes == 2 else 1024, batch=6)
    assert len(held) == 3
    last = result.history[-1]
    assert last["db_gained"] > 0.02
    assert last["held_psnr_middle"] > 10
    codec = WallocCodec(recipe.finish(result, encoder, pieces, shape, tmp_path / "model.safetensors"))
    assert codec.kind == ("image" if axes == 2 else "audio")
    signal = data.signal_of(pieces[0])
    checks.check_round_trip(codec, signal, 80)
    low, high = (len(codec.encode(codec.analyse(signal, (n,), NumpyOps()), (n,))) for n in (0, 99))
    assert low < high
