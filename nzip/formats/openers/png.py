"""Opener `png`: a PNG or APNG file becomes its chunks without checks, and its filtered rows.

ISO/IEC 15948 and APNG 1.0. The inner bytes are the file's *skeleton* (each chunk's length, name and data, but for a run
of image data its name alone) and then the streams that the runs hold, inflated. Checks of chunks, Adler-32, the
lengths of image data and its sequence numbers are computed. The opener of deflate redoes the streams.
docs/reference/OPENERS.md defines it to the bit.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.wrapped import ADLER, HEADER, deflate, zlib_header

SIGNATURE = b"\x89PNG\r\n\x1a\n"
IMAGE, FRAME, CONTROL, END = b"IDAT", b"fdAT", b"fcTL", b"IEND"
LARGEST_CHUNK = 1 << 30
MOST_STREAMS = 1 << 12
KEPT = 0  # stands for the header of a stream that is not opened
CHUNK = 12  # bytes of a chunk without data
ONE, EACH = range(2)  # a run's form: one chunk, or chunks whose lengths are all stated


class Run(NamedTuple):
    """A run of chunks of image data.

    Attributes:
        form: `ONE`, `EACH`, or the bytes of each chunk but the last.
        lengths: with `EACH`, the bytes of each chunk.
        inner: bytes that the stream has in the inner bytes.
        header: what the stream begins with; empty where it stays as it is.
        recipe: what the opener of deflate needs.
    """

    form: int
    lengths: Sequence[int]
    inner: int
    header: bytes
    recipe: bytes

    def pieces(self, size: int) -> Iterable[int]:
        """Return the bytes of each chunk, where the stream has `size`."""
        if self.form == ONE:
            return (size,)
        if self.form == EACH:
            if sum(self.lengths) != size:
                raise CorruptError("a recipe of png has chunks of another stream")
            return self.lengths
        whole, rest = divmod(size, self.form)
        return chain(repeat(self.form, whole), (rest,) if rest else ())


class Chunk(NamedTuple):
    """A chunk of a file, or of a skeleton: its name and its data."""

    name: bytes
    data: bytes


def chunks(data: bytes, at: int, checked: int) -> Iterator[Chunk]:
    """Yield the chunks that follow each other from `at` to IEND or to the end of the bytes.

    Args:
        checked: bytes of the check behind each chunk, which is not looked at.

    Raises:
        ValueError: the bytes are no chunks.
    """
    while at < len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        stop = at + 8 + length
        if length > LARGEST_CHUNK or stop + checked > len(data) or not (len(name) == 4 and name.isalpha()):
            raise ValueError("not a chunk")
        yield Chunk(name, data[at + 8 : stop])
        if name == END:
            return
        at = stop + checked


class PngOpener(Opener):
    """Takes a whole file from its signature to its IEND."""

    name = "png"
    id = 21
    version = 1

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        if coded[:8] != SIGNATURE:
            return None
        try:
            skeleton, pieces = _taken_apart(coded)
        except ValueError:
            return None
        left, runs, inners = most - len(skeleton), list[Run](), [skeleton]
        for run in pieces[: MOST_STREAMS + 1]:
            stream = b"".join(run)
            opened = self._inflated(stream, left, hints)
            inner, text = (stream, b"") if opened is None else opened
            left -= len(inner)
            inners.append(inner)
            runs.append(Run(*_form(list(map(len, run))), len(inner), stream[:HEADER] if opened else b"", text))
        if not any(run.header for run in runs) or len(runs) > MOST_STREAMS or left < 0:
            return None
        try:
            if _put_together(skeleton, runs, [b"".join(run) for run in pieces], len(coded)) != coded:
                return None  # a check is wrong, say
        except CorruptError:
            return None
        return Opened(b"".join(inners), uleb(len(runs)) + b"".join(map(_written, runs)))

    def _inflated(self, stream: bytes, most: int, hints: dict[str, Any]) -> Opened | None:
        """Return what opens a zlib stream, where the opener of deflate does and the stream's check is right."""
        if len(stream) <= HEADER + ADLER or not zlib_header(stream):
            return None
        opened = deflate().open(stream[HEADER:-ADLER], most, **hints)
        if opened is None or zlib.adler32(opened.inner).to_bytes(4, "big") != stream[-ADLER:]:
            return None
        return opened

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        read = Reader(recipe)
        count = read.uleb()
        if not 1 <= count <= MOST_STREAMS:
            raise CorruptError("a recipe of png has too many streams")
        runs, chunks_left = list[Run](), size // CHUNK
        for _ in range(count):
            runs.append(_read(read, chunks_left))
            chunks_left -= len(runs[-1].lengths)
        start = len(inner) - sum(run.inner for run in runs)
        if start < 0 or read.left():
            raise CorruptError("a recipe of png is for other bytes")
        skeleton, streams, left = inner[:start], list[bytes](), size
        for run in runs:
            stream = inner[start : start + run.inner]
            start += run.inner
            if run.header:
                made = deflate().close_within(stream, run.recipe, left)
                stream = run.header + made + zlib.adler32(stream).to_bytes(4, "big")
            streams.append(stream)
            left -= len(stream)
            if left < 0:
                raise CorruptError("a recipe of png makes too many bytes")
        return _put_together(skeleton, runs, streams, size)

    def memory(self, inner: int, size: int) -> int:
        return deflate().memory(inner, size) + inner + 4 * size

    def prepare(self) -> None:
        deflate().prepare()


def _taken_apart(coded: bytes) -> tuple[bytes, list[list[bytes]]]:
    """Return the skeleton of a file, and the pieces of each run of image data.

    Raises:
        ValueError: the file is none.
    """
    skeleton, runs = bytearray(), list[list[bytes]]()
    before = b""
    for name, data in chunks(coded, len(SIGNATURE), 4):
        if name in (IMAGE, FRAME):
            if name != before:
                skeleton += bytes(4) + name
                runs.append([])
            if name == FRAME:
                if len(data) < 4:
                    raise ValueError("no sequence number")
                data = data[4:]
            runs[-1].append(data)
        else:
            skeleton += len(data).to_bytes(4, "big") + name + data
        before = name
    if before != END:
        raise ValueError("no end")
    return bytes(skeleton), runs


def _form(lengths: list[int]) -> tuple[int, tuple[int, ...]]:
    """Return the form of a run whose chunks have so many bytes, and the lengths that stand with it."""
    first, last = lengths[0], lengths[-1]
    if len(lengths) == 1:
        return ONE, ()
    if first > EACH and 1 <= last <= first and all(length == first for length in lengths[:-1]):
        return first, ()
    return EACH, tuple(lengths)


def _written(run: Run) -> bytes:
    """Return how a recipe states a run."""
    text = uleb(run.form)
    if run.form == EACH:
        text += uleb(len(run.lengths)) + b"".join(map(uleb, run.lengths))
    text += uleb(run.inner)
    return text + run.header + uleb(len(run.recipe)) + run.recipe if run.header else text + bytes((KEPT,))


def _read(read: Reader, most: int) -> Run:
    """Return the run that a recipe states next, whose lengths are `most` at most."""
    form = read.uleb()
    lengths: Sequence[int] = ()
    if form == EACH:
        count = read.uleb()
        if count > most:
            raise CorruptError("a recipe of png has too many chunks")
        lengths = array("q", (read.uleb() for _ in range(count)))
    inner, first = read.uleb(), read.u8()
    if first == KEPT:
        return Run(form, lengths, inner, b"", b"")
    header = bytes((first, read.u8()))
    return Run(form, lengths, inner, header, read.bytes(read.uleb()))


def _put_together(skeleton: bytes, runs: list[Run], streams: list[bytes], size: int) -> bytes:
    """Return the file of a skeleton and its streams."""
    out, read, number, sequence = bytearray(SIGNATURE), 0, 0, 0

    def add(name: bytes, data: bytes) -> None:
        nonlocal out
        if len(out) + 12 + len(data) > size:
            raise CorruptError("a recipe of png makes too many bytes")
        out += len(data).to_bytes(4, "big") + name
        out += data
        out += zlib.crc32(data, zlib.crc32(name)).to_bytes(4, "big")

    try:
        for name, data in chunks(skeleton, 0, 0):
            read += 8 + len(data)
            if name == CONTROL:
                sequence = int.from_bytes(data[:4], "big") + 1
            if name not in (IMAGE, FRAME):
                add(name, data)
                continue
            if number == len(streams):
                raise CorruptError("a skeleton of png has more streams than there are")
            at = 0
            for piece in runs[number].pieces(len(streams[number])):
                head = b""
                if name == FRAME:
                    head = (sequence & 0xFFFFFFFF).to_bytes(4, "big")
                    sequence += 1
                add(name, head + streams[number][at : at + piece])
                at += piece
            number += 1
    except ValueError:
        raise CorruptError("a skeleton of png is no chunks") from None
    if number != len(streams) or read != len(skeleton) or len(out) != size:
        raise CorruptError("a recipe of png is for other bytes")
    return bytes(out)
