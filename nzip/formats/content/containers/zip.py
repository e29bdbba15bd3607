"""Finder of ZIP archives (PKWARE's APPNOTE), and of what is left of one that is cut off: JAR, wheels, office files."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import partial

from nzip.errors import CorruptError
from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.streams import STEP, Budget, Search
from nzip.formats.content.kinds import TEXT, Segment
from nzip.formats.openers.zip import entries as parts
from nzip.formats.openers.zip.opener import MOST_MEMBERS, layout

MANY_NAMES = 4096  # bytes of names that are text of their own
MOST_ENDS = 64  # end records that are tried
DIRECTORY = 6  # times as long as a look at a byte takes one of a directory


def archive(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find the archive whose first member's header stands at `at`; or the members that follow each other there."""
    end = at
    for _ in range(MOST_ENDS):
        if budget.walked <= 0:
            break
        before, end = end, data.find(parts.END, end + 1)
        budget.walk((end if end >= 0 else len(data)) - before)
        if end < 0:
            break
        found = _whole(data, at, end, budget)
        if found is not None:
            return [found]
    return _run(data, at, budget)


def _whole(data: bytes, at: int, end: int, budget: Budget) -> Found | None:
    """Return the archive from `at` to the end record at `end`, if there is one."""
    record = data[end : end + parts.END_SIZE]
    if len(record) < parts.END_SIZE:
        return None
    size, comment = int.from_bytes(record[12:16], "little"), int.from_bytes(record[20:22], "little")
    stop = end + parts.END_SIZE + comment
    if stop > len(data) or (size > end - at and size != parts.UNSTATED):
        return None
    if not budget.walk(stop - at + DIRECTORY * min(size, stop - at)):
        return None
    coded = data[at:stop]
    try:
        found = parts.whole(coded)
    except (ValueError, struct.error):
        return None
    if not 1 <= len(found.entries) <= MOST_MEMBERS:
        return None
    return Found(
        at, stop, "zip", inside=partial(_inside, budget.again), otherwise=_Members(found, budget.again).otherwise
    )


def _run(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find members that follow each other from `at` on."""
    sizes, start = list[int](), at
    while len(sizes) < MOST_MEMBERS and budget.walk(2 * STEP):  # each is read twice
        try:
            header = parts.local(data, at)
        except ValueError:
            break
        size = header.packed
        if header.flags & parts.LATER and not size:
            stream = budget.inflated(data, header.data) if header.method == parts.DEFLATED else None
            if stream is None:
                break
            size = stream.stop - header.data
        stop = header.data + size
        if stop > len(data):
            break
        if header.flags & parts.LATER:
            following = (stop + length for length in parts.DESCRIPTORS)
            stop = next((place for place in following if data[place : place + 4] == parts.LOCAL), 0)
            if not stop:
                break  # the last one's may be cut off
        sizes.append(size)
        at = stop
    if not sizes:
        return []
    try:
        found = parts.run(data[start:at], tuple(sizes))
    except (ValueError, struct.error):
        return []
    return [
        Found(
            start,
            at,
            "zip",
            {"sizes": tuple(sizes)},
            inside=partial(_inside, budget.again),
            otherwise=_Members(found, budget.again).otherwise,
        )
    ]


class _Members:
    """The members of an archive that was not opened as one."""

    def __init__(self, found: parts.Archive, again: Search):
        self._again = again
        self._spans = [(each.local.data, each.stop, each.local) for each in found.entries]

    def otherwise(self, coded: bytes) -> Iterable[Found]:
        for start, stop, local in self._spans:
            if local.flags & parts.ENCRYPTED:
                continue
            if local.method == parts.DEFLATED and stop > start:
                yield Found(start, stop, "deflate")
            elif local.method == parts.STORED:
                for each in self._again(coded[start:stop], (0,), 0):
                    yield each._replace(start=start + each.start, stop=start + each.stop)


def _inside(again: Search, inner: bytes) -> Iterable[Found]:
    """Find the directory, the names, groups of members whose names end alike, and what is in the members."""
    try:
        parted = layout(inner)
    except CorruptError:
        return
    first = parted.groups[0]
    # Names stand before what they name, where they help to predict it.
    if first - parted.names < MANY_NAMES:
        yield Found(0, first, segment=Segment("binary", first))
    else:
        yield Found(0, parted.names, segment=Segment("binary", parted.names))
        yield Found(parted.names, first, segment=Segment("text", first - parted.names, TEXT))
    at, border = first, 1
    for each in again(inner, parted.starts, first):
        while border < len(parted.groups) and parted.groups[border] <= each.start:
            if parted.groups[border] > at:
                yield Found(at, parted.groups[border])
            at = max(at, parted.groups[border])
            border += 1
        if at < each.start:
            yield Found(at, each.start)
        yield each
        at = each.stop
    while border < len(parted.groups):
        if parted.groups[border] > at:
            yield Found(at, parted.groups[border])
        at = max(at, parted.groups[border])
        border += 1
