"""Opener `fax`: pictures of black and white as facsimiles of group 4 have them (ITU-T Recommendation T.6).

Scanned pages in TIFF and PDF. The code of a picture leaves no choice, so the recipe is the width of its rows and how
the stream ends. docs/reference/ENCODINGS.md defines it to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.bits import TURN, rest, with_rest
from nzip.process import imported

TURNED, ALIGNED = 1, 2  # how all streams are written
ENDS, RAGGED = 1, 2  # of one stream
WIDEST = 1 << 16
MOST_STREAMS = 1 << 16
WORKING = 4 << 20
REPAYS = 8  # a recipe longer than one byte in so many of what it redoes, and than
SHORT = 64  # is not worth it


class FaxOpener(Opener):
    """Rows of bits, 1 for black; each begins with a byte of its own."""

    name = "fax"
    id = 14
    version = 1

    def open(
        self, coded: bytes, most: int, *, width: int = 0, cuts: Sequence[int] = (), rows: Sequence[int] = (),
        turned: bool = False, aligned: bool = False, **hints: Any,
    ) -> Opened | None:  # fmt: skip
        """Return the rows.

        Args:
            coded: the streams.
            most: bytes that `inner` may have.
            width: pixels of a row.
            cuts: where the second stream and the next ones begin.
            rows: of each stream; 0 where that is not known.
            turned: whether the lowest bit of a byte is its first.
            aligned: whether each row begins with a byte of its own.
            hints: what others take.
        """
        starts = [0, *cuts]
        if not 0 < width <= WIDEST or len(starts) > MOST_STREAMS or len(rows) != len(starts) or not coded:
            return None
        if any(b <= a for a, b in zip(starts, [*starts[1:], len(coded)], strict=True)):
            return None
        imported("numba", "nzip.formats.openers.fax_kernel")
        import numpy as np

        from nzip.formats.openers import fax_kernel

        row = (width + 7) // 8
        parts = [bytes((turned * TURNED | aligned * ALIGNED,)) + uleb(width) + uleb(len(starts))]
        inners: list[bytes] = []
        for start, stop, wanted in zip(starts, [*starts[1:], len(coded)], rows, strict=True):
            stream = coded[start:stop].translate(TURN) if turned else coded[start:stop]
            room = (most - sum(map(len, inners))) // row
            out = np.zeros((min(wanted or len(stream) * 8, room), row), np.uint8)
            said = np.zeros(3, np.int64)
            fax_kernel.undo(np.frombuffer(stream, np.uint8), width, aligned, out, said)
            made, bits, ended = said.tolist()
            inners.append(out[:made].tobytes())
            ragged = rest(stream, bits, big=True)
            parts += [uleb(made)] if len(starts) > 1 else []
            parts += [bytes((ended * ENDS | bool(ragged) * RAGGED,)), ragged]
        inner, recipe = b"".join(inners), b"".join(parts)
        if not inner or len(recipe) > max(SHORT, len(coded) // REPAYS):
            return None
        return self.tried(inner, recipe, coded)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        imported("numba", "nzip.formats.openers.fax_kernel")
        import numpy as np

        from nzip.formats.openers import fax_kernel

        reader = Reader(recipe)
        flags, width, streams = reader.u8(), reader.uleb(), reader.uleb()
        row = (width + 7) // 8
        if flags > 3 or not 0 < width <= WIDEST or streams > MOST_STREAMS or len(inner) % row:
            raise CorruptError("a recipe of a facsimile does not fit its rows")
        bitmap = np.frombuffer(inner, np.uint8).reshape(-1, row)
        out: list[bytes] = []
        coded = np.zeros(size, np.uint8)
        at, used, room = 0, 0, size
        for _ in range(streams):
            rows = reader.uleb() if streams > 1 else len(bitmap)
            marks = reader.u8()
            if rows > len(bitmap) - at or marks > 3:
                raise CorruptError("a recipe of a facsimile wants more rows than there are")
            free = coded[used : used + room]
            bits = fax_kernel.redo(bitmap[at : at + rows], width, flags // ALIGNED, marks & ENDS, free)
            if bits < 0:
                raise CorruptError("a facsimile takes more bytes than there are")
            stream = free[: -(-bits // 8)].tobytes()
            used += len(stream)
            if marks & RAGGED:
                stream = with_rest(stream, bits, reader, big=True)
            out.append(stream)
            at += rows
            room -= len(stream)
            if room < 0:
                break
        made = b"".join(out)
        if at < len(bitmap) or reader.left() or len(made) != size:
            raise CorruptError(f"a facsimile takes {len(made):,} bytes where {size:,} belong")
        return made.translate(TURN) if flags & TURNED else made

    def longest_recipe(self, size: int) -> int:
        return max(SHORT, size // REPAYS)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 3 * size

    def prepare(self) -> None:
        self.open(bytes.fromhex("8001001000"), 8, width=8, rows=(1,))
