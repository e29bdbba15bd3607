"""The guess of class and record length."""

import random
import struct

import numpy as np
from formats.content.contents import PROSE
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import BINARY, BITMAP, TEXT
from nzip.formats.content.records import MAX_DISTANCE, SHORT, guess, plain, repeats


def test_classes() -> None:
    dice = random.Random(3)
    assert guess(PROSE) == (TEXT, 0, False)
    assert guess(b"") == (TEXT, 0, False)
    rows = b"".join(struct.pack("<HBxI4s5s", i, dice.randrange(4), 77, b"name", dice.randbytes(5)) for i in range(3000))
    assert guess(rows) == (BINARY, 17, True)
    found = guess(dice.randbytes(20000))
    assert (found.cls, found.regular) == (BINARY, False)


def test_a_bitmap_is_guessed() -> None:
    row = bytes(40) + b"\x3c\x7e\xff" + bytes(20) + b"\x0f\xf0\x81\x99" + bytes(33)
    dice = random.Random(1)
    rows = []
    for _ in range(300):
        row = bytes(byte if dice.random() > 0.001 else byte ^ 1 << dice.randrange(8) for byte in row)
        rows.append(row)
    assert guess(b"".join(rows))[:2] == (BITMAP, 100)


@given(st.binary(min_size=1, max_size=200), st.integers(1, 20))
def test_repeats_equal_their_definition(piece: bytes, count: int) -> None:
    data = np.frombuffer(piece * count, np.uint8)
    fresh = np.ones(len(data), np.bool_)
    fresh[1:] = data[1:] != data[:-1]
    scores = repeats(data, fresh)
    assert len(scores) == max(3, min(MAX_DISTANCE, len(data) // 3))
    for distance in range(2, len(scores)):
        expected = sum(1 for k in range(distance, len(data)) if fresh[k] and data[k] == data[k - distance])
        assert scores[distance] == expected


@given(st.binary(min_size=1, max_size=300))
def test_plain_bytes_have_a_class_and_a_record(data: bytes) -> None:
    content = plain(data)
    assert content.size == len(data)
    assert (content.whole.cls, content.whole.record) == guess(data)[:2]
    assert not content.whole.sure


def test_long_records_are_found_where_they_are_searched_for() -> None:
    """A transform has no use for them, and a fast level no time."""
    long, short = (random.Random(3).randbytes(length) * (60_000 // length) for length in (600, 100))
    assert guess(long).record == detect(long).whole.record == 600
    assert guess(long, SHORT).record == detect(long, apart=False).whole.record < SHORT
    assert guess(short, SHORT).record == guess(short).record == 100
