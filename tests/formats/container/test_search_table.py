"""The table for searches: what is written is read, and nothing is believed that cannot be."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.errors import CorruptError
from nzip.formats.container import search
from nzip.formats.container.search import (
    DOTTED,
    LETTERS,
    MOST_CARRIED,
    Known,
    Steps,
    Times,
    decode_chunk,
    decode_table,
    encode_chunk,
    encode_table,
)

DAY = 63_573_811_200_000_000  # some day in 2015
KNOWN = Known(
    kinds=LETTERS | DOTTED,
    ended=False,
    lines=[3, 0, 2],
    skipped=[0, 100, 7],
    carried=[b"the rest\n", b"", b""],
    open=b"\0\0\1",
    words=b"\nerror\nfailure\n",
    steps=Steps.of([[0, 1], [1]], 3),
    times=Times(0, [(DAY, DAY + 5), None, (DAY + 9, DAY + 9)], [DAY + 5, DAY + 5, None]),
)


def said(known: Known) -> tuple[object, ...]:
    """What a table says, as things that can be compared."""
    count, words = len(known.lines), known.words.count(b"\n") - 1
    steps = [list(known.steps.blocks(word, count)) for word in range(words)]
    return (*known[:2], *map(list, known[2:5]), known.open, known.words, steps, known.times)


def test_what_is_written_is_read() -> None:
    assert said(decode_table(encode_table(KNOWN), 3)) == said(KNOWN)
    assert [*KNOWN.steps.blocks(0, 3)] == [(0, 1)]
    assert [*KNOWN.steps.blocks(1, 3)] == [(1, 3)]


@given(st.lists(st.sets(st.integers(0, 699)), max_size=20), st.integers(700, 800))
def test_steps_say_where_words_are(words: list[set[int]], count: int) -> None:
    """Asked for in any order; a word with very many steps is said to be everywhere."""
    steps = [[n for n in range(count) if (n in blocks) != (n - 1 in blocks)] for blocks in words]
    made = Steps.of(steps, count)
    table = encode_table(
        KNOWN._replace(
            lines=[1] * count, skipped=[0] * count, carried=[b""] * count, open=bytes(count), times=None, steps=made,
            words=b"\n" + b"".join(b"w%03d\n" % number for number in range(len(words))),
        )
    )  # fmt: skip
    read = decode_table(table, count).steps
    order = [*range(len(words))]
    random.Random(count).shuffle(order)
    for number in order:
        found = {n for first, stop in read.blocks(number, count) for n in range(first, stop)}
        assert found == (words[number] if len(steps[number]) < 255 else set(range(count)))


@pytest.mark.parametrize("blocks", [0, 2, 4, 1 << 40])
def test_a_table_of_other_blocks_is_refused(blocks: int) -> None:
    with pytest.raises(CorruptError):
        decode_table(encode_table(KNOWN), blocks)


def test_every_cut_is_refused_or_says_less() -> None:
    table = encode_table(KNOWN)
    for size in range(len(table)):
        with pytest.raises(CorruptError):
            decode_table(table[:size], 3)


def test_any_bytes_are_refused_or_read() -> None:
    """With one byte changed, and at random: nothing but CorruptError, and no work that the bytes do not pay for."""
    table = encode_table(KNOWN)
    chance = random.Random(1)
    for number in range(3000):
        changed = bytearray(table)
        for _ in range(1 + number % 3):
            changed[chance.randrange(len(changed))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        try:
            known = decode_table(bytes(changed), 3)
        except CorruptError:
            continue
        assert len(known.lines) == len(known.skipped) == len(known.carried) == len(known.open) == 3
        for word in range(known.words.count(b"\n") - 1):
            assert all(0 <= first <= stop <= 3 for first, stop in known.steps.blocks(word, 3))


def test_what_is_too_long_is_refused() -> None:
    long = KNOWN._replace(carried=[b"x" * (MOST_CARRIED + 1), b"", b""])
    with pytest.raises(CorruptError):
        decode_table(encode_table(long), 3)
    assert search.chunk_size(bytes((search.SEARCH, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F))) is None
    with pytest.raises(CorruptError):
        decode_table(encode_table(KNOWN._replace(times=Times(0, [(0, 1), None, None], [None] * 3))), 3)


def test_a_chunk_is_checked() -> None:
    chunk = encode_chunk(b"a member")
    assert decode_chunk(chunk) == b"a member"
    assert search.chunk_size(chunk[: search.HEAD]) == len(chunk)
    for place in range(len(chunk)):
        changed = bytearray(chunk)
        changed[place] ^= 1
        with pytest.raises(CorruptError):
            decode_chunk(bytes(changed))
