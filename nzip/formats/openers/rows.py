"""Opener `rows`: rows of pixels that were filtered before they were deflated become pixels again.

PNG's filters (ISO/IEC 15948, section 9; PDF's predictors 10 to 15 are the same) and TIFF's horizontal differencing
(TIFF 6.0, section 14; PDF's predictor 2). The recipe has the shape of a row, and which filter each row has. Mostly an
encoder took one filter for all rows, or the one that the PNG specification recommends (smallest sum of magnitudes), so
only what differs from that is kept. docs/reference/OPENERS.md defines it to the bit.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.process import imported

RUNS, EACH, GUESSED, DIFFERENCES = range(4)  # what a recipe begins with
FILTERS = 5
MOST_STEP = 64  # bytes of a pixel
MOST_ROW = 1 << 30
EACH_COST = 3  # of a row's filter byte on its own, in eighths of a byte
PART_COST = 16  # of a run or of a wrong guess


class RowsOpener(Opener):
    """Undoes and redoes filters of rows.

    Hints: `row` bytes of pixels in a row, `step` bytes of a pixel (1 at least), `height` rows of a picture where
    several follow each other; for differencing `width` (1 or 2) bytes of a sample and `big`.
    """

    name = "rows"
    id = 20
    version = 1

    def open(self, coded: bytes, most: int, **hints: Any) -> Opened | None:
        row, step, width = hints.get("row", 0), hints.get("step", 0), hints.get("width", 0)
        if not (1 <= row <= MOST_ROW and 1 <= step <= MOST_STEP and coded and len(coded) <= most):
            return None
        if width:
            if width not in (1, 2) or step % width:
                return None
            inner = _differ(coded, row, step, width, bool(hints.get("big")), False)
            return Opened(inner, bytes((DIFFERENCES, step, width | (4 if hints.get("big") else 0))) + uleb(row))
        return self._filtered(coded, row, step, hints.get("height", 0))

    def _filtered(self, coded: bytes, row: int, step: int, height: int) -> Opened | None:
        if len(coded) % (row + 1) == 1:
            return None  # a filter of no bytes
        imported("numba", "nzip.formats.openers.rows_kernel")
        import numpy as np

        from nzip.formats.openers import rows_kernel as kernels

        rows = -(-len(coded) // (row + 1))
        raw, filters, guesses = (np.zeros(size, np.uint8) for size in (len(coded) - rows, rows, rows))
        if not kernels.open_rows(np.frombuffer(coded, np.uint8), row, step, height, raw, filters):
            return None
        shape = uleb(row) + bytes((step,)) + uleb(height)
        runs = b"".join(bytes((kind,)) + uleb(len(list(group))) for kind, group in groupby(filters.tolist()))
        choices = [(len(runs) * 8, RUNS, runs), (rows * EACH_COST, EACH, filters.tobytes())]
        if len(runs) > 2:
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
        if mode == DIFFERENCES:
            step, form, row = read.u8(), read.u8(), read.uleb()
            width = form & 3
            if len(inner) != size or width not in (1, 2) or form > 6 or read.left():
                raise CorruptError("a recipe of rows is wrong")
            _check_shape(row, step)
            if step % width:
                raise CorruptError("a recipe of rows has pixels of no whole samples")
            return _differ(inner, row, step, width, form > 3, True)
        row, step, height = read.uleb(), read.u8(), read.uleb()
        _check_shape(row, step)
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

    def memory(self, inner: int, size: int) -> int:
        return 2 * size

    def prepare(self) -> None:
        rows = bytes((1, 5, 6, 4, 7, 8)) * 3
        for filters in (rows, rows + rows[3:] * 2):
            opened = self.open(filters, len(filters), row=2, step=1)
            if opened is not None:
                self.close(opened.inner, opened.recipe, len(filters))
        _differ(rows, 6, 2, 2, True, False)


def _check_shape(row: int, step: int) -> None:
    if not (1 <= row <= MOST_ROW and 1 <= step <= MOST_STEP):
        raise CorruptError("a recipe of rows has no row")


def _differ(data: bytes, row: int, step: int, width: int, big: bool, back: bool) -> bytes:
    imported("numba", "nzip.formats.openers.rows_kernel")
    import numpy as np

    from nzip.formats.openers import rows_kernel as kernels

    work = np.frombuffer(data, np.uint8).copy()
    kernels.differ(work, row, step, width, big, back)
    return work.tobytes()
