"""The search at encoding: what it is to make better becomes better, in whole pictures and in parts."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from models.latent import tiny
from models.latent.test_vqgan import model_bytes, new_model, picture

import nzip
from nzip.codec import lossy
from nzip.errors import UnsupportedError
from nzip.formats.signals.base import Audio, Image
from nzip.models import efficientnet
from nzip.models.latent.layers import NumpyOps, TorchOps
from nzip.models.latent.vqgan import codec as vqgan
from nzip.models.latent.vqgan import search


@pytest.mark.parametrize("shape", [(1, 1), (48, 48), (49, 48), (33, 100), (7, 400)])
def test_parts_take_each_place_once(shape):
    seen = np.zeros(shape, int)
    for core, around in search.parts(shape):
        seen[core] += 1
        for inner, outer, size in zip(core, around, shape, strict=True):
            assert 0 <= outer.start <= inner.start < inner.stop <= outer.stop <= size
    assert (seen == 1).all()


def _loss(codec, network, signal, numbers):
    """What the search measures, over the whole picture."""
    import torch

    ops = TorchOps()
    y = codec.synthesise([numbers], signal.shape[1:], (1,), ops)
    with torch.no_grad():
        deep = efficientnet.distance(*(efficientnet.stages(network, ops.array(x[None])) for x in (signal, y)))
    return float(deep) + search.PIXELS * np.abs(y - signal).mean()


@pytest.mark.parametrize("parted", [False, True])
def test_the_loss_falls(parted, monkeypatch):
    pytest.importorskip("torch")
    if parted:
        for name, value in {"WHOLE": 4, "CORE": 2, "MARGIN": 1}.items():
            monkeypatch.setattr(search, name, value)
    codec, network, signal = vqgan.VqganCodec(new_model()), tiny.features_network(), picture((64, 96))
    numbers = codec.analyse(signal, (1,), NumpyOps())[0]
    ticks: list[int] = []
    got = search.refined(codec, signal, numbers, 1, 12, network, ticks.append)
    assert len(ticks) == 12 * (6 if parted else 1)
    assert sum(ticks) == 12 * numbers.size
    assert got.shape == numbers.shape
    assert got.dtype == np.uint16
    assert got.max() < 24
    assert _loss(codec, network, signal, got) < 0.99 * _loss(codec, network, signal, numbers)
    assert (search.refined(codec, signal, numbers, 1, 12, network) == got).all()


def test_nothing_worse_is_kept():
    pytest.importorskip("torch")
    codec, network, signal = vqgan.VqganCodec(new_model()), tiny.features_network(), picture((33, 50))
    numbers = codec.analyse(signal, (0,), NumpyOps())[0]
    assert (search.refined(codec, signal, numbers, 0, 0, network) == numbers).all()


@pytest.fixture
def models(monkeypatch, tmp_path):
    """Small models in the place of those that come with nzip."""
    tiny.in_place_of_shipped(monkeypatch, tmp_path)
    (tmp_path / "vqgan-f16.safetensors").write_bytes(model_bytes())


def test_the_file_is_as_any_other(models, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(efficientnet, "load", lambda device="cpu": tiny.features_network())
    image = Image(tiny.picture(5, 90, 70))
    plain, better = (nzip.compress_signal(image, codec="vqgan", quality=100, refine=rounds) for rounds in (0, 8))
    assert plain != better
    assert nzip.decompress_signal(better).pixels.shape == image.pixels.shape
    limit = 8 * len(plain) / (90 * 70)
    assert len(nzip.compress_signal(image, codec="vqgan", bpp=limit, refine=8)) <= len(plain)


def test_what_it_does_not_go_with(models, monkeypatch):
    image, sound = Image(tiny.picture(5, 20, 20)), Audio(tiny.sound(1, 1, 900), 16000)
    for signal, words, given in (
        (image, "walloc has nothing to refine", {}),
        (sound, "nothing to refine", {}),
        (image, "decibels", {"codec": "vqgan", "psnr": 20.0}),
        (image, "from 0 on", {"codec": "vqgan", "refine": -1}),
    ):
        with pytest.raises(ValueError, match=words):
            nzip.compress_signal(signal, **{"refine": 3, **given})
    assert lossy.REFINED == ("vqgan",)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnsupportedError, match="pip install"):
        nzip.compress_signal(image, codec="vqgan", refine=1)
