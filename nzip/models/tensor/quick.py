"""Preset 1: planes that are noise as they are, each other one by a table that stands still, in rANS (`lanes`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nzip.entropy.jit import Native
from nzip.errors import CorruptError
from nzip.formats.container.wire import Reader, uleb
from nzip.models.tensor.differences import Base, joined
from nzip.models.tensor.layout import (
    BESIDE,
    CHUNK,
    CLASSES,
    CONSTANT,
    LANES,
    MIXED,
    RAW,
    ROTATED,
    SEVEN,
    SHIFTED,
    SMALL,
    WHOLE,
    lanes_of,
    most_tables,
)
from nzip.models.tensor.pieces import (
    Piece,
    Plane,
    pack_pieces,
    pack_planes,
    read_pieces,
    read_planes,
    runs,
    stored,
)
from nzip.models.tensor.values import part, values_of

MARGIN = 6  # a table must save one byte in 2^6

choose = Native("nzip.models.tensor.choice", "choose")
squeeze = Native("nzip.models.tensor.planes", "squeeze")
spread = Native("nzip.models.tensor.planes", "spread")
reciprocals = Native("nzip.models.tensor.lanes", "reciprocals")
encode_chunk = Native("nzip.models.tensor.lanes", "encode_chunk")
decode_chunk = Native("nzip.models.tensor.lanes", "decode_chunk")
tables_of = Native("nzip.models.tensor.lanes", "tables_of")


def encoded(block: bytes, pieces: Sequence[Piece], old: Any = b"") -> bytes:
    """Return the payload of preset 1, beside an older file."""
    import numpy as np

    from nzip.formats.content import estimate

    held, sorted_ = np.frombuffer(block, np.uint8), np.empty(len(block), np.uint8)
    starts, sizes, classes = list[int](), list[int](), list[int]()
    small, seven, made_of, at = list[bool](), list[bool](), list[Piece](), 0
    for piece in pieces:
        form, values, bits = piece.form, values_of(held, at, piece), 8 * piece.width
        if form & BESIDE:
            base, done = Base(old, piece), 0
            differences = base.folded(values)
            piece = piece._replace(groups=tuple(base.groups(differences)))
            for count in piece.groups:
                part(differences[done : done + count], count, bits, form & 3, sorted_, at)
                for k in range(piece.width):
                    starts.append(at + k * count)
                    classes.append(min(k, 3) * 16 + 12 + (form & 3))
                    seven.append(False)
                    sizes.append(count)
                    small.append(piece.size < SMALL)
                done += count
                at += count * piece.width
            made_of.append(piece)
            continue
        large = bool(form & ROTATED) and piece.exponent == 8 and piece.size >= SMALL
        if large and not int(np.bitwise_or.reduce(values)) >> (bits - 2) & 1:
            form ^= ROTATED | SHIFTED
        part(values, piece.values, bits, form, sorted_, at)
        for k in range(piece.width):
            starts.append(at + k * piece.values)
            classes.append((min(k, 3) * 16 + (form & 7) + (form >> 1 & 8)) % CLASSES)
            seven.append(k == 1 and bool(form & SHIFTED))
        sizes += [piece.values] * piece.width
        small += [piece.size < SMALL] * piece.width
        at += piece.size
        made_of.append(piece._replace(form=form))
    count = len(starts)
    most = most_tables(len(block))
    freqs = np.empty(256 * (most + 1), np.int64)
    modes, tables = np.zeros(count, np.int64), np.zeros(count, np.int64)
    made = choose(
        sorted_, np.array(starts), np.array(sizes), np.array(classes), np.array(small, np.uint8),
        np.array(seven, np.uint8), MARGIN, most, estimate.log2_table(),
        np.zeros(256 * count, np.int32), np.zeros(256 * CLASSES, np.int64), np.zeros(CLASSES, np.int64),
        np.zeros(256, np.int64), freqs, modes, tables,
    )  # fmt: skip
    planes = [Plane(mode, value) for mode, value in zip(modes.tolist(), tables.tolist(), strict=True)]
    steps = np.empty(512 * max(1, made), np.uint64)
    reciprocals(freqs, made, steps)
    head = pack_pieces(made_of, rows=False) + pack_planes(planes, freqs[: 256 * made].reshape(-1, 256).tolist())
    words, coded, lengths = np.empty(CHUNK + 4 * LANES, np.uint16), list[bytes](), list[bytes]()
    for chunk in runs(planes, sizes, CHUNK):
        first, last, numbers = (np.array(column) for column in zip(*chunk, strict=True))
        count = lanes_of(int((last - first).sum()))
        begin = encode_chunk(sorted_, first, last, numbers, count, steps, words)
        coded.append(words[begin:].astype("<u2", copy=False).tobytes())
        lengths.append(uleb(len(words) - begin - 2 * count))
    raw = list[Any]()
    for start, size, plane in zip(starts, sizes, planes, strict=True):
        if plane.mode == RAW:
            raw.append(sorted_[start : start + size])
        elif plane.mode == SEVEN:
            raw.append(np.empty(stored(plane, size), np.uint8))
            squeeze(sorted_, start, size, raw[-1], 0)
    return b"".join([head, *lengths, *coded, *raw])


class Coded(NamedTuple):
    """A payload taken apart.

    Attributes:
        pieces: of the block.
        sizes, planes: of all planes in order.
        tables: frequencies, 256 a table.
        chunks: the runs of each chunk, as `pieces.runs` has them.
        lanes, words: of each chunk: its states, and its words (uint16), those of the states first.
        rest: the planes that no table codes.
    """

    pieces: list[Piece]
    sizes: list[int]
    planes: list[Plane]
    tables: list[list[int]]
    chunks: list[list[tuple[int, int, int]]]
    lanes: list[int]
    words: list[Any]
    rest: Reader


def taken_apart(reader: Reader, size: int, old: int = 0) -> Coded:
    """Read the payload of a block of `size` bytes, beside an older file of `old` bytes.

    Raises:
        CorruptError: it is damaged.
    """
    import numpy as np

    pieces = read_pieces(reader, size, rows=False, old=old)
    sizes = [count for piece in pieces for count in piece.planes(mixed=False)]
    planes, tables = read_planes(reader, len(sizes), size)
    if any(plane.mode == MIXED for plane in planes):
        raise CorruptError("a tensor payload has a plane of a mode that is not its preset's")
    chunks = runs(planes, sizes, CHUNK)
    lanes = [lanes_of(sum(stop - start for start, stop, _ in chunk)) for chunk in chunks]
    lengths = [reader.uleb() + 2 * count for count in lanes]
    raw = sum(map(stored, planes, sizes))
    if any(length > CHUNK + 4 * LANES for length in lengths) or 2 * sum(lengths) + raw != reader.left():
        raise CorruptError("a tensor payload is longer or shorter than its planes")
    words = [np.frombuffer(reader.bytes(2 * length), "<u2") for length in lengths]
    return Coded(pieces, sizes, planes, tables, chunks, lanes, words, reader)


def look_ups(tables: Sequence[Sequence[int]]) -> Any:
    """Return the entries of tables, uint32[4096] each (`lanes.tables_of`)."""
    import numpy as np

    entries = np.empty(WHOLE * max(1, len(tables)), np.uint32)
    freqs = np.array(tables, np.int64).reshape(-1)
    tables_of(freqs, len(tables), entries)
    return entries


def put_others(found: Coded, sorted_: Any) -> None:
    """Put the planes that no table codes into `sorted_`, which has room for all."""
    import numpy as np

    at = 0
    for n, plane in zip(found.sizes, found.planes, strict=True):
        data = np.frombuffer(found.rest.bytes(stored(plane, n)), np.uint8)
        if plane.mode == CONSTANT:
            sorted_[at : at + n] = plane.value
        elif plane.mode == RAW:
            sorted_[at : at + n] = data
        elif plane.mode == SEVEN:
            spread(data.copy(), 0, n, sorted_, at)
        at += n


def decoded(reader: Reader, size: int, old: Any = b"") -> bytes:
    """Return the block of a payload of preset 1, beside an older file.

    Raises:
        CorruptError: it is damaged.
    """
    import numpy as np

    found = taken_apart(reader, size, len(old))
    sorted_, entries = np.empty(size, np.uint8), look_ups(found.tables)
    words = np.zeros(max(map(len, found.words), default=0) + LANES, np.uint16)
    for chunk, coded, count in zip(found.chunks, found.words, found.lanes, strict=True):
        words[: len(coded)] = coded
        words[len(coded) : len(coded) + LANES] = 0
        first, last, numbers = (np.array(column) for column in zip(*chunk, strict=True))
        if not decode_chunk(words[: len(coded) + LANES], sorted_, first, last, numbers, count, entries):
            raise CorruptError("a tensor payload is damaged")
    put_others(found, sorted_)
    return joined(found.pieces, sorted_, old)
