"""The openers of zlib streams and gzip members."""

import struct
import zlib

import pytest
from formats.openers.checks import JIT, alike, damaged, left_alone, opened
from formats.openers.made import deflated, gzip_of, words, zlib_of
from hypothesis import given
from hypothesis import strategies as st

TEXT = words(400)
HEADERS = [
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"\x1f\x8b\x08\x08\x01\x02\x03\x04\x02\x03name.txt\0",
    b"\x1f\x8b\x08\x1f\x01\x02\x03\x04\x02\x03\x04\0ABCDname\0comment\0\x12\x34",
    b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0\x1b\0",
]


@pytest.mark.parametrize("plain", [TEXT, b"a" * 5000, bytes(range(256)) * 4])
@pytest.mark.parametrize("header", [b"\x78\x9c", b"\x78\x01", b"\x48\x89"])
def test_a_zlib_stream_comes_back(plain: bytes, header: bytes) -> None:
    found = opened("zlib", zlib_of(plain, header))
    assert found.inner == plain
    assert found.recipe[:2] == header


@pytest.mark.parametrize("header", HEADERS)
def test_a_gzip_member_comes_back(header: bytes) -> None:
    found = opened("gzip", gzip_of(TEXT, header))
    assert found.inner == TEXT
    assert found.recipe.startswith(header[3:])


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_several_streams_are_one_stretch() -> None:
    texts = [words(300, seed) for seed in range(4)]
    streams = [zlib_of(text) for text in texts]
    cuts = [sum(map(len, streams[:k])) for k in (1, 2, 3)]
    coded = b"".join(streams)
    found = opened("zlib", coded, cuts=cuts)
    assert found.inner == b"".join(texts)
    damaged("zlib", found, len(coded), 3)
    left_alone("zlib", coded, cuts=[cuts[0] + 1])
    left_alone("zlib", coded, cuts=[3])
    left_alone("zlib", coded, cuts=[cuts[1], cuts[0]])
    left_alone("zlib", coded, cuts=[len(coded) + 5])
    ends = [*cuts, len(coded)]
    assert opened("zlib", coded, cuts=cuts, ends=ends) == found
    left_alone("zlib", coded, cuts=cuts, ends=ends[1:])
    left_alone("zlib", coded, cuts=cuts, ends=[end + 1 for end in ends])


@pytest.mark.skipif(not JIT, reason="plain Python takes minutes")
def test_bytes_between_streams() -> None:
    streams = [zlib_of(words(300, seed)) for seed in range(3)]
    coded = streams[0] + b"\0" + streams[1] + streams[2] + b"end"
    cuts = [len(streams[0]) + 1, len(streams[0]) + 1 + len(streams[1])]
    found = opened("zlib", coded, cuts=cuts, ends=[cuts[0] - 1, cuts[1], len(coded) - 3])
    damaged("zlib", found, len(coded), 4)
    left_alone("zlib", coded, cuts=cuts)
    left_alone("zlib", streams[0] + b"x", ends=[len(streams[0])])


@pytest.mark.parametrize("name", ["zlib", "gzip"])
def test_damage(name: str) -> None:
    coded = zlib_of(TEXT) if name == "zlib" else gzip_of(TEXT, HEADERS[2])
    damaged(name, opened(name, coded), len(coded), 7)


@pytest.mark.parametrize("name", ["zlib", "gzip"])
@given(st.binary(max_size=40), st.binary(max_size=20), st.integers(1, 60))
def test_any_recipe_is_as_its_reference_says(name: str, inner: bytes, recipe: bytes, size: int) -> None:
    alike(name, inner, recipe, size)
    alike(name, inner, (b"\x78\x9c" if name == "zlib" else bytes(7)) + recipe, size)


def test_what_is_wrong_or_cut_off_is_left() -> None:
    for name, coded in (("zlib", zlib_of(TEXT)), ("gzip", gzip_of(TEXT))):
        for cut in (0, 1, 2, 5, 9, 11, 20, len(coded) - 1):
            left_alone(name, coded[:cut])
        left_alone(name, coded + b"x")
        for at in (0, 1, len(coded) // 2, len(coded) - 1, len(coded) - 4):
            left_alone(name, coded[:at] + bytes((coded[at] ^ 33,)) + coded[at + 1 :])
    left_alone("zlib", b"\x78\xbb" + deflated(TEXT) + struct.pack(">I", zlib.adler32(TEXT)))  # a preset dictionary
    left_alone("zlib", zlib_of(TEXT, b"\x88\x1c"))  # a window that there is not
