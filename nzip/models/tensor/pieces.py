"""What a payload of the engine `tensor` says of its block: pieces of values, their planes, tables of frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.models.tensor.layout import (
    AGAIN,
    BESIDE,
    BIG,
    CONSTANT,
    MIXED,
    RAW,
    ROTATED,
    SEVEN,
    SHIFTED,
    STATIC,
    WHOLE,
    most_planes,
    most_tables,
)

FORMS = frozenset(
    width | kind | order
    for width in range(4)
    for kind in ((0, ROTATED, SHIFTED) if width in (1, 2) else (0,))
    for order in ((0, BIG) if width else (0,))
) | frozenset(
    BESIDE | width | kind | order
    for width in range(4)
    for kind in ((0, ROTATED, SHIFTED) if width in (1, 2) else (0, ROTATED) if width else (0,))
    for order in ((0, BIG) if width else (0,))
)


class Piece(NamedTuple):
    """A stretch of a block that holds values of one form.

    Attributes:
        row: values of a row; 0 where there are no rows.
        exponent: bits of the values' exponent; 0 where that is not known, as when decoding.
        base: where the values that these stand beside begin in the older file; -1 where there are none.
        groups: values of each group that they are cut in; none where they are not.
    """

    form: int
    values: int
    row: int = 0
    exponent: int = 0
    base: int = -1
    groups: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Bytes of a value."""
        return 1 << (self.form & 3)

    @property
    def size(self) -> int:
        return self.values << (self.form & 3)

    def planes(self, mixed: bool) -> list[int]:
        """Return how many values each of its planes has, in preset 2 (`mixed`) or 1."""
        if self.form & BESIDE and mixed:
            return [self.values] * (self.width + 1)
        return [count for count in self.groups or (self.values,) for _ in range(self.width)]


class Plane(NamedTuple):
    """How a plane is coded: its mode; the constant, or the number of the table."""

    mode: int
    value: int = 0


def pack_pieces(pieces: Sequence[Piece], rows: bool) -> bytes:
    """Return what a payload says of its pieces, and of their `rows` if it does."""
    out, behind = bytearray(uleb(len(pieces))), 0
    for piece in pieces:
        out.append(piece.form)
        out += uleb(piece.values)
        if rows:
            out += uleb(piece.row)
        if piece.form & BESIDE:
            away = piece.base - behind
            out += uleb(2 * away if away >= 0 else -2 * away - 1)
            behind = piece.base + piece.size
            if not rows:
                out += uleb(len(piece.groups)) + b"".join(map(uleb, piece.groups[:-1]))
    return bytes(out)


def read_pieces(reader: Reader, size: int, rows: bool, old: int = 0) -> list[Piece]:
    """Read what `pack_pieces` wrote for a block of `size` bytes, beside an older file of `old` bytes.

    Raises:
        CorruptError: it is damaged, or is not for so many bytes.
    """
    count = reader.uleb()
    if not 1 <= count <= most_planes(size):
        raise CorruptError("a tensor payload has no pieces, or too many")
    pieces, left, planes, behind = list[Piece](), size, most_planes(size), 0
    for _ in range(count):
        piece = Piece(reader.u8(), reader.uleb(), reader.uleb() if rows else 0)
        if piece.form not in FORMS:
            raise CorruptError("a tensor payload has values of a form that is not known")
        if not 1 <= piece.values <= left or piece.size > left or 2 * piece.row > piece.values or piece.row == 1:
            raise CorruptError("the pieces of a tensor payload do not fill its block")
        if piece.form & BESIDE:
            away = reader.uleb()
            base = behind + (away >> 1 if not away & 1 else -(away + 1 >> 1))
            if not 0 <= base <= old - piece.size:
                raise CorruptError("a tensor payload names what is not in the older file")
            behind = base + piece.size
            groups = () if rows else _read_groups(reader, piece, planes)
            piece = piece._replace(base=base, groups=groups)
        left -= piece.size
        planes -= len(piece.planes(rows))
        if planes < 0:
            raise CorruptError("a tensor payload has too many planes")
        pieces.append(piece)
    if left:
        raise CorruptError("the pieces of a tensor payload do not fill its block")
    return pieces


def _read_groups(reader: Reader, piece: Piece, planes: int) -> tuple[int, ...]:
    count = reader.uleb()
    if not 1 <= count <= min(planes // piece.width, 256):
        raise CorruptError("a tensor payload has no groups, or too many")
    groups = [reader.uleb() for _ in range(count - 1)]
    groups.append(piece.values - sum(groups))
    if min(groups) < 1:
        raise CorruptError("the groups of a tensor payload do not fill their piece")
    return tuple(groups)


def pack_table(freqs: Sequence[int]) -> bytes:
    """Return a table of frequencies: each from the first that is not 0 on until they add up, in one byte below 128 or
    two, and behind a 0 how many more follow it."""
    first = next(s for s, f in enumerate(freqs) if f)
    out, left, at = bytearray((first,)), WHOLE, first
    while left:
        f = freqs[at]
        at += 1
        if f < 128:
            out.append(f)
        else:
            out += bytes((f & 127 | 128, f >> 7))
        left -= f
        if not f:
            start = at
            while not freqs[at]:
                at += 1
            out.append(at - start)
    return bytes(out)


def read_table(reader: Reader) -> list[int]:
    """Read a table.

    Raises:
        CorruptError: it is none.
    """
    freqs, data, place, left = [0] * 256, reader.data, reader.pos + 1, WHOLE
    at = reader.u8()
    try:
        while left:
            f = data[place]
            place += 1
            if f > 127:
                f = f & 127 | data[place] << 7
                place += 1
            elif not f:
                at += data[place] + 1
                place += 1
                continue
            if f > left or f == WHOLE:
                raise IndexError
            freqs[at] = f
            left -= f
            at += 1
    except IndexError:
        raise CorruptError("a table of a tensor payload does not add up, or is cut off") from None
    reader.pos = place
    reader.bytes(0)
    return freqs


def pack_planes(planes: Sequence[Plane], tables: Sequence[Sequence[int]]) -> bytes:
    """Return what a payload says of its planes; new tables are numbered in the order in which planes have them."""
    out, made = bytearray(), 0
    for mode, value in planes:
        out.append(mode)
        if mode == CONSTANT:
            out.append(value)
        elif mode == STATIC:
            out += pack_table(tables[value])
            made = value + 1
        elif mode == AGAIN:
            out += uleb(made - 1 - value)
    return bytes(out)


def read_planes(reader: Reader, count: int, size: int) -> tuple[list[Plane], list[list[int]]]:
    """Read what `pack_planes` wrote of `count` planes, of a block of `size` bytes.

    Raises:
        CorruptError: it is damaged.
    """
    planes, tables = list[Plane](), list[list[int]]()
    for _ in range(count):
        mode = value = reader.u8()
        if mode > MIXED:
            raise CorruptError("a tensor payload has a plane of a mode that is not known")
        if mode == CONSTANT:
            value = reader.u8()
        elif mode == STATIC:
            value = len(tables)
            tables.append(read_table(reader))
            if value == most_tables(size):
                raise CorruptError("a tensor payload has too many tables")
        elif mode == AGAIN:
            value = len(tables) - 1 - reader.uleb()
            if value < 0:
                raise CorruptError("a tensor payload names a table that is not there")
        planes.append(Plane(mode, value))
    return planes, tables


def stored(plane: Plane, size: int) -> int:
    """Return the bytes of a plane of `size` values that no table codes."""
    return size if plane.mode == RAW else (size + 7) // 8 * 7 if plane.mode == SEVEN else 0


def runs(planes: Sequence[Plane], sizes: Sequence[int], chunk: int) -> list[list[tuple[int, int, int]]]:
    """Return the runs of each chunk of `chunk` symbols: start and stop in the planes, which lie one behind the other,
    and the table."""
    chunks: list[list[tuple[int, int, int]]] = []
    start, room = 0, 0
    for plane, size in zip(planes, sizes, strict=True):
        stop = start + size
        if plane.mode in (STATIC, AGAIN):
            at = start
            while at < stop:
                if not room:
                    chunks.append([])
                    room = chunk
                count = min(room, stop - at)
                chunks[-1].append((at, at + count, plane.value))
                at += count
                room -= count
        start = stop
    return chunks
