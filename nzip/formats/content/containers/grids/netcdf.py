"""The variables of a netCDF file of the classic formats (NetCDF User's Guide, "File Format Specifications").

A variable of small integers over two or more dimensions is a picture for each index of the dimensions before the last
two. One over the record dimension is cut in as many pieces as there are records, which stand behind each other with
those of other variables.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.grids.fields import Array, fields, in_order
from nzip.formats.content.containers.streams import Budget

MAGIC = b"CDF"
CLASSIC, OFFSETS, DATA = 1, 2, 5  # versions: with places of 64 bits, and with all numbers so
DIMENSIONS, VARIABLES, ATTRIBUTES = 10, 11, 12  # tags of lists
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}  # bytes of a number by its type
REAL = frozenset((5, 6))
TEXT = 2
MOST_NAMED = 1 << 13  # dimensions, variables, or attributes of one
MOST_AXES = 64
MOST_RECORDS = 1 << 14
STREAMING = (1 << 32) - 1, (1 << 64) - 1  # records, where who wrote did not know how many


class Variable(NamedTuple):
    """A variable as the header has it.

    Attributes:
        axes: the lengths of its dimensions, 0 for the record dimension.
        kind: the number of its type.
        begin: its first byte in the file.
    """

    axes: tuple[int, ...]
    kind: int
    begin: int

    @property
    def recorded(self) -> bool:
        return bool(self.axes) and self.axes[0] == 0

    @property
    def size(self) -> int:
        """Bytes of the variable, or of one of its records."""
        return prod(self.axes[self.recorded :]) * WIDTHS[self.kind]


class _Broken(Exception):
    """The header is none."""


class _Header:
    """Reads a header from `at` on."""

    def __init__(self, data: bytes, at: int, budget: Budget):
        self._data, self._at, self._budget = data, at + 4, budget
        self._wide = 8 if data[at + 3] == DATA else 4
        self._place = 4 if data[at + 3] == CLASSIC else 8
        self.records = self._number(self._wide)
        lengths = [self._dimension() for _ in self._listed(DIMENSIONS)]
        for _ in self._listed(ATTRIBUTES):
            self._attribute()
        self.variables = [self._variable(lengths) for _ in self._listed(VARIABLES)]
        if lengths.count(0) > 1:
            raise _Broken

    def _number(self, size: int) -> int:
        self._at += size
        if self._at > len(self._data):
            raise _Broken
        return int.from_bytes(self._data[self._at - size : self._at], "big")

    def _listed(self, tag: int) -> Iterator[int]:
        found, count = self._number(4), self._number(self._wide)
        if found not in ((0, tag) if not count else (tag,)) or count > MOST_NAMED:
            raise _Broken
        for number in range(count):
            if not self._budget.walk():
                raise _Broken
            yield number

    def _skip(self, size: int) -> None:
        """Go on behind `size` bytes, which are filled up to four."""
        self._at += size + -size % 4
        if self._at > len(self._data):
            raise _Broken

    def _dimension(self) -> int:
        self._skip(self._number(self._wide))
        return self._number(self._wide)

    def _attribute(self) -> None:
        self._skip(self._number(self._wide))
        kind = self._number(4)
        if kind not in WIDTHS:
            raise _Broken
        self._skip(self._number(self._wide) * WIDTHS[kind])

    def _variable(self, lengths: list[int]) -> Variable:
        self._skip(self._number(self._wide))
        count = self._number(self._wide)
        if count > MOST_AXES:
            raise _Broken
        numbers = [self._number(self._wide) for _ in range(count)]
        for _ in self._listed(ATTRIBUTES):
            self._attribute()
        kind = self._number(4)
        self._number(self._wide)  # its bytes, which do not say all where they are many
        if kind not in WIDTHS or any(number >= len(lengths) for number in numbers):
            raise _Broken
        axes = tuple(lengths[number] for number in numbers)
        if 0 in axes[1:]:
            raise _Broken
        return Variable(axes, kind, self._number(self._place))


def arrays(data: bytes, at: int, budget: Budget) -> list[Array]:
    """Return the arrays of numbers of the file that begins at `at` of `data`, in order, also those behind `data`: of
    variables over the record dimension one for each record."""
    if data[at : at + 3] != MAGIC or data[at + 3 : at + 4] not in (b"\1", b"\2", b"\5"):
        return []
    try:
        header = _Header(data, at, budget)
    except _Broken:
        return []
    recorded = [variable for variable in header.variables if variable.recorded]
    step = recorded[0].size if len(recorded) == 1 else sum(each.size + -each.size % 4 for each in recorded)
    found = list[Array]()
    for variable in header.variables:
        begin, axes = at + variable.begin, variable.axes[variable.recorded :]
        if variable.kind == TEXT or not variable.size:
            continue
        records = 1
        if variable.recorded:
            records = max(0, (len(data) - begin) // step + 1) if header.records in STREAMING else header.records
        for number in range(min(records, MOST_RECORDS)):
            before = step if records > 1 and number else 0
            found.append(Array(begin, WIDTHS[variable.kind], axes, True, variable.kind in REAL, before))
            begin += step
            if not budget.walk():
                return in_order(found)
    return in_order(found)


def find(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Return the fields of a file that begins at `at` of `data`, as far as they are there."""
    return [each for array in arrays(data, at, budget) for each in fields(data, array)]
