"""Opener `rows`: rows of pixels that were filtered before they were deflated become pixels again.

PNG's filters (ISO/IEC 15948, section 9; PDF's predictors 10 to 15 are the same). The recipe has the shape of a row, and
which filter each row has. Mostly an encoder took one filter for all rows, or the one that the PNG specification
recommends (smallest sum of magnitudes), so only what differs from that is kept. docs/reference/OPENERS.md defines it to
the bit.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.process import imported

RUNS, EACH, GUESSED = range(3)  # what a recipe begins with
FILTERS = 5
MOST_STEP = 64  # bytes of a pixel
MOST_ROW = 1 << 30
LONGEST_HEAD = 32  # bytes of a recipe before its filters
EACH_COST = 3  # of a row's filter byte on its own, in eighths of a byte
PART_COST = 16  # of a run or of a wrong guess


class RowsOpener(Opener):
    """Undoes and redoes filters of rows.

    Hints: `row` bytes of pixels in a row, `step` bytes of a pixel (1 at least), `height` rows of a picture where
    several follow each other.
    """

    name = "rows"
    id = 20
    version = 1

    def open(
        self, coded: bytes, most: int, *, row: int = 0, step: int = 1, height: int = 0, **hints: Any
    ) -> Opened | None:
        if not (1 <= row <= MOST_ROW and 1 <= step <= MOST_STEP and coded):
            return None
        rows = -(-len(coded) // (row + 1))
        if len(coded) - rows > most or len(coded) % (row + 1) == 1:
            return None  # too much, or a filter of no bytes
        imported("numba", "nzip.formats.openers.rows_kernel")
        import numpy as np

        from nzip.formats.openers import rows_kernel as kernels

        raw, filters, guesses = (np.zeros(size, np.uint8) for size in (len(coded) - rows, rows, rows))
        if not kernels.open_rows(np.frombuffer(coded, np.uint8), row, step, height, raw, filters):
            return None
        shape = uleb(row) + bytes((step,)) + uleb(height)
        runs = b"".join(bytes((kind,)) + uleb(len(list(group))) for kind, group in groupby(filters.tolist()))
        choices = [(len(runs) * 8, RUNS, runs), (rows * EACH_COST, EACH, filters.tobytes())]
        if len(runs) > 2:
            raw.flags.writeable = False  # the kernel is compiled for such only
            kernels.smallest_sums(raw, row, step, height, guesses)
            wrong = np.flatnonzero(filters != guesses)
            if len(wrong) * PART_COST < choices[1][0]:
                gaps = np.diff(wrong, prepend=-1) - 1
                pairs = zip(gaps.tolist(), filters[wrong].tolist(), strict=True)
                text = b"".join(uleb(gap) + bytes((kind,)) for gap, kind in pairs)
                choices.append((len(text) * 8, GUESSED, text))
        _, mode, text = min(choices)
        return Opened(raw.tobytes(), bytes((mode,)) + shape + text)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        read = Reader(recipe)
        mode = read.u8()
        row, step, height = read.uleb(), read.u8(), read.uleb()
        if not (1 <= row <= MOST_ROW and 1 <= step <= MOST_STEP):
            raise CorruptError("a recipe of rows has no row")
        rows = -(-len(inner) // row)
        if size != len(inner) + rows or mode > GUESSED:
            raise CorruptError("a recipe of rows is for other bytes")
        imported("numba", "nzip.formats.openers.rows_kernel")
        import numpy as np

        from nzip.formats.openers import rows_kernel as kernels

        raw = np.frombuffer(inner, np.uint8)
        filters = np.zeros(rows, np.uint8)
        if mode == EACH:
            filters[:] = np.frombuffer(read.bytes(rows), np.uint8)
        elif mode == RUNS:
            at = 0
            while at < rows:
                kind, count = read.u8(), read.uleb()
                if not 1 <= count <= rows - at:
                    raise CorruptError("a recipe of rows has filters for more rows than there are")
                filters[at : at + count] = kind
                at += count
        else:
            kernels.smallest_sums(raw, row, step, height, filters)
            at = -1
            while read.left():
                at += read.uleb() + 1
                if at >= rows:
                    raise CorruptError("a recipe of rows has filters for more rows than there are")
                filters[at] = read.u8()
        if read.left() or (rows and int(filters.max()) >= FILTERS):
            raise CorruptError("a recipe of rows has filters that there are not")
        coded = np.empty(size, np.uint8)
        kernels.close_rows(raw, row, step, height, filters, coded)
        return coded.tobytes()

    def longest_recipe(self, size: int) -> int:
        return LONGEST_HEAD + size

    def memory(self, inner: int, size: int) -> int:
        return 3 * size

    def prepare(self) -> None:
        rows = bytes((1, 5, 6, 4, 7, 8)) * 3
        for filters in (rows, rows + rows[3:] * 2):
            opened = self.open(filters, len(filters), row=2, step=1)
            if opened is not None:
                self.close(opened.inner, opened.recipe, len(filters))
