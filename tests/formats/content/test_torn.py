"""Where blocks end, by what is in them."""

from __future__ import annotations

import random
import zlib

import pytest
from formats.openers.made import gzip_of, words, zlib_of
from hypothesis import given
from hypothesis import strategies as some
from numba import config

from nzip.formats.content.torn import Ending, Torn, ending
from nzip.formats.openers.deflate.inflation import tokens_of
from nzip.settings import Room

SIZE = 1 << 16
ROOM = Room(1 << 20, 1 << 20)
NOISE = random.Random(4).randbytes(SIZE)


def test_what_holds_no_stream_ends_at_its_end() -> None:
    for raw in (b"", b"a few words", words(9000)[:SIZE], NOISE, bytes(SIZE)):
        for more in (False, True):
            assert ending(raw, None, SIZE, ROOM, more) == Ending(len(raw))


def test_a_stream_that_is_whole_ends_nothing() -> None:
    raw = NOISE[:20_000] + gzip_of(words(3000)) + zlib_of(words(2000)) + NOISE[:9000]
    assert ending(raw, None, SIZE, ROOM, True) == Ending(len(raw))


def test_what_looks_like_a_stream_and_is_none_goes_on_nowhere() -> None:
    for torn in (Torn(b"", 0, 0), Torn(NOISE[:32768], 7, 99_999), Torn(words(99), 3, 40_000)):
        assert ending(NOISE, torn, SIZE, ROOM, True) == Ending(SIZE)
        assert ending(b"", torn, SIZE, ROOM, True) == Ending(0)


@given(some.binary(max_size=200), some.integers(0, 7), some.binary(max_size=60), some.booleans(), some.integers(0, 500))
def test_any_bytes_end_somewhere(raw: bytes, bit: int, window: bytes, more: bool, room: int) -> None:
    for torn in (None, Torn(window, bit, len(window))):
        found = ending(raw, torn, 100, Room(room, room), more)
        assert min(1, len(raw)) <= found.size <= len(raw)


def test_a_smaller_block_may_have_more_come_out_of_it() -> None:
    assert Room(110, 50, 20).within(100, 100) == Room(110, 50, 20)
    assert Room(110, 50, 20).within(100, 30) == Room(180, 120, 20)
    assert Room(1 << 30, 1 << 20, 1 << 20).within(1, 1) == Room(256 + (1 << 16), 256 + (1 << 16), 256 + (1 << 16))


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="long streams")
def test_a_stream_may_be_torn_anywhere() -> None:
    stream = zlib.compress(b" ".join(words(3000, seed) for seed in range(30)), 6)
    whole = tokens_of(stream, 2, 1 << 24)
    assert whole is not None
    border = 2 + (int(whole.blocks[3][0]) >> 3)
    assert int(whole.blocks[3][3]) > 1 << 17
    for stop in range(border - 2, border + 90):
        found = ending(NOISE[:500] + stream[:stop], None, SIZE, ROOM, True)
        assert found.torn is not None
        assert found.size == found.parts[0].stop


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="long streams")
def test_parts_follow_each_other() -> None:
    plain = b" ".join(words(3000, seed) for seed in range(90))
    stream = b"before" + zlib.compress(plain, 9)
    at, torn, held = 0, None, 0
    sizes = []
    while at < len(stream):
        raw = stream[at : at + SIZE]
        found = ending(raw, torn, SIZE, ROOM, at + SIZE < len(stream))
        assert 0 < found.size <= len(raw)
        for part in found.parts:
            assert part.window == plain[max(0, held - 32768) : held]
            assert part.place == held
            held += part.size
            sizes.append(part.size)
        at, torn = at + found.size, found.torn
    assert held == len(plain)
    assert len(sizes) > 3
    assert max(sizes) <= ROOM.others + SIZE
