"""Where deflate streams end, by this package's own inflate, beside zlib."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from random import Random

import pytest

from nzip.formats.content.containers import streams
from nzip.formats.content.containers.streams import Budget, Stream

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def by_zlib(plain: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(plain) + packer.flush()


def budget(size: int) -> Budget:
    return Budget(size, lambda *given, budget: ())


def several() -> Iterator[bytes]:
    r = Random(17)
    yield b""
    yield b"a"
    yield bytes(7_000)
    yield r.randbytes(3_000)  # stored
    if JIT_OFF:
        return
    yield r.randbytes(200_000)
    yield b"".join(r.choice((b"the ", b"quick ", b"fox ", b"%d " % r.randrange(99))) for _ in range(60_000))
    yield b"".join(bytes(r.randrange(300)) + r.randbytes(r.randrange(3)) for _ in range(20_000))  # several rounds
    yield bytes(9 << 20)  # blocks that make more than is kept


@pytest.mark.parametrize("level", [1, 6, 9])
def test_streams_end_where_zlib_says(level: int) -> None:
    for plain in several():
        coded = by_zlib(plain, level)
        wanted = Stream(3 + len(coded), len(plain), zlib.adler32(plain), zlib.crc32(plain))
        data = b"abc" + coded + b"behind"
        assert budget(len(data)).inflated(data, 3) == wanted
        assert budget(len(data)).inflated(data, 3, wanted.stop) == wanted
        assert budget(len(data)).inflated(data, 3, wanted.stop - 1) is None


def test_what_is_no_stream() -> None:
    r = Random(18)
    data = r.randbytes(1 << 16)
    searched = budget(len(data))
    for at in range(0, len(data), 9973 if JIT_OFF else 97):
        found = searched.inflated(data, at)
        inflater = zlib.decompressobj(-15)
        try:
            inflater.decompress(data[at:])
            whole = inflater.eof
        except zlib.error:
            whole = False
        assert (found is not None) == whole


@pytest.mark.skipif(JIT_OFF, reason="millions of bytes take minutes without the compiler")
def test_what_trials_make_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ROOM", 1 << 16)
    bomb = by_zlib(bytes(4 << 20))
    assert budget(len(bomb)).inflated(bomb, 0) is None
    damaged = bomb[:-60] + b"\xff" * 60  # what a bad stream has made counts, too
    searched = budget(len(damaged))
    while searched._made > 0:
        before = searched._made
        assert searched.inflated(damaged, 0) is None
        assert searched._made < before - (1 << 14)


@pytest.mark.skipif(JIT_OFF, reason="millions of bytes take minutes without the compiler")
def test_a_block_that_makes_too_much_is_no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = bytes(4 << 20)
    coded = by_zlib(plain, 9)
    assert budget(1 << 20).inflated(coded, 0) is not None
    monkeypatch.setattr(streams, "PIECE", 1 << 16)
    monkeypatch.setattr(streams, "MOST_OF_BLOCK", 1 << 18)
    assert budget(1 << 20).inflated(coded, 0) is None
