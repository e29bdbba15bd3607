"""Opener `vcf`: variants of genomes, a line of columns each (Variant Call Format).

Header, columns and cells of samples lie apart inside, as rows and tables that engines know. Places are told by how far
they are behind what the line before took of the genome, letters of the reference are taken out where they are many, and
lines of the header that most programs write by their numbers. docs/reference/SEQUENCES.md defines the inner bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from nzip.errors import CorruptError, NzipError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import TEXT, Segment
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.nucleotides import LETTERS, codes, lines_of, packed, unpacked
from nzip.process import imported

NUMBER = rb"(?:0|[1-9][0-9]{0,17})"
LINE = re.compile(
    rb"([^\t\r\n#\x80-\xff][^\t\r\n]*)\t(" + NUMBER + rb")\t[^\t\r\n]+\t([ACGTNacgtnRYKMSWBDHV]+|\.)\t[^\t\r\n]+"
    rb"\t(?:\.|[-+.0-9eEinfa]+)\t[^\t\r\n]+\t([^\t\r\n]+)(?=[\t\r\n])"
)  # fmt: skip
DIGITS = re.compile(NUMBER)
INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
END = re.compile(rb"(?:^|;)END=(" + NUMBER + rb")(?:;|$)")
FIXED, COLUMNS = 8, 9  # columns of each line at least; those before the samples'
LETTERS_APART, WAY = 1, 2  # of flags: letters of the reference lie apart; what the way in which places are told counts
WAYS = 3
KNOWN, FIRST_KNOWN = 128, b"\x80"  # a first byte from here on stands for how a line of a header begins
KNOWN_SHA256 = "e9b56e574f829fd6a20fe5c2f67aaaffbfd8cc2dd2c0d08ea37a62621d4c0b0f"
LONG, LEAST_SAMPLES = 4, 3  # letters of the reference in a line, on average, and samples: as many lie apart
WORKING, PER_BYTE, PER_INNER = 1 << 20, 4, 14  # memory


class VcfOpener(Opener):
    """Takes a header and lines of variants apart."""

    name = "vcf"
    id = 35
    version = 1

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        start = header_end(coded)
        lines = coded[start:].split(b"\n")
        if lines.pop() or not lines:
            return None
        matches = [match for line in lines if (match := LINE.match(line + b"\n")) is not None]
        columns = lines[0].count(b"\t") + 1
        if len(matches) < len(lines) or any(line.count(b"\t") + 1 != columns for line in lines):
            return None
        references = [match[3] for match in matches]
        letters = b"".join(each for each in references if not each.translate(None, LETTERS))
        apart = len(letters) >= LONG * len(lines)
        samples = columns - COLUMNS if columns >= COLUMNS + LEAST_SAMPLES else 0
        if not all(b":" in line.split(b"\t", COLUMNS)[COLUMNS - 1] for line in lines[: len(lines) * bool(samples)]):
            samples = 0
        ways = [list(told_places(matches, way)) for way in range(WAYS)]
        way = min(range(WAYS), key=lambda way: sum(map(len, ways[way])))
        name, table, cells = b"", list[bytes](), list[bytes]()
        for line, match, place in zip(lines, matches, ways[way], strict=True):
            own = line.split(b"\t", COLUMNS)
            if samples:
                cells.append(own.pop().replace(b"\t", b"\n") + b"\n")
            if apart and not own[3].translate(None, LETTERS):
                own[3] = b"%d" % len(own[3])
            own[0], own[1] = b"" if own[0] == name else own[0], place
            name = match[1]
            table.append(b"\t".join(own) + b"\n")
        symbols = b""
        if apart:
            imported("numpy")
            import numpy as np

            symbols = packed(codes()[np.frombuffer(letters, np.uint8)])
        head = bytes((LETTERS_APART * apart + WAY * way,)) + uleb(samples)
        inner = b"".join((head, *shortened(coded[:start]), *table, b"\n", *cells, symbols))
        return self.tried(inner, b"", coded) if len(inner) <= most else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        if recipe:
            raise CorruptError("a recipe of variants is not empty")
        flags, samples, header, table, cells, nucleotides = parted(inner)
        way = flags // WAY
        if way >= WAYS or not table:
            raise CorruptError("there are no variants, or places are told in a way that there is not")
        known, made = known_lines(), bytearray()
        for line in lines_of(header):
            made += (known[line[0] - KNOWN] + line[1:] if line[:1] >= FIRST_KNOWN else line) + b"\n"
            check_room(made, size)
        del made[-1:]
        rows = rows_of(cells, samples) if samples else iter(())
        letters = letters_in(nucleotides) if flags & LETTERS_APART else b""
        name, place, used = b"", 0, 0
        for line in lines_of(table[:-1]):
            own = line.split(b"\t", COLUMNS)
            if len(own) < FIXED or (samples and len(own) != COLUMNS):
                raise CorruptError("a line of variants has not as many columns as it should have")
            if own[0]:
                name, place = own[0], 0
            if not INTEGER.fullmatch(own[1]) or (place := place + int(own[1])) < 0:
                raise CorruptError("a variant has no place")
            if flags & LETTERS_APART and DIGITS.fullmatch(own[3]):
                count = int(own[3])
                if count > len(letters) - used:
                    raise CorruptError("nucleotides of variants end too soon")
                own[3] = letters[used : used + count]
                used += count
            own[0], own[1] = name, b"%d" % place
            made += b"\t".join((*own, next(rows)) if samples else own) + b"\n"
            check_room(made, size)
            place = behind(way, place, own[3], own[7])
        if len(made) != size or -(-used // 4) != len(nucleotides):
            raise CorruptError(f"variants do not take the {size:,} bytes that belong there")
        return bytes(made)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + PER_BYTE * size + PER_INNER * inner

    def longest_recipe(self, size: int) -> int:
        return 0


@lru_cache(maxsize=1)
def known_lines() -> list[bytes]:
    """Return how lines of headers begin, by number: most are whole lines that the format's specification has, or that
    common programs write.

    Raises:
        NzipError: the installed file is damaged.
    """
    text = Path(__file__).with_name("vcf_lines.txt").read_bytes()
    if hashlib.sha256(text).hexdigest() != KNOWN_SHA256:
        raise NzipError("the lines of headers of VCF files are damaged; install nzip again")
    return text.split(b"\n")[:-1]


def header_end(data: bytes, start: int = 0) -> int:
    """Return where the lines end that begin with `#`."""
    while data.startswith(b"#", start):
        behind = data.find(b"\n", start) + 1
        if not behind:
            break
        start = behind
    return start


def told_places(matches: list[re.Match[bytes]], way: int) -> Iterator[bytes]:
    """Yield how much more each place is than where the line before ends; all of it where a sequence begins."""
    name, place = b"", 0
    for match in matches:
        if match[1] != name:
            name, place = match[1], 0
        yield b"%d" % (int(match[2]) - place)
        place = behind(way, int(match[2]), match[3], match[4])


def behind(way: int, place: int, reference: bytes, about: bytes) -> int:
    """Return the place from which on the next line's is told.

    Args:
        way: 0: that of the line; 1: the one behind its letters; 2: the one behind the end that it tells, if it does.
        place: of the line.
        reference: its letters.
        about: its column INFO.
    """
    if way == 2 and (end := END.search(about)) is not None:
        return int(end[1]) + 1
    return place + len(reference) if way else place


def rows_of(cells: bytes, samples: int) -> Iterator[bytes]:
    """Yield the cells of each line, tabs between them."""
    start = 0
    for end in line_ends(cells)[samples - 1 :: samples].tolist():
        yield cells[start:end].replace(b"\n", b"\t")
        start = end + 1


def line_ends(text: bytes) -> Any:
    """Return where the ends of lines are (int64)."""
    imported("numpy")
    import numpy as np

    return np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))


def letters_in(nucleotides: bytes) -> bytes:
    """Return the letters of nucleotides, four in a byte."""
    imported("numpy")
    import numpy as np

    made: bytes = np.frombuffer(LETTERS, np.uint8)[unpacked(nucleotides, 4 * len(nucleotides))].tobytes()
    return made


def check_room(made: bytearray, size: int) -> None:
    """Raise CorruptError where more was made than belongs there."""
    if len(made) > size:
        raise CorruptError(f"variants take more than the {size:,} bytes that belong there")


def shortened(header: bytes) -> Iterator[bytes]:
    """Yield a header's lines; what has a number is that of one that begins so, the longest, in place of its words."""
    known = [(text, KNOWN + number) for number, text in enumerate(known_lines())]
    known.sort(key=lambda each: -len(each[0]))
    for line in header.split(b"\n")[:-1]:
        text, number = next((each for each in known if line.startswith(each[0])), (b"", 0))
        yield (bytes((number,)) + line[len(text) :] if number else line) + b"\n"


class Parts(NamedTuple):
    """What inner bytes consist of."""

    flags: int
    samples: int
    header: bytes
    table: bytes
    cells: bytes
    nucleotides: bytes


def parted(inner: bytes) -> Parts:
    """Return the parts of inner bytes.

    Raises:
        CorruptError: inner bytes have no such form.
    """
    reader = Reader(inner)
    flags, samples = reader.u8(), reader.uleb()
    start = begin = reader.pos
    while inner.startswith(b"#", begin) or inner[begin : begin + 1] >= FIRST_KNOWN:
        begin = inner.find(b"\n", begin) + 1
        if not begin:
            raise CorruptError("the header of variants has no end")
    end = inner.find(b"\n\n", begin) + 1
    if not end:
        raise CorruptError("lines of variants have no end")
    cells, count = inner[end + 1 :], inner.count(b"\n", begin, end) * samples
    last = 0
    if count:
        if count > len(cells) or count > len(ends := line_ends(cells)):
            raise CorruptError("variants have fewer cells than samples")
        last = int(ends[count - 1]) + 1
    return Parts(flags, samples, inner[start:begin], inner[begin:end], cells[:last], cells[last:])


def stretches(inner: bytes) -> Iterator[tuple[int, int, Segment]]:
    """Yield what inner bytes hold, and the segments that say so."""
    parts = parted(inner)
    table, cells, nucleotides = len(parts.table) + 1, len(parts.cells), len(parts.nucleotides)
    header = len(inner) - table - cells - nucleotides
    at = 0
    for segment in (
        Segment("json", header, TEXT, confidence=100),
        Segment("csv", table, TEXT, separator=ord("\t"), confidence=100),
        Segment("csv", cells, TEXT, separator=ord(":"), confidence=100),
        Segment("nucleotides", nucleotides, confidence=100),
    ):
        if segment.length:
            yield at, at + segment.length, segment
            at += segment.length


def whole_lines(data: bytes, start: int, most: int) -> int:
    """Return where the lines of variants end that begin at `start`: those with as many columns as the first."""
    at, columns = start, 0
    while (match := LINE.match(data, at, at + most)) is not None:
        end = data.find(b"\n", match.end(), at + most)
        if end < 0:
            break
        tabs = data.count(b"\t", at, end)
        if tabs != (columns or tabs):
            break
        at, columns = end + 1, tabs
    return at
