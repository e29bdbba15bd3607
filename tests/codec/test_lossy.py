"""Lossy pictures and sounds through the public API: every kind of signal, goals, what stays exact, bad input."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from models.latent import tiny

import nzip
from nzip.codec import lossy
from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.signals.base import Audio, Image
from nzip.models.latent import codecs, record
from nzip.models.latent.layers import NumpyOps

PIXELS = tiny.picture(1, 45, 61)


@pytest.fixture(autouse=True)
def models(tmp_path_factory, monkeypatch):
    """Small models in the place of those that come with nzip."""
    tiny.in_place_of_shipped(monkeypatch, tmp_path_factory.mktemp("models"))


def _error(one, other) -> float:
    return float(np.mean((one.astype(float) - other.astype(float)) ** 2))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_every_kind(channels):
    pixels = np.concatenate([PIXELS, tiny.picture(2, 45, 61)], axis=2)[:, :, :channels].copy()
    picture = Image(pixels, "WEBP", b"profile" * 9, b"exif" * 7)
    data = nzip.compress_signal(picture, quality=90)
    back = nzip.decompress_signal(data)
    assert isinstance(back, Image)
    assert (back.pixels.shape, back.pixels.dtype) == (pixels.shape, np.uint8)
    assert (back.format, back.profile, back.exif) == ("WEBP", picture.profile, picture.exif)
    if channels in (2, 4):
        assert np.array_equal(back.pixels[:, :, -1], pixels[:, :, -1])
    colour = slice(0, 3 if channels >= 3 else 1)
    assert _error(back.pixels[:, :, colour], pixels[:, :, colour]) < 0.3 * pixels[:, :, colour].astype(float).var()


def test_sixteen_bits_and_one_pixel():
    deep = (PIXELS[:, :, :1].astype(np.uint16) << 8) + 77
    back = nzip.decompress_signal(nzip.compress_signal(Image(deep), quality=90))
    assert back.pixels.dtype == np.uint16
    assert _error(back.pixels, deep) < 0.3 * deep.astype(float).var()
    one = nzip.decompress_signal(nzip.compress_signal(Image(PIXELS[:1, :1])))
    assert one.pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("count", [0, 1, 3000])
def test_sounds_of_every_kind(channels, count):
    samples = tiny.sound(3, channels, count)
    sound = Audio(samples, 22050, "FLAC", "PCM_24", {"title": "a"})
    data = nzip.compress_signal(sound, quality=95)
    back = nzip.decompress_signal(data)
    assert isinstance(back, Audio)
    assert back.samples.shape == samples.shape
    assert (back.rate, back.format, back.subtype, back.extra) == (22050, "FLAC", "PCM_24", {"title": "a"})
    if count > 1:
        assert _error(back.samples, samples) < 0.5 * samples.var()


def test_sounds_beyond_full_scale_stay_there():
    samples = tiny.sound(4, 2, 2000) * 12
    back = nzip.decompress_signal(nzip.compress_signal(Audio(samples, 8000, "WAV", "FLOAT"), quality=95))
    assert np.abs(back.samples).max() > 2
    assert _error(back.samples, samples) < 0.6 * samples.var()


def test_goals():
    picture = Image(PIXELS)
    sizes = [len(nzip.compress_signal(picture, quality=quality)) for quality in (1, 60, 100)]
    assert sizes == sorted(sizes)
    assert len(nzip.compress_signal(picture)) == sizes[1]
    for bpp in (8 * sizes[0] / PIXELS[:, :, 0].size + 0.5, 8 * sizes[1] / PIXELS[:, :, 0].size):
        data = nzip.compress_signal(picture, bpp=bpp)
        assert len(data) <= bpp * PIXELS[:, :, 0].size / 8 < len(data) + 60
    wanted = _psnr(nzip.compress_signal(picture, quality=50)) - 0.01
    found = lossy.encode_signal(picture, goal=lossy.Goal(psnr=wanted))
    assert found.psnr >= wanted
    assert found.settings[0] < 55
    sound = Audio(tiny.sound(5, 2, 8000), 8000)
    data = nzip.compress_signal(sound, kbps=30)
    assert len(data) <= 30_000 / 8
    for settings, problem in (
        ({"bpp": 0.001}, "bytes at least"),
        ({"psnr": 90}, "dB at most"),
    ):
        with pytest.raises(LimitError, match=problem):
            nzip.compress_signal(picture, **settings)


def _psnr(data: bytes) -> float:
    return 10 * math.log10(255**2 / _error(nzip.decompress_signal(data).pixels, PIXELS))


@pytest.mark.parametrize(
    "settings",
    [
        {"quality": 0}, {"quality": 101}, {"bpp": 0}, {"bpp": -1}, {"psnr": math.nan}, {"psnr": math.inf}, {"kbps": 3},
        {"quality": 3, "bpp": 1}, {"codec": "jpeg"}, {"codec": "grvq"},
    ],
)  # fmt: skip
def test_wrong_settings(settings):
    with pytest.raises(ValueError):
        nzip.compress_signal(Image(PIXELS), **settings)


@pytest.mark.parametrize(
    "signal",
    [
        Image(np.zeros((0, 4, 3), np.uint8)), Image(np.zeros((4, 4), np.uint8)),
        Image(np.zeros((4, 4, 5), np.uint8)), Image(np.zeros((4, 4, 3), np.uint16)),
        Image(np.zeros((4, 4, 3), np.float32)), Audio(np.zeros(9, np.float32), 8000),
        Audio(np.full((1, 9), np.nan, np.float32), 8000), Audio(np.zeros((1, 9), np.float32), 0),
        Audio(np.zeros((65, 9), np.float32), 8000),
    ],
)  # fmt: skip
def test_what_is_no_signal(signal):
    with pytest.raises(ValueError):
        nzip.compress_signal(signal)


def test_large_signals_are_cut_and_joined(monkeypatch):
    monkeypatch.setattr(lossy, "TILES", {record.PICTURE: (90_000, 256), record.SOUND: (3000, 1 << 16)})
    picture = Image(tiny.picture(7, 550, 290))
    data = nzip.compress_signal(picture, quality=95)
    head, _ = record.Head.parse(nzip.decompress(data))
    codec = codecs.by_id(head.codec, head.model)
    assert [(place[0].stop, place[1].stop) for place in head.places(codec)] == [
        (272, 272), (272, 290), (528, 272), (528, 290), (550, 272), (550, 290),
    ]  # fmt: skip
    assert nzip.decompress_signal(data).pixels.shape == picture.pixels.shape
    with pytest.raises(UnsupportedError, match="several sizes"):
        nzip.latents(io.BytesIO(data))


@pytest.mark.parametrize("size", [(90, 70), (48, 48), (49, 33), (5000,), (3072,), (3073,)])
def test_parts_join_to_the_whole(size):
    """Parts that come back as they were give the signal again, whatever the sizes."""
    kind, tile = (record.PICTURE, 32) if len(size) == 2 else (record.SOUND, 2048)
    codec = codecs.by_name("walloc", "image" if len(size) == 2 else "audio")[0]
    head = record.Head(1, "00" * 8, (), kind, size, codec.channels, rate=8000, tile=tile)
    signal = np.random.default_rng(1).uniform(-1, 1, (codec.channels, *size)).astype(np.float32)
    parts = lossy._cut(head, codec, [signal, -signal][: head.groups(codec)])
    pieces = [piece for group, _, piece in lossy._joined(head, codec, iter(parts)) if group == 0]
    assert all(min(part.shape[1:]) > record.OVERLAP[kind] for part in parts)
    assert np.abs(np.concatenate(pieces, axis=1) - signal).max() < 1e-6


def test_latents_are_read_without_the_signal(tmp_path, monkeypatch):
    data = nzip.compress_signal(Image(PIXELS), quality=70)
    (tmp_path / "x.nz").write_bytes(data)
    monkeypatch.setattr(lossy, "_assemble", None)
    found = nzip.latents(tmp_path / "x.nz")
    assert (found.dtype, found.shape) == (np.int8, (10, 12, 16))
    assert np.array_equal(nzip.latents(io.BytesIO(data)), found)
    several = nzip.compress_signal(Audio(tiny.sound(1, 3, 500), 8000))
    assert nzip.latents(io.BytesIO(several)).shape == (2, 10, 32)
    nothing = nzip.compress_signal(Audio(np.zeros((1, 0), np.float32), 8000))
    assert nzip.latents(io.BytesIO(nothing)).shape == (10, 0)


def test_every_backend_reads_the_same_latents():
    pytest.importorskip("torch")
    from nzip.models.latent.layers import TorchOps

    data = nzip.compress_signal(Image(PIXELS), quality=70)
    one, other = (nzip.decompress_signal(data, ops=ops).pixels.astype(int) for ops in (NumpyOps(), TorchOps()))
    assert np.abs(one - other).max() <= 1


def test_the_member_is_a_member_like_any_other():
    pixels = np.concatenate([PIXELS, PIXELS[:, :, :1]], axis=2)
    data = nzip.compress_signal(Image(pixels), quality=50)
    content = nzip.decompress(data)
    assert lossy.signal_of(content).pixels.shape == pixels.shape
    with nzip.open(io.BytesIO(data)) as file:
        assert file.read() == content
    random = np.random.default_rng(1)
    for at in random.integers(0, len(data), 60):
        bad = bytearray(data)
        bad[at] ^= 1 << int(random.integers(8))
        with pytest.raises((CorruptError, UnsupportedError)):
            nzip.decompress_signal(bytes(bad))
    for cut in random.integers(0, len(data), 20):
        with pytest.raises(CorruptError):
            nzip.decompress_signal(data[:cut])


def test_files_of_another_kind():
    with pytest.raises(UnsupportedError, match="no lossy picture"):
        nzip.decompress_signal(nzip.compress(b"text" * 100))
    data = nzip.compress_signal(Image(PIXELS))
    with pytest.raises(UnsupportedError, match="more than one"):
        nzip.decompress_signal(data + data)
    with pytest.raises(CorruptError):
        lossy.signal_of(nzip.decompress(data) + b"more")
    with pytest.raises(LimitError):
        nzip.decompress_signal(data, max_memory=1 << 20)


def test_decibels_are_of_all_samples():
    """Parts of unequal size count by their samples."""
    parts = [np.zeros((1, 90), np.float32), np.zeros((1, 10), np.float32)]
    back = [np.full((1, 90), 0.01, np.float32), np.full((1, 10), 0.1, np.float32)]
    whole = lossy._psnr([np.concatenate(parts, axis=1)], [np.concatenate(back, axis=1)], "image")
    assert lossy._psnr(parts, back, "image") == pytest.approx(whole)
    assert whole == pytest.approx(-10 * math.log10((90 * 1e-4 + 10 * 1e-2) / 100))


def test_a_model_that_makes_no_numbers(monkeypatch):
    """Said in one line, without warnings on the way."""
    data = nzip.compress_signal(Image(PIXELS))
    codec = codecs.by_name("walloc", "image", None)[0]
    made = lambda self, symbols, size, settings, ops: np.float32(1e38) * np.full((3, *size), 1e38, np.float32)  # noqa: E731
    monkeypatch.setattr(type(codec), "synthesise", made)
    with pytest.raises(CorruptError, match="the codec walloc makes values that are no numbers; get its file again"):
        nzip.decompress_signal(data)
    with pytest.raises(CorruptError, match="no numbers"):
        nzip.compress_signal(Image(PIXELS), psnr=20)
