"""Finder of the chunks in HDF5 and NetCDF-4 files that are shuffled and deflated.

The chunks are zlib streams, which the usual search finds anywhere. What it does not see is that the bytes of their
numbers were sorted (the filter `shuffle`). That stands in the messages of a data set's header: its filters (HDF5 File
Format Specification 3.0, IV.A.2.l) and its layout (IV.A.2.i, version 3), which has the bytes of a number and a tree of
the chunks' places (III.A.1, node type 1). Where there is no such tree, all chunks of a file whose
shuffled numbers have one length are taken to be shuffled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.deflated import zlib_stream
from nzip.formats.content.containers.streams import Budget

# Filter 2 with one value, the bytes of a number: in messages of version 1 with its name, in those of version 2 without.
NAMED = re.compile(rb"\x02\x00\x08\x00[\x00\x01]\x00\x01\x00shuffle\x00(.)\x00\x00\x00", re.DOTALL)
NAMELESS = re.compile(rb"\x02\x00[\x00\x01]\x00\x01\x00(.)\x00\x00\x00", re.DOTALL)
LAYOUT = re.compile(rb"\x03\x02([\x02-\x08])(.{6}\x00\x00)", re.DOTALL)
NODE = b"TREE\x01"
MOST_CHUNKS = 1 << 16
DEEPEST = 8  # levels of a tree
SLOW = 8  # times as long a look at a byte takes here as elsewhere

Finder = Callable[[bytes, int, Budget], list[Found]]


def chunks(data: bytes, at: int, budget: Budget) -> Finder:
    """Return the finder of the zlib streams in the file that begins at `at`."""
    if SLOW * (len(data) - at) > budget.walked:
        return zlib_stream  # and what is left is left for others
    budget.walk(SLOW * (len(data) - at))
    widths = {found[1][0] for pattern in (NAMED, NAMELESS) for found in pattern.finditer(data, at)} - {0, 1}
    if not widths:
        return zlib_stream
    places: dict[int, int] = {}
    for found in LAYOUT.finditer(data, at):
        count, root = found[1][0], int.from_bytes(found[2], "little")
        sizes = [int.from_bytes(data[k : k + 4], "little") for k in range(found.end(), found.end() + 4 * count, 4)]
        if sizes[-1] in widths:
            for place in islice(_places(data, at, root, count, DEEPEST, budget), MOST_CHUNKS):
                places[place] = sizes[-1]
    known = widths.pop() if len(widths) == 1 and not places else 0

    def chunk(data: bytes, at: int, budget: Budget) -> list[Found]:
        width, found = places.get(at, known), zlib_stream(data, at, budget)
        return [each._replace(inside=_numbers(width)) for each in found] if width else found

    return chunk


def _places(data: bytes, base: int, address: int, count: int, highest: int, budget: Budget) -> Iterable[int]:
    """Yield where the chunks begin below the node of a tree at `address`; their places have `count` coordinates."""
    at = base + address
    if data[at : at + len(NODE)] != NODE or not data[at + 5 : at + 8] or data[at + 5] > highest:
        return
    level, used = data[at + 5], int.from_bytes(data[at + 6 : at + 8], "little")
    key = 8 + 8 * count
    for entry in range(at + 24, min(at + 24 + used * (key + 8), len(data)), key + 8):
        child = int.from_bytes(data[entry + key : entry + key + 8], "little")
        if not budget.walk():
            return
        if level == 0:
            yield base + child
        else:
            yield from _places(data, base, child, count, level - 1, budget)


def _numbers(width: int) -> Callable[[bytes], Iterable[Found]]:
    """Return what undoes the filter in a chunk. What the numbers look like then, detection sees better than headers."""

    def inside(inner: bytes) -> Iterable[Found]:
        return [Found(0, len(inner), "shuffle", {"width": width}, inside=lambda numbers: ())]

    return inside
