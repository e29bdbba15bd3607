"""A block as JPEG files and the bytes around them, and the bytes that say so.

A stretch of bytes is: how many files are in it; for each, the bytes before it and its record; then the bytes after the
last. A record has the file's size, how its encoder wrote it, and its head, which is such a stretch again: pictures may
stand in it. `planned` writes stretches, `restored` reads them. Both meet the files in the same order, those in a head
before the file whose head it is, and hand their coefficients to the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.jpeg.planes import Planes
from nzip.formats.jpeg.recoding import (
    LEAST,
    Apart,
    Manner,
    Outline,
    Source,
    outline,
    put_together,
    take_apart,
)
from nzip.formats.jpeg.structure import MOST_SCANS

DEPTH = 3  # files within heads of files
TRIALS = 64  # places of a stretch that look like a file and are none
START = b"\xff\xd8\xff"
FILL, CUT, BROKEN = 3, 4, 8  # a record's flags


class File(NamedTuple):
    """A file that was found: what it is made of, and the bytes and the place in them where it stands."""

    apart: Apart
    source: bytes
    start: int

    def coefficients(self) -> Source:
        """Return a reader of its coefficients: they are never kept."""
        return Source(self.source[self.start : self.start + self.apart.size], self.apart)


def planned(data: bytes, most: int, found: list[File], depth: int = 0, begin: int = 0) -> bytes:
    """Return the plan of a stretch.

    Args:
        data: the stretch.
        most: blocks of a picture that has to be held whole, at most.
        found: gets the files, in order.
        depth: of the stretch; no file is looked for in what is deeper than `DEPTH`.
        begin: where the first file may begin.
    """
    out, count, taken = [], 0, 0
    trials = TRIALS if depth <= DEPTH else 0
    at = data.find(START, begin)
    while at >= 0 and trials:
        apart = take_apart(data, at, None, most)
        if apart is None:
            trials -= 1
            at = data.find(START, at + 2)
            continue
        head = planned(apart.head, most, found, depth + 1, 2)
        found.append(File(apart, data, at))
        out += [uleb(at - taken), data[taken:at], _record(apart, head)]
        count += 1
        taken = at + apart.size
        at = data.find(START, taken)
    return b"".join((uleb(count), *out, uleb(len(data) - taken), data[taken:]))


def _record(apart: Apart, head: bytes) -> bytes:
    manner = apart.manner
    broken = any(manner.breaks)
    flags = manner.fill | CUT * (manner.units > 0) | BROKEN * broken
    out = [uleb(apart.size), bytes((flags,)), uleb(manner.scans)]
    if manner.units:
        out.append(uleb(manner.units))
    if manner.pads:
        out += [uleb(len(manner.pads)), manner.pads]
    if broken:
        for units in manner.breaks:
            out += [uleb(len(units)), units]
    return b"".join((*out, head))


def restored(
    reader: Reader, out: Any, most: int, filler: Callable[[Outline, int], Callable[[Planes], None]], depth: int = 0
) -> int:
    """Put the stretch that a plan stands for into `out`, and return its bytes.

    Args:
        reader: over the plan.
        out: uint8, of as many bytes as the stretch has at most.
        most: blocks of a picture that has to be held whole, at most.
        filler: gets an outline and the file's size; returns what fills in coefficients.
        depth: of the stretch.
    Raises:
        CorruptError: the plan is none.
    """
    import numpy as np

    if depth > DEPTH + 1:
        raise CorruptError("a plan of JPEG files is damaged (files in files in files)")
    at = 0

    def copied(size: int) -> None:
        nonlocal at
        out[at : at + size] = np.frombuffer(reader.bytes(size), np.uint8)
        at += size

    count = reader.uleb()
    if count > len(out) // LEAST:
        raise CorruptError("a plan of JPEG files is damaged (it has too many)")
    for _ in range(count):
        copied(_bounded(reader.uleb(), len(out) - at))
        length = _bounded(reader.uleb(), len(out) - at)
        manner = _manner(reader, length)
        inside = np.zeros(length, np.uint8)
        head = inside[: restored(reader, inside, most, filler, depth + 1)].tobytes()
        del inside
        said = outline(head, manner, length, most)
        out[at : at + length] = put_together(head, manner, said, length, filler(said, length))
        at += length
    copied(_bounded(reader.uleb(), len(out) - at))
    return at


def _bounded(value: int, most: int) -> int:
    if value > most:
        raise CorruptError("a plan of JPEG files is damaged (a length is out of range)")
    return value


def _manner(reader: Reader, size: int) -> Manner:
    flags = reader.u8()
    if flags & ~(FILL | CUT | BROKEN) or flags & FILL == FILL:
        raise CorruptError("a plan of JPEG files is damaged (flags that are not known)")
    scans = _bounded(reader.uleb(), MOST_SCANS)
    units = reader.uleb() if flags & CUT else 0
    pads = reader.bytes(_bounded(reader.uleb(), size)) if flags & FILL == 2 else b""
    breaks = []
    for _ in range(scans if flags & BROKEN else 0):
        breaks.append(reader.bytes(_bounded(reader.uleb(), size)))
    return Manner(scans, units, flags & FILL, pads, tuple(breaks))
