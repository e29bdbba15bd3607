"""Copies: packed and read again; and what damaged or hostile ones come to."""

from __future__ import annotations

import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from nzip.errors import CorruptError
from nzip.formats.container.copies import PACKED, PLAIN, Copies, Copy, pack
from nzip.formats.container.wire import check64, uleb

EARLIER = [bytes(range(200)), b"", b"between" * 30]


def fetch(back: int, offset: int, length: int) -> bytes:
    """Give what stands in EARLIER, and what follows it there."""
    block = EARLIER[len(EARLIER) - back]
    if offset >= len(block):
        raise CorruptError("not there")
    return (block[offset:] + b"".join(EARLIER[len(EARLIER) - back + 1 :]))[:length]


def content_of(copies: list[Copy], literals: bytes) -> bytes:
    out, at = b"", 0
    for place, length, back, offset in copies:
        out += literals[at:place]
        at = place
        part = fetch(back, offset, length) if back else literals[offset : offset + length]
        out += part + literals[: length - len(part)]
    return out + literals[at:]


def made(
    rows: list[tuple[int, ...]], content: bytes, *, count: int | None = None, sizes: list[int] | None = None
) -> bytes:
    """Return the bytes of copies that each start anew: gap, length, back, offset."""
    columns = [b"".join(uleb(row[i]) for row in rows) for i in (0, 1)]
    columns.append(b"\x04" * len(rows))
    columns += [b"".join(uleb(row[i]) for row in rows) for i in (2, 3)]
    lengths = [len(column) for column in columns[:-1]] if sizes is None else sizes
    plain = b"".join(map(uleb, lengths)) + b"".join(columns)
    head = check64(content).to_bytes(8, "little") + uleb(len(rows) if count is None else count)
    return head + bytes((PLAIN,)) + plain


ROWS = st.tuples(st.integers(0, 300), st.integers(64, 400), st.sampled_from([0, 1, 3]))


@given(st.lists(ROWS, max_size=40), st.data())
def test_comes_back(rows, data):
    literals = random.Random(5).randbytes(1000)
    copies, place = [], 0
    for gap, length, back in rows:
        place = min(place + gap, len(literals))
        known = place if back == 0 else len(fetch(back, 0, 1 << 20)) + place
        if back == 0:
            length = min(length, known)
        if length < 1 or (back and length > known):
            continue
        most = known - length if back == 0 else min(known - length, len(EARLIER[3 - back]) - 1)
        offset = data.draw(st.integers(0, max(0, most)))
        copies.append(Copy(place, length, back, offset))
    content = content_of(copies, literals)
    packed = pack(copies, content, len(literals))
    none = len(copies) == 0 or len(copies) > max(1, len(content) // 64)
    assert (packed == b"") == none
    found = None if none else Copies(packed, len(content), len(literals), len(EARLIER))
    assert found is None or (list(found) == copies and found.content(literals, fetch) == content)


def test_none_are_nothing():
    assert pack([], b"content", 7) == b""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(0, 10, 0, 0)], "does not stand before"),  # its own source
        ([(5, 10, 0, 0)], "does not stand before"),  # overlaps its place
        ([(20, 10, 0, 11)], "does not stand before"),  # ends behind its place
        ([(5, 10, 4, 0)], "does not stand before"),  # a block that is not there
        ([(5, 10, 2**62, 0)], "does not stand before"),
        ([(5, 10, 3, 200)], "not there"),  # begins behind its block
        ([(5, 10, 1, 2**62)], "not there"),
        ([(101, 10, 1, 0)], "do not fit its sizes"),  # behind the literals
        ([(2**62, 10, 1, 0), (2**62, 10, 1, 0)], "do not fit its sizes"),  # a sum that is too large
        ([(5, 9, 1, 0)], "do not fit its sizes"),  # too short in all
        ([(5, 11, 1, 0)], "do not fit its sizes"),
        ([(5, 2**62, 1, 0), (0, 2**62, 1, 0)], "do not fit its sizes"),
        ([(5, 0, 1, 0)], "end too early"),  # no bytes
        ([(5, 10, 1, 206)], "does not stand before"),  # goes on behind its own place
    ],
)
def test_hostile_copies(rows, words):
    literals, size = bytes(100), 110 if len(rows) == 1 else 228
    with pytest.raises(CorruptError, match=words):
        Copies(made(rows, bytes(size)), size, 100, len(EARLIER)).content(literals, fetch)


def test_other_content_than_was_copied():
    packed = made([(5, 10, 1, 0)], b"another")
    with pytest.raises(CorruptError, match="what it copies does not"):
        Copies(packed, 110, 100, 3).content(bytes(100), fetch)


@pytest.mark.parametrize("count", [0, 2, 2**40])
def test_counts(count):
    with pytest.raises(CorruptError):
        list(Copies(made([(5, 10, 1, 0)], bytes(110), count=count), 110, 100, 3))


def test_columns_that_do_not_fit():
    row = [(5, 10, 1, 0)]
    for sizes in ([0, 1, 1, 1], [1, 1, 1, 99], [1, 2, 1, 1], [1, 1, 1, 0]):
        with pytest.raises(CorruptError):
            list(Copies(made(row, bytes(110), sizes=sizes), 110, 100, 3))


def test_unknown_form_and_stream():
    packed = bytearray(made([(5, 10, 1, 0)], bytes(110)))
    packed[9] = 2
    with pytest.raises(CorruptError, match="form"):
        Copies(bytes(packed), 110, 100, 3)
    packed = bytearray(made([(5, 10, 1, 0)], bytes(110)))
    packed[packed.index(4, 14)] = 3
    with pytest.raises(CorruptError):
        list(Copies(bytes(packed), 110, 100, 3))


def test_a_bomb_in_the_columns():
    bomb = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(
            3, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False
        )
    ).compress(bytes(1 << 24))
    packed = check64(b"").to_bytes(8, "little") + uleb(1) + bytes((PACKED,)) + bomb
    with pytest.raises(CorruptError):
        Copies(packed, 110, 100, 3)


def test_every_flip_and_cut():
    literals = random.Random(1).randbytes(300)
    copies = [Copy(100, 90, 0, 5), Copy(150, 120, 3, 7), Copy(200, 64, 3, 130), Copy(300, 80, 1, 1)]
    content = content_of(copies, literals)
    packed = pack(copies, content, len(literals))
    for at in range(len(packed)):
        for damaged in (packed[:at], packed[:at] + bytes((packed[at] ^ 1,)) + packed[at + 1 :]):
            try:
                out = Copies(damaged, len(content), len(literals), 3).content(literals, fetch)
            except CorruptError:
                continue
            assert out == content  # another way to say the same
