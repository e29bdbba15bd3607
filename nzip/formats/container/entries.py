"""The table of the entries of a packed directory, by which a list or a few of the files are had without the rest.

It says nothing that the tar archive does not say: a reader compares what it uses with the archive's own headers, and
one that does not know the table skips it. `docs/reference/FORMAT.md`, section 2.5.

Invariants: what a table claims is compared with the bytes that there are, and with the memory allowed, before it is
kept; a name is one that a tar archive could have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, check32, uleb

ENTRIES = 0x81  # type of the chunk
MAX_TABLE = 1 << 26  # bytes of a table, and of the body of the chunk that holds it
TABLE_HEAD = 10  # bytes that tell a chunk's size
MAX_ENTRY_NAME = 4096  # bytes of a name, and of what a link leads to
UNIT = 512  # bytes: what an archive is made of
KINDS = ("file", "directory", "link", "hard link")
FILE, LINKS = 0, (2, 3)


class TreeEntry(NamedTuple):
    """One entry.

    Attributes:
        name: its path in the archive, without a slash at the end; bytes that are no UTF-8 as surrogates.
        kind: one of `KINDS`.
        mode: permission bits.
        mtime: modification time, whole seconds since 1970.
        size: bytes of content; 0 for what is no file.
        linkname: what a link leads to.
        header: bytes of the archive's headers before its content.
        offset: where those begin in the archive.
    """

    name: str
    kind: str
    mode: int
    mtime: int
    size: int
    linkname: str
    header: int
    offset: int

    @property
    def end(self) -> int:
        """Where the next entry begins in the archive."""
        return self.offset + self.header + self.size + -self.size % UNIT


def encode_table(entries: Sequence[TreeEntry]) -> bytes:
    """Return the table of all entries of an archive, which follow each other without gaps."""
    kinds, shared, names, modes, times, headers, sizes, links = (bytearray() for _ in range(8))
    before, last = b"", 0
    for entry in entries:
        name = _stored(entry.name)
        same = next((at for at, (a, b) in enumerate(zip(before, name, strict=False)) if a != b), None)
        same = min(len(before), len(name)) if same is None else same
        kind = KINDS.index(entry.kind)
        kinds.append(kind)
        shared += uleb(same)
        names += name[same:] + b"\0"
        modes += uleb(entry.mode)
        times += uleb(_folded(entry.mtime - last))
        headers += uleb(entry.header // UNIT)
        if kind == FILE:
            sizes += uleb(entry.size)
        if kind in LINKS:
            links += _stored(entry.linkname) + b"\0"
        before, last = name, entry.mtime
    return uleb(len(entries)) + bytes(kinds + shared + modes + times + headers + sizes + names + links)


def decode_table(table: bytes, keep: Callable[[int], object]) -> list[TreeEntry]:
    """Return the entries that a table states.

    Args:
        table: its bytes.
        keep: called with the bytes of each entry's names before it is kept; raises where that is too much.

    Raises:
        CorruptError: it is no such table.
    """
    reader = Reader(table)
    count = reader.uleb()
    if count * 6 > reader.left():
        raise _wrong("it claims more entries than it lists")
    kinds = reader.bytes(count)
    if any(kind >= len(KINDS) for kind in kinds):
        raise _wrong("an entry of no kind")
    files = kinds.count(FILE)
    shared, modes, times, headers = (_numbers(reader, count) for _ in range(4))
    sizes = iter(_numbers(reader, files))
    names = _words(reader, count)
    links = iter(_words(reader, sum(kind in LINKS for kind in kinds)))
    found: list[TreeEntry] = []
    name, mtime, offset = b"", 0, 0
    for kind, same, rest, mode, time, units in zip(kinds, shared, names, modes, times, headers, strict=True):
        if same > len(name) or mode > 0o7777 or not 0 < units <= MAX_TABLE:
            raise _wrong("an entry that cannot be")
        name = name[:same] + rest
        mtime += _unfolded(time)
        linkname = next(links) if kind in LINKS else b""
        size = next(sizes) if kind == FILE else 0
        if not 0 < len(name) <= MAX_ENTRY_NAME or len(linkname) > MAX_ENTRY_NAME or abs(mtime) >= 1 << 63:
            raise _wrong("an entry that cannot be")
        keep(len(name) + len(linkname))
        entry = TreeEntry(_text(name), KINDS[kind], mode, mtime, size, _text(linkname), units * UNIT, offset)
        offset = entry.end
        if offset >= 1 << 63:
            raise _wrong("sizes that no archive has")
        found.append(entry)
    if next(links, None) is not None or reader.left():
        raise _wrong("more than its entries")
    return found


def encode_chunk(member: bytes) -> bytes:
    """Return the chunk that holds a table, which is a member of its own."""
    head = bytes((ENTRIES,)) + uleb(len(member) + 4) + member
    return head + check32(head).to_bytes(4, "little")


def chunk_size(begin: bytes) -> int | None:
    """Return the bytes of the chunk that begins with `begin`, which has `TABLE_HEAD` of them or all; None if that is no
    such chunk."""
    reader = Reader(begin)
    try:
        if reader.u8() != ENTRIES:
            return None
        size = reader.uleb()
    except CorruptError:
        return None
    return reader.pos + size if size <= MAX_TABLE else None


def decode_chunk(chunk: bytes) -> bytes:
    """Return the member that a whole chunk holds.

    Raises:
        CorruptError: it is damaged.
    """
    reader = Reader(chunk)
    if len(chunk) < 6 or reader.u8() != ENTRIES or reader.uleb() != reader.left():
        raise CorruptError("the table of entries is malformed")
    if check32(chunk[:-4]) != int.from_bytes(chunk[-4:], "little"):
        raise CorruptError("the table of entries is damaged (its check does not match)")
    return bytes(chunk[reader.pos : -4])


def _numbers(reader: Reader, count: int) -> list[int]:
    """Return the next `count` integers; most are of one byte."""
    found: list[int] = []
    data = reader.data
    for _ in range(count):
        at = reader.pos
        if at < reader.end and data[at] < 0x80:
            found.append(data[at])
            reader.pos = at + 1
        else:
            found.append(reader.uleb())
    return found


def _words(reader: Reader, count: int) -> list[bytes]:
    """Return the next `count` byte strings, each of which a zero ends."""
    found: list[bytes] = []
    for _ in range(count):
        end = reader.data.find(b"\0", reader.pos, reader.end)
        found.append(reader.bytes(end - reader.pos if end >= 0 else reader.left() + 1))
        reader.pos += 1
    return found


def _folded(number: int) -> int:
    """Return a signed integer as one that is not: 0, -1, 1, -2 … as 0, 1, 2, 3 …"""
    return 2 * number if number >= 0 else -2 * number - 1


def _unfolded(number: int) -> int:
    return number >> 1 if number % 2 == 0 else -(number >> 1) - 1


def _stored(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _wrong(why: str) -> CorruptError:
    return CorruptError(f"the table of entries is wrong ({why})")
