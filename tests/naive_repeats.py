"""The search for repeats in plain Python: what `nzip.formats.repeats` finds, byte by byte and in lists.

A hash of the last 64 bytes marks places by the content alone. A table has for each upper part of a mark where it was
seen last. A mark that was seen before is compared backwards; a stretch that is long enough is a copy, and goes on as
long as its bytes are equal. Where for long no mark was seen, or the same close behind itself all the time, a place is
entered all the same, and stays entered. Places count from the start of the old file, which stands before all content.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from typing import NamedTuple

M64 = (1 << 64) - 1
GEAR = [int.from_bytes(hashlib.blake2b(bytes((byte,)), digest_size=8).digest(), "little") for byte in range(256)]
LEAST, LEAST_BACK, WINDOW = 64, 32, 64
IDLE, OF_RUN = 1 << 18, 0x5BD1E995


class Cut(NamedTuple):
    size: int
    literals: bytes
    copies: tuple[tuple[int, int, int, int], ...]  # place, length, blocks back, offset


class Finder:
    """As the finder of the package, with the same calls."""

    def __init__(self, reach: int, old: bytes = b"", *, far: int = 128, near: int = 4096):
        self.reach, self.far, self.near, self.old = reach, far, near, len(old)
        self.rate = 4 if old else 6
        self.bits = max(12, (len(old) >> self.rate).bit_length() + 1)
        self.known, self.table = bytearray(), {}
        self._begin()
        for byte in old:
            self.known.append(byte)
            mark, idle = self._rolled(byte)
            if mark is not None:
                slot = mark >> 32 - self.bits
                if not idle or self.table.get(slot, (None,))[0] != mark:
                    self.table[slot] = mark, len(self.known)
        self._begin()
        self.begin = self.last = len(old)  # of the block; no match reaches back behind `last`
        self.gone = 0  # bytes of content that were forgotten
        self.source: int | None = None  # of the open match: the next byte
        self.length, self.taken = 0, False
        self.rows: list[list[int]] = []  # of the block: where a copy stands, its length, its source
        self.literal = [(k - len(old), 0) for k in range(len(old))]  # of each known byte: its number, and its piece
        self.starts = [-len(old)] * bool(old) + [0]  # the first literal of each block, and of this one
        self.piece = 0

    def _begin(self) -> None:
        self.hash = self.warm = 0
        self.latest: tuple[int, int] | None = None  # the latest mark, and where
        self.counted = len(self.known)  # where the latest one was that does not belong to a run

    def _rolled(self, byte: int) -> tuple[int | None, bool]:
        """Return the mark behind a byte, if there is one, and whether it stands for a run."""
        self.hash = (self.hash << 1) + GEAR[byte] & M64
        self.warm += 1
        end = len(self.known)
        idle = end - self.counted >= IDLE
        if (self.hash >> 64 - self.rate and not idle) or self.warm < WINDOW:
            return None, False
        mark = (self.hash * 0x9E3779B97F4A7C15 & M64) >> 32
        if idle or self.latest is None or self.latest[0] != mark or end - self.latest[1] >= WINDOW:
            self.counted = end
        self.latest = mark, end
        return mark ^ OF_RUN * idle, idle

    @property
    def scanned(self) -> int:
        return len(self.known) - self.begin

    @property
    def literals(self) -> int:
        return self.scanned - sum(length for _, length, _ in self.rows)

    def scan(self, block: bytes | bytearray) -> None:
        for byte in bytes(block[self.scanned :]):
            self._grow()
            self._step(byte)

    def _grow(self) -> None:
        while (full := 1 << self.bits + self.rate - 1) <= len(self.known) - self.gone:
            if full >= 2 * self.reach + self.old:
                return
            self.bits += 1
            self.table = {mark >> 32 - self.bits: (mark, place) for mark, place in self.table.values()}

    def _step(self, byte: int) -> None:
        known = self.known
        if self.source is not None:
            ends = self.source in (self.old, self.old + self.gone) or (self.taken and self.source >= self.rows[-1][0])
            if known[self.source] == byte and not ends:
                self.source, self.length = self.source + 1, self.length + 1
                if self.taken:
                    self.rows[-1][1] = self.length
            else:
                if self.taken:
                    self.last = len(known)
                self.source, self.length, self.taken = None, 0, False
        known.append(byte)
        end = len(known)
        mark, idle = self._rolled(byte)
        if mark is not None:
            slot = mark >> 32 - self.bits
            before = self.table.get(slot)
            is_known = before is not None and before[0] == mark and self._reaches(before[1], end)
            if not (idle and is_known):
                self.table[slot] = mark, end
            if self.source is None and is_known:
                self._meet(before[1], end)
        if self.source is not None and not self.taken:
            there = self.source - self.length
            if self.length >= (self.near if there >= self.begin else self.far):
                if self.source <= end - self.length:
                    self.rows.append([end - self.length, self.length, there])
                    self.taken = True
                else:
                    self.source = None

    def _reaches(self, there: int, end: int) -> bool:
        return there <= self.old or (there > self.old + self.gone and end - there <= self.reach)

    def _meet(self, there: int, end: int) -> None:
        """Follow a mark that was seen behind place `there`, too."""
        aside = there <= self.old
        most = min(end - self.last, end - there - self.gone * aside, there if aside else there - self.gone - self.old)
        length = 0
        while length < most and self.known[there - length - 1] == self.known[end - length - 1]:
            length += 1
        self.length = length
        if length >= LEAST_BACK:
            self.source = there

    def cut(self, most: int) -> Cut:
        found, self.numbers = self._cut(most, self.rows)
        if len(found.copies) > found.size // LEAST:
            found, self.numbers = self._cut(most, [])
        return found

    def _cut(self, most: int, rows: list[list[int]]) -> tuple[Cut, list[tuple[int, int]]]:
        """Return the block, and of its bytes the numbers and pieces."""
        first = self.starts[-1]
        numbers: list[tuple[int, int]] = []
        literals, copies, piece = bytearray(), [], self.piece

        def keep(stop: int) -> bool:
            nonlocal piece
            piece += 1
            while len(numbers) < stop and len(literals) < most:
                literals.append(self.known[self.begin + len(numbers)])
                numbers.append((first + len(literals) - 1, piece))
            return len(literals) < most

        def of(place: int) -> tuple[int, int]:
            return self.literal[place] if place < self.begin else numbers[place - self.begin]

        def block() -> None:
            for start, length, source in [*rows, [self.begin + self.scanned, 0, 0]]:
                nonlocal piece
                if not keep(start - self.begin):
                    return
                pieces: list[list[int]] = []  # number of the first literal, how many, which piece
                for place in range(source, source + length):
                    number, which = of(place)
                    if pieces and pieces[-1][2] == which:
                        pieces[-1][1] += 1
                    else:
                        pieces.append([number, 1, which])
                for number, size, _ in pieces:
                    if number >= 0 and first + len(literals) - number > self.reach:
                        if not keep(len(numbers) + size):
                            return
                        continue
                    owner = min(bisect_right(self.starts, number), len(self.starts)) - 1
                    back, offset = len(self.starts) - 1 - owner, number - self.starts[owner]
                    piece += 1
                    numbers.extend((number + k, piece) for k in range(size))
                    if copies and copies[-1][0] == len(literals) and number:
                        _, long, far, begins = copies[-1]
                        if self.starts[-1 - far] + begins + long == number:
                            copies[-1] = (len(literals), long + size, far, begins)
                            continue
                    copies.append((len(literals), size, back, offset))

        block()
        return Cut(len(numbers), bytes(literals), tuple(copies)), numbers

    def advance(self, cut: Cut) -> None:
        """Begin the block behind the one that was cut last."""
        self.literal += self.numbers
        self.piece += 2 * len(self.numbers) + 2
        self.starts.append(self.starts[-1] + len(cut.literals))
        self.begin += cut.size
        rows = []
        for row in self.rows:
            start, length, source = row
            is_open = self.taken and row is self.rows[-1]
            if start + length > self.begin or is_open:
                less = max(self.begin - start, 0)
                rows.append([max(start, self.begin), length - less, source + less])
                if is_open:
                    self.length = length - less
        self.rows = rows
        if not self.taken:
            self.source, self.length = None, 0
        self.last = max(self.last, self.begin)
        count = self.begin - self.gone - self.reach - self.old
        if count > self.reach // 2:
            self.gone += count
