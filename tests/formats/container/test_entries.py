"""The table of a packed directory's entries: what it says, what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nzip.errors import CorruptError, LimitError
from nzip.formats.container import entries
from nzip.formats.container.entries import TreeEntry

NAMES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=40)
FOUND = st.lists(
    st.builds(
        TreeEntry,
        name=NAMES,
        kind=st.sampled_from(entries.KINDS),
        mode=st.integers(0, 0o7777),
        mtime=st.integers(-(1 << 40), 1 << 40),
        size=st.integers(0, 1 << 40),
        linkname=NAMES,
        header=st.integers(1, 9).map(lambda units: units * 512),
        offset=st.just(0),
    ),
    max_size=20,
)
TWO = [
    TreeEntry("a/b", "file", 0o644, 1_000_000_000, 600, "", 512, 0),
    TreeEntry("a/c", "hard link", 0o644, 1_000_000_001, 0, "a/b", 512, 1536),
]


def kept(_: int) -> None:
    """Allow any memory."""


def placed(found: list[TreeEntry]) -> list[TreeEntry]:
    """Return entries that follow each other."""
    at, placed = 0, []
    for entry in found:
        entry = entry._replace(offset=at, size=entry.size if entry.kind == "file" else 0)
        entry = entry._replace(linkname=entry.linkname if entry.kind in ("link", "hard link") else "")
        at = entry.end
        placed.append(entry)
    return placed


@given(FOUND)
def test_comes_back(found: list[TreeEntry]) -> None:
    found = placed(found)
    assert entries.decode_table(entries.encode_table(found), kept) == found


def test_bytes() -> None:
    """What FORMAT.md says, by hand: columns one behind the other."""
    assert entries.encode_table(TWO) == bytes.fromhex(
        "02"  # entries
        "00 03"  # kinds
        "00 02"  # bytes of the name before
        "a4 03 a4 03"  # modes
        "80 a8 d6 b9 07 02"  # times, folded
        "01 01"  # headers
        "d8 04"  # sizes of files
        "61 2f 62 00 63 00"  # the rest of names
        "61 2f 62 00"  # what links lead to
    )


def test_names_that_are_no_text() -> None:
    found = placed([TWO[0]._replace(name=b"a/\xff".decode("utf-8", "surrogateescape"))])
    assert entries.decode_table(entries.encode_table(found), kept) == found


@given(st.binary(max_size=60))
def test_any_bytes(table: bytes) -> None:
    try:
        entries.decode_table(table, kept)
    except CorruptError:
        return


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_changed_bytes(place: int, byte: int) -> None:
    table = bytearray(entries.encode_table(TWO))
    table[place % len(table)] = byte
    try:
        found = entries.decode_table(bytes(table), kept)
    except CorruptError:
        return
    assert len(found) == 2


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("shared", {3: 1}),  # the first name begins with none
        ("kind", {1: 4}),
        ("mode", {6: 0x7F}),
        ("header", {15: 0}),
        ("name", {19: 0}),  # an empty one
    ],
)
def test_entries_that_cannot_be(what: str, change: dict[int, int]) -> None:
    table = bytearray(entries.encode_table(TWO))
    for place, byte in change.items():
        table[place] = byte
    with pytest.raises(CorruptError):
        entries.decode_table(bytes(table), kept)


def test_cut_and_longer() -> None:
    table = entries.encode_table(TWO)
    for count in range(len(table)):
        with pytest.raises(CorruptError):
            entries.decode_table(table[:count], kept)
    with pytest.raises(CorruptError, match="more than"):
        entries.decode_table(table + b"\0", kept)


def test_count_is_compared_with_what_is_there() -> None:
    with pytest.raises(CorruptError, match="claims"):
        entries.decode_table(b"\xff\xff\xff\xff\x07" + bytes(100), kept)


def test_long_names_of_few_bytes_are_accounted_for() -> None:
    """Names that are nearly the name before take two bytes of the table and 4 KB of memory each."""
    count = 5000
    found = placed([TWO[0]._replace(name="n" * 4000, size=0)] * count)
    table = entries.encode_table(found)
    assert len(table) < 13 * count
    left = [1 << 20]

    def keep(size: int) -> None:
        left[0] -= size
        if left[0] < 0:
            raise LimitError("too much")

    with pytest.raises(LimitError):
        entries.decode_table(table, keep)


def test_chunk() -> None:
    chunk = entries.encode_chunk(b"member")
    assert chunk[:2] == b"\x81\x0a"
    assert entries.chunk_size(chunk[: entries.TABLE_HEAD]) == len(chunk)
    assert entries.decode_chunk(chunk) == b"member"
    for place in range(len(chunk)):
        for bit in range(8):
            bad = bytearray(chunk)
            bad[place] ^= 1 << bit
            with pytest.raises(CorruptError):
                entries.decode_chunk(bytes(bad))


@pytest.mark.parametrize("begin", [b"", b"\x82\x01", b"\x81", b"\x81\x80", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_no_chunk(begin: bytes) -> None:
    assert entries.chunk_size(begin) is None


def test_a_chunk_larger_than_allowed() -> None:
    head: Any = bytes((entries.ENTRIES,)) + b"\x81\x80\x80\x20"
    assert entries.chunk_size(head) is None
