"""What a reader from the front keeps for copies."""

from __future__ import annotations

import pytest

from nzip.codec.like import Old
from nzip.codec.past import Past
from nzip.errors import CorruptError


def test_keeps_as_much_as_is_said():
    past = Past(8)
    for literals in (b"abcdef", b"", b"ghij"):
        past.add(literals)
    assert past._fetch(3, 2, 4) == b"cdef"
    assert past._fetch(3, 4, 4) == b"efgh"
    assert past._fetch(1, 0, 9) == b"ghij"
    with pytest.raises(CorruptError, match="further back"):
        past._fetch(3, 1, 2)
    with pytest.raises(CorruptError, match="does not stand"):
        past._fetch(2, 0, 1)


def test_keeps_nothing_where_nothing_is_copied():
    past = Past(0)
    past.add(b"abc")
    with pytest.raises(CorruptError, match="further back"):
        past._fetch(1, 0, 1)


def test_what_is_lost():
    past = Past(100)
    past.add(b"abc")
    past.lose()
    past.add(b"def")
    assert past._fetch(1, 0, 3) == b"def"
    with pytest.raises(CorruptError, match="lost"):
        past._fetch(2, 0, 1)
    past.lose(placed=False)
    with pytest.raises(CorruptError, match="lost"):
        past._fetch(2, 0, 3)


def test_an_old_file():
    past = Past(100, Old(b"the old one"))
    past.add(b"abc")
    assert past._fetch(2, 4, 7) == b"old one"
    for offset, length in ((4, 8), (12, 0), (11, 1)):
        with pytest.raises(CorruptError, match="not in the file"):
            past._fetch(2, offset, length)
