"""Byte-pair encoding: merges by hand, and every text comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.evaluation.measures.learnability.byte_pairs import WORDS, BytePairs

# Words: "low" once, " low" four times, " lower" twice.
TEXT = b"low low low low low lower lower"


def test_words() -> None:
    assert WORDS.findall(b"an ox, 12  days\n\nx") == [b"an", b" ox", b",", b" 12", b" ", b" days", b"\n", b"\n", b"x"]


def test_by_hand() -> None:
    """Pairs at first: l-o 7, o-w 7, space-l 6, w-e 2, e-r 2. Of l-o and o-w the former is first in order.

    Then lo-w 7 (space-lo 6), then space-low 6. Then " low"-e 2 and e-r 2, of which the former is first in order, for it
    begins with a space. Then " lowe"-r 2, and no pair is left.
    """
    pairs = BytePairs.trained(TEXT, 400)
    assert pairs.pieces[256:] == [b"lo", b"low", b" low", b" lowe", b" lower"]
    assert pairs.encode(b"low lower slow").tolist() == [257, 260, ord(" "), ord("s"), 257]


def test_the_size_of_the_vocabulary() -> None:
    assert len(BytePairs.trained(TEXT, 258).pieces) == 258
    assert len(BytePairs.trained(TEXT, 256).pieces) == 256
    assert len(BytePairs.trained(b"", 300).pieces) == 256
    with pytest.raises(ValueError, match="256 tokens or more"):
        BytePairs.trained(TEXT, 255)


def test_overlaps_are_joined_from_the_left() -> None:
    # "aaaaa" twice: a-a is counted 4 times a word; joined it is aa aa a.
    pairs = BytePairs.trained(b"aaaaa aaaaa", 257)
    assert pairs.pieces[256:] == [b"aa"]
    assert pairs.encode(b"aaaaa").tolist() == [256, 256, ord("a")]


def test_fewer_tokens_with_more_merges() -> None:
    text = (b"the quick brown fox jumps over the lazy dog; " * 3 + b"then other things come. ") * 5
    sizes = [len(BytePairs.trained(text, size).encode(text)) for size in (256, 270, 300)]
    assert sizes[0] == len(text) > sizes[1] > sizes[2]


PAIRS = BytePairs.trained("a text of some words, é€ and others; the words of some text\n".encode() * 3, 300)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_every_text_comes_back(data: bytes) -> None:
    assert PAIRS.decode(PAIRS.encode(data)) == data


def test_no_two_tokens_alike() -> None:
    pairs = BytePairs.trained(b"abc bcab abcabc abab bcbc ababc " * 4, 400)
    assert len(set(pairs.pieces)) == len(pairs.pieces)
