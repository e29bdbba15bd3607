"""Finder of tensors in GGUF files (the format of ggml, versions 2 and 3): keys and values, a list of tensors, tensors.

Only tensors of floats are told apart. What is quantised in blocks has little more than noise in its bytes.
"""

from __future__ import annotations

from math import prod

from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors.tensor import BF16, F16, F32, F64, I8, Tensor

MAGIC = b"GGUF"
MOST_TENSORS, MOST_AXES, LONGEST = 1 << 16, 4, 1 << 16
DEEPEST = 4  # arrays in arrays
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of a value by its type
STRING, ARRAY = 8, 9
TYPES = {0: F32, 1: F16, 24: I8, 28: F64, 30: BF16}
ALIGNMENT = b"general.alignment"


class _Ended(Exception):
    """The header goes on where no more bytes are, or is none."""


class _Header:
    """Reads a header."""

    def __init__(self, data: bytes, at: int, budget: Budget):
        self._data, self.at, self._budget = data, at, budget

    def number(self, size: int = 8) -> int:
        stop = self.at + size
        if stop > len(self._data):
            raise _Ended
        value = int.from_bytes(self._data[self.at : stop], "little")
        self.at = stop
        return value

    def skip(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise _Ended
        self.at += size
        return self._data[self.at - min(size, LONGEST) : self.at]

    def value(self, kind: int, depth: int = 0) -> int:
        """Pass over a value; return it if it is a small number."""
        if kind in SIZES:
            return self.number(SIZES[kind])
        if kind == STRING:
            self.skip(self.number())
            return 0
        if kind != ARRAY or depth > DEEPEST:
            raise _Ended
        inner, count = self.number(4), self.number()
        if inner in SIZES:
            self.skip(SIZES[inner] * count)
            return 0
        if not self._budget.walk(16 * min(count, len(self._data))):
            raise _Ended
        for _ in range(count):  # each takes bytes, or ends the walk
            self.value(inner, depth + 1)
        return 0


def begins(data: bytes, at: int) -> bool:
    """Return whether a file may begin at `at`."""
    return data.startswith(MAGIC, at)


def tensors(data: bytes, at: int, budget: Budget) -> list[Tensor]:
    """Return the tensors of floats in the file that begins at `at`; none if its header is not whole, or wrong."""
    try:
        return _tensors(_Header(data, at + len(MAGIC), budget), at, budget)
    except _Ended:
        return []


def _tensors(header: _Header, at: int, budget: Budget) -> list[Tensor]:
    version, count, pairs = header.number(4), header.number(), header.number()
    if version not in (2, 3) or not 1 <= count <= MOST_TENSORS or pairs > MOST_TENSORS:
        return []
    alignment = 32
    for _ in range(pairs):
        name = header.skip(header.number())
        value = header.value(header.number(4))
        if name == ALIGNMENT:
            alignment = value
        if not budget.walk():
            return []
    listed = list[tuple[int, int, list[int], str]]()
    for _ in range(count):
        name = header.skip(header.number())
        axes = header.number(4)
        if axes > MOST_AXES or not budget.walk():
            return []
        sizes = [header.number() for _ in range(axes)]
        kind, offset = header.number(4), header.number()
        if kind in TYPES and prod(sizes) < 1 << 48 and offset < 1 << 48:
            listed.append((offset, kind, sizes, name.decode("utf-8", "replace")))
    if not 1 <= alignment <= LONGEST:
        return []
    first = at + -(-(header.at - at) // alignment) * alignment
    found = list[Tensor]()
    for offset, kind, sizes, title in listed:
        row = sizes[0] if len(sizes) > 1 else 0  # the first axis is the one whose values lie side by side
        size = prod(sizes) * TYPES[kind][0]
        found.append(Tensor(first + offset, first + offset + size, *TYPES[kind], row, name=title))
    return found
