"""What stands in a ZIP archive: members, each behind a local header, and the central directory behind all of them.

PKWARE's APPNOTE 6.3, sections 4.3 and 4.4. Nothing is believed that the bytes do not bear out; a `ValueError` says that
they are not laid out as this module knows it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

LOCAL, CENTRAL, END, DESCRIPTOR = b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\7\x08"
LOCAL_SIZE, CENTRAL_SIZE, END_SIZE = 30, 46, 22
LATER = 8  # the flag of a member whose check and sizes stand behind it
ENCRYPTED = 1
STORED, DEFLATED = 0, 8
MOST_ENTRIES = 1 << 20
UNSTATED = 0xFFFFFFFF  # a size that stands in an extra field
# What stands behind a member whose flag `LATER` is set: nothing, or check and sizes in 4 or in 8 bytes, with a word
# before them or without.
DESCRIPTORS = (0, 16, 12, 24, 20)


class Local(NamedTuple):
    """A local header: fields as they stand (numbers are little-endian), and where its data begins."""

    fixed: bytes  # version needed, flags, method, time, date: 10 bytes
    check: int
    packed: int
    size: int
    name: bytes
    extra: bytes
    data: int

    @property
    def flags(self) -> int:
        return int.from_bytes(self.fixed[2:4], "little")

    @property
    def method(self) -> int:
        return int.from_bytes(self.fixed[4:6], "little")


class Central(NamedTuple):
    """An entry of the central directory."""

    made: bytes  # 2 bytes
    fixed: bytes  # as in `Local`
    check: int
    packed: int
    size: int
    inner: bytes  # internal attributes: 2 bytes
    outer: bytes  # external attributes: 4 bytes
    offset: int
    name: bytes
    extra: bytes
    comment: bytes


class Entry(NamedTuple):
    """A member: its header, where its data ends, and what stands behind that.

    Attributes:
        stop: where the data ends.
        descriptor: which of `DESCRIPTORS` follows.
        between: bytes behind that and before the next header.
        central: its entry of the directory, where there is one.
    """

    local: Local
    stop: int
    descriptor: int
    between: bytes
    central: Central | None

    @property
    def stated(self) -> tuple[int, int]:
        """Check and size of what is inside, as they are stated where they must be right."""
        place = self.central or self.local
        return place.check, place.size


class Archive(NamedTuple):
    """All of it.

    Attributes:
        entries: in the order of the data.
        order: the entries' numbers in the order of the directory; empty without a directory.
        base: what the directory's offsets have added to them.
        tail: what stands behind the directory.
    """

    entries: list[Entry]
    order: list[int]
    base: int
    tail: bytes


def local(data: bytes, at: int) -> Local:
    """Return the local header at `at`."""
    head = data[at : at + LOCAL_SIZE]
    if len(head) < LOCAL_SIZE or head[:4] != LOCAL:
        raise ValueError("no local header")
    check, packed, size, name, extra = struct.unpack("<IIIHH", head[14:])
    begin = at + LOCAL_SIZE
    stop = begin + name + extra
    if stop > len(data) or not name:
        raise ValueError("a local header without a name")
    return Local(head[4:14], check, packed, size, data[begin : begin + name], data[begin + name : stop], stop)


def _central(data: bytes, at: int) -> tuple[Central, int]:
    """Return the entry of the directory at `at`, and where the next one stands."""
    head = data[at : at + CENTRAL_SIZE]
    if len(head) < CENTRAL_SIZE or head[:4] != CENTRAL:
        raise ValueError("no entry of a directory")
    check, packed, size, name, extra, comment, disk = struct.unpack("<IIIHHHH", head[16:36])
    begin = at + CENTRAL_SIZE
    behind, last = begin + name, begin + name + extra
    stop = last + comment
    if stop > len(data) or disk:
        raise ValueError("a directory that is cut off, or of several disks")
    offset = int.from_bytes(head[42:46], "little")
    entry = Central(
        head[4:6], head[6:16], check, packed, size, head[36:38], head[38:42], offset,
        data[begin:behind], data[behind:last], data[last:stop],
    )  # fmt: skip
    return entry, stop


def directory(data: bytes, at: int) -> tuple[list[Central], int]:
    """Return the entries of the central directory that begins at `at`, and where it ends."""
    found = list[Central]()
    while data[at : at + 4] == CENTRAL and len(found) < MOST_ENTRIES:
        entry, at = _central(data, at)
        found.append(entry)
    return found, at


def whole(data: bytes) -> Archive:
    """Return the archive that `data` is, from its first local header to the end of its end record's comment."""
    end = data.rfind(END)
    if not 0 <= len(data) - end - END_SIZE <= 0xFFFF or data[end + 20 : end + 22] != _two(len(data) - end - END_SIZE):
        raise ValueError("no end record")
    size, stated = struct.unpack("<II", data[end + 12 : end + 20])
    start = end - size
    if data[start : start + 4] != CENTRAL:  # a record of 64-bit numbers may stand between
        found = data.rfind(b"PK\6\6", 0, end)
        size = int.from_bytes(data[found + 40 : found + 48], "little") if found >= 0 else 0
        start = found - size
    if not 0 < start < end or data[start : start + 4] != CENTRAL:
        raise ValueError("no directory")
    centrals, stop = directory(data, start)
    order = sorted(range(len(centrals)), key=lambda number: centrals[number].offset)
    base = centrals[order[0]].offset if order else 0
    if stated not in (base + start, UNSTATED):
        raise ValueError("a directory of other members")
    entries = list[Entry]()
    for place, number in enumerate(order):
        central = centrals[number]
        following = centrals[order[place + 1]].offset - base if place + 1 < len(order) else start
        header = local(data, central.offset - base)
        if header.name != central.name:
            raise ValueError("a directory of other members")
        packed = _stated_packed(central)
        entries.append(_entry(data, header, header.data + packed, following, central))
    places = {number: place for place, number in enumerate(order)}
    return Archive(entries, [places[number] for number in range(len(centrals))], base, data[stop:])


def run(data: bytes, sizes: tuple[int, ...]) -> Archive:
    """Return members that follow each other in `data`, without a directory; each one's data has so many bytes."""
    entries, at = list[Entry](), 0
    for number, size in enumerate(sizes):
        header = local(data, at)
        following = len(data)
        if number + 1 < len(sizes):
            following = header.data + size
            if header.flags & LATER:
                following += _descriptor_size(data, header.data + size)
        entries.append(_entry(data, header, header.data + size, following, None))
        at = following
    return Archive(entries, [], 0, b"")


def _descriptor_size(data: bytes, at: int) -> int:
    """Return the bytes of the descriptor at `at`, behind which another header stands."""
    for size in DESCRIPTORS:
        if data[at + size : at + size + 4] == LOCAL:
            return size
    raise ValueError("no header behind a member")


def _entry(data: bytes, header: Local, stop: int, following: int, central: Central | None) -> Entry:
    if not header.data <= stop <= following <= len(data):
        raise ValueError("members that overlap")
    descriptor = 0
    if header.flags & LATER:
        left = following - stop
        if data[stop : stop + 4] == DESCRIPTOR and left >= 16:
            descriptor = 3 if left == 24 or (left > 24 and data[stop + 12 : stop + 16] == bytes(4)) else 1
        elif left in (12, 20):
            descriptor = 2 if left == 12 else 4
    return Entry(header, stop, descriptor, data[stop + DESCRIPTORS[descriptor] : following], central)


def _stated_packed(central: Central) -> int:
    """Return the bytes of a member's data, which an extra field states where the entry does not (4.5.3)."""
    if central.packed != UNSTATED:
        return central.packed
    at, extra = 0, central.extra
    while at + 4 <= len(extra):
        kind, size = struct.unpack("<HH", extra[at : at + 4])
        if kind == 1:
            at += 4 + (8 if central.size == UNSTATED else 0)
            return int.from_bytes(extra[at : at + 8], "little")
        at += 4 + size
    raise ValueError("a size that is nowhere stated")


def _two(value: int) -> bytes:
    return value.to_bytes(2, "little")
