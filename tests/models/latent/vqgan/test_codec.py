"""`vqgan`: quality, damage, models that do not fit, lost numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from models.latent import tiny

from nzip.errors import CorruptError, UnsupportedError
from nzip.models.latent import codecs, weights
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.vqgan import codec as vqgan
from nzip.models.latent.vqgan import filler

CONFIG = tiny.VQGAN


def new_model(**given):
    return weights.unpack(tiny.vqgan_bytes(**given), "a model")


@pytest.fixture(scope="module")
def codec():
    return vqgan.VqganCodec(new_model())


def picture(size, seed=3):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (3, *size)).astype(np.float32)


def test_more_quality_is_a_larger_codebook(codec):
    rungs = [codec.settings(quality)[0] for quality in range(1, 101)]
    assert rungs == sorted(rungs)
    assert set(rungs) == {0, 1}
    for quality in (0, 101):
        with pytest.raises(ValueError, match="quality"):
            codec.settings(quality)


def test_damage_is_found(codec):
    size, settings = (100, 90), (1,)
    symbols = codec.analyse(picture(size), settings, NumpyOps())
    data = codec.encode(symbols, settings)
    for end in range(len(data)):
        with pytest.raises(CorruptError):
            codec.decode(data[:end], size, settings)
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << at % 8
        with pytest.raises(CorruptError):
            codec.decode(bytes(broken), size, settings)
    with pytest.raises(CorruptError):
        codec.decode(data + bytes(4), size, settings)
    for wrong in ((), (2,), (-1,), (0, 0)):
        with pytest.raises(CorruptError):
            codec.layout(size, wrong)
    with pytest.raises(CorruptError):
        codec.layout((0, 3), settings)
    with pytest.raises(CorruptError):
        codec.synthesise([np.full_like(symbols[0], 24)], size, settings, NumpyOps())
    with pytest.raises(CorruptError):
        codec.synthesise([symbols[0][1:]], size, settings, NumpyOps())


def test_models_that_do_not_fit_are_refused():
    model = new_model()
    for name in ("encoder.conv_in.kernel", "decoder.up.0.block.0.norm2.gain", "codebook.24", "filler.out.bias"):
        less = {key: value for key, value in model.tensors.items() if key != name}
        with pytest.raises(CorruptError):
            vqgan.VqganCodec(replace(model, tensors=less))
    for name in ("decoder.conv_in.kernel", "codebook.4", "filler.in.kernel", "prior.24.last", "prior.4.second"):
        wrong = {**model.tensors, name: model.tensors[name][..., 1:]}
        with pytest.raises(CorruptError):
            vqgan.VqganCodec(replace(model, tensors=wrong))
    for config in ("{}", '{"rungs": [], "groups": 1, "cells": 4, "sphere": true, "heads": 1}', "[]"):
        with pytest.raises(CorruptError):
            vqgan.VqganCodec(replace(model, about={**model.about, "config": config}))
    with pytest.raises(UnsupportedError):
        vqgan.VqganCodec(replace(model, about={**model.about, "codec": "other"}))


@pytest.mark.parametrize("share", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("restores", [True, False])
def test_lost_numbers_are_restored(share, restores):
    codec, ops, settings = vqgan.VqganCodec(new_model(filler=restores)), NumpyOps(), (1,)
    whole = np.random.default_rng(4).integers(0, 24, (21, 37)).astype(np.uint16)
    lost = np.random.default_rng(5).random(whole.shape) < share
    holes = np.where(lost, 65535, whole).astype(np.uint16)
    got = codec.restore(holes, lost, settings, ops)
    assert got.dtype == np.uint16
    assert (got[~lost] == whole[~lost]).all()
    assert (got < 24).all()
    small = (48, 64)
    cut = codec.synthesise([holes[:3, :4]], small, settings, ops, lost=lost[:3, :4])
    assert cut.shape == (3, *small)
    nothing = codec.synthesise([whole[:3, :4]], small, settings, ops, lost=np.zeros((3, 4), bool))
    assert (nothing == codec.synthesise([whole[:3, :4]], small, settings, ops)).all()


def test_the_transformer_sees_what_is_known(codec):
    """It begins at copies; what a lost place held before changes nothing; a known one far off does."""
    ops, settings = NumpyOps(), (1,)
    whole = np.random.default_rng(6).integers(0, 24, (9, 11)).astype(np.uint16)
    lost = np.zeros(whole.shape, bool)
    lost[4, 5] = lost[0, 0] = True
    other = np.where(lost, 7, whole).astype(np.uint16)
    assert (codec.restore(whole, lost, settings, ops) == codec.restore(other, lost, settings, ops)).all()
    book = codec.books[1]
    vectors, holes = book[filler.copied(whole, lost)][None], lost[None, :, :, None].astype(np.float32)
    got = filler.fill_network(ops, codec._filler, vectors, holes, 1, 2)
    vectors[0, 8, 10] += 1
    far = filler.fill_network(ops, codec._filler, vectors, holes, 1, 2)
    assert got.shape == (1, 99, 5)
    assert not np.allclose(got[0, 0], far[0, 0], atol=1e-6)


def test_latents_and_restored_numbers_agree(codec):
    pytest.importorskip("torch")
    from nzip.models.latent.layers import TorchOps

    one, other = NumpyOps(), TorchOps()
    x = picture((70, 50))
    assert np.allclose(codec.latents(x, one), codec.latents(x, other), atol=1e-4)
    numbers = codec.analyse(x, (1,), one)[0]
    lost = np.random.default_rng(7).random(numbers.shape) < 0.3
    assert (codec.restore(numbers, lost, (1,), one) == codec.restore(numbers, lost, (1,), other)).all()


def test_the_shipped_model():
    codec, model_id = codecs.by_name("vqgan", "image")
    path = next(path for path in codecs.found_models() if path.stem == "vqgan-f16")
    assert path.stat().st_size <= 12 << 20
    assert weights.id_of(path.read_bytes()) == model_id
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert "EfficientNet" in card
    assert codec.rungs == sorted(codec.rungs)
    ops, signal = NumpyOps(), tiny.floats(tiny.picture(4, 100, 130))
    errors, sizes = [], []
    for quality in (1, 100):
        settings = codec.settings(quality)
        symbols = codec.analyse(signal, settings, ops)
        data = codec.encode(symbols, settings)
        assert (codec.decode(data, (100, 130), settings)[0] == symbols[0]).all()
        errors.append(np.abs(codec.synthesise(symbols, (100, 130), settings, ops) - signal).mean())
        sizes.append(len(data))
    assert errors[0] > errors[1]
    assert sizes[0] < sizes[1]
    lost = np.zeros(symbols[0].shape, bool)
    lost[2:4, 3:5] = True
    restored = codec.restore(symbols[0], lost, settings, ops)
    assert (restored[~lost] == symbols[0][~lost]).all()
