"""grvq: symbols come back exactly, damage is seen, and the parts equal plain references."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from models.latent import tiny

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import weights
from nzip.models.latent.grvq import codec as grvq
from nzip.models.latent.grvq import networks
from nzip.models.latent.layers import NumpyOps

SHAPE = tiny.GRVQ


def _model(**changes):
    return weights.unpack(tiny.grvq_bytes(**changes), "model")


CODEC = grvq.GrvqCodec(_model())


def test_the_search_finds_the_best_way():
    random = np.random.default_rng(6)
    vectors, books = random.standard_normal((20, 3)).astype(np.float32), random.standard_normal((3, 5, 3))
    books = books.astype(np.float32)
    ways = list(itertools.product(range(5), repeat=3))
    sums = np.array([sum(books[layer, k] for layer, k in enumerate(way)) for way in ways])
    for f, found in enumerate(grvq.nearest(vectors, books, 125).T):
        best = ((vectors[f] - sums) ** 2).sum(axis=1)
        assert best[ways.index(tuple(found))] == pytest.approx(best.min(), rel=1e-4)
    greedy = grvq.nearest(vectors, books, 1)
    rest = vectors.copy()
    for layer in range(3):
        near = ((rest[:, None] - books[layer]) ** 2).sum(axis=2).argmin(axis=1)
        assert (near == greedy[layer]).all()
        rest -= books[layer, near]


def test_spectra_become_samples():
    half, bins, frames = SHAPE.half, SHAPE.bins, 6
    random = np.random.default_rng(7)
    logs, phases = random.uniform(-1, 1, (bins, frames)), random.uniform(-9, 9, (bins, frames))
    x = np.concatenate([logs, phases]).astype(np.float32)[None]
    wanted = np.zeros((frames + 2) * half)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(3 * half) / (3 * half))
    for t in range(frames):
        size = np.exp(8 * np.tanh(logs[:, t] / 8))
        part = np.fft.irfft(size * np.exp(1j * phases[:, t]), 3 * half)
        wanted[t * half : (t + 3) * half] += part * window / 1.5
    found = networks.waves(NumpyOps(), SHAPE, x)[0]
    assert np.abs(found - wanted[half:-half]).max() < 1e-4


def test_windows_make_no_difference(monkeypatch):
    ops = NumpyOps()
    sound = tiny.sound(1, 1, 40 * 150 + 7)
    whole = CODEC.analyse(sound, (2,), ops)
    signal = CODEC.synthesise(whole, sound.shape[1:], (2,), ops)
    monkeypatch.setattr(grvq, "WINDOW", 40)
    parts = CODEC.analyse(sound, (2,), ops)
    assert (parts[0] == whole[0]).mean() > 0.98
    assert np.abs(CODEC.synthesise(whole, sound.shape[1:], (2,), ops) - signal).max() < 1e-4


def test_settings_are_checked():
    assert [CODEC.settings(quality) for quality in (1, 50, 51, 100)] == [(1,), (1,), (2,), (2,)]
    for settings in ((), (0,), (3,), (1, 1)):
        with pytest.raises(CorruptError, match="settings"):
            CODEC.layout((40,), settings)
        with pytest.raises(CorruptError, match="settings"):
            CODEC.decode(b"", (40,), settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"codes": None},
        {"codes": np.zeros((2, 2, 16, 4), np.int32)},
        {"enc.in.kernel": np.zeros((8, 28, 5), np.float16)},
        {"prior.wide": None},
        {"prior.deep": np.zeros((4, tiny.GRVQ_WIDTH, 16), np.int16)},
        {"prior.shifts": np.full(4, 31, np.int32)},
        {"prior.deep_scale": np.full((4, 16), -1, np.int32)},
        {"prior.wide_bias": np.full((2, 4, tiny.GRVQ_WIDTH), 1 << 30, np.int32)},
    ],
)
def test_models_that_do_not_fit_are_refused(changes):
    with pytest.raises(CorruptError, match="model"):
        grvq.GrvqCodec(_model(**changes))


def test_models_of_others_are_refused():
    model = _model()
    for about, error in (
        ({"codec": "walloc", "config": model.about["config"]}, UnsupportedError),
        ({"codec": "grvq"}, CorruptError),
        ({"codec": "grvq", "config": json.dumps({**model.config, "hop": -2})}, CorruptError),
        ({"codec": "grvq", "config": json.dumps({**model.config, "hop": 41})}, UnsupportedError),
    ):
        with pytest.raises(error, match="model"):
            grvq.GrvqCodec(weights.Model("0", model.tensors, about))
