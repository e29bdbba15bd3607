"""Looks for repeats in a stream, and says of a block what it copies.

`kernel.scan` finds stretches of content that stood before. A stretch may have been copied itself where it stood, so
`Finder.cut` says of each where its bytes are literals: those are what a block may copy.

Every change is one call of a kernel, or of a method of a list: after an exception of whatever kind, the next call goes
on where this one stopped.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.formats.container.copies import LEAST, Copy
from nzip.formats.repeats.layout import (
    AT,
    COLUMNS,
    COPIED,
    COPIES,
    COUNTED,
    END,
    GONE,
    LAST,
    LENGTH,
    SOURCE,
    START,
    STATES,
    TAKEN,
)

RATE = 6  # log2 of the bytes from a mark to the next, on average
ROOM = 1  # log2 of the table's places for each mark
CLOSE_RATE = 4  # the same where an old file is looked in
FAR, NEAR = 128, 12288  # bytes of a copy, at least: from another block, and from its own
LEAST_TABLE = 12  # log2 of its places
PIECE = 1 << 20  # bytes that are scanned at a time

Buffer = bytes | bytearray | memoryview

_scan = Native("nzip.formats.repeats.kernel", "scan")
_learn = Native("nzip.formats.repeats.kernel", "learn")
_advance = Native("nzip.formats.repeats.kernel", "advance")
_slide = Native("nzip.formats.repeats.kernel", "slide")
_grown = Native("nzip.formats.repeats.kernel", "grown")


class Map(NamedTuple):
    """Where the content of a block is among the member's literals.

    Attributes:
        start: of the block in the content,
        literal: and of its literals among the member's.
        places: where in the content each piece begins,
        literals: and where it is among the literals.
    """

    start: int
    literal: int
    places: array[int]
    literals: array[int]


class Cut(NamedTuple):
    """The next block.

    Attributes:
        size: bytes of content.
        literals: those that are in no copy.
        copies: in order.
        map: where all is among the literals.
    """

    size: int
    literals: bytes
    copies: tuple[Copy, ...]
    map: Map


class Finder:
    """Finds repeats in the content of one member.

    Args:
        reach: bytes of literals, and of content, from a copy back to its source, at most.
        old: what both sides know before the member: as the literals of a block that stands before its first.
        far, near: see the constants.
    """

    def __init__(self, reach: int, old: Buffer = b"", *, far: int = FAR, near: int = NEAR):
        import numpy as np

        rate = CLOSE_RATE if len(old) else RATE
        self._reach, self._rate, self._far, self._near = reach, rate, far, near
        size = self._old = len(old)
        bits = max(LEAST_TABLE, (size >> rate).bit_length() + ROOM)
        self._known = np.empty(size + (1 << 16), np.uint8)
        self._table = np.zeros(1 << bits, np.uint64)
        self._copies = np.zeros(COLUMNS * 64, np.int64)
        self._state = np.zeros(STATES, np.int64)
        self._state[SOURCE] = -1  # no match is open
        self._rolled = np.zeros(1, np.uint64)
        self._maps: list[Map] = []  # of the blocks before; the first is of what is known before them
        self._forgotten = 0  # blocks whose maps are not needed any more
        self._literal = array("q", (0,))  # where the literals of each block, and of the next, begin
        if size:
            self._known[:size] = np.frombuffer(old, np.uint8)
            self._state[END] = size
            self._state[LAST] = self._state[COUNTED] = size
            _learn(self._known[:size], self._table, gear(), bits, rate)
            self._maps.append(Map(-size, -size, array("q", (-size,)), array("q", (-size,))))
            self._literal.insert(0, -size)
            self._forgotten = 1

    @property
    def start(self) -> int:
        """Where the block begins in the content."""
        return int(self._state[START])

    @property
    def scanned(self) -> int:
        """How many bytes of the block were scanned."""
        return int(self._state[AT])

    @property
    def literals(self) -> int:
        """How many of them are in no copy, at least."""
        copied = int(self._state[COPIED])
        return self.scanned - copied - (int(self._state[LENGTH]) if self._state[TAKEN] else 0)

    def scan(self, block: bytes | bytearray) -> None:
        """Scan what of `block`, which holds the bytes from `start` on, was not scanned yet."""
        import numpy as np

        while self.scanned < len(block):
            count = min(PIECE, self._grow(), len(block) - self.scanned)
            self._make_room(count, len(block) - self.scanned)
            end = int(self._state[END])
            with memoryview(block) as view:
                self._known[end : end + count] = np.frombuffer(view[self.scanned : self.scanned + count], np.uint8)
            _scan(
                count, self._known, self._table, self._copies, self._state, self._rolled, gear(), self._bits,
                self._reach, self._near, self._far, self._rate, self._old,
            )  # fmt: skip

    @property
    def copies(self) -> int:
        """How many copies were found in the block."""
        return int(self._state[COPIES])

    def cut(
        self,
        most: int,
        files: Sequence[tuple[int, int]] = (),
        least: int = 0,
        block: bytes | None = None,
        apart: Sequence[tuple[int, int]] = (),
    ) -> Cut:
        """Return a block that begins where this one does and has at most `most` literals.

        Nothing changes by this; `advance` begins the next block.

        Args:
            most: literals.
            files: where in the block files begin and end that are coded better whole than without pieces: copies of a
                part of one are left out, unless they are most of it together.
            least: bytes that are copied from another block, together, or nothing is: who wants a part of the content
                decodes each block that it copies from.
            block: what was scanned, where it is at hand: what copies nothing is that, and no copy of it.
            apart: stretches in which nothing is copied, in order.
        """
        rows = _of_whole(self._copies[: COLUMNS * self.copies].reshape(-1, COLUMNS).tolist(), files)
        rows = _of_whole(rows, apart, all_=True)
        found = self._cut(most, rows, block)
        taken: Counter[int] = Counter()
        for copy in found.copies if least else ():
            taken[len(self._literal) - 1 - copy.back] += copy.length
        few = {number for number, count in taken.items() if 0 < count < least} - {len(self._literal) - 1}
        if few:
            found = self._cut(most, rows, block, few)
        # Copies that are cut in small pieces help nobody.
        return found if len(found.copies) <= found.size // LEAST else self._cut(most, [], block)

    def _cut(
        self, most: int, rows: list[list[int]], content: bytes | None, without: Set[int] = frozenset()
    ) -> Cut:
        start, gone, first = self.start, int(self._state[GONE]), self._literal[-1]
        block = Map(start, first, array("q"), array("q"))
        runs: list[tuple[int, int]] = []
        copies: list[Copy] = []
        at = literals = 0

        def keep(stop: int) -> bool:
            """Take the content up to `stop` as literals, as many as there is room for; say whether that was all."""
            nonlocal at, literals
            stop = min(stop, at + most - literals)
            if stop > at:
                block.places.append(start + at)
                block.literals.append(first + literals)
                runs.append((at, stop))
                literals += stop - at
                at = stop
            return literals < most

        for place, length, source in [*rows, (self.scanned, 0, 0)]:
            if not keep(place):
                break
            source += gone if source >= self._old else 0
            for literal, size in list(self._pieces(block, source - self._old, length)):
                number = min(bisect_right(self._literal, literal), len(self._literal)) - 1
                if literal >= 0 and (first + literals - literal > self._reach or number in without):
                    if not keep(at + size):
                        break
                    continue
                back, offset = len(self._literal) - 1 - number, literal - self._literal[number]
                block.places.append(start + at)
                block.literals.append(literal)
                at += size
                before = copies[-1] if copies else None
                if before is not None and before.place == literals and literal and (
                    self._literal[-1 - before.back] + before.offset + before.length == literal
                ):
                    copies[-1] = before._replace(length=before.length + size)
                else:
                    copies.append(Copy(literals, size, back, offset))
            else:
                continue
            break
        if content is None:
            content = self._known[int(self._state[END]) - self.scanned : int(self._state[END])].tobytes()
        text = b"".join([content[begin:stop] for begin, stop in runs])
        return Cut(at, text, tuple(copies), block)

    def _pieces(self, block: Map, source: int, length: int) -> Iterator[tuple[int, int]]:
        """Give the literals, and how many, of each piece of `length` bytes of content from `source` on."""
        number = bisect_right(self._maps, source, key=lambda map: map.start) - 1
        maps = [*self._maps[number:], block]
        for map, following in zip(maps, [*maps[1:], None], strict=True):
            stop = source + length if following is None else min(source + length, following.start)
            at = bisect_right(map.places, source) - 1
            while source < stop:
                end = min(stop, map.places[at + 1]) if at + 1 < len(map.places) else stop
                yield map.literals[at] + source - map.places[at], end - source
                length -= end - source
                source, at = end, at + 1
            if not length:
                return

    def advance(self, cut: Cut) -> None:
        """Begin the block behind `cut`; can be called again."""
        if self.start == cut.map.start:
            if self._literal[-1] == cut.map.literal and (not self._maps or self._maps[-1].start < cut.map.start):
                self._maps.append(cut.map)
            if len(self._literal) == len(self._maps):
                self._literal.append(cut.map.literal + len(cut.literals))
            _advance(self._copies, self._state, cut.size)
        count = int(self._state[END]) - self.scanned - self._reach - self._old
        if count > self._reach // 2:
            _slide(self._known, self._table, self._copies, self._state, count, self._old)
        gone = int(self._state[GONE])
        while self._forgotten + 1 < len(self._maps) and self._maps[self._forgotten + 1].start <= gone:
            old = self._maps[self._forgotten]
            self._maps[self._forgotten] = Map(old.start, old.literal, array("q"), array("q"))
            self._forgotten += 1

    @property
    def _bits(self) -> int:
        return len(self._table).bit_length() - 1

    def _make_room(self, count: int, ahead: int) -> None:
        """Have room for `count` bytes more; what grows grows for `ahead` bytes at once."""
        import numpy as np

        end = int(self._state[END])
        if end + count > len(self._known):
            known = np.empty(max(2 * len(self._known), end + ahead), np.uint8)
            known[:end] = self._known[:end]
            self._known = known
        needed = COLUMNS * (int(self._state[COPIES]) + count // min(self._near, self._far) + 2)
        if needed > len(self._copies):
            copies = np.zeros(2 * needed, np.int64)
            copies[: len(self._copies)] = self._copies
            self._copies = copies

    def _grow(self) -> int:
        """Have a table for what is known, and return for how many bytes more it is large enough: when it grows, as what
        it forgets, depends on the content alone."""
        import numpy as np

        end = int(self._state[END])
        most, bits = 2 * self._reach + self._old, self._rate - ROOM
        while (room := (1 << self._bits + bits) - end) <= 0 and 1 << self._bits + bits < most:
            table = np.zeros(1 << self._bits + 1, np.uint64)
            _grown(self._table, table, self._bits + 1)
            self._table = table
        return room if room > 0 else PIECE


def _of_whole(rows: list[list[int]], files: Sequence[tuple[int, int]], all_: bool = False) -> list[list[int]]:
    """Return the copies (place, length, source; in order) without what they have of files that they are less than half
    of, or of `all_` files; a copy of a few bytes that is left is one still."""
    for start, stop in files:
        first = bisect_right(rows, start, key=lambda row: row[0] + row[1])  # the first that ends behind `start`
        last = bisect_left(rows, stop, lo=first, key=lambda row: row[0])
        copied = sum(min(stop, place + length) - max(start, place) for place, length, _ in rows[first:last])
        if copied > 0 and (all_ or copied * 2 < stop - start):
            place, length, source = rows[first]
            before = [[place, start - place, source]] if place < start else []
            place, length, source = rows[last - 1]
            end = place + length
            behind = [[stop, end - stop, source + stop - place]] if end > stop else []
            rows[first:last] = before + behind
    return rows


@lru_cache(maxsize=1)
def gear() -> Any:
    """Return the numbers that the rolling hash adds for each byte: any will do, and these are the same everywhere."""
    import hashlib

    import numpy as np

    digests = b"".join(hashlib.blake2b(bytes((byte,)), digest_size=8).digest() for byte in range(256))
    return np.frombuffer(digests, "<u8").astype(np.uint64)
