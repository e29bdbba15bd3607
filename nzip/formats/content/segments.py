"""Where in a block another kind of content begins.

Borders come from the members of a tar archive (POSIX.1-1988, ustar, and what followed it), from headers that say where
their file ends, and, where neither is, from whether windows of bytes are text. A border costs an engine a new start of
some statistics, so a stretch that is short for its block is no stretch of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from nzip.formats.content import headers, records

PAGE = 512  # bytes, as in a tar archive; borders between windows are searched to a page
WINDOW = 32  # pages whose bytes are classed together
SHORTEST = 16 << 10  # bytes of a stretch at least,
SHARE = 256  # and one in so many of the block's
STEP = 4  # pages, of which one is looked at
STEADY = 4  # windows of one class at least that follow each other, for a border at the first
TAIL = 16  # a block may end so much earlier, one byte in so many, for the next one to begin at a border
MAGIC, MAGIC_AT = b"ustar", 257
WRONG_HEADERS = 1 << 10  # magic words without a header that are looked at in a block
# Words of headers that say how long their file is, and how far behind its beginning they stand.
FILES = (
    (b"WAVEfmt ", 8), (b"AIFFCOMM", 8), (b".snd\0\0", 0), (b"\0\0\0\x28\0\0\0", 11), (b"\x93NUMPY", 0),
    (b"P4\n", 0), (b"P5\n", 0), (b"P6\n", 0),
)  # fmt: skip


class Stretch(NamedTuple):
    """Bytes `start` up to `stop` of a block, which are taken to be of one kind.

    Attributes:
        skipped: bytes at its beginning that only announce it: a member's header in an archive.
    """

    start: int
    stop: int
    skipped: int = 0


class Member(NamedTuple):
    """A member of a tar archive: where its header begins, and where the next one may begin (behind the block's end,
    where the member does not end in it)."""

    start: int
    stop: int


def stretches(block: bytes) -> list[Stretch]:
    """Return the stretches of `block`, in order; one where all of it is alike."""
    size = len(block)
    shortest = max(SHORTEST, size // SHARE)
    if size < 2 * shortest:
        return [Stretch(0, size)]
    pages, found, at = _Pages(block), list[Stretch](), 0
    for start, stop in members(block):
        pages.leave_out(start)
        if min(stop, size) - start >= shortest:
            found += _files(block, Stretch(at, start), shortest, pages)
            at = min(stop, size)
            found += _files(block, Stretch(start, at, PAGE), shortest, pages)
    found += _files(block, Stretch(at, size), shortest, pages)
    return _without_short(found, shortest)


def _without_short(found: list[Stretch], shortest: int) -> list[Stretch]:
    """Return the stretches with those that are too short joined to the one before, the first to the one behind."""
    joined: list[Stretch] = []
    for part in found:
        if joined and joined[-1].stop - joined[-1].start < shortest:
            first = joined.pop().start
            part = Stretch(first, part.stop, part.start - first + part.skipped)
        if joined and part.stop - part.start < shortest:
            joined[-1] = joined[-1]._replace(stop=part.stop)
        else:
            joined.append(part)
    return joined


def last_border(data: bytes) -> int:
    """Return where the last stretch begins of `data`, which more follows, if that is near its end: the member of an
    archive that `data` tears, or what text is followed by, or follows. Its length where there is no border."""
    size = len(data)
    first = size - size // TAIL
    if size - first < 2 * SHORTEST:
        return size
    last = size
    for member in members(data, first):
        last = member.start
        if member.stop == size:
            last = size
    if last < size:
        return last
    seen = size - 2 * (size - first)
    borders = _changes(_Pages(data[seen:]), 0, size - seen, SHORTEST)
    return seen + borders[-1] if borders and seen + borders[-1] >= first else size


def members(data: bytes, start: int = 0) -> Iterator[Member]:
    """Yield the members of a tar archive whose headers lie in `data` from `start` on, wherever the archive begins."""
    at, wrong = start, 0
    while wrong < WRONG_HEADERS:
        length = _member_size(data, at)
        if length is None:
            found = data.find(MAGIC, at + MAGIC_AT + 1) - MAGIC_AT
            if found < 0:
                return
            at, wrong = found, wrong + 1
            continue
        stop = at + PAGE + -(-length // PAGE) * PAGE
        yield Member(at, stop)
        if stop >= len(data):
            return
        wrong = max(0, wrong - 1)
        at = stop


def _member_size(data: bytes, at: int) -> int | None:
    """Return the bytes of the member whose header begins at `at`; None if none does."""
    header = data[at : at + PAGE]
    if len(header) < PAGE or header[MAGIC_AT : MAGIC_AT + len(MAGIC)] != MAGIC:
        return None
    check, length = _octal(header[148:156]), _octal(header[124:136])
    if header[124] & 0x80:
        length = int.from_bytes(header[125:136], "big")
    if length is None or check != sum(header) - sum(header[148:156]) + 8 * 32:
        return None
    return length


def _octal(field: bytes) -> int | None:
    digits = field.strip(b" \0")
    return int(digits, 8) if digits and not digits.translate(None, b"01234567") else None


def _files(block: bytes, part: Stretch, shortest: int, pages: _Pages) -> list[Stretch]:
    """Return the stretches of a part: files that follow each other, and what their headers say nothing about."""
    found: list[Stretch] = []
    start, stop, skipped = part
    while stop - start >= 2 * shortest:
        behind = start + skipped
        header = headers.parse(block[behind : behind + headers.HEAD], stop - behind)
        if header is None or not header.sure or not header.stride or header.length < shortest:
            break
        end = behind + header.length
        if stop - end < shortest:
            return [*found, Stretch(start, stop, skipped)]
        found.append(Stretch(start, end, skipped))
        start, skipped = end, 0
    else:
        return [*found, Stretch(start, stop, skipped)] if start < stop else found
    first, last = -(-start // PAGE), stop // PAGE
    alike = first < last and bool(pages.text(first, last, WINDOW, STEP).all())
    file = stop if alike else _next_file(block, start + skipped, stop, shortest)
    borders = [start, *([] if alike else _changes(pages, start, file, shortest)), file]
    found.append(Stretch(borders[0], borders[1], skipped))
    found += [Stretch(a, b) for a, b in pairwise(borders[1:])]
    return found + (_files(block, Stretch(file, stop), shortest, pages) if file < stop else [])


def _next_file(block: bytes, start: int, stop: int, shortest: int) -> int:
    """Return where between `start` and `stop` the first file begins whose header says how long it is; else `stop`.

    It must end in the block, lest a few words of a text that look like a header make the rest of it a picture.
    """
    for magic, before in FILES:
        at, wrong = block.find(magic, start + before, stop) - before, 0
        while start <= at < stop - shortest and wrong < WRONG_HEADERS:
            header = headers.parse(block[at : at + headers.HEAD], stop - at + 1)
            if at > start and header is not None and header.sure and shortest <= header.length <= stop - at:
                stop = at
                break
            at, wrong = block.find(magic, at + before + 1, stop) - before, wrong + 1
    return stop


class _Pages:
    """The whole pages of a block, without those that are headers of an archive's members."""

    def __init__(self, block: bytes):
        import numpy as np

        self._data = np.frombuffer(block, np.uint8, len(block) // PAGE * PAGE).reshape(-1, PAGE)  # (pages, PAGE)
        self._left_out: list[int] = []
        self._control = np.zeros(256, np.uint8)
        self._control[:9] = self._control[14:32] = 1

    def leave_out(self, start: int) -> None:
        """Do not look at the page at `start`, which is a header."""
        if start % PAGE == 0:
            self._left_out.append(start // PAGE)

    def text(self, first: int, last: int, each: int, step: int = 1) -> Any:
        """Return for each group of `each` pages from `first` up to `last` whether they are text, as one page in `step`
        shows it."""
        import numpy as np

        data = self._data[first:last:step]
        size = np.full(len(data), PAGE, np.int64)
        out = np.array(self._left_out, np.int64) - first
        out = out[(out >= 0) & (out < last - first) & (out % step == 0)] // step
        size[out] = 0
        kept = size > 0
        control = np.add.reduce(self._control[data], axis=1, dtype=np.int64) * kept
        high = np.add.reduce(data >> 7, axis=1, dtype=np.int64) * kept
        groups = np.arange(0, len(data), each // step)
        return records.is_text(*(np.add.reduceat(counts, groups) for counts in (control, high, size)))


def _changes(pages: _Pages, start: int, stop: int, shortest: int) -> list[int]:
    """Return where between `start` and `stop` text begins or ends for long."""
    first, last = -(-start // PAGE), stop // PAGE
    steady = max(STEADY, shortest // (WINDOW * PAGE))
    if last - first < 2 * steady * WINDOW:
        return []
    windows = pages.text(first, last, WINDOW, STEP).tolist()
    found: list[int] = []
    state, run = None, 0
    for number, text in enumerate(windows):
        run = run + 1 if number and text == windows[number - 1] else 1
        if run < steady or text == state:
            continue
        if state is not None:
            at = first + (number + 1 - run) * WINDOW
            found.append(PAGE * _exact(pages, max(first, at - WINDOW), min(last, at + WINDOW), text))
        state = text
    return found


def _exact(pages: _Pages, first: int, last: int, text: bool) -> int:
    """Return the page from `first` up to `last` where text (or, if not `text`, what is none) begins."""
    import numpy as np

    right = np.where(pages.text(first, last, 1) == text, 1, -1)
    # The most pages behind the border that are as they should be, and before it that are not.
    gain = np.concatenate((np.cumsum(right[::-1])[::-1], np.zeros(1, np.int64)))
    return first + int(np.argmax(gain))
