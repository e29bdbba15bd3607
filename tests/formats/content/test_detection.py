"""What `detect` says of contents, and what `choose` makes of it."""

import math
import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.content import estimate
from nzip.formats.content.choice import choose
from nzip.formats.content.detection import KINDS, TEXT_KINDS, Content, detect, proposals
from nzip.registry import TRANSFORMS

DICE = random.Random(5)
PROSE = ("It was late in the year, and the road lay empty under the rain. " * 50).encode()


def wave(count: int, channels: int, width: int, noise: int) -> bytes:
    """Return PCM samples of two tones and some noise."""
    out, peak = [], 1 << 8 * width - 3
    for step in range(count):
        for c in range(channels):
            value = int(peak * (math.sin(step / (31 + 5 * c)) + math.sin(step / (173 + c)))) + DICE.randint(
                -noise, noise
            )
            out.append((value % (1 << 8 * width)).to_bytes(width, "little"))
    return b"".join(out)


def riff(data: bytes, channels: int, width: int, *, tag: int = 1, extra: bytes = b"") -> bytes:
    fmt = struct.pack("<HHIIHH", tag, channels, 44100, 44100 * channels * width, channels * width, width * 8)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + extra + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp(columns: int, rows: int, bits: int) -> bytes:
    row = (columns * bits + 31) // 32 * 4
    header = struct.pack(
        "<2sIIIIiiHHIIiiII", b"BM", 54 + row * rows, 0, 54, 40, columns, rows, 1, bits, 0, 0, 0, 0, 0, 0
    )
    return header + bytes((x // 3 + y) % 256 for y in range(rows) for x in range(row))


def program(calls: int) -> bytes:
    """Return what x86 code looks like to us: calls of few functions from many places."""
    dice, out = random.Random(11), bytearray()
    for _ in range(calls):
        out += dice.randbytes(dice.randrange(5, 30)).replace(b"\xe8", b"\x90").replace(b"\xe9", b"\x90")
        target = dice.choice((1000, 5000, 7777, 20000))
        out += b"\xe8" + (target - len(out) - 5).to_bytes(4, "little", signed=True)
    return bytes(out)


HTML = b"<!DOCTYPE html><html><head><title>t</title></head><body><p>Some words here.</p></body></html>\n"
CONTENTS = [
    (PROSE, "text"),
    ("Καὶ ταῦτα πάντα ἐγένετο. ".encode() * 60, "text"),
    ("Schöne Grüße aus Köln, mein Freund, und so weiter. ".encode("latin-1") * 30, "text"),
    (HTML * 9, "html"),
    (b'<?xml version="1.0"?>\n<a><b>text</b></a>\n' * 9, "xml"),
    (b'{"name": "x", "list": [1, 2, 3], "more": {"a": null}}\n' * 20, "json"),
    (b'[[1.5, 2.5], [2.5, 3.5], {"a": 1}]' * 9, "json"),
    (b"a,b,c\n" + b"".join(b"%d,%d,x y\n" % (i, i * 7) for i in range(50)), "csv"),
    (b'id\tname\tplace\n1\t"a b"\tc\n' * 8, "csv"),
    (b"".join(b"2026-11-21 04:%02d:00 INFO worker started, id %d\n" % (i, i) for i in range(50)), "log"),
    (b"#include <stdio.h>\n\nint main(void) {\n    return 0;\n}\n" * 5, "code"),
    (b"def f(x):\n    if x:\n        return 1\n    return 2\n" * 9, "code"),
    (zlib.compress(DICE.randbytes(9000)), "compressed"),
    (DICE.randbytes(30000), "compressed"),
    (b"\x89PNG\r\n\x1a\n" + DICE.randbytes(5000), "compressed"),
    (b"PK\3\4" + bytes(5000), "binary"),
    (bytes(20000), "binary"),
    (program(600), "exe-x86"),
    (b"\x7fELF\2\1\1" + bytes(11) + b"\x3e\0" + bytes(200), "exe-x86"),
    (b"\x7fELF\2\1\1" + bytes(11) + b"\xb7\0" + bytes(200), "binary"),
    (b"MZ" + bytes(58) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0\x64\x86" + bytes(99), "exe-x86"),
    (riff(wave(900, 2, 2, 9), 2, 2), "wav"),
    (riff(DICE.randbytes(900), 1, 1, tag=2), "compressed"),
    (bmp(40, 30, 24), "bitmap"),
    (b"P6\n# a comment\n30 20\n255\n" + bytes(1800), "bitmap"),
    (b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (90,), }" + bytes(500), "array"),
    (struct.pack("<Q", 40) + b'{"w":{"dtype":"BF16","shape":[9],       ' + bytes(300), "array"),
    (b"CDF\1" + bytes(300), "array"),
    (b"\0\0\x08\3" + struct.pack(">III", 9, 8, 7) + bytes(504), "bitmap"),
    (b"", "binary"),
    (b"\0", "binary"),
]


@pytest.mark.parametrize(("block", "kind"), CONTENTS, ids=range(len(CONTENTS)))
def test_kinds(block: bytes, kind: str) -> None:
    assert detect(block).kind == kind


def test_sound_is_described() -> None:
    data = wave(300, 2, 2, 9)
    assert detect(riff(data, 2, 2)) == Content("wav", 4, 2, 2, 44, confidence=95)
    assert detect(riff(data, 1, 3, extra=b"LIST\3\0\0\0abc\0")) == Content("wav", 3, 3, 1, 56, confidence=95)
    common = b"COMM" + struct.pack(">IHIH", 18, 2, 300, 16) + bytes(10)
    aiff = b"FORM" + bytes(4) + b"AIFF" + common + b"SSND" + bytes(12) + data
    assert detect(aiff) == Content("wav", 4, 2, 2, 54, big=True, confidence=95)
    au = b".snd" + struct.pack(">IIIII", 24, len(data), 3, 8000, 1) + data
    assert detect(au) == Content("wav", 2, 2, 1, 24, big=True, confidence=95)


def test_pictures_are_described() -> None:
    assert detect(bmp(41, 30, 24)) == Content("bitmap", 3, 1, 3, 54, 124, confidence=95)
    assert detect(b"P5 30 20 255\n" + bytes(600)) == Content("bitmap", 1, 1, 1, 13, 30, confidence=95)
    assert detect(b"P6 30 20 65535\n" + bytes(3600)) == Content("bitmap", 6, 2, 3, 15, 180, True, 95)
    assert detect(b"P4 30 20\n" + bytes(80)) == Content("bitmap", 1, 1, 1, 9, 4, confidence=95)


def test_records_are_found() -> None:
    dice = random.Random(2)
    rows = b"".join(struct.pack("<HBxI4s5s", i, dice.randrange(4), 77, b"name", dice.randbytes(5)) for i in range(3000))
    assert detect(rows).stride == 17


@given(st.one_of(st.binary(max_size=3000), st.sampled_from([block for block, _ in CONTENTS])), st.data())
def test_any_bytes_get_an_answer(block: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(block)))
    block = block[start : data.draw(st.integers(start, len(block)))] + data.draw(st.binary(max_size=40))
    content = detect(block)
    assert content == detect(block)
    assert content.kind in KINDS
    assert 0 <= content.confidence <= 100
    assert 0 <= content.stride <= 255
    chains = proposals(content, block)
    assert not chains or content.kind not in TEXT_KINDS
    for chain in chains:
        coded = block
        for name, params in chain:
            transform = TRANSFORMS.by_name(name)
            assert transform.unpack(transform.pack(params)) == params
            coded = transform.forward(coded, params)
        for name, params in reversed(chain):
            coded = TRANSFORMS.by_name(name).inverse(coded, len(coded), params)
        assert coded == block
    for engine in ("zstd", "cm", "store"):
        chosen = choose(block, engine)
        assert chosen == choose(block, engine, content)
        assert chosen in ([], *chains)
        assert len(chosen) <= 4  # what a block header can hold


HEADERS = [block for block, kind in CONTENTS if kind in ("wav", "bitmap", "array", "exe-x86", "json", "csv")]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_damaged_headers_get_an_answer(header: bytes) -> None:
    for place in range(min(120, len(header))):
        assert detect(header[:place]).kind in KINDS
        for value in (0, 255, header[place] ^ 1, header[place] ^ 0x80):
            assert detect(header[:place] + bytes([value]) + header[place + 1 : 400]).kind in KINDS


def test_views_are_taken_like_bytes() -> None:
    assert detect(memoryview(PROSE)) == detect(PROSE)


def names(chain: list[tuple[str, dict[str, int]]]) -> list[str]:
    return [name for name, _ in chain]


def test_sound_gets_differences() -> None:
    sound = riff(wave(12000, 2, 2, 40), 2, 2)
    for engine in ("zstd", "cm"):
        chosen = choose(sound, engine)
        assert names(chosen)[0] == "delta"
        assert chosen[0][1]["stride"] == 4
        assert chosen[0][1]["width"] == 2
    assert "shuffle" in names(choose(sound, "zstd"))
    assert "shuffle" not in names(choose(sound, "cm"))


def test_sound_without_its_header_gets_differences() -> None:
    for engine in ("zstd", "cm"):
        assert names(choose(wave(12000, 2, 2, 40), engine))[0] == "delta"


def test_sound_of_24_bits_gets_differences_from_its_first_sample() -> None:
    chosen = choose(riff(wave(9000, 1, 3, 900), 1, 3), "zstd")
    assert chosen[0] == ("delta", {"stride": 3, "width": 3, "big": 0, "offset": 2})


def test_code_gets_x86() -> None:
    code = program(3000)
    for engine in ("zstd", "cm"):
        assert choose(code, engine) == [("x86", {"jcc": 1})]
    # The same calls without a pattern in their targets.
    dice, bad = random.Random(4), bytearray(code)
    for place in range(len(code) - 4):
        if code[place] == 0xE8:
            bad[place + 1 : place + 4] = dice.randbytes(3)
    assert choose(bytes(bad), "zstd") == []


def test_floats_get_shuffle_for_zstd_only() -> None:
    dice = random.Random(8)
    floats = struct.pack("<20000f", *(dice.gauss(0, 1) for _ in range(20000)))
    assert choose(floats, "zstd") == [("shuffle", {"width": 4, "offset": 0})]
    assert choose(floats, "cm") == []


@pytest.mark.parametrize("block", [block for block, kind in CONTENTS if kind in TEXT_KINDS or kind == "compressed"])
def test_text_and_compressed_data_stay_as_they_are(block: bytes) -> None:
    assert choose(block, "zstd") == choose(block, "cm") == choose(block * 20, "zstd") == []


def test_logarithms_are_exact_to_their_last_bit() -> None:
    table = estimate.log2_table().tolist()
    for n in [1, 2, 3, 5, 7, 1023, 1024, 1025, 4095]:
        # 2^(t/4096) <= n < 2^((t+1)/4096), with both sides raised to the power 4096; the last bit may be missing.
        assert 1 << table[n] <= n**4096 < 1 << table[n] + 2
    assert table[2] == 4096
    assert table[2048] == 11 * 4096


def test_code_lengths() -> None:
    import numpy as np

    assert estimate.code_length(np.array([4, 4])) == 8 * estimate.UNIT
    assert estimate.code_length(np.array([0, 9, 0])) == 0
    assert estimate.code_length(np.array([1 << 20] * 256)) == (8 << 28) * estimate.UNIT
    assert estimate.order0(np.zeros(0, np.uint8)) == 0
    pairs = np.array([1, 2] * 500, np.uint8)
    assert estimate.conditional(pairs[1:], pairs[:-1]) == 2 * 6 * estimate.UNIT
