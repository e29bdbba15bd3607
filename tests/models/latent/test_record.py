"""Records and the engine that codes them: round trips, every damage, models that are missing."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from models.latent import tiny

from nzip.errors import CorruptError, NzipError, UnsupportedError
from nzip.models.latent import codecs, record
from nzip.models.latent.engine import LatentsEngine
from nzip.models.latent.record import Head


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Small models as the user's own: for pictures and for sounds; their ids."""
    monkeypatch.setenv("NZIP_MODELS", str(tmp_path))
    monkeypatch.setattr(codecs, "_open", {})
    folder = tmp_path / "latent"
    folder.mkdir()
    ids = []
    for name, axes in (("tiny-picture", 2), ("tiny-sound", 1)):
        (folder / f"{name}.safetensors").write_bytes(tiny.walloc_bytes(axes))
        ids.append(codecs.by_name("walloc", "image" if axes == 2 else "audio", name)[1])
    return ids


HEADS = [
    Head(1, "00" * 8, (3,), record.PICTURE, (5, 7), 4, format=2, symbols=12, side=((1, 35), (2, 600))),
    Head(1, "ff" * 8, (), record.PICTURE, (1, 1 << 20), 1, deep=True),
    Head(4, "12" * 8, (1, 2, 300), record.SOUND, (44100,), 6, format=1, rate=48000, subtype="PCM_24", exponent=3),
    Head(1, "12" * 8, (0,), record.SOUND, (0,), 1, rate=8000, subtype="FLOAT"),
    Head(3, "12" * 8, (0,), record.PICTURE, (4000, 3000), 3, tile=1536, symbols=1 << 30),
]


@pytest.mark.parametrize("head", HEADS)
def test_heads_come_back(head):
    data = head.encode()
    assert Head.parse(data + b"symbols") == (head, len(data))


@pytest.mark.parametrize("head", HEADS)
def test_every_damage_of_a_head_is_an_error_or_another_head(head):
    data = head.encode()
    for at in range(len(data)):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            try:
                found, _ = Head.parse(bytes(bad))
            except (CorruptError, UnsupportedError):
                continue
            assert found != head
    for cut in range(len(data)):
        with pytest.raises(CorruptError):
            Head.parse(data[:cut])


def _block(models, channels=2):
    codec = codecs.by_id(1, models[1])
    signal = tiny.sound(1, 2, 900)
    parts = [codec.analyse(signal, (50,), None) for _ in range(-(-channels // 2))]
    data = record.to_bytes(parts)
    head = Head(1, models[1], (50,), record.SOUND, (900,), channels, rate=44100, subtype="PCM_16", symbols=len(data))
    return head.encode() + data, head


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_the_engine_codes_records(models, channels):
    engine = LatentsEngine()
    block, _ = _block(models, channels)
    payload = engine.encode(block, {})
    assert len(payload) < 0.9 * len(block)
    assert engine.decode(payload, len(block), engine.unpack(engine.pack({}))) == block


def test_what_is_no_record_is_left_as_it_is(models):
    block, head = _block(models)
    engine = LatentsEngine()
    unknown = replace(head, model="00" * 8).encode() + b"x" * head.symbols
    for other in (b"no record", block[:-1], block + b"\0", unknown):
        assert engine.encode(other, {}) == other


def test_damaged_payloads(models):
    engine = LatentsEngine()
    block, _ = _block(models, 3)
    payload = engine.encode(block, {})
    random = np.random.default_rng(1)
    damaged = [payload[:cut] for cut in random.integers(0, len(payload), 20)] + [payload + b"\0\0\0\0"]
    for bad in damaged:
        with pytest.raises(CorruptError):
            engine.decode(bad, len(block), {})
    for _ in range(100):
        bad = bytearray(payload)
        bad[random.integers(len(bad))] ^= 1 << int(random.integers(8))
        with contextlib.suppress(NzipError):
            assert len(engine.decode(bytes(bad), len(block), {})) == len(block)
    with pytest.raises(CorruptError):
        engine.decode(payload, len(block) + 1, {})


def test_a_missing_model_names_itself(models):
    block, head = _block(models)
    payload = LatentsEngine().encode(block, {})
    start = len(head.encode())
    other = replace(head, model="0123456789abcdef").encode() + payload[start:]
    with pytest.raises(UnsupportedError, match=r"model 0123456789abcdef of the codec walloc is not here; put its file"):
        LatentsEngine().decode(other, len(block), {})
    unknown = replace(head, codec=99).encode() + payload[start:]
    codecs._open.clear()
    with pytest.raises(UnsupportedError, match="codec 99 is not known"):
        LatentsEngine().decode(unknown, len(block), {})


def test_models_by_name(models, tmp_path):
    with pytest.raises(ValueError, match="no latent codec"):
        codecs.by_name("jpeg", "image")
    with pytest.raises(ValueError, match="not for sounds; take walloc or grvq"):
        codecs.by_name("vqgan", "audio")
    with pytest.raises(UnsupportedError, match="no model 'none' of the codec walloc"):
        codecs.by_name("walloc", "image", "none")
    with pytest.raises(UnsupportedError, match="not of walloc for audio"):
        codecs.by_name("walloc", "audio", "tiny-picture")
    path = tmp_path / "else.safetensors"
    path.write_bytes(tiny.walloc_bytes(2))
    assert codecs.by_name("walloc", "image", path)[1] == models[0]
    path.write_bytes(b"nothing")
    with pytest.raises(CorruptError, match=r"else\.safetensors"):
        codecs.by_name("walloc", "image", path)
