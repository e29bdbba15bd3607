"""The usual search: where in bytes the containers lie that a finder knows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

from nzip.formats.content import headers, segments
from nzip.formats.content.containers import dib, dicom, encodings, genomes, gif, hdf5, modules, psd, scan, tiff, y4m
from nzip.formats.content.containers.base import Found
from nzip.formats.content.containers.deflated import gzip_member, zlib_stream
from nzip.formats.content.containers.grids import grib, netcdf, npy, raw
from nzip.formats.content.containers.grids.fields import Array, fields
from nzip.formats.content.containers.jpeg import jpeg
from nzip.formats.content.containers.pdf import pdf_stream
from nzip.formats.content.containers.png import png
from nzip.formats.content.containers.streams import Budget
from nzip.formats.content.containers.tensors import files as weights
from nzip.formats.content.containers.zip import archive

Finder = Callable[[bytes, int, Budget], list[Found]]

FINDERS: dict[int, Finder] = {
    scan.ZLIB: zlib_stream,
    scan.GZIP: gzip_member,
    scan.ZIP: archive,
    scan.PNG: png,
    scan.JPEG: jpeg,
    scan.STREAM: pdf_stream,
    scan.GIF: gif.find,
    scan.TIFF_LITTLE: tiff.find,
    scan.TIFF_BIG: tiff.find,
    scan.PSD: psd.find,
    scan.DIB: dib.find,
    scan.IMPULSE: modules.find,
    scan.SCREAM: modules.find,
    scan.FAST: modules.find,
    scan.PRO: modules.find,
    scan.NETCDF: netcdf.find,
    scan.GRIB: grib.find,
}
LEAST = 64  # bytes that are searched
FILE, RUN = 0, -1  # beside the numbers of `scan`: a file begins here, a run of digits or nucleotides
LEAVES = frozenset(("audio", "image", "bitmap"))
FIRSTS = frozenset((
    b"RI", b"RF", b"BW", b"ri", b"FO", b".s", b"dn", b"ca", b"BM", b"P4", b"P5", b"P6", b"\0\0", b"SI", b"\x5c\1",
))  # fmt: skip


def budget_of(size: int) -> Budget:
    """Return what searches in a block of `size` bytes may spend, all together."""
    return Budget(size, found_in)


def find(data: bytes, budget: Budget | None = None) -> list[Found]:
    """Return what was found in `data`: stretches that do not overlap, in order."""
    budget = budget or budget_of(len(data))
    # The bytes of arrays are many, and worth no look.
    numbers = _numbers(data, 0, budget) if weights.begins(data, 0) else []
    first = numbers[-1].stop if numbers else 0
    if numbers and len(data) - first < LEAST:
        return numbers
    starts = [*([] if numbers else [0]), *(member.start + segments.PAGE for member in segments.members(data, first))]
    return [*raw.between(data, [*numbers, *found_in(data, starts, first, budget=budget)], starts, budget)]


def whole(found: Iterable[Found]) -> list[tuple[int, int]]:
    """Return where files, and other stretches that are coded as a whole, begin and end; tensors that follow each other
    are one."""
    spans: list[tuple[int, int]] = []
    follows = False
    for each in found:
        tensor = each.segment is not None and each.segment.kind == "weights"
        if tensor and follows:
            spans[-1] = spans[-1][0], each.stop
        else:
            spans.append((each.start, each.stop))
        follows = tensor
    return spans


def found_in(data: bytes, starts: Iterable[int], first: int = 0, *, budget: Budget) -> Iterator[Found]:
    """As `find`, from `first` on; `starts` are where files are known to begin, in order."""
    if len(data) - first < LEAST:
        return
    taken, ahead, finders = first, deque[Found](), FINDERS
    runs = {run.start: [run] for run in (*encodings.find(data), *genomes.find(data)) if run.start >= first}
    files, digits = ((start, FILE) for start in starts), ((start, RUN) for start in sorted(runs))
    for at, kind in merge(files, digits, scan.places(data, first)):
        while ahead and ahead[0].start <= at:
            taken = ahead[0].stop
            yield ahead.popleft()
        if at < taken:
            continue
        if kind == scan.HDF5:
            file = hdf5.File(data, at, budget)
            finders = {**FINDERS, scan.ZLIB: file.chunk}  # whose chunks are in its form
            new = [each for array in file.arrays for each in fields(data, array)]
        else:
            new = runs[at] if kind == RUN else finders.get(kind, _file)(data, at, budget)
        ahead.extendleft(
            reversed([each for each in new if each.start >= at and (not ahead or each.stop <= ahead[0].start)])
        )
    budget.release()
    yield from ahead


def _file(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Find a file without a container at `at`, if its header says that it is pictures or sound, and where it ends."""
    if data.startswith(dicom.MARK, at + dicom.PREAMBLE):
        return dicom.find(data, at, budget)
    if data.startswith(y4m.MAGIC, at):
        return y4m.find(data, at, budget)
    if weights.begins(data, at):
        return _numbers(data, at, budget)
    if data[at : at + 2] not in FIRSTS:
        return []
    head = data[at : at + headers.HEAD]
    if not budget.walk(len(head)):
        return []
    segment = headers.parse(head, len(data) - at)
    if segment is not None and segment.kind == "array" and segment.row and segment.width:
        shape = (segment.length - segment.offset) // segment.row, segment.row // segment.width
        return fields(data, Array(at + segment.offset, segment.width, shape, segment.big, segment.real))
    if segment is None or not segment.sure or segment.kind not in LEAVES or not segment.stride:
        return []
    if segment.length - segment.offset < LEAST:
        return []
    return [Found(at, at + segment.length, segment=segment)]


def _numbers(data: bytes, at: int, budget: Budget) -> list[Found]:
    """Return the fields or the tensors of a file of arrays that begins at `at`."""
    found = [each for array in npy.arrays(data, at, budget) for each in fields(data, array)]
    return found or npy.signals(data, at, budget) or weights.find(data, at, budget)
