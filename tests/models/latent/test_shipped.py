"""Every model that comes with nzip: its form, its card, and that any symbols are coded or refused, never misread."""

from __future__ import annotations

import numpy as np
import pytest
from models.cases import JIT_OFF
from models.latent import tiny

from nzip.errors import CorruptError
from nzip.models.latent import codecs, record, weights
from nzip.models.latent.engine import LatentsEngine
from nzip.models.latent.layers import NumpyOps
from nzip.models.latent.record import Head

MODELS = sorted(codecs.shipped_folder().glob("*.safetensors"))
MOST, MOST_OF_ALL = 12_000_000, 40_000_000


def test_they_are_small():
    sizes = [path.stat().st_size for path in MODELS]
    assert max(sizes) <= MOST
    assert sum(sizes) <= MOST_OF_ALL


def test_every_codec_has_its_models():
    stems = {path.stem for path in MODELS}
    assert {stem for entry in codecs.CODECS.values() for stem in entry.defaults.values()} <= stems


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_it_has_a_card(path):
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert weights.load(path).id in card
    assert "licence" in card.lower()


def _head(codec, model_id: str, size: tuple[int, ...], settings: tuple[int, ...]) -> Head:
    number = codecs.CODECS[codec.name].id
    if codec.kind == "image":
        return Head(number, model_id, settings, record.PICTURE, size, 3)
    rate = codec.rate or 44100
    return Head(number, model_id, settings, record.SOUND, size, codec.channels, rate=rate, subtype="PCM_16")


@pytest.mark.skipif(JIT_OFF, reason="plain Python is slow, and small models are tried with it")
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_symbols_of_a_signal_and_any_others(path):
    model = weights.load(path)
    codec = codecs.codec_of(model, path.name)
    signal = tiny.floats(tiny.picture(1, 72, 90)) if codec.kind == "image" else tiny.sound(1, codec.channels, 4000)
    size, engine, random = signal.shape[1:], LatentsEngine(), np.random.default_rng(1)
    for quality in (1, 50, 100):
        settings = codec.settings(quality)
        head = _head(codec, model.id, size, settings)
        arrays = [codec.analyse(signal, settings, NumpyOps())]
        for spread in (1, 3, 1 << 15):
            arrays.append([
                np.clip(random.integers(-spread, spread, shape), np.iinfo(kind).min, np.iinfo(kind).max).astype(kind)
                for kind, shape in codec.layout(size, settings)
            ])  # fmt: skip
        for symbols in arrays:
            data = record.to_bytes([symbols])
            block = Head(**{**head.__dict__, "symbols": len(data)}).encode() + data
            payload = engine.encode(block, {})
            assert payload == block or engine.decode(payload, len(block), {}) == block
            assert len(payload) < len(block) or symbols is not arrays[0]
            try:
                back = codec.synthesise(symbols, size, settings, NumpyOps())
            except (ValueError, CorruptError):
                continue
            assert back.shape == signal.shape
            assert np.isfinite(back).all()
    with pytest.raises(CorruptError):
        codec.layout(size, (1 << 20,))
