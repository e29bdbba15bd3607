"""What `detect` says of contents."""

import random
import struct

import pytest
from formats.content.contents import CONTENTS, PROSE
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.content.detection import detect
from nzip.formats.content.kinds import KINDS


@pytest.mark.parametrize(("block", "kind"), CONTENTS, ids=range(len(CONTENTS)))
def test_kinds(block: bytes, kind: str) -> None:
    assert detect(block).kind == kind


def test_records_are_found() -> None:
    dice = random.Random(2)
    rows = b"".join(struct.pack("<HBxI4s5s", i, dice.randrange(4), 77, b"name", dice.randbytes(5)) for i in range(3000))
    assert detect(rows).whole.record == 17


@given(st.one_of(st.binary(max_size=3000), st.sampled_from([block for block, _ in CONTENTS])), st.data())
def test_any_bytes_get_an_answer(block: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(block)))
    block = block[start : data.draw(st.integers(start, len(block)))] + data.draw(st.binary(max_size=40))
    content = detect(block)
    assert content == detect(block)
    assert content.kind in KINDS
    assert 0 <= content.whole.confidence <= 100
    assert content.size == len(block)


def test_views_are_taken_like_bytes() -> None:
    assert detect(memoryview(PROSE)) == detect(PROSE)


def test_the_byte_between_columns_is_found() -> None:
    for mark in ",;|\t":
        rows = [mark.join((str(k), f'"a{mark} \\"b{mark}"', str(k * k))) for k in range(40)]
        whole = detect("\n".join(rows).encode()).whole
        assert (whole.kind, whole.separator) == ("csv", ord(mark))
    pairs = "".join(f"{k},{k * k % 97}\n" for k in range(400)).encode()
    assert (detect(pairs).kind, detect(pairs).whole.separator) == ("csv", 44)
    assert detect(pairs[:300]).kind != "csv"  # a comma a line, in so few lines, is no table


def test_lines_that_begin_alike_are_found() -> None:
    lines = "".join(f"BEGIN:EVENT\nSTART:2024{k:04d}\nNOTE:{'xyz'[k % 3] * (k % 7)}\nEND:EVENT\n" for k in range(60))
    assert detect(lines.encode()).whole.lines
    keyed = "".join(f"{'abcdefg'[k % 7] * (k % 5 + 1)}{k}: {k * k}\n  note of {k}\n" for k in range(200))
    assert detect(keyed.encode()).whole.lines
    assert not detect(PROSE).whole.lines
    assert not detect(lines[:500].encode()).whole.lines

