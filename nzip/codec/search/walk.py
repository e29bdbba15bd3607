"""The content of a file as whole lines, without the blocks that hold none that are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from nzip.codec.index import Places
from nzip.codec.reader import ContentReader
from nzip.codec.search.table import load
from nzip.formats.container.search import Known
from nzip.formats.search.matching import Matcher
from nzip.formats.search.planning import candidates
from nzip.formats.search.times import Range, form_of

READ = 1 << 20  # bytes that are read at a time where all is
FIRST = 96 << 10  # the first time, as grep does, which looks for bytes that are no text before it prints


class Piece(NamedTuple):
    """Whole lines, one behind the other.

    Attributes:
        text: the lines; only at the content's end may a line end be missing.
        line: lines before them, where that is known.
        offset: where they begin in the content.
        follows: whether the piece before ended there.
        form: number of the form of their times; None where they state none.
        time: of the last line with one that stands before them, where it is not in a piece before.
    """

    text: bytes
    line: int
    offset: int
    follows: bool
    form: int | None
    time: int | None


class Walk:
    """Gives pieces of a content that comes from front to back.

    Args:
        read: gives the next bytes.
        timed: whether times are asked for.
    """

    more = False  # what follows is wanted, whatever is in it; for those that leave something out

    def __init__(self, read: Callable[[int], bytes], timed: bool = False):
        self._read, self._timed = read, timed

    def __iter__(self) -> Iterator[Piece]:
        rest: list[bytes] = []
        line = offset = 0
        form: int | None = None
        size = FIRST
        while True:
            data = self._read(size)
            size = READ
            end = data.rfind(b"\n") + 1
            if data and not end:
                rest.append(data)
                continue
            text = b"".join((*rest, data[:end]))
            rest = [data[end:]]
            if text:
                if not line and self._timed:
                    form = form_of(text)
                yield Piece(text, line, offset, True, form, None)
                line += text.count(b"\n")
                offset += len(text)
            if not data:
                return

    def before(self, offset: int, most: int) -> list[bytes]:
        """Return the last lines, `most` at most, that end at `offset` and were left out."""
        return []


class BlockWalk(Walk):
    """Gives pieces of the blocks that may hold lines that are wanted.

    Args:
        reader: of the content.
        matcher: what is looked for; None where all lines are wanted.
        times: when the lines are of.
        ahead: how many blocks are decoded at one time.
    """

    def __init__(
        self, reader: ContentReader, matcher: Matcher | None, times: Range | None, max_memory: int, ahead: int = 1
    ):
        self._reader, self._ahead, self._timed = reader, ahead, times is not None
        self._forms: dict[int, int | None] = {}  # by the first block of a member
        self._places = places = reader.places()
        self._known: list[tuple[int, Known] | None] = [None] * len(places)
        self._wanted = bytearray(b"\1") * len(places)
        for gap in places.gaps:
            known = load(reader.source, gap, max_memory)
            if known is None or not _fits(known, places, gap.first):
                continue
            for number in range(gap.first, gap.stop):
                self._known[number] = (gap.first, known)
            self._wanted[gap.first : gap.stop] = candidates(known, matcher, times)
            if times is not None and known.times is not None and gap.first:
                # Lines without a time that the member begins with have that of the one before.
                untimed = next((n for n, ends in enumerate(known.times.ranges) if ends is not None), 0)
                self._wanted[gap.first : gap.first + untimed + 1] = b"\1" * (untimed + 1)
            if not known.ended and gap.stop < len(places):  # the line goes on in the next member
                owner = max((n for n in range(gap.first, gap.stop) if self._begins(n)), default=gap.first)
                self._wanted[owner] = self._wanted[gap.stop] = 1

    @property
    def leaves_out(self) -> bool:
        """Whether there are blocks that need not be decoded."""
        return 0 in self._wanted

    def _begins(self, number: int) -> bool:
        """Whether a line begins in a block that is known."""
        return self._skipped(number) < self._places[number].raw_size

    def _skipped(self, number: int) -> int:
        found = self._known[number]
        return 0 if found is None else found[1].skipped[number - found[0]]

    def _form(self, number: int) -> int | None:
        found = self._known[number]
        if found is not None and found[1].times is not None:
            return found[1].times.form
        first, _ = self._places.start_of(number)
        if first not in self._forms:  # all of this member is decoded, in order
            form = form_of(self._reader.block(first)) if self._timed else None
            if form is None and self._timed and first:
                form = self._form(first - 1)  # it goes on with what the member before holds
            self._forms[first] = form
        return self._forms[first]

    def _time(self, number: int) -> int | None:
        """Return the time of the last line that has one before those that begin in a block, by the tables."""
        for before in range(number - 1, -1, -1):
            found = self._known[before]
            if found is None or found[1].times is None:
                return None
            time = found[1].times.last[before - found[0]]
            if time is not None or before > found[0]:
                return time
        return None

    def _carried(self, number: int) -> bytes:
        """Return what ends the last line that begins in a block, where that is known and ends it."""
        found = self._known[number]
        text = b"" if found is None else found[1].carried[number - found[0]]
        return text if text.endswith(b"\n") and text.find(b"\n") == len(text) - 1 else b""

    def _next(self, number: int) -> list[int]:
        """Return which blocks behind `number` will be asked for."""
        found: list[int] = []
        while len(found) < self._ahead and (number := self._wanted.find(1, number + 1)) >= 0:
            found.append(number)
        return found

    def __iter__(self) -> Iterator[Piece]:
        lines = 0  # line ends before the block
        rest = b""  # of a line whose end was not seen
        end = 0  # where the piece before ended
        count = len(self._places)
        for number in range(count):
            wanted = bool(self._wanted[number]) or self.more
            known = self._known[number]
            if not wanted and not rest and known is not None:
                lines += known[1].lines[number - known[0]]
                continue
            place = self._places[number]
            raw = self._reader.block(number, self._next(number))
            begin = 0
            if not rest and end != place.raw_offset:
                # Blocks before were left out, or the line that goes on here was given by the table.
                begin = self._skipped(number) if end < place.raw_offset else end - place.raw_offset
                begin = min(begin, len(raw))
            offset = place.raw_offset + begin - len(rest)
            first = lines + raw.count(b"\n", 0, begin)
            text = rest + raw[begin:] if begin or rest else raw
            rest = b""
            follows = offset == end
            behind = b""
            if not wanted:  # only for the end of the line before
                stop = text.find(b"\n") + 1
                text, rest, behind = (text[:stop], b"", text[stop:]) if stop else (b"", text, b"")
                if number + 1 == count:
                    text, rest = text + rest, b""
            elif number + 1 < count and not text.endswith(b"\n"):
                ends = b"" if self._wanted[number + 1] else self._carried(number)
                stop = text.rfind(b"\n") + 1
                if ends and self._begins(number):
                    text += ends
                else:
                    text, rest = text[:stop], text[stop:]
            lines += raw.count(b"\n")
            if text:
                end = offset + len(text)
                yield Piece(text, first, offset, follows, self._form(number), None if follows else self._time(number))
            if behind and self.more:
                stop = len(behind) if number + 1 == count else behind.rfind(b"\n") + 1
                text, rest = behind[:stop], behind[stop:]
                if text:
                    offset, end = end, end + len(text)
                    yield Piece(text, first + 1, offset, True, self._form(number), None)

    def before(self, offset: int, most: int) -> list[bytes]:
        number = self._places.at(offset - 1)
        text = b""
        while number >= 0 and text.count(b"\n") <= most:
            place = self._places[number]
            text = self._reader.block(number)[: offset - place.raw_offset] + text
            number -= 1
        return _last_lines(text, most)


def _last_lines(text: bytes, most: int) -> list[bytes]:
    found: list[bytes] = []
    stop = len(text)
    while stop > 0 and len(found) < most:
        begin = text.rfind(b"\n", 0, stop - 1) + 1
        found.append(text[begin:stop])
        stop = begin
    return found[::-1]


def _fits(known: Known, places: Places, first: int) -> bool:
    """Whether what a table says of a member's blocks can be."""
    pairs = enumerate(zip(known.lines, known.skipped, strict=True), first)
    return all(max(lines, skipped) <= places[number].raw_size for number, (lines, skipped) in pairs)
