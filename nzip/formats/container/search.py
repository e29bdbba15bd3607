"""The table of a text's words and times, by which a search knows which blocks it need not decode.

It says nothing that the content does not say: one that is damaged, or that a reader does not know, costs time only.
`docs/reference/FORMAT.md`, section 2.10.

Invariants: what a table claims is compared with the bytes that there are, and with the blocks of its member, before it
is kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, check32, uleb

SEARCH = 0x82  # type of the chunk
MAX_TABLE = 1 << 26  # bytes of a table, and of the body of the chunk that holds it
HEAD = 10  # bytes that tell a chunk's size
MOST_CARRIED = 4096  # bytes of a line behind the block in which it begins
MOST_TIME = 3_652_000 * 86_400_000_000  # microseconds: in the year 9999
EVERYWHERE = 255  # in the place of the number of steps
LETTERS, DOTTED, NUMBERS, TIMED, UNENDED = 1, 2, 4, 8, 16  # flags


class Times(NamedTuple):
    """The times of the lines of each block, in microseconds.

    Attributes:
        form: number of the form in which lines state them.
        ranges: the least and the most, and what both are for a line without a time that begins the block; None where
            there is none.
        last: the time of the last line, in this block or before, that has one; None where there is none.
    """

    form: int
    ranges: Sequence[tuple[int, int] | None]
    last: Sequence[int | None]


class Known(NamedTuple):
    """What is known of the blocks of a member.

    Attributes:
        kinds: which words are listed: those of `LETTERS`, `DOTTED`, `NUMBERS`.
        ended: whether the content ends with a line end.
        lines: line ends in each block.
        skipped: bytes of each block before the first line that begins in it.
        carried: what of the last line that begins in a block stands in those behind it; empty where it is too long.
        open: 1 for blocks that may hold other words than are listed.
        words: distinct words of the lines that begin in a block, sorted, a line each, and a line end before the first.
        steps: where each word begins to stand in blocks, and where not to, in turn; None for all blocks.
        times: None where lines state none.
    """

    kinds: int
    ended: bool
    lines: Sequence[int]
    skipped: Sequence[int]
    carried: Sequence[bytes]
    open: bytes
    words: bytes
    steps: Steps
    times: Times | None


class Steps:
    """The steps of each word, as they stand in a table: the number of steps, and how far each is from the one before.

    Args:
        counts: of each word.
        gaps: of all, little-endian.
        width: bytes of one.
    """

    def __init__(self, counts: bytes, gaps: bytes, width: int):
        self._counts, self._gaps, self._width = counts, gaps, width
        self._at = self._sum = 0

    def blocks(self, word: int, count: int) -> Iterator[tuple[int, int]]:
        """Give the stretches of blocks, of `count`, that hold word number `word`: first, and the one behind the last.

        It is quickest to ask for words in ascending order.
        """
        steps = self._counts[word]
        if steps == EVERYWHERE:
            yield 0, count
            return
        if word < self._at:
            self._at = self._sum = 0
        self._sum += sum(self._counts[self._at : word].replace(b"\xff", b""))
        self._at = word
        at, first = 0, -1
        for step in range(self._sum, self._sum + steps):
            at += int.from_bytes(self._gaps[step * self._width : (step + 1) * self._width], "little")
            if first < 0:
                first = at
            else:
                yield min(first, count), min(at, count)
                first = -1
        if first >= 0:
            yield min(first, count), count

    @classmethod
    def of(cls, steps: Iterable[Sequence[int]], blocks: int) -> Steps:
        """Return the steps of words in `blocks` blocks."""
        width = _width(blocks)
        counts, gaps = bytearray(), bytearray()
        for each in steps:
            if len(each) >= EVERYWHERE:
                counts.append(EVERYWHERE)
                continue
            counts.append(len(each))
            before = 0
            for step in each:
                gaps += (step - before).to_bytes(width, "little")
                before = step
        return cls(bytes(counts), bytes(gaps), width)

    @property
    def stored(self) -> bytes:
        """Both columns."""
        return self._counts + self._gaps


def _width(blocks: int) -> int:
    return 1 if blocks < 1 << 8 else 2 if blocks < 1 << 16 else 4


def encode_table(known: Known) -> bytes:
    """Return the table."""
    flags = known.kinds | TIMED * (known.times is not None) | UNENDED * (not known.ended)
    table = bytearray((flags,)) + uleb(len(known.lines))
    for column in (known.lines, known.skipped, [len(text) for text in known.carried]):
        table += b"".join(map(uleb, column))
    table += known.open + b"".join(known.carried)
    if known.times is not None:
        form, ranges, last = known.times
        table.append(form)
        table += bytes((each is not None) + 2 * (time is not None) for each, time in zip(ranges, last, strict=True))
        before = 0
        for each in ranges:
            if each is not None:
                table += uleb(_folded(each[0] - before)) + uleb(each[1] - each[0])
                before = each[0]
        before = 0
        for time in last:
            if time is not None:
                table += uleb(_folded(time - before))
                before = time
    return bytes(table + uleb(known.words.count(b"\n") - 1) + known.steps.stored + known.words[1:])


def decode_table(table: bytes, blocks: int) -> Known:
    """Return what a table says.

    Args:
        table: its bytes.
        blocks: how many blocks its member has.

    Raises:
        CorruptError: it is no such table, or not one of this member.
    """
    reader = Reader(table)
    flags = reader.u8()
    if flags >> 5 or reader.uleb() != blocks or 4 * blocks > reader.left():
        raise _wrong("it is of other blocks")
    lines, skipped, sizes = (_numbers(reader, blocks) for _ in range(3))
    open_ = reader.bytes(blocks)
    if max(sizes, default=0) > MOST_CARRIED:
        raise _wrong("a line that is too long")
    carried = [reader.bytes(size) for size in sizes]
    times = _times(reader, blocks) if flags & TIMED else None
    count = reader.uleb()
    counts = reader.bytes(count)
    width = _width(blocks)
    gaps = reader.bytes(sum(counts.replace(b"\xff", b"")) * width)
    words = b"\n" + reader.bytes(reader.left())
    if words.count(b"\n") != count + 1 or not words.endswith(b"\n"):
        raise _wrong("words that are not as many")
    ended, kinds = not flags & UNENDED, flags & (LETTERS | DOTTED | NUMBERS)
    return Known(kinds, ended, lines, skipped, carried, open_, words, Steps(counts, gaps, width), times)


def _times(reader: Reader, blocks: int) -> Times:
    form = reader.u8()
    there = reader.bytes(blocks)
    ranges: list[tuple[int, int] | None] = []
    last: list[int | None] = []
    time = 0
    for flags in there:
        if flags & 1:
            time += _unfolded(reader.uleb())
            most = time + reader.uleb()
            ranges.append((time, most))
            if not 0 < time <= most < MOST_TIME:
                raise _wrong("a time that cannot be")
        else:
            ranges.append(None)
    time = 0
    for flags in there:
        if flags & 2:
            time += _unfolded(reader.uleb())
            if not 0 < time < MOST_TIME:
                raise _wrong("a time that cannot be")
            last.append(time)
        else:
            last.append(None)
    return Times(form, ranges, last)


def encode_chunk(member: bytes) -> bytes:
    """Return the chunk that holds a table, which is a member of its own."""
    head = bytes((SEARCH,)) + uleb(len(member) + 4) + member
    return head + check32(head).to_bytes(4, "little")


def chunk_size(begin: bytes) -> int | None:
    """Return the bytes of the chunk that begins with `begin`, which has `HEAD` of them or all; None if that is no such
    chunk."""
    reader = Reader(begin)
    try:
        if reader.u8() != SEARCH:
            return None
        size = reader.uleb()
    except CorruptError:
        return None
    return reader.pos + size if size <= MAX_TABLE else None


def decode_chunk(chunk: bytes) -> bytes:
    """Return the member that a whole chunk holds.

    Raises:
        CorruptError: it is damaged.
    """
    reader = Reader(chunk)
    if len(chunk) < 6 or reader.u8() != SEARCH or reader.uleb() != reader.left():
        raise _wrong("its size")
    if check32(chunk[:-4]) != int.from_bytes(chunk[-4:], "little"):
        raise _wrong("its check does not match")
    return bytes(chunk[reader.pos : -4])


def _numbers(reader: Reader, count: int) -> array[int]:
    return array("Q", (reader.uleb() for _ in range(count)))


def _folded(number: int) -> int:
    return 2 * number if number >= 0 else -2 * number - 1


def _unfolded(number: int) -> int:
    return number >> 1 if number % 2 == 0 else -(number >> 1) - 1


def _wrong(why: str) -> CorruptError:
    return CorruptError(f"the table for searches is wrong ({why})")
