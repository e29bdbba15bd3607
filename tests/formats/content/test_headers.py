"""What headers say: the shape of samples, and where their file ends; damaged and hostile ones."""

import struct

import pytest
from formats.content.contents import CONTENTS, DICE, bmp, riff, wave

from nzip.formats.content.detection import detect
from nzip.formats.content.headers import HEAD, PARSERS, parse
from nzip.formats.content.kinds import BITMAP, KINDS, Segment


def shape(block: bytes) -> Segment | None:
    return parse(block[:HEAD], len(block))


def test_audio_is_described() -> None:
    data = wave(300, 2, 2, 9)
    size = len(data)

    def audio(length: int, width: int, channels: int, offset: int, big: bool = False) -> Segment:
        return Segment(
            "audio", length, width=width, channels=channels, stride=width * channels, offset=offset, big=big,
            confidence=95,
        )  # fmt: skip

    assert shape(riff(data, 2, 2)) == audio(44 + size, 2, 2, 44)
    assert shape(riff(data, 1, 3, extra=b"LIST\3\0\0\0abc\0")) == audio(56 + size, 3, 1, 56)
    assert shape(riff(data, 2, 2) + b"LIST\4\0\0\0more") == audio(44 + size, 2, 2, 44)
    common = b"COMM" + struct.pack(">IHIH", 18, 2, 300, 16) + bytes(10)
    aiff = b"FORM" + bytes(4) + b"AIFF" + common + b"SSND" + struct.pack(">I", size + 8) + bytes(8) + data
    assert shape(aiff) == audio(54 + size, 2, 2, 54, True)
    assert shape(aiff + bytes(30)) == audio(54 + size, 2, 2, 54, True)
    au = b".snd" + struct.pack(">IIIII", 24, size, 3, 8000, 1) + data
    assert shape(au) == audio(24 + size, 2, 1, 24, True)
    assert shape(au + b"behind") == audio(24 + size, 2, 1, 24, True)


def test_other_sounds_are_described() -> None:
    data = wave(300, 2, 2, 9)
    size = len(data)

    def fmt(tag: int, width: int, channels: int, order: str = "<", sub: int = 0) -> bytes:
        frame = width * channels
        common = struct.pack(f"{order}HHIIHH", tag, channels, 8000, 8000 * frame, frame, 8 * width)
        return common + (struct.pack(f"{order}HHIH", 22, 8 * width, 3, sub) + bytes(14) if sub else b"")

    def wav(form: bytes, stated: int, *, name: bytes = b"RIFF", order: str = "<", before: bytes = b"") -> bytes:
        head = name + bytes(4) + b"WAVE" + before + b"fmt " + struct.pack(f"{order}I", len(form)) + form
        return head + b"data" + struct.pack(f"{order}I", stated) + data

    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, size, 0, 0)
    none = 0xFFFFFFFF
    for block, width, channels, offset, big, real in (
        (wav(fmt(0xFFFE, 3, 2, sub=1), size), 3, 2, 68, False, False),
        (wav(fmt(0xFFFE, 4, 1, sub=3), size), 4, 1, 68, False, True),
        (wav(fmt(3, 4, 2), size), 4, 2, 44, False, True),
        (wav(fmt(3, 8, 2), size), 8, 2, 44, False, True),
        (wav(fmt(1, 2, 6), size), 2, 6, 44, False, False),
        (wav(fmt(1, 2, 2, ">"), size, name=b"RIFX", order=">"), 2, 2, 44, True, False),
        (wav(fmt(1, 2, 2), none, name=b"RF64", before=ds64), 2, 2, 80, False, False),
        (wav(fmt(1, 2, 2), 0), 2, 2, 44, False, False),
        (wav(fmt(1, 2, 2), none), 2, 2, 44, False, False),
        (b"dns." + struct.pack("<IIIII", 24, none, 6, 8000, 2) + data, 4, 2, 24, False, True),
        (
            b"caff\0\1\0\0desc" + struct.pack(">QdIIIIII", 32, 8000, 0x6C70636D, 2, 4, 1, 2, 16)
            + b"data" + struct.pack(">QI", size + 4, 0) + data, 2, 2, 68, False, False,
        ),
    ):  # fmt: skip
        found = shape(block)
        assert found is not None
        assert (found.kind, found.sure, found.length) == ("audio", True, len(block))
        assert (found.width, found.channels, found.offset, found.big, found.real) == (
            width, channels, offset, big, real,
        )  # fmt: skip

    def aifc(coding: bytes, bits: int) -> bytes:
        common = b"COMM" + struct.pack(">IHIH", 24, 2, 300, bits) + bytes(10) + coding + b"\0\0"
        return b"FORM" + bytes(4) + b"AIFC" + common + b"SSND" + struct.pack(">I", size + 8) + bytes(8) + data

    for coding, bits, big, real in (
        (b"NONE", 16, True, False), (b"sowt", 16, False, False), (b"twos", 24, True, False), (b"fl32", 32, True, True),
        (b"42n1", 24, False, False),
    ):  # fmt: skip
        found = shape(aifc(coding, bits))
        assert found is not None
        assert (found.kind, found.width, found.big, found.real) == ("audio", bits // 8, big, real)
    for block in (aifc(b"ima4", 4), wav(fmt(0x11, 1, 1), size)):
        found = shape(block)
        assert found is not None
        assert found.kind == "compressed"
    riff64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
    name = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    w64 = riff64 + struct.pack("<Q", 0) + b"wave" + name + b"fmt " + name + struct.pack("<Q", 40) + fmt(1, 2, 2)
    found = shape(w64 + b"data" + name + struct.pack("<Q", 24 + size) + data)
    assert found is not None
    assert (found.kind, found.width, found.offset, found.length) == ("audio", 2, 104, 104 + size)


def test_images_are_described() -> None:
    def image(length: int, width: int, channels: int, row: int, offset: int, big: bool = False) -> Segment:
        return Segment(
            "image", length, width=width, channels=channels, stride=width * channels, row=row, offset=offset, big=big,
            confidence=95,
        )  # fmt: skip

    assert shape(bmp(41, 30, 24)) == image(54 + 124 * 30, 1, 3, 124, 54)
    assert shape(bmp(41, 30, 24) + bytes(99)) == image(54 + 124 * 30, 1, 3, 124, 54)
    assert shape(b"P5 30 20 255\n" + bytes(700)) == image(613, 1, 1, 30, 13)
    assert shape(b"P6 30 20 65535\n" + bytes(3600)) == image(3615, 2, 3, 180, 15, True)


def test_bitmaps_are_described() -> None:
    assert shape(b"P4 30 20\n" + bytes(80)) == Segment("bitmap", 89, BITMAP, 1, 1, row=4, offset=9, confidence=95)
    assert shape(bmp(41, 30, 1)) == Segment("bitmap", 54 + 8 * 30, BITMAP, 1, 1, row=8, offset=54, confidence=95)


def test_arrays_are_described() -> None:
    found = shape(b"\0\0\x08\3" + struct.pack(">III", 9, 8, 7) + bytes(600))
    assert found is not None
    assert (found.kind, found.length, found.row, found.stride, found.offset) == ("image", 16 + 504, 7, 1, 16)
    words = b"{'descr': '>c16', 'fortran_order': False, 'shape': (9, 5), }"
    found = shape(b"\x93NUMPY\1\0" + struct.pack("<H", len(words)) + words + bytes(900))
    assert found is not None
    assert (found.kind, found.width, found.big, found.length) == ("array", 8, True, 10 + len(words) + 720)


HEADERS = [block for block, kind in CONTENTS if kind in ("audio", "image", "bitmap", "array", "exe-x86", "json", "csv")]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_damaged_headers_get_an_answer(header: bytes) -> None:
    for place in range(min(120, len(header))):
        assert detect(header[:place]).kind in KINDS
        for value in (0, 255, header[place] ^ 1, header[place] ^ 0x80):
            assert detect(header[:place] + bytes([value]) + header[place + 1 : 400]).kind in KINDS


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__name__)
def test_parsers_believe_nothing_beyond_the_stretch(parser: object) -> None:
    assert callable(parser)
    for block, _ in CONTENTS:
        for cut in (0, 1, 7, 20, 60, len(block)):
            found = parser(block[:cut][:HEAD], cut)
            assert found is None or 0 <= found.length <= cut
    noise = DICE.randbytes(2000)
    for block, _ in CONTENTS:
        mixed = block[:4] + noise
        found = parser(mixed, len(mixed))
        assert found is None or 0 <= found.length <= len(mixed)
