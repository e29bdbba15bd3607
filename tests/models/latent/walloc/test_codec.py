"""The codec walloc: the seam's checks, companding, the network in strips and in torch, models that do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from models.latent import checks, tiny

from nzip.errors import CorruptError
from nzip.models.latent import weights
from nzip.models.latent.priors import planes
from nzip.models.latent.walloc import codec as walloc


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
