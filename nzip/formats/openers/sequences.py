"""Opener `sequences`: text that is nucleotides for the most part, as FASTA, GenBank and EMBL files have it.

Runs of nucleotides are taken out, whatever stands between them: ends of lines, headers, numbers, blanks. Text between
runs that repeats from run to run, such as the end of a line, is told once. docs/reference/SEQUENCES.md defines the
inner bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.content.kinds import Segment
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.nucleotides import NEITHER, codes, put_together, taken_apart, ulebs
from nzip.process import imported

LEAST_RUN = 8  # nucleotides that are taken out of text
ENTRY, SPARE = 16, 1 << 10  # bytes of the result for each entry, at least, and so many more
REPEATED = 2  # bytes of text that may be told once for many runs
WORKING, PER_BYTE = 1 << 16, 12  # memory


class SequencesOpener(Opener):
    """Takes runs of nucleotides out of text."""

    name = "sequences"
    id = 30
    version = 1
    for_engines = True

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        imported("numpy")
        import numpy as np

        data = np.frombuffer(coded, np.uint8)
        inside = np.concatenate(([False], codes()[data] != NEITHER, [False]))
        borders = np.flatnonzero(inside[1:] != inside[:-1])
        starts, stops = borders[::2], borders[1::2]
        long = stops - starts >= LEAST_RUN
        starts, stops = starts[long], stops[long]
        lengths = stops - starts
        if not len(starts) or 2 * int(lengths.sum()) < len(coded):
            return None
        gaps = starts - np.concatenate(([0], stops[:-1]))
        again = np.zeros(len(starts), np.bool_)
        again[1:] = (gaps[1:] == gaps[:-1]) & (lengths[1:] == lengths[:-1]) & (gaps[1:] <= REPEATED)
        for back in range(1, REPEATED + 1):
            other = np.zeros(len(starts), np.bool_)
            there = starts[1:] - back
            other[1:] = (gaps[1:] >= back) & (data[there] != data[np.maximum(starts[:-1] - back, 0)])
            again &= ~other
        firsts = np.flatnonzero(~again)
        if len(firsts) * ENTRY > len(coded) + SPARE:
            return None
        counts = np.diff(np.append(firsts, len(starts)))
        text = b"".join(
            coded[start - gap : start]
            for start, gap in zip(starts[firsts].tolist(), gaps[firsts].tolist(), strict=True)
        )
        text += coded[stops[-1] :]
        mask = np.zeros(len(data) + 1, np.int8)
        mask[starts] = 1
        mask[stops] -= 1
        parts = taken_apart(data[np.cumsum(mask[:-1], dtype=np.int8).astype(np.bool_)])
        if parts is None:
            return None
        lists, nucleotides = parts
        runs = np.stack((gaps[firsts], lengths[firsts], counts), 1).reshape(-1).tolist()
        lists = uleb(len(firsts)) + ulebs(runs) + lists
        inner = uleb(len(text)) + uleb(len(lists)) + text + lists + nucleotides
        return self.tried(inner, b"", coded) if len(inner) <= most else None

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        imported("numpy")
        import numpy as np

        if recipe:
            raise CorruptError("a recipe of sequences is not empty")
        reader = Reader(inner)
        texts, told = reader.uleb(), reader.uleb()
        text, lists = reader.bytes(texts), Reader(reader.bytes(told))
        nucleotides = reader.bytes(reader.left())
        entries = lists.uleb()
        if entries * ENTRY > size + SPARE:
            raise CorruptError("there are too many runs of sequences")
        runs, around, at, end = array("q"), bytearray(), 0, 0
        for _ in range(entries):
            gap, length, count = lists.uleb(), lists.uleb(), lists.uleb()
            end += (gap + length) * count
            if end > size or length < LEAST_RUN or not count or at + gap > len(text) or (count > 1 and gap > REPEATED):
                raise CorruptError("runs of sequences do not fit the text around them")
            around += text[at : at + gap] * count
            at += gap
            runs.extend((gap, length, count))
        if end + len(text) - at != size:
            raise CorruptError(f"sequences do not take the {size:,} bytes that belong there")
        table = np.frombuffer(runs, np.int64).reshape(-1, 3)
        spans = np.repeat(table[:, :2], table[:, 2], axis=0)
        mask = np.repeat(np.tile(np.array((False, True)), len(spans)), spans.reshape(-1))
        letters = put_together(lists, nucleotides, int(spans[:, 1].sum()))
        if lists.left():
            raise CorruptError("lists of sequences are too long")
        made = np.empty(size, np.uint8)
        made[:end][mask] = letters
        made[:end][np.logical_not(mask, out=mask)] = np.frombuffer(around, np.uint8)
        made[end:] = np.frombuffer(text, np.uint8, len(text) - at, at)
        return bytes(made.tobytes())

    def memory(self, inner: int, size: int) -> int:
        return WORKING + PER_BYTE * size + 3 * inner

    def longest_recipe(self, size: int) -> int:
        return 0


def stretches(inner: bytes) -> Iterator[tuple[int, int, Segment]]:
    """Yield where inner bytes hold nucleotides, and the segment that says so."""
    reader = Reader(inner)
    texts, lists = reader.uleb(), reader.uleb()
    start = reader.pos + texts + lists
    if start < len(inner):
        yield start, len(inner), Segment("nucleotides", len(inner) - start, confidence=100)
