"""The one look at every byte."""

import random
import zlib

from formats.openers.made import deflated, words
from hypothesis import given
from hypothesis import strategies as st

from nzip.formats.content.containers import scan
from nzip.formats.openers.wrapped import zlib_header


def begins_deflate(data: bytes, at: int, common: bool) -> bool:
    """The rule of the header of a block, from RFC 1951, 3.2."""
    if at + 5 > len(data):
        return False
    bits = int.from_bytes(data[at : at + 12], "little")
    kind = bits >> 1 & 3
    if kind == 0:
        size = int.from_bytes(data[at + 1 : at + 3], "little")
        return data[at] < 8 and size > 0 and int.from_bytes(data[at + 3 : at + 5], "little") == size ^ 0xFFFF
    if kind == 1:
        return common
    if kind == 3 or at + 12 > len(data) or bits >> 3 & 31 > 29 or bits >> 8 & 31 > 29:
        return False
    lengths = [bits >> (17 + 3 * k) & 7 for k in range((bits >> 13 & 15) + 4)]
    return sum(1 / (1 << length) for length in lengths if length) == 1


def naive(data: bytes) -> list[tuple[int, int]]:
    found = []
    for at in range(len(data) - 1):
        if zlib_header(data[at : at + 2]) and begins_deflate(data, at + 2, data[at] == 0x78):
            found.append((at, scan.ZLIB))
        for kind, several in scan.WORDS.items():
            if any(data.startswith(word, at) for word in several):
                found.append((at, kind))
    return found


pieces = st.sampled_from(
    [*(word for several in scan.WORDS.values() for word in several), b"GIF88a", b"x\x9c", b"x\x01\1\5\0\xfa\xffabcde",
     zlib.compress(words(60)), zlib.compress(b"a"), b"\x48\x89" + deflated(words(80)), b"P", b"\xff\xd8"],
)  # fmt: skip


@given(st.lists(st.one_of(pieces, st.binary(max_size=9)), max_size=9), st.integers(0, 20))
def test_finds_what_plain_python_finds(parts: list[bytes], first: int) -> None:
    data = b"".join(parts)
    assert list(scan.places(data, first)) == [place for place in naive(data) if place[0] >= first]


def test_more_places_than_are_found_at_once() -> None:
    data = b"PK\3\4" * (3 * scan.ROUND)
    assert list(scan.places(data)) == [(4 * k, scan.ZIP) for k in range(3 * scan.ROUND)]


def test_noise_gives_few() -> None:
    noise = random.Random(1).randbytes(1 << 20)
    assert len(list(scan.places(noise))) < len(noise) // 1000
    assert list(scan.places(words(20000))) == []
