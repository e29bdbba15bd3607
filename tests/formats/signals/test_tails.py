"""What lies behind a picture or sound in its file is refused; nothing that is no chunk is taken for one."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest

from nzip.errors import CorruptError, LimitError, UnsupportedError
from nzip.formats.signals import tails
from nzip.formats.signals.base import Image
from nzip.formats.signals.files import read_signal

PIL_Image = pytest.importorskip("PIL.Image")
soundfile = pytest.importorskip("soundfile")

RANDOM = np.random.default_rng(8)
PIXELS = RANDOM.integers(0, 256, (9, 11, 3)).astype(np.uint8)
WAVE = 0.1 * RANDOM.standard_normal((5003, 2))


def picture(kind: str, mode: str = "RGB", **settings: Any) -> bytes:
    out = io.BytesIO()
    PIL_Image.fromarray(PIXELS).convert(mode).save(out, kind, **settings)
    return out.getvalue()


def sound(kind: str, subtype: str, channels: int = 2) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, WAVE[:, :channels], 48000, format=kind, subtype=subtype)
    return out.getvalue()


WHOLE = {
    "png": picture("PNG"), "grey png": picture("PNG", "L"), "ppm": picture("PPM"), "pgm": picture("PPM", "L"),
    "pbm": picture("PPM", "1"), "deep pgm": b"P5 2 1 65535\n1234", "p1": b"P1\n# c\n3 2\n010\n1 0 1\n",
    "p2": b"P2\n3 2\n255\n1 2 3\n# c\n4 5 6\n", "p3": b"P3 1 1 255 1 2 3", "tiff": picture("TIFF"),
    "tiff lzw": picture("TIFF", compression="tiff_lzw"), "tiff jpeg": picture("TIFF", compression="jpeg"),
    "big tiff": picture("TIFF", big_tiff=True), "tiff dpi": picture("TIFF", "L", dpi=(300, 300)),
    "webp": picture("WEBP"), "wav": sound("WAV", "PCM_16"), "odd wav": sound("WAV", "PCM_U8", 1),
    "float wav": sound("WAV", "FLOAT"), "wavex": sound("WAVEX", "PCM_24"), "rf64": sound("RF64", "PCM_16"),
    "aiff": sound("AIFF", "PCM_16"), "caf": sound("CAF", "PCM_16"), "w64": sound("W64", "PCM_16", 1),
    "au": sound("AU", "PCM_16"), "flac": sound("FLAC", "PCM_16"), "flac 24": sound("FLAC", "PCM_24", 1),
    "ogg": sound("OGG", "VORBIS"), "opus": sound("OGG", "OPUS"), "mp3": sound("MP3", "MPEG_LAYER_III"),
}  # fmt: skip
TAILS = {"zeros": bytes(5000), "text": b"hello world", "one": b"\1", "binary": bytes(range(256))}


def read(data: bytes, **settings: Any) -> Any:
    return read_signal(io.BytesIO(data), **settings)


def values(signal: Any) -> Any:
    return signal.pixels if isinstance(signal, Image) else signal.samples


@pytest.mark.parametrize("name", WHOLE)
def test_bytes_behind_are_refused_until_they_may_be_left_out(name: str) -> None:
    data = WHOLE[name]
    whole = read(data)
    for tail in TAILS.values():
        with pytest.raises(UnsupportedError, match=r"bytes behind its end.*with strip=True$"):
            read(data + tail)
        assert np.array_equal(values(read(data + tail, strip=True)), values(whole))


@pytest.mark.parametrize("name", WHOLE)
def test_several_in_one_file_are_refused(name: str) -> None:
    for strip in (False, True):
        for between in (b"", b"\n", bytes(40)):
            with pytest.raises(UnsupportedError, match=r"more than one (picture|sound) in one file; save each"):
                read(WHOLE[name] + between + WHOLE[name], strip=strip)


def test_bytes_behind_a_jpeg() -> None:
    """Zeros too; a phone's second picture may be left out."""
    data = picture("JPEG")
    for tail in (*TAILS.values(), data):
        with pytest.raises(UnsupportedError, match="bytes behind the picture"):
            read(data + tail)
        assert read(data + tail, strip=True).pixels.shape == PIXELS.shape


@pytest.mark.parametrize("name", WHOLE)
def test_ends_of_whole_and_of_damaged_files(name: str) -> None:
    data = WHOLE[name]
    kind = read(data).format
    assert tails.padded(kind, data, tails.end_of(kind, data)) in (len(data), len(data.rstrip()))
    for size in range(0, len(data), max(1, len(data) // 60)):
        assert 0 <= tails.end_of(kind, data[:size]) <= size
    for _ in range(200):
        bad = bytearray(data)
        for place in RANDOM.integers(0, min(len(bad), 200), 3):
            bad[place] = RANDOM.integers(256)
        assert 0 <= tails.end_of(kind, bytes(bad)) <= len(bad)


def test_junk_inside_png() -> None:
    """A name that no chunk may have would not be put back."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    data = picture("PNG")
    with pytest.raises(UnsupportedError, match="the chunk 'a1_b'"):
        read(data[:33] + chunk(b"a1_b", b"x") + data[33:])
    late = data + chunk(b"tEXt", b"Title\0behind the end")
    with pytest.raises(UnsupportedError, match="32 bytes behind its end"):
        read(late)


def test_chunks_behind_what_riff_states_are_kept() -> None:
    """Some programs add them and leave the head; text is no chunk, nor is a second piece of samples."""
    data = sound("WAV", "PCM_16")
    more = b"abcd" + struct.pack("<I", 3) + b"xyz\0"
    assert ("abcd", b"xyz") in read(data + more).chunks
    with pytest.raises(UnsupportedError, match="12 bytes behind"):
        read(data + b"data" + struct.pack("<I", 4) + b"1234")
    inside = bytearray(data + b"hello world!")
    struct.pack_into("<I", inside, 4, len(inside) - 8)
    with pytest.raises(UnsupportedError, match="12 bytes behind"):
        read(bytes(inside))


def test_other_losses_of_sounds() -> None:
    """Notes of AU and chunks of Wave64 went without a word."""
    au = bytearray(sound("AU", "PCM_16"))
    struct.pack_into(">I", au, 4, 32)
    au[24:24] = b"a note\0\0"
    with pytest.raises(UnsupportedError, match="a note"):
        read(bytes(au))
    wave = sound("W64", "PCM_16")
    mark = b"abcd" + bytes(12) + struct.pack("<Q", 32) + b"12345678"
    with pytest.raises(UnsupportedError, match="the chunk 'abcd'"):
        read(wave + bytes(-len(wave) % 8) + mark)


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "FLOAT"), ("CAF", "DOUBLE"), ("AIFF", "FLOAT"), ("AU", "FLOAT")])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(kind: str, subtype: str, bad: float) -> None:
    samples = np.zeros((50, 1))
    samples[7] = bad
    out = io.BytesIO()
    soundfile.write(out, samples, 8000, format=kind, subtype=subtype)
    with pytest.raises(UnsupportedError, match="samples that are no finite numbers; mend it first"):
        read(out.getvalue(), strip=True)


@pytest.mark.parametrize("head", [b"P5\n99999 99999\n255\n", b"P4\n99999 99999\n"])
def test_too_many_pixels_are_said_in_our_words(head: bytes) -> None:
    with pytest.raises(LimitError) as info:
        read(head + b"abcd")
    assert str(info.value) == ("the stream: 99,999 x 99,999 pixels; the limit is 268,435,456 pixels: cut it in parts")


def test_a_picture_within_the_limit_needs_its_bytes() -> None:
    with pytest.raises(CorruptError, match="is the file whole"):
        read(b"P5\n16000 16000\n255\nabcd")
