"""The codec walloc: the seam's checks, companding, the network in strips and in torch, models that do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.errors import CorruptError
from nzip.models.latent import weights
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.priors import planes
from nzip.models.latent.walloc import codec as walloc
from nzip.models.latent.walloc import wavelet


@pytest.fixture(scope="module")
def pictures() -> walloc.WallocCodec:
    return walloc.WallocCodec(weights.unpack(tiny.walloc_bytes(2), "tiny"))


@pytest.fixture(scope="module")
def sounds() -> walloc.WallocCodec:
    return walloc.WallocCodec(weights.unpack(tiny.walloc_bytes(1), "tiny"))


def test_pictures_come_back_better_with_more_quality(pictures):
    signal = tiny.floats(tiny.picture(99, 50, 67))
    errors = [np.mean((checks.check_round_trip(pictures, signal, q) - signal) ** 2) for q in (1, 40, 100)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.2 * signal.var()


def test_sounds_come_back(sounds):
    signal = tiny.sound(99, 2, 3001)
    back = checks.check_round_trip(sounds, signal, 90)
    assert np.mean((back - signal) ** 2) < 0.5 * signal.var()


def test_the_seam(pictures, sounds):
    checks.check_sizes(pictures, [(1, 1), (1, 9), (13, 2), (4, 4)])
    checks.check_sizes(sounds, [(1,), (15,), (16,), (33,)])
    checks.check_any_symbols(pictures, (20, 31))
    checks.check_any_symbols(sounds, (500,))
    checks.check_damage(pictures, tiny.floats(tiny.picture(5, 40, 40)))
    checks.check_damage(sounds, tiny.sound(5, 2, 2000))


def test_torch_agrees(pictures, sounds):
    checks.check_torch_agrees(pictures, tiny.floats(tiny.picture(6, 33, 47)), 60, 1e-3)
    checks.check_torch_agrees(sounds, tiny.sound(6, 2, 1000), 60, 1e-3)


def test_every_number_fits():
    given = np.array([0, 1e9, -1e9, 30, -30], np.float32)
    assert walloc.compand(given).tolist()[:3] == [0, 127, -127]
    assert np.isfinite(walloc.expand(np.arange(-128, 128).astype(np.int8))).all()


def test_companding_is_undone():
    numbers = np.arange(-127, 128).astype(np.int8)
    assert np.array_equal(walloc.compand(walloc.expand(numbers)), numbers)


def test_strips_are_the_whole(pictures, monkeypatch):
    signal = tiny.floats(tiny.picture(3, 120, 20))
    symbols = pictures.analyse(signal, (70,))
    whole = pictures.synthesise(symbols, (120, 20), (70,))
    monkeypatch.setattr(walloc, "STRIP", 16)
    assert np.abs(pictures.synthesise(symbols, (120, 20), (70,)) - whole).max() < 1e-5


def test_wrong_shapes_are_refused(pictures):
    with pytest.raises(ValueError, match="3 channels"):
        pictures.analyse(np.zeros((1, 8, 8), np.float32), (0,))
    with pytest.raises(ValueError, match="not those"):
        pictures.synthesise([np.zeros((10, 2, 2), np.int8)], (64, 64), (0,))


def test_models_that_do_not_fit_are_refused():
    model = weights.unpack(tiny.walloc_bytes(2), "tiny")

    def broken(change) -> bytes:
        tensors, about = dict(model.tensors), json.loads(model.about["config"])
        change(tensors, about)
        return weights.pack(tensors, {"codec": "walloc", "config": json.dumps(about)})

    def later(tensors, about):
        taps = tensors["priors.0.taps"].copy()
        taps[0, 0] = 0, -1, 0
        tensors["priors.0.taps"] = taps

    def heavy(tensors, about):
        freqs = tensors["priors.1.freqs"].copy()
        freqs[0, 0, 0] += 1
        tensors["priors.1.freqs"] = freqs

    changes = [
        lambda t, c: t.pop("encoder"),
        lambda t, c: c.pop("levels"),
        lambda t, c: c.update(levels=3),
        lambda t, c: c.update(gains=[0]),
        lambda t, c: t.update(linear=t["linear"][:, :4]),
        lambda t, c: t.pop("network.last.kernel"),
        lambda t, c: t.pop("priors.1.bias"),
        lambda t, c: c.update(priors=0),
        later,
        heavy,
    ]
    for change in changes:
        with pytest.raises(CorruptError, match=r"get (them|the file) again"):
            walloc.WallocCodec(weights.unpack(broken(change), "tiny"))


def test_priors_are_kept_as_they_are():
    model = weights.unpack(tiny.walloc_bytes(2), "tiny")
    prior = planes.from_tensors(model.tensors, "priors.0.")
    again = planes.to_tensors(prior, "priors.0.")
    assert all(np.array_equal(again[name], model.tensors[name]) for name in again)


@pytest.mark.parametrize(("axes", "levels"), [(2, 2), (1, 4)])
def test_bands_are_joined_with_gradients(axes, levels):
    torch = pytest.importorskip("torch")
    from nzip.models.latent.walloc.training import join

    signal = np.random.default_rng(3).uniform(-0.5, 0.5, (2, *[4 << levels] * axes)).astype(np.float32)
    bands = torch.from_numpy(wavelet.analyse(signal, levels))[None].requires_grad_()
    joined = join(bands, levels, axes)
    assert np.abs(joined[0].detach().numpy() - signal).max() < 1e-4
    joined.pow(2).sum().backward()
    assert bands.grad is not None


@pytest.mark.parametrize("axes", [1, 2])
def test_it_learns_from_files_of_signals(axes, tmp_path):
    pytest.importorskip("torch")
    from nzip.models.latent.training import data, loop
    from nzip.models.latent.walloc import training as recipe

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
    codec = walloc.WallocCodec(recipe.finish(result, encoder, pieces, shape, tmp_path / "model.safetensors"))
    assert codec.kind == ("image" if axes == 2 else "audio")
    signal = data.signal_of(pieces[0])
    checks.check_round_trip(codec, signal, 80)
    low, high = (len(codec.encode(codec.analyse(signal, (n,), NumpyOps()), (n,))) for n in (0, 99))
    assert low < high
