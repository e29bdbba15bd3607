"""Opener `packbits`: runs of bytes, as PackBits writes them (Apple, Technical Note TN1023; TIFF 6.0, section 9).

A packet is one byte and either bytes as they are or one byte that stands for many. Encoders differ in how long a run
must be, and end packets with the rows of a picture. The recipe says which rule it is, and lists the packets that are
not by it. docs/reference/ENCODINGS.md defines it to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.packbits_layout import NOTHING, PACKETS, READ, WRITTEN
from nzip.process import imported

JOINED, TABLE = 1, 2  # how all streams are written
# How long a run must be at the start of a packet and in a literal; whether two bytes stay in a literal.
RULES = ((2, 2, 1), (2, 3, 0), (3, 3, 0), (2, 2, 0), (4, 4, 0))
LONGEST = 128
ENTRIES = (2, 4)  # bytes of an entry of a table of rows' lengths
MOST_ROW = 1 << 30
MOST_STREAMS = 1 << 16
WORKING = 1 << 16
REPAYS = 8  # a recipe longer than one byte in so many of what it redoes
SHORT = 64  # and than this is not worth it

_unpack = Native("nzip.formats.openers.packbits_kernel", "unpack")
_differ = Native("nzip.formats.openers.packbits_kernel", "differ")
_pack = Native("nzip.formats.openers.packbits_kernel", "pack")


class PackbitsOpener(Opener):
    """Strips of a TIFF, channels of a Photoshop file."""

    name = "packbits"
    id = 16
    version = 1

    def open(
        self, coded: bytes, most: int, *, row: int = 0, cuts: Sequence[int] = (), sizes: Sequence[int] = (),
        table: int = 0, **hints: Any,
    ) -> Opened | None:  # fmt: skip
        """Return the bytes that packets stand for.

        Args:
            coded: one stream or several.
            most: bytes that `inner` may have.
            row: bytes of a row, with which packets end.
            cuts: where the second stream and the next ones begin.
            sizes: bytes of each stream when it is decoded.
            table: bytes of an entry of the table with which `coded` begins, which has for each row of the one stream
                how long it is; 0 if there is none.
            hints: what others take.
        """
        imported("numpy")
        import numpy as np

        starts = [0, *cuts]
        total = sum(sizes)
        if not 0 < row <= MOST_ROW or len(sizes) != len(starts) or len(starts) > MOST_STREAMS or not 0 < total <= most:
            return None
        if any(b <= a for a, b in zip(starts, [*starts[1:], len(coded)], strict=True)):
            return None
        head = table * (total // row) if table else 0
        if total > (len(coded) - head) * LONGEST or (table and (len(starts) > 1 or total % row)):
            return None
        plain, all_heads = np.empty(total, np.uint8), np.empty(len(coded), np.uint8)
        inners, heads, tails, at = [], [], [], 0
        for start, stop, size in zip(starts, [*starts[1:], len(coded)], sizes, strict=True):
            source = np.frombuffer(coded, np.uint8)[start + head : stop].copy()
            state = np.zeros(3, np.int64)
            _unpack(source, plain[at : at + size], all_heads, size, state)
            if state[WRITTEN] != size:
                return None
            inners.append(plain[at : at + size])
            heads.append(all_heads[: state[PACKETS]].copy())
            tails.append(source[state[READ] :].tobytes())
            at += size
        first = np.concatenate(heads)
        runs, literals = first[first > 128], first[first < 128]
        longest = 257 - int(runs.min()) if len(runs) else LONGEST, int(literals.max()) + 1 if len(literals) else LONGEST
        best = min((self._recipe(rule, row, longest, table, inners, heads, tails) for rule in RULES), key=len)
        inner = plain.tobytes()
        if len(best) > max(SHORT, len(coded) // REPAYS):
            return None
        return self.tried(inner, best, coded)

    def _recipe(
        self, rule: tuple[int, int, int], row: int, longest: tuple[int, int], table: int,
        inners: list[Any], heads: list[Any], tails: list[bytes],
    ) -> bytes:  # fmt: skip
        """Return the recipe of streams by a rule: of each what it holds, what packets begin with, what is behind."""
        import numpy as np

        out = bytearray((rule[2] * JOINED | bool(table) * TABLE, rule[0], rule[1], *longest))
        out += bytes((table,)) * bool(table) + uleb(row) + uleb(len(inners))
        form = np.array((row, *rule, *longest), np.int64)
        for inner, first, tail in zip(inners, heads, tails, strict=True):
            gaps, odd = np.empty(len(first), np.int64), np.empty(len(first), np.uint8)
            count = int(_differ(inner, first, form, gaps, odd))
            if len(inners) > 1:
                out += uleb(len(inner))
            out += uleb(count)
            for gap, head in zip(gaps[:count].tolist(), odd[:count].tolist(), strict=True):
                out += uleb(gap) + bytes((head,))
            out += uleb(len(tail)) + tail
        return bytes(out)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        imported("numpy")
        import numpy as np

        reader = Reader(recipe)
        flags, start, inside, run, literal = reader.bytes(5)
        entry = reader.u8() if flags & TABLE else 0
        row, streams = reader.uleb(), reader.uleb()
        right = flags <= 3 and start > 1 < inside and 1 < run <= LONGEST and 0 < literal <= LONGEST
        if not right or (flags & TABLE and entry not in ENTRIES) or row > MOST_ROW or streams > MOST_STREAMS:
            raise CorruptError("a recipe of PackBits has a form that there is not")
        rows = len(inner) // row if entry and row else 0
        if entry and (streams != 1 or not row or len(inner) % row or entry * rows > size):
            raise CorruptError("a recipe of PackBits has a table of no rows")
        plain, coded = np.frombuffer(inner, np.uint8).copy(), np.zeros(size, np.uint8)
        form = np.array((row, start, inside, flags & JOINED, run, literal), np.int64)
        lengths = np.empty(rows, np.int64)
        at, end = 0, entry * rows
        for _ in range(streams):
            length = reader.uleb() if streams > 1 else len(inner)
            count = reader.uleb()
            if length > len(inner) - at or 2 * count > reader.left():
                raise CorruptError("a recipe of PackBits wants more than there is")
            gaps, odd = np.empty(count, np.int64), np.empty(count, np.uint8)
            for k in range(count):
                gaps[k], odd[k] = reader.uleb(), reader.u8()
            end = int(_pack(plain[at : at + length], form, gaps, odd, coded, lengths, end))
            if end < 0:
                raise CorruptError("a recipe of PackBits is for other bytes")
            tail = reader.bytes(reader.uleb())
            if len(tail) > size - end:
                raise CorruptError("a recipe of PackBits has more bytes than there is room for")
            coded[end : end + len(tail)] = np.frombuffer(tail, np.uint8)
            end += len(tail)
            at += length
        if at != len(inner) or reader.left() or end != size:
            raise CorruptError(f"PackBits takes {end:,} bytes where {size:,} belong")
        if entry:
            coded[: entry * rows] = self._table(lengths, entry)
        return coded.tobytes()

    def _table(self, lengths: Any, entry: int) -> Any:
        """Return the bytes (uint8) of a table of rows' lengths; `lengths` has where each ends, and is used up."""
        import numpy as np

        if lengths.min(initial=0) == NOTHING:
            raise CorruptError("a recipe of PackBits has a table of rows that do not end")
        lengths[1:] -= lengths[:-1]
        lengths[:1] -= entry * len(lengths)
        if int(lengths.max(initial=0)) >> 8 * entry:
            raise CorruptError("a recipe of PackBits has a table of rows that are too long for it")
        return lengths.astype(f">u{entry}").view(np.uint8)

    def longest_recipe(self, size: int) -> int:
        return max(SHORT, size // REPAYS)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 10 * inner + 6 * size

    def prepare(self) -> None:
        self.open(bytes.fromhex("fe00020102ff01"), 16, row=4, sizes=(6,))
