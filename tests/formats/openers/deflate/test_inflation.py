"""Inflating: what streams hold, where they end, and what is no stream."""

import random
import zlib

import naive_inflate
import naive_openers
import pytest
from formats.openers.deflate.plains import PLAINS, by_zlib, noise, words
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.openers.deflate.inflation import inflate, tokens_of

MOST = 1 << 20


def naively(stream: bytes) -> bytes | None:
    try:
        return naive_inflate.inflated(stream)
    except naive_openers.Corrupt:
        return None


@pytest.mark.parametrize("level", [0, 1, 6, 9])
@pytest.mark.parametrize("name", PLAINS)
def test_what_a_stream_holds_and_where_it_ends(name: str, level: int) -> None:
    plain = PLAINS[name][:8000]
    stream = by_zlib(plain, level)
    assert inflate(b"before" + stream + b"behind", 6, MOST) == (plain, 6 + len(stream))
    assert inflate(stream, 0, len(plain)) == (plain, len(stream))
    assert not plain or inflate(stream, 0, len(plain) - 1) is None


def test_no_stream_that_is_cut_off() -> None:
    stream = by_zlib(words(300))
    assert all(inflate(stream[:cut]) is None for cut in range(len(stream)))


def test_arrays_grow_as_they_must() -> None:
    plain = bytes(700000)
    assert inflate(by_zlib(plain)) == (plain, len(by_zlib(plain)))
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    many = b"".join(packer.compress(b"ab") + packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(300)) + packer.flush()
    found = tokens_of(many, 0, MOST)
    assert found is not None
    assert found.plain.tobytes() == b"ab" * 300
    assert len(found.blocks) == 601


@pytest.mark.parametrize("seed", range(4))
def test_flips_are_read_as_rfc_1951_has_it(seed: int) -> None:
    draw = random.Random(seed)
    stream = by_zlib(words(60, seed) + noise(40, seed), draw.choice([1, 6]))
    for _ in range(60):
        damaged = bytearray(stream)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        reader = zlib.decompressobj(-15)
        try:
            plain = reader.decompress(bytes(damaged), MOST)
            wanted = (plain, len(damaged) - len(reader.unused_data)) if reader.eof else None
        except zlib.error:
            wanted = None
        assert inflate(bytes(damaged), 0, MOST) == wanted


@given(st.binary(max_size=200))
def test_any_bytes_are_a_stream_or_none(data: bytes) -> None:
    plain, end = inflate(data, 0, 1 << 16) or (None, len(data))
    assert naively(data[:end]) == plain


@given(st.binary(max_size=3000))
def test_python_reads_what_the_kernel_reads(plain: bytes) -> None:
    stream = by_zlib(plain)
    assert naively(stream) == plain
    assert inflate(stream) == (plain, len(stream))
