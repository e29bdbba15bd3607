"""Where a block ends, so that what containers hold in it can be opened.

A deflate stream may be longer than a block, or hold more than a block may; an archive goes on, and a picture begins
where a block ends. So whoever cuts blocks follows the streams in them: a block ends before a file that it would tear
near its end, and in a long stream where a block of that begins. What the stream holds before that place goes with the
next block, for matches reach back; that block is decoded alone all the same, as it has this window inside.

All depends on the bytes alone, and costs size only where it is wrong: whoever opens a part tries that it comes back.
"""

from __future__ import annotations

from typing import NamedTuple

from nzip.formats.content.containers import scan
from nzip.formats.content.containers.deflated import MOST_HEADER
from nzip.formats.content.containers.jpeg import end_of as jpeg_end
from nzip.formats.content.containers.png import end_of as png_end
from nzip.formats.content.containers.streams import Budget
from nzip.formats.openers.deflate import layout
from nzip.formats.openers.deflate.constants import FARTHEST
from nzip.formats.openers.deflate.torn import Part, inflate_on
from nzip.formats.openers.wrapped import gzip_header
from nzip.formats.openers.zip import entries
from nzip.settings import Room

LEAST = 1 << 17  # bytes that a part of a stream holds, at least: it has a window inside
LATE = 4  # a file that begins in the last of so many parts of a block begins the next, if it would be torn
SPARE = 16  # one byte in so many stays free for what stands beside what was deflated: names, windows
HEADER = 600  # bytes of a block's header, at most: one that is cut off is wrong to who reads it
BESIDE = 24  # bytes that may stand between members of an archive: a descriptor


class Torn(NamedTuple):
    """A deflate stream that goes on behind a block.

    Attributes:
        window: the last of what it holds so far.
        bit: how many bits of the next byte belong to what was before.
        place: how much it holds so far.
    """

    window: bytes
    bit: int
    place: int


class Ending(NamedTuple):
    """Where a block ends.

    Attributes:
        size: its bytes.
        parts: the parts of long streams in it.
        torn: the stream that goes on behind it.
    """

    size: int
    parts: tuple[Part, ...] = ()
    torn: Torn | None = None


def ending(raw: bytes, torn: Torn | None, block: int, room: Room, more: bool) -> Ending:
    """Return where the block that begins as `raw` does ends; at the end of that where nothing speaks against it.

    Args:
        raw: bytes, as many as a block may have.
        torn: the stream that goes on there.
        block: bytes of a block, usually.
        room: what may come out of the containers of a block of that size.
        more: whether more follows behind `raw`.
    """
    return _Walk(raw, block, room, more).ending(torn)


class _Walk:
    """A walk over the streams of a block. `_spent` bytes came out of those that were passed."""

    def __init__(self, raw: bytes, block: int, room: Room, more: bool):
        self._raw, self._more = raw, more
        self._most = (block + room.others) // SPARE * (SPARE - 1)  # bytes of a block, and of what comes out of it
        self._archive = self._passed = 0  # where an archive begins, and the last of its members ends
        self._usual = max(block, room.others)  # bytes that come out of a part, where it can be divided
        self._spent = 0
        self._parts: list[Part] = []
        self._budget = Budget(len(raw), lambda *given, budget: ())

    def ending(self, torn: Torn | None) -> Ending:
        raw, at = self._raw, 0
        if torn is not None and (part := self._part(0, torn)) is not None:
            if part.goes_on:
                return self._at_part(part)
            at = part.stop
        if len(raw) < LEAST // 8:
            return self._at(len(raw))
        for start, kind in scan.places(raw, at):
            if start < at:
                continue
            late = self._late(start)
            if kind in (scan.PNG, scan.JPEG):
                stop = start
                if kind == scan.PNG or late:
                    stop = (png_end if kind == scan.PNG else jpeg_end)(raw, start, self._budget)
                if stop > len(raw) and late:
                    return self._at(start)
                at = min(stop, len(raw))
                continue
            first = self._stream_at(start, kind)
            if first is None:
                continue
            state, (stop, size, *_) = self._budget.followed(raw, first, None, self._fits)
            if state == layout.BAD and size >= LEAST and stop > len(raw) - HEADER:
                state = layout.SHORT
            in_pdf = raw.find(b"stream", max(0, start - 10), start) >= 0  # mostly pixels, for which there is more room
            if state == layout.DONE:
                self._spent += 0 if in_pdf else size
                at = stop
                if kind == scan.ZIP:
                    self._archive = self._archive if start <= self._passed + BESIDE else start
                    self._passed = stop
            elif state != layout.BAD:
                enough = LATE * (self._spent + start) >= (LATE - 1) * self._usual
                if start > 0 and (late or enough) and not in_pdf:
                    whole = kind == scan.ZIP and start <= self._passed + BESIDE and self._late(self._archive)
                    return self._at(self._archive if whole else start)
                part = self._part(first, Torn(b"", 0, 0))
                if part is not None and part.goes_on:
                    return self._at_part(part)
                if part is not None:
                    at = part.stop
        if self._late(self._archive) and self._tears_archive():
            return self._at(self._archive)
        return self._at(len(raw))

    def _late(self, start: int) -> bool:
        """Return whether what begins at `start` may begin the next block."""
        size = len(self._raw)
        return self._more and 0 < size - size // LATE <= start

    def _tears_archive(self) -> bool:
        """Return whether the archive ends behind the block whose members that were deflated do not."""
        at = self._raw.find(b"PK", self._passed, self._passed + BESIDE)
        return len(self._raw) - self._passed <= BESIDE or (at >= 0 and self._raw.find(entries.END, at) < 0)

    def _at(self, stop: int) -> Ending:
        """End the block at `stop`, or before it where what came out of it leaves less room."""
        if self._spent:
            passed = self._parts[-1].stop if self._parts else 0
            stop = max(passed, min(stop, self._most - self._spent))
        return Ending(stop, tuple(self._parts))

    def _at_part(self, part: Part) -> Ending:
        """End the block behind `part`, whose stream goes on."""
        if not self._more and self._fits(len(self._raw), 0) and self._torn_off(part):
            return self._at(len(self._raw))
        assert self._after is not None
        return Ending(part.stop, tuple(self._parts), self._after)

    def _torn_off(self, part: Part) -> bool:
        """Return whether no further block of the stream of `part` is here."""
        assert self._after is not None
        found = inflate_on(memoryview(self._raw)[part.stop :], part.held, self._after.window, self._usual)
        return found.bit == part.held

    def _fits(self, stop: int, size: int) -> bool:
        return stop + self._spent + size <= self._most

    def _part(self, start: int, torn: Torn) -> Part | None:
        """Return the part of a stream that begins at `start`, as much as there is room for; None where it is not worth
        it. `_after` is what then follows."""
        before = len(torn.window)
        room = self._most - start - self._spent - before
        if room < LEAST:
            return None
        coded = memoryview(self._raw)[start:]
        found = inflate_on(coded, torn.bit, torn.window, room)
        usual = min(room, max(self._usual - self._spent, self._usual // LATE))
        if not found.done and len(found.stream.plain) - before > usual:
            found = inflate_on(coded, torn.bit, torn.window, usual)
        plain = found.stream.plain
        size = len(plain) - before
        if size < LEAST and not (found.done and torn.window):
            return None
        held = 0 if found.done else found.bit & 7
        stop = start + (found.stream.end if found.done else found.bit >> 3)
        tail = self._raw[stop] & (1 << held) - 1 if held else 0
        part = Part(start, stop, torn.bit, held, tail, torn.window, torn.place, not found.done, size)
        self._after = Torn(plain[-FARTHEST:].tobytes(), held, torn.place + size)
        self._parts.append(part)
        self._spent += len(plain)
        return part

    def _stream_at(self, start: int, kind: int) -> int | None:
        """Return where the deflate stream begins of what begins at `start`; None where there is none."""
        if kind == scan.ZLIB:
            return start + 2
        if kind == scan.GZIP:
            length = gzip_header(self._raw[start : start + MOST_HEADER])
            return None if length is None else start + length
        if kind == scan.ZIP:
            try:
                local = entries.local(self._raw, start)
            except ValueError:
                return None
            return local.data if local.method == entries.DEFLATED and not local.flags & entries.ENCRYPTED else None
        return None
