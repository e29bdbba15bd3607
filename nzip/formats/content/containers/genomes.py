"""Sequences of nucleotides: FASTA, GenBank and EMBL files, any other text that holds long ones, FASTQ, SAM and VCF
files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from nzip.formats.content.containers.base import Found
from nzip.formats.content.kinds import Segment
from nzip.formats.openers import fastq, sam, sequences, vcf
from nzip.process import imported

WINDOW = 256  # bytes that are looked at together
DENSE = 154  # of them that are letters of nucleotides
APART = 4  # windows with fewer that may lie between those with more
LEAST = 4  # windows of a stretch
LINE = 4096  # bytes that are looked through for the end of a line
HEADERS = (b"@HD\t", b"@SQ\t", b"@RG\t", b"@PG\t", b"@CO\t")  # lines of a SAM file's header
MARK = b"\n+"  # what stands before the qualities of a read
TRIES = 64  # of them that are looked at in vain
LINES = 1 << 16  # bytes of the lines before one
LEAST_READS = 1 << 10  # bytes of records
LONGEST = 1 << 22  # bytes of a line of variants
VARIANTS = b"##fileformat=VCF"
RARE = 32  # of so many nucleotides one at least is of each of three letters


def find(data: bytes) -> list[Found]:
    """Return all that is found in `data`; where records are, what is between them may be nucleotides."""
    sure = sorted((*reads(data), *placed(data), *variants(data)), key=lambda each: each.start)
    found, at = list[Found](), 0
    for each in sure:
        if each.start >= at:
            found += [*_shifted(data, at, each.start), each]
            at = each.stop
    return [*found, *_shifted(data, at, len(data))]


def _shifted(data: bytes, start: int, stop: int) -> list[Found]:
    piece = data if stop - start == len(data) else data[start:stop]
    return [each._replace(start=each.start + start, stop=each.stop + start) for each in texts(piece)]


def texts(data: bytes) -> list[Found]:
    """Return the stretches of `data` that are nucleotides for the most part, in order."""
    if len(data) < LEAST * WINDOW:
        return []
    imported("numpy")
    import numpy as np

    windows = len(data) // WINDOW
    letters = _letters()[np.frombuffer(data, np.uint8, windows * WINDOW)]
    dense = np.flatnonzero(letters.reshape(windows, WINDOW).sum(1, dtype=np.uint16) >= DENSE)
    if not len(dense):
        return []
    breaks = np.flatnonzero(np.diff(dense) > APART + 1)
    firsts = dense[np.concatenate(([0], breaks + 1))]
    lasts = dense[np.concatenate((breaks, [len(dense) - 1]))]
    found, end = list[Found](), 0
    for first, behind in zip(firsts.tolist(), (lasts + 1).tolist(), strict=True):
        if behind - first < LEAST:
            continue
        start = max(end, first * WINDOW)
        start = max(start, data.rfind(b"\n", max(end, start - LINE), start) + 1)
        stop = behind * WINDOW if behind < windows else len(data)
        ends = data.find(b"\n", stop, stop + LINE) + 1
        stop = ends or stop
        if stop > start and _varied(data[start : min(stop, start + (1 << 16))]):
            found.append(Found(start, stop, "sequences", inside=inside))
            end = stop
    return found


def reads(data: bytes) -> list[Found]:
    """Return the stretches of `data` that are records of FASTQ files, in order."""
    found, at, tries = list[Found](), 0, 0
    while tries < TRIES:
        mark = data.find(MARK, at)
        if mark < 0:
            break
        first = data.rfind(b"\n", max(0, mark - LINES), mark)  # before the read
        start = data.rfind(b"\n", max(0, first - LINES), max(0, first)) + 1
        stop = start
        if first > 0 and start >= (found[-1].stop if found else 0) and data.startswith(b"@", start):
            stop = fastq.whole_records(data, start, len(data))
        if stop - start >= LEAST_READS:
            found.append(Found(start, stop, "fastq", inside=records))
            at, tries = stop, 0
        else:
            at, tries = mark + len(MARK), tries + 1
    return found


def placed(data: bytes) -> list[Found]:
    """Return the stretch of `data` that is lines of a SAM file, if it begins with its header, or with a line of it."""
    start = 0
    while data.startswith(HEADERS, start):
        start = data.find(b"\n", start, start + LINES) + 1
        if not start:
            return []
    if sam.LINE.match(data, start, start + LINES) is None:
        start = data.find(b"\n", start, start + LINES) + 1
    stop = start
    while (match := sam.LINE.match(data, stop, stop + LINES)) is not None and len(match[10]) == len(match[11]):
        stop = match.end()
    return [Found(start, stop, "sam", inside=aligned)] if stop - start >= LEAST_READS else []


def variants(data: bytes) -> list[Found]:
    """Return the stretch of `data` that is a VCF file, if it begins with its header, or with lines of one."""
    start = 0
    if data.startswith(VARIANTS):
        first = vcf.header_end(data)
    else:
        if vcf.LINE.match(data, 0, LINES) is None:
            start = data.find(b"\n", 0, LINES) + 1
        first = start
    stop = vcf.whole_lines(data, first, LONGEST)
    return [Found(start, stop, "vcf", inside=tabled)] if stop > first and stop - start >= LEAST_READS else []


def tabled(inner: bytes) -> Iterator[Found]:
    """Find the header, the columns and the cells in what the opener of variants gives."""
    for start, stop, segment in vcf.stretches(inner):
        yield Found(start, stop, segment=segment)


def aligned(inner: bytes) -> Iterator[Found]:
    """Find qualities and nucleotides in what the opener of placed reads gives."""
    for start, stop, segment in fastq.stretches(inner):
        qualities = fastq.qualities_in(inner, start)
        yield Found(start, qualities, segment=replace(segment, length=qualities - start))
        if qualities < stop:
            yield Found(qualities, stop, segment=Segment("nucleotides", stop - qualities, confidence=100))


def records(inner: bytes) -> Iterator[Found]:
    """Find qualities and nucleotides in what the opener of reads gives."""
    for start, stop, segment in fastq.stretches(inner):
        yield Found(start, stop, segment=segment)


def inside(inner: bytes) -> Iterator[Found]:
    """Find nucleotides in what the opener gives."""
    for start, stop, segment in sequences.stretches(inner):
        yield Found(start, stop, segment=segment)


@lru_cache(maxsize=1)
def _letters() -> Any:
    """Return 1 for letters of nucleotides, also N (uint8[256])."""
    import numpy as np

    table = np.zeros(256, np.uint8)
    table[np.frombuffer(b"ACGTNacgtn", np.uint8)] = 1
    return table


def _varied(text: bytes) -> bool:
    """Whether three nucleotides are there, and more than now and then."""
    upper = text.upper()
    counts = sorted(upper.count(letter) for letter in (b"A", b"C", b"G", b"T"))
    return counts[1] * RARE >= sum(counts) > 0 or (upper.count(b"N") * 2 > len(text) and counts[1] > 0)
