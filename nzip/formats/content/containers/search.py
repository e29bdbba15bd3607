"""The usual search: where in bytes the containers lie that a finder knows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

from nzip.formats.content import headers, segments
from nzip.formats.content.containers import hdf5, scan
from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.deflated import gzip_member, zlib_stream
from nzip.formats.content.containers.jpeg import jpeg
from nzip.formats.content.containers.pdf import pdf_stream
from nzip.formats.content.containers.png import png
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.zip import archive

Finder = Callable[[bytes, int, Budget], list[Found]]

FINDERS: dict[int, Finder] = {
    scan.ZLIB: zlib_stream,
    scan.GZIP: gzip_member,
    scan.ZIP: archive,
    scan.PNG: png,
    scan.JPEG: jpeg,
    scan.STREAM: pdf_stream,
}
LEAST = 64  # bytes that are searched
FILE = 0  # beside the numbers of `scan`: a file begins here
LEAVES = frozenset(("audio", "image", "bitmap"))
FIRSTS = frozenset((b"RI", b"FO", b".s", b"BM", b"P4", b"P5", b"P6", b"\0\0"))


def find(data: bytes) -> list[Found]:
    """Return what was found in `data`: stretches that do not overlap, in order."""
    return list(found_in(data, [0, *(member.start + segments.PAGE for member in segments.members(data))]))


def found_in(data: bytes, starts: Iterable[int], first: int = 0) -> Iterator[Found]:
    """As `find`, from `first` on; `starts` are where files are known to begin, in order."""
    if len(data) < LEAST:
        return
    budget, taken, ahead, finders = Budget(len(data)), first, deque[Found](), FINDERS
    for at, kind in merge(((start, FILE) for start in starts), scan.places(data, first)):
        while ahead and ahead[0].start <= at:
            taken = ahead[0].stop
            yield ahead.popleft()
        if at < taken:
            continue
        if kind == scan.HDF5:
            finders = {**FINDERS, scan.ZLIB: hdf5.chunks(data, at, budget)}  # whose chunks are in its form
        finder = _file if kind == FILE else finders.get(kind, _file)
        new = [each for each in finder(data, at, budget) if each.start >= at]
        ahead.extendleft(reversed([each for each in new if not ahead or each.stop <= ahead[0].start]))
    yield from ahead


def _file(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find a file without a container at `at`, if its header says that it is pictures or sound, and where it ends."""
    if data[at : at + 2] not in FIRSTS:
        return []
    segment = headers.parse(data[at : at + headers.HEAD], len(data) - at)
    if segment is None or not segment.sure or segment.kind not in LEAVES or not segment.stride:
        return []
    if segment.length - segment.offset < LEAST:
        return []
    return [Found(at, at + segment.length, segment=segment)]
