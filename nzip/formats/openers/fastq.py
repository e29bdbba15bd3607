"""Opener `fastq`: what sequencing machines write, reads with a name and a quality for each nucleotide.

Names, qualities and nucleotides lie apart inside. docs/reference/SEQUENCES.md defines the inner bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Segment
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.nucleotides import LETTERS, codes, flagged, lines_of, listed, packed, unpacked
from nzip.process import imported

RETURNS, NAMED, OPEN = 1, 2, 4  # flags
LEAST_RECORD = 32  # bytes of a record, on average
WORKING, PER_BYTE = 1 << 20, 6  # memory
ALLOWED = LETTERS + b"N"


class FastqOpener(Opener):
    """Takes whole records apart."""

    name = "fastq"
    id = 31
    version = 1
    for_engines = True

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        ended = coded.endswith(b"\n")
        lines = (coded[:-1] if ended else coded).split(b"\n")
        names, reads, marks, qualities = lines[::4], lines[1::4], lines[2::4], lines[3::4]
        if len(lines) % 4 or len(names) * LEAST_RECORD > len(coded) + 1024:
            return None
        flags = 0 if ended else OPEN
        if names[0].endswith(b"\r"):
            flags |= RETURNS
            whole = lines if ended else lines[:-1]
            if not all(line.endswith(b"\r") for line in whole):
                return None
            names, reads, marks = ([line[:-1] for line in column] for column in (names, reads, marks))
            qualities = [line.removesuffix(b"\r") for line in qualities]
        if len(marks[0]) > 1:
            flags |= NAMED
        if not all(name.startswith(b"@") for name in names):
            return None
        names = [name[1:] for name in names]
        if any(mark != (b"+" + name if flags & NAMED else b"+") for mark, name in zip(marks, names, strict=True)):
            return None
        if list(map(len, reads)) != list(map(len, qualities)):
            return None
        letters = b"".join(reads)
        told = symbols_of(letters, b"".join(qualities))
        if told is None:
            return None
        lists, symbols = told
        text = b"\n".join(names)
        lists = bytes((flags,)) + uleb(len(names)) + lists
        inner = joined(text, lists, b"\n".join(qualities) + b"\n", packed(symbols))
        return self.tried(inner, b"", coded) if len(inner) <= most else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        if recipe:
            raise CorruptError("a recipe of reads is not empty")
        text, lists, qualities, nucleotides = parted(inner)
        flags, count = lists.u8(), lists.uleb()
        if flags > RETURNS + NAMED + OPEN or count * LEAST_RECORD > size + 1024:
            raise CorruptError("there are more reads than their bytes have room for")
        if text.count(b"\n") + 1 != count or qualities.count(b"\n") != count or qualities[-1:] != b"\n":
            raise CorruptError("names and qualities of reads are not as many as the reads")
        letters = qualities.replace(b"\n", b"")
        if len(nucleotides) != -(-len(letters) // 4):
            raise CorruptError("there are more nucleotides, or fewer, than qualities")
        letters = letters_of(unpacked(nucleotides, len(letters)), unknown_of(lists, letters))
        end = b"\r\n" if flags & RETURNS else b"\n"
        named = (1 + bool(flags & NAMED)) * (len(text) - count + 1)
        whole = named + 2 * len(letters) + count * (2 + 4 * len(end)) - len(end) * bool(flags & OPEN)
        if lists.left() or whole != size:
            raise CorruptError(f"reads do not take the {size:,} bytes that belong there")
        made, at = bytearray(), 0
        for name, row in zip(lines_of(text), lines_of(qualities), strict=False):
            mark = b"+" + name if flags & NAMED else b"+"
            made += end.join((b"@" + name, letters[at : at + len(row)], mark, row)) + end
            at += len(row)
        return bytes(made[:size])

    def memory(self, inner: int, size: int) -> int:
        return WORKING + PER_BYTE * size + 3 * inner

    def longest_recipe(self, size: int) -> int:
        return 0


def symbols_of(letters: bytes, qualities: bytes) -> tuple[bytes, Any] | None:
    """Return a list of Ns among letters A, C, G, T and N, and 0 to 3 for each (uint8), also an N; None for others."""
    imported("numpy")
    import numpy as np

    if letters.translate(None, ALLOWED):
        return None
    array = np.frombuffer(letters, np.uint8)
    unknown = array == ord("N")
    symbols = codes()[array] & 3
    if unknown.any():
        every = np.frombuffer(qualities, np.uint8)
        quality = int(every[unknown][0])
        if (unknown == (every == quality)).all():
            return bytes((1, quality)), symbols
    told = listed(unknown)
    return None if told is None else (b"\0" + told, symbols)


def unknown_of(lists: Reader, qualities: bytes) -> Any:
    """Return which letters are N (bool), as `symbols_of` listed them.

    Raises:
        CorruptError: the list is none.
    """
    imported("numpy")
    import numpy as np

    telling = lists.u8()
    if telling > 1:
        raise CorruptError("unknown nucleotides are told in a way that there is not")
    if telling:
        return np.frombuffer(qualities, np.uint8) == lists.u8()
    return flagged(lists, len(qualities))


def letters_of(symbols: Any, unknown: Any) -> bytes:
    """Return letters of nucleotides 0 to 3, and N where they are not known."""
    import numpy as np

    letters = np.frombuffer(LETTERS, np.uint8)[symbols]
    letters[unknown] = ord("N")
    return bytes(letters.tobytes())


def joined(text: bytes, lists: bytes, qualities: bytes, nucleotides: bytes) -> bytes:
    """Return inner bytes; qualities and nucleotides are a stretch as the engine of reads takes it."""
    return b"".join((uleb(len(text)), uleb(len(lists)), text, lists, uleb(len(qualities)), qualities, nucleotides))


def parted(inner: bytes) -> tuple[bytes, Reader, bytes, bytes]:
    """Return what `joined` was given.

    Raises:
        CorruptError: inner bytes have no such form.
    """
    reader = Reader(inner)
    texts, lists = reader.uleb(), reader.uleb()
    text, told = reader.bytes(texts), Reader(reader.bytes(lists))
    qualities = reader.bytes(reader.uleb())
    return text, told, qualities, reader.bytes(reader.left())


def stretches(inner: bytes) -> Iterator[tuple[int, int, Segment]]:
    """Yield where inner bytes hold qualities and nucleotides, and the segment that says so."""
    reader = Reader(inner)
    texts, lists = reader.uleb(), reader.uleb()
    start = reader.pos + texts + lists
    if start < len(inner):
        yield start, len(inner), Segment("sequenced", len(inner) - start, confidence=100)


def qualities_in(inner: bytes, start: int) -> int:
    """Return where qualities end that begin, behind their length, at `start`."""
    reader = Reader(inner)
    reader.pos = start
    length = reader.uleb()
    return reader.pos + length


def whole_records(data: bytes, start: int, stop: int) -> int:
    """Return where the records end that begin at `start`."""
    at = start
    while at < stop:
        ends = [at]
        for _ in range(4):
            ends.append(data.find(b"\n", ends[-1], stop) + 1)
            if not ends[-1]:
                break
        if not ends[-1]:
            if len(ends) < 5 or not data.startswith(b"@", at):
                return at
            ends[-1] = stop  # the last line has no end
        read = data[ends[1] : ends[2]].rstrip()
        quality = data[ends[3] : ends[4]].rstrip(b"\r\n")
        if data[at : at + 1] != b"@" or data[ends[2] : ends[2] + 1] != b"+" or len(read) != len(quality):
            return at
        if read.translate(None, ALLOWED):
            return at
        at = ends[-1]
    return at
