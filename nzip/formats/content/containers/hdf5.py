"""Finder of the numbers in HDF5 and NetCDF-4 files: arrays that lie there as they are, and chunks that are deflated.

Deflated chunks are zlib streams, which the usual search finds anywhere. What it does not see is which numbers they
hold, and that the bytes of these were sorted (the filter `shuffle`). That stands in the messages of a header of a data
set, in this order: its shape (HDF5 File Format Specification 3.0, IV.A.2.b), the type of its numbers (IV.A.2.d), its
filters (IV.A.2.l) and its layout (IV.A.2.i, version 3), which has the place of the array, or the shape of a chunk and a
tree of the chunks' places (III.A.1, node type 1). Where there is no such tree, all chunks of a file whose shuffled
numbers have one length are taken to be shuffled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice
from math import prod
from typing import NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.deflated import zlib_stream
from nzip.formats.content.containers.grids.fields import Array, fields, in_order, without_ones
from nzip.formats.content.containers.streams import Budget

MAGIC = b"\x89HDF\r\n\x1a\n"
SHAPE = re.compile(rb"\x01([\x01-\x08])[\x00\x01]\x00{5}|\x02([\x01-\x08])[\x00\x01]\x01", re.DOTALL)
TYPE = re.compile(rb"([\x10\x11\x30\x31])(.).\x00([\x01\x02\x04\x08])\x00\x00\x00", re.DOTALL)
# Filter 2 with one value, the bytes of a number: in messages of version 1 with its name, in those of version 2 without.
NAMED = re.compile(rb"\x02\x00\x08\x00[\x00\x01]\x00\x01\x00shuffle\x00(.)\x00\x00\x00", re.DOTALL)
NAMELESS = re.compile(rb"\x02\x00[\x00\x01]\x00\x01\x00(.)\x00\x00\x00", re.DOTALL)
LAYOUT = re.compile(rb"\x03(?:\x01(.{6}\x00\x00)(.{6}\x00\x00)|\x02([\x02-\x08])(.{6}\x00\x00))", re.DOTALL)
NODE = b"TREE\x01"
DEFLATED = tuple(b"\x78" + bytes((flags,)) for flags in (0x01, 0x5E, 0x9C, 0xDA))  # what a chunk begins with (RFC 1950)
HEADER = 1 << 9  # bytes before a layout in which the shape and the type stand
MOST_LAYOUTS = 1 << 12
MOST_CHUNKS = 1 << 16
DEEPEST = 8  # levels of a tree
SLOW = 8  # times as long a look at a byte takes here as elsewhere

Finder = Callable[[bytes, int, Budget], list[Found]]


class Numbers(NamedTuple):
    """Numbers of an array or a chunk.

    Attributes:
        axes: its shape.
        width, big, real: as in `Array`.
        sorted: whether the bytes of all numbers were sorted.
    """

    axes: tuple[int, ...]
    width: int
    big: bool = False
    real: bool = False
    sorted: bool = False

    @classmethod
    def of(cls, kind: re.Match[bytes], axes: tuple[int, ...], shuffled: bool = False) -> Numbers:
        """Return numbers of the type that `TYPE` found."""
        width = kind[3][0]
        return cls(axes, width, bool(kind[2][0] & 1), kind[1][0] & 15 == 1, shuffled and width > 1)

    def at(self, start: int) -> Array:
        """Return the array that begins at `start`."""
        return Array(start, self.width, without_ones(self.axes), self.big, self.real)

    @property
    def size(self) -> int:
        return prod(self.axes) * self.width

    def inside(self, inner: bytes) -> Iterable[Found]:
        """Return what a chunk holds. Where the shape is not known, detection sees what the numbers look like."""
        if not self.sorted:
            return self._placed(inner)
        inside = self._placed if len(self.axes) > 1 else lambda numbers: ()
        return [Found(0, len(inner), "shuffle", {"width": self.width}, inside=inside)]

    def _placed(self, numbers: bytes) -> Iterable[Found]:
        return fields(numbers, self.at(0)) if self.size == len(numbers) else ()


class File:
    """What the headers say of the file that begins at `at`.

    Attributes:
        arrays: those that lie there as they are.
    """

    def __init__(self, data: bytes, at: int, budget: Budget):
        self.arrays = list[Array]()
        self._data, self._base, self._budget = data, at, budget
        self._chunks: dict[int, Numbers] = {}
        self._others: Numbers | None = None
        if SLOW * (len(data) - at) > budget.walked:
            return  # and what is left is left for others
        budget.walk(SLOW * (len(data) - at))
        widths = {found[1][0] for pattern in (NAMED, NAMELESS) for found in pattern.finditer(data, at)} - {0, 1}
        for layout in islice(LAYOUT.finditer(data, at), MOST_LAYOUTS):
            taken = self._array if layout[1] is not None else self._chunked
            types = TYPE.finditer(data, max(at, layout.start() - HEADER), layout.start())
            any(budget.walk() and taken(layout, kind) for kind in reversed(list(types)))
        self.arrays = in_order(self.arrays)
        if len(widths) == 1 and not self._chunks:
            self._others = Numbers((), widths.pop(), sorted=True)

    def chunk(self, data: bytes, at: int, budget: Budget) -> list[Found]:
        """Find a deflated chunk, or another zlib stream, that begins at `at`."""
        found = zlib_stream(data, at, budget)
        numbers = self._chunks.get(at, self._others)
        return [each._replace(inside=numbers.inside) for each in found] if numbers else found

    def _array(self, layout: re.Match[bytes], kind: re.Match[bytes]) -> bool:
        """Take in an array, if there is a shape that fits its bytes."""
        start, size = (int.from_bytes(layout[number], "little") for number in (1, 2))
        for shape in SHAPE.finditer(self._data, max(self._base, layout.start() - HEADER), kind.start()):
            if not self._budget.walk():
                return False
            axes = _numbers(self._data, shape.end(), (shape[1] or shape[2])[0], 8)
            numbers = Numbers.of(kind, axes)
            if numbers.size == size:
                self.arrays.append(numbers.at(self._base + start))
                return True
        return False

    def _chunked(self, layout: re.Match[bytes], kind: re.Match[bytes]) -> bool:
        """Take in chunks, if the bytes of a number are those of the type."""
        *axes, width = _numbers(self._data, layout.end(), layout[3][0], 4)
        filters = kind.end(), layout.start()
        shuffled = NAMED.search(self._data, *filters) or NAMELESS.search(self._data, *filters)
        numbers = Numbers.of(kind, tuple(axes), shuffled is not None)
        if width != numbers.width or not prod(axes):
            return False
        root = int.from_bytes(layout[4], "little")
        for place, size in islice(self._places(root, len(axes) + 1, DEEPEST), MOST_CHUNKS):
            if size == numbers.size and not numbers.sorted and not self._data.startswith(DEFLATED, place):
                self.arrays.append(numbers.at(place))
            else:
                self._chunks[place] = numbers
        return True

    def _places(self, address: int, count: int, highest: int) -> Iterable[tuple[int, int]]:
        """Yield where the chunks begin below the node of a tree at `address`, and how many bytes are stored of each;
        their places have `count` coordinates."""
        data, at = self._data, self._base + address
        if data[at : at + len(NODE)] != NODE or not data[at + 5 : at + 8] or data[at + 5] > highest:
            return
        level, used = data[at + 5], int.from_bytes(data[at + 6 : at + 8], "little")
        key = 8 + 8 * count
        for entry in range(at + 24, min(at + 24 + used * (key + 8), len(data)), key + 8):
            child = int.from_bytes(data[entry + key : entry + key + 8], "little")
            if not self._budget.walk():
                return
            if level == 0:
                yield self._base + child, int.from_bytes(data[entry : entry + 4], "little")
            else:
                yield from self._places(child, count, level - 1)


def arrays(data: bytes, at: int, budget: Budget) -> list[Array]:
    """Return the arrays that lie as they are in the file that begins at `at` of `data`, in order, also those behind
    `data`."""
    return File(data, at, budget).arrays if data.startswith(MAGIC, at) else []


def _numbers(data: bytes, at: int, count: int, size: int) -> tuple[int, ...]:
    return tuple(int.from_bytes(data[k : k + size], "little") for k in range(at, at + count * size, size))
