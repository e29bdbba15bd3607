"""Opener `lzw`: the codes of GIF, TIFF and PDF (LZW: Welch, "A Technique for High-Performance Data Compression", 1984).

An encoder that always takes the longest phrase leaves no choice but when it clears its table, so the recipe is a few
bytes: how codes are written, how often the table is cleared, how the streams end. Phrases that are not the longest ones
(encoders that lose something, or that look ahead) are listed one by one. docs/reference/ENCODINGS.md defines the recipe
to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.formats.openers.base import Opened, Opener
from nzip.formats.openers.bits import rest, with_rest
from nzip.process import imported

BIG, EARLY, BLOCKS, INTERLACED = 1, 2, 4, 8  # how all streams are written
CLEARED, UNEVEN, ENDS, ODD, RAGGED = 1, 2, 4, 8, 16  # of one stream
CODES = 4096
MOST_STREAMS = 1 << 16
WORKING = 1 << 20  # bytes that tables take, and what else does not grow
REPAYS = 8  # a recipe longer than one byte in so many of what it redoes
SHORT = 64  # and than this is not worth it


class Form(NamedTuple):
    """How all streams of a stretch are written.

    Attributes:
        big: 1 where codes begin with their highest bit (TIFF, PDF), 0 where with their lowest (GIF).
        early: 1 where codes grow one code sooner than they must (TIFF, PDF).
        bits: of each byte that is coded.
        top: phrases have numbers below this.
    """

    big: int
    early: int
    bits: int
    top: int


class LzwOpener(Opener):
    """GIF's image data, strips of a TIFF, streams of a PDF."""

    name = "lzw"
    id = 10
    version = 1

    def open(
        self, coded: bytes, most: int, *, gif: bool = False, big: bool = True, early: bool = True, width: int = 0,
        size: int = 0, cuts: Sequence[int] = (), sizes: Sequence[int] = (), **hints: Any,
    ) -> Opened | None:  # fmt: skip
        """Return the bytes that were coded.

        Args:
            coded: with `gif`, the byte of the least code size, the blocks, and the empty one. Else the streams.
            most: bytes that `inner` may have.
            gif: whether it is GIF's image data, which has `big` and `early` 0.
            big, early: as in `Form`.
            width: pixels of a row of an interlaced GIF, whose rows are put in order; else 0.
            size: bytes that the one stream has when it is decoded, as far as is known; 0 if that is not known.
            cuts: where the second stream and the next ones begin.
            sizes: of each stream, as `size`.
            hints: what others take.
        """
        blocks = b""
        bits = 8
        stream = coded
        if gif:
            if not coded or not 2 <= coded[0] <= 8:
                return None
            bits, big, early = coded[0], False, False
            cut = _unblocked(coded)
            if cut is None:
                return None
            stream, blocks = cut
        starts = [0, *cuts]
        if len(starts) > MOST_STREAMS or any(b <= a for a, b in zip(starts, [*starts[1:], len(stream)], strict=True)):
            return None
        known = list(sizes) if len(sizes) == len(starts) else [size] * len(starts)
        inners: list[bytes] = []
        parts: list[bytes] = []
        form = Form(int(big), int(early), bits, CODES)
        for start, stop, enough in zip(starts, [*starts[1:], len(stream)], known, strict=True):
            left = most - sum(map(len, inners))
            opened = _undone(stream[start:stop], form, min(enough or left, left), left)
            if opened is None:
                return None
            if len(starts) > 1:
                parts.append(uleb(len(opened.inner)))
            inners.append(opened.inner)
            parts.append(opened.recipe)
        inner = b"".join(inners)
        interlaced = width > 0 and len(inner) % width == 0 and len(inner) > 0
        flags = big * BIG | early * EARLY | gif * BLOCKS | interlaced * INTERLACED
        head = bytes((flags, bits)) + blocks + (uleb(width) if interlaced else b"") + uleb(CODES - form.top)
        recipe = head + uleb(len(starts)) + b"".join(parts)
        if not inner or len(recipe) > max(SHORT, len(coded) // REPAYS):
            return None
        if interlaced:
            inner = _in_order(inner, width)
        return self.tried(inner, recipe, coded)

    def close(self, inner: bytes, recipe: bytes, size: int) -> bytes:
        imported("numpy")
        import numpy as np

        reader = Reader(recipe)
        flags, bits = reader.u8(), reader.u8()
        if flags > 15 or not 2 <= bits <= 8:
            raise CorruptError("an LZW recipe has a form that there is not")
        lengths: bytes = b""
        block = 255
        if flags & BLOCKS:
            block = reader.u8()
            if not block:
                lengths = reader.bytes(reader.uleb())
        if flags & INTERLACED:
            inner = _interlaced(inner, reader.uleb())
        top = CODES - reader.uleb()
        if top < 0:
            raise CorruptError("an LZW recipe has a table of no size")
        form = Form(flags & BIG, (flags & EARLY) // EARLY, bits, top)
        streams = reader.uleb()
        if streams > MOST_STREAMS:
            raise CorruptError("an LZW recipe has too many streams")
        out: list[bytes] = []
        zeros = np.zeros(size, np.uint8)
        at, room = 0, size
        for _ in range(streams):
            length = reader.uleb() if streams > 1 else len(inner)
            if length > len(inner) - at or room < 0:
                raise CorruptError("an LZW recipe wants more bytes than there are")
            out.append(_redone(inner[at : at + length], reader, form, zeros[size - room :]))
            at += length
            room -= len(out[-1])
        if at < len(inner) or reader.left():
            raise CorruptError("an LZW recipe leaves bytes over")
        coded = b"".join(out)
        if flags & BLOCKS:
            coded = _blocked(coded, bits, block, lengths)
        if len(coded) != size:
            raise CorruptError(f"LZW codes take {len(coded):,} bytes where {size:,} belong")
        return coded

    def longest_recipe(self, size: int) -> int:
        return max(SHORT, size // REPAYS)

    def memory(self, inner: int, size: int) -> int:
        return WORKING + 5 * inner + 4 * size

    def prepare(self) -> None:
        self.open(bytes.fromhex("02024c0100"), 64, gif=True)


def _undone(stream: bytes, form: Form, enough: int, most: int) -> Opened | None:
    """Return what one stream holds, and its part of the recipe."""
    imported("numba", "nzip.formats.openers.lzw_kernel")
    import numpy as np

    from nzip.formats.openers import lzw_kernel

    coded = np.frombuffer(stream, np.uint8)
    out = np.empty(min(most, enough + CODES), np.uint8)
    codes = np.empty(min(len(out), len(coded) * 8 // (form.bits + 1)), np.uint16)
    clears = np.empty(len(coded) * 8 // (form.bits + 1) // 2 + 2, np.int32)
    said = np.zeros(5, np.int64)
    lzw_kernel.undo(coded, form.big, form.early, form.bits, min(enough, len(out)), out, codes, clears, said)
    written, read, cleared, bits, ended = said.tolist()
    if not written:
        return None
    inner, codes, clears = out[:written], codes[:read], clears[:cleared]
    odd = np.zeros((len(stream) // 4 + 4, 3), np.int32)
    odds = lzw_kernel.phrases(inner, form.bits, form.top, clears, cleared, odd, 0, codes, read)
    if odds < 0:
        return None
    parts = bytearray()
    marks = ended * ENDS
    whens = clears.tolist()
    if whens and whens[0] == 0:
        marks |= CLEARED
        whens = whens[1:]
    parts += uleb(len(whens))
    if whens:
        if min(whens) == max(whens):
            whens = whens[:1]
        else:
            marks |= UNEVEN
        parts += b"".join(map(uleb, whens))
    if odds:
        marks |= ODD
        parts += uleb(odds)
        for gap, less, number in odd[:odds].tolist():
            parts += uleb(gap) + uleb(less * 2 + (number > 0))
            if number:
                parts += uleb(number - 1)
    ragged = rest(stream, bits, big=form.big == 1)
    if ragged:
        marks |= RAGGED
        parts += ragged
    return Opened(inner.tobytes(), bytes((marks,)) + bytes(parts))


def _redone(inner: bytes, reader: Reader, form: Form, out: Any) -> bytes:
    """Return a stream, whose part of the recipe is read from `reader`; its codes are put in `out` (uint8, zeros)."""
    imported("numba", "nzip.formats.openers.lzw_kernel")
    import numpy as np

    from nzip.formats.openers import lzw_kernel

    marks = reader.u8()
    if marks > 31:
        raise CorruptError("an LZW recipe has a mark that there is not")
    count, most = reader.uleb(), 8 * len(out) // (form.bits + 1)  # codes
    stated = count if marks & UNEVEN else min(count, 1)
    if count > most or stated > reader.left():
        raise CorruptError("an LZW recipe clears too often")
    whens = np.zeros(stated + 1, np.int32)
    for k in range(stated):
        when = reader.uleb()
        if when > most:
            raise CorruptError("an LZW recipe clears too late")
        whens[k + 1] = when
    clears = whens[0 if marks & CLEARED else 1 :]
    count += marks & CLEARED
    odds = reader.uleb() if marks & ODD else 0
    if odds > reader.left() // 2:
        raise CorruptError("an LZW recipe is shorter than its contents")
    odd = np.zeros((odds, 3), np.int32)
    for k in range(odds):
        gap, less = reader.uleb(), reader.uleb()
        number = reader.uleb() + 1 if less & 1 else 0
        if gap > most or less > len(inner) * 2 or number > CODES or len(inner) >= 1 << 30:
            raise CorruptError("an LZW recipe has a phrase that there is not")
        odd[k] = gap, less >> 1, number
    codes = np.empty(min(len(inner), most), np.uint16)
    read = lzw_kernel.phrases(np.frombuffer(inner, np.uint8), form.bits, form.top, clears, count, odd, odds, codes, 0)
    bits = -1
    if read >= 0:
        ends = (marks & ENDS) // ENDS
        bits = lzw_kernel.pack(codes[:read], clears, count, form.big, form.early, form.bits, ends, out)
    if bits < 0:
        raise CorruptError("an LZW recipe does not fit its bytes")
    coded = out[: -(-bits // 8)].tobytes()
    return with_rest(coded, bits, reader, big=form.big == 1) if marks & RAGGED else coded


def _unblocked(coded: bytes) -> tuple[bytes, bytes] | None:
    """Return what GIF's blocks hold, and how long they are: of the recipe."""
    at = 1
    sizes, stream = bytearray(), bytearray()
    while at < len(coded) and coded[at]:
        sizes.append(coded[at])
        stream += coded[at + 1 : at + 1 + coded[at]]
        at += 1 + coded[at]
    if at != len(coded) - 1 or not sizes:
        return None
    if len(sizes) > 1 and not (min(sizes[:-1]) == max(sizes[:-1]) >= sizes[-1]):
        return bytes(stream), b"\0" + uleb(len(sizes)) + bytes(sizes)
    return bytes(stream), bytes(sizes[:1]) if len(sizes) > 1 else b"\xff"


def _blocked(stream: bytes, bits: int, block: int, sizes: bytes) -> bytes:
    """Return GIF's image data: blocks of `block` bytes, or of these sizes where that is 0."""
    import numpy as np

    data, at, place = np.frombuffer(stream, np.uint8), 0, 1
    if not block and (sum(sizes) != len(stream) or 0 in sizes):
        raise CorruptError("an LZW recipe has blocks that do not fit")
    out = np.zeros(len(stream) + (-(-len(stream) // block) if block else len(sizes)) + 2, np.uint8)
    out[0] = bits
    if block:
        whole = len(stream) // block
        at, place = whole * block, 1 + whole * (block + 1)
        rows = out[1:place].reshape(whole, block + 1)
        rows[:, 0], rows[:, 1:] = block, data[:at].reshape(whole, block)
        sizes = bytes((len(stream) - at,)) if at < len(stream) else b""
    for length in sizes:
        out[place] = length
        out[place + 1 : place + 1 + length] = data[at : at + length]
        at, place = at + length, place + 1 + length
    return out.tobytes()


def _passes(pixels: Any) -> Iterator[tuple[slice, slice]]:
    """Yield which rows of a picture each pass of an interlaced GIF has, and where these stand in it."""
    at = 0
    for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)):
        count = len(range(first, len(pixels), step))
        yield slice(first, None, step), slice(at, at + count)
        at += count


def _in_order(pixels: bytes, width: int) -> bytes:
    import numpy as np

    rows = np.frombuffer(pixels, np.uint8).reshape(-1, width)
    out = np.empty_like(rows)
    for picture, place in _passes(rows):
        out[picture] = rows[place]
    return out.tobytes()


def _interlaced(pixels: bytes, width: int) -> bytes:
    import numpy as np

    if not width or len(pixels) % width:
        raise CorruptError("an LZW recipe has rows that do not fit")
    rows = np.frombuffer(pixels, np.uint8).reshape(-1, width)
    out = np.empty_like(rows)
    for picture, place in _passes(rows):
        out[place] = rows[picture]
    return out.tobytes()
