"""The bytes do not depend on the number of threads, in either direction; objects work side by side."""

import io
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sources import MIXED, NOISE, TEXT, contents, pieces

import nzip

BIG = (MIXED + NOISE[:1000]) * 10


@pytest.mark.parametrize("level", [1, 2, 3])
def test_same_bytes_for_any_thread_count(level):
    expected = nzip.compress(BIG, level, block_size=4096)
    for threads in (2, 3, 4, 0):
        assert nzip.compress(BIG, level, block_size=4096, threads=threads) == expected
    for threads in (1, 2, 3, 4, 0):
        assert nzip.decompress(expected, threads=threads) == BIG
        with nzip.open(io.BytesIO(expected), threads=threads) as file:
            assert file.read() == BIG
            assert file.seek(5000) == 5000
            assert file.read() == BIG[5000:]


@given(contents, st.lists(st.integers(1, 4000), max_size=4), st.integers(2, 4))
def test_cuts_and_threads_together(content, sizes, threads):
    expected = nzip.compress(content, 1, block_size=1024)
    with nzip.Compressor(1, block_size=1024, threads=threads) as compressor:
        data = b"".join(compressor.compress(piece) for piece in pieces(content, sizes)) + compressor.flush()
    assert data == expected
    with nzip.Decompressor(threads=threads) as reader:
        assert b"".join(reader.decompress(piece) for piece in pieces(data, sizes)) == content
        assert reader.eof


def test_errors_of_threads_reach_the_caller():
    damaged = bytearray(nzip.compress(NOISE * 4, engine="store", block_size=1024))
    damaged[7000] ^= 1
    for threads in (1, 2, 4):
        with pytest.raises(nzip.CorruptError):
            nzip.decompress(bytes(damaged), threads=threads)
        with nzip.open(io.BytesIO(damaged), threads=threads) as file:
            file.seek(1)
            with pytest.raises(nzip.CorruptError):
                file.read()


def test_an_engine_that_fails_reaches_the_caller(monkeypatch):
    from nzip.codec import compressor as module

    def failing(raw, coding, begun=None, parts=()):
        raise MemoryError

    monkeypatch.setattr(module, "encode_block", failing)
    for threads in (1, 3):
        with pytest.raises(MemoryError):
            nzip.compress(BIG, 1, block_size=1024, threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_several_objects_at_once(threads):
    inputs = [(TEXT * count, level) for count in (1, 5, 9) for level in (1, 2, 3)]
    expected = [nzip.compress(content, level, block_size=2048) for content, level in inputs]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(6) as pool:
            packed = list(
                pool.map(lambda item: nzip.compress(*item, block_size=2048, threads=threads, verify=True), inputs * 2)
            )
            unpacked = list(pool.map(lambda data: nzip.decompress(data, threads=threads), packed))
    finally:
        sys.setswitchinterval(switch)
    assert packed == expected * 2
    assert unpacked == [content for content, _ in inputs] * 2


def test_two_streams_interleaved():
    one, two = nzip.Compressor(1, block_size=1024, threads=2), nzip.Compressor(3, block_size=1024, threads=2)
    out_one, out_two = b"", b""
    for piece in pieces(BIG, [3000]):
        out_one += one.compress(piece)
        out_two += two.compress(piece)
    assert out_one + one.flush() == nzip.compress(BIG, 1, block_size=1024)
    assert out_two + two.flush() == nzip.compress(BIG, 3, block_size=1024)
